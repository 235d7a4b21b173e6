/* Waiting: how the two sides of a channel learn that a slot changed hands. One policy, three gears.
 *
 *   spin      look again and again, for a bounded time, while both sides have a core of their own
 *   hand-off  sleep, but on the core of the peer, so that waking costs no interrupt of another core
 *   sleep     sleep wherever the scheduler likes
 *
 * The worker chooses: it spins only while it holds a spin token (see the scoreboard) and calls come in
 * quick succession; otherwise it moves to the client's core before it sleeps. When a burst of calls ends it
 * sleeps where it is, without the token, and stays in its gear: the first call of the next burst wakes it,
 * and from the second on it spins; to move it twice would cost more than the burst. A spinner that finds
 * itself preempted knows that cores are short, and does not spin for a while; one that sees calls of others
 * at work on every core sleeps at once. It publishes its gear and
 * core, and the client follows: it spins if the worker is in that gear on another core, and else sleeps at
 * once, on the worker's core, giving the core to it. A client's own affinity is changed only for the
 * duration of such a sleep.
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

/* The longest spin of the adaptive policy; so much longer for a client that the worker had to wake; and that
 * of NUMD_WAIT_SPIN: long, but an idle channel still goes to sleep. */
#define WAKE_SPIN_MAX_NS 50000
#define WAKE_WOKEN_NS 200000
#define WAKE_SPIN_FIXED_NS 200000000
/* A gap in a spinner's time that looks like preemption. No adaptive spinning after it for HOLD_OFF; twice as
 * long each time, up to HOLD_OFF_MAX, until there was none for FORGET. */
#define WAKE_PREEMPTED_NS 500000
#define WAKE_HOLD_OFF_NS 1000000
#define WAKE_HOLD_OFF_MAX_NS 32000000
#define WAKE_FORGET_NS 100000000
/* Calls that a spinner must have found, to expect another burst; and short gaps in a row, to begin one. */
#define WAKE_BURST 4
#define WAKE_QUICK 2
/* The longest sleep of a client without a look at its socket. */
#define WAKE_SLICE_NS 100000000

/* Permission to spin and where to run, kept by somebody else. */
struct spin_token {
  bool (*take)(void *arg);
  bool (*keep)(void *arg); /* whether it may be held still; asked every few microseconds of a spin */
  void (*give)(void *arg);
  const cpu_set_t *(*cores)(void *arg); /* where the worker is to run now, or NULL: wherever it may */
  void *arg;
};

/* What one side keeps in private memory. */
struct waiter {
  struct channel_side *me, *peer;
  sem_t *my_sem, *peer_sem;
  enum numd_wait policy;
  enum gear gear;               /* worker: the current one */
  cpu_set_t allowed;            /* worker: where it might run at first */
  int pinned_to;                /* worker: the core it moved to, or -1 */
  uint32_t cpu;                 /* as last published */
  int avoids;                   /* worker: the core it does not run on, or -1 */
  int n_quick;                  /* worker: calls in a row that followed quickly, WAKE_QUICK at most */
  int n_found;                  /* worker: calls found since it last began to spin, WAKE_BURST at most */
  int64_t no_spin_until;        /* worker: cores were short lately */
  int64_t hold_off_ns;          /* worker: how long it will not spin when it is preempted next */
  int64_t preempted_at;         /* worker: when it last was */
  long n_switches;              /* worker: how often the scheduler took the core away */
  uint32_t also;                /* client: PARKED_FD while it is to be notified as well, else 0 */
  const _Atomic int *notify_fd; /* worker: the socket that a byte is sent to, or -1; NULL in a client */
  uint32_t woken;               /* how the peer was woken since a seq was stored: PARKED_* */
  bool unsettled;               /* stored a seq and has not fenced since */
  bool woke_peer;               /* worker: had to wake the client since it last spun */
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

/* Wakes the peer, which is parked. A full or broken semaphore or socket is ignored: both are hints. */
void wake_parked(struct waiter *w, uint32_t parked);

/* Client: from now on every completion sends a byte to the notification socket, until it is called with
 * false. The caller looks for what is done already afterwards. By the thread that waits. */
void wake_notify_client(struct waiter *w, bool wanted);

/* After a slot's seq was stored: wakes the peer if it is parked. */
static inline void wake_peer(struct waiter *w) {
  atomic_thread_fence(memory_order_seq_cst);
  w->unsettled = false;
  uint32_t parked = atomic_load_explicit(&w->peer->parked, memory_order_relaxed) & ~w->woken;
  if (parked)
    wake_parked(w, parked);
}

/* As wake_peer, without the fence, which costs a third of a hot call: a peer that is just parking may be
 * missed. So the caller must settle before it does anything but look for an answer for a moment. */
static inline void wake_peer_unsettled(struct waiter *w) {
  w->unsettled = true;
  w->woken = 0;
  uint32_t parked = atomic_load_explicit(&w->peer->parked, memory_order_relaxed);
  if (!parked)
    return;
  if (atomic_load_explicit(&w->peer->gear, memory_order_relaxed) == GEAR_HANDOFF) {
    wake_publish_cpu(w);
    if (atomic_load_explicit(&w->peer->cpu, memory_order_relaxed) != w->cpu)
      return; /* the client goes to the worker's core before it wakes it (park_handed_off) */
  }
  w->woken = parked;
  w->unsettled = w->notify_fd != NULL; /* a client may park in another way at the same time */
  wake_parked(w, parked);
}

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

/* Worker: waits until one of the two words is what is wanted, or *stop. Which one: 0 or 1; -1 if stopped.
 * Settled on return, unless it is the first word, which a client stores only when it has seen its last
 * answer. */
int wake_wait_worker(struct waiter *w, const struct watch *watch, const atomic_int *stop);

/* Worker, before a call that takes long: leaves the client's core, if it was waiting there, so that a client
 * which did not wait goes on. */
void wake_leave_peer(struct waiter *w);

/* Client: whether the worker is awake on another core, or was a moment ago. */
bool wake_peer_spins(const struct waiter *w);

/* Client: looks for a moment, without a look at the clock, if the worker is awake on another core.
 * Whether *seq == want. For any thread of the client. */
bool wake_look_client(const struct waiter *w, _Atomic uint32_t *seq, uint32_t want);

/* Client: waits until *seq == want, for one slice at most and not past the deadline (monotonic ns). spin_ns:
 * how long a spin can be worth it for this call; 0 sleeps at once. Returns whether *seq == want. */
bool wake_wait_client(struct waiter *w, _Atomic uint32_t *seq, uint32_t want, int64_t spin_ns,
                      int64_t deadline);

#endif
