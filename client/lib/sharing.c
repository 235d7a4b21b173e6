/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that other processes hold, too: handles by which they travel, and names by which they are published.
 * All under conn->lock. */
#include <string.h>

#include "client/lib/arena.h"
#include "client/lib/array.h"
#include "client/lib/error.h"
#include "client/lib/fork_watch.h"
#include "client/lib/layout.h"
#include "client/lib/lease.h"
#include "client/lib/rpc.h"

/* ---- Handles of our arrays ---- */

static void fill(const numd_array *array, numd_handle *out) {
  const struct block *b = array_impl(array)->block;
  const numd_segment *s = array_segment(array);
  const numd_layout *l = array->layout;
  memset(out, 0, sizeof(*out));
  out->version = NUMD_HANDLE_VERSION;
  memcpy(out->token, s->token, sizeof(out->token));
  out->offset = binding_offset(array->binding);
  out->block = b ? b->offset : 0;
  out->block_bytes = b ? b->bytes : s->bytes;
  out->dtype = l->dtype;
  out->ndim = (uint32_t)l->ndim;
  memcpy(out->shape, l->shape, sizeof(int64_t) * (size_t)l->ndim);
  memcpy(out->strides, l->strides, sizeof(int64_t) * (size_t)l->ndim);
}

/* Has the daemon keep the array's memory until a process redeems the lease. */
static int lease_array(numd_array *array, uint64_t *lease) {
  struct block *b = array_impl(array)->block;
  numd_segment *s = array_segment(array);
  int r = lease_token(s);
  if (r == 0)
    r = lease_begin(s, b ? b->offset : 0, lease);
  if (r == 0 && b && block_state(b) == BLOCK_PRIVATE) {
    block_become(b, BLOCK_SHARED);
    block_list(b);
  }
  return r;
}

int numd_array_export(numd_array *array, numd_handle *out) {
  numd_conn *conn = array->conn;
  uint64_t lease = 0;
  int r = conn_enter(conn);
  if (r)
    return r;
  pthread_mutex_lock(&conn->lock);
  r = lease_array(array, &lease);
  if (r == 0) {
    fill(array, out);
    out->ticket = lease;
  }
  pthread_mutex_unlock(&conn->lock);
  return r;
}

/* ---- Arrays of handles ---- */

/* Takes a reference to a listed block, which becomes SHARED if it was LENT and BORROWED if it was KEPT. */
static void hold(struct block *b) {
  block_ref(b);
  if (block_state(b) == BLOCK_LENT)
    block_become(b, BLOCK_SHARED);
  else if (block_state(b) == BLOCK_KEPT)
    block_become(b, BLOCK_BORROWED);
}

/* The listed block that begins there, with a new reference; a new BORROWED one if there is none. */
static int hold_block(numd_segment *s, uint64_t first, uint64_t bytes, struct block **out) {
  struct block *b = block_find(s, first);
  if (!b) {
    if (!(b = block_new(s, first, bytes, BLOCK_ALONE, BLOCK_BORROWED)))
      return error_no_memory();
    numd_segment_ref(s);
    b->born = atomic_load_explicit(&fork_watch_count, memory_order_relaxed);
    block_list(b);
  }
  hold(b);
  *out = b;
  return 0;
}

/* Holds the block that a handle names, whose segment is mapped if it was not yet. */
static int import_block(numd_conn *conn, const numd_handle *h, struct block **out) {
  numd_segment *s = segment_find(conn, h->token);
  bool is_new = !s;
  int r = s ? lease_token(s) : segment_import(conn, h->token, &s);
  if (r)
    return r;
  if (h->block > s->bytes || h->block_bytes > s->bytes - h->block)
    r = error_set(NUMD_EINVAL, "not a handle");
  if (r == 0)
    r = lease_redeem(s, h->block, h->ticket);
  if (r == 0)
    r = hold_block(s, h->block, h->block_bytes, out);
  if (is_new)
    numd_segment_unref(s); /* the block keeps it */
  return r;
}

static int import_array(numd_conn *conn, const numd_handle *h, const numd_layout *layout, numd_array **out) {
  struct block *block;
  numd_conn_ref(
      conn); /* on failure a segment drops its reference to conn, perhaps the last, under conn->lock */
  pthread_mutex_lock(&conn->lock);
  int r = import_block(conn, h, &block);
  pthread_mutex_unlock(&conn->lock);
  if (r)
    layout_unref(layout);
  else
    r = array_in_block(conn, block, (int64_t)h->offset, layout, out);
  numd_conn_unref(conn);
  return r;
}

int numd_array_import(numd_conn *conn, const numd_handle *handle, numd_array **out) {
  const numd_layout *layout;
  int r = conn_enter(conn);
  if (r)
    return r;
  if (handle->version != NUMD_HANDLE_VERSION)
    return error_set(NUMD_EVERSION, "the handle has version %u; this numd reads version %d",
                     (unsigned)handle->version, NUMD_HANDLE_VERSION);
  if (handle->reserved || handle->ndim > MAX_DIMS || handle->offset > BINDING_OFFSET_MAX)
    return error_set(NUMD_EINVAL, "not a handle");
  r = layout_get((numd_dtype)handle->dtype, (int)handle->ndim, handle->shape, handle->strides, &layout);
  return r ? r : import_array(conn, handle, layout, out);
}

/* ---- Names ---- */

/* Publishes the array. The note of the name is a handle for the clients that open it; the daemon gives these
 * its token and a lease of their own. */
static int publish(numd_array *array, const char *name, int replace) {
  struct rpc rpc;
  numd_handle note;
  uint64_t lease;
  numd_segment *s = array_segment(array);
  int r = lease_array(array, &lease);
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
  /* The lease was there to hold the memory until the name does. Now the name does, or there is none: the
   * lease ends. */
  int over = lease_redeem(s, note.block, lease);
  return r ? r : over;
}

int numd_publish(numd_array *array, const char *name, int replace) {
  int r = conn_enter(array->conn);
  if (r)
    return r;
  pthread_mutex_lock(&array->conn->lock);
  r = publish(array, name, replace);
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
