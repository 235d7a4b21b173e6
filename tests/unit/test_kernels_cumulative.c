/* SPDX-License-Identifier: BSD-3-Clause */
/* Cumulative sums and products, against adding and multiplying one element after another, for every dtype,
 * shape, axis and arrangement in memory, on every instruction set; the order and the threads that units run
 * in make no difference to the bytes. */
#include "tests/unit/array_shapes.h"

static bool is_float(numd_dtype dtype) {
  return dtype_rows[dtype].kind == 'f' || dtype_rows[dtype].kind == 'c';
}

static void moderate(numd_op op, struct array *x) {
  for (int64_t i = 0; is_float(x->layout.dtype) && i < x->size; i++) {
    double v[2] = {random_unit(), random_unit()};
    if (op == NUMD_OP_CUMULATIVE_PROD) {
      const double size = exp(1e-4 * random_unit()),
                   angle = dtype_rows[x->layout.dtype].kind == 'c' ? v[0] : 0;
      v[0] = size * cos(angle);
      v[1] = size * sin(angle);
    }
    const float narrow[2] = {(float)v[0], (float)v[1]};
    const bool is_narrow = x->layout.dtype == NUMD_FLOAT32 || x->layout.dtype == NUMD_COMPLEX64;
    memcpy(x->flat + i * x->item, is_narrow ? (char *)narrow : (char *)v, (size_t)x->item);
  }
  array_copy(x, true);
}

/* Checks one line; `got` begins with the value of no elements if `initial`. */
static void check_line(numd_op op, numd_dtype dtype, const char *x, const char *got, int64_t n,
                       int64_t stride, bool initial) {
  const bool sum = op == NUMD_OP_CUMULATIVE_SUM;
  const long double unit = dtype == NUMD_FLOAT32 || dtype == NUMD_COMPLEX64 ? 0x1p-24L : 0x1p-53L;
  struct item acc = {sum ? 0 : 1, 0};
  uint64_t bits = sum ? 0 : 1;
  long double magnitude = 0;
  for (int64_t i = initial ? -1 : 0; i < n; i++, got += stride) {
    if (i >= 0) {
      const struct item v = item_read(dtype, x + i * stride);
      const uint64_t term = is_float(dtype) ? 0 : item_bits(dtype, x + i * stride);
      acc = sum ? (struct item){acc.re + v.re, acc.im + v.im}
                : (struct item){acc.re * v.re - acc.im * v.im, acc.re * v.im + acc.im * v.re};
      bits = dtype == NUMD_BOOL ? (sum ? bits | term : bits & term) : sum ? bits + term : bits * term;
      magnitude += fabsl(v.re) + fabsl(v.im);
    }
    if (is_float(dtype)) {
      const struct item g = item_read(dtype, got);
      const long double bound = 4 * (long double)(i + 2) * unit * (sum ? magnitude : hypotl(acc.re, acc.im));
      CHECK(fabsl(g.re - acc.re) <= bound && fabsl(g.im - acc.im) <= bound,
            "%s of %s: element %ld: %La, not %La", op_rows[op].name, dtype_rows[dtype].name, (long)i, g.re,
            acc.re);
    } else {
      CHECK(memcmp(got, &bits, dtype_rows[dtype].size) == 0, "%s of %s: element %ld", op_rows[op].name,
            dtype_rows[dtype].name, (long)i);
    }
  }
}

static void check_cumulative(numd_op op, numd_dtype dtype, const struct shape *shape, int axis,
                             enum arrangement how, bool initial) {
  struct array x;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  moderate(op, &x);
  struct array_job job = job_of(op, dtype, 1, (struct array *[]){&x});
  job.params.given = initial ? NUMD_PARAM_INITIAL : 0;
  if (axis >= 0) {
    job.params.given |= NUMD_PARAM_AXIS;
    job.params.axis = axis;
  }
  plan_job(&job);
  ck_assert_int_eq(job.out[0].dtype, dtype);
  char *out[1];
  run_all_ways(&job, &x.data, out);
  const struct lines l = lines_of(&x.layout, axis);
  ck_assert_int_eq(output_bytes(&job, 0), l.outer * (l.length + initial) * l.inner * x.item);
  for (int64_t i = 0; i < l.outer * l.inner; i++)
    check_line(op, dtype, x.flat + (i / l.inner * l.length * l.inner + i % l.inner) * x.item,
               out[0] + (i / l.inner * (l.length + initial) * l.inner + i % l.inner) * x.item, l.length,
               l.inner * x.item, initial);
  free(out[0]);
  array_deinit(&x);
}

START_TEST(test_cumulative) {
  choose_isa(_i);
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int axis = -1; axis < shapes[s].ndim; axis++)
        for (int i = 0; i < 2 && !skip(&shapes[s]); i++)
          check_cumulative(i ? NUMD_OP_CUMULATIVE_PROD : NUMD_OP_CUMULATIVE_SUM, d, &shapes[s], axis,
                           random_below(ARRANGEMENTS), random_below(2));
}
END_TEST

START_TEST(test_cumulative_of_nothing) {
  static const struct shape empty[] = {{1, {0}}, {2, {0, 4}}, {2, {4, 0}}, {2, {0, 20}}};
  for (int s = 0; s < 4; s++)
    for (int axis = -1; axis < empty[s].ndim; axis++) {
      check_cumulative(NUMD_OP_CUMULATIVE_SUM, NUMD_INT64, &empty[s], axis, C_ORDER, false);
      check_cumulative(NUMD_OP_CUMULATIVE_PROD, NUMD_FLOAT32, &empty[s], axis, C_ORDER, true);
    }
}
END_TEST

START_TEST(test_a_wrong_axis_is_refused) {
  struct array x;
  array_init(&x, NUMD_FLOAT64, 1, (int64_t[]){3}, C_ORDER);
  struct array_job job = job_of(NUMD_OP_CUMULATIVE_SUM, NUMD_FLOAT64, 1, (struct array *[]){&x});
  job.params = (struct op_params){.given = NUMD_PARAM_AXIS, .axis = -2};
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  array_deinit(&x);
}
END_TEST

START_TEST(test_memory_that_changes_does_no_harm) {
  run_on_changing_memory(NUMD_OP_CUMULATIVE_SUM);
  run_on_changing_memory(NUMD_OP_CUMULATIVE_PROD);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_cumulative");
  TCase *tcase = tcase_create("kernels_cumulative");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_cumulative, 0, count_isas());
  tcase_add_test(tcase, test_cumulative_of_nothing);
  tcase_add_test(tcase, test_a_wrong_axis_is_refused);
  tcase_add_test(tcase, test_memory_that_changes_does_no_harm);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
