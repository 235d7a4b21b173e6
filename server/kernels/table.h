/* Inside the kernels library: what one instruction set's build of the families offers to kernels.c
 * and matmul.c. */
#ifndef NUMD_SERVER_KERNELS_TABLE_H
#define NUMD_SERVER_KERNELS_TABLE_H

#include "server/kernels/kernels.h"

/* C (m x n) = A (m x k) B (k x n), k >= 1, of integers or bool. A has any strides; the
 * rows of B and C are contiguous, b_row and c_row bytes apart (with n == 1 that is any stride). */
typedef void (*kernel_product_fn)(int64_t m, int64_t n, int64_t k, const char *a, const int64_t a_stride[2],
                                  const char *b, int64_t b_row, char *c, int64_t c_row);

struct kernels_table {
  const kernel_map_fn (*map)[NUMD_DTYPE_CODES];       /* by operation and dtype */
  const kernel_map_fn (*cast)[NUMD_DTYPE_CODES];      /* from, to */
  const kernel_reduce_fn (*reduce)[NUMD_DTYPE_CODES]; /* by operation and dtype of the accumulator */
  const kernel_product_fn *product;                   /* by dtype; floats have none */
};

/* The table in use. */
const struct kernels_table *kernels_table(void);

extern const struct kernels_table kernels_table_c, kernels_table_v2, kernels_table_v3, kernels_table_v4;

#endif
