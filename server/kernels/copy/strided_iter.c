/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/kernels/copy/strided_iter.h"

#include <string.h>

#include "server/kernels/item_size.h"

void strided_iter_init(struct strided_iter *iter, const struct layout *layout) {
  int n = 0;
  iter->item = dtype_rows[layout->dtype].size;
  for (int d = 0; d < layout->ndim; d++) {
    const int64_t length = layout->shape[d], stride = layout->strides[d];
    if (length == 1)
      continue;
    if (n > 0 && iter->strides[n - 1] == length * stride) {
      iter->shape[n - 1] *= length;
      iter->strides[n - 1] = stride;
    } else {
      iter->shape[n] = length;
      iter->strides[n++] = stride;
    }
  }
  if (n == 0)
    strided_iter_init_row(iter, iter->item, 1, iter->item);
  else
    iter->ndim = n;
}

void strided_iter_init_row(struct strided_iter *iter, int item, int64_t n, int64_t stride) {
  iter->ndim = 1;
  iter->item = item;
  iter->shape[0] = n;
  iter->strides[0] = stride;
}

int64_t strided_iter_offset(const struct strided_iter *iter, int64_t i) {
  int64_t offset = 0;
  for (int d = iter->ndim - 1; d > 0; d--) {
    offset += i % iter->shape[d] * iter->strides[d];
    i /= iter->shape[d];
  }
  return offset + i * iter->strides[0];
}

int64_t strided_iter_run(const struct strided_iter *iter, int64_t i, int64_t *offset) {
  const int64_t inner = iter->shape[iter->ndim - 1];
  *offset = strided_iter_offset(iter, i);
  return inner - i % inner;
}

void copy_items(int64_t n, int item, const char *from, int64_t from_stride, char *to, int64_t to_stride) {
  if (from_stride == item && to_stride == item) {
    memcpy(to, from, (size_t)(n * item));
    return;
  }
#define COPY(BYTES) \
  KERNEL_FOR(i, n)  \
  *(item_##BYTES *)(to + i * to_stride) = *(const item_##BYTES *)(from + i * from_stride)
  FOR_ITEM_SIZE(item, COPY)
#undef COPY
}

void scatter_items(int64_t n, int item, const char *from, char *to, int64_t step, const int64_t *indices,
                   int64_t stride) {
#define SCATTER(BYTES)            \
  for (int64_t i = 0; i < n; i++) \
  *(item_##BYTES *)(to + i * step + indices[i] * stride) = ((const item_##BYTES *)from)[i]
  FOR_ITEM_SIZE(item, SCATTER)
#undef SCATTER
}

/* Advances along the axes before the last, without dividing. */
static int64_t next_run(const struct strided_iter *iter, int64_t index[MAX_DIMS], int64_t offset) {
  for (int d = iter->ndim - 2; d >= 0; d--) {
    offset += iter->strides[d];
    if (++index[d] < iter->shape[d])
      break;
    offset -= iter->shape[d] * iter->strides[d];
    index[d] = 0;
  }
  return offset;
}

void strided_iter_read(const struct strided_iter *iter, const char *data, int64_t first, int64_t n,
                       char *to) {
  const int last = iter->ndim - 1;
  const int64_t inner = iter->shape[last], stride = iter->strides[last];
  int64_t index[MAX_DIMS], i = first / inner, skip = first % inner;
  int64_t offset = 0;
  for (int d = last - 1; d >= 0; d--) {
    index[d] = i % iter->shape[d];
    i /= iter->shape[d];
    offset += index[d] * iter->strides[d];
  }
  for (; n > 0; skip = 0) {
    const int64_t count = inner - skip < n ? inner - skip : n;
    copy_items(count, iter->item, data + offset + skip * stride, stride, to, iter->item);
    to += count * iter->item;
    n -= count;
    offset = next_run(iter, index, offset);
  }
}
