/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of the operations that work on whole arrays: nodes that run an array kernel, and operations that
 * are composed of such nodes. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/lower.h"

int lower_array_of(struct lowering *l, const struct op *op, uint8_t dtype, int n_in, const uint32_t in[],
                   uint32_t *out) {
  const struct array_kernel *kernel = kernel_array(op->code);
  struct node *node;
  struct value *value;
  int n_out = op_rows[op->code].n_out, r = 0;
  if (!kernel)
    return lower_no_loop(l, dtype);
  struct array_job *job = calloc(1, sizeof(*job));
  if (!job)
    return -ENOMEM;
  *job =
      (struct array_job){.op = op->code, .dtype = dtype, .n_in = n_in, .n_out = n_out, .params = op->params};
  uint32_t source[NUMD_OP_MAX_IN];
  for (int i = 0; i < n_in && !r; i++) {
    source[i] = in[i];
    r = lower_in_memory(l, &source[i]);
    job->in[i] = value_at(l, source[i])->layout;
  }
  if (r || (r = kernel->plan(job, l->err)))
    goto out;
  for (int i = 0; i < n_out; i++) {
    r = lower_check_size(l, &job->out[i]);
    if (!r && layout_set_c_order(&job->out[i]) < 0)
      r = lower_too_large(l, &job->out[i]);
    if (r)
      goto out;
  }
  if ((r = lower_add_node(l, NODE_ARRAY, op->code, dtype, &node, &value, out)))
    goto out;
  uint32_t node_number = l->out->n_nodes - 1, number;
  node->n_in = (uint8_t)n_in;
  memcpy(node->in, source, sizeof(source[0]) * (size_t)n_in);
  node->job = job;
  for (int i = 1; i < n_out && !r; i++)
    r = lower_add_value(l, VALUE_NODE, &number);
  for (int i = 0; i < n_out && !r; i++) {
    value = value_at(l, *out + (uint32_t)i);
    value->index = node_number;
    value->layout = job->out[i];
    value->in_c_order = true;
  }
  return r; /* the node has the job */
out:
  free(job);
  return r;
}

/* As lower_array_of, with the numbers of all its values. */
static int one_kernel_of(struct lowering *l, const struct op *op, uint8_t dtype, const uint32_t in[],
                         uint32_t out[]) {
  uint32_t first = 0;
  int r = lower_array_of(l, op, dtype, op->n_in, in, &first);
  for (int i = 0; i < op_rows[op->code].n_out; i++)
    out[i] = first + (uint32_t)i;
  return r;
}

/* Casts the inputs to `dtype`, but for those whose bits are set in `as_they_are`. */
static int cast_inputs(struct lowering *l, const struct op *op, uint8_t dtype, uint32_t as_they_are,
                       uint32_t in[]) {
  for (int i = 0; i < op->n_in; i++) {
    in[i] = op->in[i];
    int r = as_they_are >> i & 1 ? 0 : lower_cast(l, op->in[i], dtype, &in[i]);
    if (r)
      return r;
  }
  return 0;
}

static int wants_integers(struct lowering *l, uint32_t v) {
  char kind = dtype_rows[value_at(l, v)->layout.dtype].kind;
  return kind == 'i' || kind == 'u' ? 0
                                    : errtext_set(l->err, NUMD_EDTYPE, "%s: indices must be integers, not %s",
                                                  OP_NAME(l), dtype_rows[value_at(l, v)->layout.dtype].name);
}

/* Operations that pick or place elements of x1 by indices or by a mask. */
static int lower_gather(struct lowering *l, const struct op *op, uint32_t out[]) {
  uint8_t dtype = value_at(l, op->in[0])->layout.dtype;
  bool by_mask = op->code == NUMD_OP_EXTRACT || op->code == NUMD_OP_PLACE;
  uint32_t in[NUMD_OP_MAX_IN] = {0};
  int r = cast_inputs(l, op, dtype, 3, in);
  if (r || (r = by_mask ? lower_cast(l, in[1], NUMD_BOOL, &in[1]) : wants_integers(l, in[1])))
    return r;
  return one_kernel_of(l, op, dtype, in, out);
}

/* Differences of neighbours, n times. */
static int lower_diff(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout in = value_at(l, op->in[0])->layout;
  uint8_t code = in.dtype == NUMD_BOOL ? NUMD_OP_NOT_EQUAL : NUMD_OP_SUBTRACT;
  int64_t times = param_given(op, NUMD_PARAM_N) ? op->params.n : 1;
  uint32_t v = op->in[0], later, earlier;
  int axis, r = lower_axis(l, op, in.ndim, -1, &axis);
  if (r)
    return r;
  if (times < 0)
    return errtext_set(l->err, NUMD_EINVAL, "diff: n is %lld, it must not be negative", (long long)times);
  if (times > in.shape[axis])
    times = in.shape[axis];
  for (int64_t n = in.shape[axis] - 1, i = 0; i < times && !r; i++, n--) {
    if (n < 0)
      n = 0;
    if ((r = lower_sliced(l, v, axis, 1, n, 1, &later)) || (r = lower_sliced(l, v, axis, 0, n, 1, &earlier)))
      break;
    r = lower_binary(l, code, later, earlier, &v);
  }
  *out = v;
  return r;
}

static int lower_make(struct lowering *l, const struct op *op, uint32_t out[]) {
  uint8_t dtype = op->n_in ? lower_promoted(l, op, 0, op->n_in) : NUMD_FLOAT64;
  uint32_t in[NUMD_OP_MAX_IN];
  bool given = param_given(op, NUMD_PARAM_DTYPE);
  int r;
  if (op->code == NUMD_OP_LINSPACE)
    dtype = dtype_rows[dtype].kind == 'c' || (given && dtype_rows[op->params.dtype].kind == 'c')
                ? NUMD_COMPLEX128
                : NUMD_FLOAT64;
  else if (given)
    dtype = op->params.dtype;
  if ((r = cast_inputs(l, op, dtype, 0, in)))
    return r;
  if (op->code != NUMD_OP_FULL)
    return one_kernel_of(l, op, dtype, in, out);
  struct op wide = {.code = NUMD_OP_BROADCAST_TO, .n_in = 1, .in = {(uint16_t)in[0]}, .params = op->params};
  return lower_rearranged(l, &wide, out);
}

/* ---- Composed linear algebra ---- */

static int not_square(struct lowering *l, const struct layout *a) {
  char text[SHAPE_TEXT];
  return errtext_set(l->err, NUMD_ESHAPE, "%s: the last two axes must be square, not %s", OP_NAME(l),
                     array_shape_text(a, text));
}

/* The unit matrix, repeated over the leading axes of `a`. */
static int identity_like(struct lowering *l, const struct layout *a, uint32_t *out) {
  struct op eye = {.code = NUMD_OP_EYE};
  struct op wide = {.code = NUMD_OP_BROADCAST_TO, .n_in = 1};
  uint32_t one;
  eye.params.given = NUMD_PARAM_SHAPE | NUMD_PARAM_DTYPE;
  eye.params.dtype = a->dtype;
  eye.params.n_ints[0] = 2;
  eye.params.ints[0][0] = eye.params.ints[0][1] = a->shape[a->ndim - 1];
  wide.params.n_ints[0] = a->ndim;
  memcpy(wide.params.ints[0], a->shape, sizeof(int64_t) * a->ndim);
  int r = lower_array_of(l, &eye, a->dtype, 0, NULL, &one);
  if (r)
    return r;
  wide.in[0] = (uint16_t)one;
  return lower_rearranged(l, &wide, out);
}

/* Multiplies those of the powers 1, 2, 4, ... whose exponents add up to n; each is the square of the one
 * before. */
static int lower_matrix_power(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t x = op->in[0], product = 0;
  struct layout in = value_at(l, x)->layout;
  int64_t n = op->params.n;
  bool have = false;
  int r = 0;
  if (!param_given(op, NUMD_PARAM_N) || n == INT64_MIN)
    return errtext_set(l->err, NUMD_EINVAL, "matrix_power: n must be given");
  if (in.ndim < 2 || in.shape[in.ndim - 1] != in.shape[in.ndim - 2])
    return not_square(l, &in);
  if (n == 0)
    return identity_like(l, &in, out);
  if (n < 0) {
    struct op inverse = {.code = NUMD_OP_INV, .n_in = 1, .in = {(uint16_t)x}};
    n = -n;
    r = lower_array(l, &inverse, &x);
  }
  for (; !r && n; n >>= 1) {
    if (n & 1)
      r = have ? lower_product_of(l, NUMD_OP_MATMUL, product, x, &product) : 0;
    if (n & 1 && !have)
      product = x;
    have |= n & 1;
    if (n > 1 && !r)
      r = lower_product_of(l, NUMD_OP_MATMUL, x, x, &x);
  }
  *out = product;
  return r;
}

/* The largest (ord > 0) or smallest sum of magnitudes in a column (ord 1, -1) or a row (inf, -inf) of each
 * matrix. */
static int lower_sums_norm(struct lowering *l, uint32_t x, double ord, bool keepdims, uint32_t *out) {
  uint32_t y;
  int ndim = value_at(l, x)->layout.ndim, r;
  int summed = isinf(ord) ? ndim - 1 : ndim - 2, other = isinf(ord) ? ndim - 2 : ndim - 1;
  if ((r = lower_unary(l, NUMD_OP_ABS, x, &y)) ||
      (r = lower_reduction(l, NUMD_OP_SUM, y, 1u << summed, true, &y)) ||
      (r = lower_reduction(l, ord > 0 ? NUMD_OP_MAX : NUMD_OP_MIN, y, 1u << other, true, &y)))
    return r;
  if (keepdims) {
    *out = y;
    return 0;
  }
  return lower_reshaped(l, y, ndim - 2, value_at(l, y)->layout.shape, out);
}

/* A reduction of each matrix's singular values: MAX (ord 2), MIN (ord -2) or SUM (nuclear norm). */
static int lower_singular_norm(struct lowering *l, uint32_t x, uint8_t code, bool keepdims, uint32_t *out) {
  struct op values = {.code = NUMD_OP_SVDVALS, .n_in = 1, .in = {(uint16_t)x}};
  struct layout in = value_at(l, x)->layout;
  uint32_t s;
  int r;
  if ((r = lower_array(l, &values, &s)) || (r = lower_reduction(l, code, s, 1u << (in.ndim - 2), false, &s)))
    return r;
  in.shape[in.ndim - 1] = in.shape[in.ndim - 2] = 1;
  return lower_reshaped(l, s, keepdims ? in.ndim : in.ndim - 2, in.shape, out);
}

static int lower_matrix_norm(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout in = value_at(l, op->in[0])->layout;
  uint8_t dtype = lower_quotient(in.dtype);
  bool keepdims = param_given(op, NUMD_PARAM_KEEPDIMS);
  double ord = op->params.real;
  uint32_t x, y;
  int r;
  if (in.ndim < 2)
    return errtext_set(l->err, NUMD_ESHAPE, "matrix_norm: an array with %d dimensions is no matrix", in.ndim);
  if ((r = lower_cast(l, op->in[0], dtype, &x)))
    return r;
  if (param_given(op, NUMD_PARAM_NUCLEAR)) {
    r = lower_singular_norm(l, x, NUMD_OP_SUM, keepdims, &y);
  } else if (!param_given(op, NUMD_PARAM_ORD)) {
    struct op norm = {.code = NUMD_OP_VECTOR_NORM, .n_in = 1, .in = {(uint16_t)x}};
    norm.params.given = NUMD_PARAM_AXES | (op->params.given & NUMD_PARAM_KEEPDIMS);
    norm.params.axes = 3u << (in.ndim - 2);
    r = lower_reduce(l, &norm, &y);
  } else if (fabs(ord) == 2) {
    r = lower_singular_norm(l, x, ord > 0 ? NUMD_OP_MAX : NUMD_OP_MIN, keepdims, &y);
  } else if (fabs(ord) == 1 || isinf(ord)) {
    r = lower_sums_norm(l, x, ord, keepdims, &y);
  } else {
    r = errtext_set(l->err, NUMD_EINVAL, "matrix_norm: ord is %g, not 1, -1, 2, -2, inf or -inf", ord);
  }
  return r ? r : lower_cast(l, y, (uint8_t)dtype_part(dtype), out);
}

int lower_array(struct lowering *l, const struct op *op, uint32_t out[]) {
  const struct numd_op_info *row = &op_rows[op->code];
  uint32_t in[NUMD_OP_MAX_IN] = {0};
  int r;
  if (row->op_class == NUMD_CLASS_MAKE)
    return lower_make(l, op, out);
  uint8_t dtype = lower_promoted(l, op, 0, row->typing == NUMD_TYPING_GATHER ? 1 : op->n_in);
  if (!op_takes(op->code, dtype))
    return lower_no_loop(l, dtype);
  switch (op->code) {
    case NUMD_OP_DIFF:
      return lower_diff(l, op, out);
    case NUMD_OP_MATRIX_POWER:
      return lower_matrix_power(l, op, out);
    case NUMD_OP_MATRIX_NORM:
      return lower_matrix_norm(l, op, out);
    default:
      break;
  }
  if (row->typing == NUMD_TYPING_GATHER)
    return lower_gather(l, op, out);
  if (row->op_class == NUMD_CLASS_LINALG)
    dtype = lower_quotient(dtype);
  else if (row->typing == NUMD_TYPING_SUM)
    dtype = lower_sum_dtype(op, dtype);
  if ((r = cast_inputs(l, op, dtype, 0, in)))
    return r;
  return one_kernel_of(l, op, dtype, in, out);
}
