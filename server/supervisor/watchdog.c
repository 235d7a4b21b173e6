#include "server/supervisor/watchdog.h"

#include "server/host/log.h"

#define SIGNS 3 /* within the time that the service manager waits */

static void on_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (children_ask(s))
    service_tell(&s->service, "WATCHDOG=1");
  else
    log_warning("spare workers do not answer: the service manager gets no sign of life");
}

void watchdog_start(struct supervisor *s) {
  uint64_t every_ms = s->service.watchdog_us / 1000 / SIGNS;
  uv_timer_init(&s->loop, &s->watchdog_timer);
  s->watchdog_timer.data = s;
  if (every_ms > 0)
    uv_timer_start(&s->watchdog_timer, on_timer, 0, every_ms);
}

void watchdog_stop(struct supervisor *s) {
  uv_timer_stop(&s->watchdog_timer);
}
