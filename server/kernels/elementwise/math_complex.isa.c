/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions of complex numbers that need a library. Compiled once for each instruction set.
 *
 * Blocks of SPAN numbers, split into real and imaginary parts, go through formulas (math_complex.h) in the
 * real functions of math_vector.h, pass after pass. Both dtypes compute in double, so that complex64 hardly
 * rounds on the way, and what overflows or cancels there does not here.
 *
 * The formulas want their arguments from a comfortable range, where they neither overflow nor underflow;
 * struct complex_function says which. Other elements (huge, tiny where it matters, infinite, NaN) are
 * replaced by a harmless value in the block and then computed by libm's function, which also knows the
 * special values of C's annex G. Whether an element is one of these depends on its value only.
 *
 * A function f with f(swap(z)) = swap(g(z)), where swap exchanges the parts, is computed as g of swapped
 * parts: so sin is sinh, tan is tanh, asinh is asin, and atan is atanh. */
#include <complex.h>
#include <float.h>

#include "server/kernels/elementwise/math_complex.h"

#define complex_of(x, y) __builtin_complex((double)(x), (double)(y)) /* CMPLX, which clang lacks here */

#define LARGE 0x1p500  /* its square is finite ... */
#define SMALL 0x1p-500 /* ... and of this not subnormal */
#define NOWHERE (-1)

struct complex_function {
  void (*block)(int64_t n, double *x, double *y); /* n <= SPAN numbers x + iy, in place */
  double complex (*libm)(double complex z);
  /* Comfortable: |x| <= x_max, |y| <= y_max, and no nearer than SMALL to (pole, 0) and (-pole, 0). */
  double x_max, y_max, pole;
  bool swapped; /* x + iy is the number with its parts exchanged */
};

/* What libm lacks, for arguments outside the comfortable range. */
static double complex cexpm1(double complex z) {
  const double complex e = cexp(z);
  return complex_of(creal(e) - 1, cimag(e));
}

static double complex clog1p(double complex z) {
  return clog(complex_of(creal(z) + 1, cimag(z)));
}

static double complex clog2(double complex z) {
  const double complex l = clog(z);
  return complex_of(creal(l) * M_LOG2E, cimag(l) * M_LOG2E);
}

static double complex complex_log10(double complex z) {
  const double complex l = clog(z);
  return complex_of(creal(l) * M_LOG10E, cimag(l) * M_LOG10E);
}

/* X(OPERATION, name, block, libm, x_max, y_max, pole, swapped) */
#define COMPLEX_LIST(X)                                         \
  X(SQRT, sqrt, sqrt, csqrt, LARGE, LARGE, 0, false)            \
  X(EXP, exp, exp, cexp, 700, DBL_MAX, NOWHERE, false)          \
  X(EXPM1, expm1, expm1, cexpm1, 700, DBL_MAX, NOWHERE, false)  \
  X(LOG, log, log, clog, LARGE, LARGE, 0, false)                \
  X(LOG1P, log1p, log1p, clog1p, LARGE, LARGE, 1, false)        \
  X(LOG2, log2, log2, clog2, LARGE, LARGE, 0, false)            \
  X(LOG10, log10, log10, complex_log10, LARGE, LARGE, 0, false) \
  X(SIN, sin, sinh, csin, 700, DBL_MAX, NOWHERE, true)          \
  X(COS, cos, cos, ccos, DBL_MAX, 700, NOWHERE, false)          \
  X(TAN, tan, tanh, ctan, 300, DBL_MAX, NOWHERE, true)          \
  X(ASIN, asin, asin, casin, LARGE, LARGE, 1, false)            \
  X(ACOS, acos, acos, cacos, LARGE, LARGE, 1, false)            \
  X(ATAN, atan, atanh, catan, LARGE, LARGE, 1, true)            \
  X(SINH, sinh, sinh, csinh, 700, DBL_MAX, NOWHERE, false)      \
  X(COSH, cosh, cosh, ccosh, 700, DBL_MAX, NOWHERE, false)      \
  X(TANH, tanh, tanh, ctanh, 300, DBL_MAX, NOWHERE, false)      \
  X(ASINH, asinh, asin, casinh, LARGE, LARGE, 1, true)          \
  X(ACOSH, acosh, acosh, cacosh, LARGE, LARGE, 1, false)        \
  X(ATANH, atanh, atanh, catanh, LARGE, LARGE, 1, false)

#define X(OP, f, function, library, x_bound, y_bound, where, exchanged)           \
  static const struct complex_function function_##f = {.block = function##_block, \
                                                       .libm = library,           \
                                                       .x_max = (x_bound),        \
                                                       .y_max = (y_bound),        \
                                                       .pole = (where),           \
                                                       .swapped = (exchanged)};
COMPLEX_LIST(X)
#undef X

/* Where (x, y) is outside the comfortable range, puts a harmless value there and 1 in odd; returns whether
 * there was any. */
static bool tame(const struct complex_function *f, int64_t n, double *x, double *y, int64_t *odd) {
  const double x_max = f->x_max, y_max = f->y_max, pole = f->pole;
  int64_t any = 0;
  KERNEL_FOR(i, n) {
    const double ax = fabs(x[i]), ay = fabs(y[i]);
    const int64_t fine = (ax <= x_max) & (ay <= y_max) & ((fabs(ax - pole) >= SMALL) | (ay >= SMALL));
    odd[i] = !fine;
    any |= !fine;
    x[i] = fine ? x[i] : .5;
    y[i] = fine ? y[i] : .5;
  }
  return any != 0;
}

/* f of the numbers x + iy, in place. */
static void apply(const struct complex_function *f, int64_t n, double *x, double *y) {
  double zx[SPAN], zy[SPAN];
  int64_t odd[SPAN];
  double *re = f->swapped ? zy : zx, *im = f->swapped ? zx : zy;
  memcpy(re, x, (size_t)n * sizeof(*x));
  memcpy(im, y, (size_t)n * sizeof(*y));
  const bool any = tame(f, n, zx, zy, odd);
  f->block(n, zx, zy);
  for (int64_t i = 0; any && i < n; i++)
    if (odd[i]) {
      const double complex v = f->libm(complex_of(x[i], y[i]));
      re[i] = creal(v);
      im[i] = cimag(v);
    }
  memcpy(x, re, (size_t)n * sizeof(*x));
  memcpy(y, im, (size_t)n * sizeof(*y));
}

/* Numbers in memory to and from a block; contiguous ones in a loop of their own, which is vectorised. */
#define DEFINE_MAP(dtype, part)                                                                      \
  static void split_##dtype(int64_t n, const char *from, int64_t stride, double *x, double *y) {     \
    const item_##part *z = (const item_##part *)from;                                                \
    if (stride == 2 * sizeof(*z)) {                                                                  \
      KERNEL_FOR(i, n) {                                                                             \
        x[i] = (double)z[2 * i];                                                                     \
        y[i] = (double)z[2 * i + 1];                                                                 \
      }                                                                                              \
      return;                                                                                        \
    }                                                                                                \
    for (int64_t i = 0; i < n; i++, from += stride) {                                                \
      z = (const item_##part *)from;                                                                 \
      x[i] = (double)z[0];                                                                           \
      y[i] = (double)z[1];                                                                           \
    }                                                                                                \
  }                                                                                                  \
  static void merge_##dtype(int64_t n, const double *x, const double *y, char *to, int64_t stride) { \
    item_##part *z = (item_##part *)to;                                                              \
    if (stride == 2 * sizeof(*z)) {                                                                  \
      KERNEL_FOR(i, n) {                                                                             \
        z[2 * i] = (item_##part)x[i];                                                                \
        z[2 * i + 1] = (item_##part)y[i];                                                            \
      }                                                                                              \
      return;                                                                                        \
    }                                                                                                \
    for (int64_t i = 0; i < n; i++, to += stride) {                                                  \
      z = (item_##part *)to;                                                                         \
      z[0] = (item_##part)x[i];                                                                      \
      z[1] = (item_##part)y[i];                                                                      \
    }                                                                                                \
  }                                                                                                  \
  static unsigned map_##dtype(const struct complex_function *f, int64_t n, char *const ptr[],        \
                              const int64_t stride[]) {                                              \
    double x[SPAN], y[SPAN];                                                                         \
    const char *in = ptr[0];                                                                         \
    char *out = ptr[1];                                                                              \
    for (; n > 0; n -= SPAN, in += SPAN * stride[0], out += SPAN * stride[1]) {                      \
      const int64_t count = n < SPAN ? n : SPAN;                                                     \
      split_##dtype(count, in, stride[0], x, y);                                                     \
      apply(f, count, x, y);                                                                         \
      merge_##dtype(count, x, y, out, stride[1]);                                                    \
    }                                                                                                \
    return 0;                                                                                        \
  }

DEFINE_MAP(complex64, float32)
DEFINE_MAP(complex128, float64)

/* The magnitude needs no more than hypot, in the dtype of the parts. */
#define DEFINE_ABS(dtype, part)                                                       \
  static unsigned abs_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) { \
    item_##part x[SPAN], y[SPAN];                                                     \
    const char *in = ptr[0];                                                          \
    char *out = ptr[1];                                                               \
    for (; n > 0; n -= SPAN, in += SPAN * stride[0], out += SPAN * stride[1]) {       \
      const int64_t count = n < SPAN ? n : SPAN;                                      \
      if (stride[0] == 2 * sizeof(*x)) {                                              \
        const item_##part *z = (const item_##part *)in;                               \
        KERNEL_FOR(i, count) {                                                        \
          x[i] = z[2 * i];                                                            \
          y[i] = z[2 * i + 1];                                                        \
        }                                                                             \
      } else {                                                                        \
        gather_##part(count, in, stride[0], x);                                       \
        gather_##part(count, in + sizeof(*x), stride[0], y);                          \
      }                                                                               \
      if (stride[1] == sizeof(*x)) {                                                  \
        hypot_##part##_run(count, x, y, (item_##part *)out);                          \
        continue;                                                                     \
      }                                                                               \
      hypot_##part##_run(count, x, y, x);                                             \
      scatter_##part(count, x, out, stride[1]);                                       \
    }                                                                                 \
    return 0;                                                                         \
  }

DEFINE_ABS(complex64, float32)
DEFINE_ABS(complex128, float64)

/* z^k of n numbers for 0 < |k| < 100, by squaring. */
static void integer_power(int64_t n, double *x, double *y, int k) {
  double re[SPAN] = {0}, im[SPAN] = {0};
  unsigned left = (unsigned)(k < 0 ? -k : k);
  bool first = true;
  for (;; left >>= 1) {
    if (left & 1)
      KERNEL_FOR(i, n) {
        const double a = first ? 1 : re[i], b = first ? 0 : im[i];
        re[i] = first ? x[i] : a * x[i] - b * y[i];
        im[i] = first ? y[i] : a * y[i] + b * x[i];
      }
    first = first && !(left & 1);
    if (left <= 1)
      break;
    KERNEL_FOR(i, n) {
      const double a = x[i], b = y[i];
      x[i] = a * a - b * b;
      y[i] = a * b + b * a;
    }
  }
  KERNEL_FOR(i, n) { /* 1 / z without overflow: the greater part is divided by first */
    const double a = re[i], b = im[i];
    const bool wide = fabs(a) >= fabs(b);
    const double ratio = wide ? b / a : a / b, scale = 1 / (wide ? a + b * ratio : a * ratio + b);
    x[i] = k > 0 ? a : wide ? scale : ratio * scale;
    y[i] = k > 0 ? b : wide ? -ratio * scale : -scale;
  }
}

/* k if the exponent is such an integer, or 0. */
static int small_integer(double x, double y) {
  return y == 0 && fabs(x) < 100 && x == trunc(x) ? (int)x : 0;
}

/* One power as NumPy 2 defines it: integers by multiplication, no power of 0 but to a positive real part. */
static double complex power(double complex z, double complex w) {
  double x = creal(z), y = cimag(z);
  const int k = small_integer(creal(w), cimag(w));
  if (creal(w) == 0 && cimag(w) == 0)
    return 1;
  if (x == 0 && y == 0)
    return creal(w) > 0 ? 0 : complex_of(NAN, NAN);
  if (k == 0)
    return cpow(z, w);
  integer_power(1, &x, &y, k);
  return complex_of(x, y);
}

/* z^w = exp(w log z) in the comfortable range of both functions; the error grows with |w log z|. */
static void power_block(int64_t n, double *x, double *y, const double *u, const double *v) {
  double lx[SPAN], ly[SPAN];
  int64_t odd[SPAN], off[SPAN];
  memcpy(lx, x, (size_t)n * sizeof(*x));
  memcpy(ly, y, (size_t)n * sizeof(*y));
  tame(&function_log, n, lx, ly, odd);
  log_block(n, lx, ly);
  KERNEL_FOR(i, n) {
    const double a = lx[i], b = ly[i];
    lx[i] = u[i] * a - v[i] * b;
    ly[i] = u[i] * b + v[i] * a;
  }
  tame(&function_exp, n, lx, ly, off);
  exp_block(n, lx, ly);
  for (int64_t i = 0; i < n; i++)
    if (odd[i] | off[i] | (v[i] == 0)) {
      const bool other = odd[i] || off[i] || u[i] == 0 || small_integer(u[i], v[i]) != 0;
      const double complex p =
          other ? power(complex_of(x[i], y[i]), complex_of(u[i], v[i])) : complex_of(lx[i], ly[i]);
      lx[i] = creal(p);
      ly[i] = cimag(p);
    }
  memcpy(x, lx, (size_t)n * sizeof(*x));
  memcpy(y, ly, (size_t)n * sizeof(*y));
}

/* One integer exponent for all is common. */
#define DEFINE_POW(dtype)                                                                              \
  static unsigned pow_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) {                  \
    double x[SPAN], y[SPAN], u[SPAN], v[SPAN];                                                         \
    const char *base = ptr[0], *exponent = ptr[1];                                                     \
    char *out = ptr[2];                                                                                \
    for (; n > 0;                                                                                      \
         n -= SPAN, base += SPAN * stride[0], exponent += SPAN * stride[1], out += SPAN * stride[2]) { \
      const int64_t count = n < SPAN ? n : SPAN;                                                       \
      split_##dtype(count, base, stride[0], x, y);                                                     \
      split_##dtype(count, exponent, stride[1], u, v);                                                 \
      const int k = stride[1] == 0 ? small_integer(u[0], v[0]) : 0;                                    \
      if (k > 0)                                                                                       \
        integer_power(count, x, y, k);                                                                 \
      else                                                                                             \
        power_block(count, x, y, u, v);                                                                \
      merge_##dtype(count, x, y, out, stride[2]);                                                      \
    }                                                                                                  \
    return 0;                                                                                          \
  }

DEFINE_POW(complex64)
DEFINE_POW(complex128)

#define DEFINE_LOOP(f, dtype)                                                         \
  static unsigned f##_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) { \
    return map_##dtype(&function_##f, n, ptr, stride);                                \
  }
#define X(OP, f, ...) DEFINE_LOOP(f, complex64) DEFINE_LOOP(f, complex128)
COMPLEX_LIST(X)
#undef X

#define ROW(OP, f, ...) \
  [NUMD_OP_##OP][NUMD_COMPLEX64] = f##_complex64, [NUMD_OP_##OP][NUMD_COMPLEX128] = f##_complex128,
const kernel_map_fn KERNEL_NAME(kernels_math_complex)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
    COMPLEX_LIST(ROW) ROW(POW, pow) ROW(ABS, abs)};
