/* SPDX-License-Identifier: BSD-3-Clause */
/* What the step of a group is made of: its memories, its registers, and where in scratch values lie that more
 * than one step needs. */
#include "tests/unit/programs.h"

static const int64_t thousand[] = {1000};

static uint16_t cast(uint16_t a, uint8_t dtype) {
  uint16_t v = op(NUMD_OP_ASTYPE, a, 0);
  params(NUMD_PARAM_DTYPE)->dtype = dtype;
  return v;
}

START_TEST(an_array_that_is_read_twice_is_one_memory) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_ADD, op(NUMD_OP_MULTIPLY, a, a), a), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->steps[0]->n_memories, 2);
  ck_assert(!p->steps[0]->memories[0].written);
  ck_assert(p->steps[0]->memories[1].written);
  plan_free(p);
}
END_TEST

START_TEST(an_array_that_is_read_in_two_orders_is_two_memories) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand);
  output(op(NUMD_OP_ADD, a, op(NUMD_OP_FLIP, a, 0)), OUTPUT_ARRAY);
  struct plan *p = compile();
  const struct step *s = p->steps[0];
  ck_assert_uint_eq(s->n_memories, 3);
  ck_assert_uint_eq(s->memories[0].place.base, s->memories[1].place.base);
  ck_assert_int_eq(s->memories[0].place.offset, 0);
  ck_assert_int_eq(s->memories[1].place.offset, 999 * 8);
  ck_assert_int_eq(s->memories[0].stride[0], 8);
  ck_assert_int_eq(s->memories[1].stride[0], -8);
  plan_free(p);
}
END_TEST

/* A chain of any length needs one register: each result takes the place of what it was made of. */
START_TEST(a_chain_takes_one_register) {
  uint16_t v = input(NUMD_FLOAT64, 1, thousand);
  for (int i = 0; i < 20; i++)
    v = op(NUMD_OP_NEGATIVE, v, 0);
  output(v, OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->n_steps, 1);
  ck_assert_uint_eq(p->steps[0]->n_instructions, 20);
  ck_assert_uint_eq(p->steps[0]->n_registers, 1);
  plan_free(p);
}
END_TEST

/* Items of another size would be overwritten before they are read. */
START_TEST(a_cast_does_not_take_the_register_of_its_input) {
  static float in[1000];
  static double out[1000];
  uint16_t narrow = op(NUMD_OP_NEGATIVE, input(NUMD_FLOAT32, 1, thousand), 0);
  output(op(NUMD_OP_NEGATIVE, cast(narrow, NUMD_FLOAT64), 0), OUTPUT_ARRAY);
  for (int i = 0; i < 1000; i++)
    in[i] = (float)i;
  struct plan *p = compile();
  const struct instruction *i = &p->steps[0]->instructions[1];
  ck_assert_uint_eq(p->steps[0]->n_instructions, 3);
  ck_assert_uint_ne(i->arg[0], i->arg[1]);
  run_plan(p, 2, (void *[]){in, out}, NULL);
  for (int k = 0; k < 1000; k++)
    ck_assert_double_eq(out[k], k);
  plan_free(p);
}
END_TEST

/* A reduction reads its source when all instructions of the block have run. */
START_TEST(the_source_of_a_reduction_keeps_its_register) {
  static double in[1000], out[1000], total;
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), square = op(NUMD_OP_MULTIPLY, a, a);
  output(op(NUMD_OP_SUM, square, 0), OUTPUT_RESULT);
  uint16_t v = op(NUMD_OP_ADD, square, a);
  for (int i = 0; i < 5; i++)
    v = op(NUMD_OP_NEGATIVE, v, 0);
  output(v, OUTPUT_ARRAY);
  for (int i = 0; i < 1000; i++)
    in[i] = i;
  struct plan *p = compile();
  ck_assert_uint_ge(p->n_steps, 1);
  run_plan(p, 2, (void *[]){in, out}, &total);
  ck_assert_double_eq(total, 332833500);
  for (int i = 0; i < 1000; i++)
    ck_assert_double_eq(out[i], -(double)(i * i + i));
  plan_free(p);
}
END_TEST

/* Values of different steps lie apart, each at the start of a cache line. */
START_TEST(values_between_steps_lie_apart_in_scratch) {
  enum { VALUES = 5 };
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), made[VALUES], v;
  for (int i = 0; i < VALUES; i++)
    made[i] = v = op(NUMD_OP_MULTIPLY, a, i ? made[i - 1] : a);
  for (int i = 0; i < VALUES; i++) /* backwards: only from memory */
    v = op(NUMD_OP_ADD, v, op(NUMD_OP_FLIP, made[i], 0));
  output(v, OUTPUT_ARRAY);
  struct plan *p = compile();
  bool seen[VALUES + 1] = {false};
  ck_assert_uint_eq(p->n_steps, 2);
  for (uint32_t i = 0; i < p->steps[0]->n_memories; i++) {
    const struct memory *m = &p->steps[0]->memories[i];
    if (!m->written)
      continue;
    ck_assert_uint_eq(m->place.base, BASE_SCRATCH);
    ck_assert_int_eq(m->place.offset % 64, 0);
    ck_assert(!seen[m->place.offset / 8000]); /* 8000 bytes, a multiple of 64, each */
    seen[m->place.offset / 8000] = true;
  }
  ck_assert_int_eq(p->scratch_bytes, VALUES * 8000);
  plan_free(p);
}
END_TEST

START_TEST(more_scratch_than_there_can_be_is_refused) {
  const int64_t column[] = {(int64_t)1 << 24, 1}, row[] = {1, (int64_t)1 << 24};
  uint16_t all = op(NUMD_OP_ADD, input(NUMD_FLOAT64, 2, column), input(NUMD_FLOAT64, 2, row));
  program->ops[0].in[0] = 0;
  program->ops[0].in[1] = 1;
  all = op(NUMD_OP_SORT, (uint16_t)(program->n_operands), 0);
  params(NUMD_PARAM_AXIS)->axis = 0;
  output(op(NUMD_OP_MAX, all, 0), OUTPUT_RESULT);
  struct plan *p = NULL;
  ck_assert_int_eq(plan_compile(program, &p, &err), NUMD_ESHAPE);
  ck_assert(strlen(err.text) > 0);
}
END_TEST

START_TEST(only_what_is_worth_it_is_shared_out) {
  const int64_t sizes[] = {1000, 10000000};
  uint64_t costs[2];
  for (int i = 0; i < 2; i++) {
    memset(program, 0, sizeof(*program));
    output(op(NUMD_OP_EXP, input(NUMD_FLOAT64, 1, &sizes[i]), 0), OUTPUT_ARRAY);
    struct plan *p = compile();
    ck_assert_int_eq(p->parallel, i == 1);
    ck_assert_int_eq(p->parallel, plan_is_parallel(p));
    costs[i] = plan_cost_ns(p);
    plan_free(p);
  }
  ck_assert_uint_gt(costs[1], 1000 * costs[0]);
}
END_TEST

/* What an output may be the very same array as: an input that nothing reads any more when it is written. */
START_TEST(an_output_may_be_an_input_that_no_later_step_reads) {
  uint16_t a = input(NUMD_FLOAT64, 1, thousand), largest;
  largest = op(NUMD_OP_MAX, a, 0);
  output(op(NUMD_OP_SUBTRACT, a, largest), OUTPUT_ARRAY);
  struct plan *p = compile();
  ck_assert_uint_eq(p->bounds[1].exact_ok, 1);
  plan_free(p);
  output(op(NUMD_OP_NEGATIVE, a, 0), OUTPUT_ARRAY); /* in the step of the first output, after it */
  output(op(NUMD_OP_MAX, a, 0), OUTPUT_RESULT);
  p = compile();
  ck_assert_uint_eq(p->bounds[1].exact_ok, 0);
  plan_free(p);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("plan_steps");
  TCase *t = tcase_create("plan_steps");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, an_array_that_is_read_twice_is_one_memory);
  tcase_add_test(t, an_array_that_is_read_in_two_orders_is_two_memories);
  tcase_add_test(t, a_chain_takes_one_register);
  tcase_add_test(t, a_cast_does_not_take_the_register_of_its_input);
  tcase_add_test(t, the_source_of_a_reduction_keeps_its_register);
  tcase_add_test(t, values_between_steps_lie_apart_in_scratch);
  tcase_add_test(t, more_scratch_than_there_can_be_is_refused);
  tcase_add_test(t, only_what_is_worth_it_is_shared_out);
  tcase_add_test(t, an_output_may_be_an_input_that_no_later_step_reads);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
