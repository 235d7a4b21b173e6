/* SPDX-License-Identifier: BSD-3-Clause */
/* Upgrade in place. On SIGUSR2 the daemon starts a successor: the program that is installed now, with the
 * daemon's own options. The successor gets the listening socket, the lock of its path, and what the broker
 * keeps. When it says that it is ready, the old daemon accepts no more and ends with its last session. Until
 * then the successor counts for both what users hold (charges.h). If it does not get ready, the old daemon
 * goes on as before. */
#ifndef NUMD_SERVER_SUPERVISOR_UPGRADE_H
#define NUMD_SERVER_SUPERVISOR_UPGRADE_H

#include <stdbool.h>
#include <uv.h>

#include "server/supervisor/broker.h"
#include "server/supervisor/charges.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/systemd.h"

struct upgrade {
  uv_loop_t *loop;
  const char *program; /* path of the successor's program */
  char *const *argv;   /* what this daemon was started with */
  const struct listener *listener;
  const struct systemd *systemd;
  struct broker *broker;
  struct charges *charges;
  void (*on_succeeded)(void *data);         /* the old daemon: another has taken over */
  void (*on_taken_over)(void *data);        /* the successor: it has all that the old daemon kept */
  void (*on_predecessor_ended)(void *data); /* the successor: the old daemon's last session has ended */
  void *data;
  uv_process_t successor;
  uv_poll_t poll, predecessor_poll;
  uv_timer_t timer;
  int fd, predecessor_fd; /* to the daemon after this one, to the one before; -1: there is none */
  bool is_taking_over;    /* the old daemon has not told everything yet */
  int n_handles;          /* of those that concern the successor, not closed yet */
};

/* The members up to `data` are set before. */
void upgrade_init(struct upgrade *upgrade);
/* The old daemon's side: starts a successor, unless one is starting, or this daemon is still taking over. */
void upgrade_begin(struct upgrade *upgrade);
/* Has the successor told what it could not be told before (charges.h), as soon as it listens. */
void upgrade_pay(struct upgrade *upgrade);
/* Ends an upgrade that is under way, and the connections to other daemons. Idempotent. */
void upgrade_stop(struct upgrade *upgrade);

/* The successor's side, for --take-over: says that it is ready, and receives the rest. */
void upgrade_take_over(struct upgrade *upgrade);

#endif
