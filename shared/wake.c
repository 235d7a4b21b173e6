#include "shared/wake.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"

#define LOOKS_A_TURN 64 /* looks at the word between two looks at the clock */

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* The pause instruction takes up to 140 cycles, as long as the whole hot call: it comes only after a
 * first burst of plain looks. */
static bool spin(_Atomic uint32_t *seq, uint32_t want, int64_t budget_ns) {
  for (int i = 0; i < 4 * LOOKS_A_TURN; i++)
    if (wake_is(seq, want))
      return true;
  for (int64_t end = clock_now_ns() + budget_ns; clock_now_ns() < end;)
    for (int i = 0; i < LOOKS_A_TURN; i++) {
      if (wake_is(seq, want))
        return true;
      if (i % 8 == 0)
        relax();
    }
  return false;
}

/* Sleeps on the semaphore until *seq == want is seen, the deadline, or a stale post. */
static bool park(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t deadline) {
  atomic_store_explicit(&w->me->parked, 1, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  bool there = wake_is(seq, want);
  if (!there) {
    struct timespec t = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    (void)sem_clockwait(w->my_sem, CLOCK_MONOTONIC, &t);
    there = wake_is(seq, want);
  }
  atomic_store_explicit(&w->me->parked, 0, memory_order_relaxed);
  return there;
}

static void init(struct waiter *w, struct channel_side *me, struct channel_side *peer,
                 struct channel_sem *my_sem, struct channel_sem *peer_sem, enum wait_policy policy) {
  memset(w, 0, sizeof(*w));
  w->me = me;
  w->peer = peer;
  w->my_sem = &my_sem->sem;
  w->peer_sem = &peer_sem->sem;
  w->policy = policy;
  w->pinned_to = -1;
  w->cpu = UINT32_MAX;
}

void wake_init_client(struct waiter *w, struct channel_memory *c, enum wait_policy policy) {
  init(w, &c->client, &c->worker, &c->client_sem, &c->worker_sem, policy);
}

/* ---- The worker's gears ---- */

static void set_gear(struct waiter *w, enum gear gear) {
  w->gear = gear;
  atomic_store_explicit(&w->me->gear, gear, memory_order_relaxed);
}

/* Runs anywhere it may, but for one core (-1: no exception); if that leaves none, anywhere. */
static void unpin(struct waiter *w, int but) {
  cpu_set_t set = w->allowed;
  if (but >= 0 && but < CPU_SETSIZE)
    CPU_CLR(but, &set);
  sched_setaffinity(0, sizeof(set), CPU_COUNT(&set) > 0 ? &set : &w->allowed);
  w->pinned_to = -1;
  wake_publish_cpu(w);
}

/* Moves to the client's core, to be woken there cheaply. */
static void pin_to_peer(struct waiter *w) {
  uint32_t cpu = atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &w->allowed) || (int)cpu == w->pinned_to)
    return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0)
    w->pinned_to = (int)cpu;
  wake_publish_cpu(w);
}

static void shift_to_spin(struct waiter *w) {
  if (w->policy == WAIT_AUTO && !w->has_token && !(w->has_token = w->take_token(w->token_arg)))
    return;
  set_gear(w, GEAR_SPIN);
  unpin(w, (int)atomic_load_explicit(&w->peer->cpu, memory_order_relaxed));
}

static void shift_down(struct waiter *w) {
  if (w->has_token)
    w->give_token(w->token_arg);
  w->has_token = false;
  w->n_quick = 0;
  set_gear(w, w->policy == WAIT_SLEEP ? GEAR_SLEEP : GEAR_HANDOFF);
}

void wake_init_worker(struct waiter *w, struct channel_memory *c, enum wait_policy policy,
                      bool (*take_token)(void *arg), void (*give_token)(void *arg), void *token_arg) {
  init(w, &c->worker, &c->client, &c->worker_sem, &c->client_sem, policy);
  w->take_token = take_token;
  w->give_token = give_token;
  w->token_arg = token_arg;
  sched_getaffinity(0, sizeof(w->allowed), &w->allowed);
  set_gear(w, policy == WAIT_SLEEP ? GEAR_SLEEP : GEAR_HANDOFF);
  wake_publish_cpu(w);
}

void wake_deinit_worker(struct waiter *w) {
  shift_down(w);
}

/* After a sleep: a gap short enough to have been spun through, twice in a row, makes it worth to spin. */
static void learn(struct waiter *w, int64_t gap_ns) {
  w->n_quick = gap_ns < WAKE_SPIN_MAX_NS ? w->n_quick + 1 : 0;
  if (w->policy == WAIT_SPIN || (w->policy == WAIT_AUTO && w->n_quick >= 2))
    shift_to_spin(w);
}

bool wake_wait_worker(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, const atomic_int *stop) {
  if (wake_is(seq, want))
    return true;
  int64_t since = 0;
  if (w->gear == GEAR_SPIN) {
    if (spin(seq, want, w->policy == WAIT_SPIN ? WAKE_SPIN_FIXED_NS : WAKE_SPIN_MAX_NS))
      return true;
    shift_down(w);
    since = -WAKE_SPIN_FIXED_NS; /* what follows is no quick call */
  }
  since += clock_now_ns();
  if (w->policy != WAIT_SLEEP)
    pin_to_peer(w);
  while (!atomic_load_explicit(stop, memory_order_relaxed)) {
    if (park(w, seq, want, clock_deadline(10 * (int64_t)WAKE_SLICE_NS))) {
      learn(w, clock_now_ns() - since);
      return true;
    }
  }
  return false;
}

/* ---- The client ---- */

/* Sleeps on the worker's core, so that each of the two wakes the other without an interrupt. */
static bool park_handed_off(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t deadline) {
  cpu_set_t mine, peers;
  uint32_t cpu = atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(mine), &mine) != 0 || !CPU_ISSET(cpu, &mine))
    return park(w, seq, want, deadline);
  CPU_ZERO(&peers);
  CPU_SET(cpu, &peers);
  bool moved = CPU_COUNT(&mine) > 1 && sched_setaffinity(0, sizeof(peers), &peers) == 0;
  bool there = park(w, seq, want, deadline);
  if (moved)
    sched_setaffinity(0, sizeof(mine), &mine);
  return there;
}

bool wake_wait_client(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t spin_ns,
                      int64_t deadline) {
  if (wake_is(seq, want))
    return true;
  enum gear gear = (enum gear)atomic_load_explicit(&w->peer->gear, memory_order_relaxed);
  if (gear == GEAR_SPIN && spin_ns > 0) {
    if (spin(seq, want, w->policy == WAIT_SPIN ? WAKE_SPIN_FIXED_NS : spin_ns))
      return true;
  }
  int64_t now = clock_now_ns();
  if (deadline > now + WAKE_SLICE_NS)
    deadline = now + WAKE_SLICE_NS;
  return gear == GEAR_HANDOFF ? park_handed_off(w, seq, want, deadline) : park(w, seq, want, deadline);
}
