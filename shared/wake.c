/* SPDX-License-Identifier: BSD-3-Clause */
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

/* Which of the two words has its wanted value: 0 or 1; -1 if neither has. The first word goes before the
 * second: if the client stored the first and then the second, both after our look at the first, the third
 * look finds the first. */
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

/* Looks again and again for a moment, about as long as the other side takes for a small call. */
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

/* Lets the thread run on all cores that it may, except `but` (-1: no exception) if any other is left. */
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

static bool is_barred(const struct waiter *w) {
  return is_worker(w) && w->token.barred(w->token.arg, w->has_token);
}

/* Whether the spin has to end because both sides run on one core, where the spinning side only keeps the
 * other from running. A client's spin then ends; a worker moves to another core, or yields if there is none,
 * and goes on. */
static bool still_shares_core(struct waiter *w) {
  if (!shares_core(w))
    return false;
  if (!is_worker(w))
    return true;
  unpin(w, (int)w->cpu);
  if (shares_core(w))
    sched_yield();
  return false;
}

/* Whether the scheduler has given the core to another thread since the last look. A pause in a spin does not
 * prove that: the host of a virtual machine makes pauses too. */
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

/* Looks at the words for budget_ns at most. Ends earlier, with -1, once the token may not be kept, both sides
 * share a core, or *stop is set (stop may be NULL). */
static int spin(struct waiter *w, const struct watch *watch, int64_t budget_ns, const atomic_int *stop) {
  int found = -1;
  if (is_worker(w))
    (void)was_preempted(w);
  for (int64_t now = clock_now_ns(), end = now + budget_ns; now < end && found < 0;) {
    if (still_shares_core(w) || (w->has_token && !w->token.keep(w->token.arg)) || is_barred(w) ||
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

/* Sleeps on the semaphore until a word has its wanted value or the deadline passes; a post that an earlier
 * call left over ends the sleep too. As look(). */
static int park(struct waiter *w, const struct watch *watch, int64_t deadline) {
  atomic_store_explicit(&w->me->parked, w->wants_fd | PARKED_SEM, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  int found = look(watch);
  if (found < 0) {
    sem_await_hint(w->my_sem, deadline);
    found = look(watch);
  }
  atomic_store_explicit(&w->me->parked, w->wants_fd, memory_order_relaxed);
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
  w->wants_fd = wanted ? PARKED_FD : 0;
  atomic_store_explicit(&w->me->parked, w->wants_fd, memory_order_relaxed);
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

/* Moves the worker to the client's core, since a wake-up on the same core is the cheapest. */
static void pin_to_peer(struct waiter *w) {
  uint32_t cpu = atomic_load_explicit(&w->peer->cpu, memory_order_relaxed);
  const cpu_set_t *cores = allowed(w);
  if (w->pinned_to >= 0 && !CPU_ISSET(w->pinned_to, cores))
    unpin(w, -1); /* where the worker was moved to is no longer its user's: the client will follow it */
  if (cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, cores) || (int)cpu == w->pinned_to)
    return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0)
    w->pinned_to = (int)cpu;
  wake_publish_cpu(w);
}

/* Shifts the worker to GEAR_SPIN and away from the client's core. False, with nothing changed, if there is no
 * spin token to be had, which NUMD_WAIT_SPIN wants only if it is barred without one. */
static bool shift_to_spin(struct waiter *w) {
  bool needs_token = !w->has_token && (w->policy == NUMD_WAIT_AUTO || is_barred(w));
  if (needs_token && !(w->has_token = w->token.take(w->token.arg)))
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

void wake_leave_peer(struct waiter *w) {
  if (w->pinned_to >= 0)
    unpin(w, w->pinned_to);
  if (is_barred(w)) /* which the spin that follows may be too short to notice */
    return_token(w);
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

/* Chooses the worker's gear after a sleep of gap_ns. WAKE_QUICK gaps in a row that a spin would have bridged
 * make it spin. A worker that slept in GEAR_SPIN, because a burst of calls had ended, spins again at once. */
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

/* The worker's spin, with a token if the policy is AUTO. If no call came, the token has been given back. */
static int spin_worker(struct waiter *w, const struct watch *watch, const atomic_int *stop) {
  w->no_spin_until = 0;
  /* A client that this worker had to wake sends its next call late, by the time that waking takes. Without
   * the longer budget the worker would be asleep by then, its client asleep before the worker is awake, and
   * so on: each call would wake both. */
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
      /* A gap that a spin did not bridge was a long one. */
      int64_t now = clock_now_ns();
      learn(w, now, spun ? WAKE_SPIN_MAX_NS : now - since);
      return found;
    }
  }
  return -1;
}

/* ---- The client ---- */

/* Sleeps on the worker's core, so that each side wakes the other without interrupting another core. The
 * client moves first and wakes the worker afterwards. In the other order the worker might be done at once,
 * read where the client was, and move there while the client moves to the worker's core. */
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
