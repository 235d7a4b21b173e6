/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose connection is served next. */
#include "server/supervisor/line.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define N 20

static struct line line;
static struct account alice, bob;
static int clients[2 * N], n_clients;

static void set_up(void) {
  line = (struct line){.rate = 10};
  alice = (struct account){.uid = 1000};
  bob = (struct account){.uid = 1001};
  n_clients = 0;
}

static void tear_down(void) {
  for (int i = 0; i < n_clients; i++)
    close(clients[i]);
}

static int arrive(struct account *account) {
  const struct ucred who = {.uid = account->uid, .pid = n_clients};
  int pair[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  line_add(&line, account, pair[0], &who);
  clients[n_clients++] = pair[1];
  return pair[0];
}

/* The user who is served, as the number of its client, or -1. */
static int take(int64_t now_ns, bool rested, uint32_t *uid) {
  struct ucred who;
  int fd;
  if (!line_take(&line, now_ns, rested, &fd, &who))
    return -1;
  close(fd);
  *uid = who.uid;
  line_count(&line, who.uid == alice.uid ? &alice : &bob, now_ns);
  return who.pid;
}

START_TEST(users_take_turns) {
  uint32_t uid = 0;
  for (int i = 0; i < 10; i++)
    arrive(&alice);
  arrive(&bob), arrive(&bob);
  static const uint32_t turns[] = {1000, 1001, 1000, 1001, 1000, 1000};
  static const int expected[] = {0, 10, 1, 11, 2, 3};
  for (size_t i = 0; i < 6; i++) {
    ck_assert_int_eq(take(1, false, &uid), expected[i]);
    ck_assert_uint_eq(uid, turns[i]);
  }
  ck_assert_int_eq(line.n, 6);
  while (take(1, false, &uid) >= 0)
    ;
  ck_assert_int_eq(line.n, 0);
  ck_assert_ptr_null(line.first);
}
END_TEST

START_TEST(each_has_a_rate_and_a_burst) {
  const int64_t second = 1000000000;
  uint32_t uid = 0;
  int n = 0;
  line.rate = 2;
  for (int i = 0; i < N; i++)
    arrive(&alice);
  while (take(1, false, &uid) >= 0)
    n++;
  ck_assert_int_eq(n, 8); /* four seconds' */
  arrive(&bob);
  ck_assert_int_eq(take(1, false, &uid), N);
  ck_assert_int_eq(take(1, false, &uid), -1);
  ck_assert_int_ge(take(1 + second / 2, false, &uid), 0);
  ck_assert_int_eq(take(1 + second / 2, false, &uid), -1);
  ck_assert_int_ge(take(1 + second, false, &uid), 0);
  for (int64_t t = 2 * second; line.n > 0; t += second)
    take(t, false, &uid);
}
END_TEST

START_TEST(who_has_begun_many_has_not_rested) {
  uint32_t uid = 0;
  int n = 0;
  for (int i = 0; i < N; i++)
    arrive(&alice);
  while (take(1, true, &uid) >= 0)
    n++;
  ck_assert_int_eq(n, 5); /* half a second's */
  ck_assert(!line_has_rested(&alice, 1));
  arrive(&bob);
  ck_assert_int_eq(take(1, true, &uid), N);
  while (take(1, false, &uid) >= 0)
    ;
  ck_assert_int_eq(line.n, 0);
}
END_TEST

START_TEST(who_is_gone_is_left_out) {
  uint32_t uid = 0;
  int fds[3];
  for (int i = 0; i < 3; i++)
    fds[i] = arrive(&alice);
  close(clients[0]);
  close(clients[2]);
  ck_assert_int_eq(take(1, false, &uid), 1);
  ck_assert_int_eq(take(1, false, &uid), -1);
  ck_assert_int_eq(line.n, 0);
  for (int i = 0; i < 3; i++)
    ck_assert(fcntl(fds[i], F_GETFD) < 0 && errno == EBADF);
  clients[0] = clients[1];
  n_clients = 1;
}
END_TEST

int main(void) {
  Suite *suite = suite_create("line");
  TCase *t = tcase_create("line");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, users_take_turns);
  tcase_add_test(t, each_has_a_rate_and_a_burst);
  tcase_add_test(t, who_has_begun_many_has_not_rested);
  tcase_add_test(t, who_is_gone_is_left_out);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
