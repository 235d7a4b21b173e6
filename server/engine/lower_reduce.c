/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of reductions, and of what is composed of them: mean, variance, norms. */
#include <math.h>
#include <string.h>

#include "server/engine/lower.h"

/* The axes that are reduced, and how many elements are reduced to one. */
static int reduced_axes(struct lowering *l, const struct op *op, const struct layout *in, uint32_t *axes,
                        int64_t *count) {
  uint32_t all = (uint32_t)((1ull << in->ndim) - 1);
  *axes = param_given(op, NUMD_PARAM_AXES) ? op->params.axes : all;
  if (*axes & ~all)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: axis %d of an array with %d dimensions", OP_NAME(l),
                       31 - __builtin_clz(*axes), in->ndim);
  *count = 1;
  for (int d = 0; d < in->ndim; d++)
    if (*axes >> d & 1)
      *count *= in->shape[d];
  return 0;
}

static void reduced_shape(const struct layout *in, uint32_t axes, bool keepdims, struct layout *out) {
  out->ndim = 0;
  for (int d = 0; d < in->ndim; d++) {
    bool gone = axes >> d & 1;
    if (!gone || keepdims)
      out->shape[out->ndim++] = gone ? 1 : in->shape[d];
  }
}

/* A node that reduces x, converted first if no kernel takes its dtype. Its value has the dtype of the
 * accumulator. */
static int add_reduction(struct lowering *l, uint8_t code, uint32_t x, uint32_t axes, bool keepdims,
                         uint32_t *out) {
  struct layout in = value_at(l, x)->layout;
  numd_dtype acc = NUMD_DTYPE_NONE;
  kernel_reduce_fn fn = kernel_reduce(code, in.dtype, &acc);
  bool truth = code == NUMD_OP_ANY || code == NUMD_OP_ALL || code == NUMD_OP_COUNT_NONZERO;
  int r;
  if (!fn) {
    if (acc == NUMD_DTYPE_NONE)
      return lower_no_loop(l, in.dtype);
    in.dtype = truth ? NUMD_BOOL : (uint8_t)acc;
    if ((r = lower_cast(l, x, in.dtype, &x)))
      return r;
    if (!(fn = kernel_reduce(code, in.dtype, &acc)))
      return lower_no_loop(l, in.dtype);
  }
  struct node *node;
  struct value *value;
  if ((r = lower_add_node(l, NODE_REDUCE, code, in.dtype, &node, &value, out)))
    return r;
  node->n_in = 1;
  node->in[0] = x;
  node->reduce = fn;
  node->acc = (uint8_t)acc;
  node->axes = axes;
  reduced_shape(&in, axes, keepdims, &value->layout);
  value->layout.dtype = (uint8_t)acc;
  return 0;
}

int lower_reduction(struct lowering *l, uint8_t code, uint32_t x, uint32_t axes, bool keepdims,
                    uint32_t *out) {
  const struct layout *in = &value_at(l, x)->layout;
  _Alignas(MAX_ITEM_BYTES) char identity[MAX_ITEM_BYTES];
  bool empty = false;
  *out = x; /* so that a caller's variable is set even after an error */
  for (int d = 0; d < in->ndim; d++)
    empty |= (axes >> d & 1) && in->shape[d] == 0;
  if (empty && !kernel_reduce_identity(code, in->dtype, identity))
    return errtext_set(l->err, NUMD_EDOMAIN, "%s: of no elements, and it has no identity", OP_NAME(l));
  return add_reduction(l, code, x, axes, keepdims, out);
}

static int lower_sum(struct lowering *l, const struct op *op, uint32_t axes, uint32_t *out) {
  uint32_t x = op->in[0], sum;
  uint8_t in = value_at(l, x)->layout.dtype, result = lower_sum_dtype(op, in);
  int r = 0;
  if (param_given(op, NUMD_PARAM_DTYPE))
    r = lower_cast(l, x, result, &x);
  if (r || (r = lower_reduction(l, op->code, x, axes, param_given(op, NUMD_PARAM_KEEPDIMS), &sum)))
    return r;
  return lower_cast(l, sum, result, out);
}

static int divide_by(struct lowering *l, uint32_t sum, double count, uint32_t *out) {
  uint32_t n;
  int r = lower_constant(l, count, &n);
  return r ? r : lower_binary(l, NUMD_OP_DIVIDE, sum, n, out);
}

/* The mean, in the dtype in which sums accumulate. Integers of less than 64 bits are summed in 64, without
 * rounding; wider ones as float64, since their sum could wrap around. */
static int lower_mean_wide(struct lowering *l, uint32_t x, uint32_t axes, bool keepdims, int64_t count,
                           uint32_t *out) {
  const struct numd_dtype_info *in = &dtype_rows[value_at(l, x)->layout.dtype];
  uint32_t sum;
  int r = 0;
  if ((in->kind == 'i' || in->kind == 'u') && in->size == 8)
    r = lower_cast(l, x, NUMD_FLOAT64, &x);
  if (r || (r = lower_reduction(l, NUMD_OP_SUM, x, axes, keepdims, &sum)))
    return r;
  return divide_by(l, sum, (double)count, out);
}

static int lower_mean(struct lowering *l, const struct op *op, uint32_t axes, int64_t count, uint32_t *out) {
  uint8_t result = lower_quotient(value_at(l, op->in[0])->layout.dtype);
  uint32_t mean;
  int r = lower_mean_wide(l, op->in[0], axes, param_given(op, NUMD_PARAM_KEEPDIMS), count, &mean);
  return r ? r : lower_cast(l, mean, result, out);
}

/* x * conj(x), of a real dtype. */
static int lower_square_magnitude(struct lowering *l, uint32_t x, uint32_t *out) {
  uint32_t re, im, rr, ii;
  int r;
  if (dtype_rows[value_at(l, x)->layout.dtype].kind != 'c')
    return lower_binary(l, NUMD_OP_MULTIPLY, x, x, out);
  if ((r = lower_unary(l, NUMD_OP_REAL, x, &re)) || (r = lower_unary(l, NUMD_OP_IMAG, x, &im)) ||
      (r = lower_binary(l, NUMD_OP_MULTIPLY, re, re, &rr)) ||
      (r = lower_binary(l, NUMD_OP_MULTIPLY, im, im, &ii)))
    return r;
  return lower_binary(l, NUMD_OP_ADD, rr, ii, out);
}

/* Two passes: the mean, then the sum of the squared distances from it. The second pass converts x again: to
 * keep the converted array from the first pass would take memory as large as x. */
static int lower_variance(struct lowering *l, const struct op *op, uint32_t axes, int64_t count,
                          uint32_t *out) {
  uint8_t in = value_at(l, op->in[0])->layout.dtype, result = (uint8_t)dtype_part(lower_quotient(in));
  double correction = param_given(op, NUMD_PARAM_CORRECTION) ? op->params.real : 0;
  uint32_t mean, x, distance, square, sum;
  int r = lower_mean_wide(l, op->in[0], axes, true, count, &mean);
  l->reuse_from = l->out->n_nodes;
  if (r || (r = lower_cast(l, op->in[0], value_at(l, mean)->layout.dtype, &x)) ||
      (r = lower_binary(l, NUMD_OP_SUBTRACT, x, mean, &distance)) ||
      (r = lower_square_magnitude(l, distance, &square)) ||
      (r = lower_reduction(l, NUMD_OP_SUM, square, axes, param_given(op, NUMD_PARAM_KEEPDIMS), &sum)) ||
      (r = divide_by(l, sum, fmax((double)count - correction, 0), out)))
    return r;
  if (op->code == NUMD_OP_STD && (r = lower_unary(l, NUMD_OP_SQRT, *out, out)))
    return r;
  return lower_cast(l, *out, result, out);
}

/* (sum of abs(x)^ord)^(1/ord). */
static int lower_power_norm(struct lowering *l, uint32_t magnitude, double ord, uint32_t axes, bool keepdims,
                            uint32_t *out) {
  uint32_t power, sum, exponent, root;
  int r;
  if ((r = lower_constant(l, ord, &exponent)) ||
      (r = lower_binary(l, NUMD_OP_POW, magnitude, exponent, &power)) ||
      (r = lower_reduction(l, NUMD_OP_SUM, power, axes, keepdims, &sum)) ||
      (r = lower_constant(l, 1 / ord, &root)))
    return r;
  return lower_binary(l, NUMD_OP_POW, sum, root, out);
}

static int lower_vector_norm(struct lowering *l, const struct op *op, uint32_t axes, uint32_t *out) {
  uint8_t in = lower_quotient(value_at(l, op->in[0])->layout.dtype), result = (uint8_t)dtype_part(in);
  double ord = param_given(op, NUMD_PARAM_ORD) ? op->params.real : 2;
  bool keepdims = param_given(op, NUMD_PARAM_KEEPDIMS);
  uint32_t x, y;
  int r;
  if ((r = lower_cast(l, op->in[0], in, &x)))
    return r;
  if (ord == 0)
    r = lower_reduction(l, NUMD_OP_COUNT_NONZERO, x, axes, keepdims, &y);
  else if (ord == 2)
    (void)((r = lower_square_magnitude(l, x, &y)) ||
           (r = lower_reduction(l, NUMD_OP_SUM, y, axes, keepdims, &y)) ||
           (r = lower_unary(l, NUMD_OP_SQRT, y, &y)));
  else if ((r = lower_unary(l, NUMD_OP_ABS, x, &y)) == 0)
    r = isinf(ord) ? lower_reduction(l, ord > 0 ? NUMD_OP_MAX : NUMD_OP_MIN, y, axes, keepdims, &y)
        : ord == 1 ? lower_reduction(l, NUMD_OP_SUM, y, axes, keepdims, &y)
                   : lower_power_norm(l, y, ord, axes, keepdims, &y);
  return r ? r : lower_cast(l, y, result, out);
}

int lower_reduce(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout in = value_at(l, op->in[0])->layout;
  uint32_t axes;
  int64_t count;
  int r;
  if (!op_takes(op->code, in.dtype))
    return lower_no_loop(l, in.dtype);
  if ((r = reduced_axes(l, op, &in, &axes, &count)))
    return r;
  switch (op->code) {
    case NUMD_OP_SUM:
    case NUMD_OP_PROD:
      return lower_sum(l, op, axes, out);
    case NUMD_OP_MEAN:
      return lower_mean(l, op, axes, count, out);
    case NUMD_OP_VAR:
    case NUMD_OP_STD:
      return lower_variance(l, op, axes, count, out);
    case NUMD_OP_VECTOR_NORM:
      return lower_vector_norm(l, op, axes, out);
    default:
      return lower_reduction(l, op->code, op->in[0], axes, param_given(op, NUMD_PARAM_KEEPDIMS), out);
  }
}
