/* SPDX-License-Identifier: BSD-3-Clause */
/* One thread at a time uses the socket, under conn->lock. It is a blocking socket whose receives end after a
 * slice (conn.c), so that the deadline is looked at now and then. */
#include "client/lib/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/conn.h"
#include "client/lib/error.h"
#include "shared/clock.h"
#include "shared/fdpass.h"
#include "shared/trace.h"

static void begin(struct rpc *rpc, numd_conn *conn) {
  rpc->conn = conn;
  rpc->fd = -1;
  rpc->has_reply = false;
  msgpack_sbuffer_init(&rpc->out);
  msgpack_packer_init(&rpc->pk, &rpc->out, msgpack_sbuffer_write);
  pthread_mutex_lock(&conn->lock);
}

void rpc_begin(struct rpc *rpc, numd_conn *conn, const char *method) {
  begin(rpc, conn);
  rpc->msgid = conn->next_msgid++;
  wire_pack_request(&rpc->pk, rpc->msgid, method);
}

void rpc_begin_notify(struct rpc *rpc, numd_conn *conn, const char *method) {
  begin(rpc, conn);
  msgpack_pack_array(&rpc->pk, 3);
  msgpack_pack_uint8(&rpc->pk, WIRE_NOTIFY);
  wire_pack_str(&rpc->pk, method);
}

static int lost(numd_conn *conn, const char *why) {
  atomic_store_explicit(&conn->broken, true, memory_order_relaxed);
  return error_set(NUMD_EDISCONNECTED, "connection to the daemon at %s was lost (%s)", conn->address, why);
}

static int send_all(struct rpc *rpc, int send_fd, int64_t deadline) {
  const char *p = rpc->out.data;
  size_t left = rpc->out.size;
  while (left > 0) {
    ssize_t n = fdpass_send(rpc->conn->sock, p, left, &send_fd, send_fd >= 0);
    if (n == -EAGAIN && clock_now_ns() < deadline)
      continue;
    if (n == -EPIPE || n == -ECONNRESET)
      return 0; /* the daemon has hung up; its goodbye may still be there to be read */
    if (n < 0)
      return lost(rpc->conn, strerror((int)-n));
    send_fd = -1;
    p += n;
    left -= (size_t)n;
  }
  return 0;
}

/* Receives more bytes into conn->in; a descriptor beside them belongs to the response. */
static int receive(struct rpc *rpc, int64_t deadline) {
  numd_conn *c = rpc->conn;
  if (c->in_cap - c->in_len < 4096) {
    char *more = realloc(c->in, c->in_cap * 2 + 8192);
    if (!more)
      return error_no_memory();
    c->in = more;
    c->in_cap = c->in_cap * 2 + 8192;
  }
  for (;;) {
    int fds[FDPASS_MAX], n_fds, truncated;
    ssize_t n = fdpass_recv(c->sock, c->in + c->in_len, c->in_cap - c->in_len, fds, &n_fds, &truncated);
    trace_stamp(TRACE_WOKEN);
    if (n == 0)
      return lost(c, "it hung up");
    if (n == -EAGAIN) {
      if (clock_now_ns() >= deadline)
        return error_set(NUMD_ETIMEOUT, "no answer from the daemon within the time limit");
      continue;
    }
    if (n < 0)
      return lost(c, strerror((int)-n));
    for (int i = 0; i < n_fds; i++) {
      if (rpc->fd >= 0)
        close(rpc->fd);
      rpc->fd = fds[i];
    }
    c->in_len += (size_t)n;
    return 0;
  }
}

/* Sets the thread's error to a [number, name, sentence] of the daemon, with `said` before the sentence. Gives
 * its status; 0 if it is malformed. */
static int stated(const msgpack_object *e, const char *said) {
  const msgpack_object *v = e->via.array.ptr;
  if (e->type != MSGPACK_OBJECT_ARRAY || e->via.array.size < 3 ||
      v[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || v[0].via.u64 == 0 || v[0].via.u64 > INT32_MAX ||
      v[2].type != MSGPACK_OBJECT_STR)
    return 0;
  return error_set((int)v[0].via.u64, "%s%.*s", said, (int)v[2].via.str.size, v[2].via.str.ptr);
}

static int goodbye(struct rpc *rpc, const msgpack_object *params) {
  int r = lost(rpc->conn, "it said goodbye");
  int status = stated(params, "the daemon refused the session: ");
  return status ? status : r;
}

/* Takes one frame from conn->in, if a whole one is there. 1: it is our response; 0: none yet. */
static int take_frame(struct rpc *rpc, int *status) {
  numd_conn *c = rpc->conn;
  struct errtext err = {""};
  size_t bytes;
  int r = wire_scan(c->in, c->in_len, &bytes, &err);
  *status = 0;
  if (r == 0)
    return 0;
  if (r < 0 || wire_parse(c->in, bytes, &rpc->reply, &err)) {
    *status = lost(c, err.text);
    return 1;
  }
  memmove(c->in, c->in + bytes, c->in_len - bytes);
  c->in_len -= bytes;
  if (rpc->reply.type == WIRE_RESPONSE && rpc->reply.msgid == rpc->msgid) {
    rpc->has_reply = true;
    return 1;
  }
  bool bye = rpc->reply.type == WIRE_NOTIFY && rpc->reply.method_len == 7 &&
             memcmp(rpc->reply.method, "goodbye", 7) == 0;
  if (bye)
    *status = goodbye(rpc, &rpc->reply.params);
  wire_free(&rpc->reply); /* the response to an earlier request, for which nobody waits any more */
  return bye;
}

static int reply_status(struct rpc *rpc) {
  const msgpack_object *e = &rpc->reply.error;
  if (e->type == MSGPACK_OBJECT_NIL)
    return 0;
  int status = stated(e, "");
  return status ? status : lost(rpc->conn, "it sent a malformed error");
}

int rpc_run(struct rpc *rpc, int send_fd, int64_t timeout_ns) {
  int64_t deadline = clock_deadline(timeout_ns);
  trace_stamp(TRACE_ENCODED);
  int status = send_all(rpc, send_fd, deadline);
  trace_stamp(TRACE_SENT);
  while (status == 0) {
    if (rpc->conn->in_len > 0 && take_frame(rpc, &status))
      break;
    status = receive(rpc, deadline);
  }
  /* A request that was given up may still be carried out, so this session's state is not known any more: the
   * next request begins another session. */
  if (status == NUMD_ETIMEOUT && timeout_ns == RPC_TIMEOUT_NS)
    atomic_store_explicit(&rpc->conn->broken, true, memory_order_relaxed);
  return status ? status : reply_status(rpc);
}

int rpc_run_for_text(struct rpc *rpc, char **text) {
  const msgpack_object *o = &rpc->reply.result;
  int r = rpc_run(rpc, -1, RPC_TIMEOUT_NS);
  if (r)
    return r;
  if (o->type != MSGPACK_OBJECT_STR)
    return error_set(NUMD_EPROTOCOL, "the daemon sent no text");
  *text = o->via.str.size > 0 ? strndup(o->via.str.ptr, o->via.str.size) : strdup("");
  return *text ? 0 : error_no_memory();
}

void rpc_end(struct rpc *rpc) {
  pthread_mutex_unlock(&rpc->conn->lock);
  if (rpc->has_reply)
    wire_free(&rpc->reply);
  if (rpc->fd >= 0)
    close(rpc->fd);
  msgpack_sbuffer_destroy(&rpc->out);
}

void rpc_notify(struct rpc *rpc) {
  (void)send_all(rpc, -1, clock_deadline(RPC_TIMEOUT_NS));
  rpc_end(rpc);
}
