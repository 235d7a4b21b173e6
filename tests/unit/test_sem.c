/* SPDX-License-Identifier: BSD-3-Clause */
/* Hints through a semaphore: they work together with glibc's own functions, stop at the limit, and nothing
 * that is in the semaphore has an effect but on the counters. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/sem.h"
#include "tests/unit/suite.h"

#define SOON_NS 20000000
#define LATE_NS 10000000000

static sem_t sem;

static void set_up(void) {
  ck_assert_int_eq(sem_init(&sem, 1, 0), 0);
}

static int value(void) {
  int n = -1;
  ck_assert_int_eq(sem_getvalue(&sem, &n), 0);
  return n;
}

START_TEST(hints_are_posts) {
  sem_hint(&sem);
  sem_hint(&sem);
  ck_assert_int_eq(value(), 2);
  ck_assert_int_eq(sem_trywait(&sem), 0);
  sem_await_hint(&sem, clock_deadline(LATE_NS));
  ck_assert_int_eq(value(), 0);
  sem_post(&sem);
  sem_await_hint(&sem, clock_deadline(LATE_NS));
  ck_assert_int_eq(value(), 0);
}
END_TEST

START_TEST(a_wait_ends_at_its_deadline) {
  int64_t deadline = clock_deadline(SOON_NS);
  sem_await_hint(&sem, deadline);
  ck_assert_int_ge(clock_now_ns(), deadline);
  sem_await_hint(&sem, 0);
  sem_post(&sem); /* nobody is counted as waiting who does not */
  ck_assert_int_eq(value(), 1);
  uint64_t counters;
  memcpy(&counters, &sem, sizeof(counters));
  ck_assert_uint_eq(counters, 1);
}
END_TEST

static void *await(void *arg) {
  int64_t deadline = clock_deadline(LATE_NS);
  if (arg)
    sem_wait(&sem);
  else
    sem_await_hint(&sem, deadline);
  return clock_now_ns() < deadline ? &sem : NULL;
}

/* _i 0: wait by hint, post by glibc; 1: the other way round; 2: both by hint. */
START_TEST(who_sleeps_is_woken) {
  pthread_t thread;
  void *in_time = NULL;
  ck_assert_int_eq(pthread_create(&thread, NULL, await, _i == 1 ? &sem : NULL), 0);
  usleep(20000);
  if (_i == 0)
    sem_post(&sem);
  else
    sem_hint(&sem);
  pthread_join(thread, &in_time);
  ck_assert_ptr_nonnull(in_time);
}
END_TEST

START_TEST(the_limit_stays) {
  for (int i = 0; i < 3; i++) {
    const uint32_t full = 0x7fffffff;
    memcpy(&sem, &full, sizeof(full));
    sem_hint(&sem);
    ck_assert_int_eq(value(), 0x7fffffff);
  }
}
END_TEST

/* glibc's functions would end this process for most of these. */
START_TEST(what_is_spoilt_does_no_harm) {
  for (int byte = 0; byte < 256; byte++) {
    memset(&sem, byte, sizeof(sem));
    sem_hint(&sem);
    sem_await_hint(&sem, clock_deadline(100000));
    memset(&sem, 0, sizeof(uint32_t)); /* so that it sleeps */
    sem_await_hint(&sem, clock_deadline(100000));
    sem_hint(&sem);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("sem");
  TCase *tcase = tcase_create("sem");
  tcase_add_checked_fixture(tcase, set_up, NULL);
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, hints_are_posts);
  tcase_add_test(tcase, a_wait_ends_at_its_deadline);
  tcase_add_loop_test(tcase, who_sleeps_is_woken, 0, 3);
  tcase_add_test(tcase, the_limit_stays);
  tcase_add_test(tcase, what_is_spoilt_does_no_harm);
  suite_add_tcase(suite, tcase);
  return suite_run(suite);
}
