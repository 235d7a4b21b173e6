/* SPDX-License-Identifier: BSD-3-Clause */
/* The observer: who has more than his share, and who stands still, by processor time that the test makes up.
 */
#include "server/supervisor/observer.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/suite.h"

enum { BUSY, BUSY_TOO, OTHER, N };
#define N_CORES 4
#define LOOK ((int64_t)OBSERVER_LOOK_NS)

static struct scoreboard *scoreboard;
static struct notices *notices;
static struct cores *cores;
static struct observer *observer;
static int64_t used_ns[N], now;

static int64_t cpu_ns(int32_t pid) {
  return used_ns[pid - 1];
}

static int runnable;

static int n_runnable(void) {
  return runnable;
}

static int64_t now_ns(void) {
  return now;
}

static void begin_session(uint32_t i) {
  const uint32_t uid = i == OTHER ? 2000 : 1000;
  notices_put(notices, i, (int)i + 1, WORKER_SESSION, uid, 0);
  cores_join(cores, i, uid);
}

static void end_session(uint32_t i) {
  scoreboard_bury(scoreboard, i);
  notices_put(notices, i, 0, WORKER_NONE, 0, 0);
}

static void set_up(void) {
  scoreboard = calloc(1, sizeof(*scoreboard));
  notices = calloc(1, sizeof(*notices));
  notices->n_cores = N_CORES;
  observer = malloc(sizeof(*observer));
  cores = &scoreboard->cores;
  cores_init(cores, N_CORES);
  for (uint32_t i = 0; i < N; i++) {
    used_ns[i] = 0;
    begin_session(i);
  }
  observer_init(observer, scoreboard, notices);
  observer->cpu_ns = cpu_ns;
  observer->now_ns = now_ns;
  observer->n_runnable = n_runnable;
  runnable = 0;
  now = 1000 * LOOK;
  observer_look(observer);
}

static void tear_down(void) {
  free(observer);
  free(notices);
  free(scoreboard);
}

/* A look later, in which each worker of the busy user used so much of one core. */
static void look(double each_busy, bool other_calls) {
  now += LOOK;
  used_ns[BUSY] += (int64_t)(each_busy * LOOK);
  used_ns[BUSY_TOO] += (int64_t)(each_busy * LOOK);
  used_ns[OTHER] += LOOK / 100;
  cores->members[OTHER].n_calls += other_calls;
  cores->members[BUSY].n_calls++;
  observer_look(observer);
}

static void check_strict(bool busy) {
  ck_assert_int_eq(cores->members[BUSY].strict, busy);
  ck_assert_int_eq(cores->members[BUSY_TOO].strict, busy);
  ck_assert_int_eq(cores->members[OTHER].strict, 0);
}

START_TEST(who_is_alone_may_use_all) {
  for (int i = 0; i < 5; i++) {
    look(2, false);
    check_strict(false);
    ck_assert_int_eq(observer->n_active, 1);
  }
}
END_TEST

START_TEST(half_of_the_cores_is_a_share) {
  for (int i = 0; i < 5; i++) {
    look(1, true);
    check_strict(false);
    ck_assert_int_eq(observer->n_active, 2);
  }
}
END_TEST

/* What is counted is the user, not the worker: none of these has more than half of the cores by itself. */
START_TEST(who_has_more_beside_others_is_strict_until_he_has_less) {
  look(1.5, true);
  check_strict(true);
  for (int i = 0; i < 3 * OBSERVER_STRICT_NS / LOOK; i++) {
    look(1, true); /* all that it may: it stays strict */
    check_strict(true);
  }
  for (int i = 0; i < OBSERVER_STRICT_NS / LOOK; i++) {
    check_strict(true);
    look(0.5, true);
  }
  check_strict(false);
}
END_TEST

START_TEST(who_is_strict_is_so_no_longer_when_the_others_rest) {
  look(2, true);
  check_strict(true);
  for (int i = 0; i < OBSERVER_STRICT_NS / LOOK; i++)
    look(2, false);
  check_strict(false);
}
END_TEST

/* Other programs have most of the cores, so half of them is more than all workers together have. */
START_TEST(half_is_of_what_there_is) {
  runnable = N_CORES + 1; /* there is a core for each of them, and one more looks */
  look(0.2, true);
  check_strict(false);
  runnable++;
  look(0.2, true);
  check_strict(false);
  cores->members[BUSY].n_channels = N_CORES; /* so many threads may want more than they get */
  look(0.2, true);
  check_strict(true);
}
END_TEST

START_TEST(who_uses_little_is_in_nobodys_way) {
  runnable = 100;
  look(0.02, true);
  check_strict(false);
}
END_TEST

START_TEST(who_is_strict_is_so_while_he_wants_more) {
  look(1.5, true);
  cores->members[BUSY_TOO].n_waiting = 1;
  for (int i = 0; i < 3 * OBSERVER_STRICT_NS / LOOK; i++) {
    look(0.5, true);
    check_strict(true);
  }
}
END_TEST

START_TEST(a_new_worker_is_as_strict_as_its_user) {
  end_session(BUSY_TOO);
  look(2.5, true);
  ck_assert_int_eq(cores->members[BUSY].strict, 1);
  begin_session(BUSY_TOO);
  ck_assert_int_eq(cores->members[BUSY_TOO].strict, 0);
  look(1, true);
  check_strict(true);
}
END_TEST

static void look_still(bool still) {
  now += LOOK;
  used_ns[BUSY] += LOOK;
  observer_look(observer);
  ck_assert_int_eq(cores->members[OTHER].still, still);
}

START_TEST(who_holds_and_does_not_move_stands_still) {
  ck_assert_int_eq(cores_take(cores, OTHER, N_CORES), N_CORES);
  cores_begin_work(cores, OTHER);
  for (int i = 1; i < OBSERVER_STILL_LOOKS; i++)
    look_still(false);
  look_still(true);
  ck_assert_int_eq(observer->n_still, 1);
  ck_assert_int_eq(cores_callers(cores), 0);
  ck_assert_int_eq(cores_take(cores, BUSY, N_CORES), N_CORES);
  for (int i = 0; i < 10; i++)
    look_still(true);
  used_ns[OTHER]++; /* goes on */
  look_still(false);
  ck_assert_int_eq(observer->n_still, 0);
  ck_assert_int_eq(cores_callers(cores), 1);
}
END_TEST

START_TEST(who_holds_nothing_may_rest) {
  for (int i = 0; i < 3 * OBSERVER_STILL_LOOKS; i++)
    look_still(false);
  cores_begin_work(cores, OTHER);
  look_still(false);
}
END_TEST

START_TEST(who_moves_a_little_is_at_work) {
  cores_begin_work(cores, OTHER);
  for (int i = 0; i < 3 * OBSERVER_STILL_LOOKS; i++) {
    used_ns[OTHER]++;
    look_still(false);
  }
}
END_TEST

START_TEST(the_kernel_says_what_a_process_used) {
  observer_init(observer, scoreboard, notices);
  int64_t before = observer->cpu_ns(getpid());
  ck_assert_int_ge(before, 0);
  for (int i = 0; i < 100000000 && observer->cpu_ns(getpid()) == before; i++) {
  }
  ck_assert_int_gt(observer->cpu_ns(getpid()), before);
  ck_assert_int_eq(observer->cpu_ns(0x7ffffff), -1);
}
END_TEST

START_TEST(the_kernel_says_how_many_threads_are_runnable) {
  observer_init(observer, scoreboard, notices);
  ck_assert_int_ge(observer->n_runnable(), 1); /* this one */
}
END_TEST

START_TEST(the_thread_looks_when_it_is_wanted_and_ends) {
  for (uint32_t i = 0; i < N; i++)
    end_session(i);
  observer_init(observer, scoreboard, notices);
  observer_stop(observer); /* without a thread */
  ck_assert_int_eq(observer_start(observer), 0);
  cores_want_observer(cores);
  for (int ms = 0; cores->wants_observer && ms < 20000; ms++)
    usleep(1000);
  ck_assert_int_eq(cores->wants_observer, 0);
  observer_stop(observer);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("observer");
  TCase *t = tcase_create("observer");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, who_is_alone_may_use_all);
  tcase_add_test(t, half_of_the_cores_is_a_share);
  tcase_add_test(t, who_has_more_beside_others_is_strict_until_he_has_less);
  tcase_add_test(t, who_is_strict_is_so_no_longer_when_the_others_rest);
  tcase_add_test(t, half_is_of_what_there_is);
  tcase_add_test(t, who_uses_little_is_in_nobodys_way);
  tcase_add_test(t, who_is_strict_is_so_while_he_wants_more);
  tcase_add_test(t, a_new_worker_is_as_strict_as_its_user);
  tcase_add_test(t, who_holds_and_does_not_move_stands_still);
  tcase_add_test(t, who_holds_nothing_may_rest);
  tcase_add_test(t, who_moves_a_little_is_at_work);
  tcase_add_test(t, the_kernel_says_what_a_process_used);
  tcase_add_test(t, the_kernel_says_how_many_threads_are_runnable);
  tcase_add_test(t, the_thread_looks_when_it_is_wanted_and_ends);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
