/* Turns between users: while others make calls, one user has at most half of the cores, however many
 * sessions, channels and calls it has, and keeps to them: its threads run on one half of the cores, the one
 * where fewer others are at work, so that the scheduler never puts them in the way of the others for a while.
 * What it asks for beyond that waits, between the steps of a call, until one of its own is done or the others
 * rest; so no core idles for it. This concerns steps that are large enough to be shared out; small ones take
 * their client's time as much as ours.
 *
 * Only in a daemon that serves several users: otherwise callers are counted, and no more. */
#ifndef NUMD_SERVER_ENGINE_TURNS_H
#define NUMD_SERVER_ENGINE_TURNS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct board;
struct call;

/* Of one worker; any thread. */
struct fair {
  struct board *board;
  uint32_t entry;
  cpu_set_t all, half[2];
  const cpu_set_t *_Atomic cores; /* where its threads are to run, as of the last look; NULL: on all */
  _Atomic int64_t looked_ns;
  _Atomic uint64_t others_calls;    /* how many the others had made when it was last looked */
  _Atomic int64_t others_active_ns; /* when that was last found to have grown */
};

/* What a caller has while it is at work. */
struct turn {
  int others;             /* callers at work, of all users */
  int most;               /* threads that may work for it */
  const cpu_set_t *cores; /* where they are to run, or NULL: anywhere they may */
};

/* By a thread that may run on all cores that the worker may use. board NULL: there are no turns to take. */
void fair_init(struct fair *fair, struct board *board, uint32_t entry);
/* Counts the calling thread among those at work as soon as it is its user's turn, and moves it to its cores.
 * A call that is given up waits no longer. */
struct turn fair_begin(struct fair *fair, const struct call *call);
void fair_end(struct fair *fair);
/* Where threads of the session are to run now, between calls too; NULL: anywhere. Stays valid. */
const cpu_set_t *fair_cores(struct fair *fair);
/* Moves the calling thread to these cores; NULL: lets it run on all again, if it was moved. */
void fair_move(const struct fair *fair, const cpu_set_t *cores);

#endif
