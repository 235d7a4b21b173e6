/* SPDX-License-Identifier: BSD-3-Clause */
/* The accuracy and the special values of the mathematical functions, on every instruction set that this
 * CPU has, against long double.
 *
 * glibc's long double functions of one argument, hypotl and atan2l are within 2 or 3 of their own ULP, which
 * is 2^-11 of a double's; x87's powl too, but for very large even exponents (see exact_real). Its complex
 * ones are as good in the sense that is tested here: the error is |got - exact| in ULP of |exact|. */
#include <complex.h>

#include "tests/unit/kernels.h"

#define N_SAMPLES 60000
#define SLACK 0.01 /* ULP: the error of the reference */

/* ULP that the vectorised formulas of complex functions may lose beside what their row says for reals. */
#define COMPLEX_ULP 4

#define complex_of(x, y) __builtin_complex((long double)(x), (long double)(y)) /* CMPLXL */

typedef long double real1(long double x);
typedef long double real2(long double x, long double y);
typedef long double complex complex1(long double complex z);
typedef long double complex complex2(long double complex z, long double complex w);

static long double logaddexp_exact(long double x, long double y) {
  return x == y ? x + logl(2) : fmaxl(x, y) + log1pl(expl(-fabsl(x - y)));
}

/* glibc's x87 powl takes an exponent of -2^63 for odd. */
static long double pow_exact(long double x, long double y) {
  if ((x == 0 || isinf(x)) && fabsl(y) >= 0x1p63L && !isinf(y))
    y = copysignl(0x1p60L, y);
  return powl(x, y);
}

static long double complex expm1_exact(long double complex z) {
  const long double x = creall(z), y = cimagl(z), s = sinl(y / 2);
  if (!isfinite(x) || !isfinite(y) || x > 40)
    return cexpl(z) - 1;
  return complex_of(expm1l(x) * cosl(y) - 2 * s * s, expl(x) * sinl(y));
}

static long double complex log1p_exact(long double complex z) {
  const long double x = creall(z), y = cimagl(z);
  if (cabsl(z) < .5L)
    return complex_of(log1pl(x * (2 + x) + y * y) / 2, atan2l(y, 1 + x));
  return clogl(complex_of(1 + x, y));
}

static long double complex log2_exact(long double complex z) {
  const long double complex l = clogl(z);
  return complex_of(creall(l) / logl(2), cimagl(l) / logl(2));
}

static long double complex log10_exact(long double complex z) {
  const long double complex l = clogl(z);
  return complex_of(creall(l) / logl(10), cimagl(l) / logl(10));
}

static int small_integer(long double complex w) {
  return cimagl(w) == 0 && fabsl(creall(w)) < 100 && creall(w) == truncl(creall(w)) ? (int)creall(w) : 0;
}

/* As NumPy defines it: powers of and to 0, and of integers by multiplication. */
static long double complex power_exact(long double complex z, long double complex w) {
  const int k = small_integer(w);
  long double complex power = 1;
  if (k == 0 && w != 0)
    return z != 0 ? cexpl(w * clogl(z)) : creall(w) > 0 ? 0 : complex_of(NAN, NAN);
  if (k < 0 && z == 0)
    return complex_of(NAN, NAN);
  for (int i = 0; i < abs(k); i++)
    power *= z;
  return k < 0 ? 1 / power : power;
}

/* The exact functions; of the MAP rows those that are missing are no mathematics or made of one operation. */
static const struct {
  numd_op op;
  real1 *of_real;
  real2 *of_reals;
  complex1 *of_complex;
  complex2 *of_complexes;
} functions[] = {
    {NUMD_OP_SQRT, sqrtl, NULL, csqrtl, NULL},
    {NUMD_OP_EXP, expl, NULL, cexpl, NULL},
    {NUMD_OP_EXPM1, expm1l, NULL, expm1_exact, NULL},
    {NUMD_OP_LOG, logl, NULL, clogl, NULL},
    {NUMD_OP_LOG1P, log1pl, NULL, log1p_exact, NULL},
    {NUMD_OP_LOG2, log2l, NULL, log2_exact, NULL},
    {NUMD_OP_LOG10, log10l, NULL, log10_exact, NULL},
    {NUMD_OP_SIN, sinl, NULL, csinl, NULL},
    {NUMD_OP_COS, cosl, NULL, ccosl, NULL},
    {NUMD_OP_TAN, tanl, NULL, ctanl, NULL},
    {NUMD_OP_ASIN, asinl, NULL, casinl, NULL},
    {NUMD_OP_ACOS, acosl, NULL, cacosl, NULL},
    {NUMD_OP_ATAN, atanl, NULL, catanl, NULL},
    {NUMD_OP_SINH, sinhl, NULL, csinhl, NULL},
    {NUMD_OP_COSH, coshl, NULL, ccoshl, NULL},
    {NUMD_OP_TANH, tanhl, NULL, ctanhl, NULL},
    {NUMD_OP_ASINH, asinhl, NULL, casinhl, NULL},
    {NUMD_OP_ACOSH, acoshl, NULL, cacoshl, NULL},
    {NUMD_OP_ATANH, atanhl, NULL, catanhl, NULL},
    {NUMD_OP_POW, NULL, pow_exact, NULL, power_exact},
    {NUMD_OP_ATAN2, NULL, atan2l, NULL, NULL},
    {NUMD_OP_HYPOT, NULL, hypotl, NULL, NULL},
    {NUMD_OP_LOGADDEXP, NULL, logaddexp_exact, NULL, NULL},
};
#define N_FUNCTIONS ((int)(sizeof(functions) / sizeof(functions[0])))

START_TEST(test_all_rows) {
  for (int op = 0; op < NUMD_OP_CODES; op++) {
    if (!op_known((unsigned)op) || op_rows[op].op_class != NUMD_CLASS_MAP ||
        op_rows[op].fast != NUMD_FAST_MATH)
      continue;
    bool found = false;
    for (int i = 0; i < N_FUNCTIONS; i++)
      found |= functions[i].op == (numd_op)op;
    CHECK(found, "%s is not tested here", op_rows[op].name);
  }
}
END_TEST

/* A real of either dtype from all the places where functions are difficult. */
static double sample(bool narrow) {
  switch (random_below(5)) {
    case 0: /* near a multiple of pi / 2 */
      return random_below(2000) * M_PI_2 * (1 + ldexp(uniform(-1, 1), -random_below(54)));
    case 1: /* near 1 and -1 */
      return (random_below(2) ? 1 : -1) * (1 + ldexp(uniform(-1, 1), -random_below(54)));
    case 2: /* of any magnitude */
      return ldexp(uniform(-1, 1), random_below(narrow ? 277 : 2098) - (narrow ? 149 : 1074));
    default:
      return random_real(narrow);
  }
}

static void store(numd_dtype part, char *at, double x) {
  if (part == NUMD_FLOAT32)
    *(float *)at = (float)x;
  else
    *(double *)at = x;
}

/* Operands of one call, with room for complex128. */
static struct { char x[N_SAMPLES * 16], y[N_SAMPLES * 16], out[N_SAMPLES * 16]; } data;
static long double exact[N_SAMPLES][2];
static double unit[N_SAMPLES]; /* what an ULP is relative to, if more than the exact value; bounds of pow */

static void run(kernel_map_fn loop, int n_in, int64_t n, int size, int size_out) {
  char *const ptr[] = {data.x, n_in == 2 ? data.y : data.out, data.out};
  const int64_t stride[] = {size, n_in == 2 ? size : size_out, size_out};
  loop(n, ptr, stride);
}

static void fill_real(numd_op op, numd_dtype dtype) {
  const bool narrow = dtype == NUMD_FLOAT32;
  const int size = dtype_rows[dtype].size;
  for (int i = 0; i < N_SAMPLES; i++) {
    const bool paired = i < N_SPECIALS * N_SPECIALS;
    double x = paired ? specials[i / N_SPECIALS] : sample(narrow);
    double y = paired ? specials[i % N_SPECIALS] : sample(narrow);
    if (!paired && op == NUMD_OP_POW && i % 2) { /* results over the whole range */
      x = ldexp(uniform(.5, 1), random_below(200) - 100);
      y = i % 8 == 1 ? random_below(81) - 40 : uniform(-760, 760) / (fabs(log(x)) + 1e-3);
    } else if (!paired && i % 2) { /* of like magnitude */
      y = x * uniform(-2, 2);
    }
    store(dtype, data.x + i * size, x);
    store(dtype, data.y + i * size, y);
  }
}

/* What the row promises for a real dtype. */
START_TEST(test_real) {
  const numd_op op = functions[_i / 2].op;
  const numd_dtype dtype = _i % 2 ? NUMD_FLOAT32 : NUMD_FLOAT64;
  const int size = dtype_rows[dtype].size, n_in = op_rows[op].n_in;
  fill_real(op, dtype);
  for (int i = 0; i < N_SAMPLES; i++) {
    const double x = as_double(dtype, data.x + i * size), y = as_double(dtype, data.y + i * size);
    exact[i][0] = n_in == 2 ? functions[_i / 2].of_reals(x, y) : functions[_i / 2].of_real(x);
    unit[i] = op == NUMD_OP_LOGADDEXP ? fmax(fabs(fmax(x, y)), M_LN2) : 0; /* its terms may cancel */
  }
  FOR_VARIANTS(variant) {
    run(kernel_map(op, dtype), n_in, N_SAMPLES, size, size);
    double worst = 0, at = 0;
    for (int i = 0; i < N_SAMPLES; i++) {
      const double got = as_double(dtype, data.out + i * size), x = as_double(dtype, data.x + i * size);
      double error = ulps(dtype, got, exact[i][0]);
      if (isfinite(got) && isfinite(unit[i]) && fabsl(exact[i][0]) < fabs(unit[i]))
        error = ulps(dtype, (double)(unit[i] + (got - exact[i][0])), unit[i]);
      CHECK(error <= (double)op_rows[op].ulp + SLACK, "%s(%a, %a) of %s on %s is %a, not %La: %g ULP",
            op_rows[op].name, x, as_double(dtype, data.y + i * size), dtype_rows[dtype].name, variant, got,
            exact[i][0], error);
      if (error > worst) {
        worst = error;
        at = x;
      }
    }
    printf("%-9s %s %-3s at most %.3f ULP of %d values, at %a\n", op_rows[op].name, dtype_rows[dtype].name,
           variant, worst, N_SAMPLES, at);
  }
  fflush(stdout);
}
END_TEST

/* Complex numbers: anything, round 0, near the axes, the branch points and the unit circle. */
static void sample_complex(bool narrow, double *x, double *y) {
  static const double few[] = {0., -0., 1, -1, .5, -2, INFINITY, -INFINITY, NAN, 3, 1e300, -1e-300, 1e-30};
  const double angle = uniform(-M_PI, M_PI), near = ldexp(uniform(-1, 1), -random_below(54));
  *x = sample(narrow);
  *y = sample(narrow);
  switch (random_below(6)) {
    case 0:
      *x = few[random_below(13)];
      *y = few[random_below(13)];
      return;
    case 1:
      *x = (1 + near) * cos(angle);
      *y = (1 + near) * sin(angle);
      return;
    case 2:
      *(random_below(2) ? x : y) = random_below(2) ? 0 : near;
      return;
    case 3:
      *x = uniform(-5, 5);
      *y = uniform(-5, 5);
      return;
    default:
      return;
  }
}

static double complex_at(numd_dtype part, const char *at, double *imag) {
  *imag = as_double(part, at + dtype_rows[part].size);
  return as_double(part, at);
}

/* Infinities, NaN and, zeros must be right in each part (but of powers, whose parts are not independent);
 * otherwise |got - exact| counts in ULP of |exact|. */
static double complex_ulps(numd_dtype part, double re, double im, const long double e[2], bool parts) {
  const bool narrow = part == NUMD_FLOAT32;
  const double er = narrow ? (double)(float)e[0] : (double)e[0],
               ei = narrow ? (double)(float)e[1] : (double)e[1];
  if (!parts && (!isfinite(er) || !isfinite(ei)))
    return !isfinite(re) || !isfinite(im) ? 0 : INFINITY;
  if (!isfinite(er) || !isfinite(ei)) {
    const bool like_re = isfinite(er) ? isfinite(re) : isnan(er) ? isnan(re) : re == er;
    const bool like_im = isfinite(ei) ? isfinite(im) : isnan(ei) ? isnan(im) : im == ei;
    return like_re && like_im ? 0 : INFINITY;
  }
  const bool like_zero_re = e[0] != 0 || (re == 0 && signbit(re) == signbit(er));
  const bool like_zero_im = e[1] != 0 || (im == 0 && signbit(im) == signbit(ei));
  if (parts && !(like_zero_re && like_zero_im))
    return INFINITY;
  const long double size = hypotl(e[0], e[1]), off = hypotl(re - e[0], im - e[1]);
  int exponent;
  frexpl(size, &exponent);
  exponent = exponent < (narrow ? -125 : -1021) ? (narrow ? -125 : -1021) : exponent;
  return isnan(off) ? INFINITY : (double)(off / ldexpl(1, exponent - (narrow ? 24 : 53)));
}

START_TEST(test_complex) {
  const numd_op op = functions[_i / 2].op;
  const numd_dtype dtype = _i % 2 ? NUMD_COMPLEX64 : NUMD_COMPLEX128, part = dtype_part(dtype);
  const int size = dtype_rows[dtype].size, n_in = op_rows[op].n_in;
  if (!op_takes(op, dtype))
    return;
  for (int i = 0; i < N_SAMPLES; i++) {
    double x, y, u, v;
    sample_complex(part == NUMD_FLOAT32, &x, &y);
    sample_complex(part == NUMD_FLOAT32, &u, &v);
    if (n_in == 2 && i % 4) { /* else hardly any power is finite */
      x = uniform(-3, 3);
      u = i % 4 == 1 ? random_below(199) - 99 : uniform(-9, 9);
      v = i % 4 == 1 ? 0 : uniform(-9, 9);
    }
    char *const at = data.x + i * size, *const power = data.y + i * size;
    store(part, at, x);
    store(part, at + size / 2, y);
    store(part, power, u);
    store(part, power + size / 2, v);
    x = complex_at(part, at, &y);
    u = complex_at(part, power, &v);
    const long double complex z = complex_of(x, y), w = complex_of(u, v);
    const long double complex e =
        n_in == 2 ? functions[_i / 2].of_complexes(z, w) : functions[_i / 2].of_complex(z);
    exact[i][0] = creall(e);
    exact[i][1] = cimagl(e);
    unit[i] = n_in == 2 ? fmax((double)(cabsl(w) * cabsl(clogl(z))), abs(small_integer(w))) : 0;
    if (n_in == 2 && z == 0)
      unit[i] = 0;
    if (n_in == 2 && !(isfinite(x) && isfinite(y)))
      unit[i] = NAN;
  }
  FOR_VARIANTS(variant) {
    run(kernel_map(op, dtype), n_in, N_SAMPLES, size, size);
    double worst = 0, at[2] = {0};
    for (int i = 0; i < N_SAMPLES; i++) {
      double re, im, y;
      re = complex_at(part, data.out + i * size, &im);
      const double x = complex_at(part, data.x + i * size, &y);
      if (!(unit[i] < 600)) /* powers near the ends of the range: the order decides what overflows */
        continue;
      const double error = complex_ulps(part, re, im, exact[i], n_in == 1) / (1 + unit[i]);
      CHECK(error <= (double)op_rows[op].ulp + COMPLEX_ULP,
            "%s(%a, %a) of %s on %s is (%a, %a), not (%La, %La): %g ULP", op_rows[op].name, x, y,
            dtype_rows[dtype].name, variant, re, im, exact[i][0], exact[i][1], error);
      if (error > worst) {
        worst = error;
        at[0] = x;
        at[1] = y;
      }
    }
    printf("%-9s %s %-3s at most %.3f ULP of %d values, at (%a, %a)\n", op_rows[op].name,
           dtype_rows[dtype].name, variant, worst, N_SAMPLES, at[0], at[1]);
  }
  fflush(stdout);
}
END_TEST

START_TEST(test_abs) {
  const numd_dtype dtype = _i ? NUMD_COMPLEX64 : NUMD_COMPLEX128, part = dtype_part(dtype);
  const int size = dtype_rows[dtype].size;
  for (int i = 0; i < N_SAMPLES; i++) {
    double x, y;
    sample_complex(part == NUMD_FLOAT32, &x, &y);
    store(part, data.x + i * size, x);
    store(part, data.x + i * size + size / 2, y);
    x = complex_at(part, data.x + i * size, &y);
    exact[i][0] = hypotl(x, y);
  }
  FOR_VARIANTS(variant) {
    run(kernel_map(NUMD_OP_ABS, dtype), 1, N_SAMPLES, size, size / 2);
    double worst = 0;
    for (int i = 0; i < N_SAMPLES; i++) {
      double y;
      const double x = complex_at(part, data.x + i * size, &y);
      const double error = ulps(part, as_double(part, data.out + i * (size / 2)), exact[i][0]);
      CHECK(error <= (double)op_rows[NUMD_OP_HYPOT].ulp, "abs(%a, %a) of %s on %s: %g ULP", x, y,
            dtype_rows[dtype].name, variant, error);
      worst = error > worst ? error : worst;
    }
    printf("%-9s %s %-3s at most %.3f ULP of %d values\n", "abs", dtype_rows[dtype].name, variant, worst,
           N_SAMPLES);
  }
  fflush(stdout);
}
END_TEST

/* A result depends on its argument only, not on its neighbours, its place or the number of elements: a
 * vector of samples gives what each gives alone, and so does one that lies backwards, with gaps, and is
 * replaced by the results. */
START_TEST(test_alone) {
  const numd_op op = functions[_i].op;
  enum { n = 4003 };
  static char expected[n * 16];
  for (unsigned dtype = 0; dtype < NUMD_DTYPE_CODES; dtype++) {
    if (!dtype_known(dtype) || !op_takes(op, (numd_dtype)dtype) || !strchr("fc", dtype_rows[dtype].kind))
      continue;
    const numd_dtype part = dtype_part((numd_dtype)dtype);
    const int size = dtype_rows[dtype].size, step = dtype_rows[part].size;
    for (int i = 0; i < n * size / step; i++) {
      store(part, data.x + i * step, sample(part == NUMD_FLOAT32));
      store(part, data.y + i * step, i % 5 ? random_below(9) - 4 : sample(part == NUMD_FLOAT32));
    }
    FOR_VARIANTS(variant) {
      const kernel_map_fn loop = kernel_map(op, (numd_dtype)dtype);
      const bool two = op_rows[op].n_in == 2;
      for (int i = 0; i < n; i++) {
        char *const alone = expected + i * size;
        char *const ptr[] = {data.x + i * size, two ? data.y + i * size : alone, alone};
        static const int64_t stride[] = {0, 0, 0};
        loop(1, ptr, stride);
      }
      run(loop, op_rows[op].n_in, n, size, size);
      for (int i = 0; i < n * size; i += step)
        CHECK(same(part, expected + i, data.out + i), "%s of %s on %s: element %d of %d is another alone",
              op_rows[op].name, dtype_rows[dtype].name, variant, i / size, n);
      char *const last = data.out + (n - 1) * 2 * size;
      for (int i = 0; i < n; i++)
        memcpy(last - i * 2 * size, data.x + i * size, (size_t)size);
      char *const ptr[] = {last, two ? data.y : last, last};
      const int64_t stride[] = {-2 * size, two ? size : -2 * size, -2 * size};
      loop(n, ptr, stride);
      for (int i = 0; i < n * size; i += step)
        CHECK(same(part, expected + i, last - i / size * 2 * size + i % size),
              "%s of %s on %s: element %d of %d is another backwards", op_rows[op].name,
              dtype_rows[dtype].name, variant, i / size, n);
    }
  }
}
END_TEST

/* Complex functions that need products, sums and roots alone have the same bits on every instruction set: gcc
 * may fuse the products of complex numbers although it is told not to. */
START_TEST(test_unfused) {
  const numd_dtype dtype = _i ? NUMD_COMPLEX64 : NUMD_COMPLEX128, part = dtype_part(dtype);
  const int size = dtype_rows[dtype].size, step = size / 2;
  enum { n = 4003 };
  static char expected[n * 16];
  for (int k = -9; k < 40; k++) {
    const bool root = k == 0; /* of which no power is multiplied */
    for (int i = 0; i < 2 * n; i++)
      store(part, data.x + i * step, i % 3 ? uniform(-2, 2) : sample(part == NUMD_FLOAT32));
    store(part, data.y, k);
    store(part, data.y + step, 0);
    FOR_VARIANTS(variant) {
      char *const pow[] = {data.x, data.y, data.out}, *const sqrt[] = {data.x, data.out};
      static const int64_t of_128[] = {16, 0, 16}, of_64[] = {8, 0, 8}, both[] = {16, 16}, halves[] = {8, 8};
      if (root)
        kernel_map(NUMD_OP_SQRT, dtype)(n, sqrt, size == 16 ? both : halves);
      else
        kernel_map(NUMD_OP_POW, dtype)(n, pow, size == 16 ? of_128 : of_64);
      if (variant_index == 0)
        memcpy(expected, data.out, sizeof(expected));
      for (int i = 0; i < n * size; i += step)
        CHECK(same(part, expected + i, data.out + i), "%s %d of %s on %s: element %d", root ? "sqrt" : "pow",
              k, dtype_rows[dtype].name, variant, i / size);
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_math");
  TCase *tcase = tcase_create("kernels_math");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_test(tcase, test_all_rows);
  tcase_add_loop_test(tcase, test_real, 0, 2 * N_FUNCTIONS);
  tcase_add_loop_test(tcase, test_complex, 0, 2 * N_FUNCTIONS);
  tcase_add_loop_test(tcase, test_abs, 0, 2);
  tcase_add_loop_test(tcase, test_alone, 0, N_FUNCTIONS);
  tcase_add_loop_test(tcase, test_unfused, 0, 2);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
