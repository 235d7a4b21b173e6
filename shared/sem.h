/* A semaphore in memory that a peer can write. It is glibc's process-shared sem_t, so that the peer may use
 * sem_post and sem_wait on it; but those end the process when the kernel refuses what a spoilt one makes them
 * ask. These here touch nothing of it but its counters, and nothing that a peer puts there has an effect but
 * a wake-up too many or too few.
 *
 * glibc (64 bits, since 2.21) has the value in the lower half of the first 8 bytes, and how many wait in the
 * upper. */
#ifndef NUMD_SHARED_SEM_H
#define NUMD_SHARED_SEM_H

#include <semaphore.h>
#include <stdint.h>

/* Adds one and wakes one who waits. A value that is at its limit stays. */
void sem_hint(sem_t *sem);

/* Takes one, or returns at the deadline (monotonic ns). Nothing says which: the caller looks at what it waits
 * for. */
void sem_await_hint(sem_t *sem, int64_t deadline);

#endif
