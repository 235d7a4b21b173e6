/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of views, and of buffers that are written through views. Nothing is computed for a view: the
 * kernels that read it go by its strides. */
#include <string.h>

#include "server/engine/lower.h"

int lower_in_memory(struct lowering *l, uint32_t *v) {
  int r = lower_strong(l, v);
  struct value *value = value_at(l, *v);
  if (r || (value->kind != VALUE_NODE && value->kind != VALUE_BUFFER))
    return r;
  value->in_c_order = true;
  return layout_set_c_order(&value->layout) < 0 ? lower_too_large(l, &value->layout) : 0;
}

int lower_view(struct lowering *l, uint32_t v, const struct layout *layout, int64_t offset, uint32_t *out) {
  int r = lower_check_size(l, layout);
  if (r || (r = lower_in_memory(l, &v)) || (r = lower_add_value(l, VALUE_VIEW, out)))
    return r;
  const struct value *base = value_at(l, v);
  struct value *view = value_at(l, *out);
  bool of_view = base->kind == VALUE_VIEW;
  view->index = of_view ? base->index : v;
  view->offset = of_view ? base->offset + offset : offset;
  view->layout = *layout;
  return 0;
}

/* Sets the strides with which `to`, of another shape, has the elements of `from` in C order; false if no
 * strides do. Matches the shortest runs of axes in both that have the same number of elements; the axes of a
 * run in `from` must be one loop through memory. */
static bool reshape_strides(const struct layout *from, struct layout *to) {
  int64_t shape[MAX_DIMS] = {0}, strides[MAX_DIMS] = {0};
  int n = 0, i = 0, j = 0;
  for (int d = 0; d < from->ndim; d++)
    if (from->shape[d] != 1) {
      shape[n] = from->shape[d];
      strides[n++] = from->strides[d];
    }
  while (i < n && j < to->ndim) {
    int i_end = i + 1, j_end = j + 1;
    for (int64_t a = shape[i], b = to->shape[j]; a != b;)
      if (a < b)
        a *= shape[i_end++];
      else
        b *= to->shape[j_end++];
    for (int d = i; d + 1 < i_end; d++)
      if (strides[d] != shape[d + 1] * strides[d + 1])
        return false;
    int64_t step = strides[i_end - 1];
    for (int d = j_end - 1; d >= j; d--) {
      to->strides[d] = step;
      step *= to->shape[d];
    }
    i = i_end;
    j = j_end;
  }
  for (; j < to->ndim; j++) /* the axes that are left have length 1 */
    to->strides[j] = dtype_rows[to->dtype].size;
  return true;
}

int lower_reshaped(struct lowering *l, uint32_t v, int ndim, const int64_t shape[], uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout from = value_at(l, v)->layout, to = {.dtype = from.dtype, .ndim = (uint8_t)ndim};
  int64_t size;
  memcpy(to.shape, shape, sizeof(*shape) * (size_t)ndim);
  if (layout_size(&from, &size) < 0 || layout_set_c_order(&to) < 0)
    return lower_too_large(l, &to);
  if (size == 0 || reshape_strides(&from, &to))
    return lower_view(l, v, &to, 0, out);
  if ((r = lower_unary(l, NUMD_OP_COPY, v, &v)))
    return r;
  (void)layout_set_c_order(&to); /* again, for reshape_strides has changed some */
  return lower_view(l, v, &to, 0, out);
}

int lower_sliced(struct lowering *l, uint32_t v, int axis, int64_t start, int64_t n, int64_t step,
                 uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout layout = value_at(l, v)->layout;
  int64_t offset = n > 0 ? start * layout.strides[axis] : 0;
  layout.shape[axis] = n;
  if (n > 1) /* else the step leads nowhere, and a client may have given any number */
    layout.strides[axis] *= step;
  return lower_view(l, v, &layout, offset, out);
}

int lower_diagonal(struct lowering *l, uint32_t v, int64_t k, uint32_t *out) {
  int r = lower_in_memory(l, &v);
  if (r)
    return r;
  struct layout layout = value_at(l, v)->layout;
  if (layout.ndim < 2)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: an array with %d dimensions has no diagonal", OP_NAME(l),
                       layout.ndim);
  int rows = layout.ndim - 2, cols = rows + 1;
  int64_t m = layout.shape[rows], n = layout.shape[cols];
  int64_t below = k < 0 ? -k : 0, right = k > 0 ? k : 0, offset = 0;
  int64_t length = below >= m || right >= n || k == INT64_MIN ? 0
                   : m - below < n - right                    ? m - below
                                                              : n - right;
  if (length > 0)
    offset = below * layout.strides[rows] + right * layout.strides[cols];
  layout.shape[rows] = length;
  layout.strides[rows] += layout.strides[cols];
  layout.ndim--;
  return lower_view(l, v, &layout, offset, out);
}

int lower_buffer(struct lowering *l, const struct layout *layout, uint32_t *out) {
  int r = lower_check_size(l, layout);
  if (r || (r = lower_add_value(l, VALUE_BUFFER, out)))
    return r;
  struct value *buffer = value_at(l, *out);
  buffer->layout = *layout;
  buffer->in_c_order = true;
  buffer->index = buffer->last = l->out->n_nodes;
  return layout_set_c_order(&buffer->layout) < 0 ? lower_too_large(l, layout) : 0;
}

int lower_write(struct lowering *l, uint32_t v, uint32_t view) {
  struct layout to = value_at(l, view)->layout;
  struct node *node;
  struct value *unused;
  uint32_t number;
  int64_t size;
  int r;
  if (layout_size(&to, &size) == 0 && size == 0)
    return 0;
  if ((r = lower_cast(l, v, to.dtype, &v)) ||
      (r = lower_add_node(l, NODE_MAP, NUMD_OP_COPY, to.dtype, &node, &unused, &number)))
    return r;
  node->n_in = 1;
  node->in[0] = v;
  node->out = view;
  node->map = kernel_map(NUMD_OP_COPY, to.dtype);
  value_at(l, value_at(l, view)->index)->last = l->out->n_nodes;
  return 0;
}
