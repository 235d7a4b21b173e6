/* SPDX-License-Identifier: BSD-3-Clause */
/* A quick look at what calls cost on this machine: `numdctl bench`, a few seconds.
 *
 * A call adds two arrays of 64 float64 by a prepared plan, in each gear of waiting and through the socket;
 * each call is timed alone, less the time of reading the clock. Beside them stand what no call can be below
 * (a cache line to another core and back), the same addition in this process, calls that are not waited for
 * one by one, and copying large arrays. `make bench` of the sources compares with NumPy and other ways of
 * IPC. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/numdctl.h"
#include "client/numd.h"

#define N_ADD 64
#define N_COPY ((int64_t)4 << 20) /* elements: 32 MiB */
#define MAX_SAMPLES 200000
#define IN_FLIGHT 64
#define BOUNCES 2000
/* Statuses of our own. */
#define WRONG_SUM (-1)
#define NO_WORKER (-2)
#define WARM_UP_NS 50000000
#define MEASURE_NS 300000000

struct gear {
  const char *title, *way, *wait;
  enum numd_door door;
  enum numd_wait policy;
};

static const struct gear gears[] = {
    {"ring, adapting", "ring", "auto", NUMD_DOOR_RING, NUMD_WAIT_AUTO},
    {"ring, spinning", "ring", "spin", NUMD_DOOR_RING, NUMD_WAIT_SPIN},
    {"ring, hand-off", "ring", "handoff", NUMD_DOOR_RING, NUMD_WAIT_HANDOFF},
    {"ring, sleeping", "ring", "sleep", NUMD_DOOR_RING, NUMD_WAIT_SLEEP},
    {"socket", "socket", "auto", NUMD_DOOR_SOCKET, NUMD_WAIT_AUTO},
};

enum { N_GEARS = sizeof(gears) / sizeof(gears[0]) };

struct latency {
  int64_t calls;
  double p50_ns, p99_ns, client_percent, worker_percent; /* of a core */
};

struct figures {
  struct latency latency[N_GEARS];
  double calls_per_s;                /* with IN_FLIGHT under way */
  double bounce_ns;                  /* 0: there is one core only */
  double add_ns;                     /* in this process */
  double copied_per_s, memcpy_per_s; /* bytes read and written */
};

/* A session with a plan of one operation on arrays of one length. */
struct subject {
  numd_conn *conn;
  numd_plan *plan;
  numd_arg args[3]; /* inputs, then the output */
  int n_args;
  clockid_t worker_clock;
};

static double samples[MAX_SAMPLES];

static int64_t clock_ns(clockid_t clock) {
  struct timespec t = {0};
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void) {
  return clock_ns(CLOCK_MONOTONIC);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of samples 0 .. n-1, which it sorts. */
static double percentile(int64_t n, int percent) {
  qsort(samples, (size_t)n, sizeof(samples[0]), by_value);
  return n > 0 ? samples[(n - 1) * percent / 100] : 0;
}

/* The median distance of two readings of the clock. */
static double clock_cost_ns(void) {
  enum { READINGS = 1000 };
  for (int i = 0; i < READINGS; i++) {
    int64_t before = now_ns();
    samples[i] = (double)(now_ns() - before);
  }
  return percentile(READINGS, 50);
}

/* ---- A session ---- */

static void subject_close(struct subject *s) {
  numd_plan_unref(s->plan);
  for (int i = 0; i < s->n_args; i++)
    numd_array_unref(s->args[i].array);
  if (s->conn)
    numd_conn_unref(s->conn);
}

static int prepare(struct subject *s, numd_op op, int64_t n) {
  const int inputs[] = {0, 1};
  numd_program *program = numd_program_new();
  if (!program)
    return NUMD_ENOMEMORY;
  for (int i = 0; i < s->n_args - 1; i++)
    numd_program_input(program, NUMD_FLOAT64, 1, &n, NULL);
  int value = numd_program_op(program, op, s->n_args - 1, inputs, NULL);
  numd_program_output(program, value, NUMD_FLOAT64, 1, &n, NULL);
  int status = numd_prepare(s->conn, program, &s->plan);
  numd_program_free(program);
  return status;
}

static int make_arrays(struct subject *s, int n_args, int64_t n) {
  for (; s->n_args < n_args; s->n_args++) {
    int status = numd_array_zeros(s->conn, NUMD_FLOAT64, 1, &n, &s->args[s->n_args].array);
    if (status)
      return status;
    double *data = s->args[s->n_args].array->data;
    for (int64_t i = 0; i < n; i++)
      data[i] = (double)(i + s->n_args);
  }
  return 0;
}

/* Looks for the worker that serves this session, which the daemon's list tells by that it has not been called
 * yet: one that was closed may still be in it. NO_WORKER if it is not there. */
static int look_for_worker(struct subject *s) {
  char *text;
  int status = numd_stats(s->conn, &text), found = 0;
  if (status)
    return status;
  for (const char *e = json_first(json_member(text, "sessions")); e && !found; e = json_next(e))
    found = json_number(e, "client_pid") == (uint64_t)getpid() && json_number(e, "plans") == 1 &&
            json_number(e, "calls_ring") + json_number(e, "calls_socket") == 0 &&
            clock_getcpuclockid((pid_t)json_number(e, "pid"), &s->worker_clock) == 0;
  free(text);
  return found ? 0 : NO_WORKER;
}

/* A session may work a moment before the daemon has it in its list. */
static int find_worker(struct subject *s) {
  const struct timespec nap = {.tv_nsec = 5000000};
  int status;
  for (int tries = 200; (status = look_for_worker(s)) == NO_WORKER && tries > 0; tries--)
    nanosleep(&nap, NULL);
  return status;
}

/* Opens a session in which `op` takes n_args - 1 arrays of n numbers. To be closed, also after a failure. */
static int subject_open(struct subject *s, const char *address, const struct gear *gear, numd_op op,
                        int n_args, int64_t n) {
  numd_options options = {
      .size = sizeof(options), .address = address, .no_start = 1, .door = gear->door, .wait = gear->policy};
  int status = numd_connect(&options, &s->conn);
  if (status == 0)
    status = make_arrays(s, n_args, n);
  if (status == 0)
    status = prepare(s, op, n);
  return status ? status : find_worker(s);
}

static int call(struct subject *s) {
  return numd_plan_call(s->plan, s->n_args, s->args, NULL, NUMD_FOREVER);
}

static int warm_up(struct subject *s) {
  int status = 0;
  for (int64_t end = now_ns() + WARM_UP_NS; status == 0 && now_ns() < end;)
    status = call(s);
  return status;
}

/* ---- What is measured ---- */

/* 0 if the last call computed what it should, else WRONG_SUM. */
static int check_sum(const struct subject *s) {
  const double *a = s->args[0].array->data, *b = s->args[1].array->data, *sum = s->args[2].array->data;
  for (int i = 0; i < N_ADD; i++)
    if (sum[i] != a[i] + b[i])
      return WRONG_SUM;
  return 0;
}

/* Times call after call alone; their number. */
static int64_t take_samples(struct subject *s, double clock_cost, int *status) {
  int64_t n = 0;
  for (int64_t after = now_ns(), end = after + MEASURE_NS; n < MAX_SAMPLES && after < end; n++) {
    int64_t before = now_ns();
    if ((*status = call(s)))
      break;
    after = now_ns();
    double ns = (double)(after - before) - clock_cost;
    samples[n] = ns > 0 ? ns : 0;
  }
  return n;
}

static int measure_latency(const char *address, const struct gear *gear, double clock_cost,
                           struct latency *out) {
  struct subject s = {0};
  int status = subject_open(&s, address, gear, NUMD_OP_ADD, 3, N_ADD);
  if (status == 0)
    status = warm_up(&s);
  if (status == 0) {
    int64_t client = clock_ns(CLOCK_PROCESS_CPUTIME_ID), worker = clock_ns(s.worker_clock), start = now_ns();
    out->calls = take_samples(&s, clock_cost, &status);
    double percent_ns = (double)(now_ns() - start) / 100;
    out->client_percent = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - client) / percent_ns;
    out->worker_percent = (double)(clock_ns(s.worker_clock) - worker) / percent_ns;
    out->p99_ns = percentile(out->calls, 99);
    out->p50_ns = percentile(out->calls, 50);
  }
  if (status == 0)
    status = check_sum(&s);
  subject_close(&s);
  return status;
}

/* Submits calls before it waits for the first of them. */
static int measure_in_flight(const char *address, double *calls_per_s) {
  struct subject s = {0};
  numd_ticket tickets[IN_FLIGHT];
  int status = subject_open(&s, address, &gears[0], NUMD_OP_ADD, 3, N_ADD);
  if (status == 0)
    status = warm_up(&s);
  int64_t calls = 0, start = now_ns(), end = start + MEASURE_NS;
  while (status == 0 && now_ns() < end) {
    int n = 0;
    while (n < IN_FLIGHT && (status = numd_plan_submit(s.plan, s.n_args, s.args, &tickets[n])) == 0)
      n++;
    for (int i = 0; i < n; i++) {
      int done = numd_wait(&tickets[i], NUMD_FOREVER, NULL);
      status = status ? status : done;
    }
    calls += n;
  }
  *calls_per_s = (double)calls * 1e9 / (double)(now_ns() - start);
  subject_close(&s);
  return status;
}

/* Bytes a second, read and written, of the best of a few copies: the first ones find no memory behind the
 * pages. */
static int measure_copying(const char *address, double *copied, double *by_memcpy) {
  struct subject s = {0};
  const double bytes = 2.0 * N_COPY * sizeof(double);
  int status = subject_open(&s, address, &gears[0], NUMD_OP_POSITIVE, 2, N_COPY);
  for (int i = 0; i < 8 && status == 0; i++) {
    int64_t start = now_ns();
    status = call(&s);
    double rate = bytes * 1e9 / (double)(now_ns() - start + 1);
    *copied = rate > *copied ? rate : *copied;
    start = now_ns();
    if (status == 0)
      memcpy(s.args[1].array->data, s.args[0].array->data, N_COPY * sizeof(double));
    rate = bytes * 1e9 / (double)(now_ns() - start + 1);
    *by_memcpy = rate > *by_memcpy ? rate : *by_memcpy;
  }
  subject_close(&s);
  return status;
}

static _Alignas(128) atomic_int ball;

static void await(int value) {
  for (int i = 0; atomic_load_explicit(&ball, memory_order_acquire) != value; i++)
    if (i % 10000 == 9999)
      sched_yield(); /* somebody else may have the other's core */
}

static void *return_ball(void *unused) {
  for (int i = 0; i < BOUNCES; i++) {
    await(2 * i + 1);
    atomic_store_explicit(&ball, 2 * i + 2, memory_order_release);
  }
  return unused;
}

/* To the first or the last of the cores. */
static void pin(pthread_t thread, const cpu_set_t *cores, bool last) {
  cpu_set_t one;
  int core = -1;
  for (int i = 0; i < CPU_SETSIZE && (last || core < 0); i++)
    core = CPU_ISSET(i, cores) ? i : core;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  pthread_setaffinity_np(thread, sizeof(one), &one);
}

/* A cache line to a thread on another core and back; 0 where there are not two. */
static double measure_bounce(void) {
  cpu_set_t cores;
  pthread_t other;
  atomic_store(&ball, 0);
  if (sched_getaffinity(0, sizeof(cores), &cores) || CPU_COUNT(&cores) < 2 ||
      pthread_create(&other, NULL, return_ball, NULL))
    return 0;
  pin(other, &cores, true);
  pin(pthread_self(), &cores, false);
  for (int i = 0; i < BOUNCES; i++) {
    int64_t start = now_ns();
    atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
    await(2 * i + 2);
    samples[i] = (double)(now_ns() - start);
  }
  pthread_join(other, NULL);
  sched_setaffinity(0, sizeof(cores), &cores);
  return percentile(BOUNCES, 50);
}

/* The same addition without another process, a batch of which is timed at once. */
static double measure_add(void) {
  enum { BATCH = 1000, BATCHES = 100 };
  static double a[N_ADD], b[N_ADD], sum[N_ADD];
  for (int k = 0; k < BATCHES; k++) {
    int64_t start = now_ns();
    for (int j = 0; j < BATCH; j++) {
      for (int i = 0; i < N_ADD; i++)
        sum[i] = a[i] + b[i];
      __asm__ volatile("" : : "r"(a), "r"(b), "r"(sum) : "memory"); /* each is done */
    }
    samples[k] = (double)(now_ns() - start) / BATCH;
  }
  return percentile(BATCHES, 50);
}

/* ---- What is printed ---- */

static void print_table(const struct figures *f) {
  printf("add of %d float64 by numd      p50         p99    client  worker  (%% of a core)\n", N_ADD);
  for (int i = 0; i < N_GEARS; i++) {
    const struct latency *l = &f->latency[i];
    printf("  %-22s %8.2f us %8.2f us  %6.0f  %6.0f\n", gears[i].title, l->p50_ns / 1e3, l->p99_ns / 1e3,
           l->client_percent, l->worker_percent);
  }
  printf("  %-22s %8.0f thousand calls a second\n", "64 in flight", f->calls_per_s / 1e3);
  printf("in this process\n  %-22s %8.3f us\n", "the same add", f->add_ns / 1e3);
  if (f->bounce_ns > 0)
    printf("  %-22s %8.2f us to another core and back\n", "a cache line", f->bounce_ns / 1e3);
  printf("copying %d MiB\n  %-22s %8.1f GB/s read and written\n  %-22s %8.1f GB/s\n",
         (int)(N_COPY * (int64_t)sizeof(double) >> 20), "by numd", f->copied_per_s / 1e9,
         "memcpy, one thread", f->memcpy_per_s / 1e9);
}

static void print_json(const struct figures *f) {
  printf("{\"latency\": [");
  for (int i = 0; i < N_GEARS; i++) {
    const struct latency *l = &f->latency[i];
    printf(
        "%s{\"way\": \"%s\", \"wait\": \"%s\", \"calls\": %lld, \"p50_ns\": %.1f, \"p99_ns\": %.1f, "
        "\"cpu_client_percent\": %.1f, \"cpu_worker_percent\": %.1f}",
        i ? ", " : "", gears[i].way, gears[i].wait, (long long)l->calls, l->p50_ns, l->p99_ns,
        l->client_percent, l->worker_percent);
  }
  printf(
      "], \"in_flight\": {\"depth\": %d, \"calls_per_s\": %.0f}, \"add_in_process_ns\": %.1f, "
      "\"cache_line_ns\": ",
      IN_FLIGHT, f->calls_per_s, f->add_ns);
  printf(f->bounce_ns > 0 ? "%.1f" : "null", f->bounce_ns);
  printf(", \"copy\": {\"bytes\": %lld, \"numd_bytes_per_s\": %.0f, \"memcpy_bytes_per_s\": %.0f}}\n",
         (long long)(N_COPY * (int64_t)sizeof(double)), f->copied_per_s, f->memcpy_per_s);
}

int run_bench(const char *address, int json) {
  struct figures f = {0};
  double clock_cost = clock_cost_ns();
  int status = 0;
  for (int i = 0; i < N_GEARS && status == 0; i++)
    status = measure_latency(address, &gears[i], clock_cost, &f.latency[i]);
  if (status == 0)
    status = measure_in_flight(address, &f.calls_per_s);
  if (status == 0)
    status = measure_copying(address, &f.copied_per_s, &f.memcpy_per_s);
  if (status) {
    fprintf(stderr, "numdctl: bench: %s\n",
            status == WRONG_SUM   ? "numd computed a wrong sum"
            : status == NO_WORKER ? "the daemon's list of sessions lacks this one"
                                  : numd_error());
    return 1;
  }
  f.bounce_ns = measure_bounce();
  f.add_ns = measure_add();
  if (json)
    print_json(&f);
  else
    print_table(&f);
  return 0;
}
