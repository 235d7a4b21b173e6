/* Who waits looks again after a millisecond, and then after twice as long each time, up to WAIT_MAX_NS: a
 * user may have hundreds of threads that wait, and their looking must not cost the others the core. Whether
 * others make calls is seen from the counters on the board, which are looked at now and then only; that a
 * look may be LOOK_NS old means that who comes back after a rest finds the cores taken for so long. */
#include "server/fair.h"

#include <limits.h>
#include <time.h>

#include "server/board.h"
#include "shared/clock.h"

#define LOOK_NS 10000000
#define WAIT_NS 1000000
#define WAIT_MAX_NS 8000000
#define WAIT_IN_ALL_NS 1000000000 /* then it goes on all the same, so that nothing waits for ever */

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

void fair_init(struct fair *f, struct board *board, uint32_t entry) {
  f->board = board && board->options.many_users ? board : NULL;
  f->entry = entry;
}

/* Callers at work of this user; and what the others have done and do. */
static int count(const struct fair *f, uint64_t *others_calls, int *others_callers) {
  const struct board *board = f->board;
  uint32_t n = GET(board->n_used), uid = GET(board->entries[f->entry].uid);
  int callers = 0;
  *others_calls = 0;
  *others_callers = 0;
  for (uint32_t i = 0; i < n && i < BOARD_MAX_ENTRIES; i++) {
    const struct board_entry *e = &board->entries[i];
    if (GET(e->state) != BOARD_SESSION)
      continue;
    if (GET(e->uid) == uid) {
      callers += GET(e->n_callers);
    } else {
      *others_calls += GET(e->calls_ring) + GET(e->calls_socket);
      *others_callers += GET(e->n_callers);
    }
  }
  return callers;
}

/* Whether it is another's turn. `half` of the cores are ours in any case. */
static bool must_wait(struct fair *f, int half) {
  uint64_t calls;
  int callers, ours = count(f, &calls, &callers);
  int64_t now = clock_now_ns();
  if (callers > 0 || now - GET(f->looked_ns) > LOOK_NS) {
    bool active = callers > 0 || calls != GET(f->others_calls);
    atomic_store_explicit(&f->others_active, active, memory_order_relaxed);
    atomic_store_explicit(&f->others_calls, calls, memory_order_relaxed);
    atomic_store_explicit(&f->looked_ns, now, memory_order_relaxed);
  }
  return GET(f->others_active) && ours >= half;
}

int fair_wait(struct fair *f) {
  struct timespec pause = {.tv_nsec = WAIT_NS};
  if (!f->board)
    return INT_MAX;
  int half = (int)f->board->n_cores / 2 > 0 ? (int)f->board->n_cores / 2 : 1;
  for (int64_t waited = 0; waited < WAIT_IN_ALL_NS && must_wait(f, half);) {
    nanosleep(&pause, NULL);
    waited += pause.tv_nsec;
    if (pause.tv_nsec < WAIT_MAX_NS)
      pause.tv_nsec *= 2;
  }
  return GET(f->others_active) ? half : INT_MAX;
}
