/* SPDX-License-Identifier: BSD-3-Clause */
/* The count of cores: who of several processes uses which of the machine's cores, in memory that they share.
 *
 * Members are processes. Each has a number below CORES_MAX_MEMBERS, given to it by whoever made the memory,
 * and belongs to a user. Three things are counted:
 *
 *  - Cores. A core is a permission to run one more thread, not a particular processor. core_owner[i] is 0 or
 * the number of the member that has it, plus 1: taken by compare-and-swap, cleared by its owner, or by
 * cores_leave when the owner is dead; so no core is ever lost.
 *  - Spin tokens: permissions for a thread to spin while it waits. Its peer spins too, so there is one token
 * for every two cores. spin_owner follows the same rules as core_owner.
 *  - Callers: threads at work. A caller that gets no core works all the same, so callers are counted beside
 * the cores. A member that dies between changing its own count and the total leaves a total that is too
 * small, never too large.
 *
 * A member may stop for long with all that it holds: by SIGSTOP, under a debugger, while its memory is
 * swapped in. Members cannot see that, so somebody who can, the observer, looks at their processes while
 * cores_want_observer asks for it. It takes cores and tokens from a member that stands still, and has its
 * callers left out of the count. Nothing that the member wrote is changed but words that name it as an owner,
 * so it goes on later as if nothing had happened: cores_give finds nothing of its own to give back.
 *
 * turns.h, above this, says when a user's callers may begin.
 *
 * Any member may write all of this memory, so to each of them it is a hint about the others: a wrong count
 * makes calls slower, and nothing else. The first two words are set before the first member joins; all others
 * are atomic. Nothing here is a pointer, so the memory may be a part of a larger shared page. */
#ifndef NUMD_SHARED_CORES_H
#define NUMD_SHARED_CORES_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CORES_MAX 256
#define CORES_MAX_MEMBERS 1024
#define CORES_MAX_THREADS 1024 /* of a member */

struct cores_member {
  _Atomic uint32_t joined; /* 0 or 1 */
  _Atomic uint32_t user;
  _Atomic uint64_t n_calls;   /* calls of any size that it has made; turns.c sees activity by their growth */
  _Atomic int32_t n_channels; /* threads that serve one each */
  _Atomic int32_t n_callers;  /* its part of cores->n_callers */
  _Atomic int32_t n_waiting;  /* its part of cores->n_waiting */
  _Atomic uint32_t placement; /* enum turn_placement (turns.h): where its callers run */
  /* Both are set by the observer: */
  _Atomic uint32_t still;   /* its process stands still */
  _Atomic uint32_t strict;  /* its user has more than his share, so that every call takes a turn */
  _Atomic int64_t woken_ns; /* when `turn` was last posted to */
  sem_t turn;               /* wakes a thread of this member that waits; all zeros are a valid one (sem.h) */
};

struct cores {
  uint32_t n_cores, n_spin;
  _Atomic bool several_users; /* members of several users have joined, so they take turns */
  _Atomic uint32_t n_used;    /* one past the highest member that ever joined */
  _Atomic int32_t n_callers;
  _Atomic int32_t n_still_callers; /* of them those of members that stand still */
  _Atomic uint32_t wants_observer, observer_sleeps;
  sem_t observer;            /* wakes the observer */
  _Atomic int32_t n_waiting; /* threads that wait for their user's turn */
  _Atomic uint32_t core_owner[CORES_MAX];
  _Atomic uint32_t spin_owner[CORES_MAX];
  struct cores_member members[CORES_MAX_MEMBERS];
};

/* How many threads a counter of one member counts: what can be true, whatever was written, so that sums over
 * members do not overflow. */
static inline int cores_threads(const _Atomic int32_t *counter) {
  int32_t n = atomic_load_explicit(counter, memory_order_relaxed);
  return n < 0 ? 0 : n > CORES_MAX_THREADS ? CORES_MAX_THREADS : n;
}

/* Sets the count up, in memory that is zero, for n_cores cores (at most CORES_MAX are counted). */
void cores_init(struct cores *cores, int n_cores);
/* From now on, number `member` is a process of this user. */
void cores_join(struct cores *cores, uint32_t member, uint32_t user);
/* Gives back all that a member held; its process may be dead. At most one thread at a time may do so for one
 * member. */
void cores_leave(struct cores *cores, uint32_t member);

/* Takes up to `want` cores for a member; how many it got. Never waits. */
int cores_take(struct cores *cores, uint32_t member, int want);
void cores_give(struct cores *cores, uint32_t member, int n);
/* Whether a core is idle: nobody has it, and fewer callers are at work than there are cores. */
bool cores_has_idle(const struct cores *cores);
bool cores_take_spin(struct cores *cores, uint32_t member);
void cores_give_spin(struct cores *cores, uint32_t member);

/* Callers at work, of all members that do not stand still. */
int cores_callers(const struct cores *cores);
/* Counts one more caller of a member. */
void cores_begin_work(struct cores *cores, uint32_t member);
/* The same in two steps, the second of which may be to take the first one back: the member counts the caller,
 * and then the total does. */
void cores_claim_work(struct cores *cores, uint32_t member);
void cores_begin_claimed(struct cores *cores, uint32_t member);
void cores_drop_claim(struct cores *cores, uint32_t member);
void cores_end_work(struct cores *cores, uint32_t member);
/* Counts one more thread that waits for its user's turn. */
void cores_begin_wait(struct cores *cores, uint32_t member);
void cores_end_wait(struct cores *cores, uint32_t member);
/* Asks the observer to look at the members, now and for a while. A relaxed load if somebody did so lately. */
void cores_want_observer(struct cores *cores);
/* Observer: sleeps until it is wanted, or until the deadline (monotonic ns). */
void cores_await_want(struct cores *cores, int64_t deadline);
/* Observer: says that a member stands still, and takes what it holds; or that it does not. */
void cores_set_still(struct cores *cores, uint32_t member, bool still);
/* Observer: for each member whether it has a core, a spin token or a caller at work. */
void cores_find_holders(const struct cores *cores, bool holds[CORES_MAX_MEMBERS]);

/* Counts a call, whether it takes cores or not. */
static inline void cores_count_call(struct cores *cores, uint32_t member) {
  atomic_fetch_add_explicit(&cores->members[member].n_calls, 1, memory_order_relaxed);
}

#endif
