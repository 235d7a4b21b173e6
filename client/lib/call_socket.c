/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/call_socket.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/rpc.h"

/* Asks the daemon to cancel a call through the socket; conn->lock held. */
static void cancel_msgid(numd_conn *conn, uint32_t msgid) {
  struct rpc rpc;
  rpc_begin(&rpc, conn, "cancel");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "msgid");
  msgpack_pack_uint32(&rpc.pk, msgid);
  (void)rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
}

int socket_call(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[], struct item *result,
                int64_t timeout_ns) {
  struct rpc rpc;
  struct errtext err = {""};
  rpc_begin(&rpc, plan->conn, "call");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, plan->id);
  msgpack_pack_array(&rpc.pk, (size_t)n);
  for (int i = 0; i < n; i++) {
    if (args[i].array || args[i].scalar.dtype == NUMD_COMPLEX128) {
      msgpack_pack_array(&rpc.pk, 2);
      msgpack_pack_uint32(&rpc.pk, binding_segment(bindings[i]));
      msgpack_pack_uint64(&rpc.pk, binding_offset(bindings[i]));
    } else {
      wire_pack_item(&rpc.pk, args[i].scalar.dtype, &bindings[i]);
    }
  }
  int r = rpc_run(&rpc, -1, timeout_ns);
  *result = (struct item){{0}};
  if (r == NUMD_ETIMEOUT) {
    cancel_msgid(plan->conn, rpc.msgid);
    r = error_set(r, "the call was not done within the time limit and was cancelled");
  }
  if (r == 0 && plan->result_dtype != NUMD_DTYPE_NONE &&
      wire_read_item(&rpc.reply.result, plan->result_dtype, result, "result", &err))
    r = error_set(NUMD_EPROTOCOL, "%s", err.text);
  rpc_end(&rpc);
  return r;
}

/* The answer to a call that was waited for when it was submitted, kept until its ticket is waited for. */
struct answer {
  int status;
  struct item result;
  char sentence[256];
};

int socket_submit(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[],
                  numd_ticket *ticket) {
  struct answer *a = calloc(1, sizeof(*a));
  if (!a)
    return error_no_memory();
  a->status = socket_call(plan, n, args, bindings, &a->result, NUMD_FOREVER);
  if (a->status)
    snprintf(a->sentence, sizeof(a->sentence), "%s", numd_error());
  *ticket = (numd_ticket){.number = (uintptr_t)a, .result_dtype = plan->result_dtype};
  return 0;
}

int socket_finish(numd_ticket *ticket, struct item *result) {
  struct answer *a = (struct answer *)(uintptr_t)ticket->number;
  if (!a)
    return error_set(NUMD_EINVAL, "this ticket was finished before");
  *result = a->result;
  int r = a->status ? error_set(a->status, "%s", a->sentence) : 0;
  ticket->number = 0;
  free(a);
  return r;
}
