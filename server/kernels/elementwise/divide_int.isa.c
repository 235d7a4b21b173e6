/* SPDX-License-Identifier: BSD-3-Clause */
/* Floor division and remainder of integers. Compiled once for each instruction set; the compiler vectorises
 * the loops, for which the processor has no division of integers.
 *
 * Signed numbers come down to unsigned ones: with the signs of both turned so that the divisor is positive,
 * floor(x / y) is x / y for x >= 0 and, with ~ for the complement, ~(~x / y) for x < 0. The least number's
 * negative is itself, and right as an unsigned number. By 0 everything gives 0.
 *
 * Unsigned quotients are taken from floats in which they are exact when cut off: no quotient of two
 * integers of 16 (32) bits is so little below an integer that a float32 (float64) rounds it up to that. A
 * divisor that is the same throughout is made a multiplier first. Where vectors of 64-bit integers become
 * floats and back, divide_wide.isa.c has their division. */
#include "server/kernels/elementwise/loops.h"
#include "server/kernels/elementwise/multiplier.h"
#include "server/kernels/family.h"

#define SCALAR_FROM 16 /* items that are worth a multiplier */

static inline uint8_t quotient_8(uint8_t x, uint8_t y) {
  return (uint8_t)(int)((float)x / (float)y);
}

static inline uint16_t quotient_16(uint16_t x, uint16_t y) {
  return (uint16_t)(int)((float)x / (float)y);
}

static inline uint32_t quotient_32(uint32_t x, uint32_t y) {
  return (uint32_t)((double)x / (double)y);
}

DEFINE_MULTIPLIER(uint16_t, 16, uint32_t)
DEFINE_MULTIPLIER(uint32_t, 32, uint64_t)
#if KERNEL_LEVEL < 4
DEFINE_MULTIPLIER(uint64_t, 64, unsigned __int128)

static inline uint64_t quotient_64(uint64_t x, uint64_t y) {
  return x / y;
}
#endif

/* For 8 bits, a multiplier of 16 is exact; that of 1 would have one more. */
struct multiplier_8 {
  uint16_t multiplier;
  uint8_t one; /* all bits set if the divisor is 1 */
};

static struct multiplier_8 multiplier_8(uint8_t divisor) {
  return (struct multiplier_8){.multiplier = divisor == 1 ? 0 : (uint16_t)(UINT16_MAX / divisor + 1),
                               .one = divisor == 1 ? UINT8_MAX : 0};
}

static inline uint8_t multiplied_8(uint8_t x, struct multiplier_8 m) {
  const uint16_t wide = x;
  return (uint8_t)((uint16_t)((uint32_t)wide * m.multiplier >> 16) + (x & m.one));
}

/* Of the signed and the unsigned numbers of a width. */
#define SIGNED_LESS(x, y) ((x) < (y))
#define UNSIGNED_LESS(x, y) 0

#define SIZE_OF(U, LESS, y) ((U)(LESS(y, 0) ? 0u - (U)(y) : (U)(y)))

/* What a loop gives, from the floored quotient. */
#define FLOOR_DIVIDE_OF(q, x, y, U) (q)
#define REMAINDER_OF(q, x, y, U) ((U)((U)(x) - (U)(1u * (q) * (U)(y))))

/* x as the dividend of an unsigned division, and whether the quotient is to be flipped: all bits or none. */
#define TURN(U, LESS, x, negative)                                    \
  const U turned = (U)((negative) ? 0u - (U)(x) : (U)(x));            \
  const U flip = (U)(0u - (U)((negative) ? LESS(0, x) : LESS(x, 0))); \
  const U dividend = turned ^ flip;

/* Each item has its divisor. */
#define DEFINE_BY_EACH(OP, NAME, T, U, BITS, LESS)               \
  static inline T OP##_##NAME##_by_each_value(T x, T y) {        \
    const U divisor = y == 0 ? 1 : SIZE_OF(U, LESS, y);          \
    TURN(U, LESS, x, LESS(y, 0))                                 \
    const U floored = quotient_##BITS(dividend, divisor) ^ flip; \
    return y == 0 ? 0 : (T)OP##_OF(floored, x, y, U);            \
  }                                                              \
  BINARY_VALUE_LOOP(OP##_##NAME##_by_each, T, T, READ_PLAIN)

/* All have the same, which is not 0. */
#define DEFINE_BY_ONE(OP, NAME, T, U, BITS, LESS)                                              \
  static unsigned OP##_##NAME##_by_one(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef T KERNEL_ALIAS item;                                                               \
    const T y = *(const item *)ptr[1];                                                         \
    const int negative = LESS(y, 0);                                                           \
    const struct multiplier_##BITS m = multiplier_##BITS(y == 0 ? 1 : SIZE_OF(U, LESS, y));    \
    const char *xp = ptr[0];                                                                   \
    char *op = ptr[2];                                                                         \
    if (stride[0] == sizeof(T) && stride[2] == sizeof(T) && y != 0) {                          \
      const item *xs = (const item *)xp;                                                       \
      item *out = (item *)op;                                                                  \
      KERNEL_FOR(i, n) {                                                                       \
        const T x = xs[i];                                                                     \
        TURN(U, LESS, x, negative)                                                             \
        const U floored = multiplied_##BITS(dividend, m) ^ flip;                               \
        out[i] = (T)OP##_OF(floored, x, y, U);                                                 \
      }                                                                                        \
      return 0;                                                                                \
    }                                                                                          \
    for (int64_t i = 0; i < n; i++, xp += stride[0], op += stride[2]) {                        \
      const T x = *(const item *)xp;                                                           \
      TURN(U, LESS, x, negative)                                                               \
      const U floored = multiplied_##BITS(dividend, m) ^ flip;                                 \
      *(item *)op = y == 0 ? 0 : (T)OP##_OF(floored, x, y, U);                                 \
    }                                                                                          \
    return 0;                                                                                  \
  }

#define DEFINE_DIVISION(OP, NAME, T, U, BITS, LESS)                                    \
  DEFINE_BY_EACH(OP, NAME, T, U, BITS, LESS)                                           \
  DEFINE_BY_ONE(OP, NAME, T, U, BITS, LESS)                                            \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) {  \
    return stride[1] == 0 && n >= SCALAR_FROM ? OP##_##NAME##_by_one(n, ptr, stride)   \
                                              : OP##_##NAME##_by_each(n, ptr, stride); \
  }

/* X(signed NAME, type, unsigned NAME, type, bits) */
#define NARROW_LIST(X)                    \
  X(INT8, int8_t, UINT8, uint8_t, 8)      \
  X(INT16, int16_t, UINT16, uint16_t, 16) \
  X(INT32, int32_t, UINT32, uint32_t, 32)
#if KERNEL_LEVEL < 4
#define WIDTH_LIST(X) NARROW_LIST(X) X(INT64, int64_t, UINT64, uint64_t, 64)
#else
#define WIDTH_LIST(X) NARROW_LIST(X)
#endif

#define X(SNAME, S, UNAME, U, BITS)                               \
  DEFINE_DIVISION(FLOOR_DIVIDE, SNAME, S, U, BITS, SIGNED_LESS)   \
  DEFINE_DIVISION(FLOOR_DIVIDE, UNAME, U, U, BITS, UNSIGNED_LESS) \
  DEFINE_DIVISION(REMAINDER, SNAME, S, U, BITS, SIGNED_LESS)      \
  DEFINE_DIVISION(REMAINDER, UNAME, U, U, BITS, UNSIGNED_LESS)
WIDTH_LIST(X)
#undef X

const kernel_map_fn KERNEL_NAME(kernels_divide_int)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(SNAME, S, UNAME, U, BITS)                            \
  [NUMD_OP_FLOOR_DIVIDE][NUMD_##SNAME] = FLOOR_DIVIDE_##SNAME, \
  [NUMD_OP_FLOOR_DIVIDE][NUMD_##UNAME] = FLOOR_DIVIDE_##UNAME, \
  [NUMD_OP_REMAINDER][NUMD_##SNAME] = REMAINDER_##SNAME,       \
  [NUMD_OP_REMAINDER][NUMD_##UNAME] = REMAINDER_##UNAME,
    WIDTH_LIST(X)
#undef X
};
