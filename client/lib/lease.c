/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/lease.h"

#include <string.h>

#include "client/lib/error.h"
#include "client/lib/rpc.h"

int lease_token(numd_segment *s) {
  struct rpc rpc;
  if (s->token_epoch == s->conn->epoch)
    return 0;
  rpc_begin(&rpc, s->conn, "share");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, s->id);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 &&
      (rpc.reply.result.type != MSGPACK_OBJECT_BIN || rpc.reply.result.via.bin.size != sizeof(s->token)))
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no token");
  if (r == 0) {
    memcpy(s->token, rpc.reply.result.via.bin.ptr, sizeof(s->token));
    s->token_epoch = s->conn->epoch;
  }
  rpc_end(&rpc);
  return r;
}

int lease_begin(numd_segment *s, uint64_t first, uint64_t *lease) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "lend");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, first);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 && rpc.reply.result.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no ticket");
  if (r == 0)
    *lease = rpc.reply.result.via.u64;
  rpc_end(&rpc);
  return r;
}

int lease_redeem(numd_segment *s, uint64_t first, uint64_t lease) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "take");
  msgpack_pack_array(&rpc.pk, 3);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, first);
  msgpack_pack_uint64(&rpc.pk, lease);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}

void lease_give_up(numd_segment *s, uint64_t first) {
  struct rpc rpc;
  if (!conn_has_session(s->conn))
    return;
  rpc_begin_notify(&rpc, s->conn, "give");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_uint64(&rpc.pk, first);
  rpc_notify(&rpc);
}

int lease_ask_returned(numd_segment *s, uint32_t n, const uint64_t firsts[], bool returned[]) {
  struct rpc rpc;
  if (!conn_has_session(s->conn))
    return error_status(NUMD_EDISCONNECTED);
  rpc_begin(&rpc, s->conn, "returned");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_array(&rpc.pk, n);
  for (uint32_t i = 0; i < n; i++)
    msgpack_pack_uint64(&rpc.pk, firsts[i]);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  const msgpack_object *list = &rpc.reply.result;
  if (r == 0 && (list->type != MSGPACK_OBJECT_ARRAY || list->via.array.size != n))
    r = error_set(NUMD_EPROTOCOL, "the daemon's answer to returned is malformed");
  for (uint32_t i = 0; r == 0 && i < n; i++)
    returned[i] = list->via.array.ptr[i].type == MSGPACK_OBJECT_BOOLEAN && list->via.array.ptr[i].via.boolean;
  rpc_end(&rpc);
  return r;
}
