/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: what one instruction set's build of the families offers to kernels.c
 * and matmul.c. */
#ifndef NUMD_SERVER_KERNELS_TABLE_H
#define NUMD_SERVER_KERNELS_TABLE_H

#include "server/kernels/kernels.h"

/* C (m x n) = A (m x k) B (k x n), k >= 1, of integers or bool, any strides. Best with n the longer side. */
typedef void (*kernel_matmul_loops_fn)(int64_t m, int64_t n, int64_t k, struct kernel_matrix a,
                                       struct kernel_matrix b, struct kernel_matrix c);

/* `count` such products of any dtype, k >= 0; batch holds the bytes from one to the next of A, B and C. B and
 * C have at most KERNEL_SMALL_ITEMS items each. */
#define KERNEL_SMALL_ITEMS 256
typedef void (*kernel_small_fn)(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,
                                struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]);

/* Copies so many bytes past the caches; the last of the stores is seen before what follows. */
typedef void (*kernel_nontemporal_fn)(size_t bytes, const char *from, char *to);

/* As kernel_transpose_copy. */
typedef void (*kernel_transpose_fn)(int item, int64_t rows, int64_t cols, const char *from, int64_t from_step,
                                    char *to, int64_t to_step);

struct sort_loops; /* see sort_keys.h */

struct scan_loops;

struct kernels_table {
  /* Elementwise loops by operation and dtype; each is in one of these tables of the families. NULL ends. */
  const kernel_map_fn (*const *maps)[NUMD_DTYPE_CODES];
  kernel_nontemporal_fn nontemporal_copy;
  kernel_transpose_fn transpose_copy;
  const kernel_map_fn (*cast)[NUMD_DTYPE_CODES]; /* from, to */
  /* Reductions by operation and dtype of the input; each is in one of the families. */
  const kernel_reduce_fn (*reduce[2])[NUMD_DTYPE_CODES];
  const kernel_rows_fn (*rows)[NUMD_DTYPE_CODES];
  const kernel_matmul_loops_fn *matmul_loops; /* by dtype; floats have none */
  const struct sort_loops *sort;
  const kernel_small_fn *small; /* by dtype */
  const struct scan_loops *scan;
};

/* The table in use. */
const struct kernels_table *kernels_table(void);

extern const struct kernels_table kernels_table_c, kernels_table_v3, kernels_table_v4;

#endif
