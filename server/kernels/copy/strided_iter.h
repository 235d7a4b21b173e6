/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: the elements of a strided array in C order, by their number. */
#ifndef NUMD_SERVER_KERNELS_COPY_STRIDED_ITER_H
#define NUMD_SERVER_KERNELS_COPY_STRIDED_ITER_H

#include "protocol/layout.h"

/* A layout in which neighbouring axes are one where their strides allow it. */
struct strided_iter {
  int ndim; /* at least 1 */
  int item;
  int64_t shape[MAX_DIMS];
  int64_t strides[MAX_DIMS];
};

void strided_iter_init(struct strided_iter *iter, const struct layout *layout);
/* Of a row: n items, `stride` bytes apart. */
void strided_iter_init_row(struct strided_iter *iter, int item, int64_t n, int64_t stride);

/* Offset in bytes of element i. */
int64_t strided_iter_offset(const struct strided_iter *iter, int64_t i);

/* How many elements, element i the first of them, follow each other at the stride of the last axis; *offset
 * gets the offset of element i in bytes. */
int64_t strided_iter_run(const struct strided_iter *iter, int64_t i, int64_t *offset);

/* Copies elements first .. first+n-1 to contiguous memory. */
void strided_iter_read(const struct strided_iter *iter, const char *data, int64_t first, int64_t n, char *to);

/* Copies n items of 1, 2, 4, 8 or 16 bytes from one stride to another. */
void copy_items(int64_t n, int item, const char *from, int64_t from_stride, char *to, int64_t to_stride);
/* Copies contiguous items, number i to `to` + i * step + indices[i] * stride, in order. */
void scatter_items(int64_t n, int item, const char *from, char *to, int64_t step, const int64_t *indices,
                   int64_t stride);

#endif
