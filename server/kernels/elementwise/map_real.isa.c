/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise loops of float32 and float64 that need no library. Compiled once for each instruction set; the
 * compiler vectorises the loops. Floor division and remainder are in divide_real.isa.c. */
#include <math.h>
#include <string.h>

#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

#define ABSOLUTE(x) _Generic((x), float : fabsf, double : fabs)(x)
#define SQUARE_ROOT(x) _Generic((x), float : sqrtf, double : sqrt)(x)
#define FLOOR_OF(x) _Generic((x), float : floorf, double : floor)(x)
#define CEIL_OF(x) _Generic((x), float : ceilf, double : ceil)(x)
#define TRUNC_OF(x) _Generic((x), float : truncf, double : trunc)(x)
#define ROUND_OF(x) _Generic((x), float : rintf, double : rint)(x)
#define SIGNED_AS(x, y) _Generic((x), float : copysignf, double : copysign)(x, y)

/* A NaN in x is taken at once, and one in y because the comparison fails. */
#define GREATEST(x, y) ((((x) > (y)) | ((x) != (x))) ? (x) : (y))
#define LEAST(x, y) ((((x) < (y)) | ((x) != (x))) ? (x) : (y))

#define REAL_LIST(X1, X2, XB, XC, XS, ...)                         \
  X2(ADD, (x + y), __VA_ARGS__)                                    \
  X2(SUBTRACT, (x - y), __VA_ARGS__)                               \
  X2(MULTIPLY, (x * y), __VA_ARGS__)                               \
  X2(DIVIDE, (x / y), __VA_ARGS__)                                 \
  X2(MAXIMUM, GREATEST(x, y), __VA_ARGS__)                         \
  X2(MINIMUM, LEAST(x, y), __VA_ARGS__)                            \
  X2(COPYSIGN, SIGNED_AS(x, y), __VA_ARGS__)                       \
  X1(NEGATIVE, (-x), __VA_ARGS__)                                  \
  X1(ABS, ABSOLUTE(x), __VA_ARGS__)                                \
  X1(SIGN, (x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x), __VA_ARGS__) \
  X1(SQUARE, (x * x), __VA_ARGS__)                                 \
  X1(RECIPROCAL, (1 / x), __VA_ARGS__)                             \
  X1(SQRT, SQUARE_ROOT(x), __VA_ARGS__)                            \
  X1(FLOOR, FLOOR_OF(x), __VA_ARGS__)                              \
  X1(CEIL, CEIL_OF(x), __VA_ARGS__)                                \
  X1(TRUNC, TRUNC_OF(x), __VA_ARGS__)                              \
  X1(ROUND, ROUND_OF(x), __VA_ARGS__)                              \
  XB(ISFINITE, (ABSOLUTE(x) < INFINITY), __VA_ARGS__)              \
  XB(ISINF, (ABSOLUTE(x) == INFINITY), __VA_ARGS__)                \
  XB(ISNAN, (x != x), __VA_ARGS__)                                 \
  XC(EQUAL, (x == y), __VA_ARGS__)                                 \
  XC(NOT_EQUAL, (x != y), __VA_ARGS__)                             \
  XC(LESS, (x < y), __VA_ARGS__)                                   \
  XC(LOGICAL_AND, ((x != 0) & (y != 0)), __VA_ARGS__)              \
  XC(LOGICAL_OR, ((x != 0) | (y != 0)), __VA_ARGS__)               \
  XC(LOGICAL_XOR, ((x != 0) ^ (y != 0)), __VA_ARGS__)              \
  XB(LOGICAL_NOT, (x == 0), __VA_ARGS__)                           \
  XC(LESS_EQUAL, (x <= y), __VA_ARGS__)                            \
  XS(GREATER, LESS, __VA_ARGS__)                                   \
  XS(GREATER_EQUAL, LESS_EQUAL, __VA_ARGS__)

/* X(NAME, type, the signed and the unsigned integer of its size) */
#define TYPE_LIST(X)                   \
  X(FLOAT32, float, int32_t, uint32_t) \
  X(FLOAT64, double, int64_t, uint64_t)

#define DEFINE1(OP, EXPR, NAME, T) UNARY_LOOP(OP##_##NAME, T, T, READ_PLAIN, EXPR)
#define DEFINE_TO_BOOL(OP, EXPR, NAME, T) UNARY_LOOP(OP##_##NAME, uint8_t, T, READ_PLAIN, EXPR)
#define DEFINE2(OP, EXPR, NAME, T) BINARY_LOOP(OP##_##NAME, T, T, READ_PLAIN, EXPR)
#define DEFINE_COMPARE(OP, EXPR, NAME, T) BINARY_LOOP(OP##_##NAME, uint8_t, T, READ_PLAIN, EXPR)
#define DEFINE_SWAPPED(OP, OTHER, NAME, T) SWAPPED_LOOP(OP##_##NAME, OTHER##_##NAME)

/* The sign is that of the bits, read as an integer. The next number away from zero is the next integer, of
 * either sign; from zero itself the step is to the least number of y's sign. */
#define DEFINE_BITWISE(NAME, T, S, U)                         \
  UNARY_LOOP(SIGNBIT_##NAME, uint8_t, S, READ_PLAIN, (x < 0)) \
  static inline T NEXTAFTER_##NAME##_value(T x, T y) {        \
    U bits, least = 1;                                        \
    T next;                                                   \
    memcpy(&bits, &x, sizeof(x));                             \
    bits += ((x < y) == (x > 0)) ? (U)1 : (U)-1;              \
    bits = x == 0 ? least : bits;                             \
    memcpy(&next, &bits, sizeof(x));                          \
    next = x == 0 ? SIGNED_AS(next, y) : next;                \
    next = x == y ? y : next;                                 \
    return ((x != x) | (y != y)) ? x + y : next;              \
  }                                                           \
  BINARY_VALUE_LOOP(NEXTAFTER_##NAME, T, T, READ_PLAIN)

/* LEAST(GREATEST(x, y), z), said so that the compiler makes no branches of it. */
#define DEFINE_CLIP(NAME, T)                           \
  static inline T CLIP_##NAME##_value(T x, T y, T z) { \
    T raised = x > y ? x : y;                          \
    raised = x != x ? x : raised;                      \
    const T lowered = raised < z ? raised : z;         \
    return raised != raised ? raised : lowered;        \
  }                                                    \
  TERNARY_VALUE_LOOP(CLIP_##NAME, T)

#define X(NAME, T, S, U)                                                               \
  REAL_LIST(DEFINE1, DEFINE2, DEFINE_TO_BOOL, DEFINE_COMPARE, DEFINE_SWAPPED, NAME, T) \
  DEFINE_CLIP(NAME, T)                                                                 \
  DEFINE_BITWISE(NAME, T, S, U)
TYPE_LIST(X)
#undef X

#define ROW(OP, EXPR, NAME, T) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,

const kernel_map_fn KERNEL_NAME(kernels_map_real)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(NAME, T, S, U)                      \
  REAL_LIST(ROW, ROW, ROW, ROW, ROW, NAME, T) \
  ROW(CLIP, , NAME, T) ROW(SIGNBIT, , NAME, T) ROW(NEXTAFTER, , NAME, T)
    TYPE_LIST(X)
#undef X
};
