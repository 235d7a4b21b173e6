/* SPDX-License-Identifier: BSD-3-Clause */
/* Forked children that may still use our memory. */
#ifndef NUMD_CLIENT_LIB_FORK_WATCH_H
#define NUMD_CLIENT_LIB_FORK_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How often this process has forked. A block notes the count when it is made, for fork_watch_has_heir. */
extern _Atomic uint64_t fork_watch_count;

/* Around fork(). */
void fork_watch_before(void);
void fork_watch_after(bool in_child);

/* Whether a child still lives that was forked since the count was this: it may use what was made then. The
 * caller may hold any lock. */
bool fork_watch_has_heir(uint64_t count);

#endif
