/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls at given times: an open loop. Requests come when they come, whether or not the one before them was
 * answered; a single client that is late calls at once, and the time that a request waited for its turn
 * counts, since latency is from the time when it was due. (A closed loop, which calls, waits and calls again,
 * asks less often just when the other side is slow, and so leaves out the worst: coordinated omission.)
 *
 * Until a request is due the client sleeps, but for the last moment, which it spends on looking at the clock:
 * it would be woken too late. That time is told apart (waited_ns), for it is not the way's. */
#include <sys/prctl.h>
#include <time.h>

#include "scripts/bench/ways_c/bench.h"

enum { LOOK_NS = 200000, SLEEP_WORTH_NS = 100000 };

/* Sleeps until shortly before `due`, then looks at the clock; how long it looked. */
static int64_t wait_until(int64_t due) {
  int64_t now = bench_now_ns();
  if (due - now > LOOK_NS + SLEEP_WORTH_NS) {
    int64_t until = due - LOOK_NS;
    struct timespec t = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    now = bench_now_ns();
  }
  int64_t since = now;
  while (now < due) {
    now = bench_now_ns();
  }
  return now - since;
}

int bench_run_schedule(const struct bench_way *way, struct bench_schedule *s) {
  prctl(PR_SET_TIMERSLACK, 1000); /* ns */
  int64_t cpu = bench_cpu_ns(), start = bench_now_ns();
  s->done = s->waited_ns = 0;
  for (; s->done < s->n; s->done++) {
    int64_t due = start + s->due_ns[s->done];
    s->waited_ns += wait_until(due);
    if (bench_now_ns() - start > s->limit_ns) {
      break;
    }
    int failed = way->call();
    if (failed) {
      return failed;
    }
    s->latency_ns[s->done] = bench_now_ns() - due;
  }
  s->passed_ns = bench_now_ns() - start;
  s->cpu_ns = bench_cpu_ns() - cpu;
  prctl(PR_SET_TIMERSLACK, 0); /* as before */
  return 0;
}
