/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to the supervisor, which is played here: it answers late, twice, or not at all. */
#include "server/worker/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "shared/clock.h"
#include "tests/unit/random.h"

static int supervisor; /* its end of the channel */
static struct ask asker;
static int n_others;
static uint32_t other_type;

static void on_other(void *data, const struct control_message *message) {
  n_others++;
  other_type = message->type;
}

static void set_up(void) {
  int pair[2];
  log_init("test", LOG_LEVEL_ERROR);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
  supervisor = pair[1];
  asker = (struct ask){.control = pair[0], .limit_ms = 20, .other = on_other};
  n_others = 0;
}

static void tear_down(void) {
  close(asker.control);
  if (supervisor >= 0)
    close(supervisor);
}

static int ask_about(uint64_t first, struct control_message *m, int *fd) {
  struct errtext err;
  *m = (struct control_message){.type = CONTROL_IS_FREE, .first = first};
  return ask_and_wait(&asker, m, -1, fd, &err);
}

/* Receives the next question; 0 if there is none. */
static int next_question(struct control_message *m) {
  int fd = -1, rc = control_recv(supervisor, m, &fd);
  if (fd >= 0)
    close(fd);
  return rc == 1;
}

/* 0 or -errno. */
static int send_answer(struct control_message m, int fd) {
  m.type = CONTROL_REPLY;
  m.ticket = m.first + 1;
  return control_send(supervisor, &m, fd);
}

static void answer(struct control_message m, int fd) {
  ck_assert_int_eq(send_answer(m, fd), 0);
}

START_TEST(a_late_answer_is_not_the_next_questions) {
  struct control_message m, question;
  int fd;
  ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
  ck_assert_int_eq(next_question(&question), 1);
  answer(question, -1);
  ck_assert_int_eq(ask_about(2, &m, &fd), NUMD_EINTERNAL); /* one answer is there: the other question's */
  ck_assert_int_eq(next_question(&question), 1);
  ck_assert_uint_eq(question.first, 2);
}
END_TEST

/* What was done for nobody is undone, and its descriptor closed. */
START_TEST(a_late_answer_is_undone) {
  static const uint32_t types[][2] = {{CONTROL_SHARE, CONTROL_DROP},
                                      {CONTROL_IMPORT, CONTROL_DROP},
                                      {CONTROL_TAKE, CONTROL_GIVE},
                                      {CONTROL_CHARGE, CONTROL_DISCHARGE},
                                      {CONTROL_LEND, 0}};
  for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
    struct control_message m = {.type = types[i][0], .first = 64 + i, .token = {7}}, question;
    struct errtext err;
    int fd, free_before = dup(0);
    close(free_before);
    ck_assert_int_eq(ask_and_wait(&asker, &m, -1, &fd, &err), NUMD_EINTERNAL);
    ck_assert_str_eq(err.text, "the supervisor does not answer");
    ck_assert_int_eq(next_question(&question), 1);
    int beside = open("/dev/null", O_RDONLY | O_CLOEXEC);
    answer(question, beside);
    close(beside);
    ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(next_question(&question), 1); /* the one that was asked last */
    ck_assert_int_eq(next_question(&question), types[i][1] != 0);
    if (types[i][1] != 0) {
      ck_assert_uint_eq(question.type, types[i][1]);
      ck_assert_uint_eq(question.first, 64 + i);
      ck_assert_uint_eq(question.token[0], 7);
    }
    int free_after = dup(0);
    ck_assert_int_eq(free_after, free_before);
    close(free_after);
  }
}
END_TEST

START_TEST(other_messages_are_handled_meanwhile) {
  struct control_message m = {.type = CONTROL_STOP};
  int fd;
  ck_assert_int_eq(control_send(supervisor, &m, -1), 0);
  ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
  ck_assert_int_eq(n_others, 1);
  ck_assert_uint_eq(other_type, CONTROL_STOP);
}
END_TEST

/* It is waited for once; from its next sign of life on again. */
START_TEST(a_supervisor_that_stands_still_is_not_waited_for_each_time) {
  struct control_message m = {.type = CONTROL_PING};
  int fd;
  asker.limit_ms = 2000;
  int64_t begun = clock_now_ns();
  for (int i = 0; i < 10; i++)
    ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
  ck_assert_int_lt(clock_now_ns() - begun, (int64_t)10000000000); /* not ten times two seconds */
  ck_assert(asker.silent);
  m = (struct control_message){.type = CONTROL_PING};
  ck_assert_int_eq(control_send(supervisor, &m, -1), 0);
  asker.limit_ms = 20;
  ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
  ck_assert_int_eq(n_others, 1);
}
END_TEST

START_TEST(a_supervisor_that_is_gone_is_said) {
  struct control_message m;
  int fd;
  asker.limit_ms = 60000;
  close(supervisor);
  supervisor = -1;
  ck_assert_int_eq(ask_about(1, &m, &fd), NUMD_EINTERNAL);
}
END_TEST

/* Answers after a random time, some of them twice; ends with its channel. */
static void *play(void *arg) {
  struct control_message m;
  for (int fd = -1, rc; (rc = control_recv(supervisor, &m, &fd)) != 0; fd = -1) {
    if (rc < 0) {
      usleep(50);
      continue;
    }
    if (random_below(8) == 0)
      usleep((useconds_t)random_below(4000));
    if (random_below(300) == 0)
      usleep(150000);
    for (int n = random_below(16) == 0 ? 2 : 1; n > 0; n--)
      send_answer(m, -1); /* to somebody who has stopped asking, in the end */
  }
  return NULL;
}

START_TEST(thousands_of_questions_and_no_answer_is_anothers) {
  pthread_t thread;
  int n_answered = 0, n_given_up = 0;
  random_reseed();
  asker.limit_ms = 100; /* some are given up, and the next ones sooner */
  ck_assert_int_eq(pthread_create(&thread, NULL, play, NULL), 0);
  for (uint64_t i = 0; i < 5000; i++) {
    struct control_message m;
    int fd;
    if (ask_about(i, &m, &fd) != 0) {
      n_given_up++;
      continue;
    }
    ck_assert_uint_eq(m.first, i);
    ck_assert_uint_eq(m.ticket, i + 1);
    n_answered++;
  }
  shutdown(asker.control, SHUT_RDWR);
  pthread_join(thread, NULL);
  ck_assert_int_gt(n_answered, 100);
  ck_assert_int_gt(n_given_up, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ask");
  TCase *t = tcase_create("ask");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 120);
  tcase_add_test(t, a_late_answer_is_not_the_next_questions);
  tcase_add_test(t, a_late_answer_is_undone);
  tcase_add_test(t, other_messages_are_handled_meanwhile);
  tcase_add_test(t, a_supervisor_that_stands_still_is_not_waited_for_each_time);
  tcase_add_test(t, a_supervisor_that_is_gone_is_said);
  tcase_add_test(t, thousands_of_questions_and_no_answer_is_anothers);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
