/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/call.h"

#include <string.h>

#include "client/lib/array.h"
#include "client/lib/bindings.h"
#include "client/lib/call_socket.h"
#include "client/lib/error.h"
#include "client/lib/notify.h"
#include "client/lib/rpc.h"
#include "client/lib/submit.h"
#include "client/lib/thread_channel.h"
#include "client/lib/wait.h"

static void give_result(numd_dtype dtype, const struct item *item, numd_scalar *result) {
  if (!result)
    return;
  result->dtype = dtype;
  memcpy(&result->c, item, sizeof(*item));
}

int call_start(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[],
               numd_ticket *ticket) {
  struct channel *ch;
  int r = plan_enter(plan);
  if (r)
    return r;
  if (plan->conn->door == NUMD_DOOR_SOCKET)
    return socket_submit(plan, n, args, bindings, ticket);
  if ((r = thread_channel_get(plan->conn, &ch)) ||
      (r = channel_submit(ch, plan->id, n, bindings, &ticket->number)))
    return r;
  ticket->channel = ch;
  ticket->result_dtype = plan->result_dtype;
  ticket->spin_ns = plan->spin_ns;
  return 0;
}

/* Hands over a call for which the user gave the arguments of a plan. */
static int submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket) {
  uint64_t bindings[MAX_BINDINGS];
  numd_array *kept;
  int r = bindings_of_call(plan, n_args, args, bindings, &kept);
  if (r == 0)
    r = call_start(plan, n_args, args, bindings, ticket);
  if (r)
    numd_array_unref(kept);
  else
    ticket->kept = kept;
  return r;
}

/* Makes a call through the socket: one request, which also has the time limit. */
static int call_socket(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                       int64_t timeout_ns) {
  uint64_t bindings[MAX_BINDINGS];
  numd_array *kept;
  struct item item;
  int r = bindings_of_call(plan, n_args, args, bindings, &kept);
  if (r || (r = plan_enter(plan)) || (r = socket_call(plan, n_args, args, bindings, &item, timeout_ns)))
    goto out;
  give_result(plan->result_dtype, &item, result);
out:
  numd_array_unref(kept);
  return r;
}

int numd_may_repeat(int n_args, const numd_arg args[], int n_out, numd_array *const out[]) {
  for (int o = 0; o < n_out; o++) {
    if (out[o] && !array_is_private(out[o]))
      return 0;
    for (int i = 0; out[o] && i < n_args; i++)
      if (args[i].array && array_overlaps(out[o], args[i].array))
        return 0;
  }
  return 1;
}

static int call_once(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                     int64_t timeout_ns) {
  numd_ticket t;
  if (plan->conn->door == NUMD_DOOR_SOCKET)
    return call_socket(plan, n_args, args, result, timeout_ns);
  int r = submit(plan, n_args, args, &t);
  if (r || (r = numd_wait(&t, timeout_ns, result)) != NUMD_ETIMEOUT)
    return r;
  numd_cancel(&t);
  r = numd_wait(&t, NUMD_FOREVER, result); /* it may still have ended before the cancel came */
  return r == NUMD_ECANCELLED
             ? error_set(NUMD_ETIMEOUT, "the call was not done within the time limit and was cancelled")
             : r;
}

static int may_repeat(const numd_plan *plan, const numd_arg args[]) {
  numd_array *out[MAX_BINDINGS];
  for (int i = 0; i < plan->n_outputs; i++)
    out[i] = args[plan->n_inputs + i].array;
  return numd_may_repeat(plan->n_inputs, args, plan->n_outputs, out);
}

int numd_plan_call(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                   int64_t timeout_ns) {
  int r = call_once(plan, n_args, args, result, timeout_ns);
  if (call_was_lost(r) && may_repeat(plan, args))
    r = call_once(plan, n_args, args, result, timeout_ns);
  return r;
}

int numd_plan_submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket) {
  int r = submit(plan, n_args, args, ticket);
  if (r == 0 && ticket->channel)
    channel_settle(ticket->channel);
  return r;
}

/* How long a call computes, by the daemon's estimate; INT64_MAX if callers sleep through it. */
static int64_t cost_of(const numd_ticket *ticket) {
  return ticket->spin_ns ? (int64_t)(ticket->spin_ns - WAKE_SPIN_MAX_NS) / 2 : INT64_MAX;
}

int call_wait_for(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result) {
  if (!ticket->channel || timeout_ns == NUMD_FOREVER || cost_of(ticket) <= timeout_ns)
    return numd_wait(ticket, timeout_ns, result);
  channel_settle(ticket->channel);
  return NUMD_ETIMEOUT;
}

int numd_plan_call_for(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                       int64_t timeout_ns, numd_ticket *ticket) {
  int r = submit(plan, n_args, args, ticket);
  return r ? r : call_wait_for(ticket, timeout_ns, result);
}

int numd_wait(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result) {
  struct item item;
  bool was_finished = !ticket->channel && !ticket->number;
  int r = ticket->channel ? channel_wait(ticket->channel, ticket->number, ticket->spin_ns, timeout_ns, &item)
                          : socket_finish(ticket, &item);
  if ((ticket->channel && r == NUMD_ETIMEOUT) || was_finished)
    return r;
  if (__builtin_expect(ticket->kept != NULL, 0)) {
    numd_array_unref(ticket->kept);
    ticket->kept = NULL;
  }
  if (r == 0)
    give_result(ticket->result_dtype, &item, result);
  return r;
}

int numd_notify(numd_ticket *ticket, int *fd) {
  if (!ticket->channel)
    return error_set(NUMD_EINVAL, "the call went through the socket and is done");
  int r = channel_notify(ticket->channel, fd);
  if (r == 0)
    channel_settle(ticket->channel);
  return r;
}

int numd_cancel(numd_ticket *ticket) {
  struct channel *ch = ticket->channel;
  struct rpc rpc;
  if (!ch)
    return 0;
  if (ch->epoch != ch->conn->epoch || conn_is_inherited(ch->conn))
    return error_set(NUMD_EDISCONNECTED, "the session of this call is gone");
  rpc_begin(&rpc, ch->conn, "cancel");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_map(&rpc.pk, 2);
  wire_pack_str(&rpc.pk, "channel");
  msgpack_pack_uint32(&rpc.pk, ch->id);
  wire_pack_str(&rpc.pk, "call");
  msgpack_pack_uint64(&rpc.pk, ticket->number);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}
