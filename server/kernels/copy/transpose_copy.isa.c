/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies that exchange rows and columns. Compiled once for each instruction set.
 *
 * A square of as many rows as a vector has lanes is read by rows, turned in registers and written by columns:
 * interleaving the first half of the vectors with the second half, as often as the number of lanes has bits,
 * exchanges the two. */
#include "server/kernels/family.h"
#include "server/kernels/item_size.h"

#define ROWS_ITEMS 128 /* rows of a strip: what is read and written of them stays in the first cache */

/* Lanes of each size: more would need more than one instruction to interleave them. */
#if KERNEL_LEVEL == 4
#define LANES_4 16
#define LANES_8 8
#elif KERNEL_LEVEL == 3
#define LANES_4 4
#define LANES_8 4
#else
#define LANES_4 4
#define LANES_8 2
#endif
#define LANES_1 16
#define LANES_2 8

#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define JOIN(a, b) KERNEL_JOIN(a, b)

#define UNROLL _Pragma("GCC unroll 16")

#define DEFINE_SQUARE(BYTES, T)                                                                         \
  enum { lanes_##BYTES = LANES_##BYTES };                                                               \
  typedef T vector_##BYTES __attribute__((vector_size(BYTES * LANES_##BYTES)));                         \
                                                                                                        \
  static inline __attribute__((always_inline)) void square_##BYTES(const char *from, int64_t from_step, \
                                                                   char *to, int64_t to_step) {         \
    typedef T unaligned __attribute__((vector_size(BYTES * LANES_##BYTES), aligned(1), may_alias));     \
    enum { n = lanes_##BYTES };                                                                         \
    vector_##BYTES v[n], w[n];                                                                          \
    UNROLL for (int i = 0; i < n; i++) v[i] = *(const unaligned *)(from + i * from_step);               \
    UNROLL for (int lanes = n; lanes > 1; lanes /= 2) {                                                 \
      UNROLL for (int i = 0; i < n / 2; i++) {                                                          \
        w[2 * i] = __builtin_shufflevector(v[i], v[i + n / 2], JOIN(LOW_, LANES_##BYTES));              \
        w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + n / 2], JOIN(HIGH_, LANES_##BYTES));         \
      }                                                                                                 \
      UNROLL for (int i = 0; i < n; i++) v[i] = w[i];                                                   \
    }                                                                                                   \
    UNROLL for (int i = 0; i < n; i++) * (unaligned *)(to + i * to_step) = v[i];                        \
  }                                                                                                     \
  DEFINE_TURN(BYTES)

#define DEFINE_TURN(BYTES)                                                                                  \
  static void items_##BYTES(int64_t rows, int64_t cols, const char *from, int64_t from_step, char *to,      \
                            int64_t to_step) {                                                              \
    for (int64_t r = 0; r < rows; r++)                                                                      \
      for (int64_t c = 0; c < cols; c++)                                                                    \
        ((item_##BYTES *)(to + r * to_step))[c] = ((const item_##BYTES *)(from + c * from_step))[r];        \
  }                                                                                                         \
                                                                                                            \
  static void turn_##BYTES(int64_t rows, int64_t cols, const char *from, int64_t from_step, char *to,       \
                           int64_t to_step) {                                                               \
    const int64_t n = lanes_##BYTES, whole_rows = rows / n * n, whole_cols = cols / n * n;                  \
    for (int64_t c = 0; c < whole_cols; c += n)                                                             \
      for (int64_t r = 0; r < whole_rows; r += n)                                                           \
        square_##BYTES(from + c * from_step + r * BYTES, from_step, to + r * to_step + c * BYTES, to_step); \
    items_##BYTES(whole_rows, cols - whole_cols, from + whole_cols * from_step, from_step,                  \
                  to + whole_cols * BYTES, to_step);                                                        \
    items_##BYTES(rows - whole_rows, cols, from + whole_rows * BYTES, from_step, to + whole_rows * to_step, \
                  to_step);                                                                                 \
  }

DEFINE_SQUARE(1, uint8_t)
DEFINE_SQUARE(2, uint16_t)
DEFINE_SQUARE(4, uint32_t)
DEFINE_SQUARE(8, uint64_t)

enum { lanes_16 = 4 };
static inline void square_16(const char *from, int64_t from_step, char *to, int64_t to_step) {
  for (int r = 0; r < lanes_16; r++)
    for (int c = 0; c < lanes_16; c++)
      ((item_16 *)(to + r * to_step))[c] = ((const item_16 *)(from + c * from_step))[r];
}
DEFINE_TURN(16)

void KERNEL_NAME(kernels_transpose_copy)(int item, int64_t rows, int64_t cols, const char *from,
                                         int64_t from_step, char *to, int64_t to_step) {
  for (int64_t n; rows > 0; rows -= n, from += n * item, to += n * to_step) {
    n = rows < ROWS_ITEMS ? rows : ROWS_ITEMS;
#define TURN(BYTES) turn_##BYTES(n, cols, from, from_step, to, to_step)
    FOR_ITEM_SIZE(item, TURN)
#undef TURN
  }
}
