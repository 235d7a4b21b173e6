/* SPDX-License-Identifier: BSD-3-Clause */
/* Worker processes, as the supervisor sees them.
 *
 * A worker is a spare until a connection is handed to it; then it has a session, and is never used for
 * another. It leaves the list only when its process was reaped and both of its handles are closed. Missing
 * spares are started anew; as long as they fail, each start waits twice as long as the one before. */
#ifndef NUMD_SERVER_SUPERVISOR_WORKERS_H
#define NUMD_SERVER_SUPERVISOR_WORKERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include "server/host/control_channel.h"
#include "server/host/notices.h"
#include "server/host/scoreboard.h"

struct charges;
struct workers;

struct worker_process {
  struct worker_process *next;
  struct workers *workers;
  uv_process_t process;
  uv_poll_t control_poll;
  int control;
  int n_handles;  /* not closed yet */
  uint32_t entry; /* in the notices and on the scoreboard */
  bool in_session, exited, told_to_end;
  uint64_t ping, pong; /* serial numbers of the last question for a sign of life, and of the last answer */
  uint64_t started_ms;
  bool ready;       /* it has loaded all that takes time */
  int n_unanswered; /* questions for a sign of life since the last that it has answered */
  int32_t client_pid;
  uint32_t client_uid;
  uint64_t granted[N_QUOTAS]; /* to its session: charges.h */
};

/* What the owner of the workers is told. */
struct workers_events {
  /* A worker sent a message, with a descriptor beside it (now the callee's) or -1. */
  void (*message)(void *data, struct worker_process *worker, struct control_message *message, int fd);
  /* A worker has become ready. */
  void (*ready)(void *data);
  /* A worker has ended; `lost` if not by itself. Its session, if it had one, is not counted any more. */
  void (*ended)(void *data, const struct worker_process *worker, bool lost);
  /* The last worker has left the list. */
  void (*none_left)(void *data);
};

struct workers {
  uv_loop_t *loop;
  struct scoreboard *scoreboard;
  struct notices *notices;
  struct charges *charges;
  int scoreboard_fd, notices_fd;
  const char *program; /* path of numd-worker */
  int spares_wanted;
  int starts_max; /* workers that may be starting at once so that connections get one; more would slow them
                     all */
  const struct workers_events *events;
  void *data; /* for the events */
  struct worker_process *first;
  uv_timer_t spawn_timer;
  bool entry_used[SCOREBOARD_ENTRIES];
  int n_spares, n_sessions;
  int n_failures; /* spares in a row that died or did not start */
  int n_silent;   /* spares in a row that were ended because they did not answer */
  bool no_more;   /* no spare is started any more */
  bool stopping;
};

/* The members up to `data` are set before. Starts no worker. */
void workers_init(struct workers *workers);
/* Starts the missing spares, after failures later. */
void workers_refill(struct workers *workers);
/* As workers_refill, but REFILL_MS later if a spare is left. */
void workers_refill_soon(struct workers *workers);
/* Ends the spares; new ones take their places, unless no_more is set. */
void workers_renew_spares(struct workers *workers);
bool workers_have_spare(const struct workers *workers);
/* Whether fewer than starts_max workers are starting. */
bool workers_may_start(const struct workers *workers);
/* Hands a connection, whose descriptor stays the caller's, to a spare, if it may and there is one, or to a
 * new worker. 0 or -errno. */
int workers_serve(struct workers *workers, int client, const struct ucred *who, bool by_spare);
/* How many sessions a user has. */
uint64_t workers_count_sessions(const struct workers *workers, uint32_t uid);
/* Calls back for each session of a user, with the processes of its worker and client. */
void workers_each_session(const struct workers *workers, uint32_t uid,
                          void (*each)(void *arg, int worker, int client), void *arg);
/* Asks every worker for a sign of life, and ends spares that have not answered the last questions. False if
 * so many spares in a row were ended for that that it is no accident. */
bool workers_ask(struct workers *workers);
/* Asks all workers to end, and starts no more. workers_kill ends them at once. */
void workers_stop(struct workers *workers);
void workers_kill(struct workers *workers);

#endif
