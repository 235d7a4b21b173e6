/* SPDX-License-Identifier: BSD-3-Clause */
/* The formulas of math_complex.isa.c: functions of blocks of up to SPAN complex numbers, split into real
 * parts x and imaginary parts y, which are replaced by the function's. Arguments are in its comfortable
 * range. */
#ifndef NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_COMPLEX_H
#define NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_COMPLEX_H

#include "server/kernels/elementwise/math_vector.h"

/* The principal square root, of the quadrants where y >= 0 and their mirror images. */
static inline void square_root(double x, double y, double *re, double *im) {
  const double r = sqrt(.5 * (sqrt(x * x + y * y) + fabs(x))), i = y / (2 * r);
  *re = x >= 0 ? r : fabs(i);
  *im = x >= 0 ? i : copysign(r, y);
}

static void sqrt_block(int64_t n, double *x, double *y) {
  KERNEL_FOR(i, n) {
    double re, im;
    square_root(x[i], y[i], &re, &im);
    x[i] = re;
    y[i] = im;
  }
}

/* The cosine of y, and its sine in its place. */
static void cos_and_sin(int64_t n, double *y, double *c) {
  cos_float64_run(n, y, c);
  sin_float64_run(n, y, y);
}

static void exp_block(int64_t n, double *x, double *y) {
  double c[SPAN];
  exp_float64_run(n, x, x);
  cos_and_sin(n, y, c);
  KERNEL_FOR(i, n) {
    y[i] *= x[i];
    x[i] *= c[i];
  }
}

/* The real part is e^x cos y - 1; near where that cancels, (e^x - 1) cos y - 2 sin^2(y/2). */
static void expm1_block(int64_t n, double *x, double *y) {
  double e[SPAN], c[SPAN], half[SPAN] = {0};
  KERNEL_FOR(i, n) half[i] = .5 * y[i];
  sin_float64_run(n, half, half);
  cos_and_sin(n, y, c);
  exp_float64_run(n, x, e);
  expm1_float64_run(n, x, x);
  KERNEL_FOR(i, n) {
    const double far = e[i] * c[i], near = x[i] * c[i] - 2 * half[i] * half[i];
    x[i] = far < .5 || far > 8 ? far - 1 : near;
    y[i] *= e[i];
  }
}

/* Half the logarithm of `square`, given also `less`, which is square - 1 with small error even near 0. One
 * log1p does for all: log s = -log(1 / s). */
static void half_log(int64_t n, const double *square, const double *less, double *out) {
  double sign[SPAN];
  KERNEL_FOR(i, n) {
    const double s = square[i], above = s > 2 ? s - 1 : less[i];
    sign[i] = s < .5 ? -.5 : .5;
    out[i] = s < .5 ? 1 / s - 1 : above;
  }
  log1p_float64_run(n, out, out);
  KERNEL_FOR(i, n) out[i] *= sign[i];
}

/* Near the unit circle |z|^2 - 1 = (a - 1)(a + 1) + b^2, with a the greater part. Where that cancels, the
 * angle is what matters to the error of the whole. */
static void log_block(int64_t n, double *x, double *y) {
  double square[SPAN], less[SPAN];
  KERNEL_FOR(i, n) {
    const double ax = fabs(x[i]), ay = fabs(y[i]), a = ax > ay ? ax : ay, b = ax > ay ? ay : ax;
    square[i] = a * a + b * b;
    less[i] = (a - 1) * (a + 1) + b * b;
  }
  atan2_float64_run(n, y, x, y);
  half_log(n, square, less, x);
}

static void log1p_block(int64_t n, double *x, double *y) {
  double square[SPAN], less[SPAN], one[SPAN];
  KERNEL_FOR(i, n) {
    one[i] = 1 + x[i];
    square[i] = one[i] * one[i] + y[i] * y[i];
    less[i] = x[i] * (2 + x[i]) + y[i] * y[i];
  }
  atan2_float64_run(n, y, one, y);
  half_log(n, square, less, x);
}

#define DEFINE_LOG_BASE(f, scale)                          \
  static void f##_block(int64_t n, double *x, double *y) { \
    log_block(n, x, y);                                    \
    KERNEL_FOR(i, n) {                                     \
      x[i] *= (scale);                                     \
      y[i] *= (scale);                                     \
    }                                                      \
  }
DEFINE_LOG_BASE(log2, M_LOG2E)
DEFINE_LOG_BASE(log10, M_LOG10E)

static void sinh_block(int64_t n, double *x, double *y) {
  double ch[SPAN], c[SPAN];
  cosh_float64_run(n, x, ch);
  sinh_float64_run(n, x, x);
  cos_and_sin(n, y, c);
  KERNEL_FOR(i, n) {
    x[i] *= c[i];
    y[i] *= ch[i];
  }
}

static void cosh_block(int64_t n, double *x, double *y) {
  double ch[SPAN], c[SPAN];
  cosh_float64_run(n, x, ch);
  sinh_float64_run(n, x, x);
  cos_and_sin(n, y, c);
  KERNEL_FOR(i, n) {
    y[i] *= x[i];
    x[i] = c[i] * ch[i];
  }
}

/* cos(x + iy) = cosh(-y + ix) */
static void cos_block(int64_t n, double *x, double *y) {
  KERNEL_FOR(i, n) {
    const double re = x[i];
    x[i] = -y[i];
    y[i] = re;
  }
  cosh_block(n, x, y);
}

/* With t = tan y and s = sinh x: ((1 + t^2) s cosh x + i t) / (1 + (1 + t^2) s^2), as Kahan has it. */
static void tanh_block(int64_t n, double *x, double *y) {
  sinh_float64_run(n, x, x);
  tan_float64_run(n, y, y);
  KERNEL_FOR(i, n) {
    const double s = x[i], t = y[i], b = 1 + t * t, divisor = 1 + b * s * s;
    x[i] = b * s * sqrt(1 + s * s) / divisor;
    y[i] = t / divisor;
  }
}

/* The parts of a = sqrt(1 - z) and b = sqrt(1 + z), from which Kahan's asin and acos are made without
 * cancellation: asin z = atan2(x, Re ab) + i asinh(Im a*b), acos z = 2 atan2(Re a, Re b) + i asinh(Im b*a).
 */
static void asin_block(int64_t n, double *x, double *y) {
  double re[SPAN] = {0};
  KERNEL_FOR(i, n) {
    double ar, ai, br, bi;
    square_root(1 - x[i], -y[i], &ar, &ai);
    square_root(1 + x[i], y[i], &br, &bi);
    re[i] = ar * br - ai * bi;
    y[i] = ar * bi - ai * br;
  }
  atan2_float64_run(n, x, re, x);
  asinh_float64_run(n, y, y);
}

static void acos_block(int64_t n, double *x, double *y) {
  double re[SPAN] = {0};
  KERNEL_FOR(i, n) {
    double ar, ai, br, bi;
    square_root(1 - x[i], -y[i], &ar, &ai);
    square_root(1 + x[i], y[i], &br, &bi);
    x[i] = ar;
    re[i] = br;
    y[i] = br * ai - bi * ar;
  }
  atan2_float64_run(n, x, re, x);
  asinh_float64_run(n, y, y);
  KERNEL_FOR(i, n) x[i] *= 2;
}

/* acosh z is i or -i times acos z, whichever has its real part positive. */
static void acosh_block(int64_t n, double *x, double *y) {
  double sign[SPAN];
  KERNEL_FOR(i, n) sign[i] = y[i];
  acos_block(n, x, y);
  KERNEL_FOR(i, n) {
    const double re = fabs(y[i]);
    y[i] = copysign(x[i], sign[i]);
    x[i] = re;
  }
}

/* log(|1 + z| / |1 - z|) / 2 and half the angle of (1 + z)(1 - z*); the logarithm for |x|, where its
 * argument is above 1. */
static void atanh_block(int64_t n, double *x, double *y) {
  double ratio[SPAN] = {0}, re[SPAN] = {0};
  KERNEL_FOR(i, n) {
    const double a = fabs(x[i]), b = y[i], d = 1 - a;
    ratio[i] = 4 * a / (d * d + b * b);
    re[i] = d * (1 + a) - b * b;
    y[i] = 2 * b;
  }
  log1p_float64_run(n, ratio, ratio);
  atan2_float64_run(n, y, re, y);
  KERNEL_FOR(i, n) {
    x[i] = copysign(.25 * ratio[i], x[i]);
    y[i] *= .5;
  }
}

#endif
