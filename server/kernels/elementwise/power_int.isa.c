/* SPDX-License-Identifier: BSD-3-Clause */
/* Integer powers by repeated squaring, which wraps around as a product of that many factors does. Compiled
 * once for each instruction set.
 *
 * A block of items is raised at once, bit by bit of the exponents, so that every step is a loop that the
 * compiler vectorises. Bases and exponents are copied out of memory first: the exponents decide how often
 * the loops turn, at most once a bit. A negative exponent is reported and counts as 0. */
#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

/* x[i] = x[i]^e, from the highest bit of e down. */
#define DEFINE_BY_ONE(NAME, U)                               \
  static void by_one_##NAME(int64_t n, U *restrict x, U e) { \
    U p[BLOCK];                                              \
    if (e == 0) {                                            \
      for (int64_t i = 0; i < n; i++)                        \
        x[i] = 1;                                            \
      return;                                                \
    }                                                        \
    int bit = 63 - __builtin_clzll(e);                       \
    for (int64_t i = 0; i < n; i++)                          \
      p[i] = x[i];                                           \
    while (bit-- > 0)                                        \
      if (e >> bit & 1)                                      \
        for (int64_t i = 0; i < n; i++)                      \
          p[i] = (U)(1u * (U)(1u * p[i] * p[i]) * x[i]);     \
      else                                                   \
        for (int64_t i = 0; i < n; i++)                      \
          p[i] = (U)(1u * p[i] * p[i]);                      \
    for (int64_t i = 0; i < n; i++)                          \
      x[i] = p[i];                                           \
  }

/* x[i] = x[i]^e[i], from the lowest bit up; e is used up. */
#define DEFINE_BY_EACH(NAME, U)                                         \
  static void by_each_##NAME(int64_t n, U *restrict x, U *restrict e) { \
    U p[BLOCK], bits = 0;                                               \
    for (int64_t i = 0; i < n; i++) {                                   \
      p[i] = e[i] & 1 ? x[i] : 1;                                       \
      bits |= e[i];                                                     \
    }                                                                   \
    while (bits >>= 1)                                                  \
      for (int64_t i = 0; i < n; i++) {                                 \
        e[i] = (U)(e[i] >> 1);                                          \
        x[i] = (U)(1u * x[i] * x[i]);                                   \
        p[i] = (U)(1u * p[i] * (e[i] & 1 ? x[i] : 1u));                 \
      }                                                                 \
    for (int64_t i = 0; i < n; i++)                                     \
      x[i] = p[i];                                                      \
  }

/* Of exponents of signed and unsigned types. */
#define SIGNED_NEGATIVE(x) ((x) < 0)
#define UNSIGNED_NEGATIVE(x) 0

/* T is the type of the exponents, U of the width's unsigned numbers, named UNAME. */
#define DEFINE_POWER(NAME, T, UNAME, U, NEGATIVE)                                    \
  static unsigned POW_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    U x[BLOCK], y[BLOCK];                                                            \
    unsigned negative = 0;                                                           \
    if (n > 0)                                                                       \
      gather_##UNAME(1, ptr[1], 0, y);                                               \
    const T all = n > 0 ? (T)y[0] : 0; /* the exponent of all, if its stride is 0 */ \
    for (int64_t start = 0, m; start < n; start += m) {                              \
      m = n - start < BLOCK ? n - start : BLOCK;                                     \
      gather_##UNAME(m, ptr[0] + start * stride[0], stride[0], x);                   \
      if (stride[1] == 0) {                                                          \
        negative |= NEGATIVE(all);                                                   \
        by_one_##UNAME(m, x, NEGATIVE(all) ? 0 : (U)all);                            \
      } else {                                                                       \
        gather_##UNAME(m, ptr[1] + start * stride[1], stride[1], y);                 \
        for (int64_t i = 0; i < m; i++) {                                            \
          negative |= NEGATIVE((T)y[i]);                                             \
          y[i] = NEGATIVE((T)y[i]) ? 0 : y[i];                                       \
        }                                                                            \
        by_each_##UNAME(m, x, y);                                                    \
      }                                                                              \
      scatter_##UNAME(m, x, ptr[2] + start * stride[2], stride[2]);                  \
    }                                                                                \
    return negative ? KERNEL_NEGATIVE_POWER : 0;                                     \
  }

#define X(SNAME, S, UNAME, U)                       \
  DEFINE_BY_ONE(UNAME, U)                           \
  DEFINE_BY_EACH(UNAME, U)                          \
  BLOCK_ACCESS(UNAME, U)                            \
  DEFINE_POWER(SNAME, S, UNAME, U, SIGNED_NEGATIVE) \
  DEFINE_POWER(UNAME, U, UNAME, U, UNSIGNED_NEGATIVE)
DTYPE_INT_PAIRS(X)
#undef X

const kernel_map_fn KERNEL_NAME(kernels_power_int)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(SNAME, S, UNAME, U) \
  [NUMD_OP_POW][NUMD_##SNAME] = POW_##SNAME, [NUMD_OP_POW][NUMD_##UNAME] = POW_##UNAME,
    DTYPE_INT_PAIRS(X)
#undef X
};
