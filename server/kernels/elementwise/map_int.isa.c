/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise loops of integers, but for those that only move them (map_bits.isa.c), division
 * (divide_int.isa.c) and powers (power_int.isa.c). Compiled once for each instruction set; the compiler
 * vectorises the loops.
 *
 * Where the sign does not matter, signed and unsigned dtypes share a loop over the unsigned type, in
 * which integers wrap around. Narrow types are computed in int or unsigned, as C promotes them, and cut off;
 * 1u * keeps products of uint16_t out of int, which they would overflow. */
#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

#define BITS(T) ((unsigned)sizeof(T) * 8)

/* Of any integer: X1 are loops of one input, X2 of two, XB of one giving bool, XC of two giving bool; the
 * last arguments are the dtype's NAME and type. */
#define WRAPPING_LIST(X1, X2, XB, XC, ...)                                          \
  X2(ADD, (x + y), __VA_ARGS__)                                                     \
  X2(SUBTRACT, (x - y), __VA_ARGS__)                                                \
  X2(MULTIPLY, (1u * x * y), __VA_ARGS__)                                           \
  X1(NEGATIVE, (0u - x), __VA_ARGS__)                                               \
  X1(SQUARE, (1u * x * x), __VA_ARGS__)                                             \
  X2(BITWISE_AND, (x & y), __VA_ARGS__)                                             \
  X2(BITWISE_OR, (x | y), __VA_ARGS__)                                              \
  X2(BITWISE_XOR, (x ^ y), __VA_ARGS__)                                             \
  X1(BITWISE_INVERT, (~x), __VA_ARGS__)                                             \
  X2(BITWISE_LEFT_SHIFT, (y < BITS(x) ? x << (y & (BITS(x) - 1)) : 0), __VA_ARGS__) \
  XC(EQUAL, (x == y), __VA_ARGS__)                                                  \
  XC(NOT_EQUAL, (x != y), __VA_ARGS__)                                              \
  XC(LOGICAL_AND, ((x != 0) & (y != 0)), __VA_ARGS__)                               \
  XC(LOGICAL_OR, ((x | y) != 0), __VA_ARGS__)                                       \
  XC(LOGICAL_XOR, ((x != 0) ^ (y != 0)), __VA_ARGS__)                               \
  XB(LOGICAL_NOT, (x == 0), __VA_ARGS__)

/* Where the sign matters. */
#define ORDERED_LIST(X2, XC, XS, ...)       \
  X2(MAXIMUM, (x > y ? x : y), __VA_ARGS__) \
  X2(MINIMUM, (x < y ? x : y), __VA_ARGS__) \
  XC(LESS, (x < y), __VA_ARGS__)            \
  XC(LESS_EQUAL, (x <= y), __VA_ARGS__)     \
  XS(GREATER, LESS, __VA_ARGS__)            \
  XS(GREATER_EQUAL, LESS_EQUAL, __VA_ARGS__)

/* A negative count of a shift is one that is too large, as NumPy has it. */
#define SIGNED_LIST(X1, X2, XB, U, ...)              \
  X1(ABS, (x < 0 ? (U)0 - (U)x : (U)x), __VA_ARGS__) \
  X1(SIGN, ((x > 0) - (x < 0)), __VA_ARGS__)         \
  XB(SIGNBIT, (x < 0), __VA_ARGS__)                  \
  X2(BITWISE_RIGHT_SHIFT, (x >> ((U)y < BITS(x) ? y : (int)BITS(x) - 1)), __VA_ARGS__)

#define UNSIGNED_LIST(X1, X2, ...) \
  X1(SIGN, (x > 0), __VA_ARGS__)   \
  X2(BITWISE_RIGHT_SHIFT, (y < BITS(x) ? x >> (y & (BITS(x) - 1)) : 0), __VA_ARGS__)

#define DEFINE1(OP, EXPR, NAME, T) UNARY_LOOP(OP##_##NAME, T, T, READ_PLAIN, EXPR)
#define DEFINE_TO_BOOL(OP, EXPR, NAME, T) UNARY_LOOP(OP##_##NAME, uint8_t, T, READ_PLAIN, EXPR)
#define DEFINE2(OP, EXPR, NAME, T) BINARY_LOOP(OP##_##NAME, T, T, READ_PLAIN, EXPR)
#define DEFINE_CLIP(NAME, T)                           \
  static inline T CLIP_##NAME##_value(T x, T y, T z) { \
    const T raised = x > y ? x : y;                    \
    return raised < z ? raised : z;                    \
  }                                                    \
  TERNARY_VALUE_LOOP(CLIP_##NAME, T)
#define DEFINE_COMPARE(OP, EXPR, NAME, T) BINARY_LOOP(OP##_##NAME, uint8_t, T, READ_PLAIN, EXPR)
#define DEFINE_SWAPPED(OP, OTHER, NAME, T) SWAPPED_LOOP(OP##_##NAME, OTHER##_##NAME)

#define X(SNAME, S, UNAME, U)                                               \
  WRAPPING_LIST(DEFINE1, DEFINE2, DEFINE_TO_BOOL, DEFINE_COMPARE, UNAME, U) \
  ORDERED_LIST(DEFINE2, DEFINE_COMPARE, DEFINE_SWAPPED, SNAME, S)           \
  ORDERED_LIST(DEFINE2, DEFINE_COMPARE, DEFINE_SWAPPED, UNAME, U)           \
  DEFINE_CLIP(SNAME, S)                                                     \
  DEFINE_CLIP(UNAME, U)                                                     \
  SIGNED_LIST(DEFINE1, DEFINE2, DEFINE_TO_BOOL, U, SNAME, S)                \
  UNSIGNED_LIST(DEFINE1, DEFINE2, UNAME, U)
DTYPE_INT_PAIRS(X)
#undef X

#define ROW(OP, EXPR, NAME, T) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
#define ROW_BOTH(OP, EXPR, SNAME, UNAME) \
  [NUMD_OP_##OP][NUMD_##SNAME] = OP##_##UNAME, [NUMD_OP_##OP][NUMD_##UNAME] = OP##_##UNAME,

const kernel_map_fn KERNEL_NAME(kernels_map_int)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(SNAME, S, UNAME, U)                                         \
  WRAPPING_LIST(ROW_BOTH, ROW_BOTH, ROW_BOTH, ROW_BOTH, SNAME, UNAME) \
  ORDERED_LIST(ROW, ROW, ROW, SNAME, S)                               \
  ORDERED_LIST(ROW, ROW, ROW, UNAME, U)                               \
  ROW(CLIP, , SNAME, S)                                               \
  ROW(CLIP, , UNAME, U) SIGNED_LIST(ROW, ROW, ROW, U, SNAME, S) UNSIGNED_LIST(ROW, ROW, UNAME, U)
    DTYPE_INT_PAIRS(X)
#undef X
};
