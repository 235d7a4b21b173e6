/* The counters on the board are the truth, and are counted anew for each turn, since any worker may have died
 * meanwhile. A caller counts itself first and then looks, so two never take one place; who finds too many
 * uncounts itself and waits. Who ends wakes one that waits, of any session of its user: the fences order
 * "waits, then looks" against "ends, then looks who waits", so one of the two sees the other. Whatever goes
 * wrong with a wake-up costs WAIT_NS. */
#include "server/engine/turns.h"

#include <limits.h>

#include "server/engine/exec.h"
#include "server/host/board.h"
#include "shared/clock.h"
#include "shared/sem.h"

/* Others are taken to be active for so long after a call: they may be slow to come by their core. */
#define LINGER_NS 500000000
#define WAIT_NS 250000000
#define LOOK_NS 20000000      /* for who makes small calls only */
#define PATIENCE_NS 250000000 /* for each that waits, of PATIENCE_MAX; then it goes on all the same */
#define PATIENCE_MAX 256

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

enum { ANYWHERE, LOWER_HALF, UPPER_HALF }; /* board_entry.half */

void fair_init(struct fair *f, struct board *board, uint32_t entry) {
  f->board = board;
  f->entry = entry;
  sched_getaffinity(0, sizeof(f->all), &f->all);
  int n = CPU_COUNT(&f->all), seen = 0;
  CPU_ZERO(&f->half[0]);
  CPU_ZERO(&f->half[1]);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &f->all))
      CPU_SET(i, &f->half[n > 1 && seen++ >= n / 2]);
  if (n < 2)
    f->half[1] = f->half[0];
}

struct tally {
  int callers, waiting; /* of this user */
  int others_callers;
  int others_in[3]; /* by half */
  uint64_t others_calls;
};

static struct tally tally(const struct fair *f) {
  const struct board *board = f->board;
  uint32_t n = GET(board->n_used), uid = GET(board->entries[f->entry].uid);
  struct tally t = {0};
  for (uint32_t i = 0; i < n && i < BOARD_MAX_ENTRIES; i++) {
    const struct board_entry *e = &board->entries[i];
    if (GET(e->state) != BOARD_SESSION)
      continue;
    int callers = GET(e->n_callers);
    uint32_t half = GET(e->half);
    if (GET(e->uid) == uid) {
      t.callers += callers;
      t.waiting += GET(e->n_waiting);
      continue;
    }
    t.others_calls += GET(e->calls_ring) + GET(e->calls_socket);
    t.others_callers += callers;
    t.others_in[half <= UPPER_HALF ? half : ANYWHERE] += callers;
  }
  return t;
}

/* Whether others make calls, as of late. */
static bool others_active(struct fair *f, const struct tally *t) {
  int64_t now = clock_now_ns();
  if (t->others_callers > 0 || t->others_calls != GET(f->others_calls)) {
    atomic_store_explicit(&f->others_calls, t->others_calls, memory_order_relaxed);
    atomic_store_explicit(&f->others_active_ns, now, memory_order_relaxed);
  }
  return now - GET(f->others_active_ns) < LINGER_NS;
}

/* The half that fewer others are at work in. If that makes no difference: the present one, or anywhere for
 * who is not at work either. */
static uint32_t choose_half(struct fair *f, const struct tally *t) {
  if (!others_active(f, t))
    return ANYWHERE;
  int more = t->others_in[UPPER_HALF] - t->others_in[LOWER_HALF];
  if (more != 0)
    return more > 0 ? LOWER_HALF : UPPER_HALF;
  if (t->callers == 0)
    return ANYWHERE;
  return GET(f->board->entries[f->entry].half) == UPPER_HALF ? UPPER_HALF : LOWER_HALF;
}

static const cpu_set_t *settle(struct fair *f, uint32_t half) {
  const cpu_set_t *cores = half == ANYWHERE ? NULL : &f->half[half == UPPER_HALF];
  atomic_store_explicit(&f->cores, cores, memory_order_relaxed);
  atomic_store_explicit(&f->board->entries[f->entry].half, half, memory_order_relaxed);
  return cores;
}

const cpu_set_t *fair_cores(struct fair *f) {
  if (!f->board || !f->board->options.many_users)
    return NULL;
  int64_t now = clock_now_ns();
  if (now - GET(f->looked_ns) > LOOK_NS) {
    atomic_store_explicit(&f->looked_ns, now, memory_order_relaxed);
    struct tally t = tally(f);
    return settle(f, choose_half(f, &t));
  }
  return GET(f->cores);
}

/* Wakes one that waits, of any session of this user, beginning with the next one. */
static void wake_one(struct fair *f) {
  struct board *board = f->board;
  uint32_t n = GET(board->n_used), uid = GET(board->entries[f->entry].uid);
  atomic_thread_fence(memory_order_seq_cst);
  if (GET(board->n_waiting) <= 0)
    return;
  for (uint32_t k = 1; k <= n && n <= BOARD_MAX_ENTRIES; k++) {
    struct board_entry *e = &board->entries[(f->entry + k) % n];
    if (GET(e->n_waiting) > 0 && GET(e->uid) == uid && GET(e->state) == BOARD_SESSION) {
      sem_hint(&e->turn);
      return;
    }
  }
}

void fair_move(const struct fair *f, const cpu_set_t *cores) {
  static _Thread_local bool moved;
  if (cores || moved)
    sched_setaffinity(0, sizeof(f->all), cores ? cores : &f->all);
  moved = cores != NULL;
}

/* Half of the cores there are, which may be fewer than those one may run on (a quota of the control group).
 */
static int share(const struct fair *f, const cpu_set_t *cores) {
  int n = CPU_COUNT(cores), most = (int)(f->board->n_cores + 1) / 2;
  return n < most ? n : most;
}

static int64_t patience(int waiting) {
  return (int64_t)PATIENCE_NS * (waiting < PATIENCE_MAX ? waiting + 1 : PATIENCE_MAX);
}

static struct turn begin_among_users(struct fair *f, const struct call *call) {
  bool waits = false;
  for (int64_t begun = clock_now_ns();;) {
    struct turn turn = {.most = INT_MAX};
    turn.others = board_begin_work(f->board, f->entry);
    atomic_thread_fence(memory_order_seq_cst);
    struct tally t = tally(f);
    turn.cores = settle(f, choose_half(f, &t));
    if (turn.cores)
      turn.most = share(f, turn.cores);
    fair_move(f, turn.cores);
    if (t.callers <= turn.most || call_is_given_up(call) || clock_now_ns() - begun > patience(t.waiting)) {
      if (waits)
        board_end_wait(f->board, f->entry);
      if (!turn.cores && t.waiting > waits)
        wake_one(f);
      return turn;
    }
    board_end_work(f->board, f->entry);
    if (!waits) /* and looks once more: who ends sees it now */
      board_begin_wait(f->board, f->entry);
    else if (tally(f).callers >= turn.most) /* else two were in each other's way, and none is at work */
      sem_await_hint(&f->board->entries[f->entry].turn, clock_deadline(WAIT_NS));
    waits = true;
  }
}

struct turn fair_begin(struct fair *f, const struct call *call) {
  if (f->board->options.many_users)
    return begin_among_users(f, call);
  return (struct turn){.others = board_begin_work(f->board, f->entry), .most = INT_MAX};
}

void fair_end(struct fair *f) {
  board_end_work(f->board, f->entry);
  if (f->board->options.many_users)
    wake_one(f);
}
