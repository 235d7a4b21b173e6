/* SPDX-License-Identifier: BSD-3-Clause */
/* A C client of the benchmark: a process that reads one command a line and answers one line of JSON.
 *
 *   prepare case=add mode=prepared wait=spin budget_ns=40000000 in=a.bin:64,b.bin:64 out=64
 *   measure
 *   warm ns=20000000
 *   schedule times=due.bin to=late.bin limit_ns=2000000000
 *   stamps calls=2000 limit_ns=500000000
 *   finish to=out.bin
 *
 * `prepare` loads the inputs and makes the way ready; `measure` times calls (timing.c); `warm` calls for so
 * long; `schedule` calls at given times (scheduled.c); `stamps` calls with a stamp before and after each, in
 * a traced build (stamped.c); `finish` writes what the last call computed and lets everything go, so that a
 * client costs nothing while others have their turn. main.c does all that; a way gives the few functions of
 * `struct bench_way`. */
#ifndef NUMD_SCRIPTS_BENCH_BENCH_H
#define NUMD_SCRIPTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_MAX_DIMS 4
#define BENCH_MAX_IN 2
#define BENCH_MAX_OPS 8

/* What is computed: values are numbered inputs first, then one an operation; the last is the answer. */
struct bench_case {
  const char *name;
  int n_in, n_ops;
  bool scalar; /* the answer has no dimensions */
  struct {
    const char *name;
    int n_in, in[2];
  } ops[BENCH_MAX_OPS];
};

const struct bench_case *bench_case_find(const char *name); /* NULL: there is none */

struct bench_array {
  int ndim;
  int64_t shape[BENCH_MAX_DIMS], size;
  double *data; /* inputs only */
};

struct bench_job {
  const struct bench_case *what; /* NULL for a floor */
  char mode[16], wait[16];
  int sessions; /* case "idle": how many to hold open */
  int64_t budget_ns;
  struct bench_array in[BENCH_MAX_IN], out;
};

struct bench_way {
  /* NULL, or a sentence about why it cannot run (valid until the next call). */
  const char *(*open)(const struct bench_job *job);
  int (*call)(void); /* 0, or it failed and `error` tells */
  const char *(*error)(void);
  void (*result)(double *out); /* what the last call computed: out.size doubles, or one */
  void (*spoil)(void);         /* overwrites the output with NaN; may be NULL */
  int (*partner)(void);        /* pid of the other side, if this way started one; may be NULL */
  void (*close)(void);
};

/* Each program defines one; `argument` is its command line's first word after the name, or NULL. */
const struct bench_way *bench_way_choose(const char *argument);

struct bench_samples {
  int batch, n, n_single;
  int64_t calls; /* all of them, with those for warming up */
  double overhead_ns, cpu_ns;
  double *ns, *single_ns; /* a call: means of batches; calls timed alone, less the timer's own time */
};

/* Room for n numbers, zeroed; in huge pages if it is large, as NumPy's arrays are. To be freed with free().
 * NULL: out of memory. */
double *bench_alloc(int64_t n);

int64_t bench_now_ns(void);
int64_t bench_cpu_ns(void); /* of this process so far */
/* Times `call` for about budget_ns. 0, or the call's failure. Frees what an earlier use left. */
int bench_measure(const struct bench_way *way, int64_t budget_ns, struct bench_samples *samples);

/* Calls for so long, once at least: a partner may still have to start. 0, or the call's failure. */
int bench_warm_up(const struct bench_way *way, int64_t ns);

/* Calls at given times; see scheduled.c. */
struct bench_schedule {
  int64_t n;
  const int64_t *due_ns; /* after the start */
  int64_t *latency_ns;   /* room for n */
  int64_t limit_ns;      /* no call begins later than this after the start */
  int64_t done, passed_ns, cpu_ns, waited_ns;
};
int bench_run_schedule(const struct bench_way *way, struct bench_schedule *schedule);

/* Up to n calls, each between two stamps, fewer if that takes longer than the limit; *done counts them. Then
 * stamps with nothing between. */
int bench_run_stamped(const struct bench_way *way, int64_t n, int64_t limit_ns, int64_t *done);

#endif
