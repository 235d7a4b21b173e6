/* SPDX-License-Identifier: BSD-3-Clause */
/* Floor division and remainder of float32 and float64, to the bit as NumPy has them. Compiled once for each
 * instruction set.
 *
 * Both begin with the remainder of the truncated quotient, which is exact. Where there is a fused
 * multiply-add, x - trunc(x / y) * y is exact too, as long as the quotient's integers are: the rounded
 * quotient's integer is the true one or the next, which shows by the remainder's sign. What is left, the
 * quotients too large and the infinite divisors, is rare, and fmod's: a block is computed in private memory,
 * mended there where it must be, and then stored. */
#include <math.h>

#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

#define ABSOLUTE(x) _Generic((x), float : fabsf, double : fabs)(x)
#define FLOOR_OF(x) _Generic((x), float : floorf, double : floor)(x)
#define TRUNC_OF(x) _Generic((x), float : truncf, double : trunc)(x)
#define SIGNED_AS(x, y) _Generic((x), float : copysignf, double : copysign)(x, y)
#define FMOD(x, y) _Generic((x), float : fmodf, double : fmod)(x, y)
#define FMA(x, y, z) _Generic((x), float : __builtin_fmaf, double : __builtin_fma)(x, y, z)

/* What fmod gives, with the sign of x; hard: it does not. */
#if KERNEL_LEVEL >= 3
#define EXACT(x) _Generic((x), float : 0x1p22f, double : 0x1p51) /* quotients below it */
#define DEFINE_TRUNCATED(NAME, T)                                                  \
  static inline int hard_##NAME(T x, T y) {                                        \
    return ((ABSOLUTE(x / y) >= EXACT(x)) & (y != 0)) | (ABSOLUTE(y) == INFINITY); \
  }                                                                                \
  static inline T truncated_##NAME(T x, T y) {                                     \
    const T rest = FMA(-TRUNC_OF(x / y), y, x);                                    \
    const T mended = (rest < 0) != (x < 0) ? rest + SIGNED_AS(y, x) : rest;        \
    return rest == 0 ? SIGNED_AS((T)0, x) : mended;                                \
  }
#else
#define DEFINE_TRUNCATED(NAME, T)              \
  static inline int hard_##NAME(T x, T y) {    \
    return 0;                                  \
  }                                            \
  static inline T truncated_##NAME(T x, T y) { \
    return FMOD(x, y);                         \
  }
#endif

/* `rest` is truncated_NAME(x, y) or fmod(x, y). */
#define DEFINE_FLOORED(NAME, T)                                          \
  static inline T REMAINDER_##NAME##_of(T x, T y, T rest) {              \
    const T floored = (y < 0) != (rest < 0) ? rest + y : rest;           \
    const T value = rest == 0 ? SIGNED_AS((T)0, y) : floored;            \
    return y == 0 ? (T)NAN : value;                                      \
  }                                                                      \
  static inline T FLOOR_DIVIDE_##NAME##_of(T x, T y, T rest) {           \
    const T quotient = x / y;                                            \
    T whole = (x - rest) / y;                                            \
    whole = ((rest != 0) & ((y < 0) != (rest < 0))) ? whole - 1 : whole; \
    const T down = FLOOR_OF(whole);                                      \
    const T nearest = whole - down > (T)0.5 ? down + 1 : down;           \
    const T value = whole == 0 ? SIGNED_AS((T)0, quotient) : nearest;    \
    return y == 0 ? quotient : value;                                    \
  }

/* In rest[i] what truncated_NAME and fmod give. */
#define DEFINE_RESTS(NAME, T)                                                                       \
  static void rests_##NAME(int64_t m, const T *restrict x, const T *restrict y, T *restrict rest) { \
    int hard = 0;                                                                                   \
    for (int64_t i = 0; i < m; i++) {                                                               \
      rest[i] = truncated_##NAME(x[i], y[i]);                                                       \
      hard |= hard_##NAME(x[i], y[i]);                                                              \
    }                                                                                               \
    if (hard)                                                                                       \
      for (int64_t i = 0; i < m; i++)                                                               \
        if (hard_##NAME(x[i], y[i]))                                                                \
          rest[i] = FMOD(x[i], y[i]);                                                               \
  }

#define DEFINE_LOOP(OP, NAME, T)                                                      \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    T x[BLOCK], y[BLOCK], rest[BLOCK];                                                \
    for (int64_t start = 0, m; start < n; start += m) {                               \
      m = n - start < BLOCK ? n - start : BLOCK;                                      \
      gather_##NAME(m, ptr[0] + start * stride[0], stride[0], x);                     \
      gather_##NAME(m, ptr[1] + start * stride[1], stride[1], y);                     \
      rests_##NAME(m, x, y, rest);                                                    \
      for (int64_t i = 0; i < m; i++)                                                 \
        rest[i] = OP##_##NAME##_of(x[i], y[i], rest[i]);                              \
      scatter_##NAME(m, rest, ptr[2] + start * stride[2], stride[2]);                 \
    }                                                                                 \
    return 0;                                                                         \
  }

#define X(NAME, T)                \
  BLOCK_ACCESS(NAME, T)           \
  DEFINE_TRUNCATED(NAME, T)       \
  DEFINE_FLOORED(NAME, T)         \
  DEFINE_RESTS(NAME, T)           \
  DEFINE_LOOP(REMAINDER, NAME, T) \
  DEFINE_LOOP(FLOOR_DIVIDE, NAME, T)
DTYPE_REALS(X)
#undef X

const kernel_map_fn KERNEL_NAME(kernels_divide_real)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(NAME, T)                                     \
  [NUMD_OP_REMAINDER][NUMD_##NAME] = REMAINDER_##NAME, \
  [NUMD_OP_FLOOR_DIVIDE][NUMD_##NAME] = FLOOR_DIVIDE_##NAME,
    DTYPE_REALS(X)
#undef X
};
