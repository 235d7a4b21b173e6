/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/watchdog.h"

#include "server/host/log.h"

#define SIGNS 3 /* within the time that the service manager waits */

static void on_timer(uv_timer_t *timer) {
  struct watchdog *w = timer->data;
  if (workers_ask(w->workers))
    systemd_notify(w->systemd, "WATCHDOG=1");
  else
    log_warning("spare workers do not answer: the service manager gets no sign of life");
}

void watchdog_start(struct watchdog *w, struct workers *workers, const struct systemd *systemd) {
  uint64_t every_ms = systemd->watchdog_us / 1000 / SIGNS;
  w->workers = workers;
  w->systemd = systemd;
  w->timer.data = w;
  uv_timer_init(workers->loop, &w->timer);
  if (every_ms > 0)
    uv_timer_start(&w->timer, on_timer, 0, every_ms);
}

void watchdog_stop(struct watchdog *w) {
  uv_timer_stop(&w->timer);
}
