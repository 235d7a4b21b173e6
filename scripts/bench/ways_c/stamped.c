/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls between stamps, for the benchmark's breakdown (breakdown.py). */
#include "scripts/bench/ways_c/bench.h"
#include "shared/trace.h"

enum { COST_PAIRS = 200 };

int bench_run_stamped(const struct bench_way *way, int64_t n, int64_t limit_ns, int64_t *done) {
  int failed = 0;
  int64_t start = bench_now_ns();
  for (*done = 0; !failed && *done < n && bench_now_ns() - start < limit_ns; ++*done) {
    trace_stamp(TRACE_BEGIN);
    failed = way->call();
    trace_stamp(TRACE_END);
  }
  for (int i = 0; !failed && i < 2 * COST_PAIRS; i++) {
    trace_stamp(TRACE_COST);
  }
  return failed;
}
