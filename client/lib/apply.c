/* SPDX-License-Identifier: BSD-3-Clause */
/* One operation at a time: numd_apply checks the arguments, finds the plan by signature, makes the outputs,
 * and hands the call over like any other.
 *
 * In the common case there are at most three inputs, one output and short parameters (flags, axes, an axis, a
 * dtype), and the signature is a few words without a rest. */
#include <string.h>

#include "client/lib/array.h"
#include "client/lib/bindings.h"
#include "client/lib/call.h"
#include "client/lib/error.h"
#include "client/lib/op_info.h"
#include "client/lib/params.h"
#include "client/lib/plan_cache.h"
#include "client/lib/submit.h"

#define MAX_ARGS (NUMD_OP_MAX_IN + NUMD_OP_MAX_OUT)

#define SHORT_MASK 1u
#define SHORT_FLAG 1u
#define SHORT_DTYPE 1u
#define SHORT_AXIS 1u
#define SHORT_N 0u
#define SHORT_K 0u
#define SHORT_REAL 0u
#define SHORT_LIST0 0u
#define SHORT_LIST1 0u
#define SHORT_LIST2 0u
/* Bit i: the head of a signature has room for parameter i. */
#define SHORT_PARAMS (0u NUMD_PARAM_LIST(SHORT_PARAM))
#define SHORT_PARAM(bit, NAME, name, type, doc) | SHORT_##type << (bit)

/* A call of numd_apply, before its plan is known. */
struct apply {
  struct op_call call;
  numd_array **out;
  unsigned made; /* bit i: out[i] is made here */
};

/* The bindings of the inputs. If there are complex scalars, *kept is the array that holds them. */
static int bind_args(const struct apply *s, uint64_t bindings[], numd_array **kept) {
  bool complex = false;
  int r = op_check(s->call.op, s->call.n_args);
  for (int i = 0; r == 0 && i < s->call.n_args; i++)
    r = binding_of(s->call.conn, op_rows[s->call.op].name, i, &s->call.args[i], &bindings[i], &complex);
  return r == 0 && complex ? bindings_keep_complex(s->call.conn, s->call.n_args, s->call.args, bindings, kept)
                           : r;
}

/* ---- Signatures ---- */

static const void *sign_arg(const numd_arg *arg) {
  return arg->array ? (const void *)arg->array->layout : SIGNATURE_SCALAR(arg->scalar.dtype);
}

static const void *sign_out(numd_array *const *out) {
  return !out ? SIGNATURE_RESULT : *out ? (*out)->layout : NULL;
}

/* The operation and its parameters in one word. 0 if they do not fit, or if one is out of range, which
 * params_read will refuse with a sentence. */
static uint64_t sign_head(numd_op op, const numd_params *params) {
  if (!params || !params->given)
    return (uint64_t)op;
  uint32_t given = params->given;
  if (given & ~SHORT_PARAMS)
    return 0;
  uint64_t axes = given & NUMD_PARAM_AXES ? params->axes : 0;
  uint64_t dtype = given & NUMD_PARAM_DTYPE ? (uint64_t)params->dtype : 0;
  uint64_t axis = given & NUMD_PARAM_AXIS ? (uint64_t)(params->axis + MAX_DIMS) : 0;
  if (axes >> MAX_DIMS || axis >> 5 || dtype >> 8)
    return 0;
  return (uint64_t)op | dtype << 8 | axes << 16 | (uint64_t)given << 32 | axis << 57;
}
_Static_assert(NUMD_N_PARAMS <= 25 && MAX_DIMS <= 16, "they fit the head of a signature");

/* The rest of a signature: what its words have no room for. */
static int sign_rest(const struct apply *s, struct signature_rest *rest, struct signature *signature) {
  int n_arrays = op_n_arrays(s->call.op), r;
  memset(rest, 0, sizeof(*rest));
  signature->head = (uint64_t)s->call.op;
  signature->rest = rest;
  if ((r = params_read(s->call.op, s->call.params, &rest->params)))
    return r;
  for (int i = 3; i < s->call.n_args; i++)
    rest->arg[i - 3] = sign_arg(&s->call.args[i]);
  for (int i = 1; i < n_arrays; i++)
    rest->out[i] = sign_out(&s->out[i]);
  if (op_counts(s->call.op))
    rest->out[n_arrays] = SIGNATURE_RESULT;
  return 0;
}

static int sign(const struct apply *s, struct signature_rest *rest, struct signature *signature) {
  *signature = (struct signature){.head = sign_head(s->call.op, s->call.params), .out = sign_out(s->out)};
  for (int i = 0; i < s->call.n_args && i < 3; i++)
    signature->arg[i] = sign_arg(&s->call.args[i]);
  if (__builtin_expect(signature->head != 0 && s->call.n_args <= 3 && op_rows[s->call.op].n_out == 1, 1))
    return 0;
  return sign_rest(s, rest, signature);
}

/* ---- Outputs ---- */

static int check_out(const struct apply *s, int n_arrays) {
  if (!s->out)
    return op_rows[s->call.op].n_out == 1
               ? 0
               : error_set(NUMD_EINVAL, "%s gives several arrays", op_rows[s->call.op].name);
  for (int i = 0; i < n_arrays; i++)
    if (s->out[i] && s->out[i]->conn != s->call.conn)
      return error_set(NUMD_EINVAL, "%s: the output belongs to another connection", op_rows[s->call.op].name);
  return 0;
}

/* Drops outputs that were made here. */
static void drop_outs(struct apply *s) {
  for (int i = 0; s->made >> i; i++)
    if (s->made >> i & 1) {
      numd_array_unref(s->out[i]);
      s->out[i] = NULL;
    }
  s->made = 0;
}

/* Makes the outputs that are to be made; bindings and args get all of them behind the inputs. */
static int make_outs(struct apply *s, const numd_plan *plan, int n_arrays, numd_arg all[],
                     uint64_t bindings[]) {
  for (int i = 0; i < n_arrays; i++) {
    int at = s->call.n_args + i;
    if (!s->out[i]) {
      int r = array_of_layout(s->call.conn, plan->operands[at].layout, &s->out[i]);
      if (r)
        return r;
      s->made |= 1u << i;
    }
    all[at] = (numd_arg){.array = s->out[i]};
    bindings[at] = s->out[i]->binding;
  }
  return 0;
}

/* ---- Applying ---- */

/* Finds the plan and makes the outputs. all and bindings get the inputs and then the outputs. Gives how many
 * these are together, or the negative of a status. */
static int set_up(struct apply *s, numd_plan **plan, numd_arg all[], uint64_t bindings[], numd_array **kept) {
  struct signature signature;
  struct signature_rest rest;
  int r = bind_args(s, bindings, kept);
  if (r)
    return -r;
  int n_arrays = s->out ? op_n_arrays(s->call.op) : 0;
  if ((r = check_out(s, n_arrays)) || (r = sign(s, &rest, &signature)) ||
      (r = plan_cache_get(&s->call, &signature, plan)))
    return -r;
  memcpy(all, s->call.args, sizeof(*all) * (size_t)s->call.n_args);
  r = make_outs(s, *plan, n_arrays, all, bindings);
  return r ? -r : s->call.n_args + n_arrays;
}

/* Hands the call over; afterwards the caller waits for it or settles (submit.h). If that fails, the outputs
 * that were made here are dropped. */
static int start(struct apply *s, numd_ticket *ticket) {
  numd_plan *plan = NULL;
  numd_array *kept = NULL;
  numd_arg all[MAX_ARGS];
  uint64_t bindings[MAX_ARGS];
  int n = set_up(s, &plan, all, bindings, &kept);
  int r = n < 0 ? -n : call_start(plan, n, all, bindings, ticket);
  if (r) {
    drop_outs(s);
    numd_array_unref(kept);
    return r;
  }
  ticket->kept = kept;
  return 0;
}

int numd_apply_submit(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                      const numd_arg args[], numd_array **out, numd_ticket *ticket) {
  struct apply s = {{conn, op, params, n_args, args}, out, 0};
  int r = start(&s, ticket);
  if (r == 0 && ticket->channel)
    channel_settle(ticket->channel);
  return r;
}

/* Cuts the outputs that were made here to what the call used of them. */
static int trim_made(const struct apply *s, int64_t count) {
  numd_array *made[NUMD_OP_MAX_OUT] = {NULL};
  for (int i = 0; s->made >> i; i++)
    made[i] = s->made >> i & 1 ? s->out[i] : NULL;
  int r = numd_trim(s->call.op, made, count);
  for (int i = 0; s->made >> i; i++)
    if (made[i])
      s->out[i] = made[i];
  return r;
}

int numd_apply_for(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                   numd_array **out, numd_scalar *result, int64_t timeout_ns, numd_ticket *ticket) {
  struct apply s = {{conn, op, params, n_args, args}, out, 0};
  numd_scalar count;
  int r = start(&s, ticket);
  if (r)
    return r;
  bool counts = __builtin_expect(op_counts(op), 0);
  if (counts && !result)
    result = &count;
  r = call_wait_for(ticket, timeout_ns, result);
  if (r == 0 && counts)
    r = trim_made(&s, result->i);
  if (r && r != NUMD_ETIMEOUT)
    drop_outs(&s);
  return r;
}

int numd_apply(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
               numd_array **out, numd_scalar *result) {
  numd_ticket ticket;
  int r = numd_apply_for(conn, op, params, n_args, args, out, result, NUMD_FOREVER, &ticket);
  if (call_was_lost(r) && numd_may_repeat(n_args, args, out ? op_n_arrays(op) : 0, out))
    r = numd_apply_for(conn, op, params, n_args, args, out, result, NUMD_FOREVER, &ticket);
  return r;
}
