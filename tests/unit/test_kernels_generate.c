/* SPDX-License-Identifier: BSD-3-Clause */
/* Arange, linspace, eye, tril and triu, against computing one element after another, for every dtype, shape
 * and arrangement in memory, on every instruction set; the order and the threads that units run in make no
 * difference to the bytes. */
#include "tests/unit/array_shapes.h"

/* ---- Triangles ---- */

static void check_triangle(numd_op op, numd_dtype dtype, const struct shape *shape, enum arrangement how,
                           int64_t k) {
  struct array x;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  struct array_job job = job_of(op, dtype, 1, (struct array *[]){&x});
  job.params = (struct op_params){.given = NUMD_PARAM_K, .k = k};
  plan_job(&job);
  char *out[1];
  static const char zeros[16];
  run_all_ways(&job, &x.data, out);
  const int64_t columns = shape->lengths[shape->ndim - 1], rows = shape->lengths[shape->ndim - 2];
  for (int64_t i = 0; i < x.size; i++) {
    const long double above = (long double)(i % columns) - (long double)(i / columns % rows);
    const bool kept = op == NUMD_OP_TRIL ? above <= (long double)k : above >= (long double)k;
    CHECK(memcmp(out[0] + i * x.item, kept ? x.flat + i * x.item : zeros, (size_t)x.item) == 0,
          "%s %ld of %s", op_rows[op].name, (long)k, dtype_rows[dtype].name);
  }
  free(out[0]);
  array_deinit(&x);
}

START_TEST(test_triangles) {
  static const int64_t diagonals[] = {0, 1, -1, 3, -4, 1000, -50000, INT64_MAX, INT64_MIN};
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int k = 0; k < 9 && shapes[s].ndim >= 2 && !skip(&shapes[s]); k++) {
        check_triangle(NUMD_OP_TRIL, d, &shapes[s], k % ARRANGEMENTS, diagonals[k]);
        check_triangle(NUMD_OP_TRIU, d, &shapes[s], k % ARRANGEMENTS, diagonals[k]);
      }
}
END_TEST

/* ---- New values ---- */

static struct array_job making(numd_op op, numd_dtype dtype, int n_in, struct array *const in[], int64_t n) {
  struct array_job job = job_of(op, dtype, n_in, in);
  job.params = (struct op_params){.given = NUMD_PARAM_SHAPE, .n_ints = {1}, .ints = {{n}}};
  return job;
}

static void check_arange(numd_dtype dtype, int64_t n) {
  struct array from, by;
  array_init(&from, dtype, 0, NULL, C_ORDER);
  array_init(&by, dtype, 0, NULL, C_ORDER);
  struct array_job job = making(NUMD_OP_ARANGE, dtype, 2, (struct array *[]){&from, &by}, n);
  char *out[1], *const in[] = {from.data, by.data};
  plan_job(&job);
  run_all_ways(&job, in, out);
  for (int64_t i = 0; i < n; i++) {
    const char *got = out[0] + i * from.item;
    if (dtype == NUMD_FLOAT32) {
      const float start = *(float *)from.data, second = start + *(float *)by.data, delta = second - start;
      const float want = i == 1 ? second : start + (float)i * delta;
      CHECK(memcmp(got, &want, 4) == 0 || isnan(want), "arange of float32 at %ld", (long)i);
    } else if (dtype == NUMD_FLOAT64) {
      const double start = *(double *)from.data, second = start + *(double *)by.data, delta = second - start;
      const double want = i == 1 ? second : start + (double)i * delta;
      CHECK(memcmp(got, &want, 8) == 0 || isnan(want), "arange of float64 at %ld", (long)i);
    } else {
      const uint64_t want = item_bits(dtype, from.data) + (uint64_t)i * item_bits(dtype, by.data);
      CHECK(memcmp(got, &want, (size_t)from.item) == 0, "arange of %s at %ld", dtype_rows[dtype].name,
            (long)i);
    }
  }
  free(out[0]);
  array_deinit(&from);
  array_deinit(&by);
}

START_TEST(test_arange) {
  static const int64_t lengths[] = {0, 1, 2, 3, 100, 16384, 16385, 40000};
  for (int d = NUMD_INT8; d <= NUMD_FLOAT64; d++)
    for (int i = 0; i < 8; i++)
      check_arange(d, lengths[i]);
}
END_TEST

static void check_linspace(numd_dtype dtype, double start, double stop, int64_t n, bool endpoint) {
  struct array from, to;
  const int64_t size = dtype_rows[dtype].size;
  array_init(&from, NUMD_FLOAT64, 0, NULL, C_ORDER);
  array_init(&to, NUMD_FLOAT64, 0, NULL, C_ORDER);
  *(double *)from.data = start;
  *(double *)to.data = stop;
  struct array_job job = making(NUMD_OP_LINSPACE, NUMD_FLOAT64, 2, (struct array *[]){&from, &to}, n);
  job.params.given |= NUMD_PARAM_DTYPE | (endpoint ? NUMD_PARAM_ENDPOINT : 0);
  job.params.dtype = (uint8_t)dtype;
  char *out[1], *const in[] = {from.data, to.data};
  plan_job(&job);
  ck_assert_int_eq(job.out[0].dtype, dtype);
  run_all_ways(&job, in, out);
  const double steps = (double)(endpoint ? n - 1 : n), step = (stop - start) / steps;
  for (int64_t i = 0; i < n; i++) {
    double want = steps == 0  ? start
                  : step == 0 ? (double)i / steps * (stop - start) + start
                              : (double)i * step + start;
    if (endpoint && n > 1 && i == n - 1)
      want = stop;
    const double got = (double)item_read(dtype, out[0] + i * size).re;
    want = dtype_rows[dtype].kind == 'i'                      ? floor(want)
           : dtype == NUMD_FLOAT32 || dtype == NUMD_COMPLEX64 ? (double)(float)want
                                                              : want;
    CHECK(got == want, "linspace(%g, %g, %ld) at %ld: %a, not %a", start, stop, (long)n, (long)i, got, want);
  }
  free(out[0]);
  array_deinit(&from);
  array_deinit(&to);
}

START_TEST(test_linspace) {
  static const int64_t lengths[] = {0, 1, 2, 3, 50, 16384, 16385, 40000};
  static const uint8_t dtypes[] = {NUMD_FLOAT64, NUMD_FLOAT32, NUMD_INT32, NUMD_COMPLEX64};
  for (int d = 0; d < 4; d++)
    for (int i = 0; i < 8; i++)
      for (int endpoint = 0; endpoint < 2; endpoint++) {
        check_linspace(dtypes[d], -3, 7.7, lengths[i], endpoint);
        check_linspace(dtypes[d], 1, 1, lengths[i], endpoint);
        check_linspace(dtypes[d], 0, dtypes[d] == NUMD_FLOAT64 ? 5e-324 : 1, lengths[i], endpoint);
      }
}
END_TEST

START_TEST(test_eye) {
  static const int64_t diagonals[] = {0, 1, -1, 7, -300, INT64_MAX, INT64_MIN};
  static const int64_t sides[][2] = {{0, 0}, {1, 1}, {3, 5}, {5, 3}, {200, 170}, {0, 4}, {4, 0}};
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < 7; s++)
      for (int k = 0; k < 7; k++) {
        struct array_job job = making(NUMD_OP_EYE, NUMD_FLOAT64, 0, NULL, sides[s][0]);
        job.params.n_ints[0] = 2;
        job.params.ints[0][1] = sides[s][1];
        job.params.given |= NUMD_PARAM_K | NUMD_PARAM_DTYPE;
        job.params.k = diagonals[k];
        job.params.dtype = (uint8_t)d;
        plan_job(&job);
        char *out[1];
        run_all_ways(&job, NULL, out);
        for (int64_t i = 0; i < sides[s][0] * sides[s][1]; i++) {
          const struct item v = item_read(d, out[0] + i * dtype_rows[d].size);
          const long double above = (long double)(i % sides[s][1]) - (long double)(i / sides[s][1]);
          CHECK(v.re == (above == (long double)diagonals[k]) && v.im == 0, "eye of %s", dtype_rows[d].name);
        }
        free(out[0]);
      }
}
END_TEST

START_TEST(test_wrong_shapes_are_refused) {
  struct array x;
  array_init(&x, NUMD_FLOAT64, 1, (int64_t[]){3}, C_ORDER);
  struct array_job job = making(NUMD_OP_ARANGE, NUMD_FLOAT64, 2, (struct array *[]){&x, &x}, 3);
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  job = making(NUMD_OP_EYE, NUMD_FLOAT64, 0, NULL, 3);
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  job = making(NUMD_OP_LINSPACE, NUMD_FLOAT64, 0, NULL, -1);
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  job = job_of(NUMD_OP_TRIL, NUMD_FLOAT64, 1, (struct array *[]){&x});
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  array_deinit(&x);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_generate");
  TCase *tcase = tcase_create("kernels_generate");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_test(tcase, test_triangles);
  tcase_add_test(tcase, test_arange);
  tcase_add_test(tcase, test_linspace);
  tcase_add_test(tcase, test_eye);
  tcase_add_test(tcase, test_wrong_shapes_are_refused);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
