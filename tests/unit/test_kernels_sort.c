/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting, searching and different values, against comparing one by one: every dtype of the rows, row_lengths
 * about the thresholds, strides, NaN and both zeros, on one thread and two. */
#include "tests/unit/array_run.h"

#define MAX_N 140000
static _Alignas(64) char pool[MAX_N * 2 * 8];
static _Alignas(64) char wanted[MAX_N * 2 * 8];

static const int64_t row_lengths[] = {0,  1,   2,   7,   8,   15,   16,   17,    33,    64,    65,    96,
                                      97, 128, 129, 255, 257, 1025, 8193, 32767, 32768, 70001, 131073};
static int64_t longest = INT64_MAX; /* of those, to be tested */
#define N_ROW_LENGTHS ((int)(sizeof(row_lengths) / sizeof(row_lengths[0])))

enum pattern { RANDOM, FEW, SAME, RISING, FALLING, PIPE, SAMPLES, N_PATTERNS };

/* -1, 0, 1; a NaN is behind all others, in either direction. */
static int compare(numd_dtype dtype, const char *a, const char *b, bool descending) {
  const int way = descending ? -1 : 1;
  switch (dtype) {
    case NUMD_BOOL:
      return way * ((*a != 0) - (*b != 0));
#define X(number, NAME, name, ctype, kind, npchar)                                        \
  case NUMD_##NAME: {                                                                     \
    const ctype x = *(const ctype *)(const void *)a, y = *(const ctype *)(const void *)b; \
    if (x != x || y != y)                                                                 \
      return (x != x) - (y != y);                                                         \
    return way * ((x > y) - (x < y));                                                     \
  }
      X(1, INT8, , int8_t, , )
      X(2, INT16, , int16_t, , )
      X(3, INT32, , int32_t, , )
      X(4, INT64, , int64_t, , )
      X(5, UINT8, , uint8_t, , )
      X(6, UINT16, , uint16_t, , )
      X(7, UINT32, , uint32_t, , )
      X(8, UINT64, , uint64_t, , )
      X(9, FLOAT32, , float, , )
      X(10, FLOAT64, , double, , )
#undef X
    default:
      ck_abort();
  }
}

struct vector_of {
  numd_dtype dtype;
  const char *data;
  int64_t n, stride;
};

static const char *at(const struct vector_of *v, int64_t i) {
  return v->data + i * v->stride;
}

/* Equal elements: their order, which makes the sort of the reference stable. */
static struct vector_of sorting;
static bool sorting_descending;
static int compare_indices(const void *a, const void *b) {
  const int64_t i = *(const int64_t *)a, k = *(const int64_t *)b;
  const int order = compare(sorting.dtype, at(&sorting, i), at(&sorting, k), sorting_descending);
  return order ? order : (i > k) - (i < k);
}

static int64_t *sorted_indices(const struct vector_of *v, bool descending) {
  int64_t *order = malloc((size_t)(v->n + 1) * sizeof(*order));
  for (int64_t i = 0; i < v->n; i++)
    order[i] = i;
  sorting = *v;
  sorting_descending = descending;
  qsort(order, (size_t)v->n, sizeof(*order), compare_indices);
  return order;
}

/* Any bits of an integer, small ones as often as large; of floats, the special ones too. */
static void any_item(numd_dtype dtype, char *item) {
  const int64_t bits = random_int();
  if (dtype_rows[dtype].kind == 'f')
    random_item(dtype, item);
  else
    memcpy(item, &bits, dtype_rows[dtype].size);
}

static bool is_nan(numd_dtype dtype, const char *item) {
  return dtype_rows[dtype].kind == 'f' && isnan(as_double(dtype, item));
}

/* What is sorted rises and falls again; or the lowest are at equal distances, where a sample may be taken. */
static void rearrange(int64_t n, int64_t *order, enum pattern pattern) {
  const int64_t step = n / 64 + 1;
  int64_t *from = malloc((size_t)(n + 1) * sizeof(*from)), k = 0;
  memcpy(from, order, (size_t)n * sizeof(*from));
  if (pattern == PIPE)
    for (int64_t i = 0; i < n; i++)
      order[i % 2 ? n - 1 - i / 2 : i / 2] = from[i];
  else
    for (int64_t first = 0; first < step; first++)
      for (int64_t i = (first + step / 2) % step; i < n; i += step)
        order[i] = from[k++];
  free(from);
}

/* A vector in `memory`, with steps of 1, 2 or -1 items. */
static struct vector_of fill(char *memory, numd_dtype dtype, int64_t n, enum pattern pattern, int step) {
  const int64_t size = dtype_rows[dtype].size;
  struct vector_of v = {dtype, memory + (step < 0 && n ? (n - 1) * size : 0), n, step * size};
  for (int64_t i = 0; i < n; i++)
    any_item(dtype, (char *)at(&v, i));
  if (pattern == FEW)
    for (int64_t i = 5; i < n; i++)
      memcpy((char *)at(&v, i), at(&v, random_below(5)), (size_t)size);
  if (pattern == SAME)
    for (int64_t i = 1; i < n; i++)
      memcpy((char *)at(&v, i), at(&v, 0), (size_t)size);
  if (pattern < RISING)
    return v;
  int64_t *order = sorted_indices(&v, pattern == FALLING);
  if (pattern >= PIPE)
    rearrange(n, order, pattern);
  char *copy = malloc((size_t)(n * size + 1));
  for (int64_t i = 0; i < n; i++)
    memcpy(copy + i * size, at(&v, order[i]), (size_t)size);
  for (int64_t i = 0; i < n; i++)
    memcpy((char *)at(&v, i), copy + i * size, (size_t)size);
  free(order);
  free(copy);
  return v;
}

static bool same_item(numd_dtype dtype, const char *got, const char *from) {
  if (dtype == NUMD_BOOL)
    return *got == (*from != 0);
  return memcmp(got, from, dtype_rows[dtype].size) == 0;
}

static void set_input(struct trial *t, int i, const struct vector_of *v) {
  t->job.in[i] = vector(v->dtype, v->n, v->stride);
  t->in[i] = (char *)v->data;
}

static void check_sort(numd_op op, const struct vector_of *v, bool descending) {
  struct trial t = {.job.params.given = descending ? NUMD_PARAM_DESCENDING : 0};
  set_input(&t, 0, v);
  ck_assert_int_eq(trial_plan(&t, op, v->dtype), 0);
  ck_assert_int_eq(trial_run_both(&t), 0);
  int64_t *order = sorted_indices(v, descending);
  for (int64_t i = 0; i < v->n; i++)
    if (op == NUMD_OP_ARGSORT)
      CHECK(out_int(&t, 0, i) == order[i], "argsort of %ld %s: at %ld", (long)v->n, dtype_rows[v->dtype].name,
            (long)i);
    else
      CHECK(same_item(v->dtype, t.out[0].data + i * dtype_rows[v->dtype].size, at(v, order[i])),
            "sort of %ld %s: at %ld", (long)v->n, dtype_rows[v->dtype].name, (long)i);
  free(order);
  trial_free(&t);
}

static void for_each_vector(numd_op op, void (*check)(numd_op, const struct vector_of *, int)) {
  static const int steps[] = {1, 2, -1};
  for (int dtype = 0; dtype < NUMD_DTYPE_CODES; dtype++)
    for (int l = 0; l < N_ROW_LENGTHS && dtype_known((unsigned)dtype) && op_takes(op, (numd_dtype)dtype); l++)
      for (int p = 0; p < N_PATTERNS && row_lengths[l] <= longest; p++) {
        if (row_lengths[l] > 10000 && p != random_below(N_PATTERNS) && l + 1 != N_ROW_LENGTHS)
          continue;
        if (row_lengths[l] > 100000 && p != dtype % N_PATTERNS)
          continue;
        const struct vector_of v =
            fill(pool, (numd_dtype)dtype, row_lengths[l], (enum pattern)p, steps[(l + p) % 3]);
        check(op, &v, p + l);
      }
}

static void check_sort_either_way(numd_op op, const struct vector_of *v, int variant) {
  check_sort(op, v, variant % 2 != 0);
}

START_TEST(test_sort) {
  random_reseed();
  for (int isa = 0; kernels_isa_names[isa]; isa++) {
    if (kernels_init(kernels_isa_names[isa]) != 0)
      continue;
    longest = kernels_isa_names[isa + 1] ? 1025 : INT64_MAX;
    for_each_vector(NUMD_OP_SORT, check_sort_either_way);
    for_each_vector(NUMD_OP_ARGSORT, check_sort_either_way);
  }
}
END_TEST

/* Along each axis of an array whose axes are of any length: each row is what it is alone. */
static void check_rows(numd_op op, int64_t a, int64_t b, int64_t c, int axis) {
  const numd_dtype dtype = NUMD_FLOAT32;
  struct trial t = {.job.params = {.given = NUMD_PARAM_AXIS, .axis = axis}};
  fill(pool, dtype, a * b * c, FEW, 1);
  /* the middle axis has the longest stride, the first a negative one */
  t.job.in[0] = (struct layout){
      .dtype = (uint8_t)dtype, .ndim = 3, .shape = {a, b, c}, .strides = {-4 * c, 4 * a * c, 4}};
  t.in[0] = pool + (a - 1) * c * 4;
  ck_assert_int_eq(trial_plan(&t, op, dtype), 0);
  ck_assert_int_eq(trial_run_both(&t), 0);
  const struct layout *in = &t.job.in[0], *out = &t.job.out[0];
  for (int64_t i = 0; i < a * b * c / in->shape[axis]; i++) {
    const int p = axis == 0, q = axis == 2 ? 1 : 2;
    const int64_t u = i / in->shape[q], w = i % in->shape[q];
    const struct vector_of v = {dtype, t.in[0] + u * in->strides[p] + w * in->strides[q], in->shape[axis],
                                in->strides[axis]};
    int64_t *order = sorted_indices(&v, false);
    const char *got = t.out[0].data + u * out->strides[p] + w * out->strides[q];
    for (int64_t k = 0; k < v.n; k++)
      CHECK(op == NUMD_OP_ARGSORT ? *(const int64_t *)(const void *)(got + k * out->strides[axis]) == order[k]
                                  : memcmp(got + k * out->strides[axis], at(&v, order[k]), 4) == 0,
            "%s along %d of (%ld, %ld, %ld)", op_rows[op].name, axis, (long)a, (long)b, (long)c);
    free(order);
  }
  trial_free(&t);
}

START_TEST(test_rows) {
  random_reseed();
  kernels_init(NULL);
  for (int axis = 0; axis < 3; axis++)
    for (int op = NUMD_OP_SORT; op <= NUMD_OP_ARGSORT; op++) {
      check_rows((numd_op)op, 7, 300, 5, axis);
      check_rows((numd_op)op, 1, 20, 16, axis);
      check_rows((numd_op)op, 2, 2, 33000, axis);
    }
}
END_TEST

static void check_search(numd_op op, const struct vector_of *v, int variant) {
  const bool right = variant % 2;
  struct trial t = {.job.params.given = right ? NUMD_PARAM_RIGHT : 0};
  int64_t *order = sorted_indices(v, false);
  const int64_t size = dtype_rows[v->dtype].size, n = v->n < 500 ? v->n : 500;
  for (int64_t i = 0; i < v->n; i++)
    memcpy(wanted + 2 * i * size, at(v, order[i]), (size_t)size);
  const struct vector_of hay = {v->dtype, wanted, v->n, 2 * size}, few = {v->dtype, v->data, n, v->stride};
  set_input(&t, 0, &hay);
  set_input(&t, 1, &few);
  ck_assert_int_eq(trial_plan(&t, op, v->dtype), 0);
  ck_assert_int_eq(trial_run_both(&t), 0);
  for (int64_t i = 0; i < n; i++) {
    const int64_t p = out_int(&t, 0, i);
    CHECK(p >= 0 && p <= v->n, "out of range");
    CHECK(p == 0 || compare(v->dtype, at(&hay, p - 1), at(v, i), false) < right, "too far to the right");
    CHECK(p == v->n || compare(v->dtype, at(&hay, p), at(v, i), false) >= right, "too far to the left");
  }
  free(order);
  trial_free(&t);
}

static void check_isin(numd_op op, const struct vector_of *v, int variant) {
  const int64_t n_set = v->n / 3, n = v->n < 1500 ? v->n : 1500;
  const bool invert = variant % 2;
  struct trial t = {.job.params.given = invert ? NUMD_PARAM_INVERT : 0};
  const struct vector_of x = {v->dtype, at(v, v->n - n), n, v->stride},
                         set = {v->dtype, v->data, n_set, v->stride};
  set_input(&t, 0, &x);
  set_input(&t, 1, &set);
  ck_assert_int_eq(trial_plan(&t, op, v->dtype), 0);
  ck_assert_int_eq(trial_run_both(&t), 0);
  int64_t *order = sorted_indices(&set, false);
  for (int64_t i = 0; i < n; i++) {
    int64_t low = 0, high = n_set;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (compare(v->dtype, at(&set, order[middle]), at(&x, i), false) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    const bool nan = is_nan(v->dtype, at(&x, i));
    const bool found = !nan && low < n_set && compare(v->dtype, at(&set, order[low]), at(&x, i), false) == 0;
    CHECK(t.out[0].data[i] == (found != invert), "isin of %s", dtype_rows[v->dtype].name);
  }
  free(order);
  trial_free(&t);
}

/* Which output of a unique operation is what; -1: none. */
static void unique_outputs(numd_op op, int *indices, int *inverse, int *counts) {
  *indices = op == NUMD_OP_UNIQUE_ALL ? 1 : -1;
  *inverse = op == NUMD_OP_UNIQUE_ALL ? 2 : op == NUMD_OP_UNIQUE_INVERSE ? 1 : -1;
  *counts = op == NUMD_OP_UNIQUE_ALL ? 3 : op == NUMD_OP_UNIQUE_COUNTS ? 1 : -1;
}

static void check_unique(numd_op op, const struct vector_of *v, int variant) {
  struct trial t = {.job.params.given = 0};
  const int64_t size = dtype_rows[v->dtype].size;
  int indices, inverse, counts;
  unique_outputs(op, &indices, &inverse, &counts);
  set_input(&t, 0, v);
  ck_assert_int_eq(trial_plan(&t, op, v->dtype), 0);
  ck_assert_int_eq(trial_run_both(&t), 0);
  int64_t *order = sorted_indices(v, false), k = 0;
  for (int64_t i = 0, next; i < v->n; i = next, k++) {
    const char *value = at(v, order[i]);
    const bool nan = is_nan(v->dtype, value);
    for (next = i + 1; next < v->n && !nan && compare(v->dtype, value, at(v, order[next]), false) == 0;
         next++) {
    }
    CHECK(compare(v->dtype, t.out[0].data + k * size, value, false) == 0, "%s of %s: value %ld",
          op_rows[op].name, dtype_rows[v->dtype].name, (long)k);
    CHECK(indices < 0 || out_int(&t, indices, k) == order[i], "first index");
    CHECK(counts < 0 || out_int(&t, counts, k) == next - i, "count");
    for (int64_t j = i; j < next && inverse >= 0; j++)
      CHECK(out_int(&t, inverse, order[j]) == k, "inverse");
  }
  CHECK(out_int(&t, t.job.n_out - 1, 0) == k, "%s: %ld values, not %ld", op_rows[op].name,
        (long)out_int(&t, t.job.n_out - 1, 0), (long)k);
  for (int64_t i = k * size; i < v->n * size; i++)
    CHECK((uint8_t)t.out[0].data[i] == GUARD, "written beyond the last value");
  free(order);
  trial_free(&t);
}

START_TEST(test_search) {
  random_reseed();
  kernels_init(NULL);
  for_each_vector(NUMD_OP_SEARCHSORTED, check_search);
  for_each_vector(NUMD_OP_ISIN, check_isin);
}
END_TEST

START_TEST(test_unique) {
  random_reseed();
  kernels_init(NULL);
  for (int op = NUMD_OP_UNIQUE_VALUES; op <= NUMD_OP_UNIQUE_ALL; op++)
    for_each_vector((numd_op)op, check_unique);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* racing is the point */
START_TEST(test_memory_that_changes) {
  static const numd_op ops[] = {NUMD_OP_SORT, NUMD_OP_ARGSORT, NUMD_OP_SEARCHSORTED, NUMD_OP_UNIQUE_ALL,
                                NUMD_OP_ISIN};
  struct scribbler s;
  random_reseed();
  kernels_init(NULL);
  memset(pool, 0, sizeof(pool));
  scribbler_start(&s, pool, 560000);
  for (int round = 0; round < 60; round++) {
    const numd_op op = ops[round % 5];
    const numd_dtype dtype = (numd_dtype)(round % 11);
    const struct vector_of v = {dtype, pool, round % 3 ? 70000 : 16, dtype_rows[dtype].size};
    struct trial t = {.job.params.given = 0};
    set_input(&t, 0, &v);
    set_input(&t, 1, &v);
    ck_assert_int_eq(trial_plan(&t, op, dtype), 0);
    trial_run(&t, 2);
    if (op == NUMD_OP_ARGSORT || op == NUMD_OP_SEARCHSORTED)
      for (int64_t i = 0; i < v.n; i++)
        CHECK(out_int(&t, 0, i) >= 0 && out_int(&t, 0, i) <= v.n, "an index from nowhere");
    trial_free(&t);
  }
  scribbler_stop(&s);
}
END_TEST
#endif

START_TEST(test_refusals) {
  struct trial t = {.job.params.given = 0};
  t.job.in[0] = (struct layout){.dtype = NUMD_INT8};
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_SORT, NUMD_INT8), NUMD_ESHAPE);
  ck_assert_str_eq(t.err.text, "sort: axis -1 of an array with 0 dimensions");
  t.job.in[1] = t.job.in[0];
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_SEARCHSORTED, NUMD_INT8), NUMD_ESHAPE);
  t.job.in[0] = vector(NUMD_INT8, 3, 1);
  t.job.params = (struct op_params){.given = NUMD_PARAM_AXIS, .axis = 1};
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_ARGSORT, NUMD_INT8), NUMD_ESHAPE);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_sort");
  TCase *tc = tcase_create("all");
  tcase_set_timeout(tc, 240);
  tcase_add_test(tc, test_sort);
  tcase_add_test(tc, test_rows);
  tcase_add_test(tc, test_search);
  tcase_add_test(tc, test_unique);
#ifndef __SANITIZE_THREAD__
  tcase_add_test(tc, test_memory_that_changes);
#endif
  tcase_add_test(tc, test_refusals);
  suite_add_tcase(suite, tc);
  return run_suite(suite);
}
