/* Forked children that may still use our memory. */
#ifndef NUMD_CLIENT_LIB_FORK_WATCH_H
#define NUMD_CLIENT_LIB_FORK_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How often this process forked. What is made notes the count, to be asked about later. */
extern _Atomic uint64_t fork_watch_count;

/* Around fork(). */
void fork_watch_before(void);
void fork_watch_after(bool in_child);

/* Whether a child that was forked after that count still lives, which therefore has what was made before.
 * Any lock may be held. */
bool fork_watch_has_heir(uint64_t count);

#endif
