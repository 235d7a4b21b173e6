/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise loops that move items whatever they mean, by their size, those that write a constant, and all
 * of bool. Compiled once for each instruction set. */
#include <string.h>

#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

/* Aligned as complex128 is. */
typedef unsigned __int128 bits128 __attribute__((aligned(8)));

/* X(bytes, type, how one of two is chosen) */
#define SIZE_LIST(X)           \
  X(1, uint8_t, EITHER_VALUE)  \
  X(2, uint16_t, EITHER_VALUE) \
  X(4, uint32_t, EITHER_VALUE) \
  X(8, uint64_t, EITHER_VALUE) \
  X(16, bits128, EITHER_PLACE)

/* Backwards, and every second item, are worth shuffling vectors; other steps are made several at a time. */
#define COPY_STEPS 8
#define DEFINE_COPY_STEPS(BYTES, TYPE)                                                            \
  static void copy_steps_##BYTES(int64_t n, const char *xp, int64_t from, char *op, int64_t to) { \
    typedef TYPE KERNEL_ALIAS item;                                                               \
    const int64_t size = sizeof(item);                                                            \
    if (to == size && from == -size) {                                                            \
      const item *xs = (const item *)xp;                                                          \
      item *out = (item *)op;                                                                     \
      KERNEL_FOR(i, n) out[i] = xs[-i];                                                           \
      return;                                                                                     \
    }                                                                                             \
    if (to == size && from == 2 * size) {                                                         \
      const item *xs = (const item *)xp;                                                          \
      item *out = (item *)op;                                                                     \
      KERNEL_FOR(i, n) out[i] = xs[2 * i];                                                        \
      return;                                                                                     \
    }                                                                                             \
    for (; n >= COPY_STEPS; n -= COPY_STEPS, xp += COPY_STEPS * from, op += COPY_STEPS * to)      \
      _Pragma("GCC unroll 8") for (int j = 0; j < COPY_STEPS; j++) * (item *)(op + j * to) =      \
          *(const item *)(xp + j * from);                                                         \
    for (; n > 0; n--, xp += from, op += to)                                                      \
      *(item *)op = *(const item *)xp;                                                            \
  }

#define DEFINE_COPY(BYTES, TYPE)                                                       \
  DEFINE_COPY_STEPS(BYTES, TYPE)                                                       \
  static unsigned copy_##BYTES(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef TYPE KERNEL_ALIAS item;                                                    \
    const char *xp = ptr[0];                                                           \
    char *op = ptr[1];                                                                 \
    if (stride[0] == sizeof(item) && stride[1] == sizeof(item)) {                      \
      memmove(op, xp, (size_t)n * sizeof(item));                                       \
      return 0;                                                                        \
    }                                                                                  \
    if (stride[0] == 0 && stride[1] == sizeof(item) && n > 0) {                        \
      const TYPE v = *(const item *)xp;                                                \
      item *out = (item *)op;                                                          \
      KERNEL_FOR(i, n) out[i] = v;                                                     \
      return 0;                                                                        \
    }                                                                                  \
    copy_steps_##BYTES(n, xp, stride[0], op, stride[1]);                               \
    return 0;                                                                          \
  }

/* Vectors read both and blend; items that fill a vector's lanes are chosen by their address. Nothing
 * branches. */
#define EITHER_VALUE(i) (cs[i] != 0 ? x : y)
#define EITHER_PLACE(i) *(cs[i] != 0 ? &xs[(i)*x_step] : &ys[(i)*y_step])
#define DEFINE_SELECT_STEPS(BYTES, TYPE, EITHER)                                                    \
  static inline __attribute__((always_inline)) void select_##BYTES##_steps(                         \
      int64_t n, const uint8_t *cs, const char *xp, int64_t x_step, const char *yp, int64_t y_step, \
      char *op) {                                                                                   \
    typedef TYPE KERNEL_ALIAS item;                                                                 \
    const item *xs = (const item *)xp, *ys = (const item *)yp;                                      \
    item *out = (item *)op;                                                                         \
    KERNEL_FOR(i, n) {                                                                              \
      const TYPE x KERNEL_UNUSED = xs[i * x_step], y KERNEL_UNUSED = ys[i * y_step];                \
      out[i] = EITHER(i);                                                                           \
    }                                                                                               \
  }

#define DEFINE_SELECT(BYTES, TYPE, EITHER)                                               \
  DEFINE_SELECT_STEPS(BYTES, TYPE, EITHER)                                               \
  static unsigned select_##BYTES(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef TYPE KERNEL_ALIAS item;                                                      \
    const int64_t size = sizeof(item);                                                   \
    const char *cp = ptr[0], *xp = ptr[1], *yp = ptr[2];                                 \
    char *op = ptr[3];                                                                   \
    if (stride[0] == 1 && stride[3] == size) {                                           \
      const uint8_t *cs = (const uint8_t *)cp;                                           \
      if (stride[1] == size && stride[2] == size)                                        \
        return select_##BYTES##_steps(n, cs, xp, 1, yp, 1, op), 0;                       \
      if (stride[1] == size && stride[2] == 0)                                           \
        return select_##BYTES##_steps(n, cs, xp, 1, yp, 0, op), 0;                       \
      if (stride[1] == 0 && stride[2] == size)                                           \
        return select_##BYTES##_steps(n, cs, xp, 0, yp, 1, op), 0;                       \
      if (stride[1] == 0 && stride[2] == 0)                                              \
        return select_##BYTES##_steps(n, cs, xp, 0, yp, 0, op), 0;                       \
    }                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                    \
      const TYPE x = *(const item *)xp, y = *(const item *)yp;                           \
      *(item *)op = *(const uint8_t *)cp != 0 ? x : y;                                   \
      cp += stride[0], xp += stride[1], yp += stride[2], op += stride[3];                \
    }                                                                                    \
    return 0;                                                                            \
  }

/* The input is not read. */
#define DEFINE_ZERO(BYTES, TYPE)                                                       \
  static unsigned zero_##BYTES(int64_t n, char *const ptr[], const int64_t stride[]) { \
    char *op = ptr[1];                                                                 \
    if (stride[1] == sizeof(TYPE))                                                     \
      memset(op, 0, (size_t)n * sizeof(TYPE));                                         \
    else                                                                               \
      for (int64_t i = 0; i < n; i++, op += stride[1])                                 \
        memset(op, 0, sizeof(TYPE));                                                   \
    return 0;                                                                          \
  }

static unsigned yes(int64_t n, char *const ptr[], const int64_t stride[]) {
  char *op = ptr[1];
  if (stride[1] == 1)
    memset(op, 1, (size_t)n);
  else
    for (int64_t i = 0; i < n; i++, op += stride[1])
      *op = 1;
  return 0;
}

#define X(BYTES, TYPE, EITHER) DEFINE_COPY(BYTES, TYPE) DEFINE_SELECT(BYTES, TYPE, EITHER)
SIZE_LIST(X)
#undef X
DEFINE_ZERO(1, uint8_t)
DEFINE_ZERO(2, uint16_t)
DEFINE_ZERO(4, uint32_t)
DEFINE_ZERO(8, uint64_t)

/* X1, X2, XS (the other with its inputs exchanged): of bools that are 0 or 1 */
#define BOOL_LIST(X1, X2, XS) \
  X1(truth, x)                \
  X1(not, (x ^ 1))            \
  X2(and, (x & y))            \
  X2(or, (x | y))             \
  X2(xor, (x ^ y))            \
  X2(same, (x ^ y ^ 1))       \
  X2(less, (x < y))           \
  X2(less_equal, (x <= y))    \
  XS(greater, less)           \
  XS(greater_equal, less_equal)

#define DEFINE1(NAME, EXPR) UNARY_LOOP(bool_##NAME, uint8_t, uint8_t, READ_BOOL, EXPR)
#define DEFINE2(NAME, EXPR) BINARY_LOOP(bool_##NAME, uint8_t, uint8_t, READ_BOOL, EXPR)
#define DEFINE_SWAPPED(NAME, OTHER) SWAPPED_LOOP(bool_##NAME, bool_##OTHER)
BOOL_LIST(DEFINE1, DEFINE2, DEFINE_SWAPPED)

/* The bytes of a bool may be any: what is selected is made 0 or 1, where it already is written. */
static unsigned bool_select(int64_t n, char *const ptr[], const int64_t stride[]) {
  char *const out[] = {ptr[3], ptr[3]};
  const int64_t steps[] = {stride[3], stride[3]};
  select_1(n, ptr, stride);
  return bool_truth(n, out, steps);
}

/* The same of a copy that has to gather its bytes. One that repeats a byte sets them all. */
static unsigned bool_copy(int64_t n, char *const ptr[], const int64_t stride[]) {
  char *const out[] = {ptr[1], ptr[1]};
  static const int64_t ones[] = {1, 1};
  if (stride[1] != 1 || stride[0] == 1)
    return bool_truth(n, ptr, stride);
  if (stride[0] == 0) {
    if (n > 0)
      memset(ptr[1], *ptr[0] != 0, (size_t)n);
    return 0;
  }
  copy_1(n, ptr, stride);
  return bool_truth(n, out, ones);
}

#define BOOL(OP, LOOP) [NUMD_OP_##OP][NUMD_BOOL] = bool_##LOOP,

/* Every dtype; `bytes` is its size. */
#define ANY_ROWS(NAME, BYTES)                                                                 \
  [NUMD_OP_COPY][NUMD_##NAME] = copy_##BYTES, [NUMD_OP_POSITIVE][NUMD_##NAME] = copy_##BYTES, \
  [NUMD_OP_WHERE][NUMD_##NAME] = select_##BYTES,

#define REAL_ROWS(NAME, BYTES)                                                            \
  ANY_ROWS(NAME, BYTES)                                                                   \
  [NUMD_OP_REAL][NUMD_##NAME] = copy_##BYTES, [NUMD_OP_IMAG][NUMD_##NAME] = zero_##BYTES, \
  [NUMD_OP_CONJ][NUMD_##NAME] = copy_##BYTES,

#define WHOLE_ROWS(NAME)                                                        \
  [NUMD_OP_ISFINITE][NUMD_##NAME] = yes, [NUMD_OP_ISINF][NUMD_##NAME] = zero_1, \
  [NUMD_OP_ISNAN][NUMD_##NAME] = zero_1,

#define INTEGER_ROWS(NAME, BYTES)                                                          \
  REAL_ROWS(NAME, BYTES)                                                                   \
  WHOLE_ROWS(NAME)                                                                         \
  [NUMD_OP_FLOOR][NUMD_##NAME] = copy_##BYTES, [NUMD_OP_CEIL][NUMD_##NAME] = copy_##BYTES, \
  [NUMD_OP_TRUNC][NUMD_##NAME] = copy_##BYTES, [NUMD_OP_ROUND][NUMD_##NAME] = copy_##BYTES,

#define UNSIGNED_ROWS(NAME, BYTES) \
  INTEGER_ROWS(NAME, BYTES)        \
  [NUMD_OP_ABS][NUMD_##NAME] = copy_##BYTES, [NUMD_OP_SIGNBIT][NUMD_##NAME] = zero_1,

const kernel_map_fn KERNEL_NAME(kernels_map_bits)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
    INTEGER_ROWS(INT8, 1) INTEGER_ROWS(INT16, 2) INTEGER_ROWS(INT32, 4) INTEGER_ROWS(INT64, 8)
        UNSIGNED_ROWS(UINT8, 1) UNSIGNED_ROWS(UINT16, 2) UNSIGNED_ROWS(UINT32, 4) UNSIGNED_ROWS(UINT64, 8)
            REAL_ROWS(FLOAT32, 4) REAL_ROWS(FLOAT64, 8) ANY_ROWS(COMPLEX64, 8) ANY_ROWS(COMPLEX128, 16)
                WHOLE_ROWS(BOOL)[NUMD_OP_SIGNBIT][NUMD_BOOL] = zero_1,
    [NUMD_OP_IMAG][NUMD_BOOL] = zero_1,
    BOOL(COPY, copy) BOOL(ABS, truth) BOOL(FLOOR, truth) BOOL(CEIL, truth) BOOL(TRUNC, truth)
        BOOL(REAL, truth) BOOL(CONJ, truth) BOOL(LOGICAL_NOT, not ) BOOL(BITWISE_INVERT, not ) BOOL(ADD, or)
            BOOL(MULTIPLY, and) BOOL(MAXIMUM, or) BOOL(MINIMUM, and) BOOL(LOGICAL_AND, and)
                BOOL(LOGICAL_OR, or) BOOL(LOGICAL_XOR, xor) BOOL(BITWISE_AND, and) BOOL(BITWISE_OR, or)
                    BOOL(BITWISE_XOR, xor) BOOL(EQUAL, same) BOOL(NOT_EQUAL, xor) BOOL(LESS, less)
                        BOOL(LESS_EQUAL, less_equal) BOOL(GREATER, greater) BOOL(GREATER_EQUAL, greater_equal)
                            BOOL(WHERE, select)};
