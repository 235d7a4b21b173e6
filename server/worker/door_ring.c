/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring door: takes requests out of slots, once each, and puts completions back.
 *
 * After the acquire load of a slot's seq, each of its words is loaded once into private memory, and only that
 * copy is checked. A slot with unknown flags or too many bindings is answered with an error. The number of
 * the next call is kept in private memory: a client that writes other seq words only delays itself. */
#include "server/worker/door_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/engine/pool.h"
#include "server/host/scoreboard.h"
#include "shared/clock.h"
#include "shared/sem.h"
#include "shared/thread.h"
#include "shared/trace.h"
#include "shared/wake.h"

enum stop { STOP_NOT, STOP_CLOSED, STOP_SESSION_ENDS };

/* A channel, and the thread that serves it. */
struct served_channel {
  struct session *session;
  struct channel_memory *memory;
  struct runner *runner;
  struct waiter waiter;
  enum numd_wait policy;
  pthread_t thread;
  uint32_t id;
  _Atomic int notify_fd; /* the worker's end of the notification socket, set by the main thread; or -1 */
  atomic_int stop;       /* enum stop */
  _Atomic uint64_t cancelled[CHANNEL_SLOTS]; /* by slot: the number, plus 1, of a call that was cancelled */
};

struct ring_door {
  struct session *session;
  struct served_channel *channels[MAX_CHANNELS];
};

static void count_channel(const struct session *s, int more) {
  if (s->scoreboard)
    atomic_fetch_add(&s->scoreboard->cores.members[s->entry].n_channels, more);
}

static bool take_token(void *arg) {
  const struct session *s = arg;
  return !session_is_strict(s) && cores_has_idle(&s->scoreboard->cores) &&
         cores_take_spin(&s->scoreboard->cores, s->entry);
}

static bool keep_token(void *arg) {
  const struct session *s = arg;
  return cores_has_idle(&s->scoreboard->cores);
}

static void give_token(void *arg) {
  const struct session *s = arg;
  cores_give_spin(&s->scoreboard->cores, s->entry);
}

static bool is_barred(void *arg, bool has_token) {
  const struct session *s = arg;
  return session_is_strict(s) || (!has_token && pool_has_rivals(s->pool));
}

static const cpu_set_t *placement(void *arg) {
  const struct session *s = arg;
  return s->pool ? pool_placement(s->pool) : NULL;
}

/* Volatile, so that the compiler loads a word that the peer can write exactly once. */
static uint64_t load_once(const uint64_t *word) {
  return *(const volatile uint64_t *)word;
}

/* Copies a request out of its slot; its flags must be among `known`. 0, or the status that refuses the
 * request. */
static int take_request(const struct slot *slot, const uint64_t *spill, uint16_t known, struct request *r,
                        uint16_t *flags) {
  r->plan_id = *(const volatile uint32_t *)&slot->plan;
  r->n_bindings = *(const volatile uint16_t *)&slot->n_bindings;
  *flags = *(const volatile uint16_t *)&slot->flags;
  if ((*flags & ~known) != 0 || *(const volatile uint32_t *)&slot->reserved != 0 ||
      r->n_bindings > MAX_BINDINGS)
    return NUMD_EPROTOCOL;
  uint32_t i = 0, n = r->n_bindings;
  for (; i < n && i < 3; i++)
    r->bindings[i] = load_once(&slot->bindings[i]);
  for (; i < n && i < SLOT_INLINE; i++)
    r->bindings[i] = load_once(&slot->more_bindings[i - 3]);
  for (; i < n; i++)
    r->bindings[i] = load_once(&spill[i - SLOT_INLINE]);
  return 0;
}

static void give_completion(struct served_channel *c, struct slot *slot, uint32_t seq,
                            const struct completion *done) {
  slot->status = done->status;
  slot->detail = done->detail;
  memcpy(slot->result, done->result, sizeof(slot->result));
  atomic_store_explicit(&slot->seq, seq, memory_order_release);
  wake_peer_unsettled(&c->waiter);
  trace_stamp(TRACE_SIGNALLED);
}

static void count_call(struct served_channel *c, const struct completion *done) {
  struct scoreboard *scoreboard = c->session->scoreboard;
  uint32_t entry = c->session->entry;
  cores_count_call(&scoreboard->cores, entry);
  if (done->status)
    atomic_fetch_add_explicit(&scoreboard->entries[entry].errors, 1, memory_order_relaxed);
}

static bool is_cancelled(struct served_channel *c, uint64_t number) {
  return atomic_load_explicit(&c->cancelled[number % CHANNEL_SLOTS], memory_order_relaxed) == number + 1;
}

static void before_long(void *arg) {
  struct served_channel *c = arg;
  wake_leave_peer(&c->waiter);
}

/* Takes the request in a slot, runs it as the call `id` (runner_name_call), and answers it. Gives the
 * request's flags. */
static uint16_t run_call(struct served_channel *c, struct slot *slot, const uint64_t *spill, uint64_t id,
                         bool cancelled, uint16_t known, uint32_t seq_done) {
  uint16_t flags;
  struct request request;
  struct completion done;
  trace_stamp(TRACE_TAKEN);
  int status = take_request(slot, spill, known, &request, &flags);
  trace_stamp(TRACE_DECODED);
  runner_name_call(c->runner, id);
  if (status == 0 && cancelled)
    status = NUMD_ECANCELLED;
  if (status || flags & SLOT_PING)
    done = (struct completion){.status = status, .detail = NO_DETAIL};
  else
    session_run(c->session, c->runner, &request, &done);
  if (done.status == NUMD_ECANCELLED &&
      atomic_load_explicit(&c->stop, memory_order_relaxed) == STOP_SESSION_ENDS)
    return flags; /* no client cancelled it: that its session has ended is what the client is to find */
  give_completion(c, slot, seq_done, &done);
  if (!(flags & SLOT_PING))
    count_call(c, &done);
  return flags;
}

static void *serve(void *arg) {
  struct served_channel *c = arg;
  struct channel_memory *m = c->memory;
  uint64_t number = 0, single = 0;
  uint32_t at = 0; /* the single slot of the next call */
  const struct spin_token token = {take_token, keep_token, give_token, is_barred, placement, c->session};
  pool_begin_thread(c->session->pool);
  wake_init_worker(&c->waiter, m, c->policy, &token);
  c->waiter.notify_fd = &c->notify_fd;
  for (;;) {
    struct slot *slot = channel_slot(m, number);
    const struct watch watch = {.seq = {&m->single[at].seq, &slot->seq},
                                .want = {single_seq_submitted(single), channel_seq_submitted(number)}};
    int which = wake_wait_worker(&c->waiter, &watch, &c->stop);
    if (which < 0)
      break;
    if (which == 0) {
      at = run_call(c, &m->single[at], m->single_spill, (SINGLE_CALL | single) + 1, false,
                    SLOT_PING | (SINGLE_SLOTS - 1), single_seq_done(single)) %
           SINGLE_SLOTS;
      single++;
    } else {
      run_call(c, slot, m->spill[number % CHANNEL_SLOTS], number + 1, is_cancelled(c, number), 0,
               channel_seq_done(number));
      number++;
    }
  }
  wake_deinit_worker(&c->waiter);
  return NULL;
}

int ring_door_new(struct session *session, struct ring_door **out) {
  struct ring_door *d = calloc(1, sizeof(*d));
  if (!d)
    return -ENOMEM;
  d->session = session;
  *out = d;
  return 0;
}

int ring_door_open(struct ring_door *d, enum numd_wait wait, uint32_t *id, int *fd, uint64_t *bytes,
                   struct errtext *err) {
  uint32_t i = 0;
  while (i < MAX_CHANNELS && d->channels[i])
    i++;
  if (i == MAX_CHANNELS)
    return errtext_set(err, NUMD_ELIMIT, "a session has at most %d channels", MAX_CHANNELS);
  struct served_channel *c = calloc(1, sizeof(*c));
  if (!c)
    return errtext_set(err, NUMD_ENOMEMORY, "no memory for a channel");
  int r = channel_new(wait, &c->memory, fd);
  if (r) {
    free(c);
    return errtext_set(err, NUMD_ENOMEMORY, "channel memory: %s", strerror(-r));
  }
  c->session = d->session;
  c->policy = wait;
  c->id = i;
  atomic_init(&c->notify_fd, -1);
  r = session_add_runner(d->session, &c->runner);
  if (r == 0) {
    c->runner->before_long = before_long;
    c->runner->before_long_arg = c;
  }
  if (r == 0 && thread_start(&c->thread, serve, c) != 0) {
    session_remove_runner(d->session, c->runner);
    r = errtext_set(err, NUMD_ELIMIT, "no more threads");
  }
  if (r) {
    channel_unmap(c->memory);
    close(*fd);
    free(c);
    return r;
  }
  d->channels[i] = c;
  count_channel(d->session, 1);
  *id = i;
  *bytes = c->memory->total_bytes;
  return 0;
}

static void end_channel(struct ring_door *d, uint32_t id, enum stop why) {
  struct served_channel *c = d->channels[id];
  atomic_store_explicit(&c->stop, why, memory_order_relaxed);
  atomic_store_explicit(&c->runner->cancel, CANCEL_ALL, memory_order_relaxed);
  sem_hint(&c->memory->worker_sem.sem);
  pthread_join(c->thread, NULL);
  session_remove_runner(d->session, c->runner);
  count_channel(d->session, -1);
  channel_unmap(c->memory);
  if (c->notify_fd >= 0)
    close(c->notify_fd);
  d->channels[id] = NULL;
  free(c);
}

static int find_channel(struct ring_door *d, uint64_t id, struct served_channel **out, struct errtext *err) {
  *out = id < MAX_CHANNELS ? d->channels[id] : NULL;
  return *out ? 0 : errtext_set(err, NUMD_ECHANNEL, "no channel %llu", (unsigned long long)id);
}

int ring_door_close(struct ring_door *d, uint64_t id, struct errtext *err) {
  struct served_channel *c;
  int status = find_channel(d, id, &c, err);
  if (status == 0)
    end_channel(d, (uint32_t)id, STOP_CLOSED);
  return status;
}

int ring_door_cancel(struct ring_door *d, uint64_t id, uint64_t number, struct errtext *err) {
  struct served_channel *c;
  int status = find_channel(d, id, &c, err);
  if (status != 0)
    return status;
  /* The call may be waiting in the ring, where `cancelled` is looked at when its turn comes, or be running,
   * where the runner's `cancel` is. Both name it by its number, so no other call is hit. */
  if (!(number & SINGLE_CALL))
    atomic_store_explicit(&c->cancelled[number % CHANNEL_SLOTS], number + 1, memory_order_relaxed);
  atomic_store_explicit(&c->runner->cancel, number + 1, memory_order_relaxed);
  return 0;
}

/* A socket, since a send with MSG_DONTWAIT never blocks, whatever the client does with its end. */
int ring_door_notify(struct ring_door *d, uint64_t id, int *fd, struct errtext *err) {
  int ends[2];
  struct served_channel *c;
  int status = find_channel(d, id, &c, err);
  if (status != 0)
    return status;
  if (c->notify_fd >= 0)
    return errtext_set(err, NUMD_EEXIST, "channel %llu has a notification socket", (unsigned long long)id);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return errtext_set(err, NUMD_ELIMIT, "notification socket: %s", strerror(errno));
  shutdown(ends[0], SHUT_RD); /* what the client sends here is not kept */
  atomic_store_explicit(&c->notify_fd, ends[0], memory_order_release);
  *fd = ends[1];
  return 0;
}

struct ring_door *ring_door_free(struct ring_door *d) {
  if (!d)
    return NULL;
  for (uint32_t i = 0; i < MAX_CHANNELS; i++)
    if (d->channels[i])
      end_channel(d, i, STOP_SESSION_ENDS);
  free(d);
  return NULL;
}
