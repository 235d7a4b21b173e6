/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions, against what is computed one item after another in the widest numbers: every operation and
 * dtype, on every instruction set, which all must give the same bits, whatever the stride. */
#include "server/kernels/kernels.h"

#include "tests/unit/reductions.h"

#define MAX_TERMS 70000
#define MAX_STRIDE 3
static _Alignas(64) char terms[MAX_TERMS * MAX_STRIDE * 16 + 64], dense[MAX_TERMS * 16 + 64];

#define FOR_VARIANTS(name)                                     \
  for (int variant = 0; kernels_isa_names[variant]; variant++) \
    for (const char *name = kernels_isa_names[variant]; name && kernels_init(name) == 0; name = NULL)

/* The dtype that the operation accumulates in; NUMD_DTYPE_NONE: it has no loop for these items. */
static numd_dtype accumulator(numd_op op, numd_dtype in) {
  const char kind = dtype_rows[in].kind;
  switch (op) {
    case NUMD_OP_SUM:
    case NUMD_OP_PROD:
      return kind == 'c'   ? NUMD_COMPLEX128
             : kind == 'f' ? NUMD_FLOAT64
             : kind == 'u' ? NUMD_UINT64
                           : NUMD_INT64;
    case NUMD_OP_MAX:
    case NUMD_OP_MIN:
      return kind == 'c' ? NUMD_DTYPE_NONE : in;
    case NUMD_OP_ANY:
    case NUMD_OP_ALL:
      return NUMD_BOOL;
    case NUMD_OP_COUNT_NONZERO:
      return NUMD_INT64;
    default:
      return NUMD_DTYPE_NONE;
  }
}

/* A sum of n terms may be off by as much as NumPy's pairwise one; a product by n roundings. */
static void check_rounded(numd_op op, numd_dtype in, int64_t n, const char *at, int64_t stride,
                          struct item got) {
  struct item sum = {0, 0}, product = {1, 0};
  long double magnitude = 0;
  for (int64_t i = 0; i < n; i++, at += stride) {
    const struct item v = item_read(in, at);
    sum = (struct item){sum.re + v.re, sum.im + v.im};
    magnitude += fabsl(v.re) + fabsl(v.im);
    product = (struct item){product.re * v.re - product.im * v.im, product.re * v.im + product.im * v.re};
  }
  const bool is_sum = op == NUMD_OP_SUM;
  const struct item want = is_sum ? sum : product;
  const long double bound = is_sum ? (9 + log2l((long double)n)) * 0x1p-53L * magnitude
                                   : 4 * (long double)n * 0x1p-53L * hypotl(product.re, product.im);
  CHECK(fabsl(got.re - want.re) <= bound && fabsl(got.im - want.im) <= bound,
        "%s of %ld %s: %La%+Lai, not %La%+Lai", op_rows[op].name, (long)n, dtype_rows[in].name, got.re,
        got.im, want.re, want.im);
}

static void check_value(numd_op op, numd_dtype in, int64_t n, const char *at, int64_t stride,
                        const char *got) {
  const numd_dtype acc = accumulator(op, in);
  if (op == NUMD_OP_MAX || op == NUMD_OP_MIN) {
    const struct item v = item_read(acc, got), want = expected_extreme(op, in, n, at, stride);
    CHECK(v.re == want.re || (isnan(v.re) && isnan(want.re)), "%s of %ld %s: %La, not %La", op_rows[op].name,
          (long)n, dtype_rows[in].name, v.re, want.re);
  } else if (is_float(acc)) {
    check_rounded(op, in, n, at, stride, item_read(acc, got));
  } else {
    const uint64_t want = expected_bits(op, in, n, at, stride);
    CHECK(memcmp(got, &want, dtype_rows[acc].size) == 0, "%s of %ld %s is not %llx", op_rows[op].name,
          (long)n, dtype_rows[in].name, (unsigned long long)want);
  }
}

/* ---- Terms ---- */

/* Terms whose sum or product neither overflows nor is NaN, so that its error can be judged. */
static void moderate_term(numd_op op, numd_dtype in, char *at) {
  double v[2] = {random_unit(), random_unit()};
  if (op == NUMD_OP_PROD) {
    const double size = exp(.01 * random_unit()), angle = dtype_rows[in].kind == 'c' ? v[0] : 0;
    v[0] = size * cos(angle);
    v[1] = size * sin(angle);
  }
  const float narrow[2] = {(float)v[0], (float)v[1]};
  const bool is_narrow = in == NUMD_FLOAT32 || in == NUMD_COMPLEX64;
  memcpy(at, is_narrow ? (const char *)narrow : (const char *)v, dtype_rows[in].size);
}

/* Of three ways: as chance has it; what does not decide any and all; the same but for one item. */
static void fill(numd_op op, numd_dtype in, int64_t n, char *at, int64_t stride) {
  const size_t size = dtype_rows[in].size;
  const int way = random_below(3);
  const int64_t odd = (int64_t)(random_bits() % (uint64_t)n);
  for (int64_t i = 0; i < n; i++) {
    char *item = at + i * stride;
    if (is_float(accumulator(op, in)) && (op == NUMD_OP_SUM || op == NUMD_OP_PROD))
      moderate_term(op, in, item);
    else
      item_random(in, item);
    if (op == NUMD_OP_ANY && way && !(way == 2 && i == odd))
      memset(item, 0, size);
    if (op == NUMD_OP_ALL && way)
      item[size - 1] = way == 2 && i == odd ? 0 : 1;
    if (op == NUMD_OP_ALL && way == 2 && i == odd)
      memset(item, 0, size);
  }
  if ((op == NUMD_OP_MAX || op == NUMD_OP_MIN) && is_float(in) && way == 2)
    memset(at + odd * stride, 0xFF, size); /* NaN */
  if ((op == NUMD_OP_ANY || op == NUMD_OP_ALL) && is_float(in) && way == 1)
    at[odd * stride + (int64_t)size - 1] = (char)0x80; /* -0.0, or a negative number */
}

static void check_reduce(numd_op op, numd_dtype in, int64_t n, int step) {
  const int64_t size = dtype_rows[in].size, stride = step * size;
  const numd_dtype acc = accumulator(op, in);
  const size_t bytes = dtype_rows[acc].size;
  char *at = terms + (step < 0 ? (n - 1) * -stride : 0) + size * random_below(3);
  _Alignas(16) char expected[16], got[16];
  numd_dtype told;
  if (step < 0 || step > 1)
    memset(terms, 0xFF, sizeof(terms)); /* between the terms is what must not be read */
  fill(op, in, n, at, stride);
  for (int64_t i = 0; i < n; i++)
    memcpy(dense + size * (i + 1), at + i * stride, (size_t)size);
  kernels_init("c");
  kernel_reduce(op, in, &told)(n, at, stride, expected);
  ck_assert_int_eq(told, acc);
  check_value(op, in, n, at, stride, expected);
  FOR_VARIANTS(name) {
    const kernel_reduce_fn fn = kernel_reduce(op, in, &told);
    memset(got, 0xA5, sizeof(got));
    fn(n, at, stride, got);
    CHECK(memcmp(got, expected, bytes) == 0 || item_is_nan(acc, got),
          "%s of %ld %s on %s, step %d, is not that of plain C", op_rows[op].name, (long)n,
          dtype_rows[in].name, name, step);
    CHECK(bytes == 16 || (unsigned char)got[bytes] == 0xA5, "%s of %s wrote too much", op_rows[op].name,
          dtype_rows[in].name);
    fn(n, dense + size, size, got);
    CHECK(memcmp(got, expected, bytes) == 0 || item_is_nan(acc, got),
          "%s of %ld %s on %s depends on the stride %d", op_rows[op].name, (long)n, dtype_rows[in].name, name,
          step);
  }
}

START_TEST(test_reduce) {
  static const int steps[] = {1, 2, -1, -3, 0};
  static const int64_t more[] = {127, 128, 255, 256, 257, 511, 2047, 2048, 2049, 5000, 16384, 39999, 70000};
  const numd_op op = (numd_op)_i;
  numd_dtype acc;
  for (int d = 0; op_known(op) && op_rows[op].op_class == NUMD_CLASS_REDUCE && d < NUMD_DTYPE_CODES; d++) {
    const bool has = dtype_known(d) && accumulator(op, d) != NUMD_DTYPE_NONE;
    CHECK((kernel_reduce(op, d, &acc) != NULL) == has, "%s of %d", op_rows[op].name, d);
    CHECK((kernel_reduce_rows(op, d) != NULL) == has, "rows: %s of %d", op_rows[op].name, d);
    if (!has)
      continue;
    ck_assert_uint_gt(kernel_cost_ps(op, d), 0);
    for (int k = 0; k < 5; k++) {
      for (int64_t n = 1; n < 68; n++)
        check_reduce(op, d, n, steps[k]);
      for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        check_reduce(op, d, more[i], steps[k]);
    }
  }
}
END_TEST

/* Lanes narrower than the accumulator must be emptied before they overflow: the extreme values, very often.
 */
START_TEST(test_narrow_lanes_do_not_overflow) {
  enum { n = 40 << 20 };
  char *many = malloc(n);
  static const unsigned char bytes[] = {0xFF, 0x80, 0x7F, 0x01};
  for (int b = 0; b < 4; b++) {
    memset(many, bytes[b], n);
    FOR_VARIANTS(name) {
      for (int d = NUMD_BOOL; d <= NUMD_UINT32; d++) {
        const int64_t size = dtype_rows[d].size, items = n / size - 1;
        numd_dtype acc;
        uint64_t got;
        kernel_reduce(NUMD_OP_SUM, d, &acc)(items, many, size, (char *)&got);
        CHECK(got == (uint64_t)items * item_bits(d, many), "sum of %s %02x on %s", dtype_rows[d].name,
              bytes[b], name);
        kernel_reduce(NUMD_OP_COUNT_NONZERO, d, &acc)(items, many, size, (char *)&got);
        CHECK(got == (uint64_t)items, "count of %s on %s", dtype_rows[d].name, name);
      }
    }
  }
  free(many);
}
END_TEST

/* ---- Rows ---- */

static void check_rows(numd_op op, numd_dtype in, int64_t rows, int64_t n, int step) {
  const int64_t size = dtype_rows[in].size, stride = step * size,
                row_stride = size * (n * step + random_below(3));
  const numd_dtype acc = accumulator(op, in);
  const size_t bytes = dtype_rows[acc].size;
  static _Alignas(64) char expected[300 * 16], got[300 * 16 + 16];
  const int64_t first = rows / 2; /* rows before the second call, which adds to the first one's */
  fill(op, in, rows * (n * step + 3), terms, size);
  kernels_init("c");
  kernel_reduce_rows(op, in)(rows, n, terms, row_stride, stride, expected, false);
  for (int64_t j = 0; j < n; j++)
    check_value(op, in, rows, terms + j * stride, row_stride, expected + j * (int64_t)bytes);
  FOR_VARIANTS(name) {
    memset(got, 0xA5, sizeof(got));
    const kernel_rows_fn fn = kernel_reduce_rows(op, in);
    if (first)
      fn(first, n, terms, row_stride, stride, got, false);
    fn(rows - first, n, terms + first * row_stride, row_stride, stride, got, first > 0);
    for (int64_t j = 0; j < n; j++)
      CHECK(memcmp(got + j * (int64_t)bytes, expected + j * (int64_t)bytes, bytes) == 0 ||
                item_is_nan(acc, got + j * (int64_t)bytes),
            "%s of %ld rows of %ld %s on %s, step %d", op_rows[op].name, (long)rows, (long)n,
            dtype_rows[in].name, name, step);
    CHECK((unsigned char)got[n * (int64_t)bytes] == 0xA5, "%s of rows wrote too much", op_rows[op].name);
  }
}

START_TEST(test_rows) {
  static const int64_t lengths[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 31, 32, 33, 64, 100, 256, 299};
  static const int64_t counts[] = {1, 2, 3, 10, 16};
  const numd_op op = (numd_op)_i;
  for (int d = 0; op_known(op) && op_rows[op].op_class == NUMD_CLASS_REDUCE && d < NUMD_DTYPE_CODES; d++)
    for (size_t i = 0;
         dtype_known(d) && kernel_reduce_rows(op, d) && i < sizeof(lengths) / sizeof(lengths[0]); i++)
      for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
        for (int step = 1; step <= 3; step++)
          check_rows(op, d, counts[k], lengths[i], step);
}
END_TEST

/* ---- Beside the loops ---- */

START_TEST(test_identity_and_combination) {
  for (int op = 0; op < NUMD_OP_CODES; op++)
    for (int d = 0; d < NUMD_DTYPE_CODES; d++) {
      numd_dtype acc;
      if (!op_known(op) || !dtype_known(d) || !kernel_reduce(op, d, &acc))
        continue;
      _Alignas(16) char identity[16], x[16], both[16];
      char *const ptr[] = {identity, x, both};
      static const int64_t stride[] = {0, 0, 0};
      const kernel_map_fn combine = kernel_map(kernel_reduce_combine(op), acc);
      CHECK(combine != NULL, "%s has nothing to combine %s", op_rows[op].name, dtype_rows[acc].name);
      const int has = kernel_reduce_identity(op, acc, identity);
      ck_assert_int_eq(has, op != NUMD_OP_MAX && op != NUMD_OP_MIN);
      if (!has)
        continue;
      item_random(acc, x);
      if (dtype_rows[acc].kind == 'b')
        x[0] = x[0] != 0;
      combine(1, ptr, stride);
      const struct item v = item_read(acc, both), want = item_read(acc, x);
      CHECK((v.re == want.re && v.im == want.im) || isinf(want.re) || isinf(want.im), "identity of %s of %s",
            op_rows[op].name, dtype_rows[acc].name);
    }
}
END_TEST

/* A sum that naive addition gets wrong: the small terms must not be lost one by one. */
START_TEST(test_sum_accuracy) {
  enum { n = 1 << 20 };
  static double x[n];
  FOR_VARIANTS(name) {
    double got;
    numd_dtype acc;
    for (int i = 0; i < n; i++)
      x[i] = 0.1;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64, &acc)(n, (char *)x, 8, (char *)&got);
    CHECK(fabs(got - 0.1 * n) < 1e-10, "%s: off by %g", name, got - 0.1 * n);
    x[0] = -0.;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64, &acc)(3, (char *)x, 0, (char *)&got);
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
  tcase_add_loop_test(tcase, test_rows, 0, NUMD_OP_CODES);
  tcase_add_test(tcase, test_narrow_lanes_do_not_overflow);
  tcase_add_test(tcase, test_identity_and_combination);
  tcase_add_test(tcase, test_sum_accuracy);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
