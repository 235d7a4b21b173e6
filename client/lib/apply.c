/* One operation at a time: its arguments are checked, its plan is found by signature, outputs are made, and
 * the call goes the way of any other.
 *
 * The common case has at most three inputs, one output and short parameters (flags, axes, an axis, a dtype):
 * then all that the signature is made of are a few words. */
#include <string.h>

#include "client/lib/internal.h"

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
/* The parameters that fit a word. */
#define SHORT_PARAMS (0u NUMD_PARAM_LIST(SHORT_PARAM))
#define SHORT_PARAM(bit, NAME, name, type, doc) | SHORT_##type << (bit)

/* What is known of a call before its plan. */
struct setting {
  numd_conn *conn;
  numd_op op;
  const numd_params *params;
  int n_args;
  const numd_arg *args;
  numd_array **out;
  unsigned made; /* bit i: out[i] is made here */
};

static int check_count(numd_op op, int n_args) {
  if (!op_known(op))
    return error_set(NUMD_EOP, "no operation has the number %d", (int)op);
  const struct op_row *row = &op_rows[op];
  if (row->n_in < 0 && (n_args < 1 || n_args > NUMD_OP_MAX_IN))
    return error_set(NUMD_EINVAL, "%s takes 1 to %d inputs, but %d were given", row->name, NUMD_OP_MAX_IN,
                     n_args);
  if (row->n_in >= 0 && n_args != row->n_in)
    return error_set(NUMD_EINVAL, "%s takes %d inputs, but %d were given", row->name, row->n_in, n_args);
  return 0;
}

/* *kept: complex scalars, if there are any. */
static int check_args(const struct setting *s, uint64_t words[], numd_array **kept) {
  bool complex = false;
  int r = check_count(s->op, s->n_args);
  if (r)
    return r;
  for (int i = 0; i < s->n_args; i++) {
    const numd_array *a = s->args[i].array;
    numd_dtype dtype = s->args[i].scalar.dtype;
    if (a && a->conn != s->conn)
      return error_set(NUMD_EINVAL, "%s: argument %d belongs to another connection", op_rows[s->op].name, i);
    if (!a && !is_scalar_dtype(dtype)) {
      if (dtype != NUMD_COMPLEX128)
        return error_set(NUMD_EDTYPE,
                         "%s: argument %d: a scalar is bool, int64, uint64, float64 or complex128",
                         op_rows[s->op].name, i);
      complex = true;
    }
    words[i] = a ? a->binding : s->args[i].scalar.bits;
  }
  return complex ? call_keep_complex(s->conn, s->n_args, s->args, words, kept) : 0;
}

/* ---- Signatures ---- */

static const void *sign_arg(const numd_arg *arg) {
  return arg->array ? (const void *)arg->array->layout : SIGNATURE_SCALAR(arg->scalar.dtype);
}

static const void *sign_out(numd_array *const *out) {
  return !out ? SIGNATURE_RESULT : *out ? (*out)->layout : NULL;
}

/* The operation and short parameters as one word. 0: they are not short, or not in order. */
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
_Static_assert(N_PARAMS <= 25 && MAX_DIMS <= 16, "they fit the head of a signature");

/* Everything that the words leave out. */
static int sign_rest(const struct setting *s, struct signature_rest *rest, struct signature *signature) {
  int n_arrays = op_n_arrays(s->op), r;
  memset(rest, 0, sizeof(*rest));
  signature->head = (uint64_t)s->op;
  signature->rest = rest;
  if ((r = params_read(s->op, s->params, &rest->params)))
    return r;
  for (int i = 3; i < s->n_args; i++)
    rest->arg[i - 3] = sign_arg(&s->args[i]);
  for (int i = 1; i < n_arrays; i++)
    rest->out[i] = sign_out(&s->out[i]);
  if (op_counts(s->op))
    rest->out[n_arrays] = SIGNATURE_RESULT;
  return 0;
}

static int sign(const struct setting *s, struct signature_rest *rest, struct signature *signature) {
  *signature = (struct signature){.head = sign_head(s->op, s->params), .out = sign_out(s->out)};
  for (int i = 0; i < s->n_args && i < 3; i++)
    signature->arg[i] = sign_arg(&s->args[i]);
  if (__builtin_expect(signature->head != 0 && s->n_args <= 3 && op_rows[s->op].n_out == 1, 1))
    return 0;
  return sign_rest(s, rest, signature);
}

/* ---- Outputs ---- */

static int check_out(const struct setting *s, int n_arrays) {
  if (!s->out)
    return op_rows[s->op].n_out == 1 ? 0
                                     : error_set(NUMD_EINVAL, "%s gives several arrays", op_rows[s->op].name);
  for (int i = 0; i < n_arrays; i++)
    if (s->out[i] && s->out[i]->conn != s->conn)
      return error_set(NUMD_EINVAL, "%s: the output belongs to another connection", op_rows[s->op].name);
  return 0;
}

/* Drops outputs that were made here. */
static void drop_outs(struct setting *s) {
  for (int i = 0; s->made >> i; i++)
    if (s->made >> i & 1) {
      numd_array_unref(s->out[i]);
      s->out[i] = NULL;
    }
  s->made = 0;
}

/* Makes the outputs that are to be made; words and args get all of them behind the inputs. */
static int make_outs(struct setting *s, const numd_plan *plan, int n_arrays, numd_arg all[],
                     uint64_t words[]) {
  for (int i = 0; i < n_arrays; i++) {
    int at = s->n_args + i;
    if (!s->out[i]) {
      int r = array_of_layout(s->conn, plan->args[at].layout, &s->out[i]);
      if (r)
        return r;
      s->made |= 1u << i;
    }
    all[at] = (numd_arg){.array = s->out[i]};
    words[at] = s->out[i]->binding;
  }
  return 0;
}

/* ---- Applying ---- */

/* Finds the plan and makes the outputs; gives the number of all arguments, or the negative of a status. */
static int set_up(struct setting *s, numd_plan **plan, numd_arg all[], uint64_t words[], numd_array **kept) {
  struct signature signature;
  struct signature_rest rest;
  int r = check_args(s, words, kept);
  if (r)
    return -r;
  int n_arrays = s->out ? op_n_arrays(s->op) : 0;
  if ((r = check_out(s, n_arrays)) || (r = sign(s, &rest, &signature)) ||
      (r = lookup(s->conn, s->op, s->params, s->n_args, s->args, &signature, plan)))
    return -r;
  memcpy(all, s->args, sizeof(*all) * (size_t)s->n_args);
  r = make_outs(s, *plan, n_arrays, all, words);
  return r ? -r : s->n_args + n_arrays;
}

/* Hands the call over, after which the caller waits or settles. Outputs made here go if that fails. */
static int start(struct setting *s, numd_ticket *ticket) {
  numd_plan *plan = NULL;
  numd_array *kept = NULL;
  numd_arg all[MAX_ARGS];
  uint64_t words[MAX_ARGS];
  int n = set_up(s, &plan, all, words, &kept);
  int r = n < 0 ? -n : call_start(plan, n, all, words, ticket);
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
  struct setting s = {conn, op, params, n_args, args, out, 0};
  int r = start(&s, ticket);
  if (r == 0 && ticket->channel)
    channel_settle(ticket->channel);
  return r;
}

/* Cuts the outputs that were made here to what the call used of them. */
static int trim_made(const struct setting *s, int64_t count) {
  numd_array *made[NUMD_OP_MAX_OUT] = {NULL};
  for (int i = 0; s->made >> i; i++)
    made[i] = s->made >> i & 1 ? s->out[i] : NULL;
  int r = numd_trim(s->op, made, count);
  for (int i = 0; s->made >> i; i++)
    if (made[i])
      s->out[i] = made[i];
  return r;
}

int numd_apply_for(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                   numd_array **out, numd_scalar *result, int64_t timeout_ns, numd_ticket *ticket) {
  struct setting s = {conn, op, params, n_args, args, out, 0};
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
  if (__builtin_expect(r != NUMD_EDISCONNECTED, 1) ||
      !numd_may_repeat(n_args, args, out ? op_n_arrays(op) : 0, out))
    return r;
  return numd_apply_for(conn, op, params, n_args, args, out, result, NUMD_FOREVER, &ticket);
}
