/* Reductions of one dtype to one value. Compiled once for each instruction set.
 *
 * All have one shape: LANES accumulators run side by side over rows of LANES items, whatever the
 * width of the machine's vectors. BLOCK_ROWS rows make a block; blocks are combined in pairs, pairs
 * of pairs, and so on (a binary counter of partial results, still LANES wide), and at the very end
 * the lanes are folded in halves. For a sum of n float64 the error thus grows with 8 + log2(n): no
 * term passes through more additions than in NumPy's pairwise sum. The tree depends on n alone, so
 * strides, alignment and the instruction set make no difference to the bits. Strided data is
 * gathered a block at a time.
 *
 * INIT must not change what it is combined with (-0.0 for sums: 0.0 would lose the sign of a sum of
 * negative zeros). */
#include <string.h>

#include "server/kernels/family.h"

#define ROW_BYTES 256
#define BLOCK_ROWS 8
#define LEVELS 60 /* more blocks than 2^60 cannot be addressed */

/* X(OP, NAME, type, how a stored item is read, INIT given the first item, expression in x and y) */
#define REDUCE_LIST(X)                                                         \
  X(SUM, INT64, int64_t, READ_PLAIN, 0, (int64_t)((uint64_t)x + (uint64_t)y))  \
  X(SUM, FLOAT64, double, READ_PLAIN, -0.0, x + y)                             \
  X(PROD, INT64, int64_t, READ_PLAIN, 1, (int64_t)((uint64_t)x * (uint64_t)y)) \
  X(PROD, FLOAT64, double, READ_PLAIN, 1, x *y)                                \
  X(MAX, BOOL, uint8_t, READ_BOOL, 0, x | y)                                   \
  X(MAX, INT32, int32_t, READ_PLAIN, first, x > y ? x : y)                     \
  X(MAX, INT64, int64_t, READ_PLAIN, first, x > y ? x : y)                     \
  X(MAX, FLOAT32, float, READ_PLAIN, first, ((x > y) | (x != x)) ? x : y)      \
  X(MAX, FLOAT64, double, READ_PLAIN, first, ((x > y) | (x != x)) ? x : y)     \
  X(MIN, BOOL, uint8_t, READ_BOOL, 1, x &y)                                    \
  X(MIN, INT32, int32_t, READ_PLAIN, first, x < y ? x : y)                     \
  X(MIN, INT64, int64_t, READ_PLAIN, first, x < y ? x : y)                     \
  X(MIN, FLOAT32, float, READ_PLAIN, first, ((x < y) | (x != x)) ? x : y)      \
  X(MIN, FLOAT64, double, READ_PLAIN, first, ((x < y) | (x != x)) ? x : y)     \
  X(ANY, BOOL, uint8_t, READ_BOOL, 0, x | y)                                   \
  X(ALL, BOOL, uint8_t, READ_BOOL, 1, x &y)

#define READ_BOOL(v) ((uint8_t)((v) != 0))
#define READ_PLAIN(v) (v)

#define DEFINE_REDUCE(OP, NAME, T, READ, INIT, EXPR)                                                   \
  enum { OP##_##NAME##_lanes = ROW_BYTES / sizeof(T) };                                                \
  typedef T OP##_##NAME##_item KERNEL_ALIAS;                                                           \
                                                                                                       \
  static inline T OP##_##NAME##_step(T x, T y) {                                                       \
    return EXPR;                                                                                       \
  }                                                                                                    \
                                                                                                       \
  static inline void OP##_##NAME##_merge(const T *restrict left, T *restrict acc, int lanes) {         \
    for (int j = 0; j < lanes; j++)                                                                    \
      acc[j] = OP##_##NAME##_step(left[j], acc[j]);                                                    \
  }                                                                                                    \
                                                                                                       \
  static inline void OP##_##NAME##_rows(const OP##_##NAME##_item *in, int64_t rows, T *restrict acc) { \
    enum { lanes = OP##_##NAME##_lanes };                                                              \
    T a[lanes];                                                                                        \
    memcpy(a, acc, sizeof(a));                                                                         \
    for (; rows > 0; rows--, in += lanes)                                                              \
      for (int j = 0; j < lanes; j++)                                                                  \
        a[j] = OP##_##NAME##_step(a[j], READ(in[j]));                                                  \
    memcpy(acc, a, sizeof(a));                                                                         \
  }                                                                                                    \
                                                                                                       \
  static void OP##_##NAME(int64_t n, const char *in, int64_t stride, char *result) {                   \
    enum { lanes = OP##_##NAME##_lanes, block = BLOCK_ROWS * lanes };                                  \
    typedef OP##_##NAME##_item item;                                                                   \
    const T first KERNEL_UNUSED = *(const item *)in;                                                   \
    T partial[LEVELS][lanes], gathered[block], acc[lanes];                                             \
    uint64_t blocks = 0;                                                                               \
    for (;;) {                                                                                         \
      const int64_t part = n < block ? n : block;                                                      \
      const item *from = (const item *)in;                                                             \
      if (stride != sizeof(T)) {                                                                       \
        for (int64_t i = 0; i < part; i++)                                                             \
          gathered[i] = *(const item *)(in + i * stride);                                              \
        from = gathered;                                                                               \
      }                                                                                                \
      for (int j = 0; j < lanes; j++)                                                                  \
        acc[j] = INIT;                                                                                 \
      if (part < block) {                                                                              \
        OP##_##NAME##_rows(from, part / lanes, acc);                                                   \
        for (int64_t i = part / lanes * lanes, j = 0; i < part; i++, j++)                              \
          acc[j] = OP##_##NAME##_step(acc[j], READ(from[i]));                                          \
        break;                                                                                         \
      }                                                                                                \
      OP##_##NAME##_rows(from, BLOCK_ROWS, acc);                                                       \
      int level = 0;                                                                                   \
      for (uint64_t carry = blocks; carry & 1; carry >>= 1)                                            \
        OP##_##NAME##_merge(partial[level++], acc, lanes);                                             \
      memcpy(partial[level], acc, sizeof(acc));                                                        \
      blocks++;                                                                                        \
      n -= block;                                                                                      \
      in += block * stride;                                                                            \
    }                                                                                                  \
    for (int level = 0; blocks >> level; level++)                                                      \
      if (blocks >> level & 1)                                                                         \
        OP##_##NAME##_merge(partial[level], acc, lanes);                                               \
    for (int half = lanes / 2; half > 0; half /= 2)                                                    \
      for (int j = 0; j < half; j++)                                                                   \
        acc[j] = OP##_##NAME##_step(acc[j], acc[j + half]);                                            \
    memcpy(result, acc, sizeof(T));                                                                    \
  }

REDUCE_LIST(DEFINE_REDUCE)

const kernel_reduce_fn KERNEL_NAME(kernels_reduce)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(OP, NAME, T, READ, INIT, EXPR) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
    REDUCE_LIST(X)
#undef X
};
