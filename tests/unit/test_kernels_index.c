/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking and putting at indices, against doing it element by element: random shapes, strides, dtypes of the
 * elements and of the indices, along every axis and flat. */
#include "tests/unit/array_run.h"

#define MAX_BYTES (1 << 21)
static _Alignas(64) char x_pool[MAX_BYTES], index_pool[MAX_BYTES], value_pool[MAX_BYTES];

static int64_t elements(const struct layout *a) {
  int64_t n = 1;
  for (int d = 0; d < a->ndim; d++)
    n *= a->shape[d];
  return n;
}

/* The C order place of element i taken apart. */
static void place(const struct layout *a, int64_t i, int64_t index[MAX_DIMS]) {
  for (int d = a->ndim - 1; d >= 0; d--) {
    index[d] = i % a->shape[d];
    i /= a->shape[d];
  }
}

static int64_t offset(const struct layout *a, const int64_t index[MAX_DIMS]) {
  int64_t sum = 0;
  for (int d = 0; d < a->ndim; d++)
    sum += (a->shape[d] == 1 ? 0 : index[d]) * a->strides[d];
  return sum;
}

static int64_t offset_of(const struct layout *a, int64_t i) {
  int64_t index[MAX_DIMS];
  place(a, i, index);
  return offset(a, index);
}

/* Strides of any sign and gaps, the axes in any order; *first is the offset of the first element. */
static void random_strides(struct layout *a, int64_t *first) {
  int64_t step = dtype_rows[a->dtype].size * (1 + random_below(2)), axes[MAX_DIMS];
  for (int d = 0; d < a->ndim; d++)
    axes[d] = d;
  if (random_below(2))
    shuffle(axes, a->ndim);
  *first = 0;
  for (int d = a->ndim - 1; d >= 0; d--) {
    const int axis = (int)axes[d];
    a->strides[axis] = step;
    step *= a->shape[axis] ? a->shape[axis] : 1;
    if (random_below(3) == 0 && a->shape[axis] > 0) {
      *first += (a->shape[axis] - 1) * a->strides[axis];
      a->strides[axis] = -a->strides[axis];
    }
  }
}

static struct layout random_layout(numd_dtype dtype, int ndim, int most) {
  struct layout a = {.dtype = (uint8_t)dtype, .ndim = (uint8_t)ndim};
  for (int d = 0; d < ndim; d++)
    a.shape[d] = 1 + random_below(most);
  return a;
}

static void set_input(struct trial *t, int i, char *pool, struct layout *a) {
  int64_t first;
  random_strides(a, &first);
  t->job.in[i] = *a;
  t->in[i] = pool + first;
}

static void write_index(numd_dtype dtype, char *to, int64_t index) {
  memcpy(to, &index, dtype_rows[dtype].size); /* little-endian, as all that numd runs on */
}

static int64_t read_index(numd_dtype dtype, const char *from) {
  int64_t index = 0;
  const int size = dtype_rows[dtype].size;
  memcpy(&index, from, (size_t)size);
  return dtype_rows[dtype].kind == 'i' ? (int64_t)((uint64_t)index << (64 - 8 * size)) >> (64 - 8 * size)
                                       : index;
}

/* Indices within -length .. length-1, as far as their dtype goes. */
static void fill_indices(struct trial *t, int64_t length) {
  const struct layout *a = &t->job.in[1];
  const int64_t most = length < 128 ? length : 128;
  for (int64_t i = 0; i < elements(a); i++) {
    const int64_t index = random_below((int)most);
    const bool negative = dtype_rows[a->dtype].kind == 'i' && random_below(2);
    write_index((numd_dtype)a->dtype, t->in[1] + offset_of(a, i), negative ? -1 - index : index);
  }
}

static int64_t wanted_index(const struct trial *t, const int64_t index[MAX_DIMS], int64_t length) {
  const struct layout *a = &t->job.in[1];
  const int64_t i = read_index((numd_dtype)a->dtype, t->in[1] + offset(a, index));
  return i < 0 ? i + length : i;
}

/* Where the place `index` of the taken elements is in x: as its own index, or as its number in C order. */
static int64_t source(const struct trial *t, int axis, const int64_t index[MAX_DIMS]) {
  const struct layout *x = &t->job.in[0], *indices = &t->job.in[1];
  const bool along = t->job.op == NUMD_OP_TAKE_ALONG_AXIS || t->job.op == NUMD_OP_PUT_ALONG_AXIS;
  int64_t at[MAX_DIMS], number = 0;
  if (axis < 0)
    return wanted_index(t, index, elements(x));
  for (int d = 0; d < x->ndim; d++)
    if (d != axis)
      at[d] = along || d < axis ? index[d] : index[d + indices->ndim - 1];
  at[axis] = wanted_index(t, index + (along ? 0 : axis), x->shape[axis]);
  for (int d = 0; d < x->ndim; d++)
    number = number * x->shape[d] + (x->shape[d] == 1 ? 0 : at[d]);
  return number;
}

static void check_take(struct trial *t, int axis) {
  const struct layout *x = &t->job.in[0], *out = &t->job.out[0];
  const int size = dtype_rows[x->dtype].size;
  int64_t index[MAX_DIMS];
  ck_assert_int_eq(trial_run_both(t), 0);
  for (int64_t i = 0; i < elements(out); i++) {
    place(out, i, index);
    CHECK(
        memcmp(t->out[0].data + i * size, t->in[0] + offset_of(x, source(t, axis, index)), (size_t)size) == 0,
        "%s along %d: element %ld", op_rows[t->job.op].name, axis, (long)i);
  }
}

static void check_put(struct trial *t, int axis, const struct layout *places) {
  const struct layout *x = &t->job.in[0], *values = &t->job.in[2];
  const int size = dtype_rows[x->dtype].size;
  const int64_t n = elements(x);
  char *wanted = malloc((size_t)(n * size + 1));
  int64_t index[MAX_DIMS];
  for (int64_t i = 0; i < n; i++)
    memcpy(wanted + i * size, t->in[0] + offset_of(x, i), (size_t)size);
  for (int64_t i = 0; i < elements(places); i++) {
    place(places, i, index);
    memcpy(wanted + source(t, axis, index) * size,
           t->in[2] + offset(values, index + places->ndim - values->ndim), (size_t)size);
  }
  ck_assert_int_eq(trial_run_both(t), 0);
  CHECK(memcmp(wanted, t->out[0].data, (size_t)(n * size)) == 0, "%s along %d", op_rows[t->job.op].name,
        axis);
  free(wanted);
}

/* The indices' layout: of any shape, or for an index of its own for each place that of x but for the axis,
 * here and there 1. */
static struct layout random_indices(numd_op op, const struct layout *x, int axis) {
  static const numd_dtype dtypes[] = {NUMD_INT8,  NUMD_INT16,  NUMD_INT32,  NUMD_INT64,
                                      NUMD_UINT8, NUMD_UINT16, NUMD_UINT32, NUMD_UINT64};
  const numd_dtype dtype = dtypes[random_below(8)];
  struct layout a = *x;
  if (op == NUMD_OP_TAKE || op == NUMD_OP_PUT)
    return random_layout(dtype, random_below(3), random_below(4) ? 9 : 70);
  a.dtype = (uint8_t)dtype;
  for (int d = 0; d < a.ndim; d++)
    if (d == axis)
      a.shape[d] = random_below(20);
    else if (random_below(4) == 0)
      a.shape[d] = 1;
  return a;
}

static void check_once(numd_op op, numd_dtype dtype) {
  const bool put = op == NUMD_OP_PUT || op == NUMD_OP_PUT_ALONG_AXIS;
  const bool along = op == NUMD_OP_TAKE_ALONG_AXIS || op == NUMD_OP_PUT_ALONG_AXIS;
  struct trial t = {.job.params.given = 0}, taken = {.job.params.given = 0};
  struct layout x = random_layout(dtype, 1 + random_below(3), random_below(3) ? 8 : 25);
  const int axis = !along && random_below(3) == 0 ? -1 : random_below(x.ndim);
  struct layout indices = random_indices(op, &x, axis), values;
  if (axis >= 0)
    t.job.params =
        (struct op_params){.given = NUMD_PARAM_AXIS, .axis = random_below(2) ? axis : axis - x.ndim};
  set_input(&t, 0, x_pool, &x);
  set_input(&t, 1, index_pool, &indices);
  fill_indices(&t, axis < 0 ? elements(&x) : x.shape[axis]);
  taken.job = t.job;
  ck_assert_int_eq(trial_plan(&taken, along ? NUMD_OP_TAKE_ALONG_AXIS : NUMD_OP_TAKE, dtype), 0);
  if (put && 2 * dtype_rows[dtype].size * elements(&taken.job.out[0]) > MAX_BYTES) {
    trial_free(&taken); /* more than the pool has, with gaps */
    return;
  }
  if (put) {
    values = taken.job.out[0];
    if (values.ndim > 0 && random_below(3) == 0)
      values.shape[random_below(values.ndim)] = 1;
    set_input(&t, 2, value_pool, &values);
    ck_assert_int_eq(trial_plan(&t, op, dtype), 0);
    if (elements(&values) > 0 || elements(&taken.job.out[0]) == 0)
      check_put(&t, axis, &taken.job.out[0]);
  } else {
    ck_assert_int_eq(trial_plan(&t, op, dtype), 0);
    check_take(&t, axis);
  }
  trial_free(&taken);
  trial_free(&t);
}

static const numd_op ops[] = {NUMD_OP_TAKE, NUMD_OP_TAKE_ALONG_AXIS, NUMD_OP_PUT, NUMD_OP_PUT_ALONG_AXIS};

static void fill_pools(void) {
  for (int64_t i = 0; i < MAX_BYTES / 8; i++) {
    ((uint64_t *)(void *)x_pool)[i] = random_bits();
    ((uint64_t *)(void *)value_pool)[i] = random_bits();
  }
}

START_TEST(test_every_dtype) {
  random_reseed();
  fill_pools();
  for (int o = 0; o < 4; o++)
    for (int dtype = 0; dtype < NUMD_DTYPE_CODES; dtype++)
      for (int round = 0; round < 60 && dtype_known((unsigned)dtype) && op_takes(ops[o], (numd_dtype)dtype);
           round++)
        check_once(ops[o], (numd_dtype)dtype);
}
END_TEST

/* More than one unit and more than one block: one axis, a long inner part. */
START_TEST(test_large) {
  random_reseed();
  fill_pools();
  static const struct {
    int64_t rows, columns, n;
    int axis;
  } cases[] = {
      {1, 50000, 40000, 1}, {1, 50000, 40000, -1}, {3, 70000, 2, 0}, {200, 300, 513, 1}, {300, 200, 17, 0}};
  for (int c = 0; c < 10; c++) {
    const bool put = c >= 5;
    const int axis = cases[c % 5].axis;
    struct trial t = {.job.params = {.given = axis < 0 ? 0 : NUMD_PARAM_AXIS, .axis = axis}}, taken = t;
    struct layout x = {.dtype = NUMD_INT32, .ndim = 2, .shape = {cases[c % 5].rows, cases[c % 5].columns}};
    struct layout indices = {.dtype = NUMD_INT16, .ndim = 1, .shape = {cases[c % 5].n}};
    set_input(&t, 0, x_pool, &x);
    set_input(&t, 1, index_pool, &indices);
    fill_indices(&t, axis < 0 ? elements(&x) : x.shape[axis]);
    taken.job = t.job;
    ck_assert_int_eq(trial_plan(&taken, NUMD_OP_TAKE, NUMD_INT32), 0);
    struct layout values = taken.job.out[0];
    set_input(&t, 2, value_pool, &values);
    ck_assert_int_eq(trial_plan(&t, put ? NUMD_OP_PUT : NUMD_OP_TAKE, NUMD_INT32), 0);
    if (put)
      check_put(&t, axis, &taken.job.out[0]);
    else
      check_take(&t, axis);
    trial_free(&taken);
    trial_free(&t);
  }
}
END_TEST

/* One index of several is outside: it is reported, nothing else is touched, and nothing is put. */
START_TEST(test_out_of_bounds) {
  static const int64_t outside[] = {10, -11, INT64_MAX, INT64_MIN, -1}; /* the last one unsigned */
  random_reseed();
  fill_pools();
  for (int o = 0; o < 4; o++)
    for (int k = 0; k < 5; k++) {
      struct trial t = {.job.params.given = 0};
      int64_t *const indices = (int64_t *)(void *)index_pool;
      for (int i = 0; i < 3; i++)
        indices[i] = i == 1 ? outside[k] : i;
      t.job.in[0] = vector(NUMD_FLOAT64, 10, 8);
      t.job.in[1] = vector(k == 4 ? NUMD_UINT64 : NUMD_INT64, 3, 8);
      t.job.in[2] = vector(NUMD_FLOAT64, 3, 8);
      t.in[0] = x_pool;
      t.in[1] = index_pool;
      t.in[2] = value_pool;
      ck_assert_int_eq(trial_plan(&t, ops[o], NUMD_FLOAT64), 0);
      ck_assert_int_eq(trial_run_both(&t), KERNEL_INDEX);
      for (int i = 0; t.job.n_in == 3 && i < 80; i++)
        CHECK((uint8_t)t.out[0].data[i] == GUARD, "some of it was put");
      trial_free(&t);
    }
}
END_TEST

START_TEST(test_in_place) {
  struct trial t = {.job.params.given = 0};
  random_reseed();
  fill_pools();
  *(int64_t *)(void *)index_pool = 7;
  t.job.in[0] = vector(NUMD_INT64, 20000, 8);
  t.job.in[1] = vector(NUMD_INT64, 1, 8);
  t.job.in[2] = vector(NUMD_INT64, 1, 8);
  t.in[1] = index_pool;
  t.in[2] = value_pool;
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_PUT, NUMD_INT64), 0);
  ck_assert(t.kernel->in_place);
  memcpy(t.out[0].data, x_pool, 160000);
  t.in[0] = t.out[0].data;
  ck_assert_int_eq(trial_run(&t, 2), 0);
  memcpy(x_pool + 56, value_pool, 8);
  CHECK(memcmp(t.out[0].data, x_pool, 160000) == 0, "put in place");
  trial_free(&t);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* racing is the point */
START_TEST(test_memory_that_changes) {
  struct scribbler s;
  random_reseed();
  scribbler_start(&s, index_pool, 240000);
  for (int round = 0; round < 80; round++) {
    struct trial t = {.job.params.given = 0};
    t.job.in[0] = vector(NUMD_INT16, 30000, 2);
    t.job.in[1] = vector(round % 2 ? NUMD_INT16 : NUMD_INT64, 30000, round % 2 ? 2 : 8);
    t.job.in[2] = vector(NUMD_INT16, 30000, 2);
    t.in[0] = t.in[2] = x_pool;
    t.in[1] = index_pool;
    ck_assert_int_eq(trial_plan(&t, ops[round / 2 % 4], NUMD_INT16), 0);
    trial_run(&t, 2);
    trial_free(&t);
  }
  scribbler_stop(&s);
}
END_TEST
#endif

START_TEST(test_refusals) {
  struct trial t = {.job.params.given = 0};
  t.job.in[0] = vector(NUMD_INT8, 0, 1);
  t.job.in[1] = vector(NUMD_INT64, 2, 8);
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_TAKE, NUMD_INT8), NUMD_EINDEX);
  t.job.in[0] = vector(NUMD_INT8, 4, 1);
  t.job.in[2] = vector(NUMD_INT8, 3, 1);
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_PUT, NUMD_INT8), NUMD_ESHAPE);
  ck_assert_str_eq(t.err.text, "put: values of shape (3,) do not broadcast to (2,)");
  t.job.in[1] = (struct layout){.dtype = NUMD_INT64, .ndim = 2, .shape = {2, 2}};
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_TAKE_ALONG_AXIS, NUMD_INT8), NUMD_ESHAPE);
  t.job.params = (struct op_params){.given = NUMD_PARAM_AXIS, .axis = 1};
  ck_assert_int_eq(trial_plan(&t, NUMD_OP_TAKE, NUMD_INT8), NUMD_ESHAPE);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_index");
  TCase *tc = tcase_create("all");
  tcase_set_timeout(tc, 120);
  tcase_add_test(tc, test_every_dtype);
  tcase_add_test(tc, test_large);
  tcase_add_test(tc, test_out_of_bounds);
  tcase_add_test(tc, test_in_place);
#ifndef __SANITIZE_THREAD__
  tcase_add_test(tc, test_memory_that_changes);
#endif
  tcase_add_test(tc, test_refusals);
  suite_add_tcase(suite, tc);
  return run_suite(suite);
}
