/* SPDX-License-Identifier: BSD-3-Clause */
/* Time in nanoseconds, from clocks that nobody sets. */
#ifndef NUMD_SHARED_CLOCK_H
#define NUMD_SHARED_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Time since the machine was booted, with the time that it slept. */
static inline uint64_t clock_boot_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* `ns` from now, or INT64_MAX if that is beyond the end of time. */
static inline int64_t clock_deadline(int64_t ns) {
  int64_t now = clock_now_ns();
  return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

#endif
