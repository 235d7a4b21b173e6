/* SPDX-License-Identifier: BSD-3-Clause */
/* What a session may hold: from what it was granted, or by asking a supervisor that is played here. */
#include "server/worker/allowance.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "tests/unit/suite.h"

static const uint64_t limits[N_QUOTAS] = {[QUOTA_PLANS] = 100};
static struct ask asker;
static struct allowance allowance;
static _Atomic uint64_t shown[N_QUOTAS];
static struct errtext err;
static int supervisor;
static pthread_t thread;

/* What the supervisor has granted, how much it grants beyond what is asked for, and how often it was asked.
 */
static uint64_t granted, reserve;
static int n_asked, n_given;

static void *play(void *arg) {
  struct control_message m;
  for (int fd; control_recv(supervisor, &m, &fd) == 1;) {
    if (m.type == CONTROL_DISCHARGE) {
      granted -= m.first;
      n_given++;
      continue;
    }
    n_asked++;
    m.type = CONTROL_REPLY;
    if (m.first > limits[m.flag] - granted) {
      m.status = NUMD_ELIMIT;
      m.first = 99;
    } else {
      m.first += m.ticket = reserve;
      granted += m.first;
    }
    ck_assert_int_eq(control_send(supervisor, &m, -1), 0);
  }
  return NULL;
}

static void set_up(void) {
  int pair[2];
  log_init("test", LOG_LEVEL_ERROR);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  supervisor = pair[1];
  asker = (struct ask){.control = pair[0], .limit_ms = 10000};
  allowance = (struct allowance){.ask = &asker, .limits = limits, .uid = 1000, .shown = shown};
  granted = reserve = 0;
  n_asked = n_given = 0;
  ck_assert_int_eq(pthread_create(&thread, NULL, play, NULL), 0);
}

/* The supervisor has seen everything afterwards. */
static void end_supervisor(void) {
  shutdown(asker.control, SHUT_WR);
  pthread_join(thread, NULL);
}

static void tear_down(void) {
  close(asker.control);
  close(supervisor);
}

static int charge(uint64_t amount) {
  return allowance_charge(&allowance, QUOTA_PLANS, amount, &err);
}

static void give(uint64_t amount) {
  allowance_give(&allowance, QUOTA_PLANS, amount);
}

START_TEST(without_a_reserve_each_is_asked_for_and_given_back) {
  for (int i = 0; i < 5; i++)
    ck_assert_int_eq(charge(1), 0);
  ck_assert_uint_eq(shown[QUOTA_PLANS], 5);
  give(2);
  ck_assert_uint_eq(shown[QUOTA_PLANS], 3);
  end_supervisor();
  ck_assert_int_eq(n_asked, 5);
  ck_assert_uint_eq(granted, 3);
}
END_TEST

START_TEST(a_reserve_saves_questions) {
  reserve = 10;
  for (int i = 0; i < 33; i++)
    ck_assert_int_eq(charge(1), 0);
  ck_assert_uint_eq(shown[QUOTA_PLANS], 33);
  for (int i = 0; i < 33; i++)
    give(1);
  end_supervisor();
  ck_assert_int_eq(n_asked, 3);
  ck_assert_int_le(n_given, 3);
  ck_assert_uint_le(granted, 2 * 10);
  ck_assert_uint_eq(granted, allowance.granted[QUOTA_PLANS]);
}
END_TEST

START_TEST(a_refusal_tells_what_was_asked_and_changes_nothing) {
  ck_assert_int_eq(charge(60), 0);
  ck_assert_int_eq(charge(41), NUMD_ELIMIT);
  ck_assert_str_eq(err.text,
                   "quota of plans: user 1000 may have 100, has 99 and asked for 41 more "
                   "(numd --quota=plans=N sets it)");
  ck_assert_int_eq(charge(UINT64_MAX), NUMD_ELIMIT);
  ck_assert_int_eq(charge(40), 0);
  end_supervisor();
  ck_assert_uint_eq(granted, 100);
}
END_TEST

START_TEST(a_supervisor_that_is_gone_refuses) {
  ck_assert_int_eq(charge(3), 0);
  end_supervisor();
  ck_assert_int_eq(charge(1), NUMD_EINTERNAL);
  ck_assert_uint_eq(shown[QUOTA_PLANS], 3);
  give(3);
  ck_assert_uint_eq(allowance.granted[QUOTA_PLANS], 3); /* it could not be told */
}
END_TEST

START_TEST(without_a_supervisor_there_is_what_was_granted) {
  end_supervisor();
  allowance.ask = NULL;
  allowance.granted[QUOTA_PLANS] = 2;
  ck_assert_int_eq(charge(2), 0);
  ck_assert_int_eq(charge(1), NUMD_ELIMIT);
  give(1);
  ck_assert_int_eq(charge(1), 0);
  ck_assert_int_eq(allowance_charge(NULL, QUOTA_PLANS, 1000, &err), 0);
  allowance_give(NULL, QUOTA_PLANS, 1000);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("allowance");
  TCase *t = tcase_create("allowance");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, without_a_reserve_each_is_asked_for_and_given_back);
  tcase_add_test(t, a_reserve_saves_questions);
  tcase_add_test(t, a_refusal_tells_what_was_asked_and_changes_nothing);
  tcase_add_test(t, a_supervisor_that_is_gone_refuses);
  tcase_add_test(t, without_a_supervisor_there_is_what_was_granted);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
