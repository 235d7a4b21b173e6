/* Inside the kernels library, for its families: the tables that they make for each other, named by
 * instruction set. */
#ifndef NUMD_SERVER_KERNELS_FAMILY_H
#define NUMD_SERVER_KERNELS_FAMILY_H

#include "server/kernels/isa.h"
#include "server/kernels/table.h"

extern const kernel_map_fn KERNEL_NAME(kernels_map)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
extern const kernel_map_fn KERNEL_NAME(kernels_cast)[NUMD_DTYPE_CODES][NUMD_DTYPE_CODES];
extern const kernel_reduce_fn KERNEL_NAME(kernels_reduce)[NUMD_OP_CODES][NUMD_DTYPE_CODES];
extern const kernel_product_fn KERNEL_NAME(kernels_product)[NUMD_DTYPE_CODES];

/* The functions of math.c: X(OP, name in libm and in SLEEF). Each has a loop for both real dtypes. */
#define KERNEL_MATH_UNARY(X) X(EXP, exp) X(LOG, log) X(SIN, sin) X(COS, cos) X(TANH, tanh)
#define KERNEL_MATH_BINARY(X) X(POWER, pow)

#define KERNEL_MATH_NAME(f, dtype) KERNEL_NAME(kernel_##f##_##dtype)

#define X(OP, f)                                                                               \
  unsigned KERNEL_MATH_NAME(f, float32)(int64_t n, char *const ptr[], const int64_t stride[]); \
  unsigned KERNEL_MATH_NAME(f, float64)(int64_t n, char *const ptr[], const int64_t stride[]);
KERNEL_MATH_UNARY(X)
KERNEL_MATH_BINARY(X)
#undef X

#endif
