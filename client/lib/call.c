/* Calling plans: words for the ring, or the same as a request through the socket.
 *
 * A word is 8 bytes. A complex scalar does not fit and goes by place: those of one call are put in a small
 * array of their own, which the call's ticket keeps until it is finished. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/internal.h"

int call_keep_complex(numd_conn *conn, int n_args, const numd_arg args[], uint64_t words[],
                      numd_array **kept) {
  int64_t n = 0;
  for (int i = 0; i < n_args; i++)
    n += !args[i].array && args[i].scalar.dtype == NUMD_COMPLEX128;
  int r = numd_array_empty(conn, NUMD_COMPLEX128, 1, &n, kept);
  if (r)
    return r;
  numd_complex128 *values = (*kept)->data;
  uint64_t at = (*kept)->binding;
  for (int i = 0; i < n_args; i++)
    if (!args[i].array && args[i].scalar.dtype == NUMD_COMPLEX128) {
      *values++ = args[i].scalar.c;
      words[i] = at;
      at += sizeof(*values);
    }
  return 0;
}

/* One argument is checked to be what the plan was prepared for. */
static int call_word(const numd_plan *plan, int i, const numd_arg *arg, uint64_t *word) {
  const numd_array *a = arg->array;
  if (!plan->args[i].layout) {
    if (a || arg->scalar.dtype != plan->args[i].dtype)
      return error_set(NUMD_EDTYPE, "argument %d must be a scalar of %s", i,
                       dtype_rows[plan->args[i].dtype].name);
    *word = arg->scalar.bits;
    return 0;
  }
  if (!a || a->layout != plan->args[i].layout)
    return error_set(NUMD_ESHAPE, "argument %d has not the dtype, shape and strides that were prepared", i);
  if (a->conn != plan->conn)
    return error_set(NUMD_EINVAL, "argument %d belongs to another connection", i);
  *word = a->binding;
  return 0;
}

int call_words(const numd_plan *plan, int n_args, const numd_arg args[], uint64_t words[MAX_BINDINGS],
               numd_array **kept) {
  int n = plan->n_inputs + plan->n_outputs;
  bool complex = false;
  *kept = NULL;
  if (n_args != n)
    return error_set(NUMD_EINVAL, "the plan takes %d inputs and %d outputs, but %d arguments were given",
                     plan->n_inputs, plan->n_outputs, n_args);
  for (int i = 0; i < n; i++) {
    int r = call_word(plan, i, &args[i], &words[i]);
    if (r)
      return r;
    complex |= !plan->args[i].layout && plan->args[i].dtype == NUMD_COMPLEX128;
  }
  return complex ? call_keep_complex(plan->conn, n, args, words, kept) : 0;
}

/* Asks that a call through the socket be given up; conn->lock held. */
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

/* A call through the socket. */
static int call_rpc(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[],
                    struct item *result, int64_t timeout_ns) {
  struct rpc rpc;
  struct errtext err = {""};
  rpc_begin(&rpc, plan->conn, "call");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, plan->id);
  msgpack_pack_array(&rpc.pk, (size_t)n);
  for (int i = 0; i < n; i++) {
    if (args[i].array || args[i].scalar.dtype == NUMD_COMPLEX128) {
      msgpack_pack_array(&rpc.pk, 2);
      msgpack_pack_uint32(&rpc.pk, binding_segment(words[i]));
      msgpack_pack_uint64(&rpc.pk, binding_offset(words[i]));
    } else {
      wire_pack_item(&rpc.pk, args[i].scalar.dtype, &words[i]);
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

static void give_result(numd_dtype dtype, const struct item *item, numd_scalar *result) {
  if (!result)
    return;
  result->dtype = dtype;
  memcpy(&result->c, item, sizeof(*item));
}

/* The answer of a call through the socket, which was waited for when it was submitted. */
struct answer {
  int status;
  struct item result;
  char sentence[256];
};

static int submit_rpc(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[],
                      numd_ticket *ticket) {
  struct answer *a = calloc(1, sizeof(*a));
  if (!a)
    return error_no_memory();
  a->status = call_rpc(plan, n, args, words, &a->result, NUMD_FOREVER);
  if (a->status)
    snprintf(a->sentence, sizeof(a->sentence), "%s", numd_error());
  *ticket = (numd_ticket){.number = (uintptr_t)a, .result_dtype = plan->result_dtype};
  return 0;
}

int call_start(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[], numd_ticket *ticket) {
  struct channel *ch;
  int r = plan_enter(plan);
  if (r)
    return r;
  if (plan->conn->door == NUMD_DOOR_SOCKET)
    return submit_rpc(plan, n, args, words, ticket);
  if ((r = channel_get(plan->conn, &ch)) || (r = channel_submit(ch, plan->id, n, words, &ticket->number)))
    return r;
  ticket->channel = ch;
  ticket->result_dtype = plan->result_dtype;
  ticket->spin_ns = plan->spin_ns;
  return 0;
}

/* Hands over a call of the user's. */
static int submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket) {
  uint64_t words[MAX_BINDINGS];
  numd_array *kept;
  int r = call_words(plan, n_args, args, words, &kept);
  if (r == 0)
    r = call_start(plan, n_args, args, words, ticket);
  if (r)
    numd_array_unref(kept);
  else
    ticket->kept = kept;
  return r;
}

/* Through the socket, where one request is all, with its time limit. */
static int call_socket(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                       int64_t timeout_ns) {
  uint64_t words[MAX_BINDINGS];
  numd_array *kept;
  struct item item;
  int r = call_words(plan, n_args, args, words, &kept);
  if (r || (r = plan_enter(plan)) || (r = call_rpc(plan, n_args, args, words, &item, timeout_ns)))
    goto out;
  give_result(plan->result_dtype, &item, result);
out:
  numd_array_unref(kept);
  return r;
}

/* Whether nobody but this connection has the memory of an array. */
static bool is_private(const numd_array *array) {
  const struct block *b = ((const struct array_impl *)array)->block;
  return b && !b->borrowed && b->shared_epoch == 0;
}

static bool arrays_meet(const numd_array *a, const numd_array *b) {
  const int64_t *x = layout_impl(a->layout)->extents, *y = layout_impl(b->layout)->extents;
  const char *at = a->data, *other = b->data;
  return at + x[0] < other + y[1] && other + y[0] < at + x[1];
}

int numd_may_repeat(int n_args, const numd_arg args[], int n_out, numd_array *const out[]) {
  for (int o = 0; o < n_out; o++) {
    if (out[o] && !is_private(out[o]))
      return 0;
    for (int i = 0; out[o] && i < n_args; i++)
      if (args[i].array && arrays_meet(out[o], args[i].array))
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
  r = numd_wait(&t, NUMD_FOREVER, result); /* it may have been done after all */
  return r == NUMD_ECANCELLED
             ? error_set(NUMD_ETIMEOUT, "the call was not done within the time limit and was cancelled")
             : r;
}

int numd_plan_call(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                   int64_t timeout_ns) {
  numd_array *out[MAX_BINDINGS];
  int r = call_once(plan, n_args, args, result, timeout_ns);
  if (__builtin_expect(r != NUMD_EDISCONNECTED, 1))
    return r;
  for (int i = 0; i < plan->n_outputs; i++)
    out[i] = args[plan->n_inputs + i].array;
  bool again = numd_may_repeat(plan->n_inputs, args, plan->n_outputs, out);
  return again ? call_once(plan, n_args, args, result, timeout_ns) : r;
}

int numd_plan_submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket) {
  int r = submit(plan, n_args, args, ticket);
  if (r == 0 && ticket->channel)
    channel_settle(ticket->channel);
  return r;
}

/* How long a call computes, by the daemon's estimate; a great number if it is slept through. */
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
  int r;
  if (ticket->channel) {
    r = channel_wait(ticket->channel, ticket->number, ticket->spin_ns, timeout_ns, &item);
    if (r == NUMD_ETIMEOUT)
      return r;
  } else if (ticket->number) {
    struct answer *a = (struct answer *)(uintptr_t)ticket->number;
    item = a->result;
    r = a->status ? error_set(a->status, "%s", a->sentence) : 0;
    ticket->number = 0;
    free(a);
  } else {
    return error_set(NUMD_EINVAL, "this ticket was finished before");
  }
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
  if (ch->epoch != ch->conn->epoch || ch->conn->fork_generation != atomic_load(&fork_generation))
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
