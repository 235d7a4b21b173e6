/* SPDX-License-Identifier: BSD-3-Clause */
/* The observer of the count of cores (shared/cores.h): a thread of the supervisor that looks how much
 * processor time each worker has used, which the kernel counts, so that no worker can deny it.
 *
 *  - A worker that holds something and has used none at all for STILL_LOOKS looks stands still.
 *  - A user whose workers used more than half of the cores while another user made calls has more than his
 * share; or, where more threads are runnable than there are cores, so that the workers do not get all cores,
 * more than half of what all workers used, if that was by more threads than half of the cores. For STRICT_NS
 * at least, and while he has calls that wait for their turn, every call of his takes one.
 *
 * It looks every LOOK_NS while users compete or somebody has asked for it lately, and once in SLOW_NS
 * otherwise. A look costs a system call or two a worker, and is not done in the supervisor's loop. */
#ifndef NUMD_SERVER_SUPERVISOR_OBSERVER_H
#define NUMD_SERVER_SUPERVISOR_OBSERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/host/notices.h"
#include "server/host/scoreboard.h"

#define OBSERVER_LOOK_NS 50000000
#define OBSERVER_SLOW_NS 1000000000
#define OBSERVER_LEAST_NS 10000000
#define OBSERVER_STRICT_NS 500000000
#define OBSERVER_STILL_LOOKS 4
#define OBSERVER_QUIET_LOOKS 12 /* so many looks in vain, and it sleeps; longer than OBSERVER_STRICT_NS */

/* A worker as the last look found it. */
struct observed_worker {
  int32_t pid;
  int64_t cpu_ns, at_ns; /* its processor time, and when it was read */
  uint64_t n_calls;
  int n_motionless; /* looks in a row */
  uint32_t user;    /* index in `users` */
};

/* A user, in the present look. */
struct observed_user {
  uint32_t uid;
  double used;   /* cores that his workers used on average since the last look */
  int n_threads; /* by which: one for each channel or for a worker without, and those that wait */
  bool active;   /* has made calls since then, or waits */
  bool waits;    /* has calls that wait for their turn */
  int64_t strict_until_ns;
};

struct observer {
  struct scoreboard *scoreboard;
  const struct notices *notices;  /* who the workers are; the scoreboard they can write themselves */
  int64_t (*cpu_ns)(int32_t pid); /* processor time that a process has used so far, or -1 */
  int64_t (*now_ns)(void);        /* monotonic time */
  int (*n_runnable)(void);        /* threads of the machine that run or wait for a core, or 0 */
  struct observed_worker workers[SCOREBOARD_ENTRIES];
  struct observed_user users[2 * SCOREBOARD_ENTRIES]; /* a half of it for who was strict and has no worker */
  bool holds[SCOREBOARD_ENTRIES];
  uint32_t n_users, n_active, n_still;
  int n_quiet;
  pthread_t thread;
  bool started;
  atomic_bool stop;
};

void observer_init(struct observer *observer, struct scoreboard *scoreboard, const struct notices *notices);
/* Looks once. */
void observer_look(struct observer *observer);
/* Starts the thread; 0 or -errno. observer_stop joins it, and may be called without. */
int observer_start(struct observer *observer);
void observer_stop(struct observer *observer);

#endif
