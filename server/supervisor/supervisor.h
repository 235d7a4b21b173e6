/* SPDX-License-Identifier: BSD-3-Clause */
/* The supervisor: listens, keeps spare workers ready, hands each connection to a worker, reaps workers that
 * have ended, and ends the daemon. It never reads a byte from a client. */
#ifndef NUMD_SERVER_SUPERVISOR_SUPERVISOR_H
#define NUMD_SERVER_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "server/host/notices.h"
#include "server/supervisor/access.h"

struct supervisor_options {
  const char *socket; /* path */
  int workers_max;    /* sessions at once */
  int spares;
  uint64_t connect_rate; /* sessions of one user that may begin in a second; 0: any number */
  int idle_ms;           /* end this long after the last client left; -1: never */
  struct access_rule access;
  uint64_t quotas[N_QUOTAS]; /* 0: the default */
  struct worker_options workers;
  bool take_over; /* a daemon that is to be replaced has given us its socket: upgrade.h */
  char **argv;    /* what a successor is started with */
};

/* Runs the daemon until it ends. The process's exit code. */
int supervisor_run(const struct supervisor_options *options);

#endif
