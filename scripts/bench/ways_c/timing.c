/* SPDX-License-Identifier: BSD-3-Clause */
/* Timing of calls.
 *
 * A sample is the mean of a batch of calls, in nanoseconds a call. A batch is the smallest power of two
 * for which reading the clock costs under 2 % of it, and at least 16 calls if one takes less than a
 * microsecond; so a call of several microseconds is timed alone. Where batches are longer than one, calls
 * are also timed one by one, with the clock's own time subtracted. The Python clients do the same
 * (runner.py). */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "scripts/bench/ways_c/bench.h"

enum { MAX_SAMPLES = 600, MIN_SAMPLES = 3, MAX_BATCH = 4096 };

static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t bench_now_ns(void) {
  return clock_ns(CLOCK_MONOTONIC);
}

int64_t bench_cpu_ns(void) {
  return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* The least that two readings of the clock, one after the other, are apart on average. */
static double clock_overhead_ns(void) {
  double least = INFINITY;
  for (int round = 0; round < 20; round++) {
    int64_t start = bench_now_ns();
    for (int i = 0; i < 100; i++) {
      bench_now_ns();
    }
    double each = (double)(bench_now_ns() - start) / 101;
    if (each < least) {
      least = each;
    }
  }
  return least;
}

static int run_batch(const struct bench_way *way, int n, int64_t *taken_ns) {
  int64_t start = bench_now_ns();
  for (int i = 0; i < n; i++) {
    int failed = way->call();
    if (failed) {
      return failed;
    }
  }
  *taken_ns = bench_now_ns() - start;
  return 0;
}

/* Runs for an eighth of the budget, or one call; the last batch's time a call, least of the last few. */
static int warm_up(const struct bench_way *way, int64_t budget_ns, struct bench_samples *s, double *call_ns) {
  int64_t start = bench_now_ns(), taken;
  *call_ns = INFINITY;
  for (int n = 1;; n = n < 16 ? n * 2 : n) {
    int failed = run_batch(way, n, &taken);
    if (failed) {
      return failed;
    }
    s->calls += n;
    double each = ((double)taken - s->overhead_ns) / n;
    *call_ns = each < *call_ns && each > 0 ? each : *call_ns;
    if (bench_now_ns() - start > budget_ns / 8) {
      *call_ns = isfinite(*call_ns) ? *call_ns : 1;
      return 0;
    }
  }
}

static int batch_size(double call_ns, double overhead_ns) {
  int batch = call_ns < 1000 ? 16 : 1;
  while (batch < MAX_BATCH && batch * call_ns < 50 * overhead_ns) {
    batch *= 2;
  }
  return batch;
}

static int clamp_samples(double wanted) {
  return wanted > MAX_SAMPLES ? MAX_SAMPLES : wanted < MIN_SAMPLES ? MIN_SAMPLES : (int)wanted;
}

/* Takes up to n samples, fewer if that lasts much longer than it should; *taken_n says how many. */
static int take(const struct bench_way *way, int batch, int n, int64_t budget_ns, double *out, int *taken_n,
                struct bench_samples *s) {
  int64_t end = bench_now_ns() + 2 * budget_ns;
  for (int i = 0; i < n && (i < MIN_SAMPLES || bench_now_ns() < end); i++) {
    int64_t taken;
    int failed = run_batch(way, batch, &taken);
    if (failed) {
      return failed;
    }
    double each = ((double)taken - s->overhead_ns) / batch;
    out[i] = each > 0 ? each : 0;
    s->calls += batch;
    *taken_n = i + 1;
  }
  return 0;
}

int bench_warm_up(const struct bench_way *way, int64_t ns) {
  int failed;
  int64_t start = bench_now_ns();
  do {
    failed = way->call();
  } while (!failed && bench_now_ns() - start < ns);
  return failed;
}

int bench_measure(const struct bench_way *way, int64_t budget_ns, struct bench_samples *s) {
  free(s->ns);
  free(s->single_ns);
  *s = (struct bench_samples){.overhead_ns = clock_overhead_ns()};
  s->ns = calloc(MAX_SAMPLES, sizeof(double));
  s->single_ns = calloc(MAX_SAMPLES, sizeof(double));
  if (!s->ns || !s->single_ns) {
    abort();
  }
  int64_t cpu_start = bench_cpu_ns();
  double call_ns;
  int failed = warm_up(way, budget_ns, s, &call_ns);
  if (failed) {
    return failed;
  }
  if (way->spoil) {
    way->spoil();
  }
  s->batch = batch_size(call_ns, s->overhead_ns);
  int n = clamp_samples((double)budget_ns / (s->batch * call_ns));
  failed = take(way, s->batch, n, budget_ns, s->ns, &s->n, s);
  if (!failed && s->batch > 1) {
    n = clamp_samples((double)budget_ns / 4 / call_ns);
    failed = take(way, 1, n, budget_ns / 4, s->single_ns, &s->n_single, s);
  }
  s->cpu_ns = (double)(bench_cpu_ns() - cpu_start);
  return failed;
}
