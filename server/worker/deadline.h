/* The daemon's own limit for calls (numd --call-max): one that runs longer is cancelled at its next block,
 * and if it does not heed that, inside LAPACK say, the session ends. */
#ifndef NUMD_SERVER_WORKER_DEADLINE_H
#define NUMD_SERVER_WORKER_DEADLINE_H

#include <stdint.h>
#include <uv.h>

#include "server/worker/session.h"

/* A runner as it was at the last look. */
struct deadline_look {
  uint64_t calls;
  int times; /* how often it was seen inside this very call */
};

struct deadline {
  uv_timer_t timer;
  struct session *session;
  int hopeless; /* looks after which a call that was cancelled has had time enough to end */
  struct deadline_look looks[MAX_RUNNERS];
  void (*on_hopeless)(void *data); /* a call was cancelled and goes on */
  void *data;
};

/* Begins to look, if max_ns is not 0. */
void deadline_start(struct deadline *deadline, uv_loop_t *loop, struct session *session, uint64_t max_ns);
void deadline_stop(struct deadline *deadline);

#endif
