/* The sign of life for the service manager. It is given only if the supervisor's loop turns and every spare
 * has answered since the last one; a spare that did not is ended and replaced. Workers with sessions are
 * asked, too: one that is silent for long is logged, but its client alone suffers, so it is no reason to
 * start the daemon anew.
 *
 * Only while there is a service manager that asks for it: otherwise nothing is sent and no timer runs. */
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
