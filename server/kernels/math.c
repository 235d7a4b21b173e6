/* Elementwise functions that need a library: exp, log, sin, cos, tanh and pow. Compiled once for each
 * instruction set: plain C calls libm, the others SLEEF a vector at a time.
 *
 * SLEEF's "deterministic" functions are used (cinz_ without FMA, finz_ with it). They are as fast and
 * as exact as the ordinary ones, whose sin and cos, however, give an element other bits when a
 * large one stands beside it. So an element's result depends on its value only: a tail goes through
 * the same function in a padded copy, strided data through a small gather buffer.
 *
 * Where SLEEF 3.5 leaves its promised 1 ULP, `mend` functions correct it:
 *  - tanh of a tiny x is off by a whole ULP and a little, where x itself is right;
 *  - pow overflows a little early: pow(DBL_MAX, 1) is inf. What becomes infinite from finite
 *    arguments is left to libm.
 * glibc's tanh has up to 2.2 ULP, hence SLEEF's scalar one in plain C too. */
#include <math.h>
#include <sleef.h>
#include <string.h>

#include "server/kernels/family.h"

#define SPAN 64 /* elements in a gather buffer; a multiple of all vector lengths */

#if KERNEL_LEVEL == 4
typedef __m512d vector_float64;
typedef __m512 vector_float32;
#define VECTOR_float64(f) Sleef_finz_##f##d8_u10avx512f
#define VECTOR_float32(f) Sleef_finz_##f##f16_u10avx512f
#elif KERNEL_LEVEL == 3
typedef __m256d vector_float64;
typedef __m256 vector_float32;
#define VECTOR_float64(f) Sleef_finz_##f##d4_u10avx2
#define VECTOR_float32(f) Sleef_finz_##f##f8_u10avx2
#elif KERNEL_LEVEL == 2
typedef __m128d vector_float64;
typedef __m128 vector_float32;
#define VECTOR_float64(f) Sleef_cinz_##f##d2_u10sse4
#define VECTOR_float32(f) Sleef_cinz_##f##f4_u10sse4
#else
typedef double vector_float64;
typedef float vector_float32;
#define VECTOR_float64(f) scalar_float64_##f
#define VECTOR_float32(f) scalar_float32_##f
#define scalar_float64_exp exp
#define scalar_float64_log log
#define scalar_float64_sin sin
#define scalar_float64_cos cos
#define scalar_float64_tanh Sleef_tanh_u10
#define scalar_float64_pow pow
#define scalar_float32_exp expf
#define scalar_float32_log logf
#define scalar_float32_sin sinf
#define scalar_float32_cos cosf
#define scalar_float32_tanh Sleef_tanhf_u10
#define scalar_float32_pow powf
#endif

#define LANES(dtype) ((int64_t)(sizeof(vector_##dtype) / sizeof(ctype_##dtype)))

typedef float ctype_float32;
typedef double ctype_float64;

/* x^3 / 3, the next term of the series, is below an eighth of an ULP here. */
#define TANH_TINY_float32 0x1p-13f
#define TANH_TINY_float64 0x1p-27

#define DEFINE_MENDS(dtype, suffix)                                                                     \
  static inline vector_##dtype mend_tanh_##dtype(vector_##dtype in, vector_##dtype v) {                 \
    ctype_##dtype x[LANES(dtype)], r[LANES(dtype)];                                                     \
    memcpy(x, &in, sizeof(in));                                                                         \
    memcpy(r, &v, sizeof(v));                                                                           \
    for (int i = 0; i < LANES(dtype); i++)                                                              \
      r[i] = fabs##suffix(x[i]) < TANH_TINY_##dtype ? x[i] : r[i];                                      \
    memcpy(&v, r, sizeof(v));                                                                           \
    return v;                                                                                           \
  }                                                                                                     \
  static __attribute__((noinline))                                                                      \
  vector_##dtype repower_##dtype(vector_##dtype vx, vector_##dtype vy, vector_##dtype v) {              \
    ctype_##dtype x[LANES(dtype)], y[LANES(dtype)], r[LANES(dtype)];                                    \
    memcpy(x, &vx, sizeof(vx));                                                                         \
    memcpy(y, &vy, sizeof(vy));                                                                         \
    memcpy(r, &v, sizeof(v));                                                                           \
    for (int i = 0; i < LANES(dtype); i++)                                                              \
      if (isinf(r[i]) && isfinite(x[i]) && isfinite(y[i]))                                              \
        r[i] = pow##suffix(x[i], y[i]);                                                                 \
    memcpy(&v, r, sizeof(v));                                                                           \
    return v;                                                                                           \
  }                                                                                                     \
  static inline vector_##dtype mend_pow_##dtype(vector_##dtype x, vector_##dtype y, vector_##dtype v) { \
    ctype_##dtype r[LANES(dtype)];                                                                      \
    memcpy(r, &v, sizeof(v));                                                                           \
    int infinite = 0;                                                                                   \
    for (int i = 0; i < LANES(dtype); i++)                                                              \
      infinite |= fabs##suffix(r[i]) == (ctype_##dtype)INFINITY;                                        \
    return infinite ? repower_##dtype(x, y, v) : v;                                                     \
  }

DEFINE_MENDS(float32, f)
DEFINE_MENDS(float64, )

#define mend_exp_float32(in, v) (v)
#define mend_exp_float64(in, v) (v)
#define mend_log_float32(in, v) (v)
#define mend_log_float64(in, v) (v)
#define mend_sin_float32(in, v) (v)
#define mend_sin_float64(in, v) (v)
#define mend_cos_float32(in, v) (v)
#define mend_cos_float64(in, v) (v)

/* Copies n strided items to or from a buffer. */
#define DEFINE_MOVES(dtype)                                                                     \
  typedef ctype_##dtype KERNEL_ALIAS item_##dtype;                                              \
  static void gather_##dtype(int64_t n, const char *from, int64_t stride, ctype_##dtype *to) {  \
    for (int64_t i = 0; i < n; i++, from += stride)                                             \
      to[i] = *(const item_##dtype *)from;                                                      \
  }                                                                                             \
  static void scatter_##dtype(int64_t n, const ctype_##dtype *from, char *to, int64_t stride) { \
    for (int64_t i = 0; i < n; i++, to += stride)                                               \
      *(item_##dtype *)to = from[i];                                                            \
  }

DEFINE_MOVES(float32)
DEFINE_MOVES(float64)

#define DEFINE_UNARY(f, dtype)                                                                \
  static inline void f##_##dtype##_vector(const void *in, void *out) {                        \
    vector_##dtype x, v;                                                                      \
    memcpy(&x, in, sizeof(x));                                                                \
    v = mend_##f##_##dtype(x, VECTOR_##dtype(f)(x));                                          \
    memcpy(out, &v, sizeof(v));                                                               \
  }                                                                                           \
  static void f##_##dtype##_run(int64_t n, const char *in, char *out) {                       \
    const size_t size = sizeof(ctype_##dtype), step = sizeof(vector_##dtype);                 \
    for (; n >= LANES(dtype); n -= LANES(dtype), in += step, out += step)                     \
      f##_##dtype##_vector(in, out);                                                          \
    if (n > 0) {                                                                              \
      ctype_##dtype pad[LANES(dtype)] = {0};                                                  \
      memcpy(pad, in, (size_t)n *size);                                                       \
      f##_##dtype##_vector(pad, pad);                                                         \
      memcpy(out, pad, (size_t)n *size);                                                      \
    }                                                                                         \
  }                                                                                           \
  unsigned KERNEL_MATH_NAME(f, dtype)(int64_t n, char *const ptr[], const int64_t stride[]) { \
    const char *in = ptr[0];                                                                  \
    char *out = ptr[1];                                                                       \
    if (stride[0] == sizeof(ctype_##dtype) && stride[1] == sizeof(ctype_##dtype)) {           \
      f##_##dtype##_run(n, in, out);                                                          \
      return 0;                                                                               \
    }                                                                                         \
    ctype_##dtype buffer[SPAN];                                                               \
    for (; n > 0; n -= SPAN, in += SPAN * stride[0], out += SPAN * stride[1]) {               \
      int64_t part = n < SPAN ? n : SPAN;                                                     \
      gather_##dtype(part, in, stride[0], buffer);                                            \
      f##_##dtype##_run(part, (char *)buffer, (char *)buffer);                                \
      scatter_##dtype(part, buffer, out, stride[1]);                                          \
    }                                                                                         \
    return 0;                                                                                 \
  }

/* An exponent that is 2 for all elements is common, and a product is never worse than pow. */
#define DEFINE_BINARY(f, dtype)                                                                             \
  static inline void f##_##dtype##_vector(const void *x, const void *y, void *out) {                        \
    vector_##dtype vx, vy, v;                                                                               \
    memcpy(&vx, x, sizeof(vx));                                                                             \
    memcpy(&vy, y, sizeof(vy));                                                                             \
    v = mend_##f##_##dtype(vx, vy, VECTOR_##dtype(f)(vx, vy));                                              \
    memcpy(out, &v, sizeof(v));                                                                             \
  }                                                                                                         \
  static void f##_##dtype##_run(int64_t n, const char *x, const char *y, char *out) {                       \
    const size_t size = sizeof(ctype_##dtype), step = sizeof(vector_##dtype);                               \
    for (; n >= LANES(dtype); n -= LANES(dtype), x += step, y += step, out += step)                         \
      f##_##dtype##_vector(x, y, out);                                                                      \
    if (n > 0) {                                                                                            \
      ctype_##dtype px[LANES(dtype)] = {0}, py[LANES(dtype)] = {0};                                         \
      memcpy(px, x, (size_t)n *size);                                                                       \
      memcpy(py, y, (size_t)n *size);                                                                       \
      f##_##dtype##_vector(px, py, px);                                                                     \
      memcpy(out, px, (size_t)n *size);                                                                     \
    }                                                                                                       \
  }                                                                                                         \
  static void square_##dtype(int64_t n, const char *in, int64_t in_stride, char *out, int64_t out_stride) { \
    if (in_stride == sizeof(ctype_##dtype) && out_stride == sizeof(ctype_##dtype)) {                        \
      const item_##dtype *x = (const item_##dtype *)in;                                                     \
      item_##dtype *o = (item_##dtype *)out;                                                                \
      KERNEL_FOR(i, n) o[i] = x[i] * x[i];                                                                  \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t i = 0; i < n; i++, in += in_stride, out += out_stride) {                                   \
      const ctype_##dtype x = *(const item_##dtype *)in;                                                    \
      *(item_##dtype *)out = x * x;                                                                         \
    }                                                                                                       \
  }                                                                                                         \
  unsigned KERNEL_MATH_NAME(f, dtype)(int64_t n, char *const ptr[], const int64_t stride[]) {               \
    const int64_t size = sizeof(ctype_##dtype);                                                             \
    const char *x = ptr[0], *y = ptr[1];                                                                    \
    char *out = ptr[2];                                                                                     \
    if (n > 0 && stride[1] == 0 && *(const item_##dtype *)y == 2) {                                         \
      square_##dtype(n, x, stride[0], out, stride[2]);                                                      \
      return 0;                                                                                             \
    }                                                                                                       \
    if (stride[0] == size && stride[1] == size && stride[2] == size) {                                      \
      f##_##dtype##_run(n, x, y, out);                                                                      \
      return 0;                                                                                             \
    }                                                                                                       \
    ctype_##dtype bx[SPAN], by[SPAN];                                                                       \
    for (; n > 0; n -= SPAN, x += SPAN * stride[0], y += SPAN * stride[1], out += SPAN * stride[2]) {       \
      int64_t part = n < SPAN ? n : SPAN;                                                                   \
      gather_##dtype(part, x, stride[0], bx);                                                               \
      gather_##dtype(part, y, stride[1], by);                                                               \
      f##_##dtype##_run(part, (char *)bx, (char *)by, (char *)bx);                                          \
      scatter_##dtype(part, bx, out, stride[2]);                                                            \
    }                                                                                                       \
    return 0;                                                                                               \
  }

#define X(OP, f) DEFINE_UNARY(f, float32) DEFINE_UNARY(f, float64)
KERNEL_MATH_UNARY(X)
#undef X

#define X(OP, f) DEFINE_BINARY(f, float32) DEFINE_BINARY(f, float64)
KERNEL_MATH_BINARY(X)
#undef X
