/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions of two real numbers that need a library: pow, atan2, hypot and logaddexp (see
 * math_vector.h for where they come from). Compiled once for each instruction set.
 *
 * x^2 is x * x, which no pow does better: at once where the exponent is 2 for all elements, and for single
 * ones too, so that it makes no difference how the exponent was given. */
#include "server/kernels/elementwise/math_vector.h"

/* v, but x * x in lanes where y is 2. */
#ifdef MATH_BYTES
typedef int64_t mask_float64 __attribute__((vector_size(MATH_BYTES)));
typedef int32_t mask_float32 __attribute__((vector_size(MATH_BYTES)));
#define SQUARE_OR(x, y, v, dtype)                                              \
  ((vector_##dtype)((((mask_##dtype)((x) * (x))) & (mask_##dtype)((y) == 2)) | \
                    (((mask_##dtype)(v)) & ~(mask_##dtype)((y) == 2))))
#else
#define SQUARE_OR(x, y, v, dtype) ((y) == 2 ? (x) * (x) : (v))
#endif

#define DEFINE_POWER(dtype)                                                                                 \
  static inline vector_##dtype power_vector_##dtype(vector_##dtype x, vector_##dtype y) {                   \
    const vector_##dtype v = pow_##dtype##_vector(x, y);                                                    \
    return SQUARE_OR(x, y, v, dtype);                                                                       \
  }                                                                                                         \
  DEFINE_RUN2(power, dtype, power_vector_##dtype)                                                           \
  static void square_##dtype(int64_t n, const char *in, int64_t in_stride, char *out, int64_t out_stride) { \
    if (in_stride == sizeof(item_##dtype) && out_stride == sizeof(item_##dtype)) {                          \
      const item_##dtype *x = (const item_##dtype *)in;                                                     \
      item_##dtype *o = (item_##dtype *)out;                                                                \
      KERNEL_FOR(i, n) o[i] = x[i] * x[i];                                                                  \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t i = 0; i < n; i++, in += in_stride, out += out_stride) {                                   \
      const ctype_##dtype x = *(const item_##dtype *)in;                                                    \
      *(item_##dtype *)out = x * x;                                                                         \
    }                                                                                                       \
  }

DEFINE_POWER(float32)
DEFINE_POWER(float64)

/* log(e^x + e^y) = m + log1p(e^-d), where m is the greater and d the difference. Its rounding error counts:
 * it is as large relative to e^-d as d is. Equal ones, which may be infinite, have d = 0. The error of the
 * result is relative to the greatest of these terms and itself. */
static void logaddexp_block(int64_t n, const double *x, const double *y, double *out) {
  double high[SPAN], part[SPAN] = {0}, more[SPAN];
  KERNEL_FOR(i, n) {
    const double a = x[i] > y[i] ? x[i] : y[i], b = x[i] > y[i] ? y[i] : x[i];
    const double d = b - a, b_seen = d + a, error = (b - b_seen) - (a - (b_seen - d));
    high[i] = a;
    part[i] = x[i] == y[i] ? 0 : d;
    more[i] = d > -1000 ? error : 0; /* else it may be NaN, and e^-d is 0 */
  }
  exp_float64_run(n, part, part);
  KERNEL_FOR(i, n) part[i] += part[i] * more[i];
  log1p_float64_run(n, part, part);
  KERNEL_FOR(i, n) out[i] = high[i] + part[i];
}

/* float32 too is computed in double: then little is lost where m and the logarithm cancel. */
#define DEFINE_LOGADDEXP(dtype)                                                                \
  static void logaddexp_##dtype##_run(int64_t n, const item_##dtype *x, const item_##dtype *y, \
                                      item_##dtype *out) {                                     \
    double bx[SPAN], by[SPAN];                                                                 \
    for (int64_t i = 0; i < n; i += SPAN) {                                                    \
      const int64_t part = n - i < SPAN ? n - i : SPAN;                                        \
      KERNEL_FOR(j, part) {                                                                    \
        bx[j] = (double)x[i + j];                                                              \
        by[j] = (double)y[i + j];                                                              \
      }                                                                                        \
      logaddexp_block(part, bx, by, bx);                                                       \
      KERNEL_FOR(j, part) out[i + j] = (item_##dtype)bx[j];                                    \
    }                                                                                          \
  }

DEFINE_LOGADDEXP(float32)
DEFINE_LOGADDEXP(float64)

#define DEFINE_MAP(dtype)                                                                                 \
  static unsigned map_##dtype(                                                                            \
      void (*run)(int64_t n, const item_##dtype *x, const item_##dtype *y, item_##dtype *out), int64_t n, \
      char *const ptr[], const int64_t stride[]) {                                                        \
    const int64_t size = sizeof(item_##dtype);                                                            \
    const char *x = ptr[0], *y = ptr[1];                                                                  \
    char *out = ptr[2];                                                                                   \
    if (stride[0] == size && stride[1] == size && stride[2] == size) {                                    \
      run(n, (const item_##dtype *)x, (const item_##dtype *)y, (item_##dtype *)out);                      \
      return 0;                                                                                           \
    }                                                                                                     \
    item_##dtype bx[SPAN], by[SPAN], result[SPAN];                                                        \
    for (int64_t i = 0; i < n; i += SPAN) {                                                               \
      const int64_t part = n - i < SPAN ? n - i : SPAN;                                                   \
      const item_##dtype *xs = fetch_##dtype(part, x + i * stride[0], stride[0], bx, i == 0);             \
      const item_##dtype *ys = fetch_##dtype(part, y + i * stride[1], stride[1], by, i == 0);             \
      if (stride[2] == size) {                                                                            \
        run(part, xs, ys, (item_##dtype *)out + i);                                                       \
        continue;                                                                                         \
      }                                                                                                   \
      run(part, xs, ys, result);                                                                          \
      scatter_##dtype(part, result, out + i * stride[2], stride[2]);                                      \
    }                                                                                                     \
    return 0;                                                                                             \
  }

DEFINE_MAP(float32)
DEFINE_MAP(float64)

#define DEFINE_LOOP(f, dtype)                                                         \
  static unsigned f##_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) { \
    return map_##dtype(f##_##dtype##_run, n, ptr, stride);                            \
  }
#define DEFINE_POW_LOOP(dtype)                                                        \
  static unsigned pow_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) { \
    if (n > 0 && stride[1] == 0 && *(const item_##dtype *)ptr[1] == 2) {              \
      square_##dtype(n, ptr[0], stride[0], ptr[2], stride[2]);                        \
      return 0;                                                                       \
    }                                                                                 \
    return map_##dtype(power_##dtype##_run, n, ptr, stride);                          \
  }
#define DEFINE_LOOPS(dtype)     \
  DEFINE_LOOP(atan2, dtype)     \
  DEFINE_LOOP(hypot, dtype)     \
  DEFINE_LOOP(logaddexp, dtype) \
  DEFINE_POW_LOOP(dtype)

DEFINE_LOOPS(float32)
DEFINE_LOOPS(float64)

#define ROW(OP, f) [NUMD_OP_##OP] = {[NUMD_FLOAT32] = f##_float32, [NUMD_FLOAT64] = f##_float64}
const kernel_map_fn KERNEL_NAME(kernels_math_binary)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
    ROW(POW, pow), ROW(ATAN2, atan2), ROW(HYPOT, hypot), ROW(LOGADDEXP, logaddexp)};
