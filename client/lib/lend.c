/* Blocks that other processes hold, too.
 *
 * The daemon keeps what is shared, and knows who holds which block of it: `share` gives a segment's token,
 * `lend` says that a handle of a block is on its way, `take` that it arrived, `give` that a block is not used
 * any more. A block of ours that we gave up is used again only when the daemon says, to `returned`, that
 * nobody else holds it. All under conn->lock. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/internal.h"

static bool is_here(const numd_conn *conn) {
  return !conn->broken && conn->fork_generation == atomic_load(&fork_generation);
}

/* The token under which the daemon keeps the segment for others. */
static int share(numd_conn *conn, numd_segment *s) {
  struct rpc rpc;
  if (s->token_epoch == conn->epoch)
    return 0;
  rpc_begin(&rpc, conn, "share");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, s->id);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 &&
      (rpc.reply.result.type != MSGPACK_OBJECT_BIN || rpc.reply.result.via.bin.size != sizeof(s->token)))
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no token");
  if (r == 0) {
    memcpy(s->token, rpc.reply.result.via.bin.ptr, sizeof(s->token));
    s->token_epoch = conn->epoch;
  }
  rpc_end(&rpc);
  return r;
}

static int lend(numd_segment *s, uint64_t first, uint64_t *ticket) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "lend");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, first);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 && rpc.reply.result.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no ticket");
  if (r == 0)
    *ticket = rpc.reply.result.via.u64;
  rpc_end(&rpc);
  return r;
}

static int take(numd_segment *s, uint64_t first, uint64_t ticket) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "take");
  msgpack_pack_array(&rpc.pk, 3);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, first);
  msgpack_pack_uint64(&rpc.pk, ticket);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}

/* What was shared in an earlier session keeps that mark: see arena_reclaim. */
static void mark_shared(struct block *b) {
  if (b->shared_epoch)
    return; /* it is on the list */
  b->shared_epoch = b->segment->conn->epoch;
  b->next = b->segment->shared;
  b->segment->shared = b;
}

void block_unlink(struct block *block) {
  for (struct block **p = &block->segment->shared; *p; p = &(*p)->next)
    if (*p == block) {
      *p = block->next;
      return;
    }
}

void block_give(struct block *block) {
  struct rpc rpc;
  numd_segment *s = block->segment;
  if (!is_here(s->conn) || block->shared_epoch != s->conn->epoch)
    return;
  rpc_begin_notify(&rpc, s->conn, "give");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, block->offset);
  rpc_notify(&rpc);
}

#define ASK_MAX 1024

static bool is_asked_for(const struct block *b) {
  return b->class >= 0 && b->shared_epoch == b->segment->conn->epoch && atomic_load(&b->refs) == 0;
}

void block_ask_returned(numd_segment *s) {
  struct rpc rpc;
  struct block *asked[ASK_MAX];
  uint32_t n = 0;
  if (!is_here(s->conn))
    return;
  for (struct block *b = s->shared; b && n < ASK_MAX; b = b->next)
    if (is_asked_for(b))
      asked[n++] = b;
  if (n == 0)
    return;
  rpc_begin(&rpc, s->conn, "returned");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_array(&rpc.pk, n);
  for (uint32_t i = 0; i < n; i++)
    msgpack_pack_uint64(&rpc.pk, asked[i]->offset);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  const msgpack_object *list = &rpc.reply.result;
  if (r == 0 && list->type == MSGPACK_OBJECT_ARRAY && list->via.array.size == n)
    for (uint32_t i = 0; i < n; i++)
      asked[i]->returned =
          list->via.array.ptr[i].type == MSGPACK_OBJECT_BOOLEAN && list->via.array.ptr[i].via.boolean;
  rpc_end(&rpc);
}

/* ---- Arrival ---- */

/* Attaches and maps what the daemon keeps under a token. */
static int segment_import(numd_conn *conn, const uint8_t token[16], numd_segment **out) {
  struct rpc rpc;
  int id = segment_free_id(conn);
  numd_segment *s = id < 0 ? NULL : calloc(1, sizeof(*s));
  if (!s)
    return id < 0 ? error_set(NUMD_ELIMIT, "a session has at most %d segments", MAX_SEGMENTS)
                  : error_no_memory();
  s->conn = conn;
  s->id = (uint32_t)id;
  atomic_init(&s->refs, 1);
  rpc_begin(&rpc, conn, "attach");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "token");
  msgpack_pack_bin(&rpc.pk, 16);
  msgpack_pack_bin_body(&rpc.pk, token, 16);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  s->fd = rpc.fd;
  rpc.fd = -1;
  rpc_end(&rpc);
  bool is_attached = r == 0;
  if (r == 0 && s->fd < 0)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no descriptor");
  if (r || (r = segment_map(s))) {
    if (is_attached) /* so that the id can be used again */
      segment_detach(s);
    if (s->fd >= 0)
      close(s->fd);
    free(s);
    return r;
  }
  memcpy(s->token, token, sizeof(s->token));
  s->token_epoch = conn->epoch;
  numd_conn_ref(conn);
  conn->segments[id] = s;
  *out = s;
  return 0;
}

/* The segment with this token if it is mapped already: received before, ours, or inherited. */
static numd_segment *find_by_token(numd_conn *conn, const uint8_t token[16]) {
  static const uint8_t none[16];
  if (memcmp(token, none, sizeof(none)) == 0)
    return NULL;
  for (int i = 0; i < MAX_SEGMENTS; i++) {
    numd_segment *s = conn->segments[i];
    if (s && memcmp(s->token, token, sizeof(s->token)) == 0)
      return s;
  }
  return NULL;
}

/* The block that begins there, with a new reference; made if we do not know it. */
static int find_block(numd_segment *s, uint64_t first, uint64_t bytes, struct block **out) {
  for (struct block *b = s->shared; b; b = b->next)
    if (b->offset == first) {
      block_ref(b);
      *out = b;
      return 0;
    }
  struct block *b = calloc(1, sizeof(*b));
  if (!b)
    return error_no_memory();
  *b = (struct block){.segment = numd_segment_ref(s),
                      .offset = first,
                      .bytes = bytes,
                      .class = -1,
                      .borrowed = true,
                      .born = atomic_load_explicit(&watch_forks, memory_order_relaxed)};
  atomic_init(&b->refs, 1);
  *out = b;
  return 0;
}

static int import_locked(numd_conn *conn, const numd_handle *h, struct block **out) {
  numd_segment *s = find_by_token(conn, h->token);
  bool fresh = !s;
  int r = s ? share(conn, s) : segment_import(conn, h->token, &s);
  if (r)
    return r;
  if (h->block > s->bytes || h->block_bytes > s->bytes - h->block)
    r = error_set(NUMD_EINVAL, "not a handle");
  if (r == 0)
    r = take(s, h->block, h->ticket);
  if (r == 0 && (r = find_block(s, h->block, h->block_bytes, out)) == 0)
    mark_shared(*out);
  if (fresh)
    numd_segment_unref(s); /* the block keeps it */
  return r;
}

int block_import(numd_conn *conn, const numd_handle *handle, struct block **out) {
  numd_conn_ref(conn); /* a segment that fails to be used gives up its own reference */
  pthread_mutex_lock(&conn->lock);
  int r = import_locked(conn, handle, out);
  pthread_mutex_unlock(&conn->lock);
  numd_conn_unref(conn);
  return r;
}

/* ---- Departure ---- */

static void fill(const numd_array *array, numd_handle *out) {
  const struct array_impl *a = (const struct array_impl *)array;
  const numd_segment *s = a->block ? a->block->segment : a->segment;
  const numd_layout *l = array->layout;
  memset(out, 0, sizeof(*out));
  out->version = NUMD_HANDLE_VERSION;
  memcpy(out->token, s->token, sizeof(out->token));
  out->offset = binding_offset(array->binding);
  out->block = a->block ? a->block->offset : 0;
  out->block_bytes = a->block ? a->block->bytes : s->bytes;
  out->dtype = l->dtype;
  out->ndim = (uint32_t)l->ndim;
  memcpy(out->shape, l->shape, sizeof(int64_t) * (size_t)l->ndim);
  memcpy(out->strides, l->strides, sizeof(int64_t) * (size_t)l->ndim);
}

/* Has the daemon keep the array's block, for whoever brings *ticket. */
static int lend_array(numd_array *array, uint64_t *ticket) {
  struct array_impl *a = (struct array_impl *)array;
  numd_segment *s = a->block ? a->block->segment : a->segment;
  int r = share(array->conn, s);
  if (r == 0)
    r = lend(s, a->block ? a->block->offset : 0, ticket);
  if (r == 0 && a->block)
    mark_shared(a->block);
  return r;
}

int numd_array_export(numd_array *array, numd_handle *out) {
  numd_conn *conn = array->conn;
  uint64_t ticket = 0;
  int r = conn_enter(conn);
  if (r)
    return r;
  pthread_mutex_lock(&conn->lock);
  r = lend_array(array, &ticket);
  if (r == 0) {
    fill(array, out);
    out->ticket = ticket;
  }
  pthread_mutex_unlock(&conn->lock);
  return r;
}

/* ---- Names ---- */

/* What a name's note says of the array: a handle whose token and ticket come from the daemon. */
static int publish_locked(numd_array *array, const char *name, int replace) {
  struct rpc rpc;
  numd_handle note;
  uint64_t ticket;
  struct array_impl *a = (struct array_impl *)array;
  numd_segment *s = a->block ? a->block->segment : a->segment;
  int r = lend_array(array, &ticket);
  if (r)
    return r;
  fill(array, &note);
  memset(note.token, 0, sizeof(note.token));
  rpc_begin(&rpc, array->conn, "publish");
  msgpack_pack_array(&rpc.pk, 5);
  wire_pack_str(&rpc.pk, name);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, note.block);
  msgpack_pack_bin_with_body(&rpc.pk, &note, sizeof(note));
  if (replace)
    msgpack_pack_true(&rpc.pk);
  else
    msgpack_pack_false(&rpc.pk);
  r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  int over = take(s, note.block, ticket); /* the lease has done its duty */
  return r ? r : over;
}

int numd_publish(numd_array *array, const char *name, int replace) {
  int r = conn_enter(array->conn);
  if (r)
    return r;
  pthread_mutex_lock(&array->conn->lock);
  r = publish_locked(array, name, replace);
  pthread_mutex_unlock(&array->conn->lock);
  return r;
}

/* Runs a method whose only parameter is a name. conn->lock is held until rpc_end. */
static int run_about(struct rpc *rpc, numd_conn *conn, const char *method, const char *name) {
  rpc_begin(rpc, conn, method);
  msgpack_pack_array(&rpc->pk, 1);
  wire_pack_str(&rpc->pk, name);
  return rpc_run(rpc, -1, RPC_TIMEOUT_NS);
}

int numd_unpublish(numd_conn *conn, const char *name) {
  struct rpc rpc;
  int r = conn_enter(conn);
  if (r)
    return r;
  r = run_about(&rpc, conn, "unpublish", name);
  rpc_end(&rpc);
  return r;
}

static int read_open(const msgpack_object *reply, numd_handle *out) {
  const msgpack_object *token = wire_get(reply, "token"), *note = wire_get(reply, "note"),
                       *ticket = wire_get(reply, "ticket");
  if (!token || !note || !ticket || token->type != MSGPACK_OBJECT_BIN || note->type != MSGPACK_OBJECT_BIN ||
      ticket->type != MSGPACK_OBJECT_POSITIVE_INTEGER || token->via.bin.size != sizeof(out->token))
    return error_set(NUMD_EPROTOCOL, "the daemon sent no array");
  if (note->via.bin.size == sizeof(*out))
    memcpy(out, note->via.bin.ptr, sizeof(*out));
  if (note->via.bin.size != sizeof(*out) || out->version != NUMD_HANDLE_VERSION)
    return error_set(NUMD_EVERSION, "the array was published by another version of numd");
  memcpy(out->token, token->via.bin.ptr, sizeof(out->token));
  out->ticket = ticket->via.u64;
  return 0;
}

int numd_open(numd_conn *conn, const char *name, numd_array **out) {
  struct rpc rpc;
  numd_handle handle;
  int r = conn_enter(conn);
  if (r)
    return r;
  r = run_about(&rpc, conn, "open", name);
  if (r == 0)
    r = read_open(&rpc.reply.result, &handle);
  rpc_end(&rpc);
  return r ? r : numd_array_import(conn, &handle, out);
}

int numd_memory(numd_conn *conn, char **json) {
  struct rpc rpc;
  int r = conn_enter(conn);
  if (r)
    return r;
  rpc_begin(&rpc, conn, "memory");
  msgpack_pack_array(&rpc.pk, 0);
  r = rpc_run_for_text(&rpc, json);
  rpc_end(&rpc);
  return r;
}
