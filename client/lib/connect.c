/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of a connection, and the requests that concern the session alone. */
#include <unistd.h>

#include "client/lib/arena.h"
#include "client/lib/channel.h"
#include "client/lib/conn.h"
#include "client/lib/options.h"
#include "client/lib/plan.h"
#include "client/lib/plan_cache.h"
#include "client/lib/rpc.h"
#include "client/lib/segment.h"

static int say_hello(numd_conn *c) {
  struct rpc rpc;
  rpc_begin(&rpc, c, "hello");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, WIRE_VERSION);
  msgpack_pack_map(&rpc.pk, 2);
  wire_pack_str(&rpc.pk, "client");
  wire_pack_str(&rpc.pk, "libnumd " NUMD_VERSION);
  wire_pack_str(&rpc.pk, "pid");
  msgpack_pack_int64(&rpc.pk, getpid());
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}

/* Hello is the first request of a session. */
static const struct conn_part hello_part = {.open = say_hello};

static const struct conn_part *const parts[] = {&hello_part,   &segment_part,    &arena_part, &plan_part,
                                                &channel_part, &plan_cache_part, NULL};

int numd_connect(const numd_options *options, numd_conn **out) {
  numd_options known;
  int r = options_read(options, &known);
  return r ? r : conn_new(&known, parts, out);
}

int numd_ping(numd_conn *conn, int64_t timeout_ns) {
  struct rpc rpc;
  int r = conn_enter(conn);
  if (r)
    return r;
  rpc_begin(&rpc, conn, "ping");
  msgpack_pack_array(&rpc.pk, 0);
  r = rpc_run(&rpc, -1, timeout_ns);
  rpc_end(&rpc);
  return r;
}
