/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions whose terms may be combined in any order: sums and products of integers, which wrap around,
 * counts, the largest and the smallest, any and all. Compiled once for each instruction set.
 *
 * Sums of narrow items and counts run in lanes that are as narrow as they can be, for so many rows as cannot
 * overflow; then the lanes are added up in the dtype that the reduction accumulates in.
 *
 * The largest, smallest, any and all stay the same if a term is taken twice: the last vector of a row
 * overlaps the one before. The order is the same for every instruction set, so that of 0.0 and -0.0 all
 * choose the same one. Any and all look after each STRETCH bytes whether they are decided.
 *
 * Strided data is gathered a block at a time. */
#include <stdbool.h>
#include <string.h>

#include "server/kernels/reduce/reduce.h"

#define VECTOR 64
#define ROW 256      /* bytes of lanes that run side by side */
#define STRETCH 8192 /* bytes that any and all read before they look */

#define DEFINE_GATHER(OP, NAME, T)                                                            \
  typedef T OP##_##NAME##_item KERNEL_ALIAS;                                                  \
                                                                                              \
  static inline void OP##_##NAME##_gather(int64_t n, const char *in, int64_t stride, T *to) { \
    for (int64_t i = 0; i < n; i++, in += stride)                                             \
      to[i] = *(const OP##_##NAME##_item *)in;                                                \
  }

/* ---- Sums, products, counts ---- */

/* X(OP, NAME, type of an item, of a lane, rows that lanes can take, accumulator, neutral, operator, term) */
#define UNLIMITED INT64_MAX
#define LARGEST(U) ((U)-1 >> (sizeof(U) == 8)) /* number of a lane that is no negative int64_t */
#define PROD_TOTAL(NAME, T, X) X(PROD, NAME, T, uint64_t, UNLIMITED, uint64_t, 1, *, (uint64_t)v)
#define COUNT_TOTAL(SNAME, S, UNAME, U, X) X(COUNT_NONZERO, SNAME, U, U, LARGEST(U), uint64_t, 0, +, v != 0)
#define TOTAL_LIST(X)                                                                \
  X(SUM, BOOL, uint8_t, uint8_t, 255, uint64_t, 0, +, v != 0)                        \
  X(SUM, INT8, int8_t, int16_t, 256, uint64_t, 0, +, v)                              \
  X(SUM, INT16, int16_t, int32_t, 65536, uint64_t, 0, +, v)                          \
  X(SUM, INT32, int32_t, int64_t, UNLIMITED, uint64_t, 0, +, v)                      \
  X(SUM, INT64, uint64_t, uint64_t, UNLIMITED, uint64_t, 0, +, v)                    \
  X(SUM, UINT8, uint8_t, uint16_t, 257, uint64_t, 0, +, v)                           \
  X(SUM, UINT16, uint16_t, uint32_t, 65537, uint64_t, 0, +, v)                       \
  X(SUM, UINT32, uint32_t, uint64_t, UNLIMITED, uint64_t, 0, +, v)                   \
  X(SUM, UINT64, uint64_t, uint64_t, UNLIMITED, uint64_t, 0, +, v)                   \
  DTYPE_INTS(PROD_TOTAL, X)                                                          \
  DTYPE_INT_PAIRS(COUNT_TOTAL, X)                                                    \
  X(COUNT_NONZERO, FLOAT32, float, uint32_t, UINT32_MAX, uint64_t, 0, +, v != 0)     \
  X(COUNT_NONZERO, FLOAT64, double, uint64_t, UNLIMITED, uint64_t, 0, +, v != 0)     \
  X(COUNT_NONZERO, COMPLEX64, COMPLEX64_pair, uint32_t, UINT32_MAX, uint64_t, 0, +,  \
    (v.real != 0) | (v.imag != 0))                                                   \
  X(COUNT_NONZERO, COMPLEX128, COMPLEX128_pair, uint64_t, UNLIMITED, uint64_t, 0, +, \
    (v.real != 0) | (v.imag != 0))

#define DEFINE_TOTAL(OP, NAME, T, LANE, LIMIT, ACC, NEUTRAL, OPERATOR, TERM)                        \
  DEFINE_GATHER(OP, NAME, T)                                                                        \
                                                                                                    \
  static __attribute__((noinline))                                                                  \
  ACC OP##_##NAME##_dense(int64_t n, const OP##_##NAME##_item *in, ACC total) {                     \
    enum { lanes = ROW / sizeof(LANE), few = 16 };                                                  \
    while (n >= lanes) {                                                                            \
      LANE acc[lanes];                                                                              \
      const int64_t rows = LESSER(n / lanes, (int64_t)(LIMIT));                                     \
      for (int j = 0; j < lanes; j++)                                                               \
        acc[j] = NEUTRAL;                                                                           \
      for (int64_t r = 0; r < rows; r++, in += lanes)                                               \
        for (int j = 0; j < lanes; j++) {                                                           \
          const T v = in[j];                                                                        \
          acc[j] = (LANE)(acc[j] OPERATOR(LANE)(TERM));                                             \
        }                                                                                           \
      for (int j = 0; j < lanes; j++)                                                               \
        total = total OPERATOR(ACC) acc[j];                                                         \
      n -= rows * lanes;                                                                            \
    }                                                                                               \
    if (n >= few) {                                                                                 \
      LANE acc[few];                                                                                \
      for (int j = 0; j < few; j++)                                                                 \
        acc[j] = NEUTRAL;                                                                           \
      for (; n >= few; n -= few, in += few)                                                         \
        for (int j = 0; j < few; j++) {                                                             \
          const T v = in[j];                                                                        \
          acc[j] = (LANE)(acc[j] OPERATOR(LANE)(TERM));                                             \
        }                                                                                           \
      for (int j = 0; j < few; j++)                                                                 \
        total = total OPERATOR(ACC) acc[j];                                                         \
    }                                                                                               \
    for (int j = 0; j < (int)n; j++) {                                                              \
      const T v = in[j];                                                                            \
      total = total OPERATOR(ACC)(TERM);                                                            \
    }                                                                                               \
    return total;                                                                                   \
  }                                                                                                 \
                                                                                                    \
  static void OP##_##NAME(int64_t n, const char *in, int64_t stride, char *result) {                \
    enum { block = 4096 / sizeof(T) };                                                              \
    ACC total = NEUTRAL;                                                                            \
    if (stride == sizeof(T)) {                                                                      \
      total = OP##_##NAME##_dense(n, (const OP##_##NAME##_item *)in, total);                        \
    } else {                                                                                        \
      T gathered[block];                                                                            \
      for (; n > 0; n -= block, in += block * stride) {                                             \
        OP##_##NAME##_gather(LESSER(n, block), in, stride, gathered);                               \
        total = OP##_##NAME##_dense(LESSER(n, block), (const OP##_##NAME##_item *)gathered, total); \
      }                                                                                             \
    }                                                                                               \
    memcpy(result, &total, sizeof(total));                                                          \
  }

TOTAL_LIST(DEFINE_TOTAL)

/* ---- The largest, the smallest, any, all ---- */

/* X(OP, NAME, type of an item, type that it is compared as, value of item v, expression in x and y, whether
 * the bits of a partial result x decide all) */
#define INTEGER_CHOICES(NAME, T, X)       \
  X(MAX, NAME, T, T, v, GREATER(x, y), 0) \
  X(MIN, NAME, T, T, v, LESSER(x, y), 0)
#define REAL_CHOICES(NAME, T, X)                 \
  X(MAX, NAME, T, T, v, GREATER_OR_NAN(x, y), 0) \
  X(MIN, NAME, T, T, v, LESSER_OR_NAN(x, y), 0)
#define ZERO_CHOICES(SNAME, S, UNAME, U, X) \
  X(ANY, SNAME, U, U, v, x | y, x != 0)     \
  X(ALL, SNAME, U, U, v, LESSER(x, y), x == 0)
#define CHOICE_LIST(X)                                                        \
  DTYPE_INTS(INTEGER_CHOICES, X)                                              \
  DTYPE_REALS(REAL_CHOICES, X)                                                \
  DTYPE_INT_PAIRS(ZERO_CHOICES, X)                                            \
  X(ANY, FLOAT32, uint32_t, uint32_t, v << 1, x | y, x != 0)                  \
  X(ANY, FLOAT64, uint64_t, uint64_t, v << 1, x | y, x != 0)                  \
  X(ANY, COMPLEX64, pair32, uint32_t, (v.a | v.b) << 1, x | y, x != 0)        \
  X(ANY, COMPLEX128, pair64, uint64_t, (v.a | v.b) << 1, x | y, x != 0)       \
  X(ALL, FLOAT32, uint32_t, uint32_t, v << 1, LESSER(x, y), x == 0)           \
  X(ALL, FLOAT64, uint64_t, uint64_t, v << 1, LESSER(x, y), x == 0)           \
  X(ALL, COMPLEX64, pair32, uint32_t, (v.a | v.b) << 1, LESSER(x, y), x == 0) \
  X(ALL, COMPLEX128, pair64, uint64_t, (v.a | v.b) << 1, LESSER(x, y), x == 0)

/* The bits of a complex number: all but the signs tell whether it is zero. */
typedef struct {
  uint32_t a, b;
} KERNEL_ALIAS pair32;
typedef struct {
  uint64_t a, b;
} KERNEL_ALIAS pair64;

#define DEFINE_CHOICE_STEPS(OP, NAME, T, V, VALUE, EXPR)                                       \
  DEFINE_GATHER(OP, NAME, T)                                                                   \
                                                                                               \
  static inline V OP##_##NAME##_step(V x, V y) {                                               \
    return EXPR;                                                                               \
  }                                                                                            \
                                                                                               \
  static inline V OP##_##NAME##_value(const OP##_##NAME##_item *in) {                          \
    const T v = *in;                                                                           \
    return (V)(VALUE);                                                                         \
  }                                                                                            \
                                                                                               \
  static inline V OP##_##NAME##_fold(V *acc, int lanes) {                                      \
    for (int half = lanes / 2; half > 0; half /= 2)                                            \
      for (int j = 0; j < half; j++)                                                           \
        acc[j] = OP##_##NAME##_step(acc[j], acc[j + half]);                                    \
    return acc[0];                                                                             \
  }                                                                                            \
                                                                                               \
  /* Vectors of `lanes` items, the last of which ends where the row ends: n >= lanes. */       \
  static inline void OP##_##NAME##_vectors(int64_t n, const OP##_##NAME##_item *in, int lanes, \
                                           V *restrict acc) {                                  \
    for (int64_t at = 0;; at = at + lanes <= n - lanes ? at + lanes : n - lanes) {             \
      for (int j = 0; j < lanes; j++)                                                          \
        acc[j] = OP##_##NAME##_step(acc[j], OP##_##NAME##_value(in + at + j));                 \
      if (at == n - lanes)                                                                     \
        return;                                                                                \
    }                                                                                          \
  }

#define DEFINE_CHOICE(OP, NAME, T, V, VALUE, EXPR, DECIDED)                                         \
  DEFINE_CHOICE_STEPS(OP, NAME, T, V, VALUE, EXPR)                                                  \
                                                                                                    \
  static __attribute__((noinline)) V OP##_##NAME##_dense(int64_t n, const OP##_##NAME##_item *in) { \
    enum { row = ROW / sizeof(V), vector = VECTOR / sizeof(V), few = 16 / sizeof(V) };              \
    V acc[row];                                                                                     \
    if (n < vector) {                                                                               \
      V one = OP##_##NAME##_value(in);                                                              \
      if (n < few || few < 4) {                                                                     \
        for (int i = 1; i < (int)n; i++)                                                            \
          one = OP##_##NAME##_step(one, OP##_##NAME##_value(in + i));                               \
        return one;                                                                                 \
      }                                                                                             \
      for (int j = 0; j < few; j++)                                                                 \
        acc[j] = OP##_##NAME##_value(in + j);                                                       \
      OP##_##NAME##_vectors(n, in, few, acc);                                                       \
      return OP##_##NAME##_fold(acc, few);                                                          \
    }                                                                                               \
    if (n >= row) {                                                                                 \
      for (int j = 0; j < row; j++)                                                                 \
        acc[j] = OP##_##NAME##_value(in + j);                                                       \
      for (n -= row, in += row; n >= row; n -= row, in += row)                                      \
        for (int j = 0; j < row; j++)                                                               \
          acc[j] = OP##_##NAME##_step(acc[j], OP##_##NAME##_value(in + j));                         \
      for (int half = row / 2; half >= vector; half /= 2)                                           \
        for (int j = 0; j < half; j++)                                                              \
          acc[j] = OP##_##NAME##_step(acc[j], acc[j + half]);                                       \
    } else {                                                                                        \
      for (int j = 0; j < vector; j++)                                                              \
        acc[j] = OP##_##NAME##_value(in + j);                                                       \
    }                                                                                               \
    /* what is left of the row may be shorter than a vector, but there is one that ends here */     \
    if (n >= vector)                                                                                \
      OP##_##NAME##_vectors(n, in, vector, acc);                                                    \
    else if (n > 0)                                                                                 \
      OP##_##NAME##_vectors(vector, in + n - vector, vector, acc);                                  \
    return OP##_##NAME##_fold(acc, vector);                                                         \
  }                                                                                                 \
                                                                                                    \
  static void OP##_##NAME(int64_t n, const char *in, int64_t stride, char *result) {                \
    enum { block = 4096 / sizeof(T), stretch = STRETCH / sizeof(T) };                               \
    const bool looks = NUMD_OP_##OP == NUMD_OP_ANY || NUMD_OP_##OP == NUMD_OP_ALL;                  \
    V x;                                                                                            \
    if (stride == sizeof(T)) {                                                                      \
      const OP##_##NAME##_item *items = (const OP##_##NAME##_item *)in;                             \
      int64_t part = looks ? LESSER(n, stretch) : n;                                                \
      x = OP##_##NAME##_dense(part, items);                                                         \
      while (looks && (n -= part) > 0 && !(DECIDED)) {                                              \
        items += part;                                                                              \
        part = LESSER(n, stretch);                                                                  \
        x = OP##_##NAME##_step(x, OP##_##NAME##_dense(part, items));                                \
      }                                                                                             \
    } else {                                                                                        \
      T gathered[block];                                                                            \
      x = OP##_##NAME##_value((const OP##_##NAME##_item *)in);                                      \
      for (; n > 0 && !(DECIDED); n -= block, in += block * stride) {                               \
        OP##_##NAME##_gather(LESSER(n, block), in, stride, gathered);                               \
        V y = OP##_##NAME##_dense(LESSER(n, block), (const OP##_##NAME##_item *)gathered);          \
        x = OP##_##NAME##_step(x, y);                                                               \
      }                                                                                             \
    }                                                                                               \
    if (looks)                                                                                      \
      *(uint8_t *)result = x != 0;                                                                  \
    else                                                                                            \
      memcpy(result, &x, sizeof(x));                                                                \
  }

CHOICE_LIST(DEFINE_CHOICE)

/* A product of bools is a 1 or 0 of eight bytes. */
static void PROD_BOOL(int64_t n, const char *in, int64_t stride, char *result) {
  uint8_t all;
  ALL_INT8(n, in, stride, (char *)&all);
  const int64_t product = all;
  memcpy(result, &product, sizeof(product));
}

#define TOTAL_ROW(OP, NAME, T, LANE, LIMIT, ACC, NEUTRAL, OPERATOR, TERM) \
  [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
#define CHOICE_ROW(OP, NAME, T, V, VALUE, EXPR, DECIDED) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,

/* Whether an integer is zero does not depend on its sign. */
#define UNSIGNED_ROW(SNAME, S, UNAME, U, OP) [NUMD_OP_##OP][NUMD_##UNAME] = OP##_##SNAME,

const kernel_reduce_fn KERNEL_NAME(kernels_reduce_exact)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
    TOTAL_LIST(TOTAL_ROW) CHOICE_LIST(CHOICE_ROW) DTYPE_INT_PAIRS(UNSIGNED_ROW, COUNT_NONZERO)
        DTYPE_INT_PAIRS(UNSIGNED_ROW, ANY)
            DTYPE_INT_PAIRS(UNSIGNED_ROW, ALL)[NUMD_OP_COUNT_NONZERO][NUMD_BOOL] = SUM_BOOL,
    [NUMD_OP_PROD][NUMD_BOOL] = PROD_BOOL,
    [NUMD_OP_ANY][NUMD_BOOL] = ANY_INT8,
    [NUMD_OP_MAX][NUMD_BOOL] = ANY_INT8,
    [NUMD_OP_ALL][NUMD_BOOL] = ALL_INT8,
    [NUMD_OP_MIN][NUMD_BOOL] = ALL_INT8,
};
