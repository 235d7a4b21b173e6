/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library, for its families: the tables that they make for each other, named by
 * instruction set. */
#ifndef NUMD_SERVER_KERNELS_FAMILY_H
#define NUMD_SERVER_KERNELS_FAMILY_H

#include "protocol/dtype_lists.h"
#include "server/kernels/isa.h"
#include "server/kernels/scan_loops.h"
#include "server/kernels/table.h"

/* The families with loops of MAP operations: X(file, and name of its table behind "kernels_"). No two have
 * the same loop. */
#define KERNEL_MAP_FAMILIES(X) \
  X(map_bits)                  \
  X(map_int)                   \
  X(map_real)                  \
  X(divide_int)                \
  X(divide_wide)               \
  X(divide_real)               \
  X(power_int)                 \
  X(complex)                   \
  X(math)                      \
  X(math_binary)               \
  X(math_complex)

#define X(family) extern const kernel_map_fn KERNEL_NAME(kernels_##family)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
KERNEL_MAP_FAMILIES(X)
#undef X

extern const kernel_map_fn KERNEL_NAME(kernels_cast)[NUMD_DTYPE_CODES][NUMD_DTYPE_CODES];
void KERNEL_NAME(kernels_nontemporal_copy)(size_t bytes, const char *from, char *to);
void KERNEL_NAME(kernels_transpose_copy)(int item, int64_t rows, int64_t cols, const char *from,
                                         int64_t from_step, char *to, int64_t to_step);
extern const kernel_reduce_fn KERNEL_NAME(kernels_reduce)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
extern const kernel_reduce_fn KERNEL_NAME(kernels_reduce_exact)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
extern const kernel_rows_fn KERNEL_NAME(kernels_reduce_rows)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
extern const struct scan_loops KERNEL_NAME(kernels_scan);
extern const kernel_matmul_loops_fn KERNEL_NAME(kernels_matmul_loops)[NUMD_DTYPE_CODES];
extern const struct sort_loops KERNEL_NAME(kernels_sort_keys);
void KERNEL_NAME(kernels_sort_simd_32)(int64_t n, char *items, char *spare, uint64_t differ);
void KERNEL_NAME(kernels_sort_simd_64)(int64_t n, char *items, char *spare, uint64_t differ);
void KERNEL_NAME(kernels_merge_32)(const uint32_t *a, const uint32_t *a_end, const uint32_t *b,
                                   const uint32_t *b_end, uint32_t *out);
void KERNEL_NAME(kernels_merge_64)(const uint64_t *a, const uint64_t *a_end, const uint64_t *b,
                                   const uint64_t *b_end, uint64_t *out);
extern const kernel_small_fn KERNEL_NAME(kernels_small)[NUMD_DTYPE_CODES];

#endif
