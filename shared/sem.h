/* SPDX-License-Identifier: BSD-3-Clause */
/* A semaphore in memory that a peer can write. It is glibc's process-shared sem_t, so that the peer may use
 * sem_post and sem_wait on it. We do not: these abort the process when the kernel refuses the futex call that
 * a spoilt semaphore makes them issue. The functions here touch nothing of the semaphore but its counters,
 * and whatever a peer writes there causes a wake-up too many or too few, and nothing else.
 *
 * In the first 8 bytes glibc (64 bits, since 2.21) has the value in the lower half and the number of waiting
 * threads in the upper. A semaphore of zeros is a valid one. */
#ifndef NUMD_SHARED_SEM_H
#define NUMD_SHARED_SEM_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* Adds one to the value and wakes one waiting thread; does nothing if the value is at its limit. */
void sem_hint(sem_t *sem);

/* Whether the value is not zero: somebody will take from it, or has yet to wake. */
bool sem_has_hint(const sem_t *sem);

/* Takes one from the value, and waits for it until the deadline (monotonic ns) at most; it may return earlier
 * without. The caller is not told which: it looks at the word for which it waits. */
void sem_await_hint(sem_t *sem, int64_t deadline);

#endif
