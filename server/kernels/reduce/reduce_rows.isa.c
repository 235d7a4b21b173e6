/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions of rows, element by element: many results side by side. Compiled once for each instruction
 * set.
 *
 * COLUMNS results are accumulated at a time, in registers, down all rows. Terms are widened as they are read,
 * so sums of narrow items need no pass that converts them. */
#include <string.h>

#include "server/kernels/reduce/reduce.h"

#define COLUMN_BYTES 256

/* X(OP, NAME, type of an item, accumulator, value of item v, expression in x and y) */
/* Whether an integer is zero does not depend on its sign: unsigned ones use the loops of signed ones. */
#define ZERO_ROWS(NAME, T, X)                        \
  X(COUNT_NONZERO, NAME, T, uint64_t, v != 0, x + y) \
  X(ANY, NAME, T, uint8_t, v != 0, x | y)            \
  X(ALL, NAME, T, uint8_t, v != 0, x & y)

#define INTEGER_ROWS(NAME, T, X)                \
  X(SUM, NAME, T, uint64_t, (uint64_t)v, x + y) \
  X(PROD, NAME, T, uint64_t, (uint64_t)v, x *y) \
  X(MAX, NAME, T, T, v, GREATER(x, y))          \
  X(MIN, NAME, T, T, v, LESSER(x, y))

#define REAL_ROWS(NAME, T, X)                 \
  X(SUM, NAME, T, double, (double)v, x + y)   \
  X(PROD, NAME, T, double, (double)v, x *y)   \
  X(MAX, NAME, T, T, v, GREATER_OR_NAN(x, y)) \
  X(MIN, NAME, T, T, v, LESSER_OR_NAN(x, y))  \
  ZERO_ROWS(NAME, T, X)

#define COMPLEX_ROWS(NAME, R, X)                                                      \
  X(SUM, NAME, NAME##_pair, COMPLEX128_pair, WIDE(v), complex_sum(x, y))              \
  X(COUNT_NONZERO, NAME, NAME##_pair, uint64_t, (v.real != 0) | (v.imag != 0), x + y) \
  X(ANY, NAME, NAME##_pair, uint8_t, (v.real != 0) | (v.imag != 0), x | y)            \
  X(ALL, NAME, NAME##_pair, uint8_t, (v.real != 0) | (v.imag != 0), x & y)

#define SIGNED_ROWS(NAME, T, X) \
  INTEGER_ROWS(NAME, T, X)      \
  ZERO_ROWS(NAME, T, X)

#define ROWS_LIST(X)                              \
  X(SUM, BOOL, uint8_t, uint64_t, v != 0, x + y)  \
  X(PROD, BOOL, uint8_t, uint64_t, v != 0, x & y) \
  X(ANY, BOOL, uint8_t, uint8_t, v != 0, x | y)   \
  X(ALL, BOOL, uint8_t, uint8_t, v != 0, x & y)   \
  DTYPE_SIGNED_INTS(SIGNED_ROWS, X)               \
  DTYPE_UNSIGNED_INTS(INTEGER_ROWS, X)            \
  DTYPE_REALS(REAL_ROWS, X)                       \
  DTYPE_COMPLEXES(COMPLEX_ROWS, X)

#define DEFINE_ROWS(OP, NAME, T, A, VALUE, EXPR)                                                          \
  typedef T OP##_##NAME##_item KERNEL_ALIAS;                                                              \
                                                                                                          \
  static inline A OP##_##NAME##_value(const char *in) {                                                   \
    const T v = *(const OP##_##NAME##_item *)in;                                                          \
    return VALUE;                                                                                         \
  }                                                                                                       \
                                                                                                          \
  static inline A OP##_##NAME##_step(A x, A y) {                                                          \
    return EXPR;                                                                                          \
  }                                                                                                       \
                                                                                                          \
  static inline void OP##_##NAME##_columns(int64_t rows, int columns, const char *in, int64_t row_stride, \
                                           int64_t stride, char *result, bool more) {                     \
    A acc[COLUMN_BYTES / sizeof(A)];                                                                      \
    const size_t bytes = sizeof(A) * (size_t)columns;                                                     \
    if (more) {                                                                                           \
      memcpy(acc, result, bytes);                                                                         \
    } else {                                                                                              \
      for (int j = 0; j < columns; j++)                                                                   \
        acc[j] = OP##_##NAME##_value(in + j * stride);                                                    \
      in += row_stride;                                                                                   \
      rows--;                                                                                             \
    }                                                                                                     \
    for (; rows > 0; rows--, in += row_stride)                                                            \
      for (int j = 0; j < columns; j++)                                                                   \
        acc[j] = OP##_##NAME##_step(acc[j], OP##_##NAME##_value(in + j * stride));                        \
    memcpy(result, acc, bytes);                                                                           \
  }                                                                                                       \
                                                                                                          \
  static void OP##_##NAME(int64_t rows, int64_t n, const char *in, int64_t row_stride, int64_t stride,    \
                          char *acc, bool more) {                                                         \
    enum { columns = COLUMN_BYTES / sizeof(A), few = columns < 32 ? columns / 4 : 8 };                    \
    const bool dense = stride == sizeof(T);                                                               \
    for (; dense && n >= columns; n -= columns, in += columns * sizeof(T), acc += columns * sizeof(A))    \
      OP##_##NAME##_columns(rows, columns, in, row_stride, sizeof(T), acc, more);                         \
    for (; n >= few; n -= few, in += few * stride, acc += few * sizeof(A))                                \
      if (dense)                                                                                          \
        OP##_##NAME##_columns(rows, few, in, row_stride, sizeof(T), acc, more);                           \
      else                                                                                                \
        OP##_##NAME##_columns(rows, few, in, row_stride, stride, acc, more);                              \
    for (; n > 0; n--, in += stride, acc += sizeof(A))                                                    \
      OP##_##NAME##_columns(rows, 1, in, row_stride, stride, acc, more);                                  \
  }

ROWS_LIST(DEFINE_ROWS)

#define DEFINE_COMPLEX_PROD(NAME, R)                                                                 \
  FACTOR_SCALAR static void PROD_##NAME(int64_t rows, int64_t n, const char *in, int64_t row_stride, \
                                        int64_t stride, char *result, bool more) {                   \
    for (int64_t at = 0; at < n; at += FACTORS, in += FACTORS * stride) {                            \
      const int columns = n - at < FACTORS ? (int)(n - at) : FACTORS;                                \
      COMPLEX128_pair *out = (COMPLEX128_pair *)result + at;                                         \
      struct complex_factors acc;                                                                    \
      for (int j = 0; j < columns; j++)                                                              \
        if (more)                                                                                    \
          FACTOR_SET(acc, j, out[j]);                                                                \
        else                                                                                         \
          FACTOR_SET(acc, j, *(const NAME##_pair *)(in + j * stride));                               \
      for (int64_t r = more ? 0 : 1; r < rows; r++)                                                  \
        for (int j = 0; j < columns; j++)                                                            \
          FACTOR_MULTIPLY(acc, j, *(const NAME##_pair *)(in + r * row_stride + j * stride));         \
      for (int j = 0; j < columns; j++)                                                              \
        out[j] = FACTOR_GET(acc, j);                                                                 \
    }                                                                                                \
  }

DTYPE_COMPLEXES(DEFINE_COMPLEX_PROD)

#define UNSIGNED_ROW(SNAME, S, UNAME, U, OP) [NUMD_OP_##OP][NUMD_##UNAME] = OP##_##SNAME,

const kernel_rows_fn KERNEL_NAME(kernels_reduce_rows)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(OP, NAME, T, A, VALUE, EXPR) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
    ROWS_LIST(X)
#undef X
        DTYPE_INT_PAIRS(UNSIGNED_ROW, COUNT_NONZERO) DTYPE_INT_PAIRS(UNSIGNED_ROW, ANY)
            DTYPE_INT_PAIRS(UNSIGNED_ROW, ALL)[NUMD_OP_COUNT_NONZERO][NUMD_BOOL] = SUM_BOOL,
    [NUMD_OP_MAX][NUMD_BOOL] = ANY_BOOL, [NUMD_OP_MIN][NUMD_BOOL] = ALL_BOOL,
#define X(NAME, R) [NUMD_OP_PROD][NUMD_##NAME] = PROD_##NAME,
    DTYPE_COMPLEXES(X)
#undef X
};
