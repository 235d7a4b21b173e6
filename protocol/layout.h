/* SPDX-License-Identifier: BSD-3-Clause */
/* A layout: how the elements of an array lie in memory. */
#ifndef NUMD_PROTOCOL_LAYOUT_H
#define NUMD_PROTOCOL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/limits.h"
#include "protocol/list.h"

#define MAX_DIMS NUMD_MAX_DIMS
#define MAX_ITEM_BYTES 16

/* A dtype, shape and strides (bytes). ndim is at most MAX_DIMS. */
struct layout {
  uint8_t dtype;
  uint8_t ndim;
  int64_t shape[MAX_DIMS];
  int64_t strides[MAX_DIMS];
};

/* Fills in the strides of C order. -EOVERFLOW if the array's bytes do not fit 62 bits. */
int layout_set_c_order(struct layout *layout);

/* The lowest and one past the highest byte that the layout touches, relative to its first element;
 * 0, 0 if it is empty. -EOVERFLOW beyond 62 bits. */
int layout_extent(const struct layout *layout, int64_t *lo, int64_t *hi);

/* Elements. -EOVERFLOW beyond 62 bits; shapes must not be negative. */
int layout_size(const struct layout *layout, int64_t *size);

bool layout_is_c_order(const struct layout *layout);
bool layout_same_shape(const struct layout *a, const struct layout *b);

#endif
