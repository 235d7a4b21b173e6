/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns between users. While several users make calls, each of them has at most half of the cores, however
 * many processes and threads it has. Its threads also keep to one half of the cores, the half in which fewer
 * callers of other users are at work: otherwise the scheduler would now and then put them on the cores of the
 * others for a while. A caller whose user has no core left waits until another caller of that user is done or
 * the other users rest; so no core stays idle while somebody waits for a turn.
 *
 * A turn is taken once a call, whatever its steps, and a long call looks now and then whether its user still
 * has a place for it. Calls whose estimate is below TURN_MIN_NS take none: they occupy the core of their
 * client as much as that of its worker, and a turn would cost more than they do. If many of them make their
 * user's processes use more than half of the cores all the same, the observer (cores.h), which reads how much
 * processor time they use, makes that user's members strict: every call of theirs takes a turn, and none of
 * their threads spins. So it does not matter what a call is estimated at.
 *
 * While one user makes calls, callers of large steps are counted, and nothing else happens. */
#ifndef NUMD_SHARED_TURNS_H
#define NUMD_SHARED_TURNS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/cores.h"

#define TURN_MIN_NS 20000 /* estimate of a call that takes a turn */

enum turn_placement { TURN_ANYWHERE, TURN_LOWER_HALF, TURN_UPPER_HALF };

/* One member's view of the turns. Any of its threads may use it. */
struct turns {
  struct cores *cores;
  uint32_t member;
  cpu_set_t all, half[2];
  const cpu_set_t *_Atomic placement; /* where its threads are to run, as last decided; NULL: on all */
  _Atomic int64_t looked_ns;
  _Atomic uint64_t others_calls;    /* calls that the other users had made at the last look */
  _Atomic int64_t others_active_ns; /* when others_calls was last found to have grown */
};

/* What a caller has while it is at work. All zeros: it is not. */
struct turn {
  bool begun;
  int most;               /* threads that may work for it */
  const cpu_set_t *cores; /* where they are to run, or NULL: anywhere they may */
  int64_t begun_ns;
  int64_t looked_ns; /* when the above was decided */
};

/* Whether the call was given up, so that its caller need not wait for its turn. */
typedef bool (*turns_given_up_fn)(const void *arg);

/* To be called by a thread that may run on all cores that the process may use. cores NULL: there are no turns
 * to take. */
void turns_init(struct turns *turns, struct cores *cores, uint32_t member);
/* Whether every call of the member takes a turn, and its threads do not spin. */
static inline bool turns_are_strict(const struct cores *cores, uint32_t member) {
  return atomic_load_explicit(&cores->members[member].strict, memory_order_relaxed) != 0;
}
/* Whether other users have made calls lately. */
bool turns_compete(struct turns *turns);
/* Whether a call with this estimate is to take a turn now. */
bool turns_are_taken(struct turns *turns, uint64_t cost_ns);
/* Waits until it is the user's turn, counts the calling thread among the callers at work, and moves it to its
 * cores. Once given_up(arg) is true, or the thread has waited for very long, it goes on without its turn, and
 * is counted all the same. */
void turns_begin(struct turns *turns, struct turn *turn, turns_given_up_fn given_up, const void *arg);
/* Decides anew, if that was long ago, what the turn of a call is. False: the call has none, or has no longer,
 * since its user has more callers at work than it may by now, and is to begin one before it goes on. */
bool turns_renew(struct turns *turns, struct turn *turn);
/* The calling thread is no longer at work; wakes a waiting thread of its user. */
void turns_end(struct turns *turns, struct turn *turn);
/* Where threads of the member are to run now, between calls too; NULL: anywhere. Valid as long as `turns`. */
const cpu_set_t *turns_placement(struct turns *turns);
/* Moves the calling thread to these cores; NULL: lets it run on all again, if it was moved. */
void turns_move(const struct turns *turns, const cpu_set_t *cores);
/* Moves the calling thread, one that takes no turns, to its user's half while the user is strict. */
void turns_place(struct turns *turns);

#endif
