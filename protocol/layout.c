/* SPDX-License-Identifier: BSD-3-Clause */
#include "protocol/layout.h"

#include <errno.h>

#include "shared/checked.h"

#define LIMIT ((int64_t)1 << 62)

int layout_size(const struct layout *layout, int64_t *size) {
  int64_t n = 1;
  bool empty = false;
  for (int d = 0; d < layout->ndim; d++) {
    if (layout->shape[d] == 0)
      empty = true;
    else if (mul_overflows(n, layout->shape[d], &n) || n > LIMIT)
      return -EOVERFLOW;
  }
  *size = empty ? 0 : n;
  return 0;
}

int layout_set_c_order(struct layout *layout) {
  int64_t step = dtype_rows[layout->dtype].size;
  for (int d = layout->ndim - 1; d >= 0; d--) {
    layout->strides[d] = step;
    if (layout->shape[d] > 0 && (mul_overflows(step, layout->shape[d], &step) || step > LIMIT))
      return -EOVERFLOW;
  }
  return 0;
}

int layout_extent(const struct layout *layout, int64_t *lo, int64_t *hi) {
  int64_t low = 0, high = dtype_rows[layout->dtype].size, reach;
  for (int d = 0; d < layout->ndim; d++)
    if (layout->shape[d] == 0) {
      *lo = *hi = 0;
      return 0;
    }
  for (int d = 0; d < layout->ndim; d++) {
    if (mul_overflows(layout->shape[d] - 1, layout->strides[d], &reach))
      return -EOVERFLOW;
    if (reach < 0 ? add_overflows(low, reach, &low) : add_overflows(high, reach, &high))
      return -EOVERFLOW;
    if (low < -LIMIT || high > LIMIT)
      return -EOVERFLOW;
  }
  *lo = low;
  *hi = high;
  return 0;
}

bool layout_is_c_order(const struct layout *layout) {
  int64_t step = dtype_rows[layout->dtype].size;
  for (int d = 0; d < layout->ndim; d++)
    if (layout->shape[d] == 0)
      return true;
  for (int d = layout->ndim - 1; d >= 0; d--) {
    if (layout->shape[d] != 1 && layout->strides[d] != step)
      return false;
    step *= layout->shape[d];
  }
  return true;
}

bool layout_same_shape(const struct layout *a, const struct layout *b) {
  if (a->ndim != b->ndim)
    return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->shape[d] != b->shape[d])
      return false;
  return true;
}
