/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/sem.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ONE_WAITER ((uint64_t)1 << 32)

_Static_assert(sizeof(void *) == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "sem.h describes the layout of 64-bit little-endian machines");

static long futex(_Atomic uint64_t *counters, int what, uint32_t value, const struct timespec *until) {
  return syscall(SYS_futex, counters, what, value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void sem_hint(sem_t *sem) {
  _Atomic uint64_t *counters = (void *)sem;
  uint64_t seen = atomic_load_explicit(counters, memory_order_relaxed);
  do
    if ((uint32_t)seen >= INT_MAX)
      return;
  while (!atomic_compare_exchange_weak_explicit(counters, &seen, seen + 1, memory_order_release,
                                                memory_order_relaxed));
  if (seen >= ONE_WAITER)
    futex(counters, FUTEX_WAKE, 1, NULL);
}

bool sem_has_hint(const sem_t *sem) {
  const _Atomic uint64_t *counters = (const void *)sem;
  return (uint32_t)atomic_load_explicit(counters, memory_order_relaxed) > 0;
}

/* Takes one from the value and, in the same step, `also` from the counters: ONE_WAITER for a thread that
 * waited, else 0. False if the value is 0. */
static bool take(_Atomic uint64_t *counters, uint64_t also) {
  uint64_t seen = atomic_load_explicit(counters, memory_order_relaxed);
  while ((uint32_t)seen > 0)
    if (atomic_compare_exchange_weak_explicit(counters, &seen, seen - 1 - also, memory_order_acquire,
                                              memory_order_relaxed))
      return true;
  return false;
}

void sem_await_hint(sem_t *sem, int64_t deadline) {
  _Atomic uint64_t *counters = (void *)sem;
  const struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
  if (take(counters, 0))
    return;
  atomic_fetch_add_explicit(counters, ONE_WAITER, memory_order_relaxed);
  (void)futex(counters, FUTEX_WAIT_BITSET, 0,
              &until); /* `until` is monotonic time, since no flag says otherwise */
  if (!take(counters, ONE_WAITER))
    atomic_fetch_sub_explicit(counters, ONE_WAITER, memory_order_relaxed);
}
