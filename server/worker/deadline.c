/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls are not timed, since that would cost each call something. Instead a timer looks, LOOKS times within
 * the limit, which runners are still inside the call in which the last look found them. So a call is
 * cancelled when it has run for between one and five quarters of the limit. */
#include "server/worker/deadline.h"

#include "server/host/log.h"

#define LOOKS 4       /* within the limit */
#define GRACE_MS 2000 /* a call that was cancelled has at least so long to end */

/* Cancels the runner's call by its id: if that call ends meanwhile, the runner's next call has another id and
 * is not hit. */
static void cancel(struct runner *runner) {
  log_warning("a call has run for longer than --call-max and is cancelled");
  atomic_store(&runner->cancel, __atomic_load_n(&runner->call_id, __ATOMIC_RELAXED));
}

static void look(struct deadline *d, int i) {
  struct runner *runner = atomic_load_explicit(&d->session->runners[i], memory_order_acquire);
  struct deadline_look *last = &d->looks[i];
  uint64_t calls = runner ? atomic_load_explicit(&runner->calls, memory_order_acquire) : 0;
  if (!(calls & 1) || calls != last->calls) {
    *last = (struct deadline_look){.calls = calls};
    return;
  }
  if (++last->times == LOOKS)
    cancel(runner);
  else if (last->times == d->hopeless)
    d->on_hopeless(d->data);
}

static void on_timer(uv_timer_t *timer) {
  for (int i = 0; i < MAX_RUNNERS; i++)
    look(timer->data, i);
}

void deadline_start(struct deadline *d, uv_loop_t *loop, struct session *session, uint64_t max_ns) {
  uint64_t ms = max_ns / 1000000 / LOOKS, every_ms = ms > 0 ? ms : 1;
  d->hopeless = LOOKS + (GRACE_MS > LOOKS * every_ms ? (int)(GRACE_MS / every_ms) : LOOKS);
  d->session = session;
  uv_timer_init(loop, &d->timer);
  d->timer.data = d;
  if (max_ns > 0)
    uv_timer_start(&d->timer, on_timer, every_ms, every_ms);
}

void deadline_stop(struct deadline *d) {
  uv_close((uv_handle_t *)&d->timer, NULL);
}
