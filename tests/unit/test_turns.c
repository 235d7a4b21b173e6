/* Turns between users: what one may have while another makes calls, and who is woken when. */
#include "server/engine/turns.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include "server/host/board.h"
#include "server/engine/exec.h"
#include "tests/unit/suite.h"

enum { MINE, MINE_TOO, OTHERS, THIRD, N };

static struct board *board;
static struct fair fair[N];
static cpu_set_t all;
static _Atomic uint64_t cancel;
static const struct call call = {.cancel = &cancel, .call_id = 1};

static void set_up(void) {
  int fd;
  ck_assert_int_eq(board_new(&board, &fd), 0);
  close(fd);
  sched_getaffinity(0, sizeof(all), &all);
  board->options.many_users = true;
  board->n_used = N;
  cancel = 0;
  for (uint32_t i = 0; i < N; i++) {
    board->entries[i].uid = i == MINE || i == MINE_TOO ? 1000 : 1000 + i;
    board->entries[i].state = BOARD_SESSION;
    fair[i] = (struct fair){.board = NULL};
    fair_init(&fair[i], board, i);
  }
}

static void tear_down(void) {
  sched_setaffinity(0, sizeof(all), &all);
  board_unmap(board);
}

static void check_runs_on(const cpu_set_t *cores) {
  cpu_set_t now;
  sched_getaffinity(0, sizeof(now), &now);
  ck_assert(CPU_EQUAL(&now, cores));
}

START_TEST(the_halves_are_all_the_cores) {
  cpu_set_t both;
  CPU_OR(&both, &fair[MINE].half[0], &fair[MINE].half[1]);
  ck_assert(CPU_EQUAL(&both, &all));
  ck_assert_int_ge(CPU_COUNT(&fair[MINE].half[0]), 1);
  CPU_AND(&both, &fair[MINE].half[0], &fair[MINE].half[1]);
  ck_assert_int_eq(CPU_COUNT(&both), CPU_COUNT(&all) > 1 ? 0 : 1);
}
END_TEST

START_TEST(who_is_alone_has_all) {
  for (int i = 0; i < 20; i++) {
    struct turn turn = fair_begin(&fair[i % 2], &call);
    ck_assert_int_eq(turn.others, i);
    ck_assert_int_eq(turn.most, INT_MAX);
    ck_assert_ptr_null(turn.cores);
  }
  check_runs_on(&all);
}
END_TEST

START_TEST(users_at_work_have_different_halves) {
  board->entries[OTHERS].calls_ring++;
  struct turn mine = fair_begin(&fair[MINE], &call);
  ck_assert_ptr_nonnull(mine.cores);
  ck_assert_int_eq(mine.most, CPU_COUNT(mine.cores));
  check_runs_on(mine.cores);
  struct turn theirs = fair_begin(&fair[OTHERS], &call);
  ck_assert_int_eq(theirs.others, 1);
  ck_assert_int_ne(theirs.cores == &fair[OTHERS].half[1], mine.cores == &fair[MINE].half[1]);
  check_runs_on(theirs.cores);
  fair_end(&fair[OTHERS]);
  fair_end(&fair[MINE]);
}
END_TEST

START_TEST(who_rests_leaves_all_cores_to_the_others) {
  board->entries[OTHERS].calls_socket++;
  (void)fair_begin(&fair[MINE], &call);
  fair_end(&fair[MINE]);
  fair[MINE].others_active_ns -= 1000000000;
  struct turn turn = fair_begin(&fair[MINE], &call);
  ck_assert_int_eq(turn.most, INT_MAX);
  check_runs_on(&all);
  fair_end(&fair[MINE]);
}
END_TEST

static atomic_int n_begun;

static void *begin(void *arg) {
  struct turn turn = fair_begin(arg, &call);
  ck_assert_int_ge(turn.others, 0);
  atomic_fetch_add(&n_begun, 1);
  return NULL;
}

static void await(_Atomic int32_t *word, int32_t value) {
  for (int ms = 0; *word != value && ms < 20000; ms++)
    usleep(1000);
  ck_assert_int_eq(*word, value);
}

/* As many turns of its user as it may have; then one thread more, of the session `waiter`. */
static pthread_t fill(struct fair *waiter, int *had) {
  pthread_t thread;
  board->entries[OTHERS].n_callers = 1; /* active for ever */
  *had = 0;
  n_begun = 0;
  for (int most = 1; *had < most; ++*had)
    most = fair_begin(&fair[MINE], &call).most;
  ck_assert_int_eq(pthread_create(&thread, NULL, begin, waiter), 0);
  await(&board->entries[waiter->entry].n_waiting, 1);
  usleep(20000);
  ck_assert_int_eq(n_begun, 0);
  ck_assert_int_eq(board->entries[MINE].n_callers, *had);
  return thread;
}

START_TEST(who_has_its_share_waits_until_it_ends_something) {
  int had;
  pthread_t thread = fill(&fair[_i], &had);
  fair_end(&fair[MINE]);
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
  ck_assert_int_eq(board->entries[_i].n_waiting, 0);
  ck_assert_int_eq(board->entries[MINE].n_callers + board->entries[MINE_TOO].n_callers, had);
}
END_TEST

START_TEST(who_is_given_up_waits_no_longer) {
  int had;
  pthread_t thread = fill(&fair[MINE_TOO], &had);
  cancel = 1;
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
  ck_assert_int_eq(board->entries[MINE_TOO].n_waiting, 0);
}
END_TEST

START_TEST(nobody_waits_for_ever) {
  int had;
  pthread_t thread = fill(&fair[MINE_TOO], &had); /* and nothing ends */
  pthread_join(thread, NULL);
  ck_assert_int_eq(n_begun, 1);
}
END_TEST

START_TEST(half_is_of_the_cores_that_the_daemon_may_use) {
  board->n_cores = 1; /* by its control group's quota, say */
  board->entries[OTHERS].n_callers = 1;
  ck_assert_int_eq(fair_begin(&fair[MINE], &call).most, 1);
}
END_TEST

static atomic_int n_at_work, n_too_many;
static int most_at_work;

static void *take_turns(void *arg) {
  for (int i = 0; i < 300; i++) {
    (void)fair_begin(arg, &call);
    if (atomic_fetch_add(&n_at_work, 1) >= most_at_work)
      atomic_fetch_add(&n_too_many, 1);
    sched_yield();
    atomic_fetch_sub(&n_at_work, 1);
    fair_end(arg);
  }
  return NULL;
}

START_TEST(no_more_than_the_share_are_at_work_at_once) {
  pthread_t threads[8];
  board->entries[OTHERS].n_callers = 1;
  most_at_work = fair_begin(&fair[MINE], &call).most;
  fair_end(&fair[MINE]);
  for (int i = 0; i < 8; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, take_turns, &fair[i % 2]), 0);
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  ck_assert_int_eq(n_too_many, 0);
  ck_assert_int_eq(board->n_waiting, 0);
  ck_assert_int_eq(board->n_callers, 0);
}
END_TEST

START_TEST(a_daemon_of_one_user_counts_only) {
  board->options.many_users = false;
  board->entries[OTHERS].n_callers = 7;
  for (int i = 0; i < 10; i++) {
    struct turn turn = fair_begin(&fair[MINE], &call);
    ck_assert_int_eq(turn.others, i);
    ck_assert_int_eq(turn.most, INT_MAX);
  }
  check_runs_on(&all);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("fair");
  TCase *t = tcase_create("fair");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, the_halves_are_all_the_cores);
  tcase_add_test(t, who_is_alone_has_all);
  tcase_add_test(t, users_at_work_have_different_halves);
  tcase_add_test(t, who_rests_leaves_all_cores_to_the_others);
  tcase_add_loop_test(t, who_has_its_share_waits_until_it_ends_something, MINE, MINE_TOO + 1);
  tcase_add_test(t, who_is_given_up_waits_no_longer);
  tcase_add_test(t, nobody_waits_for_ever);
  tcase_add_test(t, half_is_of_the_cores_that_the_daemon_may_use);
  tcase_add_test(t, no_more_than_the_share_are_at_work_at_once);
  tcase_add_test(t, a_daemon_of_one_user_counts_only);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
