/* Reductions of one row, against combining one by one and against long double: on every instruction set the
 * same bits, whatever the stride. */
#include "tests/unit/kernels.h"

#define MAX_TERMS 40000
static _Alignas(64) char terms[MAX_TERMS * 3 * 8 + 64];

static bool has_reduce(numd_op op, numd_dtype dtype) {
  switch (op_rows[op].typing) {
    case TYPING_SUM:
    case TYPING_MEAN: /* a SUM, as far as the kernels go */
      return dtype == NUMD_INT64 || dtype == NUMD_FLOAT64;
    case TYPING_LOGICAL:
      return dtype == NUMD_BOOL;
    default:
      return true;
  }
}

/* Combines one by one with the map operation that kernel_reduce_combine names. */
static void combine_all(numd_op op, numd_dtype dtype, int64_t n, const char *in, int64_t stride, char *acc) {
  char *ptr[] = {acc, NULL, acc};
  const int64_t steps[] = {8, 8, 8};
  const kernel_map_fn combine = kernel_map(kernel_reduce_combine(op), dtype);
  char *const first[] = {(char *)in, acc};
  kernel_map(NUMD_OP_COPY, dtype)(1, first, steps);
  for (int64_t i = 1; i < n; i++) {
    ptr[1] = (char *)in + i * stride;
    combine(1, ptr, steps);
  }
}

/* A sum of n terms may be off by as much as NumPy's pairwise one; a product by n roundings. */
static void check_rounded(numd_op op, int64_t n, const char *in, int64_t stride, double got) {
  long double sum = 0, magnitude = 0, product = 1;
  for (int64_t i = 0; i < n; i++) {
    const long double x = (long double)*(const double *)(in + i * stride);
    sum += x;
    magnitude += fabsl(x);
    product *= x;
  }
  if (op == NUMD_OP_PROD && fabsl(product) > 0x1p1023L)
    CHECK(got > 0x1p1022, "product of %ld is %g", (long)n, got);
  else if (op == NUMD_OP_PROD)
    CHECK(fabsl((long double)got - product) <= (long double)n * 0x1p-53L * fabsl(product) + 0x1p-1060L,
          "product of %ld", (long)n);
  else
    CHECK(fabsl((long double)got - sum) <= (9 + log2l((long double)n)) * 0x1p-53L * magnitude,
          "sum of %ld: %a, not %La", (long)n, got, sum);
}

static void check_reduce(numd_op op, numd_dtype dtype, int64_t n, int step) {
  const int64_t size = dtype_rows[dtype].size, stride = step * size;
  const bool rounded = op_rows[op].typing != TYPING_ANY && dtype == NUMD_FLOAT64;
  char *in = terms + (step < 0 ? (n - 1) * -stride : 0) + size * random_below(3);
  _Alignas(8) char expected[8], got[8];
  if (step < 0 || step > 1)
    memset(terms, 0xFF, sizeof(terms)); /* NaN between the terms */
  for (int64_t i = 0; i < n; i++) {
    random_item(dtype, in + i * stride);
    if (rounded)
      *(double *)(in + i * stride) =
          op == NUMD_OP_PROD ? exp(uniform(-.1, .1)) : uniform(-1, random_below(2) ? 1 : 0);
    else if (dtype_rows[dtype].kind == 'f' && n < 300 && isnan(as_double(dtype, in + i * stride)) && n % 2)
      memset(in + i * stride, 0, (size_t)size); /* no NaN where n is odd */
    if ((op == NUMD_OP_ALL || op == NUMD_OP_MIN) && dtype == NUMD_BOOL && n % 3)
      in[i * stride] |= i + 1 != n || n % 3 == 1;
    if ((op == NUMD_OP_ANY || op == NUMD_OP_MAX) && dtype == NUMD_BOOL && n % 3)
      in[i * stride] = i + 1 == n && n % 3 == 1 ? 64 : 0;
  }
  kernels_init("c");
  kernel_reduce(op, dtype)(n, in, stride, expected);
  if (rounded) {
    check_rounded(op, n, in, stride, *(double *)expected);
  } else {
    combine_all(op, dtype, n, in, stride, got);
    /* zeros of either sign are equally large */
    CHECK(same(dtype, got, expected) || (as_double(dtype, got) == 0 && as_double(dtype, expected) == 0),
          "%s of %ld %s: %a, one by one %a", op_rows[op].name, (long)n, dtype_rows[dtype].name,
          as_double(dtype, expected), as_double(dtype, got));
  }
  FOR_VARIANTS(variant) {
    kernel_reduce(op, dtype)(n, in, stride, got);
    CHECK(same(dtype, got, expected), "%s of %ld %s on %s, step %d: %a, plain C %a", op_rows[op].name,
          (long)n, dtype_rows[dtype].name, variant, step, as_double(dtype, got), as_double(dtype, expected));
    static _Alignas(64) char dense[MAX_TERMS * 8 + 64];
    char *const ptr[] = {in, dense + size};
    const int64_t strides[] = {stride, size};
    kernel_map(NUMD_OP_COPY, dtype)(n, ptr, strides);
    kernel_reduce(op, dtype)(n, dense + size, size, got);
    CHECK(same(dtype, got, expected), "%s of %ld %s on %s depends on the stride %d", op_rows[op].name,
          (long)n, dtype_rows[dtype].name, variant, step);
  }
}

START_TEST(test_reduce) {
  static const int steps[] = {1, 2, -1, -3, 0};
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].class != OP_REDUCE)
    return;
  for (int d = 0; d < NUMD_DTYPE_CODES; d++) {
    if (!dtype_known(d))
      continue;
    CHECK((kernel_reduce(op, d) != NULL) == has_reduce(op, d), "%s of %s", op_rows[op].name,
          dtype_rows[d].name);
    if (!has_reduce(op, d))
      continue;
    ck_assert_uint_gt(kernel_cost_ps(op, d), 0);
    for (int k = 0; k < 5; k++) {
      FOR_LENGTHS(n)
      if (n > 0)
        check_reduce(op, d, n, steps[k]);
      static const int64_t more[] = {255, 256, 257, 511, 2047, 2048, 2049, 5000, 16384, 39999};
      for (int i = 0; i < 10; i++)
        check_reduce(op, d, more[i], steps[k]);
    }
  }
}
END_TEST

START_TEST(test_reduce_identity) {
  for (int op = 0; op < NUMD_OP_CODES; op++)
    for (int d = 0; op_known(op) && op_rows[op].class == OP_REDUCE && d < NUMD_DTYPE_CODES; d++) {
      _Alignas(8) char acc[8], x[8], wanted[8];
      char *const ptr[] = {acc, x, acc}, *const copy[] = {x, wanted};
      const int64_t stride[] = {8, 8, 8};
      if (!dtype_known(d) || !has_reduce(op, d))
        continue;
      const int has = kernel_reduce_identity(op, d, acc);
      ck_assert_int_eq(has, op != NUMD_OP_MAX && op != NUMD_OP_MIN);
      random_item(d, x);
      kernel_map(NUMD_OP_COPY, d)(1, copy, stride);
      if (has)
        kernel_map(kernel_reduce_combine(op), d)(1, ptr, stride);
      CHECK(!has || as_double(d, acc) == as_double(d, wanted) || same(d, acc, wanted), "identity of %s",
            op_rows[op].name);
    }
}
END_TEST

/* A sum that naive addition gets wrong: the small terms must not be lost one by one. */
START_TEST(test_sum_accuracy) {
  enum { n = 1 << 20 };
  static double x[n];
  FOR_VARIANTS(variant) {
    double got;
    for (int i = 0; i < n; i++)
      x[i] = 0.1;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64)(n, (char *)x, 8, (char *)&got);
    CHECK(fabs(got - 0.1 * n) < 1e-10, "%s: off by %g", variant, got - 0.1 * n);
    x[0] = -0.;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64)(3, (char *)x, 0, (char *)&got);
    ck_assert(got == 0 && signbit(got));
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_reduce");
  TCase *tcase = tcase_create("kernels_reduce");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_reduce, 0, NUMD_OP_CODES);
  tcase_add_test(tcase, test_reduce_identity);
  tcase_add_test(tcase, test_sum_accuracy);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
