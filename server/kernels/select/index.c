/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/kernels/select/index.h"

#include <string.h>

#include "server/kernels/scan_loops.h"

int64_t index_elements(const struct layout *a) {
  int64_t n = 1;
  for (int d = 0; d < a->ndim; d++)
    n *= a->shape[d];
  return n;
}

void index_shape_of(const struct array_job *job, struct index_shape *shape) {
  const struct layout *x = &job->in[0];
  struct errtext ignored;
  *shape = (struct index_shape){.flat = !(job->params.given & NUMD_PARAM_AXIS), .outer = 1, .inner = 1};
  shape->n_indices = index_elements(&job->in[1]);
  if (shape->flat || array_axis(job, x->ndim, 0, &shape->axis, &ignored) != 0) {
    shape->length = index_elements(x);
    return;
  }
  shape->length = x->shape[shape->axis];
  for (int d = 0; d < x->ndim; d++)
    if (d != shape->axis)
      *(d < shape->axis ? &shape->outer : &shape->inner) *= x->shape[d];
}

static int check_size(const struct array_job *job, const struct layout *places, struct errtext *err) {
  int64_t n;
  return layout_size(places, &n) == 0
             ? 0
             : errtext_set(err, NUMD_ESHAPE, "%s: the result is too large", op_rows[job->op].name);
}

static int check_length(const struct array_job *job, int64_t length, const struct layout *places,
                        struct errtext *err) {
  if (length > 0 || index_elements(places) == 0)
    return 0;
  return errtext_set(err, NUMD_EINDEX, "%s: indices into an axis without elements", op_rows[job->op].name);
}

int index_plan(const struct array_job *job, struct layout *places, struct errtext *err) {
  const struct layout *x = &job->in[0], *indices = &job->in[1];
  struct index_shape shape;
  int axis;
  if (job->params.given & NUMD_PARAM_AXIS) {
    const int status = array_axis(job, x->ndim, 0, &axis, err);
    if (status != 0)
      return status;
  }
  index_shape_of(job, &shape);
  const int before = shape.flat ? 0 : shape.axis, after = shape.flat ? 0 : x->ndim - shape.axis - 1;
  if (before + indices->ndim + after > MAX_DIMS)
    return errtext_set(err, NUMD_ESHAPE, "%s: the result would have %d dimensions, at most %d are possible",
                       op_rows[job->op].name, before + indices->ndim + after, MAX_DIMS);
  *places = (struct layout){.dtype = job->dtype};
  for (int d = 0; d < before; d++)
    places->shape[places->ndim++] = x->shape[d];
  for (int d = 0; d < indices->ndim; d++)
    places->shape[places->ndim++] = indices->shape[d];
  for (int d = 0; d < after; d++)
    places->shape[places->ndim++] = x->shape[x->ndim - after + d];
  const int status = check_size(job, places, err);
  return status != 0 ? status : check_length(job, shape.length, places, err);
}

int index_plan_along(const struct array_job *job, int *axis, struct layout *places, struct errtext *err) {
  const struct layout *x = &job->in[0], *indices = &job->in[1];
  char text[96], other[96];
  int status = array_axis(job, x->ndim, -1, axis, err);
  if (status != 0)
    return status;
  if (x->ndim != indices->ndim)
    return errtext_set(err, NUMD_ESHAPE, "%s: indices have %d dimensions, the array has %d",
                       op_rows[job->op].name, indices->ndim, x->ndim);
  *places = (struct layout){.dtype = job->dtype, .ndim = x->ndim};
  for (int d = 0; d < x->ndim; d++) {
    places->shape[d] = d == *axis || x->shape[d] == 1 ? indices->shape[d] : x->shape[d];
    if (d != *axis && indices->shape[d] != 1 && indices->shape[d] != places->shape[d])
      return errtext_set(err, NUMD_ESHAPE, "%s: indices of shape %s do not broadcast against %s",
                         op_rows[job->op].name, array_shape_text(indices, text), array_shape_text(x, other));
  }
  status = check_size(job, places, err);
  return status != 0 ? status : check_length(job, x->shape[*axis], places, err);
}

bool index_broadcast(const struct layout *from, const struct layout *to, struct layout *view) {
  const int more = to->ndim - from->ndim;
  *view = *to;
  view->dtype = from->dtype;
  for (int d = 0; d < to->ndim; d++) {
    const int own = d - more;
    view->strides[d] = own < 0 || from->shape[own] == 1 ? 0 : from->strides[own];
    if (own >= 0 && from->shape[own] != 1 && from->shape[own] != to->shape[d])
      return false;
  }
  return more >= 0;
}

void index_bases(const struct layout *x, int axis, const struct layout *places, struct strided_iter *bases) {
  struct layout view = *places;
  view.dtype = x->dtype;
  for (int d = 0; d < places->ndim; d++)
    view.strides[d] = d == axis || x->shape[d] == 1 ? 0 : x->strides[d];
  strided_iter_init(bases, &view);
}

/* Reads each index once: the memory may change, and what is checked must be what is used. */
#define READ(NAME, type, large)                                                 \
  case NUMD_##NAME:                                                             \
    for (int64_t i = 0; i < n; i++) {                                           \
      const type x = *(const volatile type *)(const void *)(from + i * stride); \
      indices[i] = (large) ? INT64_MAX : (int64_t)x;                            \
    }                                                                           \
    break;

unsigned index_read(const struct strided_iter *iter, numd_dtype dtype, const char *data, int64_t first,
                    int64_t n, int64_t length, int64_t *indices) {
  _Alignas(64) char values[INDEX_BLOCK * 8];
  const char *from = data + first * iter->strides[0];
  int64_t stride = iter->strides[0];
  if (iter->ndim > 1) {
    strided_iter_read(iter, data, first, n, values);
    from = values;
    stride = iter->item;
  }
  switch (dtype) {
    READ(INT8, int8_t, false)
    READ(INT16, int16_t, false)
    READ(INT32, int32_t, false)
    READ(UINT8, uint8_t, false)
    READ(UINT16, uint16_t, false)
    READ(UINT32, uint32_t, false)
    READ(UINT64, uint64_t, x > INT64_MAX)
    default: /* nothing else is an index */
      if (stride == sizeof(int64_t)) {
        memcpy(indices, from, sizeof(int64_t) * (size_t)n);
        break;
      }
      READ(INT64, int64_t, false)
  }
  return kernel_scan_loops()->bounded(n, length, indices) ? 0 : KERNEL_INDEX;
}
