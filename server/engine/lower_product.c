/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of products. matmul, dot and vecdot become product nodes; the others are composed of these, or of
 * elementwise multiplications and sums that are fused. */
#include <stdlib.h>
#include <string.h>

#include "server/engine/lower.h"

static int product_mismatch(struct lowering *l, const struct layout *a, const struct layout *b) {
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  return errtext_set(l->err, NUMD_ESHAPE, "%s: shapes %s and %s do not match", OP_NAME(l),
                     array_shape_text(a, ta), array_shape_text(b, tb));
}

/* The shape of the result of matmul or dot. Which axes pair up is worked out again by product.c. */
static int product_shape(struct lowering *l, const struct op *op, const struct layout *a,
                         const struct layout *b, struct layout *out) {
  int64_t ka = a->shape[a->ndim - 1], kb = b->shape[b->ndim >= 2 ? b->ndim - 2 : 0];
  if (ka != kb)
    return product_mismatch(l, a, b);
  struct layout head = *a, tail = *b;
  head.ndim = a->ndim >= 2 ? (uint8_t)(a->ndim - 2) : 0;
  tail.ndim = b->ndim >= 2 ? (uint8_t)(b->ndim - 2) : 0;
  *out = head;
  if (op->code == NUMD_OP_MATMUL) {
    int r = lower_broadcast(l, out, &tail);
    if (r)
      return r;
  }
  int ndim = out->ndim + (a->ndim >= 2) + (b->ndim >= 2) + (op->code == NUMD_OP_DOT ? tail.ndim : 0);
  if (ndim > MAX_DIMS)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: result has more than %d dimensions", OP_NAME(l), MAX_DIMS);
  if (a->ndim >= 2)
    out->shape[out->ndim++] = a->shape[a->ndim - 2];
  for (int d = 0; op->code == NUMD_OP_DOT && d < tail.ndim; d++)
    out->shape[out->ndim++] = b->shape[d];
  if (b->ndim >= 2)
    out->shape[out->ndim++] = b->shape[b->ndim - 1];
  return 0;
}

static int add_product(struct lowering *l, uint8_t code, uint8_t dtype, const uint32_t in[2],
                       const struct layout *shape, uint32_t *out) {
  struct node *node;
  struct value *value;
  int r = lower_add_node(l, NODE_PRODUCT, code, dtype, &node, &value, out);
  if (r)
    return r;
  node->n_in = 2;
  node->in[0] = in[0];
  node->in[1] = in[1];
  value->layout = *shape;
  value->layout.dtype = dtype;
  return 0;
}

/* matmul and dot. */
static int lower_matrix_product(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout a = value_at(l, op->in[0])->layout, b = value_at(l, op->in[1])->layout, shape;
  uint8_t dtype = lower_promoted(l, op, 0, 2);
  uint32_t in[2];
  int r;
  if (a.ndim == 0 || b.ndim == 0) {
    if (op->code != NUMD_OP_DOT)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: an operand has no dimensions", OP_NAME(l));
    struct op multiply = *op;
    multiply.code = NUMD_OP_MULTIPLY;
    return lower_map(l, &multiply, out);
  }
  if ((r = product_shape(l, op, &a, &b, &shape)) || (r = lower_check_size(l, &shape)))
    return r;
  const int64_t unit[2] = {dtype_rows[dtype].size, dtype_rows[dtype].size};
  if (kernel_matmul_scratch(dtype, 1, 1, 1, unit, unit, unit) < 0)
    return lower_no_loop(l, dtype);
  for (int i = 0; i < 2; i++)
    if ((r = lower_cast(l, op->in[i], dtype, &in[i])))
      return r;
  return add_product(l, op->code, dtype, in, &shape, out);
}

int lower_product_of(struct lowering *l, uint8_t code, uint32_t x, uint32_t y, uint32_t *out) {
  struct op op = {.code = code, .n_in = 2, .in = {(uint16_t)x, (uint16_t)y}};
  return lower_matrix_product(l, &op, out);
}

/* The axis along which the vectors of both operands lie, counted from the end, where broadcasting aligns
 * them. */
static int vector_axis(struct lowering *l, const struct op *op, const struct layout *a,
                       const struct layout *b, int *from_end) {
  int given = param_given(op, NUMD_PARAM_AXIS) ? op->params.axis : -1,
      least = a->ndim < b->ndim ? a->ndim : b->ndim;
  if (given >= 0 && a->ndim == b->ndim)
    given -= a->ndim;
  if (given >= 0 || given < -least)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: axis %d of arrays with %d and %d dimensions", OP_NAME(l),
                       given, a->ndim, b->ndim);
  *from_end = given;
  return 0;
}

/* The view of v that has the vectors' axis as the last, where a product node wants it. */
static int vectors_last(struct lowering *l, uint32_t v, int from_end, uint32_t *out) {
  struct layout layout;
  int r = from_end == -1 ? 0 : lower_in_memory(l, &v);
  *out = v;
  if (r || from_end == -1)
    return r;
  layout = value_at(l, v)->layout;
  const int last = layout.ndim - 1, axis = layout.ndim + from_end;
  const int64_t n = layout.shape[axis], stride = layout.strides[axis];
  for (int d = axis; d < last; d++) {
    layout.shape[d] = layout.shape[d + 1];
    layout.strides[d] = layout.strides[d + 1];
  }
  layout.shape[last] = n;
  layout.strides[last] = stride;
  return lower_view(l, v, &layout, 0, out);
}

/* Sums of conj(x1) * x2: product nodes of 1 x k and k x 1 matrices, which conjugate the first if it is
 * complex. */
static int lower_vecdot(struct lowering *l, const struct op *op, uint32_t *out) {
  const struct layout a = value_at(l, op->in[0])->layout, b = value_at(l, op->in[1])->layout;
  const uint8_t dtype = lower_promoted(l, op, 0, 2);
  struct layout shape, other;
  uint32_t in[2];
  int axis, r = vector_axis(l, op, &a, &b, &axis);
  if (r)
    return r;
  if (a.shape[a.ndim + axis] != b.shape[b.ndim + axis])
    return product_mismatch(l, &a, &b);
  for (int i = 0; i < 2; i++)
    if ((r = lower_cast(l, op->in[i], dtype, &in[i])) || (r = vectors_last(l, in[i], axis, &in[i])))
      return r;
  shape = value_at(l, in[0])->layout;
  other = value_at(l, in[1])->layout;
  shape.ndim--;
  other.ndim--;
  if ((r = lower_broadcast(l, &shape, &other)))
    return r;
  return add_product(l, op->code, dtype, in, &shape, out);
}

/* ---- tensordot ---- */

struct contraction {
  int n;
  int axes[2][MAX_DIMS];
};

static int read_contraction(struct lowering *l, const struct op *op, const struct layout in[2],
                            struct contraction *c) {
  const struct op_params *p = &op->params;
  bool listed = param_given(op, NUMD_PARAM_ORDER);
  int64_t n = listed ? p->n_ints[1] : param_given(op, NUMD_PARAM_N) ? p->n : 2;
  if (listed && p->n_ints[2] != n)
    return errtext_set(l->err, NUMD_EINVAL, "tensordot: %d axes of x1, %d of x2", p->n_ints[1], p->n_ints[2]);
  if (n < 0 || n > in[0].ndim || n > in[1].ndim)
    return errtext_set(l->err, NUMD_ESHAPE, "tensordot: %lld axes of arrays with %d and %d dimensions",
                       (long long)n, in[0].ndim, in[1].ndim);
  uint32_t seen[2] = {0, 0};
  c->n = (int)n;
  for (int i = 0; i < c->n; i++)
    for (int j = 0; j < 2; j++) {
      int64_t axis = listed ? p->ints[1 + j][i] : j == 0 ? in[0].ndim - n + i : i;
      axis += axis < 0 ? in[j].ndim : 0;
      if (axis < 0 || axis >= in[j].ndim || seen[j] >> axis & 1)
        return errtext_set(l->err, NUMD_ESHAPE, "tensordot: an axis of x%d is given twice or does not exist",
                           j + 1);
      seen[j] |= 1u << axis;
      c->axes[j][i] = (int)axis;
    }
  for (int i = 0; i < c->n; i++)
    if (in[0].shape[c->axes[0][i]] != in[1].shape[c->axes[1][i]])
      return product_mismatch(l, &in[0], &in[1]);
  return 0;
}

/* v as a matrix: the axes that are kept are its rows and the n contracted ones its columns, or the other way
 * round. Appends the lengths of the kept axes to `kept`. */
static int as_matrix(struct lowering *l, uint32_t v, const int axes[], int n, bool contracted_first,
                     struct layout *kept, uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout from = value_at(l, v)->layout, to = from;
  uint32_t contracted = 0;
  int64_t size[2] = {1, 1};
  int at = contracted_first ? n : 0, c = contracted_first ? 0 : from.ndim - n;
  for (int i = 0; i < n; i++) {
    contracted |= 1u << axes[i];
    size[1] *= from.shape[axes[i]];
    to.shape[c] = from.shape[axes[i]];
    to.strides[c++] = from.strides[axes[i]];
  }
  if (kept->ndim + from.ndim - n > MAX_DIMS)
    return errtext_set(l->err, NUMD_ESHAPE, "tensordot: result has more than %d dimensions", MAX_DIMS);
  for (int d = 0; d < from.ndim; d++)
    if (!(contracted >> d & 1)) {
      size[0] *= from.shape[d];
      kept->shape[kept->ndim++] = from.shape[d];
      to.shape[at] = from.shape[d];
      to.strides[at++] = from.strides[d];
    }
  const int64_t shape[2] = {size[contracted_first], size[!contracted_first]};
  if ((r = lower_view(l, v, &to, 0, &v)))
    return r;
  return lower_reshaped(l, v, 2, shape, out);
}

static int lower_tensordot(struct lowering *l, const struct op *op, uint32_t *out) {
  const struct layout in[2] = {value_at(l, op->in[0])->layout, value_at(l, op->in[1])->layout};
  struct contraction c;
  struct layout kept = {0};
  uint32_t x, y, product;
  int r = read_contraction(l, op, in, &c);
  if (r || (r = as_matrix(l, op->in[0], c.axes[0], c.n, false, &kept, &x)) ||
      (r = as_matrix(l, op->in[1], c.axes[1], c.n, true, &kept, &y)) ||
      (r = lower_product_of(l, NUMD_OP_MATMUL, x, y, &product)))
    return r;
  return lower_reshaped(l, product, kept.ndim, kept.shape, out);
}

/* ---- outer, cross, trace ---- */

static int lower_outer(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t in[2] = {op->in[0], op->in[1]};
  int r = 0;
  for (int i = 0; i < 2 && !r; i++) {
    int64_t size = 0;
    if ((r = lower_strong(l, &in[i])) || layout_size(&value_at(l, in[i])->layout, &size) < 0)
      return r ? r : lower_check_size(l, &value_at(l, in[i])->layout);
    const int64_t shape[2] = {i == 0 ? size : 1, i == 0 ? 1 : size};
    r = lower_reshaped(l, in[i], 2, shape, &in[i]);
  }
  return r ? r : lower_binary(l, NUMD_OP_MULTIPLY, in[0], in[1], out);
}

/* x[i] y[j] - x[j] y[i], written into a view. */
static int write_minor(struct lowering *l, const uint32_t x[3], const uint32_t y[3], int i, int j,
                       uint32_t view) {
  uint32_t a, b, difference;
  int r;
  if ((r = lower_binary(l, NUMD_OP_MULTIPLY, x[i], y[j], &a)) ||
      (r = lower_binary(l, NUMD_OP_MULTIPLY, x[j], y[i], &b)) ||
      (r = lower_binary(l, NUMD_OP_SUBTRACT, a, b, &difference)))
    return r;
  return lower_write(l, difference, view);
}

static int lower_cross(struct lowering *l, const struct op *op, uint32_t *out) {
  const struct layout in[2] = {value_at(l, op->in[0])->layout, value_at(l, op->in[1])->layout};
  uint8_t dtype = lower_promoted(l, op, 0, 2);
  struct layout shape = in[0];
  uint32_t parts[2][3], view;
  int axis, r = vector_axis(l, op, &in[0], &in[1], &axis);
  if (r)
    return r;
  if (!op_takes(op->code, dtype))
    return lower_no_loop(l, dtype);
  if (in[0].shape[in[0].ndim + axis] != 3 || in[1].shape[in[1].ndim + axis] != 3)
    return errtext_set(l->err, NUMD_ESHAPE, "cross: vectors must have 3 elements");
  if ((r = lower_broadcast(l, &shape, &in[1])))
    return r;
  shape.dtype = dtype;
  for (int j = 0; j < 2; j++) {
    uint32_t v = op->in[j];
    for (int i = 0; i < 3; i++)
      if ((r = lower_sliced(l, v, in[j].ndim + axis, i, 1, 1, &parts[j][i])))
        return r;
  }
  if ((r = lower_buffer(l, &shape, out)))
    return r;
  for (int i = 0; i < 3; i++)
    if ((r = lower_sliced(l, *out, shape.ndim + axis, i, 1, 1, &view)) ||
        (r = write_minor(l, parts[0], parts[1], (i + 1) % 3, (i + 2) % 3, view)))
      return r;
  return 0;
}

static int lower_trace(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t diagonal;
  int r = lower_diagonal(l, op->in[0], param_given(op, NUMD_PARAM_K) ? op->params.k : 0, &diagonal);
  if (r)
    return r;
  struct op sum = {.code = NUMD_OP_SUM, .n_in = 1, .in = {(uint16_t)diagonal}, .params = op->params};
  sum.params.given = (op->params.given & NUMD_PARAM_DTYPE) | NUMD_PARAM_AXES;
  sum.params.axes = 1u << (value_at(l, diagonal)->layout.ndim - 1);
  return lower_reduce(l, &sum, out);
}

int lower_product(struct lowering *l, const struct op *op, uint32_t *out) {
  struct op arrays = *op;
  for (int i = 0; i < op->n_in && op->code != NUMD_OP_DOT && op->code != NUMD_OP_MATMUL; i++) {
    uint32_t v = op->in[i];
    int r = lower_strong(l, &v);
    if (r)
      return r;
    arrays.in[i] = (uint16_t)v;
  }
  switch (op->code) {
    case NUMD_OP_VECDOT:
      return lower_vecdot(l, &arrays, out);
    case NUMD_OP_TENSORDOT:
      return lower_tensordot(l, &arrays, out);
    case NUMD_OP_OUTER:
      return lower_outer(l, &arrays, out);
    case NUMD_OP_CROSS:
      return lower_cross(l, &arrays, out);
    case NUMD_OP_TRACE:
      return lower_trace(l, &arrays, out);
    default:
      return lower_matrix_product(l, op, out);
  }
}
