/* What the elementwise operations mean: cases that are easily got wrong, and the accuracy that the rows
 * of the list promise, against long double. */
#include "tests/unit/kernels.h"

/* One call of a loop with items given as doubles. */
static double call_once(kernel_map_fn loop, int n_in, const numd_dtype in[], numd_dtype out,
                        const double x[]) {
  _Alignas(8) char items[4][8];
  char *ptr[4];
  int64_t stride[4] = {8, 8, 8, 8};
  for (int k = 0; k <= n_in; k++)
    ptr[k] = items[k];
  for (int k = 0; k < n_in; k++) {
    const double value = x[k];
    switch (in[k]) {
      case NUMD_BOOL:
        *(uint8_t *)items[k] = (uint8_t)value;
        break;
      case NUMD_INT32:
        *(int32_t *)items[k] = (int32_t)value;
        break;
      case NUMD_INT64:
        *(int64_t *)items[k] = (int64_t)value;
        break;
      case NUMD_FLOAT32:
        *(float *)items[k] = (float)value;
        break;
      default:
        *(double *)items[k] = value;
    }
  }
  loop(1, ptr, stride);
  return as_double(out, ptr[n_in]);
}

/* What the operations mean, in cases that are easily got wrong. */
static const struct point {
  numd_op op;
  numd_dtype dtype;
  double x[3], expected;
} points[] = {
    {NUMD_OP_ADD, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_ADD, NUMD_INT32, {INT32_MAX, 1}, INT32_MIN},
    {NUMD_OP_ADD, NUMD_FLOAT64, {0.1, 0.2}, 0.1 + 0.2},
    {NUMD_OP_ADD, NUMD_FLOAT64, {-0., -0.}, -0.},
    {NUMD_OP_SUBTRACT, NUMD_INT64, {-0x1p63, 0x1p62}, 0x1p62},
    {NUMD_OP_SUBTRACT, NUMD_FLOAT32, {1, 3}, -2},
    {NUMD_OP_MULTIPLY, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_MULTIPLY, NUMD_BOOL, {2, 0}, 0},
    {NUMD_OP_MULTIPLY, NUMD_INT32, {65536, 65536}, 0},
    {NUMD_OP_MULTIPLY, NUMD_FLOAT64, {0, INFINITY}, NAN},
    {NUMD_OP_DIVIDE, NUMD_FLOAT64, {-1, 0}, -INFINITY},
    {NUMD_OP_DIVIDE, NUMD_FLOAT64, {0, 0}, NAN},
    {NUMD_OP_DIVIDE, NUMD_FLOAT32, {1, 4}, .25},
    {NUMD_OP_NEGATIVE, NUMD_INT32, {INT32_MIN}, INT32_MIN},
    {NUMD_OP_NEGATIVE, NUMD_FLOAT64, {0}, -0.},
    {NUMD_OP_ABS, NUMD_INT64, {-0x1p63}, -0x1p63},
    {NUMD_OP_ABS, NUMD_INT32, {-7}, 7},
    {NUMD_OP_ABS, NUMD_FLOAT64, {-0.}, 0},
    {NUMD_OP_ABS, NUMD_BOOL, {7}, 1},
    {NUMD_OP_SQRT, NUMD_FLOAT64, {-0.}, -0.},
    {NUMD_OP_SQRT, NUMD_FLOAT64, {-1}, NAN},
    {NUMD_OP_SQRT, NUMD_FLOAT32, {9}, 3},
    {NUMD_OP_LOG, NUMD_FLOAT64, {-0.}, -INFINITY},
    {NUMD_OP_LOG, NUMD_FLOAT64, {-1}, NAN},
    {NUMD_OP_TANH, NUMD_FLOAT64, {0x1.337da279d12e7p-53}, 0x1.337da279d12e7p-53},
    {NUMD_OP_TANH, NUMD_FLOAT32, {0x1.20352ap-24}, 0x1.20352ap-24},
    {NUMD_OP_POWER, NUMD_INT32, {-3, 3}, -27},
    {NUMD_OP_POWER, NUMD_INT64, {2, 64}, 0},
    {NUMD_OP_POWER, NUMD_INT64, {0, 0}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-8, 1. / 3}, NAN},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-INFINITY, .5}, INFINITY},
    {NUMD_OP_POWER, NUMD_FLOAT64, {NAN, 0}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {1, NAN}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-0., -3}, -INFINITY},
    {NUMD_OP_MAXIMUM, NUMD_FLOAT64, {NAN, 1}, NAN},
    {NUMD_OP_MAXIMUM, NUMD_FLOAT32, {1, NAN}, NAN},
    {NUMD_OP_MAXIMUM, NUMD_INT32, {-1, 1}, 1},
    {NUMD_OP_MAXIMUM, NUMD_BOOL, {0, 4}, 1},
    {NUMD_OP_MINIMUM, NUMD_FLOAT64, {NAN, 1}, NAN},
    {NUMD_OP_MINIMUM, NUMD_FLOAT32, {1, NAN}, NAN},
    {NUMD_OP_MINIMUM, NUMD_INT64, {-1, 1}, -1},
    {NUMD_OP_MINIMUM, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_EQUAL, NUMD_FLOAT64, {NAN, NAN}, 0},
    {NUMD_OP_EQUAL, NUMD_FLOAT64, {0, -0.}, 1},
    {NUMD_OP_EQUAL, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_NOT_EQUAL, NUMD_FLOAT32, {NAN, NAN}, 1},
    {NUMD_OP_LESS, NUMD_FLOAT64, {1, NAN}, 0},
    {NUMD_OP_LESS, NUMD_INT32, {-1, 1}, 1},
    {NUMD_OP_LESS_EQUAL, NUMD_FLOAT64, {1, 1}, 1},
    {NUMD_OP_GREATER, NUMD_BOOL, {255, 0}, 1},
    {NUMD_OP_GREATER_EQUAL, NUMD_FLOAT64, {NAN, 1}, 0},
    {NUMD_OP_WHERE, NUMD_INT32, {255, 5, 6}, 5},
    {NUMD_OP_WHERE, NUMD_FLOAT64, {0, 5, NAN}, NAN},
    {NUMD_OP_COPY, NUMD_BOOL, {200}, 1},
};

START_TEST(test_points) {
  const struct point *p = &points[_i];
  const uint8_t typing = op_rows[p->op].typing;
  const numd_dtype in[] = {typing == TYPING_SELECT ? NUMD_BOOL : p->dtype, p->dtype, p->dtype};
  const numd_dtype out = typing == TYPING_COMPARE ? NUMD_BOOL : p->dtype;
  FOR_VARIANTS(variant) {
    const double got = call_once(kernel_map(p->op, p->dtype), op_rows[p->op].n_in, in, out, p->x);
    CHECK(same(NUMD_FLOAT64, (const char *)&got, (const char *)&p->expected),
          "%s of %s (%g, %g) on %s is %g, not %g", op_rows[p->op].name, dtype_rows[p->dtype].name, p->x[0],
          p->x[1], variant, got, p->expected);
  }
}
END_TEST

START_TEST(test_cast_points) {
  static const struct {
    numd_dtype from, to;
    double x, expected;
  } cases[] = {
      {NUMD_FLOAT64, NUMD_INT32, NAN, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 2147483647.9, INT32_MAX},
      {NUMD_FLOAT64, NUMD_INT32, -2147483648.9, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 2147483648., INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 1e300, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, -1.9, -1},
      {NUMD_FLOAT64, NUMD_INT64, NAN, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, 0x1p63, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, INFINITY, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, -1e15, -1e15},
      {NUMD_FLOAT32, NUMD_INT32, 0x1p31, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT32, -0x1p31, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT32, 16777216, 16777216},
      {NUMD_FLOAT32, NUMD_INT32, NAN, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT64, 0x1p63, -0x1p63},
      {NUMD_FLOAT32, NUMD_INT64, 0x1p62, 0x1p62},
      {NUMD_FLOAT64, NUMD_BOOL, NAN, 1},
      {NUMD_FLOAT64, NUMD_BOOL, -0., 0},
      {NUMD_FLOAT64, NUMD_BOOL, 5e-324, 1},
      {NUMD_INT64, NUMD_INT32, 0x1p32 + 5, 5},
      {NUMD_INT64, NUMD_BOOL, 0x1p40, 1},
      {NUMD_BOOL, NUMD_FLOAT64, 7, 1},
      {NUMD_INT32, NUMD_FLOAT32, 16777217, 16777216},
      {NUMD_FLOAT64, NUMD_FLOAT32, 1e300, INFINITY},
      {NUMD_INT64, NUMD_FLOAT64, -5, -5},
      {NUMD_BOOL, NUMD_INT64, 255, 1},
  };
  FOR_VARIANTS(variant)
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const double got =
        call_once(kernel_cast(cases[i].from, cases[i].to), 1, &cases[i].from, cases[i].to, &cases[i].x);
    CHECK(same(NUMD_FLOAT64, (const char *)&got, (const char *)&cases[i].expected),
          "%s to %s on %s: %g gives %g, not %g", dtype_rows[cases[i].from].name, dtype_rows[cases[i].to].name,
          variant, cases[i].x, got, cases[i].expected);
  }
}
END_TEST

START_TEST(test_negative_power) {
  FOR_VARIANTS(variant) {
    int32_t x[] = {2, 2, 1}, y[] = {1, -1, 0}, out[3];
    char *ptr[] = {(char *)x, (char *)y, (char *)out};
    const int64_t stride[] = {4, 4, 4};
    ck_assert_uint_eq(kernel_map(NUMD_OP_POWER, NUMD_INT32)(3, ptr, stride), KERNEL_NEGATIVE_POWER);
    ck_assert_uint_eq(kernel_map(NUMD_OP_POWER, NUMD_INT32)(1, ptr, stride), 0);
  }
}
END_TEST

/* The exact value of the operations whose rows promise an ULP bound of 1. */
static long double exact(numd_op op, double x, double y) {
  switch (op) {
    case NUMD_OP_EXP:
      return expl((long double)x);
    case NUMD_OP_LOG:
      return logl((long double)x);
    case NUMD_OP_SIN:
      return sinl((long double)x);
    case NUMD_OP_COS:
      return cosl((long double)x);
    case NUMD_OP_TANH:
      return tanhl((long double)x);
    case NUMD_OP_POWER:
      if ((x == 0 || isinf(x)) && fabs(y) >= 0x1p63 && isfinite(y))
        y = copysign(0x1p60, y); /* no less even; glibc's x87 powl takes -2^63 for odd */
      return powl((long double)x, (long double)y);
    default:
      ck_abort_msg("exact: teach it %s", op_rows[op].name);
  }
}

/* The bound of the row holds; the long double values are off by 2^-11, or 0.0005, ULP of a double. */
START_TEST(test_ulp) {
  enum { n = 100000 };
  static double x[n], y[n], out[n];
  static const int64_t stride[] = {8, 8, 8};
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].class != OP_MAP || !approximate(op, NUMD_FLOAT64))
    return;
  for (int i = 0; i < n; i++) {
    const bool paired = i < N_SPECIALS * N_SPECIALS;
    x[i] = paired ? specials[i / N_SPECIALS] : random_real(false);
    y[i] = paired ? specials[i % N_SPECIALS] : random_real(false);
    if (op == NUMD_OP_POWER && !paired && i % 2) { /* results over the whole range */
      x[i] = ldexp(uniform(.5, 1), random_below(200) - 100);
      y[i] = uniform(-760, 760) / (fabs(log(x[i])) + 1e-3);
    }
  }
  FOR_VARIANTS(variant) {
    char *ptr[] = {(char *)x, op_rows[op].n_in == 2 ? (char *)y : (char *)out, (char *)out};
    kernel_map(op, NUMD_FLOAT64)(n, ptr, stride);
    double worst = 0;
    for (int i = 0; i < n; i++) {
      const double error = ulps(NUMD_FLOAT64, out[i], exact(op, x[i], y[i]));
      CHECK(error <= (double)op_rows[op].ulp + 1e-3, "%s(%a, %a) on %s is %a: %g ULP", op_rows[op].name, x[i],
            y[i], variant, out[i], error);
      worst = error > worst ? error : worst;
    }
    printf("%-8s %-3s at most %.3f ULP of %d values\n", op_rows[op].name, variant, worst, n);
  }
  fflush(stdout);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_values");
  TCase *tcase = tcase_create("kernels_values");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_points, 0, (int)(sizeof(points) / sizeof(points[0])));
  tcase_add_test(tcase, test_cast_points);
  tcase_add_test(tcase, test_negative_power);
  tcase_add_loop_test(tcase, test_ulp, 0, NUMD_OP_CODES);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
