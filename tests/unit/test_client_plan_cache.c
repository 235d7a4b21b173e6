/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans found by signature: what is prepared, what is found again, and what is forgotten. */
#include "client/lib/layout.h"
#include "client/lib/plan_cache.h"
#include "tests/unit/fake_daemon.h"
#include "tests/unit/suite.h"

static numd_array *array(int64_t n) {
  numd_array *a;
  int r = numd_array_empty(fake.conn, NUMD_FLOAT64, 1, &n, &a);
  ck_assert_msg(r == 0, "%s", numd_error());
  return a;
}

/* The plan of a operation with a and, unless that is NULL, b. */
static numd_plan *get(numd_op op, const numd_params *params, const struct signature_rest *rest, numd_array *a,
                      numd_array *b) {
  const numd_arg args[] = {{.array = a}, {.array = b}};
  const struct op_call call = {fake.conn, op, params, b ? 2 : 1, args};
  const struct signature signature = {
      .head = (uint64_t)op, .arg = {a->layout, b ? b->layout : NULL}, .rest = rest};
  numd_plan *plan;
  int r = plan_cache_get(&call, &signature, &plan);
  ck_assert_msg(r == 0, "%s", numd_error());
  return plan;
}

static numd_plan *add(numd_array *a) {
  return get(NUMD_OP_ADD, NULL, NULL, a, a);
}

START_TEST(a_signature_is_prepared_once) {
  numd_array *a = array(5), *b = array(5), *c = array(6);
  numd_plan *plan = add(a);
  ck_assert_ptr_eq(add(b), plan);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 1);
  ck_assert_ptr_ne(add(c), plan);
  ck_assert_ptr_ne(get(NUMD_OP_SUBTRACT, NULL, NULL, a, a), plan);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 3);
  ck_assert_int_eq(plan->n_inputs, 2);
  ck_assert_int_eq(plan->n_outputs, 1);
  ck_assert_ptr_eq(plan->operands[2].layout, a->layout);
  numd_array_unref(a);
  numd_array_unref(b);
  numd_array_unref(c);
}
END_TEST

START_TEST(a_plan_keeps_the_layouts_of_its_signature) {
  numd_array *a = array(7);
  const numd_layout *l = a->layout;
  add(a);
  numd_array_unref(a);
  ck_assert_int_eq(layout_impl(l)->refs, 3);
  a = array(7);
  ck_assert_ptr_eq(a->layout, l);
  numd_array_unref(a);
}
END_TEST

START_TEST(long_parameters_are_compared_by_content) {
  const int64_t two[] = {1, 4}, other[] = {2, 2};
  numd_params p = {.given = NUMD_PARAM_SHAPE, .n_ints = {2}, .ints = {two}};
  struct signature_rest rest[2];
  numd_array *a = array(4);
  memset(rest, 0, sizeof(rest));
  rest[0].params.given = rest[1].params.given = NUMD_PARAM_SHAPE;
  memcpy(rest[0].params.ints[0], two, sizeof(two));
  memcpy(rest[1].params.ints[0], two, sizeof(two));
  numd_plan *plan = get(NUMD_OP_RESHAPE, &p, &rest[0], a, NULL);
  ck_assert_ptr_eq(get(NUMD_OP_RESHAPE, &p, &rest[1], a, NULL), plan);
  memcpy(rest[0].params.ints[0], other, sizeof(other)); /* the entry has its own copy */
  ck_assert_ptr_eq(get(NUMD_OP_RESHAPE, &p, &rest[1], a, NULL), plan);
  p.ints[0] = other;
  ck_assert_ptr_ne(get(NUMD_OP_RESHAPE, &p, &rest[0], a, NULL), plan);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 2);
  numd_array_unref(a);
}
END_TEST

START_TEST(parameters_that_are_wrong_are_not_kept) {
  const numd_params p = {.given = NUMD_PARAM_AXIS, .axis = 0};
  numd_array *a = array(4);
  const numd_arg args[] = {{.array = a}, {.array = a}};
  const struct op_call call = {fake.conn, NUMD_OP_ADD, &p, 2, args};
  const struct signature signature = {.head = 12345, .arg = {a->layout, a->layout}};
  numd_plan *plan;
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(plan_cache_get(&call, &signature, &plan), NUMD_EINVAL);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 0);
  numd_array_unref(a);
}
END_TEST

static void *add_in_thread(void *a) {
  return add(a);
}

START_TEST(threads_share_what_the_connection_has) {
  pthread_t thread;
  void *found;
  numd_array *a = array(9);
  numd_plan *plan = add(a);
  ck_assert_int_eq(pthread_create(&thread, NULL, add_in_thread, a), 0);
  pthread_join(thread, &found);
  ck_assert_ptr_eq(found, plan);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 1);
  ck_assert_int_eq(fake.asked[FAKE_OPEN_CHANNEL], 2);
  numd_array_unref(a);
}
END_TEST

/* Adds arrays of the lengths first .. last - 1. */
static void add_lengths(int64_t first, int64_t last) {
  for (int64_t n = first; n < last; n++) {
    numd_array *a = array(n);
    ck_assert_int_eq(add(a)->operands[0].layout->size, n);
    numd_array_unref(a);
  }
}

START_TEST(what_a_thread_has_no_place_for_is_found_all_the_same) {
  enum { N = 3 * PLAN_CACHE_THREAD };
  add_lengths(1, 1 + N);
  add_lengths(1, 1 + N);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], N);
}
END_TEST

START_TEST(too_many_signatures_are_all_forgotten) {
  enum { N = PLAN_CACHE_MAX };
  add_lengths(1, 1 + N);
  ck_assert_int_eq(fake.asked[FAKE_RELEASE], 0);
  add_lengths(1 + N, 3 + N);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], N + 2);
  ck_assert_int_ge(fake.asked[FAKE_RELEASE], N - PLAN_CACHE_THREAD); /* threads may still have some */
  add_lengths(1 + N, 3 + N);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], N + 2);
  add_lengths(1, 300);
  ck_assert_int_gt(fake.asked[FAKE_PREPARE], N + 2);
}
END_TEST

START_TEST(a_new_session_is_told_of_a_plan_when_it_is_used) {
  numd_array *a = array(11);
  numd_plan *plan = numd_plan_ref(add(a));
  uint32_t id = plan->id;
  ck_assert_int_eq(plan_enter(plan), 0);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 1);
  fake_hang_up();
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 1);
  ck_assert_int_eq(plan_enter(plan), 0);
  ck_assert_int_eq(plan_enter(plan), 0);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 2);
  ck_assert_ptr_eq(add(a), plan);
  ck_assert_int_eq(fake.asked[FAKE_PREPARE], 2);
  ck_assert_uint_eq(plan->id, id);
  numd_plan_unref(plan);
  numd_array_unref(a);
}
END_TEST

/* The bytes that are sent again: those of one operation, not of all that a program may have. */
START_TEST(a_plan_is_as_large_as_its_program) {
  numd_array *a = array(64);
  ck_assert_uint_lt(add(a)->program_bytes, 200);
  numd_array_unref(a);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_plan_cache");
  TCase *t = tcase_create("client_plan_cache");
  tcase_add_checked_fixture(t, fake_setup, fake_teardown);
  tcase_set_timeout(t, 30);
  tcase_add_test(t, a_signature_is_prepared_once);
  tcase_add_test(t, a_plan_keeps_the_layouts_of_its_signature);
  tcase_add_test(t, long_parameters_are_compared_by_content);
  tcase_add_test(t, parameters_that_are_wrong_are_not_kept);
  tcase_add_test(t, threads_share_what_the_connection_has);
  tcase_add_test(t, what_a_thread_has_no_place_for_is_found_all_the_same);
  tcase_add_test(t, too_many_signatures_are_all_forgotten);
  tcase_add_test(t, a_new_session_is_told_of_a_plan_when_it_is_used);
  tcase_add_test(t, a_plan_is_as_large_as_its_program);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
