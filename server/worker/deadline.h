/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's own time limit for calls (numd --call-max). A call that runs longer is cancelled at its next
 * block. If it has no next block, inside LAPACK say, the session ends. */
#ifndef NUMD_SERVER_WORKER_DEADLINE_H
#define NUMD_SERVER_WORKER_DEADLINE_H

#include <stdint.h>
#include <uv.h>

#include "server/worker/session.h"

/* A runner as it was at the last look. */
struct deadline_look {
  uint64_t calls;
  int times; /* how many looks before have found it inside the same call */
};

struct deadline {
  uv_timer_t timer;
  struct session *session;
  int hopeless; /* looks after which a cancelled call has had time enough to end */
  struct deadline_look looks[MAX_RUNNERS];
  void (*on_hopeless)(void *data); /* a call was cancelled and has not ended for GRACE_MS or more */
  void *data;
};

/* Starts the timer, unless max_ns is 0. */
void deadline_start(struct deadline *deadline, uv_loop_t *loop, struct session *session, uint64_t max_ns);
void deadline_stop(struct deadline *deadline);

#endif
