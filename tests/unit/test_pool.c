/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool: each task once, whoever does it; helpers as far as the count has cores, and every core given
 * back. */
#include "server/engine/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/engine/exec.h"
#include "shared/available_cores.h"
#include "shared/cores.h"
#include "tests/unit/random.h"

#define MOST 5000
#define CORES 4 /* that are counted: permissions, whatever the machine has */

static struct cores *cores;
static struct pool *pool;
static _Atomic uint64_t cancel;

/* What was done, in one run. */
struct record {
  _Atomic int times[MOST];
  _Atomic int64_t n;
  _Atomic int at_once, most_at_once;
  pthread_t caller;
  _Atomic int by_others;
};

static struct record record;

static void do_task(void *arg, int64_t task) {
  struct record *r = arg;
  const int now = atomic_fetch_add(&r->at_once, 1) + 1;
  int most = atomic_load(&r->most_at_once);
  while (now > most && !atomic_compare_exchange_weak(&r->most_at_once, &most, now)) {
  }
  atomic_fetch_add(&r->times[task], 1);
  atomic_fetch_add(&r->n, 1);
  if (!pthread_equal(pthread_self(), r->caller))
    atomic_fetch_add(&r->by_others, 1);
  atomic_fetch_sub(&r->at_once, 1);
}

/* All tasks, as the one step of a call. */
static void run(struct pool *p, int64_t n, pool_task fn, void *arg) {
  const struct plan plan = {.parallel = true};
  struct call call = {.plan = &plan, .cancel = &cancel, .call_id = 1};
  pool_begin_call(p, &call);
  pool_run(p, &call, n, fn, arg);
  pool_end_call(p, &call);
}

static void clear(struct record *r) {
  memset(r, 0, sizeof(*r));
  r->caller = pthread_self();
}

static void check_each_once(struct record *r, int64_t n) {
  CHECK(r->n == n, "%d tasks instead of %d", (int)r->n, (int)n);
  for (int64_t i = 0; i < MOST; i++)
    CHECK(r->times[i] == (i < n), "task %d was done %d times", (int)i, r->times[i]);
}

static void set_up_cores(int n_cores) {
  cores = calloc(1, sizeof(*cores));
  ck_assert_ptr_nonnull(cores);
  cores_init(cores, n_cores);
  cores_join(cores, 0, 1000);
  cores_join(cores, 1, 1000);
  ck_assert_int_eq(pool_new(cores, 0, &pool), 0);
  clear(&record);
}

static void set_up(void) {
  random_reseed();
  set_up_cores(CORES);
}

static int cores_taken(void) {
  int n = 0;
  for (int i = 0; i < CORES_MAX; i++)
    n += cores->core_owner[i] != 0;
  return n;
}

static void tear_down(void) {
  ck_assert_int_eq(cores_taken(), 0);
  ck_assert_int_eq(cores->n_callers, 0);
  ck_assert_ptr_null(pool_free(pool));
  free(cores);
}

START_TEST(each_task_is_done_once) {
  static const int64_t counts[] = {0, 1, 2, 3, 63, 64, 65, MOST};
  for (int round = 0; round < 20; round++)
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
      clear(&record);
      run(pool, counts[i], do_task, &record);
      check_each_once(&record, counts[i]); /* all of them before pool_run returns */
    }
}
END_TEST

static int64_t last_task;

static void check_order(void *arg, int64_t task) {
  ck_assert_int_eq(task, last_task + 1);
  last_task = task;
}

START_TEST(without_a_pool_the_caller_does_all_in_order) {
  last_task = -1;
  run(NULL, 100, check_order, NULL);
  ck_assert_int_eq(last_task, 99);
  ck_assert_ptr_null(pool_free(NULL));
}
END_TEST

/* Waits until somebody else is at a task, too: helpers are there, if the machine takes its time. */
struct meeting {
  pthread_mutex_t lock;
  pthread_cond_t came;
  int here, wanted;
};

static void meet(void *arg, int64_t task) {
  struct meeting *m = arg;
  pthread_mutex_lock(&m->lock);
  m->here++;
  pthread_cond_broadcast(&m->came);
  while (m->here < m->wanted)
    pthread_cond_wait(&m->came, &m->lock);
  pthread_mutex_unlock(&m->lock);
}

START_TEST(as_many_work_as_there_are_cores) {
  struct meeting all = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, CORES};
  run(pool, CORES, meet, &all); /* ends only if all four are at it at once */
  ck_assert_int_eq(all.here, CORES);
}
END_TEST

/* Looks how many cores are held while a task runs. */
static void note_cores(void *arg, int64_t task) {
  atomic_store((_Atomic int *)arg, cores_taken());
}

START_TEST(no_more_cores_are_taken_than_there_are_tasks) {
  _Atomic int taken = -1;
  run(pool, 2, note_cores, &taken);
  ck_assert_int_eq(taken, 2);
  run(pool, 1, note_cores, &taken);
  ck_assert_int_eq(taken, 0); /* for a caller alone asks for none */
}
END_TEST

START_TEST(what_others_hold_is_left_to_them) {
  _Atomic int taken = -1;
  ck_assert_int_eq(cores_take(cores, 1, 2), 2);
  run(pool, 100, note_cores, &taken);
  ck_assert_int_eq(taken, CORES); /* theirs and ours */
  ck_assert_int_eq(cores_take(cores, 1, 2), 2);
  clear(&record);
  run(pool, 100, do_task, &record);
  check_each_once(&record, 100); /* with none at all it goes on */
  ck_assert_int_eq(record.by_others, 0);
  cores_give(cores, 1, 4);
}
END_TEST

START_TEST(callers_at_work_count_though_they_hold_no_core) {
  for (int i = 0; i < CORES - 1; i++)
    cores_begin_work(cores, 1);
  clear(&record);
  run(pool, 100, do_task, &record);
  ck_assert_int_eq(record.by_others, 0);
  for (int i = 0; i < CORES - 1; i++)
    cores_end_work(cores, 1);
  check_each_once(&record, 100);
}
END_TEST

START_TEST(a_call_is_counted_once_whatever_its_steps) {
  const struct plan plan = {.parallel = true};
  struct call call = {.plan = &plan, .cancel = &cancel, .call_id = 1};
  pool_begin_call(pool, &call);
  for (int step = 0; step < 3; step++) {
    clear(&record);
    pool_run(pool, &call, 50, do_task, &record);
    check_each_once(&record, 50);
    ck_assert_int_eq(cores->n_callers, 1); /* between its steps, too */
    ck_assert_int_eq(cores_taken(), 0);
  }
  pool_end_call(pool, &call);
}
END_TEST

START_TEST(calls_of_serial_steps_take_turns_while_others_call) {
  const struct plan serial = {.cost_ns = TURN_MIN_NS}, small = {.cost_ns = TURN_MIN_NS - 1};
  struct call call = {.plan = &serial, .cancel = &cancel, .call_id = 1};
  pool_begin_call(pool, &call);
  ck_assert_int_eq(cores->n_callers, 0);
  pool_end_call(pool, &call);
  cores_join(cores, 2, 1001);
  cores->members[2].n_calls++;
  pool_begin_call(pool, &call);
  ck_assert_int_eq(cores->n_callers, 1);
  pool_end_call(pool, &call);
  call.plan = &small;
  pool_begin_call(pool, &call);
  ck_assert_int_eq(cores->n_callers, 0);
  pool_end_call(pool, &call);
  cores->members[0].strict = 1;
  pool_begin_call(pool, &call);
  ck_assert_int_eq(cores->n_callers, 1);
  pool_end_call(pool, &call);
}
END_TEST

#define LONG_TASKS 400
static _Atomic bool others_came;
static _Atomic int taken_then;

/* After some tasks another user comes; helpers that are still there wait until the caller has seen that. */
static void go_on_when_others_come(void *arg, int64_t task) {
  struct record *r = arg;
  do_task(arg, task);
  usleep(1000);
  if (atomic_load(&r->n) >= LONG_TASKS / 4 && !atomic_exchange(&others_came, true)) {
    cores_join(cores, 2, 1001);
    atomic_fetch_add(&cores->members[2].n_callers, 1);
  }
  if (atomic_load(&r->n) < LONG_TASKS / 2 || pthread_equal(pthread_self(), r->caller))
    return;
  for (int ms = 0; cores_taken() == CORES && ms < 20000; ms++)
    usleep(1000);
  atomic_store(&taken_then, cores_taken());
}

START_TEST(a_long_step_gives_cores_back_when_others_come) {
  run(pool, LONG_TASKS, go_on_when_others_come, &record);
  check_each_once(&record, LONG_TASKS);
  ck_assert_int_gt(record.by_others, 0);
  ck_assert_int_lt(taken_then, CORES);
}
END_TEST

#define CALLERS 6
static struct record records[CALLERS];

static void *make_calls(void *arg) {
  struct record *mine = arg;
  for (int round = 0; round < 200; round++) {
    const int64_t n = 1 + round * 7 % 90;
    clear(mine);
    run(pool, n, do_task, mine);
    if (mine->n != n)
      return (void *)"not all";
    for (int64_t i = 0; i < n; i++)
      if (mine->times[i] != 1)
        return (void *)"not once";
  }
  return NULL;
}

/* A helper is offered jobs by several callers; a job that is withdrawn must not be run by a helper that comes
 * late, whose caller's memory is gone. */
START_TEST(callers_share_the_helpers) {
  pthread_t threads[CALLERS];
  void *wrong;
  for (int i = 0; i < CALLERS; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, make_calls, &records[i]), 0);
  for (int i = 0; i < CALLERS; i++) {
    ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
    ck_assert_msg(!wrong, "%s", (const char *)wrong);
  }
}
END_TEST

/* Tasks of their own call: the pool of the engine alone, which keeps no count. */
START_TEST(without_a_count_there_are_helpers_for_all_cores) {
  struct pool *alone;
  ck_assert_int_eq(pool_new(NULL, 0, &alone), 0);
  clear(&record);
  run(alone, 1000, do_task, &record);
  check_each_once(&record, 1000);
  ck_assert_int_le(record.most_at_once, available_cores());
  ck_assert_ptr_null(pool_free(alone));
}
END_TEST

static _Atomic int64_t mask_of_helper;

static void note_signals(void *arg, int64_t task) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  if (!pthread_equal(pthread_self(), record.caller))
    mask_of_helper = (sigismember(&mask, SIGTERM) ? 1 : 0) | (sigismember(&mask, SIGBUS) ? 2 : 0) | 4;
  meet(arg, task);
}

/* Signals are other threads' business, but a segment that shrinks is seen by whoever touches it. */
START_TEST(helpers_leave_signals_to_others) {
  struct meeting two = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 2};
  run(pool, 2, note_signals, &two);
  ck_assert_int_eq(mask_of_helper, 4 | 1);
}
END_TEST

START_TEST(one_core_has_no_helpers) {
  set_up_cores(1);
  run(pool, 100, do_task, &record);
  check_each_once(&record, 100);
  ck_assert_int_eq(record.by_others, 0);
  tear_down();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("pool");
  TCase *t = tcase_create("pool"), *single = tcase_create("one core");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, each_task_is_done_once);
  tcase_add_test(t, without_a_pool_the_caller_does_all_in_order);
  tcase_add_test(t, as_many_work_as_there_are_cores);
  tcase_add_test(t, no_more_cores_are_taken_than_there_are_tasks);
  tcase_add_test(t, what_others_hold_is_left_to_them);
  tcase_add_test(t, callers_at_work_count_though_they_hold_no_core);
  tcase_add_test(t, a_call_is_counted_once_whatever_its_steps);
  tcase_add_test(t, calls_of_serial_steps_take_turns_while_others_call);
  tcase_add_test(t, a_long_step_gives_cores_back_when_others_come);
  tcase_add_test(t, callers_share_the_helpers);
  tcase_add_test(t, without_a_count_there_are_helpers_for_all_cores);
  tcase_add_test(t, helpers_leave_signals_to_others);
  suite_add_tcase(suite, t);
  tcase_add_test(single, one_core_has_no_helpers);
  suite_add_tcase(suite, single);
  return run_suite(suite);
}
