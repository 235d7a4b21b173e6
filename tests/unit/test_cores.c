/* SPDX-License-Identifier: BSD-3-Clause */
/* Cores, spin tokens and callers are counted, and come back from the dead. */
#include "shared/cores.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

#define N_CORES 3

static struct cores *cores;

static void set_up(void) {
  cores = calloc(1, sizeof(*cores));
  cores_init(cores, N_CORES);
  for (uint32_t member = 0; member < 7; member++)
    cores_join(cores, member, 1000 + member);
}

static void tear_down(void) {
  free(cores);
}

START_TEST(cores_are_taken_once) {
  ck_assert_int_eq(cores_take(cores, 0, 2), 2);
  ck_assert_int_eq(cores_take(cores, 1, 5), 1);
  ck_assert_int_eq(cores_take(cores, 2, 1), 0);
  cores_give(cores, 0, 2);
  ck_assert_int_eq(cores_take(cores, 2, 5), 2);
  ck_assert(cores_take_spin(cores, 0));
  ck_assert(!cores_take_spin(cores, 1));
  cores_give_spin(cores, 1); /* not its own */
  ck_assert(!cores_take_spin(cores, 1));
  cores_give_spin(cores, 0);
  ck_assert(cores_take_spin(cores, 1));
}
END_TEST

START_TEST(a_core_is_idle_while_neither_owned_nor_worked_on) {
  ck_assert(cores_has_idle(cores));
  ck_assert_int_eq(cores_take(cores, 0, N_CORES), N_CORES);
  ck_assert(!cores_has_idle(cores));
  cores_give(cores, 0, N_CORES);
  for (int i = 0; i < N_CORES; i++) {
    ck_assert(cores_has_idle(cores));
    ck_assert_int_eq(cores_begin_work(cores, (uint32_t)i), i);
  }
  ck_assert(!cores_has_idle(cores));
  cores_end_work(cores, 1);
  ck_assert(cores_has_idle(cores));
}
END_TEST

START_TEST(the_dead_give_all_back) {
  ck_assert_int_eq(cores_take(cores, 4, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 4));
  for (int i = 0; i < 2 * N_CORES; i++)
    (void)cores_begin_work(cores, 4);
  (void)cores_begin_work(cores, 5);
  cores_leave(cores, 4);
  ck_assert(cores_has_idle(cores));
  ck_assert_int_eq(cores_begin_work(cores, 6), 1);
  ck_assert_int_eq(cores_take(cores, 6, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 6));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("cores");
  TCase *t = tcase_create("cores");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, cores_are_taken_once);
  tcase_add_test(t, a_core_is_idle_while_neither_owned_nor_worked_on);
  tcase_add_test(t, the_dead_give_all_back);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
