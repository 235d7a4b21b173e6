#include "shared/wake.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/sem.h"
#include "shared/trace.h"

#define LOOKS_A_TURN 64 /* looks at the words between two looks at the clock */

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Which of the words is there: 0 or 1, or -1. The first comes first: what was stored before the second is
 * seen, even if it came between the two looks. */
static inline int look(const struct watch *watch) {
  if (wake_is(watch->seq[0], watch->want[0]))
    return 0;
  if (!wake_is(watch->seq[1], watch->want[1]))
    return -1;
  return wake_is(watch->seq[0], watch->want[0]) ? 0 : 1;
}

static bool shares_core(struct waiter *w) {
  wake_publish_cpu(w);
  return atomic_load_explicit(&w->peer->cpu, memory_order_relaxed) == w->cpu;
}

/* Looks for a moment, about as long as a hot call takes the other side. */
static inline int look_for_a_moment(const struct watch *watch) {
  int found;
  for (int i = 0; i < LOOKS_A_TURN; i++) {
    if ((found = look(watch)) >= 0)
      return found;
    relax();
  }
  return -1;
}

static const cpu_set_t *allowed(const struct waiter *w) {
  const cpu_set_t *cores = w->token.cores(w->token.arg);
  return cores ? cores : &w->allowed;
}

/* Runs anywhere it may, but for one core (-1: no exception); if that leaves none, anywhere. */
static void unpin(struct waiter *w, int but) {
  const cpu_set_t *all = allowed(w);
  cpu_set_t set = *all;
  if (but >= 0 && but < CPU_SETSIZE)
    CPU_CLR(but, &set);
  sched_setaffinity(0, sizeof(set), CPU_COUNT(&set) > 0 ? &set : all);
  w->pinned_to = -1;
  w->avoids = but;
  wake_publish_cpu(w);
}

static bool is_worker(const struct waiter *w) {
  return w->token.take != NULL;
}

/* Should the scheduler have put both sides on one core, spinning only keeps the other from running: the
 * worker moves away, and a client sleeps. */
static bool still_shares_core(struct waiter *w) {
  if (!shares_core(w))
    return false;
  if (!is_worker(w))
    return true;
  unpin(w, (int)w->cpu);
  if (shares_core(w))
    sched_yield(); /* there is no other core */
  return false;
}

/* Whether the scheduler gave the core to another thread since the last look. A pause alone does not say so:
 * the host of a virtual machine makes pauses too. */
static bool was_preempted(struct waiter *w) {
  struct rusage usage = {0};
  getrusage(RUSAGE_THREAD, &usage);
  bool was = usage.ru_nivcsw != w->n_switches;
  w->n_switches = usage.ru_nivcsw;
  return was;
}

/* Cores are short: no spinning for a while. */
static void hold_off(struct waiter *w, int64_t now) {
  if (now - w->preempted_at > WAKE_FORGET_NS)
    w->hold_off_ns = WAKE_HOLD_OFF_NS;
  w->preempted_at = now;
  w->no_spin_until = now + w->hold_off_ns;
  if (w->hold_off_ns < WAKE_HOLD_OFF_MAX_NS)
    w->hold_off_ns *= 2;
}

/* stop: NULL, or what ends the spin when it is set. */
static int spin(struct waiter *w, const struct watch *watch, int64_t budget_ns, const atomic_int *stop) {
  int found = -1;
  if (is_worker(w))
    (void)was_preempted(w);
  for (int64_t now = clock_now_ns(), end = now + budget_ns; now < end && found < 0;) {
    if (still_shares_core(w) || (w->has_token && !w->token.keep(w->token.arg)) ||
        (stop && atomic_load_explicit(stop, memory_order_relaxed)))
      return -1;
    found = look_for_a_moment(watch);
    int64_t before = now;
    now = clock_now_ns();
    if (now - before > WAKE_PREEMPTED_NS && is_worker(w) && was_preempted(w))
      hold_off(w, now);
  }
  return found;
}

/* Sleeps on the semaphore until a word is there, the deadline, or a stale post. */
static int park(struct waiter *w, const struct watch *watch, int64_t deadline) {
  atomic_store_explicit(&w->me->parked, w->also | PARKED_SEM, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  int found = look(watch);
  if (found < 0) {
    sem_await_hint(w->my_sem, deadline);
    found = look(watch);
  }
  atomic_store_explicit(&w->me->parked, w->also, memory_order_relaxed);
  return found;
}

static void init(struct waiter *w, struct channel_side *me, struct channel_side *peer,
                 struct channel_sem *my_sem, struct channel_sem *peer_sem, enum numd_wait policy) {
  memset(w, 0, sizeof(*w));
  w->me = me;
  w->peer = peer;
  w->my_sem = &my_sem->sem;
  w->peer_sem = &peer_sem->sem;
  w->policy = policy;
  w->pinned_to = w->avoids = -1;
  w->hold_off_ns = WAKE_HOLD_OFF_NS;
  w->cpu = UINT32_MAX;
}

void wake_parked(struct waiter *w, uint32_t parked) {
  int fd = -1;
  if (parked & PARKED_FD && w->notify_fd)
    fd = atomic_load_explicit(w->notify_fd, memory_order_acquire);
  if (parked & PARKED_SEM) {
    w->woke_peer = true;
    sem_hint(w->peer_sem);
  }
  if (fd >= 0)
    (void)send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  trace_stamp(is_worker(w) ? TRACE_SIGNALLED : TRACE_SENT);
}

void wake_notify_client(struct waiter *w, bool wanted) {
  w->also = wanted ? PARKED_FD : 0;
  atomic_store_explicit(&w->me->parked, w->also, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
}

void wake_init_client(struct waiter *w, struct channel_memory *c, enum numd_wait policy) {
  init(w, &c->client, &c->worker, &c->client_sem, &c->worker_sem, policy);
}

/* ---- The worker's gears ---- */

static void set_gear(struct waiter *w, enum gear gear) {
  w->gear = gear;
  atomic_store_explicit(&w->me->gear, gear, memory_order_relaxed);
}

/* Moves to the client's core, to be woken there cheaply. */
static void pin_to_peer(struct waiter *w) {
  uint32_t cpu = atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  const cpu_set_t *cores = allowed(w);
  if (w->pinned_to >= 0 && !CPU_ISSET(w->pinned_to, cores))
    unpin(w, -1); /* and the client comes after us */
  if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, cores) || (int)cpu == w->pinned_to)
    return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0)
    w->pinned_to = (int)cpu;
  wake_publish_cpu(w);
}

void wake_leave_peer(struct waiter *w) {
  if (w->pinned_to >= 0)
    unpin(w, w->pinned_to);
}

/* Whether it may spin now. */
static bool shift_to_spin(struct waiter *w) {
  if (w->policy == NUMD_WAIT_AUTO && !w->has_token && !(w->has_token = w->token.take(w->token.arg)))
    return false;
  set_gear(w, GEAR_SPIN);
  int cpu = (int)atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  if (w->pinned_to >= 0 || w->avoids != cpu)
    unpin(w, cpu);
  w->n_found = 0;
  return true;
}

static void return_token(struct waiter *w) {
  if (w->has_token)
    w->token.give(w->token.arg);
  w->has_token = false;
}

static void shift_down(struct waiter *w) {
  return_token(w);
  w->n_quick = 0;
  set_gear(w, w->policy == NUMD_WAIT_SLEEP ? GEAR_SLEEP : GEAR_HANDOFF);
}

void wake_init_worker(struct waiter *w, struct channel_memory *c, enum numd_wait policy,
                      const struct spin_token *token) {
  init(w, &c->worker, &c->client, &c->worker_sem, &c->client_sem, policy);
  w->token = *token;
  sched_getaffinity(0, sizeof(w->allowed), &w->allowed);
  set_gear(w, policy == NUMD_WAIT_SLEEP ? GEAR_SLEEP : GEAR_HANDOFF);
  wake_publish_cpu(w);
}

void wake_deinit_worker(struct waiter *w) {
  shift_down(w);
}

/* After a sleep. A gap short enough to have been spun through, twice in a row, makes it worth to spin; after
 * a burst it is worth it at once. */
static void learn(struct waiter *w, int64_t now, int64_t gap_ns) {
  if (w->gear == GEAR_SPIN) {
    if (!shift_to_spin(w))
      shift_down(w);
    return;
  }
  w->n_quick = gap_ns >= WAKE_SPIN_MAX_NS ? 0 : w->n_quick + (w->n_quick < WAKE_QUICK);
  if (w->policy == NUMD_WAIT_SPIN ||
      (w->policy == NUMD_WAIT_AUTO && w->n_quick == WAKE_QUICK && now >= w->no_spin_until))
    (void)shift_to_spin(w);
}

/* The worker's spin, which holds a token. Without an answer it has given that back. */
static int spin_worker(struct waiter *w, const struct watch *watch, const atomic_int *stop) {
  w->no_spin_until = 0;
  /* A client that had to be woken takes longest: without this, two sides whose waking takes as long as a spin
   * would find each other asleep for ever. */
  int64_t budget = w->policy == NUMD_WAIT_SPIN ? WAKE_SPIN_FIXED_NS : WAKE_SPIN_MAX_NS;
  int found = spin(w, watch, w->woke_peer ? budget + WAKE_WOKEN_NS : budget, stop);
  w->woke_peer = false;
  if (w->no_spin_until && w->policy == NUMD_WAIT_AUTO)
    shift_down(w);
  else if (found < 0 && w->n_found >= WAKE_BURST)
    return_token(w);
  else if (found < 0)
    shift_down(w);
  return found;
}

int wake_wait_worker(struct waiter *w, const struct watch *watch, const atomic_int *stop) {
  bool spun = w->gear == GEAR_SPIN;
  int found = spun ? look_for_a_moment(watch) : look(watch);
  if (found != 0)
    wake_settle(w);
  if (found < 0 && spun)
    found = spin_worker(w, watch, stop);
  if (found >= 0) {
    w->n_found += w->n_found < WAKE_BURST;
    return found;
  }
  int64_t since = clock_now_ns();
  if (w->gear == GEAR_HANDOFF)
    pin_to_peer(w);
  while (!atomic_load_explicit(stop, memory_order_relaxed)) {
    if ((found = park(w, watch, clock_deadline(10 * (int64_t)WAKE_SLICE_NS))) >= 0) {
      /* A gap that began with a fruitless spin was no quick one. */
      int64_t now = clock_now_ns();
      learn(w, now, spun ? WAKE_SPIN_MAX_NS : now - since);
      return found;
    }
  }
  return -1;
}

/* ---- The client ---- */

/* Sleeps on the worker's core, so that each of the two wakes the other without an interrupt. The worker is
 * woken after the move: before it, it might be done at once, look where we are, and go there, while we come
 * here. */
static int park_handed_off(struct waiter *w, const struct watch *watch, int64_t deadline) {
  cpu_set_t mine, peers;
  uint32_t cpu = atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  bool moved = false;
  if (cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(mine), &mine) == 0 && CPU_ISSET(cpu, &mine) &&
      CPU_COUNT(&mine) > 1) {
    CPU_ZERO(&peers);
    CPU_SET(cpu, &peers);
    moved = sched_setaffinity(0, sizeof(peers), &peers) == 0;
  }
  wake_publish_cpu(w);
  wake_settle(w);
  int found = park(w, watch, deadline);
  if (moved)
    sched_setaffinity(0, sizeof(mine), &mine);
  return found;
}

static enum gear peer_gear(const struct waiter *w) {
  return (enum gear)atomic_load_explicit(&w->peer->gear, memory_order_relaxed);
}

bool wake_peer_spins(const struct waiter *w) {
  return peer_gear(w) == GEAR_SPIN;
}

bool wake_look_client(const struct waiter *w, _Atomic uint32_t *seq, uint32_t want) {
  const struct watch watch = {.seq = {seq, seq}, .want = {want, want}};
  return (peer_gear(w) == GEAR_SPIN ? look_for_a_moment(&watch) : look(&watch)) >= 0;
}

bool wake_wait_client(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t spin_ns,
                      int64_t deadline) {
  const struct watch watch = {.seq = {seq, seq}, .want = {want, want}};
  enum gear gear = peer_gear(w);
  if (gear != GEAR_HANDOFF) {
    wake_publish_cpu(w);
    wake_settle(w);
  }
  if (wake_is(seq, want))
    return true;
  if (gear == GEAR_SPIN && spin_ns > 0) {
    int64_t left = deadline - clock_now_ns(),
            budget = w->policy == NUMD_WAIT_SPIN ? WAKE_SPIN_FIXED_NS : spin_ns;
    if (spin(w, &watch, budget < left ? budget : left, NULL) >= 0)
      return true;
  }
  int64_t now = clock_now_ns();
  if (deadline > now + WAKE_SLICE_NS)
    deadline = now + WAKE_SLICE_NS;
  return (gear == GEAR_HANDOFF ? park_handed_off(w, &watch, deadline) : park(w, &watch, deadline)) >= 0;
}
