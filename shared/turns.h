/* Turns between users: while others make calls, one user has at most half of the cores, however many
 * processes and threads it has, and keeps to them: its threads run on one half of the cores, the one in which
 * fewer callers of others are at work, so that the scheduler does not put them in the way of the others for a
 * while. A caller for which its user has no core left waits between the steps of its call until another
 * caller of that user is done or the other users rest; so no core stays idle because of it. Only callers take
 * turns: threads at work on what is large enough to be shared out. Small calls occupy the client's core as
 * much as the worker's.
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
  _Atomic uint64_t others_calls;    /* how many calls the other users had made when it last looked */
  _Atomic int64_t others_active_ns; /* when it last found that to have grown */
};

/* What a caller has while it is at work. */
struct turn {
  int others;             /* callers at work, of all users */
  int most;               /* threads that may work for it */
  const cpu_set_t *cores; /* where they are to run, or NULL: anywhere they may */
};

/* Whether the caller no longer wants its turn. */
typedef bool (*turns_given_up_fn)(const void *arg);

/* By a thread that may run on all cores that the process may use. cores NULL: there are no turns to take. */
void turns_init(struct turns *turns, struct cores *cores, uint32_t member);
/* Waits until it is the user's turn, counts the calling thread among those at work, and moves it to its
 * cores. Returns early, counted all the same, once given_up(arg) is true or the thread has waited for very
 * long. */
struct turn turns_begin(struct turns *turns, turns_given_up_fn given_up, const void *arg);
void turns_end(struct turns *turns);
/* Where threads of the member are to run now, between calls too; NULL: anywhere. Valid as long as `turns`. */
const cpu_set_t *turns_placement(struct turns *turns);
/* Moves the calling thread to these cores; NULL: lets it run on all again, if it was moved. */
void turns_move(const struct turns *turns, const cpu_set_t *cores);

#endif
