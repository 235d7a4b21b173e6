/* SPDX-License-Identifier: BSD-3-Clause */
/* Long calls in the loop's threads: each is told of exactly once, and a cancel reaches those that wait, those
 * that run, and no others. */
#include "server/worker/long_call.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/kernels/kernels.h"
#include "server/worker/allowance.h"
#include "tests/unit/suite.h"

#define BYTES 65536
#define N 100 /* elements of the plan that adds */
#define CALLS 300

enum { ADD, ENDLESS }; /* plans */

static uv_loop_t loop;
static struct session *session;
static struct long_calls calls;
static struct errtext err;
static double *memory;

/* What was told. */
static int n_done, status_of[CALLS], times_done[CALLS];
static double result_of[CALLS];

static void on_done(void *data, uint32_t msgid, int result_dtype, const struct completion *completion) {
  ck_assert_ptr_eq(data, &calls);
  ck_assert_int_eq(result_dtype, NUMD_FLOAT64);
  ck_assert_uint_lt(msgid, CALLS);
  n_done++;
  times_done[msgid]++;
  status_of[msgid] = completion->status;
  memcpy(&result_of[msgid], completion->result, sizeof(double));
}

/* The sum of an array; of the endless one all 2^40 elements are the same. */
static void prepare(uint64_t id, int64_t n, int64_t stride) {
  static struct program p;
  struct plan *plan;
  memset(&p, 0, sizeof(p));
  p.n_operands = p.n_ops = p.n_outputs = 1;
  p.operands[0] = (struct operand){
      .kind = OPERAND_ARRAY, .layout = {.dtype = NUMD_FLOAT64, .ndim = 1, .shape = {n}, .strides = {stride}}};
  p.ops[0] = (struct op){.code = NUMD_OP_SUM, .n_in = 1};
  p.outputs[0] = (struct output){.value = 1, .kind = OUTPUT_RESULT, .open_dtype = true, .open_shape = true};
  ck_assert_int_eq(session_prepare(session, id, &p, &plan, &err), 0);
}

static void set_up_with(struct allowance *allowance) {
  uint64_t bytes;
  ck_assert_int_eq(kernels_init(NULL), 0);
  ck_assert_int_eq(uv_loop_init(&loop), 0);
  session = calloc(1, sizeof(*session));
  ck_assert_int_eq(session_init(session, NULL, 0), 0);
  session->allowance = allowance;
  int fd = memfd_create("long-call", MFD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, BYTES), 0);
  memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(memory, MAP_FAILED);
  ck_assert_int_eq(session_attach(session, 0, fd, &bytes, &err), 0);
  prepare(ADD, N, 8);
  prepare(ENDLESS, (int64_t)1 << 40, 0);
  ck_assert_int_eq(long_calls_init(&calls, &loop, session), 0);
  calls.on_done = on_done;
  calls.data = &calls;
}

static void set_up(void) {
  set_up_with(NULL);
}

static void tear_down(void) {
  uv_run(&loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(calls.n, 0);
  ck_assert_ptr_null(calls.first);
  long_calls_deinit(&calls);
  ck_assert_int_eq(uv_loop_close(&loop), 0);
  session_deinit(session);
  free(session);
  munmap(memory, BYTES);
}

static int start(uint32_t msgid, uint32_t plan, uint64_t offset) {
  const struct request request = {.plan_id = plan, .n_bindings = 1, .bindings = {binding_make(0, offset)}};
  return long_call_start(&calls, msgid, NUMD_FLOAT64, &request, &err);
}

static void check_done_once(int n) {
  ck_assert_int_eq(n_done, n);
  for (int i = 0; i < n; i++)
    ck_assert_int_eq(times_done[i], 1);
}

/* ---- Threads that are busy with something else ---- */

static uv_sem_t held, release;
static uv_work_t holders[LONG_CALL_THREADS];

static void hold(uv_work_t *work) {
  uv_sem_post(&held);
  uv_sem_wait(&release);
}

static void holder_done(uv_work_t *work, int status) {
  ck_assert_int_eq(status, 0);
}

/* From now on calls wait. */
static void hold_threads(void) {
  uv_sem_init(&held, 0);
  uv_sem_init(&release, 0);
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    uv_queue_work(&loop, &holders[i], hold, holder_done);
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    uv_sem_wait(&held);
}

static void release_threads(void) {
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    uv_sem_post(&release);
}

START_TEST(each_gives_its_own_result_once) {
  for (int i = 0; i < 2 * N; i++)
    memory[i] = i;
  for (uint32_t i = 0; i < N; i++)
    ck_assert_int_eq(start(i, ADD, 8 * i), 0);
  ck_assert_int_eq(calls.n, N);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(N);
  for (int i = 0; i < N; i++) { /* i + (i+1) + ... + (i+99) */
    ck_assert_int_eq(status_of[i], 0);
    ck_assert_double_eq(result_of[i], 100 * i + 4950);
  }
}
END_TEST

START_TEST(what_cannot_be_bound_is_said_in_the_completion) {
  ck_assert_int_eq(start(0, ADD, BYTES), 0);
  ck_assert_int_eq(start(1, 77, 0), 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(2);
  ck_assert_int_eq(status_of[0], NUMD_EBOUNDS);
  ck_assert_int_eq(status_of[1], NUMD_EPLAN);
}
END_TEST

START_TEST(so_many_wait_and_no_more) {
  hold_threads();
  for (uint32_t i = 0; i < LONG_CALLS_MAX; i++)
    ck_assert_int_eq(start(i, ADD, 0), 0);
  ck_assert_int_eq(start(LONG_CALLS_MAX, ADD, 0), NUMD_ELIMIT);
  ck_assert_str_eq(err.text, "256 calls are under way in this session");
  release_threads();
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(LONG_CALLS_MAX);
  ck_assert_int_eq(start(LONG_CALLS_MAX, ADD, 0), 0); /* there is room again */
}
END_TEST

START_TEST(a_call_that_waits_is_cancelled_by_its_name) {
  hold_threads();
  for (uint32_t i = 0; i < 10; i++)
    ck_assert_int_eq(start(i, ADD, 0), 0);
  ck_assert_int_eq(long_call_cancel(&calls, 4), 1);
  ck_assert_int_eq(long_call_cancel(&calls, 4), 1); /* again is as good */
  ck_assert_int_eq(long_call_cancel(&calls, 99), 0);
  release_threads();
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(10);
  for (int i = 0; i < 10; i++)
    ck_assert_int_eq(status_of[i], i == 4 ? NUMD_ECANCELLED : 0);
  ck_assert_int_eq(long_call_cancel(&calls, 4), 0); /* it is no more */
}
END_TEST

static bool one_runs(void) {
  uv_mutex_lock(&calls.lock);
  bool runs = false;
  for (int i = 0; i < LONG_CALL_THREADS; i++)
    runs |= calls.taken[i];
  uv_mutex_unlock(&calls.lock);
  return runs;
}

START_TEST(a_call_that_runs_is_cancelled_and_the_next_is_not) {
  ck_assert_int_eq(start(0, ENDLESS, 0), 0);
  while (!one_runs())
    usleep(1000);
  ck_assert_int_eq(long_call_cancel(&calls, 0), 1);
  uv_run(&loop, UV_RUN_DEFAULT);
  ck_assert_int_eq(status_of[0], NUMD_ECANCELLED);
  for (uint32_t i = 1; i < 20; i++) /* on each runner, of which one was told to cancel */
    ck_assert_int_eq(start(i, ADD, 0), 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(20);
  for (int i = 1; i < 20; i++)
    ck_assert_int_eq(status_of[i], 0);
}
END_TEST

START_TEST(all_are_cancelled_whether_they_wait_or_run) {
  for (uint32_t i = 0; i < LONG_CALL_THREADS + 6; i++)
    ck_assert_int_eq(start(i, ENDLESS, 0), 0);
  while (!one_runs())
    usleep(1000);
  long_call_cancel_all(&calls);
  uv_run(&loop, UV_RUN_DEFAULT);
  check_done_once(LONG_CALL_THREADS + 6);
  for (int i = 0; i < LONG_CALL_THREADS + 6; i++)
    ck_assert_int_eq(status_of[i], NUMD_ECANCELLED);
}
END_TEST

START_TEST(so_many_are_allowed) {
  const uint64_t limits[N_QUOTAS] = {[QUOTA_CALLS] = 3};
  struct allowance allowance = {
      .limits = limits,
      .uid = 1000,
      .granted = {[QUOTA_SEGMENTS] = 1, [QUOTA_BYTES] = BYTES, [QUOTA_PLANS] = 2, [QUOTA_CALLS] = 2}};
  set_up_with(&allowance);
  hold_threads();
  ck_assert_int_eq(start(0, ADD, 0), 0);
  ck_assert_int_eq(start(1, ADD, 0), 0);
  ck_assert_int_eq(start(2, ADD, 0), NUMD_ELIMIT);
  ck_assert_uint_eq(allowance.held[QUOTA_CALLS], 2);
  release_threads();
  uv_run(&loop, UV_RUN_DEFAULT);
  ck_assert_uint_eq(allowance.held[QUOTA_CALLS], 0);
  check_done_once(2);
  tear_down();
}
END_TEST

int main(void) {
  Suite *suite = suite_create("long_call");
  TCase *t = tcase_create("long_call"), *own = tcase_create("with an allowance");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, each_gives_its_own_result_once);
  tcase_add_test(t, what_cannot_be_bound_is_said_in_the_completion);
  tcase_add_test(t, so_many_wait_and_no_more);
  tcase_add_test(t, a_call_that_waits_is_cancelled_by_its_name);
  tcase_add_test(t, a_call_that_runs_is_cancelled_and_the_next_is_not);
  tcase_add_test(t, all_are_cancelled_whether_they_wait_or_run);
  suite_add_tcase(suite, t);
  tcase_set_timeout(own, 60);
  tcase_add_test(own, so_many_are_allowed);
  suite_add_tcase(suite, own);
  return suite_run(suite);
}
