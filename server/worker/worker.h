/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker: the process that serves one session. Everything here belongs to its main thread. */
#ifndef NUMD_SERVER_WORKER_WORKER_H
#define NUMD_SERVER_WORKER_WORKER_H

#include <uv.h>

#include "server/host/control_channel.h"
#include "server/host/notices.h"
#include "server/worker/allowance.h"
#include "server/worker/ask.h"
#include "server/worker/deadline.h"
#include "server/worker/door_socket.h"
#include "server/worker/long_call.h"
#include "server/worker/session.h"

/* What a worker has from the supervisor before it has a client. */
struct worker_place {
  struct scoreboard *scoreboard;
  const struct notices *notices;
  uint32_t entry; /* in both */
  int control;    /* to the supervisor */
};

struct worker {
  uv_loop_t loop;
  struct door_socket door;
  struct session *session;
  struct runner *runner; /* for calls that the main thread runs itself */
  struct long_calls long_calls;
  struct deadline deadline;
  struct worker_place place;
  struct scoreboard *scoreboard; /* of the place, as is entry */
  uint32_t entry;
  uint32_t uid; /* of the client */
  struct allowance allowance;
  struct ask ask; /* the supervisor */
  uv_poll_t control_poll;
  uv_timer_t reap_timer;  /* runs while something removed is still in use */
  struct program program; /* that is being prepared; too large for a stack */
  bool guest;             /* this process has rights that its client does not have (main.c) */
};

/* Serves the client of a SESSION message, whose socket becomes the worker's, until it goes. 0, or -errno if
 * it cannot be served. */
int worker_run(const struct worker_place *place, const struct control_message *session, int client);

/* Has the supervisor keep an object and gives its token; and gives the object of a token, as a descriptor
 * that is the caller's to close. Both wait for the reply. ESEGMENT (unknown token), ELIMIT, EINTERNAL. */
int worker_share(struct worker *worker, int fd, uint8_t token[CONTROL_TOKEN_BYTES], struct errtext *err);
int worker_import(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd,
                  struct errtext *err);
/* Sends the supervisor any other question and waits; the reply takes the place of the question. *fd, if fd is
 * not NULL, gets the descriptor that came along, or -1. */
int worker_ask(struct worker *worker, struct control_message *message, int *fd, struct errtext *err);
/* Tells the supervisor that this session no longer holds the token's object; that it no longer holds one
 * block of it. Neither waits. */
void worker_drop(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES]);
void worker_give(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first);

/* Frees what was removed from the session, now or as soon as no call can use it. */
void worker_reap(struct worker *worker);

#endif
