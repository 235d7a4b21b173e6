/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's limit for calls: which are cancelled, and when that is given up. Looks are made by hand, so
 * that nothing depends on how busy the machine is; one test lets the timer make them. */
#include "server/worker/deadline.h"

#include <time.h>

#include "server/host/log.h"
#include "server/kernels/kernels.h"
#include "tests/unit/suite.h"

#define LOOKS_TO_CANCEL 5 /* the first finds the call, and four more find it still there */
#define SECOND UINT64_C(1000000000)

static uv_loop_t loop;
static struct session *session;
static struct runner *runner, *other;
static struct deadline deadline;
static int n_hopeless;

static void on_hopeless(void *data) {
  ck_assert_ptr_eq(data, &deadline);
  n_hopeless++;
}

static void set_up(void) {
  n_hopeless = 0;
  log_init("test", LOG_LEVEL_ERROR); /* each cancellation is a warning */
  ck_assert_int_eq(kernels_init(NULL), 0);
  ck_assert_int_eq(uv_loop_init(&loop), 0);
  session = calloc(1, sizeof(*session));
  ck_assert_int_eq(session_init(session, NULL, 0), 0);
  ck_assert_int_eq(session_add_runner(session, &runner), 0);
  ck_assert_int_eq(session_add_runner(session, &other), 0);
  memset(&deadline, 0, sizeof(deadline));
  deadline.on_hopeless = on_hopeless;
  deadline.data = &deadline;
}

static void tear_down(void) {
  deadline_stop(&deadline);
  uv_run(&loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(uv_loop_close(&loop), 0);
  session_remove_runner(session, runner);
  session_remove_runner(session, other);
  session_deinit(session);
  free(session);
}

static void begin_call(struct runner *r, uint64_t id) {
  runner_name_call(r, id);
  atomic_fetch_add(&r->calls, 1);
  ck_assert_uint_eq(r->calls % 2, 1);
}

static void end_call(struct runner *r) {
  atomic_fetch_add(&r->calls, 1);
}

static void look(int times) {
  for (int i = 0; i < times; i++)
    deadline.timer.timer_cb(&deadline.timer);
}

START_TEST(without_a_limit_nobody_looks) {
  deadline_start(&deadline, &loop, session, 0);
  ck_assert(!uv_is_active((uv_handle_t *)&deadline.timer));
}
END_TEST

START_TEST(a_call_that_stays_is_cancelled_and_nothing_else) {
  deadline_start(&deadline, &loop, session, SECOND);
  ck_assert_uint_eq(uv_timer_get_repeat(&deadline.timer), 250);
  begin_call(runner, 17);
  look(LOOKS_TO_CANCEL - 1);
  ck_assert_uint_eq(runner->cancel, 0);
  look(1);
  ck_assert_uint_eq(runner->cancel, 17);
  ck_assert_uint_eq(other->cancel, 0);
}
END_TEST

START_TEST(short_calls_may_go_on_for_ever) {
  deadline_start(&deadline, &loop, session, SECOND);
  for (uint64_t id = 1; id < 100; id++) {
    begin_call(runner, id);
    look(1);
    end_call(runner);
    if (id % 3 == 0)
      look(1); /* now and then nothing runs */
  }
  look(20);
  ck_assert_uint_eq(runner->cancel, 0);
  ck_assert_int_eq(n_hopeless, 0);
}
END_TEST

/* The same call number is not the same call: counting begins anew. */
START_TEST(the_call_after_one_that_was_cancelled_has_its_own_time) {
  deadline_start(&deadline, &loop, session, SECOND);
  begin_call(runner, 1);
  look(LOOKS_TO_CANCEL);
  ck_assert_uint_eq(runner->cancel, 1);
  end_call(runner);
  begin_call(runner, 2);
  look(LOOKS_TO_CANCEL - 1);
  ck_assert_uint_eq(runner->cancel, 1); /* which is not its name */
  look(1);
  ck_assert_uint_eq(runner->cancel, 2);
  end_call(runner);
  look(1000);
  ck_assert_int_eq(n_hopeless, 0);
}
END_TEST

/* It has the limit once more, and two seconds at least, to heed the cancellation. */
START_TEST(a_call_that_does_not_heed_it_is_hopeless) {
  const uint64_t limits[] = {SECOND, 100 * SECOND};
  const int looks[] = {4 + 2000 / 250, 2 * 4};
  for (int i = 0; i < 2; i++) {
    if (i > 0) {
      deadline_stop(&deadline);
      uv_run(&loop, UV_RUN_DEFAULT);
      memset(deadline.looks, 0, sizeof(deadline.looks));
    }
    deadline_start(&deadline, &loop, session, limits[i]);
    begin_call(runner, 1);
    look(looks[i]);
    ck_assert_int_eq(n_hopeless, i);
    look(1);
    ck_assert_int_eq(n_hopeless, i + 1);
    look(100);
    ck_assert_int_eq(n_hopeless, i + 1); /* said once */
    end_call(runner);
  }
}
END_TEST

START_TEST(runners_come_and_go) {
  deadline_start(&deadline, &loop, session, SECOND);
  begin_call(runner, 1);
  look(LOOKS_TO_CANCEL - 1);
  end_call(runner);
  session_remove_runner(session, runner);
  look(10);
  ck_assert_int_eq(session_add_runner(session, &runner), 0);
  begin_call(runner, 1);
  look(LOOKS_TO_CANCEL - 1);
  ck_assert_uint_eq(runner->cancel, 0);
  look(1);
  ck_assert_uint_eq(runner->cancel, 1);
}
END_TEST

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

START_TEST(the_timer_cancels_no_earlier_than_the_limit) {
  const uint64_t limit = SECOND / 20, started = now_ns();
  begin_call(runner, 5);
  deadline_start(&deadline, &loop, session, limit);
  while (atomic_load(&runner->cancel) == 0)
    uv_run(&loop, UV_RUN_ONCE);
  ck_assert_uint_eq(runner->cancel, 5);
  ck_assert_uint_ge(now_ns() - started, limit - SECOND / 1000); /* the loop counts whole milliseconds */
}
END_TEST

int main(void) {
  Suite *suite = suite_create("deadline");
  TCase *t = tcase_create("deadline");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, without_a_limit_nobody_looks);
  tcase_add_test(t, a_call_that_stays_is_cancelled_and_nothing_else);
  tcase_add_test(t, short_calls_may_go_on_for_ever);
  tcase_add_test(t, the_call_after_one_that_was_cancelled_has_its_own_time);
  tcase_add_test(t, a_call_that_does_not_heed_it_is_hopeless);
  tcase_add_test(t, runners_come_and_go);
  tcase_add_test(t, the_timer_cancels_no_earlier_than_the_limit);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
