/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans without a daemon: what programs compile to, what is refused and how, and that outputs may
 * overlap inputs. Numeric results against NumPy are tests/python's business. */
#include "tests/unit/programs.h"

static const int64_t thousand[] = {1000};

START_TEST(an_expression_is_one_step) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), b = input(NUMD_FLOAT64, 1, thousand);
  uint16_t left = op(NUMD_OP_ADD, op(NUMD_OP_MULTIPLY, a, b), op(NUMD_OP_SQRT, a, 0));
  output(op(NUMD_OP_SUBTRACT, left, op(NUMD_OP_EXP, b, 0)), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 1);
  ck_assert_uint_eq(p->steps[0]->n_instructions, 5);
  ck_assert_uint_eq(p->steps[0]->n_registers, 2);
  ck_assert_uint_eq(p->steps[0]->n_memories, 3);
  ck_assert_int_eq(p->scratch_bytes, 0);
  plan_free(p);
}
END_TEST

START_TEST(a_reduction_ends_its_group_and_needs_no_memory) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), b = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_SUM, op(NUMD_OP_MULTIPLY, a, b), 0), OUTPUT_RESULT);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 1);
  ck_assert_int_eq(p->steps[0]->kind, STEP_REDUCE_INNER);
  ck_assert_int_eq(p->result_dtype, NUMD_FLOAT64);
  ck_assert_int_eq(p->scratch_bytes, 0);
  plan_free(p);
}
END_TEST

START_TEST(what_no_output_needs_is_left_out) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  op(NUMD_OP_EXP, a, 0);
  output(op(NUMD_OP_NEGATIVE, a, 0), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->steps[0]->n_instructions, 1);
  plan_free(p);
}
END_TEST

START_TEST(contiguous_dimensions_become_one_loop) {
  const int64_t shape[] = {4, 5, 6};
  uint16_t a = input(NUMD_FLOAT64, 3, shape);
  output(op(NUMD_OP_NEGATIVE, a, 0), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_int_eq(p->steps[0]->ndim, 1);
  ck_assert_int_eq(p->steps[0]->shape[0], 120);
  plan_free(p);
}
END_TEST

START_TEST(shapes_that_do_not_broadcast_are_named) {
  const int64_t three[] = {3};
  output(op(NUMD_OP_ADD, input(NUMD_FLOAT64, 1, thousand), 1), OUTPUT_ARRAY);
  program->ops[0].in[1] = input(NUMD_FLOAT64, 1, three);
  program->outputs[0].value = 2;
  struct plan *p = NULL;
  ck_assert_int_eq(plan_compile(program, &p, &err), NUMD_ESHAPE);
  ck_assert_str_eq(err.text, "add: shapes (1000,) and (3,) do not broadcast");
}
END_TEST

START_TEST(a_dtype_without_a_loop_is_named) {
  uint16_t a = input(NUMD_BOOL, 1, thousand);
  output(op(NUMD_OP_NEGATIVE, a, 0), OUTPUT_ARRAY);
  struct plan *p = NULL;
  ck_assert_int_eq(plan_compile(program, &p, &err), NUMD_EDTYPE);
  ck_assert_str_eq(err.text, "negative: not defined for bool");
}
END_TEST

START_TEST(a_cast_that_loses_is_refused) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_NEGATIVE, a, 0), OUTPUT_ARRAY);
  program->outputs[0].open_dtype = false;
  program->outputs[0].layout.dtype = NUMD_INT64;
  struct plan *p = NULL;
  ck_assert_int_eq(plan_compile(program, &p, &err), NUMD_ECAST);
  ck_assert_str_eq(err.text, "outputs[0]: cannot cast from float64 to int64");
}
END_TEST

START_TEST(an_input_may_be_the_output_unless_it_is_read_later) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  uint16_t first = op(NUMD_OP_NEGATIVE, a, 0);
  output(first, OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->bounds[1].exact_ok, 1);
  plan_free(p);
  output(op(NUMD_OP_ADD, a, first), OUTPUT_ARRAY); /* reads a once more */
  p = compile();
  ck_assert_uint_eq(p->bounds[1].exact_ok, 0);
  ck_assert_uint_eq(p->bounds[2].exact_ok, 1);
  plan_free(p);
}
END_TEST

/* Sums of every length around the sizes at which blocks, levels and chunks begin. */
START_TEST(sums_of_awkward_lengths_are_exact) {
  static const int64_t lengths[] = {1,    2,     15,    16,     17,     4095,   4096,
                                    4097, 65535, 65537, 262144, 262145, 1100003};
  static const atomic_ullong never;
  int64_t n = lengths[_i];
  double *data = malloc((size_t)n * 8), result = 0;
  for (int64_t i = 0; i < n; i++)
    data[i] = (double)(i % 1000);
  double want = (double)(n / 1000 * 499500 + (n % 1000) * (n % 1000 - 1) / 2);
  output(op(NUMD_OP_SUM, input(NUMD_FLOAT64, 1, &n), 0), OUTPUT_RESULT);
  struct plan *p = compile();
  char *scratch = malloc((size_t)p->scratch_bytes + 64);
  struct call call = {.plan = p, .cancel = (const _Atomic uint64_t *)&never, .call_id = 1};
  call.bases[0] = (char *)data;
  call.bases[BASE_SCRATCH] = scratch;
  call.bases[BASE_RESULT] = (char *)&result;
  ck_assert_int_eq(exec_run(&call), 0);
  ck_assert_double_eq(result, want);
  plan_free(p);
  free(scratch);
  free(data);
}
END_TEST

/* The most loops that a step can have: none of the array's own join, and the reduction gets one more. */
START_TEST(a_reduction_over_no_axes_of_all_dimensions) {
  static const atomic_ullong never;
  static double in[1 << 16], out[1 << 16];
  int64_t shape[MAX_DIMS];
  for (int d = 0; d < MAX_DIMS; d++)
    shape[d] = 2;
  for (int i = 0; i < 1 << 16; i++)
    in[i] = i;
  uint16_t a = input(NUMD_FLOAT64, MAX_DIMS, shape);
  for (int d = 0; d < MAX_DIMS; d++) /* Fortran's order */
    program->operands[a].layout.strides[d] = (int64_t)8 << d;
  output(op(NUMD_OP_SUM, a, 0), OUTPUT_ARRAY);
  program->ops[0].params.given = NUMD_PARAM_AXES;
  struct plan *p = compile();
  struct call call = {.plan = p, .cancel = (const _Atomic uint64_t *)&never, .call_id = 1};
  call.bases[0] = (char *)in;
  call.bases[1] = (char *)out;
  ck_assert_int_eq(exec_run(&call), 0);
  for (int i = 0; i < 1 << 16; i++) {
    int reversed = 0;
    for (int d = 0; d < MAX_DIMS; d++)
      reversed |= (i >> d & 1) << (MAX_DIMS - 1 - d);
    ck_assert_double_eq(out[i], reversed);
    ck_assert_double_eq(in[i], i);
  }
  plan_free(p);
}
END_TEST

START_TEST(an_output_that_overlaps_itself_is_refused) {
  const int64_t shape[] = {4, 4};
  output(op(NUMD_OP_NEGATIVE, input(NUMD_FLOAT64, 2, shape), 0), OUTPUT_ARRAY);
  program->outputs[0].open_dtype = program->outputs[0].open_shape = false;
  program->outputs[0].layout = program->operands[0].layout;
  program->outputs[0].layout.strides[0] = 8;
  struct plan *p = NULL;
  ck_assert_int_eq(plan_compile(program, &p, &err), NUMD_EINVAL);
  program->outputs[0].layout.strides[1] = -32; /* transposed and reversed: fine */
  plan_free(compile());
}
END_TEST

/* ---- Views and buffers ---- */

START_TEST(differences_of_neighbours_are_one_pass) {
  output(op(NUMD_OP_DIFF, input(NUMD_FLOAT64, 1, thousand), 0), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 1);
  ck_assert_uint_eq(p->steps[0]->n_instructions, 1);
  ck_assert_int_eq(p->outputs[0].shape[0], 999);
  ck_assert_int_eq(p->scratch_bytes, 0);
  plan_free(p);
}
END_TEST

START_TEST(parts_are_computed_where_they_belong) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), b = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_CONCAT, op(NUMD_OP_MULTIPLY, a, b), op(NUMD_OP_ADD, a, b)), OUTPUT_ARRAY);
  params(NUMD_PARAM_AXIS);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 1);
  ck_assert_int_eq(p->scratch_bytes, 0);
  ck_assert_int_eq(p->outputs[0].shape[0], 2000);
  plan_free(p);
}
END_TEST

START_TEST(what_is_read_through_a_view_is_made_in_a_step_before) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), squares = op(NUMD_OP_MULTIPLY, a, a);
  uint16_t flipped = op(NUMD_OP_FLIP, squares, 0);
  output(op(NUMD_OP_ADD, squares, flipped), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 2);
  ck_assert_int_ge(p->scratch_bytes, 8000);
  plan_free(p);
}
END_TEST

START_TEST(a_flipped_input_must_not_be_the_output) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_FLIP, a, 0), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->bounds[1].exact_ok, 0);
  plan_free(p);
}
END_TEST

START_TEST(a_viewed_value_keeps_c_order_under_an_output_of_another) {
  const int64_t shape[] = {20, 30};
  uint16_t a = input(NUMD_FLOAT64, 2, shape), doubled = op(NUMD_OP_ADD, a, a);
  output(doubled, OUTPUT_ARRAY);
  struct output *o = &program->outputs[0];
  o->open_dtype = o->open_shape = false;
  o->layout = program->operands[a].layout;
  o->layout.strides[0] = 8;
  o->layout.strides[1] = 160;
  output(op(NUMD_OP_RESHAPE, doubled, 0), OUTPUT_ARRAY);
  program->outputs[1].value = (uint16_t)(doubled + 1);
  params(NUMD_PARAM_SHAPE)->n_ints[0] = 1;
  program->ops[1].params.ints[0][0] = -1;
  double in[600], transposed[600], flat[600];
  static const atomic_ullong never;
  for (int i = 0; i < 600; i++)
    in[i] = i;
  struct plan *p = compile();
  char *scratch = malloc((size_t)p->scratch_bytes + 64);
  struct call call = {.plan = p, .cancel = (const _Atomic uint64_t *)&never, .call_id = 1};
  call.bases[0] = (char *)in;
  call.bases[1] = (char *)transposed;
  call.bases[2] = (char *)flat;
  call.bases[BASE_SCRATCH] = scratch;
  ck_assert_int_eq(exec_run(&call), 0);
  for (int i = 0; i < 600; i++) {
    ck_assert_double_eq(flat[i], 2 * i);
    ck_assert_double_eq(transposed[i % 30 * 20 + i / 30], 2 * i);
  }
  plan_free(p);
  free(scratch);
}
END_TEST

START_TEST(bad_parameters_are_named) {
  static const struct {
    uint8_t code;
    uint32_t given;
    int axis;
    int64_t n;
    uint8_t n_ints;
    int64_t ints[2];
    int status;
  } cases[] = {
      {NUMD_OP_RESHAPE, NUMD_PARAM_SHAPE, 0, 0, 2, {7, -1}, NUMD_ESHAPE},
      {NUMD_OP_RESHAPE, NUMD_PARAM_SHAPE, 0, 0, 2, {-1, -1}, NUMD_ESHAPE},
      {NUMD_OP_RESHAPE, NUMD_PARAM_SHAPE, 0, 0, 2, {INT64_MAX, INT64_MAX}, NUMD_ESHAPE},
      {NUMD_OP_BROADCAST_TO, NUMD_PARAM_SHAPE, 0, 0, 2, {2, 3}, NUMD_ESHAPE},
      {NUMD_OP_BROADCAST_TO, NUMD_PARAM_SHAPE, 0, 0, 2, {-2, 1000}, NUMD_ESHAPE},
      {NUMD_OP_SLICE, NUMD_PARAM_SHAPE, 0, 0, 1, {1001}, NUMD_ESHAPE},
      {NUMD_OP_PERMUTE_DIMS, NUMD_PARAM_ORDER, 0, 0, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_REPEAT, NUMD_PARAM_N, 0, -1, 0, {0}, NUMD_EINVAL},
      {NUMD_OP_REPEAT, NUMD_PARAM_N, 0, INT64_MAX, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_REPEAT, NUMD_PARAM_N | NUMD_PARAM_AXIS, 1, 2, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_TILE, NUMD_PARAM_REPETITIONS, 0, 0, 1, {-1}, NUMD_EINVAL},
      {NUMD_OP_TILE, NUMD_PARAM_REPETITIONS, 0, 0, 2, {INT64_MAX, INT64_MAX}, NUMD_ESHAPE},
      {NUMD_OP_ROLL, NUMD_PARAM_SHIFT, 0, 0, 2, {1, 1}, NUMD_EINVAL},
      {NUMD_OP_DIAGONAL, 0, 0, 0, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_DIFF, NUMD_PARAM_AXIS, 2, 0, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_DIFF, NUMD_PARAM_N, 0, -1, 0, {0}, NUMD_EINVAL},
      {NUMD_OP_MATRIX_POWER, NUMD_PARAM_N, 0, 2, 0, {0}, NUMD_ESHAPE},
      {NUMD_OP_MATRIX_NORM, 0, 0, 0, 0, {0}, NUMD_ESHAPE},
  };
  struct plan *p = NULL;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    memset(program, 0, sizeof(*program));
    output(op(cases[i].code, input(NUMD_FLOAT64, 1, thousand), 0), OUTPUT_ARRAY);
    struct op_params *given = params(cases[i].given);
    given->axis = cases[i].axis;
    given->n = cases[i].n;
    given->n_ints[0] = cases[i].n_ints;
    memcpy(given->ints[0], cases[i].ints, sizeof(cases[i].ints));
    err.text[0] = 0;
    ck_assert_msg(plan_compile(program, &p, &err) == cases[i].status, "case %zu: %s", i, err.text);
    ck_assert_msg(strncmp(err.text, op_rows[cases[i].code].name, strlen(op_rows[cases[i].code].name)) == 0,
                  "case %zu: %s", i, err.text);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("plan");
  TCase *t = tcase_create("plan");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, an_expression_is_one_step);
  tcase_add_test(t, a_reduction_ends_its_group_and_needs_no_memory);
  tcase_add_test(t, what_no_output_needs_is_left_out);
  tcase_add_test(t, contiguous_dimensions_become_one_loop);
  tcase_add_test(t, shapes_that_do_not_broadcast_are_named);
  tcase_add_test(t, a_dtype_without_a_loop_is_named);
  tcase_add_test(t, a_cast_that_loses_is_refused);
  tcase_add_test(t, an_input_may_be_the_output_unless_it_is_read_later);
  tcase_add_test(t, a_reduction_over_no_axes_of_all_dimensions);
  tcase_add_test(t, an_output_that_overlaps_itself_is_refused);
  tcase_add_test(t, differences_of_neighbours_are_one_pass);
  tcase_add_test(t, parts_are_computed_where_they_belong);
  tcase_add_test(t, what_is_read_through_a_view_is_made_in_a_step_before);
  tcase_add_test(t, a_flipped_input_must_not_be_the_output);
  tcase_add_test(t, a_viewed_value_keeps_c_order_under_an_output_of_another);
  tcase_add_test(t, bad_parameters_are_named);
  tcase_add_loop_test(t, sums_of_awkward_lengths_are_exact, 0, 13);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
