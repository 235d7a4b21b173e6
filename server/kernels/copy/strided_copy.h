/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: copying matrices between any strides. */
#ifndef NUMD_SERVER_KERNELS_COPY_STRIDED_COPY_H
#define NUMD_SERVER_KERNELS_COPY_STRIDED_COPY_H

#include <stdint.h>

/* Element (i, j) of `item` bytes (1, 2, 4, 8 or 16) from `from` + i * from_stride[0] + j * from_stride[1] to
 * the like place. The matrices do not overlap. */
void strided_copy(int64_t item, int64_t rows, int64_t cols, const char *from, const int64_t from_stride[2],
                  char *to, const int64_t to_stride[2]);

#endif
