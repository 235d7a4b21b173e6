/* Channels: one a thread, opened on its first call, given to another thread when it ends.
 *
 * Only the thread that has a channel submits to it; any thread may wait for a ticket. What is known of
 * each call is in `flights`, under a lock that is held for moments. The owner waits by the channel's
 * waiting policy; another thread looks from time to time, since there is one semaphore only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/lib/internal.h"
#include "shared/clock.h"
#include "shared/trace.h"

#define FIRST_CHOICE 64         /* calls before the single slots are timed for the first time */
#define NEXT_CHOICE (1 << 18)   /* calls until the next time: cores may have changed */
#define PINGS 24                /* to time a slot by */
#define CHOICE_LIMIT_NS 2000000 /* how long all of it may take */

/* ---- Which channel is the thread's ---- */

#define THREAD_CHANNELS 8

__thread struct thread_channel last_channel;
static __thread struct thread_channel mine[THREAD_CHANNELS];
static __thread int n_mine;
static pthread_key_t at_exit_key;

static void give_back_all(void *unused) {
  (void)unused;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].channel)
      conn_return_channel(mine[i].conn, mine[i].epoch, mine[i].channel);
  n_mine = 0;
  last_channel = (struct thread_channel){0};
}

static void make_key(void) {
  pthread_key_create(&at_exit_key, give_back_all);
}

static void remember(const struct thread_channel *m) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_key);
  pthread_setspecific(at_exit_key, &mine);
  last_channel = *m;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == m->conn) {
      mine[i] = *m; /* of a session that is gone */
      return;
    }
  if (n_mine == THREAD_CHANNELS) {
    if (mine[0].channel)
      conn_return_channel(mine[0].conn, mine[0].epoch, mine[0].channel);
    memmove(&mine[0], &mine[1], sizeof(mine[0]) * (THREAD_CHANNELS - 1));
    n_mine--;
  }
  mine[n_mine++] = *m;
}

static const char *const wait_names[] = {"auto", "spin", "handoff", "sleep"};

static int open_rpc(numd_conn *conn, uint32_t *id, int *fd) {
  struct rpc rpc;
  uint64_t number = 0;
  struct errtext err = {""};
  rpc_begin(&rpc, conn, "open_channel");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "wait");
  wire_pack_str(&rpc.pk, wait_names[conn->wait]);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0) {
    const msgpack_object *o = wire_get(&rpc.reply.result, "channel");
    if (!o || wire_read_uint(o, MAX_CHANNELS - 1, &number, "channel", &err) || rpc.fd < 0)
      r = error_set(NUMD_EPROTOCOL, "the daemon sent no channel");
    *fd = rpc.fd;
    rpc.fd = -1;
  }
  *id = (uint32_t)number;
  rpc_end(&rpc);
  return r;
}

static void lock(struct channel *ch) {
  while (atomic_flag_test_and_set_explicit(&ch->lock, memory_order_acquire)) {
  }
}

static void unlock(struct channel *ch) {
  atomic_flag_clear_explicit(&ch->lock, memory_order_release);
}

/* Or may have: who holds the lock is about a ticket, or was so when this process was forked. */
static bool has_tickets(struct channel *ch) {
  if (atomic_flag_test_and_set_explicit(&ch->lock, memory_order_acquire))
    return true;
  bool has = ch->n_flying != 0 || ch->single_state != FLIGHT_NONE || ch->done;
  unlock(ch);
  return has;
}

/* Frees the channels that were retired and that no ticket refers to any more. conn->lock held. */
static void free_retired(numd_conn *conn) {
  for (int i = conn->n_channels; i-- > 0;) {
    struct channel *ch = conn->channels[i];
    if (!ch->retired || has_tickets(ch))
      continue;
    conn->channels[i] = conn->channels[--conn->n_channels];
    channel_free(ch);
  }
}

/* It may be gone with its connection, and another in its place or the connection's: the session tells them
 * apart. */
void channel_retire(numd_conn *conn, struct channel *ch, uint64_t epoch) {
  for (int i = 0; i < conn->n_channels; i++)
    if (conn->channels[i] == ch && ch->epoch == epoch)
      ch->retired = true;
}

static void retire_mine(numd_conn *conn) {
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == conn && mine[i].epoch != conn->epoch && mine[i].channel) {
      channel_retire(conn, mine[i].channel, mine[i].epoch);
      mine[i].channel = NULL;
    }
}

/* A channel that an ended thread left, or a new one. conn->lock held. */
static int open_channel(numd_conn *conn, struct channel **out) {
  struct channel *ch = conn->free_channels;
  int fd, r;
  if (ch) {
    conn->free_channels = ch->next_free;
    *out = ch;
    return 0;
  }
  retire_mine(conn);
  free_retired(conn);
  if (conn->n_channels == MAX_CHANNELS)
    return error_set(NUMD_ELIMIT, "more than %d threads with a channel each", MAX_CHANNELS);
  if (!(ch = calloc(1, sizeof(*ch))))
    return error_no_memory();
  if ((r = open_rpc(conn, &ch->id, &fd))) {
    free(ch);
    return r;
  }
  r = channel_map(fd, &ch->memory);
  close(fd);
  if (r) {
    free(ch);
    return error_set(NUMD_EPROTOCOL, "channel memory: %s", strerror(-r));
  }
  ch->conn = conn;
  ch->epoch = conn->epoch;
  ch->notify_fd = -1;
  ch->until_choice = FIRST_CHOICE;
  atomic_flag_clear(&ch->lock);
  wake_init_client(&ch->waiter, ch->memory, (enum wait_policy)conn->wait);
  conn->channels[conn->n_channels++] = ch;
  *out = ch;
  return 0;
}

int channel_get_slow(numd_conn *conn, struct channel **out) {
  uint64_t epoch = atomic_load_explicit(&conn->epoch, memory_order_acquire);
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == conn && mine[i].epoch == epoch) {
      last_channel = mine[i];
      *out = last_channel.channel;
      return 0;
    }
  pthread_mutex_lock(&conn->lock);
  int r = open_channel(conn, out);
  pthread_mutex_unlock(&conn->lock);
  if (r == 0)
    remember(&(struct thread_channel){.conn = conn, .epoch = (*out)->epoch, .channel = *out});
  return r;
}

void channel_free(struct channel *ch) {
  while (ch->done) {
    struct flight *f = ch->done;
    ch->done = f->next;
    free(f);
  }
  lookup_entries_free(ch->cache);
  channel_unmap(ch->memory);
  if (ch->notify_fd >= 0)
    close(ch->notify_fd);
  free(ch);
}

/* ---- Calls in flight ---- */

/* Whether the worker that has this channel is gone, be it that another session was opened since. */
static bool is_lost(struct channel *ch) {
  return ch->epoch != atomic_load_explicit(&ch->conn->epoch, memory_order_acquire) || conn_is_dead(ch->conn);
}

static bool is_done(struct channel *ch, uint64_t number) {
  return wake_is(&channel_slot(ch->memory, number)->seq, channel_seq_done(number));
}

/* Takes a done call's answer out of its slot, which may then be used again. Locked. */
static void harvest(struct channel *ch, struct flight *f) {
  const struct slot *slot = channel_slot(ch->memory, f->number);
  f->status = slot->status;
  f->detail = slot->detail;
  memcpy(&f->result, slot->result, sizeof(slot->result));
  f->state = FLIGHT_DONE;
  atomic_fetch_sub_explicit(&ch->n_flying, 1, memory_order_relaxed);
}

static int lost_in_flight(void) {
  return error_set(NUMD_EDISCONNECTED, "the daemon or its worker ended while the call was in flight");
}

static int lose(struct channel *ch, struct flight *f) {
  lock(ch);
  if (f->state == FLIGHT_FLYING) {
    f->state = FLIGHT_NONE;
    atomic_fetch_sub_explicit(&ch->n_flying, 1, memory_order_relaxed);
  }
  unlock(ch);
  return lost_in_flight();
}

/* Makes the slot of the next call free: the call that had it is done and its answer put aside. */
static int clear_slot(struct channel *ch, struct flight *f) {
  while (f->state == FLIGHT_FLYING) {
    struct slot *slot = channel_slot(ch->memory, f->number);
    bool there =
        wake_wait_client(&ch->waiter, &slot->seq, channel_seq_done(f->number), WAKE_SPIN_MAX_NS, INT64_MAX);
    if (!there && is_lost(ch) && !is_done(ch, f->number))
      return lose(ch, f);
    lock(ch);
    if (f->state == FLIGHT_FLYING && is_done(ch, f->number))
      harvest(ch, f);
    unlock(ch);
  }
  struct flight *aside = malloc(sizeof(*aside));
  if (!aside)
    return error_no_memory();
  lock(ch);
  if (f->state == FLIGHT_DONE) {
    *aside = *f;
    aside->next = ch->done;
    ch->done = aside;
    f->state = FLIGHT_NONE;
    aside = NULL;
  }
  unlock(ch);
  free(aside);
  return 0;
}

/* Fills a slot and hands it over. */
static inline void publish(struct channel *ch, struct slot *slot, uint64_t *spill, uint32_t plan_id, int n,
                           const uint64_t bindings[], uint16_t flags, uint32_t seq) {
  int i = 0;
  slot->plan = plan_id;
  slot->n_bindings = (uint16_t)n;
  slot->flags = flags;
  slot->reserved = 0;
  for (; i < n && i < 3; i++)
    slot->bindings[i] = bindings[i];
  for (; i < n && i < SLOT_INLINE; i++)
    slot->more_bindings[i - 3] = bindings[i];
  for (; i < n; i++)
    spill[i - SLOT_INLINE] = bindings[i];
  if (seq % 64 == 1) /* cores change seldom, and spinners publish theirs */
    wake_publish_cpu(&ch->waiter);
  trace_stamp(TRACE_ENCODED);
  atomic_store_explicit(&slot->seq, seq, memory_order_release);
  wake_peer_unsettled(&ch->waiter);
  trace_stamp(TRACE_SENT);
}

static int submit_to_ring(struct channel *ch, uint32_t plan_id, int n, const uint64_t bindings[],
                          uint64_t *number) {
  uint64_t call = ch->next;
  struct flight *f = &ch->flights[call % CHANNEL_SLOTS];
  int r;
  if (f->state != FLIGHT_NONE && (r = clear_slot(ch, f)))
    return r;
  lock(ch);
  *f = (struct flight){.number = call, .state = FLIGHT_FLYING};
  unlock(ch);
  atomic_fetch_add_explicit(&ch->n_flying, 1, memory_order_relaxed);
  ch->next = call + 1;
  publish(ch, channel_slot(ch->memory, call), ch->memory->spill[call % CHANNEL_SLOTS], plan_id, n, bindings,
          0, channel_seq_submitted(call));
  wake_settle(&ch->waiter);
  *number = call;
  return 0;
}

void channel_settle(struct channel *ch) {
  wake_settle(&ch->waiter);
}

/* One ping through the slot at hand, which hands over to slot `next`. Whether it was answered at once. */
static bool ping(struct channel *ch, uint16_t next) {
  struct slot *slot = &ch->memory->single[ch->single_at];
  uint64_t call = ch->next_single++;
  publish(ch, slot, NULL, 0, 0, NULL, SLOT_PING | next, single_seq_submitted(call));
  ch->single_at = next;
  for (int i = 0; i < 4; i++)
    if (wake_look_client(&ch->waiter, &slot->seq, single_seq_done(call)))
      return true;
  while (!wake_wait_client(&ch->waiter, &slot->seq, single_seq_done(call), WAKE_SPIN_MAX_NS, INT64_MAX))
    if (is_lost(ch))
      return false;
  return false;
}

/* How long a ping takes through a slot, in nanoseconds; a great number if the worker was not spinning. */
static int64_t time_slot(struct channel *ch, uint16_t at) {
  if (!ping(ch, at))
    return INT64_MAX;
  int64_t started = clock_now_ns();
  for (int i = 0; i < PINGS; i++)
    if (!ping(ch, at))
      return INT64_MAX;
  return (clock_now_ns() - started) / PINGS;
}

/* Chooses the single slot whose cache line changes hands most quickly between the two cores. */
static void choose_single(struct channel *ch) {
  int64_t best_ns = INT64_MAX, limit = clock_deadline(CHOICE_LIMIT_NS);
  uint16_t best = ch->single_at;
  ch->until_choice = FIRST_CHOICE;
  for (uint16_t at = 0; at < SINGLE_SLOTS; at++) {
    int64_t ns = time_slot(ch, at);
    if (ns == INT64_MAX || clock_now_ns() > limit)
      return; /* not now */
    if (ns < best_ns) {
      best_ns = ns;
      best = at;
    }
  }
  if (ping(ch, best))
    ch->until_choice = NEXT_CHOICE;
}

/* A call that finds nothing in flight takes a single slot, which needs no bookkeeping. */
int channel_submit(struct channel *ch, uint32_t plan_id, int n, const uint64_t bindings[], uint64_t *number) {
  if (atomic_load_explicit(&ch->single_state, memory_order_acquire) != FLIGHT_NONE ||
      atomic_load_explicit(&ch->n_flying, memory_order_relaxed) != 0)
    return submit_to_ring(ch, plan_id, n, bindings, number);
  if (__builtin_expect(--ch->until_choice < 0, 0)) {
    ch->until_choice = FIRST_CHOICE;
    if (wake_peer_spins(&ch->waiter))
      choose_single(ch);
  }
  uint64_t call = ch->next_single++;
  atomic_store_explicit(&ch->single_state, FLIGHT_FLYING, memory_order_relaxed);
  *number = SINGLE_CALL | call;
  publish(ch, &ch->memory->single[ch->single_at], ch->memory->single_spill, plan_id, n, bindings,
          ch->single_at, single_seq_submitted(call));
  return 0;
}

/* Takes the answer of a finished call: 1 if it is there, 0 if it still flies, -1 if nothing is known of it.
 */
static int take(struct channel *ch, uint64_t number, struct flight *out) {
  struct flight *f = &ch->flights[number % CHANNEL_SLOTS];
  int found = -1;
  lock(ch);
  if (f->state != FLIGHT_NONE && f->number == number) {
    if (f->state == FLIGHT_FLYING && is_done(ch, number))
      harvest(ch, f);
    found = f->state == FLIGHT_DONE;
    if (found) {
      *out = *f;
      f->state = FLIGHT_NONE;
    }
  } else {
    for (struct flight **p = &ch->done; *p; p = &(*p)->next)
      if ((*p)->number == number) {
        struct flight *gone = *p;
        *out = *gone;
        *p = gone->next;
        free(gone);
        found = 1;
        break;
      }
  }
  unlock(ch);
  return found;
}

static int failed(int status, uint32_t detail) {
  if (detail != NO_DETAIL)
    return error_set(status, "%s (binding %u of the call)", status_message(status), detail);
  return error_status(status);
}

static bool is_mine(const struct channel *ch) {
  if (last_channel.channel == ch)
    return true;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].channel == ch)
      return true;
  return false;
}

static int notify_rpc(struct channel *ch) {
  struct rpc rpc;
  rpc_begin(&rpc, ch->conn, "notify");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, ch->id);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 && rpc.fd < 0)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no notification socket");
  if (r == 0) {
    ch->notify_fd = rpc.fd;
    rpc.fd = -1;
  }
  rpc_end(&rpc);
  return r;
}

int channel_notify(struct channel *ch, int *fd) {
  int r = 0;
  if (!is_mine(ch))
    return error_set(NUMD_EINVAL, "the call was submitted by another thread");
  if (ch->epoch != atomic_load_explicit(&ch->conn->epoch, memory_order_acquire))
    return error_set(NUMD_EDISCONNECTED, "the session of this call is gone");
  if (ch->notify_fd < 0 && (r = notify_rpc(ch)))
    return r;
  wake_notify_client(&ch->waiter, true);
  *fd = ch->notify_fd;
  return 0;
}

void numd_notify_off(int fd) {
  for (int i = 0; i < n_mine; i++) {
    if (!mine[i].channel || !conn_hold_session(mine[i].conn, mine[i].epoch))
      continue;
    if (mine[i].channel->notify_fd == fd)
      wake_notify_client(&mine[i].channel->waiter, false);
    conn_let_session_go();
  }
}

/* One look or sleep, at most a slice long. */
static void wait_a_while(struct channel *ch, _Atomic uint32_t *seq, uint32_t done, int64_t spin_ns,
                         int64_t deadline) {
  if (is_mine(ch)) {
    wake_wait_client(&ch->waiter, seq, done, spin_ns, deadline);
    return;
  }
  struct timespec pause = {.tv_nsec = 50000};
  nanosleep(&pause, NULL);
}

/* Waits until *seq == done. 0, ETIMEOUT or EDISCONNECTED. */
static int wait_for(struct channel *ch, _Atomic uint32_t *seq, uint32_t done, int64_t spin_ns,
                    int64_t timeout_ns) {
  if (wake_look_client(&ch->waiter, seq, done))
    return 0;
  int64_t deadline = timeout_ns == NUMD_FOREVER ? INT64_MAX : clock_deadline(timeout_ns);
  for (;;) {
    bool late = deadline != INT64_MAX && clock_now_ns() >= deadline;
    if (!late)
      wait_a_while(ch, seq, done, spin_ns, deadline);
    else if (is_mine(ch))
      wake_settle(&ch->waiter);
    if (wake_is(seq, done))
      return 0;
    /* Not done after a slice: the end of file on the socket is the sign of death. */
    if (is_lost(ch))
      return wake_is(seq, done) ? 0 : NUMD_EDISCONNECTED;
    if (late)
      return error_set(NUMD_ETIMEOUT, "the call is not done within the time limit");
  }
}

static int wait_single(struct channel *ch, uint64_t call, int64_t spin_ns, int64_t timeout_ns,
                       struct item *result) {
  struct slot *slot = &ch->memory->single[ch->single_at];
  if (ch->next_single != call + 1 ||
      atomic_load_explicit(&ch->single_state, memory_order_relaxed) != FLIGHT_FLYING)
    return error_set(NUMD_EINVAL, "this ticket was finished before");
  int r = wait_for(ch, &slot->seq, single_seq_done(call), spin_ns, timeout_ns);
  trace_stamp(TRACE_WOKEN);
  if (r == NUMD_ETIMEOUT)
    return r;
  int status = slot->status;
  uint32_t detail = slot->detail;
  memcpy(result, slot->result, sizeof(slot->result));
  atomic_store_explicit(&ch->single_state, FLIGHT_NONE, memory_order_release);
  if (__builtin_expect((r | status) == 0, 1))
    return 0;
  return r ? lost_in_flight() : failed(status, detail);
}

int channel_wait(struct channel *ch, uint64_t number, int64_t spin_ns, int64_t timeout_ns,
                 struct item *result) {
  struct flight f;
  if (number & SINGLE_CALL)
    return wait_single(ch, number & ~SINGLE_CALL, spin_ns, timeout_ns, result);
  for (;;) {
    int found = take(ch, number, &f);
    if (found == 1) {
      *result = f.result;
      return f.status ? failed(f.status, f.detail) : 0;
    }
    if (found < 0)
      return error_set(NUMD_EINVAL, "this ticket was finished before");
    int r =
        wait_for(ch, &channel_slot(ch->memory, number)->seq, channel_seq_done(number), spin_ns, timeout_ns);
    if (r)
      return r == NUMD_ETIMEOUT ? r : lose(ch, &ch->flights[number % CHANNEL_SLOTS]);
  }
}
