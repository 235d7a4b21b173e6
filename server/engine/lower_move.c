/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of the operations that only rearrange elements: views, and copies into parts of a buffer, each
 * part by a node of its own. */
#include <string.h>

#include "server/engine/lower.h"
#include "shared/checked.h"

static int same_number(struct lowering *l, const struct layout *from, const struct layout *to) {
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  return errtext_set(l->err, NUMD_ESHAPE, "%s: cannot make shape %s of shape %s", OP_NAME(l),
                     array_shape_text(to, tb), array_shape_text(from, ta));
}

/* The parameter `shape`, of which no length may be negative here. */
static int given_shape(struct lowering *l, const struct op *op, struct layout *out) {
  out->ndim = op->params.n_ints[0];
  memcpy(out->shape, op->params.ints[0], sizeof(int64_t) * out->ndim);
  for (int d = 0; d < out->ndim; d++)
    if (out->shape[d] < 0)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: length %lld of axis %d is negative", OP_NAME(l),
                         (long long)out->shape[d], d);
  return lower_check_size(l, out);
}

static int lower_reshape(struct lowering *l, const struct op *op, uint32_t *out) {
  const struct layout *from = &value_at(l, op->in[0])->layout;
  struct layout to = {.dtype = from->dtype, .ndim = op->params.n_ints[0]};
  int64_t size, known = 1, open = -1;
  if (layout_size(from, &size) < 0)
    return lower_check_size(l, from);
  for (int d = 0; d < to.ndim; d++) {
    to.shape[d] = op->params.ints[0][d];
    bool is_open = to.shape[d] == -1;
    if ((is_open && open >= 0) || to.shape[d] < -1 || (!is_open && mul_overflows(known, to.shape[d], &known)))
      return same_number(l, from, &to);
    open = is_open ? d : open;
  }
  if (open >= 0 ? known == 0 || size % known != 0 : known != size)
    return same_number(l, from, &to);
  if (open >= 0)
    to.shape[open] = size / known;
  return lower_reshaped(l, op->in[0], to.ndim, to.shape, out);
}

static int lower_permute(struct lowering *l, uint32_t v, int n, const int64_t order[], uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout from = value_at(l, v)->layout, to = from;
  uint32_t seen = 0;
  for (int d = 0; d < from.ndim; d++) {
    int64_t axis = n == from.ndim ? order[d] : from.ndim;
    axis += axis < 0 ? from.ndim : 0;
    if (axis < 0 || axis >= from.ndim || seen >> axis & 1)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: the order must name each of the %d axes once", OP_NAME(l),
                         from.ndim);
    seen |= 1u << axis;
    to.shape[d] = from.shape[axis];
    to.strides[d] = from.strides[axis];
  }
  return lower_view(l, v, &to, 0, out);
}

static int lower_permute_dims(struct lowering *l, const struct op *op, uint32_t *out) {
  int ndim = value_at(l, op->in[0])->layout.ndim;
  int64_t reversed[MAX_DIMS];
  for (int d = 0; d < ndim; d++)
    reversed[d] = ndim - 1 - d;
  if (!param_given(op, NUMD_PARAM_ORDER))
    return lower_permute(l, op->in[0], ndim, reversed, out);
  if (op->params.n_ints[1] != ndim)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: %d axes for an array with %d dimensions", OP_NAME(l),
                       op->params.n_ints[1], ndim);
  return lower_permute(l, op->in[0], ndim, op->params.ints[1], out);
}

static int lower_matrix_transpose(struct lowering *l, const struct op *op, uint32_t *out) {
  int ndim = value_at(l, op->in[0])->layout.ndim;
  int64_t order[MAX_DIMS];
  if (ndim < 2)
    return errtext_set(l->err, NUMD_ESHAPE, "matrix_transpose: an array with %d dimensions is no matrix",
                       ndim);
  for (int d = 0; d < ndim; d++)
    order[d] = d < ndim - 2 ? d : 2 * ndim - 3 - d;
  return lower_permute(l, op->in[0], ndim, order, out);
}

static int lower_flip(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t v = op->in[0];
  int ndim = value_at(l, v)->layout.ndim, r;
  uint32_t axes = param_given(op, NUMD_PARAM_AXES) ? op->params.axes : (1u << ndim) - 1;
  if (axes >> ndim)
    return errtext_set(l->err, NUMD_ESHAPE, "flip: axis %d of an array with %d dimensions",
                       31 - __builtin_clz(axes), ndim);
  if ((r = lower_in_memory(l, &v)))
    return r;
  struct layout layout = value_at(l, v)->layout;
  int64_t offset = 0;
  for (int d = 0; d < ndim; d++)
    if (axes >> d & 1 && layout.shape[d] > 0) {
      offset += (layout.shape[d] - 1) * layout.strides[d];
      layout.strides[d] = -layout.strides[d];
    }
  int64_t size;
  if (layout_size(&layout, &size) == 0 && size == 0)
    offset = 0;
  return lower_view(l, v, &layout, offset, out);
}

/* A view of v that repeats it, by strides of 0. */
static int broadcast_view(struct lowering *l, uint32_t v, const struct layout *shape, uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout from = value_at(l, v)->layout, to = *shape, wide = *shape;
  if ((r = lower_broadcast(l, &wide, &from)))
    return r;
  if (!layout_same_shape(&wide, shape))
    return same_number(l, &from, shape);
  to.dtype = from.dtype;
  for (int d = 0; d < to.ndim; d++) {
    int e = d - (to.ndim - from.ndim);
    to.strides[d] = e < 0 || from.shape[e] == 1 ? 0 : from.strides[e];
  }
  return lower_view(l, v, &to, 0, out);
}

static int lower_broadcast_to(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout shape;
  int r = given_shape(l, op, &shape);
  return r ? r : broadcast_view(l, op->in[0], &shape, out);
}

static int lower_slice(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t v = op->in[0];
  const struct op_params *p = &op->params;
  int ndim = value_at(l, v)->layout.ndim, r = 0;
  if (p->n_ints[0] != ndim || p->n_ints[1] != ndim || p->n_ints[2] != ndim)
    return errtext_set(l->err, NUMD_ESHAPE,
                       "slice: start, step and shape must have a number for each of %d axes", ndim);
  for (int d = 0; d < ndim && !r; d++) {
    int64_t n = p->ints[0][d], start = p->ints[1][d], step = p->ints[2][d], last;
    int64_t length = value_at(l, v)->layout.shape[d];
    bool overflow = n > 0 && (mul_overflows(n - 1, step, &last) || add_overflows(last, start, &last));
    if (n < 0 || (n > 0 && (overflow || start < 0 || start >= length || last < 0 || last >= length)))
      return errtext_set(l->err, NUMD_EINDEX,
                         "slice: %lld elements from %lld by %lld leave axis %d of length %lld", (long long)n,
                         (long long)start, (long long)step, d, (long long)length);
    r = lower_sliced(l, v, d, start, n, step, &v);
  }
  *out = v;
  return r;
}

/* ---- Parts of a buffer ---- */

static int lower_flat(struct lowering *l, uint32_t v, uint32_t *out) {
  int64_t size;
  if (layout_size(&value_at(l, v)->layout, &size) < 0)
    return lower_check_size(l, &value_at(l, v)->layout);
  return lower_reshaped(l, v, 1, &size, out);
}

static int concat_shape(struct lowering *l, const struct op *op, const uint32_t in[], int axis,
                        struct layout *out) {
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  *out = value_at(l, in[0])->layout;
  for (int i = 1; i < op->n_in; i++) {
    const struct layout *a = &value_at(l, in[i])->layout;
    bool fits = a->ndim == out->ndim;
    for (int d = 0; fits && d < a->ndim; d++)
      fits = d == axis || a->shape[d] == out->shape[d];
    if (!fits)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: shapes %s and %s do not match beside axis %d", OP_NAME(l),
                         array_shape_text(&value_at(l, in[0])->layout, ta), array_shape_text(a, tb), axis);
    if (add_overflows(out->shape[axis], a->shape[axis], &out->shape[axis]))
      return lower_check_size(l, out);
  }
  return 0;
}

static int lower_concat(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t in[NUMD_OP_MAX_IN], view;
  bool flat = !param_given(op, NUMD_PARAM_AXIS);
  struct layout shape;
  int axis = 0, r = 0;
  int64_t at = 0;
  if (op->n_in == 0)
    return errtext_set(l->err, NUMD_ESHAPE, "concat: needs at least one array");
  for (int i = 0; i < op->n_in; i++) {
    in[i] = op->in[i];
    if (flat && (r = lower_flat(l, in[i], &in[i])))
      return r;
  }
  if (!flat && (r = lower_axis(l, op, value_at(l, in[0])->layout.ndim, 0, &axis)))
    return r;
  if ((r = concat_shape(l, op, in, axis, &shape)))
    return r;
  shape.dtype = lower_promoted(l, op, 0, op->n_in);
  if ((r = lower_buffer(l, &shape, out)))
    return r;
  for (int i = 0; i < op->n_in; i++) {
    int64_t n = value_at(l, in[i])->layout.shape[axis];
    if ((r = lower_sliced(l, *out, axis, at, n, 1, &view)) || (r = lower_write(l, in[i], view)))
      return r;
    at += n;
  }
  return 0;
}

/* The view of v at one index of an axis, which it does not have any more. */
static int at_index(struct lowering *l, uint32_t v, int axis, int64_t index, uint32_t *out) {
  struct layout layout = value_at(l, v)->layout;
  int64_t offset = index * layout.strides[axis];
  layout.ndim--;
  for (int d = axis; d < layout.ndim; d++) {
    layout.shape[d] = layout.shape[d + 1];
    layout.strides[d] = layout.strides[d + 1];
  }
  return lower_view(l, v, &layout, offset, out);
}

static int lower_stack(struct lowering *l, const struct op *op, uint32_t *out) {
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  int axis, r;
  uint32_t view;
  if (op->n_in == 0)
    return errtext_set(l->err, NUMD_ESHAPE, "stack: needs at least one array");
  struct layout first = value_at(l, op->in[0])->layout, shape = first;
  if (first.ndim == MAX_DIMS)
    return errtext_set(l->err, NUMD_ESHAPE, "stack: result has more than %d dimensions", MAX_DIMS);
  if ((r = lower_axis(l, op, first.ndim + 1, 0, &axis)))
    return r;
  for (int i = 1; i < op->n_in; i++)
    if (!layout_same_shape(&first, &value_at(l, op->in[i])->layout))
      return errtext_set(l->err, NUMD_ESHAPE, "stack: shapes %s and %s are not the same",
                         array_shape_text(&first, ta), array_shape_text(&value_at(l, op->in[i])->layout, tb));
  for (int d = shape.ndim++; d > axis; d--)
    shape.shape[d] = shape.shape[d - 1];
  shape.shape[axis] = op->n_in;
  shape.dtype = lower_promoted(l, op, 0, op->n_in);
  r = lower_buffer(l, &shape, out);
  for (int i = 0; i < op->n_in && !r; i++)
    if ((r = at_index(l, *out, axis, i, &view)) == 0)
      r = lower_write(l, op->in[i], view);
  return r;
}

/* Repeats each element of v along an axis `inside` times, and all of that axis `around` times: writes v, with
 * two more axes of length 1, into a view of the result that has the axis as (around, length, inside). */
static int repeat_axis(struct lowering *l, uint32_t v, int axis, int64_t around, int64_t inside,
                       uint32_t *out) {
  struct layout from = value_at(l, v)->layout, shape = from, split, source;
  uint32_t view, wide;
  int r;
  if (from.ndim + 2 > MAX_DIMS)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: an array with %d dimensions has too many", OP_NAME(l),
                       from.ndim);
  if (mul_overflows(shape.shape[axis], around, &shape.shape[axis]) ||
      mul_overflows(shape.shape[axis], inside, &shape.shape[axis]))
    return errtext_set(l->err, NUMD_ESHAPE, "%s: the result is too large", OP_NAME(l));
  split = source = from;
  split.ndim = source.ndim = (uint8_t)(from.ndim + 2);
  for (int d = from.ndim - 1; d > axis; d--)
    split.shape[d + 2] = source.shape[d + 2] = from.shape[d];
  const int64_t parts[3] = {around, from.shape[axis], inside};
  for (int i = 0; i < 3; i++) {
    split.shape[axis + i] = parts[i];
    source.shape[axis + i] = i == 1 ? parts[i] : 1;
  }
  if ((r = lower_buffer(l, &shape, out)) || (r = lower_reshaped(l, *out, split.ndim, split.shape, &view)) ||
      (r = lower_reshaped(l, v, source.ndim, source.shape, &wide)))
    return r;
  return lower_write(l, wide, view);
}

static int lower_repeat(struct lowering *l, const struct op *op, uint32_t *out) {
  uint32_t v = op->in[0];
  int axis = 0, r = 0;
  if (!param_given(op, NUMD_PARAM_N) || op->params.n < 0)
    return errtext_set(l->err, NUMD_EINVAL, "repeat: n must be given and not negative");
  if (param_given(op, NUMD_PARAM_AXIS))
    r = lower_axis(l, op, value_at(l, v)->layout.ndim, 0, &axis);
  else
    r = lower_flat(l, v, &v);
  return r ? r : repeat_axis(l, v, axis, 1, op->params.n, out);
}

static int lower_tile(struct lowering *l, const struct op *op, uint32_t *out) {
  int n = op->params.n_ints[0], r;
  uint32_t v = op->in[0];
  struct layout from = value_at(l, v)->layout, padded = {.dtype = from.dtype};
  padded.ndim = from.ndim > n ? from.ndim : (uint8_t)n;
  for (int d = 0; d < padded.ndim; d++)
    padded.shape[d] = d < padded.ndim - from.ndim ? 1 : from.shape[d - (padded.ndim - from.ndim)];
  if ((r = lower_reshaped(l, v, padded.ndim, padded.shape, &v)))
    return r;
  for (int i = n - 1; i >= 0; i--) {
    int64_t times = op->params.ints[0][i];
    if (times < 0)
      return errtext_set(l->err, NUMD_EINVAL, "tile: %lld repetitions", (long long)times);
    if (times != 1 && (r = repeat_axis(l, v, padded.ndim - n + i, times, 1, &v)))
      return r;
  }
  *out = v;
  return 0;
}

/* Writes v, moved by `shift` places along an axis, into a buffer of the same shape: in two parts, for the
 * elements that go round the end come first. */
static int roll_into(struct lowering *l, uint32_t v, int axis, int64_t shift, uint32_t buffer) {
  int64_t n = value_at(l, v)->layout.shape[axis], by = n ? (shift % n + n) % n : 0;
  uint32_t from, to;
  int r;
  if ((r = lower_sliced(l, v, axis, 0, n - by, 1, &from)) ||
      (r = lower_sliced(l, buffer, axis, by, n - by, 1, &to)) || (r = lower_write(l, from, to)) ||
      (r = lower_sliced(l, v, axis, n - by, by, 1, &from)) ||
      (r = lower_sliced(l, buffer, axis, 0, by, 1, &to)))
    return r;
  return lower_write(l, from, to);
}

static int roll_axis(struct lowering *l, uint32_t v, int axis, int64_t shift, uint32_t *out) {
  struct layout shape = value_at(l, v)->layout;
  int r = lower_buffer(l, &shape, out);
  return r ? r : roll_into(l, v, axis, shift, *out);
}

static int lower_roll(struct lowering *l, const struct op *op, uint32_t *out) {
  const struct op_params *p = &op->params;
  struct layout shape = value_at(l, op->in[0])->layout;
  uint32_t v = op->in[0], flat = 0;
  int r = 0;
  if (!param_given(op, NUMD_PARAM_ORDER)) {
    if (p->n_ints[0] != 1)
      return errtext_set(l->err, NUMD_EINVAL, "roll: one shift for the flat array, not %d", p->n_ints[0]);
    if ((r = lower_flat(l, v, &v)) || (r = lower_buffer(l, &shape, out)) || (r = lower_flat(l, *out, &flat)))
      return r;
    return roll_into(l, v, 0, p->ints[0][0], flat);
  }
  if (p->n_ints[0] != p->n_ints[1] && p->n_ints[0] != 1)
    return errtext_set(l->err, NUMD_EINVAL, "roll: %d shifts for %d axes", p->n_ints[0], p->n_ints[1]);
  for (int i = 0; i < p->n_ints[1] && !r; i++) {
    int64_t axis = p->ints[1][i] + (p->ints[1][i] < 0 ? shape.ndim : 0);
    if (axis < 0 || axis >= shape.ndim)
      return errtext_set(l->err, NUMD_ESHAPE, "roll: axis %lld of an array with %d dimensions",
                         (long long)p->ints[1][i], shape.ndim);
    r = roll_axis(l, v, (int)axis, p->ints[0][p->n_ints[0] == 1 ? 0 : i], &v);
  }
  *out = v;
  return r;
}

int lower_rearranged(struct lowering *l, const struct op *op, uint32_t *out) {
  switch (op->code) {
    case NUMD_OP_RESHAPE:
      return lower_reshape(l, op, out);
    case NUMD_OP_PERMUTE_DIMS:
      return lower_permute_dims(l, op, out);
    case NUMD_OP_MATRIX_TRANSPOSE:
      return lower_matrix_transpose(l, op, out);
    case NUMD_OP_FLIP:
      return lower_flip(l, op, out);
    case NUMD_OP_BROADCAST_TO:
      return lower_broadcast_to(l, op, out);
    case NUMD_OP_SLICE:
      return lower_slice(l, op, out);
    case NUMD_OP_DIAGONAL:
      return lower_diagonal(l, op->in[0], param_given(op, NUMD_PARAM_K) ? op->params.k : 0, out);
    case NUMD_OP_CONCAT:
      return lower_concat(l, op, out);
    case NUMD_OP_STACK:
      return lower_stack(l, op, out);
    case NUMD_OP_REPEAT:
      return lower_repeat(l, op, out);
    case NUMD_OP_TILE:
      return lower_tile(l, op, out);
    case NUMD_OP_ROLL:
      return lower_roll(l, op, out);
    default:
      return lower_array(l, op, out);
  }
}
