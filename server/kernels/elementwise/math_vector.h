/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the families of mathematics: the real functions on contiguous arrays, for the instruction set that
 * is compiled. For each f of the lists and each real dtype there is
 *   f_dtype_run(n, x, out)  or  f_dtype_run(n, x, y, out)
 * where out may be exactly an input.
 *
 * They come, a vector at a time, from glibc's libmvec, which is of the same origin as the vector functions
 * that NumPy has for AVX-512 and as fast; it promises 4 ULP. An x86-64 system without it (libmvec is complete
 * since glibc 2.35) has SLEEF's instead: the "deterministic" ones (cinz_ without FMA, finz_ with it), whose
 * ordinary sin and cos give an element other bits when a large one stands beside it. Some of SLEEF's overflow
 * too early, as pow(DBL_MAX, 1): what becomes infinite from finite arguments is left to libm. Plain C
 * (and so any other architecture) calls libm for each element.
 *
 * The build for AVX-512 has its own log and pow (math_wide.h).
 *
 * An element's result depends on its value only: a tail goes through the same function, in a padded copy.
 * (libmvec, too, leaves arguments outside a function's usual range to libm, one by one.) */
#ifndef NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_VECTOR_H
#define NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_VECTOR_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "server/kernels/family.h"

/* X(OPERATION, C function): all of one argument, all but log */
#define MATH_UNARY_LIST(X) X(LOG, log) MATH_MOST_LIST(X)
/* clang-format off */
#define MATH_MOST_LIST(X) \
  X(EXP, exp) X(EXPM1, expm1) X(LOG1P, log1p) X(LOG2, log2) X(LOG10, log10) X(SIN, sin) \
  X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos) X(ATAN, atan) X(SINH, sinh) \
  X(COSH, cosh) X(TANH, tanh) X(ASINH, asinh) X(ACOSH, acosh) X(ATANH, atanh)
/* clang-format on */
#define MATH_BINARY_LIST(X) X(POW, pow) X(ATAN2, atan2) X(HYPOT, hypot)

#if KERNEL_LEVEL > 0 && defined __x86_64__ && defined __GLIBC__ && defined __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 35) && !defined NUMD_NO_LIBMVEC
#define MATH_LIBMVEC
#endif
#endif

#if KERNEL_LEVEL == 4
#define MATH_BYTES 64
#elif KERNEL_LEVEL == 3
#define MATH_BYTES 32
#endif

#ifdef MATH_BYTES
typedef double vector_float64 __attribute__((vector_size(MATH_BYTES)));
typedef float vector_float32 __attribute__((vector_size(MATH_BYTES)));
#else
typedef double vector_float64;
typedef float vector_float32;
#endif

typedef double ctype_float64;
typedef float ctype_float32;
typedef double KERNEL_ALIAS item_float64;
typedef float KERNEL_ALIAS item_float32;

#define LANES(dtype) ((int64_t)(sizeof(vector_##dtype) / sizeof(ctype_##dtype)))

/* The names of one vector's function, of one and of two arguments. */
#if KERNEL_LEVEL == 0
#define VECTOR1_float64(name) name
#define VECTOR1_float32(name) name##f
#define VECTOR2_float64(name) name
#define VECTOR2_float32(name) name##f
#elif defined MATH_LIBMVEC
#if KERNEL_LEVEL == 4
#define VECTOR1_float64(name) _ZGVeN8v_##name
#define VECTOR1_float32(name) _ZGVeN16v_##name##f
#define VECTOR2_float64(name) _ZGVeN8vv_##name
#define VECTOR2_float32(name) _ZGVeN16vv_##name##f
#else
#define VECTOR1_float64(name) _ZGVdN4v_##name
#define VECTOR1_float32(name) _ZGVdN8v_##name##f
#define VECTOR2_float64(name) _ZGVdN4vv_##name
#define VECTOR2_float32(name) _ZGVdN8vv_##name##f
#endif
#define X(OP, f)                                       \
  vector_float64 VECTOR1_float64(f)(vector_float64 x); \
  vector_float32 VECTOR1_float32(f)(vector_float32 x);
MATH_UNARY_LIST(X)
#undef X
#define X(OP, f)                                                         \
  vector_float64 VECTOR2_float64(f)(vector_float64 x, vector_float64 y); \
  vector_float32 VECTOR2_float32(f)(vector_float32 x, vector_float32 y);
MATH_BINARY_LIST(X)
#undef X
#else
#include <sleef.h>
#define SLEEF_BOUND_pow u10
#define SLEEF_BOUND_atan2 u10
#define SLEEF_BOUND_hypot u05
#define SLEEF_JOIN2(a, f, d, bound, isa) a##f##d##_##bound##isa
#define SLEEF_JOIN(a, f, d, bound, isa) SLEEF_JOIN2(a, f, d, bound, isa)
#if KERNEL_LEVEL == 4
#define VECTOR1_float64(name) SLEEF_JOIN(Sleef_finz_, name, d8, u10, avx512f)
#define VECTOR1_float32(name) SLEEF_JOIN(Sleef_finz_, name, f16, u10, avx512f)
#define VECTOR2_float64(name) SLEEF_JOIN(Sleef_finz_, name, d8, SLEEF_BOUND_##name, avx512f)
#define VECTOR2_float32(name) SLEEF_JOIN(Sleef_finz_, name, f16, SLEEF_BOUND_##name, avx512f)
#else
#define VECTOR1_float64(name) SLEEF_JOIN(Sleef_finz_, name, d4, u10, avx2)
#define VECTOR1_float32(name) SLEEF_JOIN(Sleef_finz_, name, f8, u10, avx2)
#define VECTOR2_float64(name) SLEEF_JOIN(Sleef_finz_, name, d4, SLEEF_BOUND_##name, avx2)
#define VECTOR2_float32(name) SLEEF_JOIN(Sleef_finz_, name, f8, SLEEF_BOUND_##name, avx2)
#endif
#endif

#if KERNEL_LEVEL == 0 || defined MATH_LIBMVEC
#define MEND1(f, dtype, x, v) (v)
#define MEND2(f, dtype, x, y, v) (v)
#else
#define SCALAR_float64(name) name
#define SCALAR_float32(name) name##f
#define MEND1(f, dtype, x, v) mend1_##dtype(SCALAR_##dtype(f), x, v)
#define MEND2(f, dtype, x, y, v) mend2_##dtype(SCALAR_##dtype(f), x, y, v)
#define DEFINE_MENDS(dtype)                                                                                 \
  static inline bool infinite_##dtype(vector_##dtype v) {                                                   \
    int infinite = 0;                                                                                       \
    for (int i = 0; i < LANES(dtype); i++)                                                                  \
      infinite |= isinf(v[i]);                                                                              \
    return infinite;                                                                                        \
  }                                                                                                         \
  static KERNEL_UNUSED vector_##dtype mend1_##dtype(ctype_##dtype (*f)(ctype_##dtype), vector_##dtype x,    \
                                                    vector_##dtype v) {                                     \
    if (infinite_##dtype(v))                                                                                \
      for (int i = 0; i < LANES(dtype); i++)                                                                \
        v[i] = isinf(v[i]) && isfinite(x[i]) ? f(x[i]) : v[i];                                              \
    return v;                                                                                               \
  }                                                                                                         \
  static KERNEL_UNUSED vector_##dtype mend2_##dtype(ctype_##dtype (*f)(ctype_##dtype, ctype_##dtype),       \
                                                    vector_##dtype x, vector_##dtype y, vector_##dtype v) { \
    if (infinite_##dtype(v))                                                                                \
      for (int i = 0; i < LANES(dtype); i++)                                                                \
        v[i] = isinf(v[i]) && isfinite(x[i]) && isfinite(y[i]) ? f(x[i], y[i]) : v[i];                      \
    return v;                                                                                               \
  }
DEFINE_MENDS(float64)
DEFINE_MENDS(float32)
#endif

/* A tail is padded with copies of its first element, which cost no more than it does. */
#define DEFINE_VECTORS(dtype)                                                            \
  static inline vector_##dtype load_##dtype(const void *from) {                          \
    vector_##dtype v;                                                                    \
    memcpy(&v, from, sizeof(v));                                                         \
    return v;                                                                            \
  }                                                                                      \
  static inline vector_##dtype load_tail_##dtype(const item_##dtype *from, int64_t n) {  \
    ctype_##dtype pad[LANES(dtype)];                                                     \
    for (int i = 0; i < LANES(dtype); i++)                                               \
      pad[i] = from[i < n ? i : 0];                                                      \
    return load_##dtype(pad);                                                            \
  }                                                                                      \
  static inline void store_##dtype(vector_##dtype v, void *to) {                         \
    memcpy(to, &v, sizeof(v));                                                           \
  }                                                                                      \
  static inline void store_tail_##dtype(vector_##dtype v, item_##dtype *to, int64_t n) { \
    ctype_##dtype pad[LANES(dtype)];                                                     \
    store_##dtype(v, pad);                                                               \
    for (int i = 0; i < n; i++)                                                          \
      to[i] = pad[i];                                                                    \
  }

DEFINE_VECTORS(float64)
DEFINE_VECTORS(float32)

/* `vector` is a function of one vector, or of two. */
#define DEFINE_RUN1(f, dtype, vector)                                                                \
  static KERNEL_UNUSED void f##_##dtype##_run(int64_t n, const item_##dtype *x, item_##dtype *out) { \
    int64_t i = 0;                                                                                   \
    for (; i + LANES(dtype) <= n; i += LANES(dtype))                                                 \
      store_##dtype(vector(load_##dtype(x + i)), out + i);                                           \
    if (i < n)                                                                                       \
      store_tail_##dtype(vector(load_tail_##dtype(x + i, n - i)), out + i, n - i);                   \
  }
#define DEFINE_RUN2(f, dtype, vector)                                                                       \
  static KERNEL_UNUSED void f##_##dtype##_run(int64_t n, const item_##dtype *x, const item_##dtype *y,      \
                                              item_##dtype *out) {                                          \
    int64_t i = 0;                                                                                          \
    for (; i + LANES(dtype) <= n; i += LANES(dtype))                                                        \
      store_##dtype(vector(load_##dtype(x + i), load_##dtype(y + i)), out + i);                             \
    if (i < n)                                                                                              \
      store_tail_##dtype(vector(load_tail_##dtype(x + i, n - i), load_tail_##dtype(y + i, n - i)), out + i, \
                         n - i);                                                                            \
  }

/* `vector` computes one vector. */
#define DEFINE_FUNCTION1(f, dtype, vector)                              \
  static inline vector_##dtype f##_##dtype##_vector(vector_##dtype x) { \
    return vector;                                                      \
  }                                                                     \
  DEFINE_RUN1(f, dtype, f##_##dtype##_vector)
#define DEFINE_FUNCTION2(f, dtype, vector)                                                \
  static inline vector_##dtype f##_##dtype##_vector(vector_##dtype x, vector_##dtype y) { \
    return vector;                                                                        \
  }                                                                                       \
  DEFINE_RUN2(f, dtype, f##_##dtype##_vector)

#define LIBRARY1(f, dtype) DEFINE_FUNCTION1(f, dtype, MEND1(f, dtype, x, VECTOR1_##dtype(f)(x)))
#define LIBRARY2(f, dtype) DEFINE_FUNCTION2(f, dtype, MEND2(f, dtype, x, y, VECTOR2_##dtype(f)(x, y)))

#define X(OP, f) LIBRARY1(f, float64) LIBRARY1(f, float32)
MATH_MOST_LIST(X)
#undef X
LIBRARY1(log, float32)
LIBRARY2(atan2, float32)
LIBRARY2(atan2, float64)
LIBRARY2(hypot, float32)
LIBRARY2(hypot, float64)

#if KERNEL_LEVEL == 4
#include "server/kernels/elementwise/math_wide.h"
DEFINE_FUNCTION1(log, float64, wide_log(x))
DEFINE_FUNCTION2(pow, float64, wide_pow(x, y))
DEFINE_FUNCTION2(pow, float32, wide_powf(x, y))
#else
LIBRARY1(log, float64)
LIBRARY2(pow, float64)
LIBRARY2(pow, float32)
#endif

/* Strided data goes through small buffers of SPAN items, a multiple of all vector lengths. */
#define SPAN 128

/* fetch gives n items as an array: where they are if that is one, else gathered in the buffer. One value
 * repeated is gathered only the first time. */
#define DEFINE_MOVES(dtype)                                                                           \
  static inline void gather_##dtype(int64_t n, const char *from, int64_t stride, item_##dtype *to) {  \
    for (int64_t i = 0; i < n; i++, from += stride)                                                   \
      to[i] = *(const item_##dtype *)from;                                                            \
  }                                                                                                   \
  static inline const item_##dtype *fetch_##dtype(int64_t n, const char *from, int64_t stride,        \
                                                  item_##dtype *buffer, bool first) {                 \
    if (stride == sizeof(item_##dtype))                                                               \
      return (const item_##dtype *)from;                                                              \
    if (stride != 0 || first)                                                                         \
      gather_##dtype(n, from, stride, buffer);                                                        \
    return buffer;                                                                                    \
  }                                                                                                   \
  static inline void scatter_##dtype(int64_t n, const item_##dtype *from, char *to, int64_t stride) { \
    for (int64_t i = 0; i < n; i++, to += stride)                                                     \
      *(item_##dtype *)to = from[i];                                                                  \
  }

DEFINE_MOVES(float64)
DEFINE_MOVES(float32)

#endif
