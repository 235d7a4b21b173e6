/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products by loops of our own. Compiled once for each instruction set.
 *
 * Two kinds. `product` multiplies matrices of integers or bool of any size: columns of B are packed into a
 * panel that stays in L1, widened where the multiplication is (8-bit items are multiplied as 16 bits, of
 * which the lower half is right), and a block of ROWS x 2 vectors of C is summed up in registers. C is then
 * added to what earlier panels of k left there. Products of few rows have nothing to gain from packing and go
 * through rows of B or dot products instead. Any strides; no scratch memory but the stack.
 *
 * `small` multiplies batches of matrices of any dtype so small that a call of BLAS would cost more than their
 * arithmetic. Rows of C are computed in pieces of 8, 4, 2 and 1 columns, each a vector in a register. */
#include "server/kernels/family.h"

#if KERNEL_LEVEL >= 4
#define VECTOR_BYTES 64
#define ROWS 8
#elif KERNEL_LEVEL == 3
#define VECTOR_BYTES 32
#define ROWS 4
#else
#define VECTOR_BYTES 16
#define ROWS 4
#endif
#define PANEL_ROWS 256   /* of B: with 2 vectors a row at most 32 KB */
#define PIECE_BYTES 2048 /* of a row of C where there are few */
#define FEW_ROWS 4       /* fewer than these are not worth packing B for */
#define ALWAYS static inline __attribute__((always_inline))

/* How items are combined. JOIN adds x times y to a sum of vectors, JOIN_ONE to a sum of the computing type W
 * (1u keeps C from multiplying 16-bit items as int, which could overflow). A bool of B is packed as all ones
 * or none, and one of A may hold any bits: what is summed up is then zero or not. */
#define PLAIN_JOIN(W, sum, x, y) ((sum) + (x) * (y))
#define PLAIN_JOIN_ONE(W, sum, x, y) ((W)((sum) + 1u * (x) * (y)))
#define PLAIN_ADD(W, x, y) ((W)((x) + (y)))
#define PLAIN_PACK(v) (v)
#define PLAIN_RESULT(sum) (sum)
#define REAL_JOIN PLAIN_JOIN
#define REAL_JOIN_ONE PLAIN_JOIN
#define REAL_PACK PLAIN_PACK
#define REAL_RESULT PLAIN_RESULT
#define BOOLEAN_JOIN(W, sum, x, y) ((sum) | ((x) & (y)))
#define BOOLEAN_JOIN_ONE BOOLEAN_JOIN
#define BOOLEAN_ADD(W, x, y) ((W)((x) | (y)))
#define BOOLEAN_PACK(v) ((v) != 0 ? 0xFF : 0)
#define BOOLEAN_RESULT(sum) ((sum) != 0)

/* A matrix's first item and the bytes from one row and one column to the next. */
struct view {
  const char *data;
  int64_t row, col;
};

/* ---- Integers of any size ---- */

/* Signed and unsigned integers share the functions: what is wrapped around has the same bits. */
#define NAME BOOL
#define T uint8_t
#define W uint8_t
#define KIND BOOLEAN
#include "server/kernels/linalg/matmul_loops_body.h"

#define NAME INT8
#define T uint8_t
#define W uint16_t
#define KIND PLAIN
#include "server/kernels/linalg/matmul_loops_body.h"

#define NAME INT16
#define T uint16_t
#define W uint16_t
#define KIND PLAIN
#include "server/kernels/linalg/matmul_loops_body.h"

#define NAME INT32
#define T uint32_t
#define W uint32_t
#define KIND PLAIN
#include "server/kernels/linalg/matmul_loops_body.h"

#define NAME INT64
#define T uint64_t
#define W uint64_t
#define KIND PLAIN
#include "server/kernels/linalg/matmul_loops_body.h"

const kernel_matmul_loops_fn KERNEL_NAME(kernels_matmul_loops)[NUMD_DTYPE_CODES] = {
    [NUMD_BOOL] = BOOL_product,
#define X(SNAME, S, UNAME, U) [NUMD_##SNAME] = SNAME##_product, [NUMD_##UNAME] = SNAME##_product,
    DTYPE_INT_PAIRS(X)
#undef X
};

/* ---- Small ones of any dtype ---- */

/* X(NAME, type, kind) */
#define SMALL_INTEGER(SNAME, S, UNAME, U, X) X(SNAME, U, PLAIN)
#define SMALL_LIST(X) DTYPE_BOOLS(X, BOOLEAN) DTYPE_INT_PAIRS(SMALL_INTEGER, X) DTYPE_REALS(X, REAL)

/* `rows` rows of w columns of C; rows of B are contiguous, b_row items apart. An item becomes a vector by
 * subtracting a vector of zeros: x - 0 is x even for -0, which x + 0 is not. */
#define DEFINE_WIDTH(NAME, T, KIND, w)                                                                   \
  typedef T NAME##_vector##w __attribute__((vector_size(w * sizeof(T)), aligned(sizeof(T)), may_alias)); \
  ALWAYS void NAME##_rows##w(int rows, int64_t k, struct view a, const T *b, int64_t b_row, char *c,     \
                             int64_t c_row) {                                                            \
    NAME##_vector##w sum[4];                                                                             \
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) sum[i] = (NAME##_vector##w){0};               \
    for (int64_t p = 0; p < k; p++, a.data += a.col, b += b_row) {                                       \
      const NAME##_vector##w y = *(const NAME##_vector##w *)b;                                           \
      _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) sum[i] = KIND##_JOIN(                       \
          T, sum[i], *(const NAME##_small_item *)(a.data + i * a.row) - (NAME##_vector##w){0}, y);       \
    }                                                                                                    \
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) * (NAME##_vector##w *)(c + i * c_row) =       \
        KIND##_VECTOR_RESULT(NAME##_vector##w, sum[i]);                                                  \
  }                                                                                                      \
                                                                                                         \
  ALWAYS void NAME##_width##w(int64_t m, int64_t k, struct view a, const T *b, int64_t b_row, char *c,   \
                              int64_t c_row) {                                                           \
    for (; m >= 4; m -= 4, a.data += 4 * a.row, c += 4 * c_row)                                          \
      NAME##_rows##w(4, k, a, b, b_row, c, c_row);                                                       \
    for (; m >= 2; m -= 2, a.data += 2 * a.row, c += 2 * c_row)                                          \
      NAME##_rows##w(2, k, a, b, b_row, c, c_row);                                                       \
    for (; m >= 1; m--, a.data += a.row, c += c_row)                                                     \
      NAME##_rows##w(1, k, a, b, b_row, c, c_row);                                                       \
  }

#define PLAIN_VECTOR_RESULT(V, sum) (sum)
#define REAL_VECTOR_RESULT(V, sum) (sum)
#define BOOLEAN_VECTOR_RESULT(V, sum) ((V)((sum) != 0) & 1)

#define DEFINE_SMALL(NAME, T, KIND)                                                                     \
  typedef T NAME##_small_item KERNEL_ALIAS;                                                             \
  DEFINE_WIDTH(NAME, T, KIND, 8)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 4)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 2)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 1)                                                                        \
                                                                                                        \
  ALWAYS void NAME##_rows(int64_t m, int64_t n, int64_t k, struct view a, const T *b, int64_t b_row,    \
                          char *c, int64_t c_row) {                                                     \
    int64_t j = 0;                                                                                      \
    for (; n - j >= 8; j += 8)                                                                          \
      NAME##_width8(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
    if (n - j >= 4) {                                                                                   \
      NAME##_width4(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
      j += 4;                                                                                           \
    }                                                                                                   \
    if (n - j >= 2) {                                                                                   \
      NAME##_width2(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
      j += 2;                                                                                           \
    }                                                                                                   \
    if (n - j >= 1)                                                                                     \
      NAME##_width1(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
  }                                                                                                     \
                                                                                                        \
  /* Operands that lie in memory as the loops want them: nothing is copied. */                          \
  ALWAYS void NAME##_direct(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,     \
                            struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {   \
    for (int64_t t = 0; t < count; t++)                                                                 \
      NAME##_rows(m, n, k, (struct view){a.data + t * batch[0], a.stride[0], a.stride[1]},              \
                  (const T *)(b.data + t * batch[1]), b.stride[0] / (int64_t)sizeof(T),                 \
                  c.data + t * batch[2], c.stride[0]);                                                  \
  }                                                                                                     \
                                                                                                        \
  /* Any strides, and bool: B is copied to contiguous rows, C computed in such rows and copied out. */  \
  static void NAME##_gathered(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,   \
                              struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) { \
    T rows[KERNEL_SMALL_ITEMS], sums[KERNEL_SMALL_ITEMS];                                               \
    for (int64_t t = 0; t < count; t++) {                                                               \
      for (int64_t p = 0; p < k; p++)                                                                   \
        for (int64_t j = 0; j < n; j++)                                                                 \
          rows[p * n + j] = (T)KIND##_PACK(                                                             \
              *(const NAME##_small_item *)(b.data + t * batch[1] + p * b.stride[0] + j * b.stride[1])); \
      NAME##_rows(m, n, k, (struct view){a.data + t * batch[0], a.stride[0], a.stride[1]}, rows, n,     \
                  (char *)sums, n *(int64_t)sizeof(T));                                                 \
      for (int64_t i = 0; i < m; i++)                                                                   \
        for (int64_t j = 0; j < n; j++)                                                                 \
          *(NAME##_small_item *)(c.data + t * batch[2] + i * c.stride[0] + j * c.stride[1]) =           \
              sums[i * n + j];                                                                          \
    }                                                                                                   \
  }                                                                                                     \
                                                                                                        \
  static void NAME##_small(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,      \
                           struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {    \
    if (NUMD_##NAME == NUMD_BOOL || (n > 1 && (b.stride[1] != sizeof(T) || c.stride[1] != sizeof(T))))  \
      NAME##_gathered(count, m, n, k, a, b, c, batch);                                                  \
    else if (m == 2 && n == 2 && k == 2)                                                                \
      NAME##_direct(count, 2, 2, 2, a, b, c, batch);                                                    \
    else if (m == 3 && n == 3 && k == 3)                                                                \
      NAME##_direct(count, 3, 3, 3, a, b, c, batch);                                                    \
    else if (m == 4 && n == 4 && k == 4)                                                                \
      NAME##_direct(count, 4, 4, 4, a, b, c, batch);                                                    \
    else                                                                                                \
      NAME##_direct(count, m, n, k, a, b, c, batch);                                                    \
  }

SMALL_LIST(DEFINE_SMALL)

/* Complex numbers: each item of C by itself. */
#define DEFINE_SMALL_COMPLEX(NAME, R)                                                                        \
  typedef R NAME##_part KERNEL_ALIAS;                                                                        \
                                                                                                             \
  ALWAYS void NAME##_one(int64_t k, const char *x, int64_t x_step, const char *y, int64_t y_step, char *c) { \
    R re = 0, im = 0;                                                                                        \
    for (int64_t p = 0; p < k; p++, x += x_step, y += y_step) {                                              \
      const R a = ((const NAME##_part *)x)[0], b = ((const NAME##_part *)x)[1];                              \
      const R d = ((const NAME##_part *)y)[0], e = ((const NAME##_part *)y)[1];                              \
      re += a * d - b * e;                                                                                   \
      im += a * e + b * d;                                                                                   \
    }                                                                                                        \
    ((NAME##_part *)c)[0] = re;                                                                              \
    ((NAME##_part *)c)[1] = im;                                                                              \
  }                                                                                                          \
                                                                                                             \
  static void NAME##_small(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,           \
                           struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {         \
    for (int64_t t = 0; t < count; t++, a.data += batch[0], b.data += batch[1], c.data += batch[2])          \
      for (int64_t i = 0; i < m; i++)                                                                        \
        for (int64_t j = 0; j < n; j++)                                                                      \
          NAME##_one(k, a.data + i * a.stride[0], a.stride[1], b.data + j * b.stride[1], b.stride[0],        \
                     c.data + i * c.stride[0] + j * c.stride[1]);                                            \
  }

DTYPE_COMPLEXES(DEFINE_SMALL_COMPLEX)

const kernel_small_fn KERNEL_NAME(kernels_small)[NUMD_DTYPE_CODES] = {
#define ROW(NAME, T) [NUMD_##NAME] = NAME##_small,
#define INTEGER_ROWS(SNAME, S, UNAME, U) [NUMD_##SNAME] = SNAME##_small, [NUMD_##UNAME] = SNAME##_small,
    DTYPE_BOOLS(ROW) DTYPE_INT_PAIRS(INTEGER_ROWS) DTYPE_REALS(ROW) DTYPE_COMPLEXES(ROW)};
