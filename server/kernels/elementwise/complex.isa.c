/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise loops of complex numbers that need no library. Compiled once for each instruction set.
 *
 * T is the type of a complex number's parts. Products are the textbook's, and quotients
 * Smith's, which does not overflow on the way: both part by part and in the order of NumPy, whose bits they
 * give. Choices are made between values, not ways, so that the compiler vectorises them. */
#include <math.h>

#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

typedef float _Complex complex64;
typedef double _Complex complex128;

#define RE(x) (__real__(x))
#define IM(x) (__imag__(x))
#define PAIR(real, imag) __builtin_complex(real, imag)

/* gcc 12 fuses a product with the sum or difference behind it in neighbouring lanes, -ffp-contract=off or
 * not. */
#if __has_builtin(__builtin_assoc_barrier)
#define TIMES(x, y) __builtin_assoc_barrier((x) * (y))
#else
#define TIMES(x, y) ((x) * (y))
#endif

#define ABSOLUTE(x) _Generic((x), float : fabsf, double : fabs)(x)
#define ROUND_OF(x) _Generic((x), float : rintf, double : rint)(x)
#define SIGNED_AS(x, y) _Generic((x), float : copysignf, double : copysign)(x, y)

/* X1, X2: giving complex numbers; XP: giving a part; XB, XC: giving bool. */
#define COMPLEX_LIST(X1, X2, XP, XB, XC, ...)                                                              \
  X2(ADD, PAIR(RE(x) + RE(y), IM(x) + IM(y)), __VA_ARGS__)                                                 \
  X2(SUBTRACT, PAIR(RE(x) - RE(y), IM(x) - IM(y)), __VA_ARGS__)                                            \
  X2(MULTIPLY, PAIR(TIMES(RE(x), RE(y)) - TIMES(IM(x), IM(y)), TIMES(RE(x), IM(y)) + TIMES(IM(x), RE(y))), \
     __VA_ARGS__)                                                                                          \
  X1(NEGATIVE, PAIR(-RE(x), -IM(x)), __VA_ARGS__)                                                          \
  X1(SQUARE, PAIR(TIMES(RE(x), RE(x)) - TIMES(IM(x), IM(x)), TIMES(RE(x), IM(x)) + TIMES(IM(x), RE(x))),   \
     __VA_ARGS__)                                                                                          \
  X1(ROUND, PAIR(ROUND_OF(RE(x)), ROUND_OF(IM(x))), __VA_ARGS__)                                           \
  X1(CONJ, PAIR(RE(x), -IM(x)), __VA_ARGS__)                                                               \
  XP(REAL, (RE(x)), __VA_ARGS__)                                                                           \
  XP(IMAG, (IM(x)), __VA_ARGS__)                                                                           \
  XB(ISFINITE, ((ABSOLUTE(RE(x)) < INFINITY) & (ABSOLUTE(IM(x)) < INFINITY)), __VA_ARGS__)                 \
  XB(ISINF, ((ABSOLUTE(RE(x)) == INFINITY) | (ABSOLUTE(IM(x)) == INFINITY)), __VA_ARGS__)                  \
  XB(ISNAN, ((RE(x) != RE(x)) | (IM(x) != IM(x))), __VA_ARGS__)                                            \
  XC(EQUAL, ((RE(x) == RE(y)) & (IM(x) == IM(y))), __VA_ARGS__)                                            \
  XC(NOT_EQUAL, ((RE(x) != RE(y)) | (IM(x) != IM(y))), __VA_ARGS__)

/* Each of these lists and loops gets the NAME of a dtype, the type of its numbers and that of their parts. */
#define DEFINE_UNARY(OP, EXPR, NAME, TYPE, T) UNARY_LOOP(OP##_##NAME, TYPE, TYPE, READ_PLAIN, EXPR)
#define DEFINE_PART(OP, EXPR, NAME, TYPE, T) UNARY_LOOP(OP##_##NAME, T, TYPE, READ_PLAIN, EXPR)
#define DEFINE_TO_BOOL(OP, EXPR, NAME, TYPE, T) UNARY_LOOP(OP##_##NAME, uint8_t, TYPE, READ_PLAIN, EXPR)
#define DEFINE_BINARY(OP, EXPR, NAME, TYPE, T) BINARY_LOOP(OP##_##NAME, TYPE, TYPE, READ_PLAIN, EXPR)
#define DEFINE_COMPARE(OP, EXPR, NAME, TYPE, T) BINARY_LOOP(OP##_##NAME, uint8_t, TYPE, READ_PLAIN, EXPR)

/* The greater part of the divisor divides the smaller. By zero each part is divided by zero. */
#define DEFINE_QUOTIENTS(NAME, TYPE, T)                                                                      \
  static inline TYPE DIVIDE_##NAME##_value(TYPE x, TYPE y) {                                                 \
    const T real = ABSOLUTE(RE(y)), imag = ABSOLUTE(IM(y));                                                  \
    const int upright = real >= imag;                                                                        \
    const T ratio = (upright ? IM(y) : RE(y)) / (upright ? RE(y) : IM(y));                                   \
    const T scale = 1 / ((upright ? RE(y) : IM(y)) + TIMES(upright ? IM(y) : RE(y), ratio));                 \
    const T plus = TIMES(upright ? IM(x) : RE(x), ratio), minus = TIMES(upright ? RE(x) : IM(x), ratio);     \
    const TYPE quotient =                                                                                    \
        PAIR(((upright ? RE(x) : IM(x)) + plus) * scale, (upright ? IM(x) - minus : minus - RE(x)) * scale); \
    const int zero = (real == 0) & (imag == 0);                                                              \
    return PAIR(zero ? RE(x) / real : RE(quotient), zero ? IM(x) / real : IM(quotient));                     \
  }                                                                                                          \
  BINARY_VALUE_LOOP(DIVIDE_##NAME, TYPE, TYPE, READ_PLAIN)                                                   \
  static inline TYPE RECIPROCAL_##NAME##_of(TYPE x) {                                                        \
    const int upright = ABSOLUTE(IM(x)) <= ABSOLUTE(RE(x));                                                  \
    const T ratio = (upright ? IM(x) : RE(x)) / (upright ? RE(x) : IM(x));                                   \
    const T small = TIMES(upright ? IM(x) : RE(x), ratio);                                                   \
    const T scale = (upright ? RE(x) : IM(x)) + small;                                                       \
    return PAIR((upright ? 1 : ratio) / scale, (upright ? -ratio : -1) / scale);                             \
  }                                                                                                          \
  UNARY_LOOP(RECIPROCAL_##NAME, TYPE, TYPE, READ_PLAIN, RECIPROCAL_##NAME##_of(x))

/* x / abs(x). An infinite part outweighs any finite one; two have no direction. */
#define FINITE_DIRECTION(T)                                                                 \
  const int real_inf = ABSOLUTE(RE(x)) == INFINITY, imag_inf = ABSOLUTE(IM(x)) == INFINITY; \
  T real = imag_inf ? 0 : RE(x), imag = real_inf ? 0 : IM(x);                               \
  real = real_inf ? SIGNED_AS((T)1, RE(x)) : real;                                          \
  imag = imag_inf ? SIGNED_AS((T)1, IM(x)) : imag;                                          \
  real = (real_inf & imag_inf) ? (T)NAN : real;

/* The squares of floats neither overflow nor vanish in double. */
static inline complex64 SIGN_COMPLEX64_of(complex64 x) {
  FINITE_DIRECTION(float)
  const double re = (double)real, im = (double)imag;
  const double length = sqrt(TIMES(re, re) + TIMES(im, im));
  const float out_real = (float)(re / length), out_imag = (float)(im / length);
  return PAIR(length == 0 ? 0 : out_real, length == 0 ? 0 : out_imag);
}

/* Small numbers are scaled up before the division and great ones down behind it, by a power of 2, so that
 * neither the squares nor the smaller part get lost. */
static inline complex128 SIGN_COMPLEX128_of(complex128 x) {
  FINITE_DIRECTION(double)
  const double size = fabs(real) > fabs(imag) ? fabs(real) : fabs(imag);
  const double up = size < 0x1p-500 ? 0x1p600 : 1, down = size > 0x1p500 ? 0x1p-600 : 1;
  real *= up;
  imag *= up;
  const double re = real * down, im = imag * down;
  const double length = sqrt(TIMES(re, re) + TIMES(im, im));
  const double out_real = real / length * down, out_imag = imag / length * down;
  return PAIR(length == 0 ? 0 : out_real, length == 0 ? 0 : out_imag);
}

#define X(NAME, T)                                                                                         \
  COMPLEX_LIST(DEFINE_UNARY, DEFINE_BINARY, DEFINE_PART, DEFINE_TO_BOOL, DEFINE_COMPARE, NAME, T _Complex, \
               T)                                                                                          \
  DEFINE_QUOTIENTS(NAME, T _Complex, T)                                                                    \
  UNARY_LOOP(SIGN_##NAME, T _Complex, T _Complex, READ_PLAIN, SIGN_##NAME##_of(x))
DTYPE_COMPLEXES(X)
#undef X

#define ROW(OP, EXPR, NAME, TYPE, T) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,

const kernel_map_fn KERNEL_NAME(kernels_complex)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(NAME, T)                                           \
  COMPLEX_LIST(ROW, ROW, ROW, ROW, ROW, NAME, T _Complex, T) \
  ROW(DIVIDE, , NAME, , )                                    \
  ROW(RECIPROCAL, , NAME, , )                                \
  ROW(SIGN, , NAME, , )
    DTYPE_COMPLEXES(X)
#undef X
};
