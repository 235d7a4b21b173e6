/* SPDX-License-Identifier: BSD-3-Clause */
/* Which nodes become one step, and that it makes no difference to what comes out: programs that chance makes
 * are compared with a reading of them operation by operation. */
#include <math.h>

#include "tests/unit/programs.h"
#include "tests/unit/random.h"

static const int64_t rows_cols[] = {40, 50};
static const int64_t *const rows = rows_cols, *const cols = rows_cols + 1;

static uint16_t sum(uint16_t a, uint32_t axes) {
  uint16_t v = op(NUMD_OP_SUM, a, 0);
  params(NUMD_PARAM_AXES)->axes = axes;
  return v;
}

static void check_steps(uint32_t n, const uint8_t kinds[]) {
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, n);
  for (uint32_t i = 0; i < n; i++)
    ck_assert_uint_eq(p->steps[i]->kind, kinds[i]);
  plan_free(p);
}

START_TEST(nodes_of_one_shape_are_a_step_and_another_shape_begins_one) {
  uint16_t a = input(NUMD_FLOAT64, 2, rows_cols), b = input(NUMD_FLOAT64, 1, cols);
  uint16_t row = op(NUMD_OP_EXP, b, 0);
  output(op(NUMD_OP_ADD, op(NUMD_OP_NEGATIVE, a, 0), row), OUTPUT_ARRAY);
  check_steps(2, (const uint8_t[]){STEP_MAP, STEP_MAP});
}
END_TEST

START_TEST(reductions_over_the_same_axes_end_one_step) {
  uint16_t a = input(NUMD_FLOAT64, 2, rows_cols), square = op(NUMD_OP_MULTIPLY, a, a);
  output(sum(a, 2), OUTPUT_ARRAY);
  output(sum(square, 2), OUTPUT_ARRAY);
  check_steps(1, (const uint8_t[]){STEP_REDUCE_INNER});
  output(sum(square, 1), OUTPUT_ARRAY); /* the other axis */
  check_steps(2, (const uint8_t[]){STEP_REDUCE_INNER, STEP_REDUCE_ROWS});
}
END_TEST

START_TEST(a_step_has_four_reductions_at_most) {
  uint16_t a = input(NUMD_FLOAT64, 1, rows);
  const uint8_t codes[] = {NUMD_OP_SUM, NUMD_OP_PROD, NUMD_OP_MIN, NUMD_OP_MAX, NUMD_OP_ANY};
  for (int i = 0; i < 5; i++)
    output(op(codes[i], a, 0), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 2);
  ck_assert_uint_eq(p->steps[0]->n_reductions, 4);
  ck_assert_uint_eq(p->steps[1]->n_reductions, 1);
  plan_free(p);
}
END_TEST

START_TEST(what_a_reduction_gives_is_used_in_a_later_step) {
  uint16_t a = input(NUMD_FLOAT64, 1, rows);
  output(op(NUMD_OP_SUBTRACT, a, op(NUMD_OP_MAX, a, 0)), OUTPUT_ARRAY);
  check_steps(2, (const uint8_t[]){STEP_REDUCE_INNER, STEP_MAP});
}
END_TEST

START_TEST(products_and_array_kernels_are_alone) {
  const int64_t square[] = {30, 30};
  uint16_t a = input(NUMD_FLOAT64, 2, square), product;
  product = op(NUMD_OP_MATMUL, op(NUMD_OP_NEGATIVE, a, 0), a);
  output(op(NUMD_OP_SQRT, product, 0), OUTPUT_ARRAY);
  check_steps(3, (const uint8_t[]){STEP_MAP, STEP_PRODUCT, STEP_MAP});
  output(op(NUMD_OP_SORT, product, 0), OUTPUT_ARRAY);
  params(NUMD_PARAM_AXIS)->axis = 0;
  check_steps(4, (const uint8_t[]){STEP_MAP, STEP_PRODUCT, STEP_MAP, STEP_ARRAY});
}
END_TEST

/* x0 + x1 + ... of every input, in one line. */
START_TEST(what_reads_too_many_arrays_is_several_steps) {
  enum { INPUTS = 62 };
  static double data[INPUTS][40], out[40];
  void *bindings[INPUTS + 1];
  uint16_t total = input(NUMD_FLOAT64, 1, rows);
  for (int i = 1; i < INPUTS; i++)
    input(NUMD_FLOAT64, 1, rows);
  for (uint16_t i = 1; i < INPUTS; i++)
    total = op(NUMD_OP_ADD, total, i);
  output(total, OUTPUT_ARRAY);
  for (int i = 0; i < INPUTS; i++) {
    for (int k = 0; k < 40; k++)
      data[i][k] = i * 100 + k;
    bindings[i] = data[i];
  }
  bindings[INPUTS] = out;
  struct plan *p = compile();
  ck_assert_uint_gt(p->n_steps, 1);
  for (uint32_t i = 0; i < p->n_steps; i++) {
    ck_assert_uint_le(p->steps[i]->n_memories, MAX_MEMORIES);
    ck_assert_uint_le(p->steps[i]->n_registers, MAX_REGISTERS);
  }
  run_plan(p, INPUTS + 1, bindings, NULL);
  for (int k = 0; k < 40; k++)
    ck_assert_double_eq(out[k], 100.0 * INPUTS * (INPUTS - 1) / 2 + INPUTS * k);
  plan_free(p);
}
END_TEST

/* ---- Programs by chance ---- */

#define MOST_VALUES 40
#define MOST_ITEMS 64

/* Small integers, which float64 adds and multiplies exactly, in C order. */
struct reading {
  int ndim;
  int64_t shape[3];
  double at[MOST_ITEMS], most; /* the largest magnitude that there may be */
};

static struct reading readings[MOST_VALUES];

static int64_t size_of(const struct reading *r) {
  int64_t n = 1;
  for (int d = 0; d < r->ndim; d++)
    n *= r->shape[d];
  return n;
}

/* The number of the element of `r` that meets element `i` of a shape that it is broadcast to. */
static int64_t met_by(const struct reading *r, const struct reading *wide, int64_t i) {
  int64_t at = 0, step = 1;
  for (int d = wide->ndim - 1, e = r->ndim - 1; e >= 0; d--, e--) {
    at += r->shape[e] == 1 ? 0 : i % wide->shape[d] * step;
    i /= wide->shape[d];
    step *= r->shape[e];
  }
  return at;
}

static bool broadcast(const struct reading *a, const struct reading *b, struct reading *out) {
  const struct reading *wide = a->ndim >= b->ndim ? a : b, *narrow = wide == a ? b : a;
  out->ndim = wide->ndim;
  for (int d = 0; d < wide->ndim; d++) {
    int e = d - (wide->ndim - narrow->ndim);
    int64_t n = e < 0 ? 1 : narrow->shape[e];
    if (n != 1 && wide->shape[d] != 1 && n != wide->shape[d])
      return false;
    out->shape[d] = wide->shape[d] == 1 ? n : wide->shape[d];
  }
  return true;
}

static bool read_binary(uint8_t code, const struct reading *a, const struct reading *b, struct reading *out) {
  if (!broadcast(a, b, out) || size_of(out) > MOST_ITEMS)
    return false;
  out->most = code == NUMD_OP_MULTIPLY ? a->most * b->most : a->most + b->most;
  for (int64_t i = 0; i < size_of(out); i++) {
    double x = a->at[met_by(a, out, i)], y = b->at[met_by(b, out, i)];
    out->at[i] = code == NUMD_OP_ADD        ? x + y
                 : code == NUMD_OP_SUBTRACT ? x - y
                 : code == NUMD_OP_MULTIPLY ? x * y
                 : x > y                    ? x
                                            : y;
  }
  return out->most < 1e15;
}

static bool read_reduction(uint8_t code, const struct reading *a, uint32_t axes, struct reading *out) {
  out->ndim = 0;
  for (int d = 0; d < a->ndim; d++)
    if (!(axes >> d & 1))
      out->shape[out->ndim++] = a->shape[d];
  out->most = a->most * MOST_ITEMS;
  for (int64_t i = 0; i < size_of(out); i++)
    out->at[i] = code == NUMD_OP_SUM ? 0 : -INFINITY;
  for (int64_t i = 0; i < size_of(a); i++) {
    int64_t rest = i, at = 0, step = 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
      if (!(axes >> d & 1)) {
        at += rest % a->shape[d] * step;
        step *= a->shape[d];
      }
      rest /= a->shape[d];
    }
    out->at[at] = code == NUMD_OP_SUM ? out->at[at] + a->at[i] : fmax(out->at[at], a->at[i]);
  }
  return out->most < 1e15;
}

/* Reversed along its axes. */
static void read_flip(const struct reading *a, struct reading *out) {
  *out = *a;
  for (int64_t i = 0, n = size_of(a); i < n; i++)
    out->at[i] = a->at[n - 1 - i];
}

static void read_transpose(const struct reading *a, struct reading *out) {
  const int64_t m = a->shape[a->ndim - 2], n = a->shape[a->ndim - 1];
  *out = *a;
  out->shape[a->ndim - 2] = n;
  out->shape[a->ndim - 1] = m;
  for (int64_t i = 0; i < size_of(a); i++)
    out->at[i / (m * n) * m * n + i % n * m + i / n % m] = a->at[i];
}

/* Adds one operation by chance, and its reading; false if it cannot be. */
static bool add_operation(void) {
  static const uint8_t binary[] = {NUMD_OP_ADD, NUMD_OP_SUBTRACT, NUMD_OP_MULTIPLY, NUMD_OP_MAXIMUM};
  const int n = (int)program_n_values(program);
  const uint16_t x = (uint16_t)random_below(n), y = (uint16_t)random_below(n);
  const struct reading *a = &readings[x];
  struct reading *out = &readings[n];
  uint8_t code = binary[random_below(4)];
  uint32_t axes;
  switch (random_below(8)) {
    case 0:
      if (a->ndim == 0)
        return false;
      code = random_below(2) ? NUMD_OP_SUM : NUMD_OP_MAX;
      axes = (uint32_t)random_below(1 << a->ndim);
      if (!read_reduction(code, a, axes, out))
        return false;
      op(code, x, 0);
      params(NUMD_PARAM_AXES)->axes = axes;
      return true;
    case 1:
      read_flip(a, out);
      op(NUMD_OP_FLIP, x, 0);
      return true;
    case 2:
      if (a->ndim < 2)
        return false;
      read_transpose(a, out);
      op(NUMD_OP_MATRIX_TRANSPOSE, x, 0);
      return true;
    default:
      if (!read_binary(code, a, &readings[y], out))
        return false;
      op(code, x, y);
      return true;
  }
}

static void add_inputs(void) {
  static const struct {
    int ndim;
    int64_t shape[3];
  } shapes[] = {{2, {4, 5}}, {1, {5}}, {2, {4, 1}}, {3, {3, 4, 5}}, {2, {5, 4}}, {0, {0}}};
  for (int i = 0; i < 6; i++) {
    struct reading *r = &readings[input(NUMD_FLOAT64, shapes[i].ndim, shapes[i].shape)];
    r->ndim = shapes[i].ndim;
    memcpy(r->shape, shapes[i].shape, sizeof(shapes[i].shape));
    r->most = 9;
    for (int64_t k = 0; k < size_of(r); k++)
      r->at[k] = random_below(19) - 9;
  }
}

START_TEST(programs_give_what_their_operations_give_one_by_one) {
  static double outs[MAX_OUTPUTS][MOST_ITEMS];
  for (int round = 0; round < 300; round++) {
    void *bindings[MAX_BINDINGS];
    int n = 0;
    memset(program, 0, sizeof(*program));
    add_inputs();
    for (int tries = 0; tries < 60 && program_n_values(program) < 30; tries++)
      add_operation();
    for (int i = 0; i < 6; i++)
      bindings[n++] = readings[i].at;
    for (int i = 0; i < 4; i++) {
      output((uint16_t)random_below((int)program_n_values(program)), OUTPUT_ARRAY);
      bindings[n++] = outs[i];
    }
    struct plan *p = compile();
    run_plan(p, n, bindings, NULL);
    for (int i = 0; i < 4; i++) {
      const struct reading *r = &readings[program->outputs[i].value];
      CHECK(p->outputs[i].ndim == r->ndim, "round %d, output %d", round, i);
      for (int64_t k = 0; k < size_of(r); k++)
        CHECK(outs[i][k] == r->at[k], "round %d, output %d, element %d: %g instead of %g\n%s", round, i,
              (int)k, outs[i][k], r->at[k], p->text);
    }
    plan_free(p);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("plan_groups");
  TCase *t = tcase_create("plan_groups");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_checked_fixture(t, random_reseed, NULL);
  tcase_add_test(t, nodes_of_one_shape_are_a_step_and_another_shape_begins_one);
  tcase_add_test(t, reductions_over_the_same_axes_end_one_step);
  tcase_add_test(t, a_step_has_four_reductions_at_most);
  tcase_add_test(t, what_a_reduction_gives_is_used_in_a_later_step);
  tcase_add_test(t, products_and_array_kernels_are_alone);
  tcase_add_test(t, what_reads_too_many_arrays_is_several_steps);
  tcase_add_test(t, programs_give_what_their_operations_give_one_by_one);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
