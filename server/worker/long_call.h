/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of the socket door that take long run in the loop's thread pool, so that the door can read further
 * requests meanwhile (a cancel, say). They may finish in any order. All functions: main thread. */
#ifndef NUMD_SERVER_WORKER_LONG_CALL_H
#define NUMD_SERVER_WORKER_LONG_CALL_H

#include <stdint.h>
#include <uv.h>

#include "protocol/request.h"
#include "server/worker/session.h"

#define LONG_CALL_THREADS 4 /* of the loop's pool; each runs one call at a time */
#define LONG_CALLS_MAX 256  /* waiting or running */

struct long_call;

struct long_calls {
  uv_loop_t *loop;
  struct session *session;
  uv_mutex_t lock; /* of `taken`, and of `runner` and `cancelled` of each call */
  struct runner *runners[LONG_CALL_THREADS];
  bool taken[LONG_CALL_THREADS];
  struct long_call *first;
  int n;
  uint64_t serial; /* of the newest call */
  void (*on_done)(void *data, uint32_t msgid, int result_dtype, const struct completion *completion);
  void *data;
};

/* 0, ELIMIT or ENOMEMORY. UV_THREADPOOL_SIZE must be at most LONG_CALL_THREADS. */
int long_calls_init(struct long_calls *calls, uv_loop_t *loop, struct session *session);
/* All calls must be done. */
void long_calls_deinit(struct long_calls *calls);

/* Starts one; on_done tells of its completion, exactly once. ELIMIT, ENOMEMORY. */
int long_call_start(struct long_calls *calls, uint32_t msgid, int result_dtype, const struct request *request,
                    struct errtext *err);
/* Cancels the calls with this msgid; how many there were. One that has not begun completes with ECANCELLED,
 * one that is being run does at its next block. */
int long_call_cancel(struct long_calls *calls, uint32_t msgid);
void long_call_cancel_all(struct long_calls *calls);

#endif
