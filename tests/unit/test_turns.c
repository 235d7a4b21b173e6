/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns between users: what one may have while another makes calls, and who is woken when. */
#include "shared/turns.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/available_cores.h"
#include "tests/unit/suite.h"

enum { MINE, MINE_TOO, OTHERS, THIRD, N };

static struct cores *cores;
static struct turns turns[N];
static cpu_set_t all;
static atomic_bool cancelled;

static bool is_cancelled(const void *arg) {
  return *(const atomic_bool *)arg;
}

static void set_up(void) {
  cores = calloc(1, sizeof(*cores));
  cores_init(cores, available_cores());
  sched_getaffinity(0, sizeof(all), &all);
  cancelled = false;
  for (uint32_t i = 0; i < N; i++) {
    cores_join(cores, i, i == MINE || i == MINE_TOO ? 1000 : 1000 + i);
    turns[i] = (struct turns){.cores = NULL};
    turns_init(&turns[i], cores, i);
  }
}

static void tear_down(void) {
  sched_setaffinity(0, sizeof(all), &all);
  free(cores);
}

static struct turn begin_turn(struct turns *t) {
  struct turn turn;
  turns_begin(t, &turn, is_cancelled, &cancelled);
  ck_assert(turn.begun);
  return turn;
}

static void end_turn(struct turns *t) {
  struct turn turn = {.begun = true};
  turns_end(t, &turn);
  ck_assert(!turn.begun);
}

static void check_runs_on(const cpu_set_t *set) {
  cpu_set_t now;
  sched_getaffinity(0, sizeof(now), &now);
  ck_assert(CPU_EQUAL(&now, set));
}

START_TEST(the_halves_are_all_the_cores) {
  cpu_set_t both;
  CPU_OR(&both, &turns[MINE].half[0], &turns[MINE].half[1]);
  ck_assert(CPU_EQUAL(&both, &all));
  ck_assert_int_ge(CPU_COUNT(&turns[MINE].half[0]), 1);
  CPU_AND(&both, &turns[MINE].half[0], &turns[MINE].half[1]);
  ck_assert_int_eq(CPU_COUNT(&both), CPU_COUNT(&all) > 1 ? 0 : 1);
}
END_TEST

START_TEST(who_is_alone_has_all) {
  for (int i = 0; i < 20; i++) {
    struct turn turn = begin_turn(&turns[i % 2]);
    ck_assert_int_eq(cores_callers(cores), i + 1);
    ck_assert_int_eq(turn.most, INT_MAX);
    ck_assert_ptr_null(turn.cores);
  }
  check_runs_on(&all);
}
END_TEST

START_TEST(users_at_work_have_different_halves) {
  cores->members[OTHERS].n_calls++;
  struct turn mine = begin_turn(&turns[MINE]);
  ck_assert_ptr_nonnull(mine.cores);
  ck_assert_int_eq(mine.most, CPU_COUNT(mine.cores));
  check_runs_on(mine.cores);
  struct turn theirs = begin_turn(&turns[OTHERS]);
  ck_assert_int_eq(cores_callers(cores), 2);
  ck_assert_int_ne(theirs.cores == &turns[OTHERS].half[1], mine.cores == &turns[MINE].half[1]);
  check_runs_on(theirs.cores);
  end_turn(&turns[OTHERS]);
  end_turn(&turns[MINE]);
}
END_TEST

START_TEST(who_makes_small_calls_keeps_away_from_strict_users) {
  cores->members[OTHERS].n_calls++;
  ck_assert_ptr_null(turns_placement(&turns[MINE]));
  cores->members[OTHERS].strict = 1;
  for (uint32_t half = TURN_LOWER_HALF; half <= TURN_UPPER_HALF; half++) {
    cores->members[OTHERS].placement = half;
    turns[MINE].looked_ns = 0;
    ck_assert_ptr_eq(turns_placement(&turns[MINE]), &turns[MINE].half[half == TURN_LOWER_HALF]);
  }
}
END_TEST

START_TEST(who_rests_leaves_all_cores_to_the_others) {
  cores->members[OTHERS].n_calls++;
  (void)begin_turn(&turns[MINE]);
  end_turn(&turns[MINE]);
  turns[MINE].others_active_ns -= 1000000000;
  struct turn turn = begin_turn(&turns[MINE]);
  ck_assert_int_eq(turn.most, INT_MAX);
  check_runs_on(&all);
  end_turn(&turns[MINE]);
}
END_TEST

static atomic_int n_begun;

static void *begin(void *arg) {
  (void)begin_turn(arg);
  atomic_fetch_add(&n_begun, 1);
  return NULL;
}

static void await(_Atomic int32_t *word, int32_t value) {
  for (int ms = 0; *word != value && ms < 20000; ms++)
    usleep(1000);
  ck_assert_int_eq(*word, value);
}

/* As many turns of its user as it may have; then one thread more, of the session `waiter`. */
static pthread_t fill(struct turns *waiter, int *had) {
  pthread_t thread;
  cores->members[OTHERS].n_callers = 1; /* active for ever */
  *had = 0;
  n_begun = 0;
  for (int most = 1; *had < most; ++*had)
    most = begin_turn(&turns[MINE]).most;
  ck_assert_int_eq(pthread_create(&thread, NULL, begin, waiter), 0);
  await(&cores->members[waiter->member].n_waiting, 1);
  usleep(20000);
  ck_assert_int_eq(n_begun, 0);
  ck_assert_int_eq(cores->members[MINE].n_callers, *had);
  return thread;
}

START_TEST(who_has_its_share_waits_until_it_ends_something) {
  int had;
  pthread_t thread = fill(&turns[_i], &had);
  end_turn(&turns[MINE]);
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
  ck_assert_int_eq(cores->members[_i].n_waiting, 0);
  ck_assert_int_eq(cores->members[MINE].n_callers + cores->members[MINE_TOO].n_callers, had);
}
END_TEST

START_TEST(who_is_given_up_waits_no_longer) {
  int had;
  pthread_t thread = fill(&turns[MINE_TOO], &had);
  cancelled = true;
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
  ck_assert_int_eq(cores->members[MINE_TOO].n_waiting, 0);
}
END_TEST

START_TEST(nobody_waits_for_ever) {
  int had;
  pthread_t thread = fill(&turns[MINE_TOO], &had); /* and nothing ends */
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
}
END_TEST

START_TEST(half_is_of_the_cores_that_the_daemon_may_use) {
  cores->n_cores = 1; /* by its control group's quota, say */
  cores->members[OTHERS].n_callers = 1;
  ck_assert_int_eq(begin_turn(&turns[MINE]).most, 1);
}
END_TEST

static atomic_int n_at_work, n_too_many;
static int most_at_work;

static void *take_turns(void *arg) {
  for (int i = 0; i < 300; i++) {
    (void)begin_turn(arg);
    if (atomic_fetch_add(&n_at_work, 1) >= most_at_work)
      atomic_fetch_add(&n_too_many, 1);
    sched_yield();
    atomic_fetch_sub(&n_at_work, 1);
    end_turn(arg);
  }
  return NULL;
}

START_TEST(no_more_than_the_share_are_at_work_at_once) {
  pthread_t threads[8];
  cores->members[OTHERS].n_callers = 1;
  most_at_work = begin_turn(&turns[MINE]).most;
  end_turn(&turns[MINE]);
  for (int i = 0; i < 8; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, take_turns, &turns[i % 2]), 0);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  ck_assert_int_eq(n_too_many, 0);
  ck_assert_int_eq(cores->n_waiting, 0);
  ck_assert_int_eq(cores->n_callers, 0);
}
END_TEST

START_TEST(with_one_user_callers_are_counted_and_no_more) {
  cores_leave(cores, OTHERS);
  cores_leave(cores, THIRD);
  ck_assert(!cores->several_users);
  ck_assert(!turns_are_taken(&turns[MINE], UINT64_MAX));
  for (int i = 0; i < 10; i++) {
    struct turn turn = begin_turn(&turns[MINE]);
    ck_assert_int_eq(cores_callers(cores), i + 1);
    ck_assert_int_eq(turn.most, INT_MAX);
  }
  check_runs_on(&all);
  ck_assert_int_eq(cores->wants_observer, 1); /* since several had joined */
}
END_TEST

START_TEST(a_turn_is_taken_by_calls_that_are_worth_it_and_while_others_call) {
  ck_assert(!turns_are_taken(&turns[MINE], UINT64_MAX));
  cores->members[OTHERS].n_calls++;
  turns[MINE].looked_ns = 0;
  ck_assert(turns_are_taken(&turns[MINE], TURN_MIN_NS));
  ck_assert(!turns_are_taken(&turns[MINE], TURN_MIN_NS - 1));
  turns[MINE].others_active_ns -= 1000000000;
  ck_assert(!turns_are_taken(&turns[MINE], UINT64_MAX));
  cores->members[MINE].strict = 1;
  ck_assert(turns_are_taken(&turns[MINE], 0));
  ck_assert(!turns_are_taken(&turns[MINE_TOO], 0));
}
END_TEST

static void make_old(struct turn *turn) {
  turn->looked_ns -= 1000000000;
}

START_TEST(a_long_call_keeps_to_the_share_once_others_come) {
  struct turn turn = begin_turn(&turns[MINE]);
  ck_assert_int_eq(turn.most, INT_MAX);
  cores->members[OTHERS].n_callers = 1;
  ck_assert(turns_renew(&turns[MINE], &turn)); /* too early */
  ck_assert_int_eq(turn.most, INT_MAX);
  make_old(&turn);
  ck_assert(turns_renew(&turns[MINE], &turn));
  ck_assert(turn.begun);
  ck_assert_int_eq(turn.most, CPU_COUNT(turn.cores));
  check_runs_on(turn.cores);
  cores->members[OTHERS].n_callers = 0;
  turns[MINE].others_active_ns -= 1000000000;
  make_old(&turn);
  ck_assert(turns_renew(&turns[MINE], &turn));
  ck_assert_int_eq(turn.most, INT_MAX);
  check_runs_on(&all);
  turns_end(&turns[MINE], &turn);
  ck_assert_int_eq(cores->n_callers, 0);
}
END_TEST

static void *renew(void *arg) {
  struct turn *turn = arg;
  make_old(turn);
  ck_assert(!turns_renew(&turns[MINE_TOO], turn));
  ck_assert(!turn->begun);
  *turn = begin_turn(&turns[MINE_TOO]);
  atomic_fetch_add(&n_begun, 1);
  return NULL;
}

/* Callers that began when their user was alone are as many as they like, until each looks again. */
START_TEST(a_long_call_waits_when_its_user_has_too_many) {
  struct turn turn = begin_turn(&turns[MINE_TOO]);
  int had;
  pthread_t thread;
  n_begun = 0;
  for (had = 0; had < CPU_COUNT(&all); had++)
    (void)begin_turn(&turns[MINE]);
  cores->members[OTHERS].n_callers = 1;
  ck_assert_int_eq(pthread_create(&thread, NULL, renew, &turn), 0);
  await(&cores->members[MINE_TOO].n_waiting, 1);
  ck_assert_int_eq(n_begun, 0);
  ck_assert_int_eq(cores->members[MINE_TOO].n_callers, 0);
  for (int i = 0; i < had; i++)
    end_turn(&turns[MINE]);
  pthread_join(thread, NULL);
  ck_assert(turn.begun);
  ck_assert_int_eq(cores->members[MINE_TOO].n_callers, 1);
}
END_TEST

/* What a worker of another user that went bad may have written. */
START_TEST(wrong_counts_only_cost_time) {
  static const int32_t counts[] = {INT_MAX, INT_MIN, -1, 1 << 20};
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    struct cores_member *liar = &cores->members[OTHERS];
    cores->n_callers = cores->n_waiting = cores->n_still_callers = counts[i];
    liar->n_callers = liar->n_waiting = counts[i];
    liar->placement = (uint32_t)counts[i];
    liar->n_calls += 12345;
    memset(&liar->turn, 0xff, sizeof(liar->turn));
    cores->members[MINE_TOO].n_callers = counts[i] > 0 ? 1000 : -1000; /* of this user, too */
    memset(&cores->members[MINE].turn, 0xff, sizeof(liar->turn));
    struct turn turn = begin_turn(&turns[MINE]);
    ck_assert_int_ge(turn.most, 1);
    end_turn(&turns[MINE]);
  }
}
END_TEST

START_TEST(other_threads_of_a_strict_user_keep_to_its_half_too) {
  cores->members[OTHERS].n_calls++;
  turns_place(&turns[MINE]);
  check_runs_on(&all);
  cores->members[MINE].strict = 1;
  turns[MINE].looked_ns = 0;
  turns_place(&turns[MINE]);
  check_runs_on(turns[MINE].placement);
  ck_assert(CPU_COUNT(&all) == 1 || !CPU_EQUAL(turns[MINE].placement, &all));
  cores->members[MINE].strict = 0;
  turns_place(&turns[MINE]);
  check_runs_on(&all);
}
END_TEST

START_TEST(who_stands_still_takes_no_place) {
  int had;
  cores->members[OTHERS].n_callers = 1;
  had = 0;
  for (int most = 1; had < most; ++had)
    most = begin_turn(&turns[MINE]).most;
  cores_set_still(cores, MINE, true);
  ck_assert_int_eq(cores_callers(cores), 0); /* those of OTHERS are in no total here */
  for (int i = 0; i < had; i++)
    (void)begin_turn(&turns[MINE_TOO]); /* does not wait */
  ck_assert_int_eq(cores_callers(cores), had);
  cores_set_still(cores, MINE, false);
  ck_assert_int_eq(cores_callers(cores), 2 * had);
  for (int i = 0; i < had; i++)
    end_turn(&turns[MINE]);
  ck_assert_int_eq(cores_callers(cores), had);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("turns");
  TCase *t = tcase_create("turns");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, the_halves_are_all_the_cores);
  tcase_add_test(t, who_is_alone_has_all);
  tcase_add_test(t, users_at_work_have_different_halves);
  tcase_add_test(t, who_makes_small_calls_keeps_away_from_strict_users);
  tcase_add_test(t, who_rests_leaves_all_cores_to_the_others);
  tcase_add_loop_test(t, who_has_its_share_waits_until_it_ends_something, MINE, MINE_TOO + 1);
  tcase_add_test(t, who_is_given_up_waits_no_longer);
  tcase_add_test(t, nobody_waits_for_ever);
  tcase_add_test(t, half_is_of_the_cores_that_the_daemon_may_use);
  tcase_add_test(t, no_more_than_the_share_are_at_work_at_once);
  tcase_add_test(t, with_one_user_callers_are_counted_and_no_more);
  tcase_add_test(t, a_turn_is_taken_by_calls_that_are_worth_it_and_while_others_call);
  tcase_add_test(t, a_long_call_keeps_to_the_share_once_others_come);
  tcase_add_test(t, a_long_call_waits_when_its_user_has_too_many);
  tcase_add_test(t, wrong_counts_only_cost_time);
  tcase_add_test(t, other_threads_of_a_strict_user_keep_to_its_half_too);
  tcase_add_test(t, who_stands_still_takes_no_place);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
