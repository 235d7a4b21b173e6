/* SPDX-License-Identifier: BSD-3-Clause */
/* Argmax and argmin, against comparing one element after another, for every dtype, shape, axis and
 * arrangement in memory, on every instruction set; the order and the threads that units run in make no
 * difference to the bytes. */
#include "tests/unit/array_shapes.h"

static int64_t expected_arg(bool max, numd_dtype dtype, const char *first, int64_t n, int64_t stride) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++) {
    const long double v = item_read(dtype, first + i * stride).re,
                      b = item_read(dtype, first + best * stride).re;
    if (isnan(b))
      break;
    if (isnan(v) || (max ? v > b : v < b))
      best = i;
  }
  return best;
}

static void check_arg(numd_op op, numd_dtype dtype, const struct shape *shape, int axis, enum arrangement how,
                      bool nan) {
  struct array x;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  if (nan && dtype_rows[dtype].kind == 'f')
    for (int k = 0; k < 3; k++)
      memset(x.flat + (int64_t)(random_bits() % (uint64_t)x.size) * x.item, 0xFF, (size_t)x.item);
  array_copy(&x, true);
  struct array_job job = job_of(op, dtype, 1, (struct array *[]){&x});
  if (axis >= 0) {
    job.params.given = NUMD_PARAM_AXIS | (random_below(2) ? NUMD_PARAM_KEEPDIMS : 0);
    job.params.axis = random_below(2) ? axis : axis - shape->ndim;
  }
  plan_job(&job);
  ck_assert_int_eq(job.out[0].dtype, NUMD_INT64);
  ck_assert_int_eq(job.out[0].ndim, axis < 0 ? 0 : shape->ndim - !(job.params.given & NUMD_PARAM_KEEPDIMS));
  char *out[1];
  run_all_ways(&job, &x.data, out);
  const struct lines l = lines_of(&x.layout, axis);
  for (int64_t i = 0; i < l.outer * l.inner; i++) {
    const char *first = x.flat + (i / l.inner * l.length * l.inner + i % l.inner) * x.item;
    const int64_t want = expected_arg(op == NUMD_OP_ARGMAX, dtype, first, l.length, l.inner * x.item);
    CHECK(((int64_t *)out[0])[i] == want, "%s of %s, axis %d, arrangement %d: line %ld: %ld, not %ld",
          op_rows[op].name, dtype_rows[dtype].name, axis, how, (long)i, (long)((int64_t *)out[0])[i],
          (long)want);
  }
  free(out[0]);
  array_deinit(&x);
}

START_TEST(test_argminmax) {
  choose_isa(_i);
  for (int d = 0; d <= NUMD_FLOAT64; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int axis = -1; axis < shapes[s].ndim; axis++)
        for (int i = 0; i < 2 && !skip(&shapes[s]); i++)
          check_arg(i ? NUMD_OP_ARGMAX : NUMD_OP_ARGMIN, d, &shapes[s], axis, random_below(ARRANGEMENTS),
                    random_below(2));
}
END_TEST

/* Many equal elements: the first, across stretches and chunks. */
START_TEST(test_arg_takes_the_first) {
  static const int64_t places[] = {0, 2047, 2048, 65535, 65536, 150000, 199999};
  enum { n = 200000 };
  struct array x;
  array_init(&x, NUMD_INT32, 1, (int64_t[]){n}, C_ORDER);
  struct array_job job = job_of(NUMD_OP_ARGMAX, NUMD_INT32, 1, (struct array *[]){&x});
  plan_job(&job);
  for (size_t i = sizeof(places) / sizeof(places[0]); i-- > 0;) {
    if (i + 1 == sizeof(places) / sizeof(places[0]))
      memset(x.data, 0, n * 4);
    ((int32_t *)x.data)[places[i]] = 5;
    char *out[1];
    run_all_ways(&job, &x.data, out);
    ck_assert_int_eq(*(int64_t *)out[0], places[i]);
    free(out[0]);
  }
  array_deinit(&x);
}
END_TEST

START_TEST(test_arg_of_nothing_is_refused) {
  struct array x;
  array_init(&x, NUMD_FLOAT64, 2, (int64_t[]){0, 3}, C_ORDER);
  struct array_job job = job_of(NUMD_OP_ARGMAX, NUMD_FLOAT64, 1, (struct array *[]){&x});
  struct errtext err;
  ck_assert_int_eq(kernel_array(NUMD_OP_ARGMAX)->plan(&job, &err), NUMD_EDOMAIN);
  ck_assert_str_eq(err.text, "attempt to get argmax of an empty sequence");
  job.params = (struct op_params){.given = NUMD_PARAM_AXIS, .axis = 1};
  plan_job(&job); /* no lines, so nothing is asked of one */
  job.params.axis = 2;
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  array_deinit(&x);
}
END_TEST

START_TEST(test_memory_that_changes_does_no_harm) {
  run_on_changing_memory(NUMD_OP_ARGMAX);
  run_on_changing_memory(NUMD_OP_ARGMIN);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_argminmax");
  TCase *tcase = tcase_create("kernels_argminmax");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_argminmax, 0, count_isas());
  tcase_add_test(tcase, test_arg_takes_the_first);
  tcase_add_test(tcase, test_arg_of_nothing_is_refused);
  tcase_add_test(tcase, test_memory_that_changes_does_no_harm);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
