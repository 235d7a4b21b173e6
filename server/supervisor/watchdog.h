/* SPDX-License-Identifier: BSD-3-Clause */
/* The sign of life for the service manager. It is sent from the supervisor's loop, at intervals, unless
 * several spare workers in a row have not answered a question for a sign of life (workers_ask), each of which
 * is ended and replaced. Workers with sessions are asked too. One that does not answer for long is logged;
 * only its own client suffers from it, so it is no reason to start the daemon anew.
 *
 * Without a service manager that asks for signs of life, nothing is sent and no timer runs. */
#ifndef NUMD_SERVER_SUPERVISOR_WATCHDOG_H
#define NUMD_SERVER_SUPERVISOR_WATCHDOG_H

#include "server/supervisor/systemd.h"
#include "server/supervisor/workers.h"

struct watchdog {
  uv_timer_t timer;
  struct workers *workers;
  const struct systemd *systemd;
};

void watchdog_start(struct watchdog *watchdog, struct workers *workers, const struct systemd *systemd);
/* Idempotent. */
void watchdog_stop(struct watchdog *watchdog);

#endif
