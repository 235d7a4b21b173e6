/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns between users. While several users make calls, each of them has at most half of the cores, however
 * many processes and threads it has. Its threads also keep to one half of the cores, the half in which fewer
 * callers of other users are at work: otherwise the scheduler would now and then put them on the cores of the
 * others for a while. A caller whose user has no core left waits, before the next step of its call, until
 * another caller of that user is done or the other users rest; so no core stays idle while somebody waits for
 * a turn.
 *
 * Only callers take turns: threads at work on steps that are large enough to be shared out over cores. Small
 * calls do not; they occupy the core of their client as much as that of its worker.
 *
 * With one user (cores->many_users false) callers are counted, and nothing else happens. */
#ifndef NUMD_SHARED_TURNS_H
#define NUMD_SHARED_TURNS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/cores.h"

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

/* What a caller has while it is at work. */
struct turn {
  int others;             /* callers at work, of all users */
  int most;               /* threads that may work for it */
  const cpu_set_t *cores; /* where they are to run, or NULL: anywhere they may */
};

/* Whether the call was given up, so that its caller need not wait for its turn. */
typedef bool (*turns_given_up_fn)(const void *arg);

/* To be called by a thread that may run on all cores that the process may use. cores NULL: there are no turns
 * to take. */
void turns_init(struct turns *turns, struct cores *cores, uint32_t member);
/* Waits until it is the user's turn, counts the calling thread among the callers at work, and moves it to its
 * cores. Once given_up(arg) is true, or the thread has waited for very long, it goes on without its turn, and
 * is counted all the same. */
struct turn turns_begin(struct turns *turns, turns_given_up_fn given_up, const void *arg);
/* The calling thread is no longer at work; wakes a waiting thread of its user. */
void turns_end(struct turns *turns);
/* Where threads of the member are to run now, between calls too; NULL: anywhere. Valid as long as `turns`. */
const cpu_set_t *turns_placement(struct turns *turns);
/* Moves the calling thread to these cores; NULL: lets it run on all again, if it was moved. */
void turns_move(const struct turns *turns, const cpu_set_t *cores);

#endif
