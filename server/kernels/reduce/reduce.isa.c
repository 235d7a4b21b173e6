/* SPDX-License-Identifier: BSD-3-Clause */
/* Sums and products of floats, one value from many. Compiled once for each instruction set. (Reductions
 * whose order does not matter are in reduce_exact.isa.c, those of rows in reduce_rows.isa.c.)
 *
 * LANES accumulators run side by side over rows of LANES numbers, whatever the width of the machine's
 * vectors; a complex number is two of them. BLOCK_ROWS rows make a block; blocks are combined in pairs, pairs
 * of pairs, and so on (a binary counter of partial results, still LANES wide), and at the very end
 * the lanes are folded in halves. For a sum of n float64 the error thus grows with 8 + log2(n): no
 * term passes through more additions than in NumPy's pairwise sum. The tree depends on n alone, so
 * strides, alignment and the instruction set make no difference to the bits. Strided data is
 * gathered a block at a time.
 *
 * Accumulators start from what does not change a term: -0.0 for sums (0.0 would lose the sign of a sum of
 * negative zeros). */
#include <string.h>

#include "server/kernels/reduce/reduce.h"

#define LANES 32
#define FEW 8 /* lanes for fewer than LANES numbers */
#define BLOCK_ROWS 8
#define BLOCK (BLOCK_ROWS * LANES)
#define LEVELS 60 /* more blocks than 2^60 cannot be addressed */

/* X(OP, NAME, type of a stored item, type of its numbers, numbers an item, neutral, expression in x and y) */
#define REAL_TREES(NAME, T, X)       \
  X(SUM, NAME, T, T, 1, -0.0, x + y) \
  X(PROD, NAME, T, T, 1, 1, x *y)
#define COMPLEX_TREES(NAME, R, X) X(SUM, NAME, NAME##_pair, R, 2, -0.0, x + y)
#define TREE_LIST(X) DTYPE_REALS(REAL_TREES, X) DTYPE_COMPLEXES(COMPLEX_TREES, X)

#define DEFINE_TREE(OP, NAME, ITEM, NUMBER, PARTS, NEUTRAL, EXPR)                                           \
  typedef ITEM OP##_##NAME##_item KERNEL_ALIAS;                                                             \
  typedef NUMBER OP##_##NAME##_number KERNEL_ALIAS;                                                         \
                                                                                                            \
  static inline double OP##_##NAME##_step(double x, double y) {                                             \
    return EXPR;                                                                                            \
  }                                                                                                         \
                                                                                                            \
  static inline void OP##_##NAME##_fold(double *acc, int lanes, char *result) {                             \
    for (int half = lanes / 2; half >= PARTS; half /= 2)                                                    \
      for (int j = 0; j < half; j++)                                                                        \
        acc[j] = OP##_##NAME##_step(acc[j], acc[j + half]);                                                 \
    memcpy(result, acc, PARTS * sizeof(double));                                                            \
  }                                                                                                         \
                                                                                                            \
  static inline void OP##_##NAME##_merge(const double *restrict left, double *restrict acc) {               \
    for (int j = 0; j < LANES; j++)                                                                         \
      acc[j] = OP##_##NAME##_step(left[j], acc[j]);                                                         \
  }                                                                                                         \
                                                                                                            \
  static inline void OP##_##NAME##_rows(const OP##_##NAME##_number *in, int64_t rows, int lanes,            \
                                        double *restrict acc) {                                             \
    for (; rows > 0; rows--, in += lanes)                                                                   \
      for (int j = 0; j < lanes; j++)                                                                       \
        acc[j] = OP##_##NAME##_step(acc[j], (double)in[j]);                                                 \
  }                                                                                                         \
                                                                                                            \
  /* acc: of n numbers, fewer than a block */                                                               \
  static inline void OP##_##NAME##_part(const OP##_##NAME##_number *in, int64_t n, int lanes,               \
                                        double *restrict acc) {                                             \
    double a[LANES];                                                                                        \
    for (int j = 0; j < lanes; j++)                                                                         \
      a[j] = NEUTRAL;                                                                                       \
    OP##_##NAME##_rows(in, n / lanes, lanes, a);                                                            \
    in += n / lanes * lanes;                                                                                \
    for (int j = 0; j < (int)(n % lanes); j++)                                                              \
      a[j] = OP##_##NAME##_step(a[j], (double)in[j]);                                                       \
    memcpy(acc, a, sizeof(double) * (size_t)lanes);                                                         \
  }                                                                                                         \
                                                                                                            \
  static inline const OP##_##NAME##_number *OP##_##NAME##_gather(int64_t n, const char *in, int64_t stride, \
                                                                 ITEM *gathered) {                          \
    if (stride == sizeof(ITEM))                                                                             \
      return (const OP##_##NAME##_number *)in;                                                              \
    for (int64_t i = 0; i < n; i++)                                                                         \
      gathered[i] = *(const OP##_##NAME##_item *)(in + i * stride);                                         \
    return (const OP##_##NAME##_number *)gathered;                                                          \
  }                                                                                                         \
                                                                                                            \
  static void OP##_##NAME(int64_t n, const char *in, int64_t stride, char *result) {                        \
    ITEM gathered[BLOCK / PARTS];                                                                           \
    double partial[LEVELS][LANES], acc[LANES];                                                              \
    uint64_t blocks = 0;                                                                                    \
    if (n < LANES / PARTS) {                                                                                \
      OP##_##NAME##_part(OP##_##NAME##_gather(n, in, stride, gathered), n *PARTS, FEW, acc);                \
      OP##_##NAME##_fold(acc, FEW, result);                                                                 \
      return;                                                                                               \
    }                                                                                                       \
    for (; n >= BLOCK / PARTS; n -= BLOCK / PARTS, in += BLOCK / PARTS * stride) {                          \
      OP##_##NAME##_part(OP##_##NAME##_gather(BLOCK / PARTS, in, stride, gathered), BLOCK, LANES, acc);     \
      int level = 0;                                                                                        \
      for (uint64_t carry = blocks; carry & 1; carry >>= 1)                                                 \
        OP##_##NAME##_merge(partial[level++], acc);                                                         \
      memcpy(partial[level], acc, sizeof(acc));                                                             \
      blocks++;                                                                                             \
    }                                                                                                       \
    OP##_##NAME##_part(OP##_##NAME##_gather(n, in, stride, gathered), n *PARTS, LANES, acc);                \
    for (int level = 0; blocks >> level; level++)                                                           \
      if (blocks >> level & 1)                                                                              \
        OP##_##NAME##_merge(partial[level], acc);                                                           \
    OP##_##NAME##_fold(acc, LANES, result);                                                                 \
  }

TREE_LIST(DEFINE_TREE)

/* Products of complex numbers have no neutral factor ((1 + 0i) times infinity is not infinity): products run
 * side by side, each from its first factor on, and are multiplied in order. */
#define DEFINE_COMPLEX_PROD(NAME, R)                                                               \
  FACTOR_SCALAR static void PROD_##NAME(int64_t n, const char *in, int64_t stride, char *result) { \
    struct complex_factors acc = {{0}, {0}};                                                       \
    const int lanes = n < FACTORS ? (int)n : FACTORS;                                              \
    for (int j = 0; j < lanes; j++)                                                                \
      FACTOR_SET(acc, j, *(const NAME##_pair *)(in + j * stride));                                 \
    for (in += FACTORS * stride, n -= FACTORS; n >= FACTORS; n -= FACTORS, in += FACTORS * stride) \
      for (int j = 0; j < FACTORS; j++)                                                            \
        FACTOR_MULTIPLY(acc, j, *(const NAME##_pair *)(in + j * stride));                          \
    for (int j = 0; j < (int)n; j++)                                                               \
      FACTOR_MULTIPLY(acc, j, *(const NAME##_pair *)(in + j * stride));                            \
    for (int j = 1; j < lanes; j++)                                                                \
      FACTOR_MULTIPLY(acc, 0, FACTOR_GET(acc, j));                                                 \
    const COMPLEX128_pair product = FACTOR_GET(acc, 0);                                            \
    memcpy(result, &product, sizeof(product));                                                     \
  }

DTYPE_COMPLEXES(DEFINE_COMPLEX_PROD)

const kernel_reduce_fn KERNEL_NAME(kernels_reduce)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(OP, NAME, ITEM, NUMBER, PARTS, NEUTRAL, EXPR) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
    TREE_LIST(X)
#undef X
#define X(NAME, R) [NUMD_OP_PROD][NUMD_##NAME] = PROD_##NAME,
        DTYPE_COMPLEXES(X)
#undef X
};
