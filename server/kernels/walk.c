#include "server/kernels/walk.h"

#include <string.h>

#include "server/kernels/isa.h"

void walk_init(struct walk *walk, const struct layout *layout) {
  int n = 0;
  walk->item = dtype_rows[layout->dtype].size;
  for (int d = 0; d < layout->ndim; d++) {
    const int64_t length = layout->shape[d], stride = layout->strides[d];
    if (length == 1)
      continue;
    if (n > 0 && walk->strides[n - 1] == length * stride) {
      walk->shape[n - 1] *= length;
      walk->strides[n - 1] = stride;
    } else {
      walk->shape[n] = length;
      walk->strides[n++] = stride;
    }
  }
  if (n == 0)
    walk_init_row(walk, walk->item, 1, walk->item);
  else
    walk->ndim = n;
}

void walk_init_row(struct walk *walk, int item, int64_t n, int64_t stride) {
  walk->ndim = 1;
  walk->item = item;
  walk->shape[0] = n;
  walk->strides[0] = stride;
}

int64_t walk_offset(const struct walk *walk, int64_t i) {
  int64_t offset = 0;
  for (int d = walk->ndim - 1; d > 0; d--) {
    offset += i % walk->shape[d] * walk->strides[d];
    i /= walk->shape[d];
  }
  return offset + i * walk->strides[0];
}

int64_t walk_run(const struct walk *walk, int64_t i, int64_t *offset) {
  const int64_t inner = walk->shape[walk->ndim - 1];
  *offset = walk_offset(walk, i);
  return inner - i % inner;
}

#define COPY_ITEMS(type)                                                       \
  {                                                                            \
    typedef type KERNEL_ALIAS alias;                                           \
    KERNEL_FOR(i, n)                                                           \
    *(alias *)(to + i * to_stride) = *(const alias *)(from + i * from_stride); \
    break;                                                                     \
  }

void copy_items(int64_t n, int item, const char *from, int64_t from_stride, char *to, int64_t to_stride) {
  if (from_stride == item && to_stride == item) {
    memcpy(to, from, (size_t)(n * item));
    return;
  }
  switch (item) {
    case 1:
      COPY_ITEMS(uint8_t)
    case 2:
      COPY_ITEMS(uint16_t)
    case 4:
      COPY_ITEMS(uint32_t)
    case 8:
      COPY_ITEMS(uint64_t)
    default:
      for (int64_t i = 0; i < n; i++)
        memcpy(to + i * to_stride, from + i * from_stride, 16);
  }
}

#define SCATTER_ITEMS(type)                                                       \
  {                                                                               \
    typedef type KERNEL_ALIAS alias;                                              \
    for (int64_t i = 0; i < n; i++)                                               \
      *(alias *)(to + i * step + indices[i] * stride) = ((const alias *)from)[i]; \
    break;                                                                        \
  }

void scatter_items(int64_t n, int item, const char *from, char *to, int64_t step, const int64_t *indices,
                   int64_t stride) {
  switch (item) {
    case 1:
      SCATTER_ITEMS(uint8_t)
    case 2:
      SCATTER_ITEMS(uint16_t)
    case 4:
      SCATTER_ITEMS(uint32_t)
    case 8:
      SCATTER_ITEMS(uint64_t)
    default:
      for (int64_t i = 0; i < n; i++)
        memcpy(to + i * step + indices[i] * stride, from + 16 * i, 16);
  }
}

/* Advances along the axes before the last, without dividing. */
static int64_t next_run(const struct walk *walk, int64_t index[MAX_DIMS], int64_t offset) {
  for (int d = walk->ndim - 2; d >= 0; d--) {
    offset += walk->strides[d];
    if (++index[d] < walk->shape[d])
      break;
    offset -= walk->shape[d] * walk->strides[d];
    index[d] = 0;
  }
  return offset;
}

void walk_read(const struct walk *walk, const char *data, int64_t first, int64_t n, char *to) {
  const int last = walk->ndim - 1;
  const int64_t inner = walk->shape[last], stride = walk->strides[last];
  int64_t index[MAX_DIMS], i = first / inner, skip = first % inner;
  int64_t offset = 0;
  for (int d = last - 1; d >= 0; d--) {
    index[d] = i % walk->shape[d];
    i /= walk->shape[d];
    offset += index[d] * walk->strides[d];
  }
  for (; n > 0; skip = 0) {
    const int64_t count = inner - skip < n ? inner - skip : n;
    copy_items(count, walk->item, data + offset + skip * stride, stride, to, walk->item);
    to += count * walk->item;
    n -= count;
    offset = next_run(walk, index, offset);
  }
}
