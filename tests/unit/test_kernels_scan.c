/* SPDX-License-Identifier: BSD-3-Clause */
/* Array kernels of class SCAN and MAKE, and triangles: against what is computed one element after another,
 * for every dtype, shape, axis and arrangement in memory, on every instruction set; the order and the threads
 * that units run in make no difference to the bytes. */
#include "tests/unit/array_runs.h"

struct shape {
  int ndim;
  int64_t lengths[4];
};

static const struct shape shapes[] = {
    {1, {1}},       {1, {7}},        {1, {63}},         {1, {64}},      {1, {300}},      {1, {70001}},
    {2, {1, 5}},    {2, {40, 3}},    {2, {3, 40}},      {2, {5, 1100}}, {2, {40000, 2}}, {2, {2, 70000}},
    {3, {4, 5, 6}}, {3, {2, 9, 17}}, {4, {2, 3, 1, 4}}, {0, {0}},
};
#define N_SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

/* Long arrays take their time: not every dtype meets every one. */
static bool skip(const struct shape *shape) {
  int64_t size = 1;
  for (int d = 0; d < shape->ndim; d++)
    size *= shape->lengths[d];
  return size > 10000 && random_below(4);
}

/* Elements before, along and after an axis; axis -1: of the flat array. */
struct lines {
  int64_t outer, length, inner;
};

static struct lines lines_of(const struct layout *a, int axis) {
  struct lines l = {1, 1, 1};
  for (int d = 0; d < a->ndim; d++)
    *(axis < 0 || d == axis ? &l.length : d < axis ? &l.outer : &l.inner) *= a->shape[d];
  return l;
}

static const char *choose_isa(int i) {
  while (kernels_init(kernels_isa_names[i]) != 0)
    i = 0;
  return kernels_isa_names[i];
}

/* ---- Argmax, argmin ---- */

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

START_TEST(test_arg) {
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

/* ---- Cumulative sums and products ---- */

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
  job = job_of(NUMD_OP_CUMULATIVE_SUM, NUMD_FLOAT64, 1, (struct array *[]){&x});
  job.params = (struct op_params){.given = NUMD_PARAM_AXIS, .axis = -2};
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  array_deinit(&x);
}
END_TEST

START_TEST(test_memory_that_changes_does_no_harm) {
  static const uint8_t ops[] = {NUMD_OP_ARGMAX, NUMD_OP_ARGMIN, NUMD_OP_CUMULATIVE_SUM,
                                NUMD_OP_CUMULATIVE_PROD};
  struct array x;
  array_init(&x, NUMD_FLOAT32, 2, (int64_t[]){400, 200}, C_ORDER);
  for (int i = 0; i < 4; i++)
    for (int axis = -1; axis < 2; axis++) {
      struct array_job job = job_of(ops[i], NUMD_FLOAT32, 1, (struct array *[]){&x});
      job.params = (struct op_params){.given = axis < 0 ? 0 : NUMD_PARAM_AXIS, .axis = axis};
      plan_job(&job);
      run_while_scribbling(&job, &x.data, &x);
    }
  array_deinit(&x);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_scan");
  TCase *tcase = tcase_create("kernels_scan");
  const int n_isas = count_isas();
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_arg, 0, n_isas);
  tcase_add_test(tcase, test_arg_takes_the_first);
  tcase_add_test(tcase, test_arg_of_nothing_is_refused);
  tcase_add_loop_test(tcase, test_cumulative, 0, n_isas);
  tcase_add_test(tcase, test_cumulative_of_nothing);
  tcase_add_test(tcase, test_triangles);
  tcase_add_test(tcase, test_arange);
  tcase_add_test(tcase, test_linspace);
  tcase_add_test(tcase, test_eye);
  tcase_add_test(tcase, test_wrong_shapes_are_refused);
  tcase_add_test(tcase, test_memory_that_changes_does_no_harm);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
