/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting: how the two sides of a channel learn that a slot changed hands. One policy, three gears.
 *
 *   spin      look again and again, for a bounded time, while both sides have a core of their own
 *   hand-off  sleep, but on the core of the peer, so that waking costs no interrupt of another core
 *   sleep     sleep wherever the scheduler likes
 *
 * The worker chooses the gear. It spins only while it holds a spin token (cores.h) and calls come in quick
 * succession; otherwise it moves to the client's core before it sleeps. When a burst of calls ends, the
 * worker gives its token back and sleeps where it is, but stays in the spinning gear: the first call of the
 * next burst wakes it, and from the second on it spins. To move it to the client's core and back would cost
 * more than the burst. A worker that finds itself preempted while it spins knows that cores are short, and
 * does not spin for a while; one that sees other callers at work on every core ends its spin at once.
 *
 * The worker publishes its gear and core, and the client follows. It spins if the worker spins on another
 * core; in hand-off it sleeps at once, on the worker's core, and so leaves that core to the worker. A
 * client's own affinity is changed only for the duration of such a sleep.
 *
 * Times: gaps and budgets in nanoseconds. */
#ifndef NUMD_SHARED_WAKE_H
#define NUMD_SHARED_WAKE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/channel.h"

enum gear { GEAR_SPIN, GEAR_HANDOFF, GEAR_SLEEP };

#define WAKE_SPIN_MAX_NS 50000       /* the longest spin of NUMD_WAIT_AUTO */
#define WAKE_WOKEN_NS 200000         /* what a worker's spin is longer if it had to wake its client */
#define WAKE_SPIN_FIXED_NS 200000000 /* the spin of NUMD_WAIT_SPIN: long, but an idle channel may sleep */
/* A pause of PREEMPTED in a worker's spin may be preemption. If it was, NUMD_WAIT_AUTO does not spin for
 * HOLD_OFF; twice as long each time, up to HOLD_OFF_MAX, until there was no preemption for FORGET. */
#define WAKE_PREEMPTED_NS 500000
#define WAKE_HOLD_OFF_NS 1000000
#define WAKE_HOLD_OFF_MAX_NS 32000000
#define WAKE_FORGET_NS 100000000
#define WAKE_BURST 4 /* a worker whose spin found so many calls expects another burst after this one */
#define WAKE_QUICK 2 /* short gaps in a row after which a worker begins to spin */
#define WAKE_SLICE_NS 100000000 /* a client sleeps no longer without a look at its socket */

/* What the worker's waiting asks the count of cores: permission to spin, and where to run. */
struct spin_token {
  bool (*take)(void *arg);
  bool (*keep)(void *arg); /* whether the worker may go on spinning; asked every few microseconds of a spin */
  void (*give)(void *arg);
  bool (*barred)(void *arg, bool has_token); /* no spin, whatever the policy; asked as often as `keep` */
  const cpu_set_t *(*cores)(void *arg);      /* where the worker is to run now, or NULL: wherever it may */
  void *arg;
};

/* What one side keeps in private memory. */
struct waiter {
  struct channel_side *me, *peer;
  sem_t *my_sem, *peer_sem;
  enum numd_wait policy;
  enum gear gear;        /* worker: the current one */
  cpu_set_t allowed;     /* worker: the cores on which its thread might run at first */
  int pinned_to;         /* worker: the core it moved to, or -1 */
  uint32_t cpu;          /* as last published */
  int avoids;            /* worker: the core it does not run on, or -1 */
  int n_quick;           /* worker: calls in a row that followed quickly, WAKE_QUICK at most */
  int n_found;           /* worker: calls found since it last began to spin, WAKE_BURST at most */
  int64_t no_spin_until; /* worker: cores were short lately */
  int64_t hold_off_ns;   /* worker: how long it will not spin when it is preempted next */
  int64_t preempted_at;  /* worker: when it was last preempted */
  long n_switches;       /* worker: how often the scheduler took the core away */
  uint32_t wants_fd;     /* client: PARKED_FD while it wants notifications, else 0; a part of `parked` */
  const _Atomic int *notify_fd; /* worker: the socket that a byte is sent to, or -1; NULL in a client */
  uint32_t woken;               /* how the peer was woken since a seq was stored: PARKED_* */
  bool unsettled;               /* it stored a seq and has not fenced since */
  bool woke_peer;               /* worker: it had to wake the client since it last spun */
  bool has_token;               /* worker: may spin */
  struct spin_token token;      /* worker; all zero in a client */
};

void wake_init_client(struct waiter *w, struct channel_memory *channel, enum numd_wait policy);
/* Called by the thread that will wait. */
void wake_init_worker(struct waiter *w, struct channel_memory *channel, enum numd_wait policy,
                      const struct spin_token *token);
void wake_deinit_worker(struct waiter *w); /* gives the token back */

/* Publishes the core that this side runs on, if it changed. */
static inline void wake_publish_cpu(struct waiter *w) {
  uint32_t cpu = (uint32_t)sched_getcpu();
  if (cpu != w->cpu) {
    w->cpu = cpu;
    atomic_store_explicit(&w->me->cpu, cpu, memory_order_relaxed);
  }
}

/* Wakes the peer, whose `parked` is this. A full or broken semaphore or socket is ignored: both are hints. */
void wake_parked(struct waiter *w, uint32_t parked);

/* Client: whether the worker sends a byte to the notification socket at each completion from now on. For
 * calls that are done already it sends none, so the caller looks for them afterwards. Called by the thread
 * that waits. */
void wake_notify_client(struct waiter *w, bool wanted);

/* After a slot's seq was stored: wakes the peer if it is parked. */
static inline void wake_peer(struct waiter *w) {
  atomic_thread_fence(memory_order_seq_cst);
  w->unsettled = false;
  uint32_t parked = atomic_load_explicit(&w->peer->parked, memory_order_relaxed) & ~w->woken;
  if (parked)
    wake_parked(w, parked);
}

/* As wake_peer, without the fence, which costs a third of a small call. So it may miss a peer that is parking
 * at this moment, and the caller calls wake_settle before it does anything else than look for an answer for a
 * moment. */
static inline void wake_peer_unsettled(struct waiter *w) {
  w->unsettled = true;
  w->woken = 0;
  uint32_t parked = atomic_load_explicit(&w->peer->parked, memory_order_relaxed);
  if (!parked)
    return;
  if (atomic_load_explicit(&w->peer->gear, memory_order_relaxed) == GEAR_HANDOFF) {
    wake_publish_cpu(w);
    if (atomic_load_explicit(&w->peer->cpu, memory_order_relaxed) != w->cpu)
      return; /* the client moves to the worker's core before it wakes the worker (park_handed_off) */
  }
  w->woken = parked;
  w->unsettled = w->notify_fd != NULL; /* a client may park in another way at the same time */
  wake_parked(w, parked);
}

/* Does what wake_peer_unsettled left out. */
static inline void wake_settle(struct waiter *w) {
  if (w->unsettled)
    wake_peer(w);
}

static inline bool wake_is(_Atomic uint32_t *seq, uint32_t want) {
  return atomic_load_explicit(seq, memory_order_acquire) == want;
}

/* Two words that a worker watches at once: the single slot and the next slot of the ring. */
struct watch {
  _Atomic uint32_t *seq[2];
  uint32_t want[2];
};

/* Worker: waits until one of the two words has its wanted value, and gives which: 0 or 1; -1 if *stop was
 * set. Calls wake_settle unless it gives 0: a client stores the first word only after it has seen its last
 * answer, so it does not sleep waiting for that answer. */
int wake_wait_worker(struct waiter *w, const struct watch *watch, const atomic_int *stop);

/* Worker, before a call that takes long: leaves the client's core if it waited there, so that a client that
 * does other work meanwhile has its core to itself; and gives its token back if it is barred from spinning.
 */
void wake_leave_peer(struct waiter *w);

/* Client: whether the worker is awake on another core, or was a moment ago. */
bool wake_peer_spins(const struct waiter *w);

/* Client: looks for a moment, without a look at the clock, if the worker is awake on another core.
 * Whether *seq == want. For any thread of the client. */
bool wake_look_client(const struct waiter *w, _Atomic uint32_t *seq, uint32_t want);

/* Client: waits until *seq == want, for WAKE_SLICE_NS at most and not past the deadline (monotonic ns).
 * spin_ns: for how long spinning is worth its while for this call; 0 sleeps at once. Returns whether *seq ==
 * want. */
bool wake_wait_client(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t spin_ns,
                      int64_t deadline);

#endif
