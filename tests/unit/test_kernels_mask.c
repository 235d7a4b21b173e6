/* SPDX-License-Identifier: BSD-3-Clause */
/* Nonzero, extract and place: against what is selected one element after another, for every dtype, shape and
 * arrangement in memory, on every instruction set; the order and the threads that units run in make no
 * difference to the bytes, and a mask that changes meanwhile does no harm. */
#include "tests/unit/array_runs.h"

struct shape {
  int ndim;
  int64_t lengths[4];
};

static const struct shape shapes[] = {
    {1, {0}},       {1, {1}},       {1, {7}},        {1, {16}},         {1, {300}},      {1, {16384}},
    {1, {70001}},   {2, {40, 3}},   {2, {3, 40}},    {2, {5, 1100}},    {2, {20000, 2}}, {2, {2, 40000}},
    {3, {4, 5, 6}}, {3, {2, 0, 3}}, {3, {2, 9, 64}}, {4, {2, 3, 1, 4}},
};
#define N_SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

/* Long arrays take their time: not every dtype meets every one. */
static bool skip(const struct shape *shape) {
  int64_t size = 1;
  for (int d = 0; d < shape->ndim; d++)
    size *= shape->lengths[d];
  return size > 10000 && random_below(4);
}

static void choose_isa(int i) {
  while (kernels_init(kernels_isa_names[i]) != 0)
    i = 0;
}

/* Sets about one of `rarity` elements, in place of what is there. */
static void thin(struct array *mask, int rarity) {
  for (int64_t i = 0; i < mask->size; i++) {
    char *at = mask->flat + i * mask->item;
    if (rarity == 0 || random_below(rarity))
      memset(at, 0, (size_t)mask->item);
    else if (!item_nonzero(mask->layout.dtype, at))
      at[mask->item - 1] = 1;
  }
  array_copy(mask, true);
}

static const int rarities[] = {0, 1, 2, 30};

/* ---- Nonzero ---- */

static void check_nonzero(numd_dtype dtype, const struct shape *shape, enum arrangement how, int rarity) {
  struct array x;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  thin(&x, rarity);
  struct array_job job = job_of(NUMD_OP_NONZERO, dtype, 1, (struct array *[]){&x});
  plan_job(&job);
  ck_assert_int_eq(job.out[0].dtype, NUMD_INT64);
  ck_assert_int_eq(job.out[0].shape[0], shape->ndim);
  ck_assert_int_eq(job.out[0].shape[1], x.size);
  char *out[2];
  run_job(&job, &x.data, out, (enum run_way)random_below(RUN_WAYS));
  int64_t k = 0;
  for (int64_t i = 0; i < x.size; i++) {
    if (!item_nonzero(dtype, x.flat + i * x.item))
      continue;
    int64_t rest = i;
    for (int d = shape->ndim - 1; d >= 0; d--) {
      CHECK(((int64_t *)out[0])[d * x.size + k] == rest % shape->lengths[d],
            "nonzero of %s: number %ld, axis %d", dtype_rows[dtype].name, (long)k, d);
      rest /= shape->lengths[d];
    }
    k++;
  }
  ck_assert_int_eq(*(int64_t *)out[1], k);
  free(out[0]);
  free(out[1]);
  array_deinit(&x);
}

START_TEST(test_nonzero) {
  choose_isa(_i);
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int r = 0; r < 4 && !skip(&shapes[s]); r++)
        check_nonzero(d, &shapes[s], random_below(ARRANGEMENTS), rarities[r]);
}
END_TEST

/* ---- Extract ---- */

static void check_extract(numd_dtype dtype, const struct shape *shape, int mask_ndim, enum arrangement how,
                          int rarity) {
  struct array x, mask;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  array_init(&mask, NUMD_BOOL, mask_ndim, shape->lengths, how);
  thin(&mask, rarity);
  struct array_job job = job_of(NUMD_OP_EXTRACT, dtype, 2, (struct array *[]){&x, &mask});
  plan_job(&job);
  ck_assert_int_eq(job.out[0].dtype, dtype);
  ck_assert_int_eq(job.out[0].ndim, 1 + shape->ndim - mask_ndim);
  ck_assert_int_eq(job.out[0].shape[0], mask.size);
  char *out[2], *const in[] = {x.data, mask.data};
  run_job(&job, in, out, (enum run_way)random_below(RUN_WAYS));
  const size_t part = mask.size ? (size_t)(x.size / mask.size * x.item) : 0;
  int64_t k = 0;
  for (int64_t i = 0; i < mask.size; i++)
    if (mask.flat[i]) {
      CHECK(memcmp(out[0] + k * (int64_t)part, x.flat + i * (int64_t)part, part) == 0,
            "extract of %s: number %ld", dtype_rows[dtype].name, (long)k);
      k++;
    }
  ck_assert_int_eq(*(int64_t *)out[1], k);
  free(out[0]);
  free(out[1]);
  array_deinit(&x);
  array_deinit(&mask);
}

START_TEST(test_extract) {
  choose_isa(_i);
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int r = 0; r < 4 && !skip(&shapes[s]); r++)
        check_extract(d, &shapes[s], random_below(3) ? shapes[s].ndim : random_below(shapes[s].ndim + 1),
                      random_below(ARRANGEMENTS), rarities[r]);
}
END_TEST

/* ---- Place ---- */

static void check_place(numd_dtype dtype, const struct shape *shape, int mask_ndim, enum arrangement how,
                        int rarity, int64_t n_values) {
  struct array x, mask, values;
  array_init(&x, dtype, shape->ndim, shape->lengths, how);
  array_init(&mask, NUMD_BOOL, mask_ndim, shape->lengths, how);
  array_init(&values, dtype, 1, &n_values, how);
  thin(&mask, rarity);
  struct array_job job = job_of(NUMD_OP_PLACE, dtype, 3, (struct array *[]){&x, &mask, &values});
  plan_job(&job);
  char *out[1], *const in[] = {x.data, mask.data, values.data};
  run_all_ways(&job, in, out);
  const int64_t part = mask.size ? x.size / mask.size : 0;
  int64_t k = 0;
  for (int64_t i = 0; i < mask.size; i++)
    for (int64_t j = i * part; j < (i + 1) * part; j++) {
      const char *want = mask.flat[i] ? values.flat + k++ % n_values * x.item : x.flat + j * x.item;
      CHECK(memcmp(out[0] + j * x.item, want, (size_t)x.item) == 0, "place of %s: element %ld",
            dtype_rows[dtype].name, (long)j);
    }
  if (how == C_ORDER) { /* in place */
    const struct array_run run = {
        .job = &job, .in = in, .out = &x.data, .shared = malloc((size_t)job.shared_bytes)};
    ck_assert_uint_eq(run_phases(&run, TWO_THREADS), 0);
    ck_assert_int_eq(memcmp(x.data, out[0], (size_t)(x.size * x.item)), 0);
    free(run.shared);
  }
  free(out[0]);
  array_deinit(&x);
  array_deinit(&mask);
  array_deinit(&values);
}

START_TEST(test_place) {
  static const int64_t counts[] = {1, 3, 1000, 90000};
  choose_isa(_i);
  ck_assert(kernel_array(NUMD_OP_PLACE)->in_place);
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (int s = 0; s < N_SHAPES; s++)
      for (int i = 0; i < 2 && !skip(&shapes[s]); i++)
        check_place(d, &shapes[s], random_below(3) ? shapes[s].ndim : random_below(shapes[s].ndim + 1),
                    random_below(ARRANGEMENTS), rarities[random_below(4)], counts[random_below(4)]);
}
END_TEST

START_TEST(test_place_of_no_values) {
  struct array x, mask, values;
  array_init(&x, NUMD_INT32, 1, (int64_t[]){5}, C_ORDER);
  array_init(&mask, NUMD_BOOL, 1, (int64_t[]){5}, C_ORDER);
  array_init(&values, NUMD_INT32, 1, (int64_t[]){0}, C_ORDER);
  for (int any = 0; any < 2; any++) {
    thin(&mask, any);
    struct array_job job = job_of(NUMD_OP_PLACE, NUMD_INT32, 3, (struct array *[]){&x, &mask, &values});
    char *out[1], *const in[] = {x.data, mask.data, values.data};
    plan_job(&job);
    ck_assert_uint_eq(run_job(&job, in, out, IN_ORDER), any ? KERNEL_VALUE : 0);
    free(out[0]);
  }
  array_deinit(&x);
  array_deinit(&mask);
  array_deinit(&values);
}
END_TEST

/* ---- Beside results ---- */

START_TEST(test_wrong_shapes_are_refused) {
  struct array x, mask;
  array_init(&x, NUMD_INT32, 2, (int64_t[]){5, 6}, C_ORDER);
  array_init(&mask, NUMD_BOOL, 1, (int64_t[]){6}, C_ORDER);
  struct array_job job = job_of(NUMD_OP_EXTRACT, NUMD_INT32, 2, (struct array *[]){&x, &mask});
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  job = job_of(NUMD_OP_EXTRACT, NUMD_BOOL, 2, (struct array *[]){&mask, &x});
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  job.op = NUMD_OP_NONZERO;
  job.in[0].ndim = 0;
  ck_assert_int_eq(plan_status(&job), NUMD_ESHAPE);
  array_deinit(&x);
  array_deinit(&mask);
}
END_TEST

START_TEST(test_a_mask_that_changes_does_no_harm) {
  for (int ndim = 1; ndim <= 3; ndim++) {
    struct array x, mask, values;
    array_init(&x, NUMD_INT16, ndim, (int64_t[]){1000, 25, 4}, C_ORDER);
    array_init(&mask, NUMD_BOOL, ndim > 2 ? 2 : ndim, (int64_t[]){1000, 25}, C_ORDER);
    array_init(&values, NUMD_INT16, 1, (int64_t[]){7}, C_ORDER);
    char *const in[] = {x.data, mask.data, values.data}, *const only_mask[] = {mask.data};
    struct array_job job = job_of(NUMD_OP_EXTRACT, NUMD_INT16, 2, (struct array *[]){&x, &mask});
    plan_job(&job);
    run_while_scribbling(&job, in, &mask);
    job = job_of(NUMD_OP_PLACE, NUMD_INT16, 3, (struct array *[]){&x, &mask, &values});
    plan_job(&job);
    run_while_scribbling(&job, in, &mask);
    job = job_of(NUMD_OP_NONZERO, NUMD_BOOL, 1, (struct array *[]){&mask});
    plan_job(&job);
    run_while_scribbling(&job, only_mask, &mask);
    array_deinit(&x);
    array_deinit(&mask);
    array_deinit(&values);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_mask");
  TCase *tcase = tcase_create("kernels_mask");
  const int n_isas = count_isas();
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_nonzero, 0, n_isas);
  tcase_add_loop_test(tcase, test_extract, 0, n_isas);
  tcase_add_loop_test(tcase, test_place, 0, n_isas);
  tcase_add_test(tcase, test_place_of_no_values);
  tcase_add_test(tcase, test_wrong_shapes_are_refused);
  tcase_add_test(tcase, test_a_mask_that_changes_does_no_harm);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
