/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring and the waiting policy, between two processes: every call is answered once and in order, in
 * each gear, over many laps, and a side that sleeps is woken. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/wake.h"
#include "tests/unit/suite.h"

static bool always(void *arg) {
  (void)arg;
  return true;
}

static bool never(void *arg, bool has_token) {
  (void)arg;
  (void)has_token;
  return false;
}

static void nothing(void *arg) {
  (void)arg;
}

static const cpu_set_t *anywhere(void *arg) {
  (void)arg;
  return NULL;
}

static bool without_token(void *arg, bool has_token) {
  (void)arg;
  return !has_token;
}

static bool no_token(void *arg) {
  (void)arg;
  return false;
}

static struct spin_token token;

/* A worker that answers n calls with twice their plan number. */
static void answer_calls(struct channel_memory *m, enum numd_wait policy, uint64_t n) {
  struct waiter w;
  atomic_int stop = 0;
  wake_init_worker(&w, m, policy, &token);
  for (uint64_t call = 0; call < n; call++) {
    struct slot *s = channel_slot(m, call);
    const struct watch watch = {.seq = {&s->seq, &m->single[0].seq},
                                .want = {channel_seq_submitted(call), 1}};
    if (wake_wait_worker(&w, &watch, &stop) != 0)
      _exit(1);
    s->detail = s->plan * 2;
    atomic_store_explicit(&s->seq, channel_seq_done(call), memory_order_release);
    wake_peer(&w);
  }
  _exit(0);
}

static void submit(struct waiter *w, struct channel_memory *m, uint64_t call) {
  struct slot *s = channel_slot(m, call);
  s->plan = (uint32_t)call;
  wake_publish_cpu(w);
  atomic_store_explicit(&s->seq, channel_seq_submitted(call), memory_order_release);
  wake_peer(w);
}

/* Whether the call was answered, rightly and in time. */
static bool collect(struct waiter *w, struct channel_memory *m, uint64_t call) {
  struct slot *s = channel_slot(m, call);
  int64_t deadline = clock_deadline(10000000000);
  while (!wake_wait_client(w, &s->seq, channel_seq_done(call), WAKE_SPIN_MAX_NS, deadline))
    if (clock_now_ns() >= deadline)
      return false;
  return s->detail == (uint32_t)call * 2;
}

/* The gear in which the worker ended. */
static enum gear run(enum numd_wait policy, uint64_t n, unsigned batch, unsigned pause_us) {
  struct channel_memory *m;
  struct waiter w;
  int fd, status;
  ck_assert_int_eq(channel_new(policy, &m, &fd), 0);
  pid_t child = fork();
  if (child == 0)
    answer_calls(m, policy, n);
  wake_init_client(&w, m, policy);
  for (uint64_t call = 0; call < n; call += batch) {
    for (uint64_t i = 0; i < batch; i++)
      submit(&w, m, call + i);
    for (uint64_t i = 0; i < batch; i++)
      ck_assert_msg(collect(&w, m, call + i), "call %llu was not answered", (unsigned long long)(call + i));
    if (pause_us)
      usleep(pause_us);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  enum gear gear = (enum gear)m->worker.gear;
  channel_unmap(m);
  close(fd);
  return gear;
}

static void set_up(void) {
  token = (struct spin_token){always, always, nothing, never, anywhere, NULL};
}

START_TEST(calls_are_answered_in_each_gear) {
  run((enum numd_wait)_i, 3000, 1, 0);
}
END_TEST

START_TEST(whole_laps_are_submitted_at_once) {
  run((enum numd_wait)_i, CHANNEL_SLOTS * 40, CHANNEL_SLOTS, 0);
}
END_TEST

/* Pauses around the spin limit, where both sides go to sleep and are woken most often. */
START_TEST(nobody_sleeps_through_a_call) {
  run(NUMD_WAIT_AUTO, 1000, 1, 20 + 20 * (unsigned)_i);
}
END_TEST

START_TEST(who_is_to_spin_does) {
  ck_assert_int_eq(run(NUMD_WAIT_SPIN, 300, 1, 0), GEAR_SPIN);
  token.take = no_token; /* needs none */
  ck_assert_int_eq(run(NUMD_WAIT_SPIN, 300, 1, 0), GEAR_SPIN);
  token.take = always;
  token.barred = without_token;
  ck_assert_int_eq(run(NUMD_WAIT_SPIN, 300, 1, 0), GEAR_SPIN);
}
END_TEST

START_TEST(who_is_barred_does_not_spin_even_if_it_is_to) {
  token.take = no_token;
  token.barred = without_token;
  ck_assert_int_eq(run(NUMD_WAIT_SPIN, 300, 1, 0), GEAR_HANDOFF);
  ck_assert_int_eq(run(NUMD_WAIT_AUTO, 300, 1, 0), GEAR_HANDOFF);
}
END_TEST

START_TEST(a_changed_layout_is_refused) {
  struct channel_memory *m, *mine;
  int fd;
  ck_assert_int_eq(channel_new(NUMD_WAIT_AUTO, &m, &fd), 0);
  ck_assert_int_eq(channel_map(fd, &mine), 0);
  channel_unmap(mine);
  m->signature++;
  ck_assert_int_eq(channel_map(fd, &mine), -EPROTO);
  ck_assert_int_lt(ftruncate(fd, 0), 0); /* sealed */
  channel_unmap(m);
  close(fd);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("channel");
  TCase *t = tcase_create("channel");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, set_up, NULL);
  tcase_add_test(t, who_is_to_spin_does);
  tcase_add_test(t, who_is_barred_does_not_spin_even_if_it_is_to);
  tcase_add_loop_test(t, calls_are_answered_in_each_gear, NUMD_WAIT_AUTO, NUMD_WAIT_SLEEP + 1);
  tcase_add_loop_test(t, whole_laps_are_submitted_at_once, NUMD_WAIT_AUTO, NUMD_WAIT_SLEEP + 1);
  tcase_add_loop_test(t, nobody_sleeps_through_a_call, 0, 4);
  tcase_add_test(t, a_changed_layout_is_refused);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
