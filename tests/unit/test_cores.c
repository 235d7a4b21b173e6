/* SPDX-License-Identifier: BSD-3-Clause */
/* Cores, spin tokens and callers are counted, and come back from the dead. */
#include "shared/cores.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/clock.h"
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
    ck_assert_int_eq(cores_callers(cores), i);
    cores_begin_work(cores, (uint32_t)i);
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
    cores_begin_work(cores, 4);
  cores_begin_work(cores, 5);
  cores_leave(cores, 4);
  ck_assert(cores_has_idle(cores));
  ck_assert_int_eq(cores_callers(cores), 1);
  ck_assert_int_eq(cores_take(cores, 6, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 6));
}
END_TEST

START_TEST(who_stands_still_holds_nothing) {
  ck_assert_int_eq(cores_take(cores, 4, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 4));
  for (int i = 0; i < N_CORES; i++)
    cores_begin_work(cores, 4);
  cores_begin_work(cores, 5);
  bool holds[CORES_MAX_MEMBERS];
  cores_find_holders(cores, holds);
  for (int i = 0; i < 7; i++)
    ck_assert_int_eq(holds[i], i == 4 || i == 5);
  cores_set_still(cores, 4, true);
  ck_assert_int_eq(cores_callers(cores), 1);
  ck_assert(cores_has_idle(cores));
  ck_assert_int_eq(cores_take(cores, 6, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 6));
}
END_TEST

static void who_stands_still(void) {
  ck_assert_int_eq(cores_take(cores, 4, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 4));
  cores_begin_work(cores, 4);
  cores_set_still(cores, 4, true);
  ck_assert_int_eq(cores_take(cores, 6, N_CORES), N_CORES);
  ck_assert(cores_take_spin(cores, 6));
}

/* It does not know that it stood still, and gives back what it had: from nobody else. */
START_TEST(who_goes_on_takes_nothing_from_others) {
  who_stands_still();
  cores_give(cores, 4, N_CORES);
  cores_give_spin(cores, 4);
  ck_assert_int_eq(cores_take(cores, 3, 1), 0);
  ck_assert(!cores_take_spin(cores, 3));
  cores->wants_observer = 0;
  cores_begin_work(cores, 4);
  ck_assert_int_eq(cores->wants_observer, 1);
  cores_set_still(cores, 4, false);
  ck_assert_int_eq(cores_callers(cores), 2);
  for (int i = 0; i < 2; i++)
    cores_end_work(cores, 4);
  ck_assert_int_eq(cores_callers(cores), 0);
  ck_assert_int_eq(cores->n_callers, 0);
}
END_TEST

START_TEST(who_dies_while_it_stands_still_is_counted_off_once) {
  who_stands_still();
  cores_leave(cores, 4);
  ck_assert_int_eq(cores->n_callers, 0);
  ck_assert_int_eq(cores->n_still_callers, 0);
  cores_begin_work(cores, 5);
  ck_assert_int_eq(cores_callers(cores), 1);
}
END_TEST

START_TEST(several_users_are_noticed) {
  ck_assert(cores->several_users);
  for (uint32_t i = 0; i < 6; i++)
    cores_leave(cores, i);
  ck_assert(!cores->several_users);
  cores_join(cores, 0, 1006); /* the user of 6 */
  ck_assert(!cores->several_users);
  cores_join(cores, 1, 0);
  ck_assert(cores->several_users);
}
END_TEST

static void *await_want(void *arg) {
  cores_await_want(cores, INT64_MAX);
  return arg;
}

START_TEST(a_want_wakes_the_observer) {
  pthread_t thread;
  for (int i = 0; i < 200; i++) {
    cores->wants_observer = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, await_want, NULL), 0);
    if (i % 2)
      usleep(100);
    cores_want_observer(cores);
    cores_want_observer(cores);
    pthread_join(thread, NULL);
  }
  cores->wants_observer = 0;
  cores_await_want(cores, clock_deadline(1000000)); /* or it ends by itself */
}
END_TEST

int main(void) {
  Suite *suite = suite_create("cores");
  TCase *t = tcase_create("cores");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, cores_are_taken_once);
  tcase_add_test(t, a_core_is_idle_while_neither_owned_nor_worked_on);
  tcase_add_test(t, the_dead_give_all_back);
  tcase_add_test(t, who_stands_still_holds_nothing);
  tcase_add_test(t, who_goes_on_takes_nothing_from_others);
  tcase_add_test(t, who_dies_while_it_stands_still_is_counted_off_once);
  tcase_add_test(t, several_users_are_noticed);
  tcase_add_test(t, a_want_wakes_the_observer);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
