/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/channel.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/error.h"
#include "client/lib/rpc.h"

struct channel_table {
  struct channel *all[MAX_CHANNELS];
  int n;
  struct channel *free; /* of threads that ended */
};

static void destroy(struct channel *ch) {
  pending_deinit(&ch->pending);
  if (ch->free_kept)
    ch->free_kept(ch->kept);
  channel_unmap(ch->memory);
  if (ch->notify_fd >= 0)
    close(ch->notify_fd);
  free(ch);
}

/* ---- Retiring ---- */

static bool has_tickets(struct channel *ch) {
  return ch->single_state != CALL_NONE || pending_any(&ch->pending);
}

static void free_retired(struct channel_table *t) {
  for (int i = t->n; i-- > 0;) {
    struct channel *ch = t->all[i];
    if (!ch->retired || has_tickets(ch))
      continue;
    t->all[i] = t->all[--t->n];
    destroy(ch);
  }
}

/* The channel may have been freed with its connection, and another may be at its address. Every session has
 * another epoch, so a channel with this address and this epoch is the same one. */
void channel_retire(numd_conn *conn, struct channel *channel, uint64_t epoch) {
  const struct channel_table *t = conn->channels;
  for (int i = 0; i < t->n; i++)
    if (t->all[i] == channel && channel->epoch == epoch)
      channel->retired = true;
}

void channel_return(numd_conn *conn, uint64_t epoch, struct channel *channel) {
  if (!conn_hold(conn))
    return;
  pthread_mutex_lock(&conn->lock);
  if (!conn_is_inherited(conn) && conn->epoch == epoch) {
    channel->next_free = conn->channels->free;
    conn->channels->free = channel;
  } else if (!conn_is_inherited(conn)) {
    channel_retire(conn, channel, epoch);
  }
  pthread_mutex_unlock(&conn->lock);
  conn_let_go();
}

/* ---- Opening ---- */

static const char *const wait_names[] = {
#define X(NAME, name) #name,
    NUMD_WAIT_LIST(X)
#undef X
};

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
  }
  if (r == 0) {
    *fd = rpc.fd;
    rpc.fd = -1;
  }
  *id = (uint32_t)number;
  rpc_end(&rpc);
  return r;
}

static int make(numd_conn *conn, struct channel **out) {
  struct channel *ch = calloc(1, sizeof(*ch));
  int fd, r;
  if (!ch)
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
  ch->until_choice = CHANNEL_FIRST_CHOICE;
  pending_init(&ch->pending);
  wake_init_client(&ch->waiter, ch->memory, (enum numd_wait)conn->wait);
  *out = ch;
  return 0;
}

int channel_open(numd_conn *conn, struct channel **out) {
  struct channel_table *t = conn->channels;
  if ((*out = t->free)) {
    t->free = (*out)->next_free;
    return 0;
  }
  free_retired(t);
  if (t->n == MAX_CHANNELS)
    return error_set(NUMD_ELIMIT, "more than %d threads with a channel each", MAX_CHANNELS);
  int r = make(conn, out);
  if (r == 0)
    t->all[t->n++] = *out;
  return r;
}

/* ---- Of a connection ---- */

bool channel_all_idle(const numd_conn *conn) {
  const struct channel_table *t = conn->channels;
  for (int i = 0; i < t->n; i++)
    if (t->all[i]->epoch == conn->epoch && (t->all[i]->pending.n > 0 || t->all[i]->single_state != CALL_NONE))
      return false;
  return true;
}

int channel_lost_call(void) {
  return error_set(NUMD_EDISCONNECTED, "the daemon or its worker ended while the call was in flight");
}

static int init(numd_conn *conn) {
  conn->channels = calloc(1, sizeof(*conn->channels));
  return conn->channels ? 0 : error_no_memory();
}

static void deinit(numd_conn *conn) {
  for (int i = 0; conn->channels && i < conn->channels->n; i++)
    destroy(conn->channels->all[i]);
  free(conn->channels);
}

static void lost(numd_conn *conn, bool inherited) {
  struct channel_table *t = conn->channels;
  (void)inherited;
  for (; t->free; t->free = t->free->next_free)
    t->free->retired = true;
}

const struct conn_part channel_part = {.init = init, .deinit = deinit, .lost = lost};
