/* SPDX-License-Identifier: BSD-3-Clause */
/* What users hold, as the supervisor counts it: over sessions, by their asking and giving back, and over
 * daemons that replace each other. Workers are ends of channels without processes. */
#include "server/supervisor/charges.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "server/supervisor/workers.h"
#include "tests/unit/suite.h"

#define ALICE 1000
#define BOB 1001

/* A daemon, as far as quotas go. */
struct daemon {
  struct workers workers;
  struct charges charges;
  struct worker_process worker[4];
  int ends[4]; /* the workers' ends of the channels */
  int n;
};

static struct scoreboard *scoreboard;
static struct notices *notices;
static struct daemon old, fresh, newest;

static void daemon_init(struct daemon *d) {
  *d = (struct daemon){.workers = {.scoreboard = scoreboard, .notices = notices, .charges = &d->charges},
                       .charges = {.workers = &d->workers}};
}

static void daemon_deinit(struct daemon *d) {
  for (int i = 0; i < d->n; i++) {
    close(d->worker[i].control);
    close(d->ends[i]);
  }
  charges_deinit(&d->charges);
}

static void set_up(void) {
  int fd;
  log_init("test", LOG_LEVEL_ERROR);
  ck_assert_int_eq(scoreboard_new(&scoreboard, &fd), 0);
  close(fd);
  ck_assert_int_eq(notices_new(&notices, &fd), 0);
  close(fd);
  for (int q = 0; q < N_QUOTAS; q++)
    notices->limits[q] = 10;
  daemon_init(&old);
  daemon_init(&fresh);
  daemon_init(&newest);
}

static void tear_down(void) {
  daemon_deinit(&old);
  daemon_deinit(&fresh);
  daemon_deinit(&newest);
  scoreboard_unmap(scoreboard);
  notices_unmap(notices);
}

/* A session of the user begins; its first allowance of plans. */
static uint64_t begin(struct daemon *d, uint32_t uid) {
  struct worker_process *w = &d->worker[d->n];
  struct control_message m = {.type = CONTROL_SESSION};
  uint64_t granted[N_QUOTAS];
  int pair[2];
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
  *w = (struct worker_process){.next = d->workers.first,
                               .workers = &d->workers,
                               .control = pair[0],
                               .entry = (uint32_t)(d->n + (d == &old     ? 0
                                                           : d == &fresh ? 10
                                                                         : 20)),
                               .in_session = true,
                               .client_uid = uid};
  d->workers.first = w;
  d->ends[d->n++] = pair[1];
  charges_begin_session(&d->charges, w, &m);
  memcpy(granted, m.note, sizeof(granted));
  ck_assert_uint_eq(granted[QUOTA_SESSIONS], 1);
  return granted[QUOTA_PLANS];
}

static void send_message(struct daemon *d, int i, uint32_t type, uint32_t q, uint64_t amount) {
  struct control_message m = {.type = type, .serial = 77, .flag = q, .first = amount};
  ck_assert(charges_handle(&d->charges, &d->worker[i], &m));
}

static struct control_message receive(int sock) {
  struct control_message m;
  int fd;
  ck_assert_int_eq(control_recv(sock, &m, &fd), 1);
  return m;
}

/* A worker asks; how much it got, or 0 if it was refused. */
static uint64_t ask(struct daemon *d, int i, uint32_t q, uint64_t amount) {
  send_message(d, i, CONTROL_CHARGE, q, amount);
  struct control_message m = receive(d->ends[i]);
  ck_assert_uint_eq(m.type, CONTROL_REPLY);
  ck_assert_uint_eq(m.serial, 77);
  ck_assert(m.status == 0 || m.status == NUMD_ELIMIT);
  return m.status == 0 ? m.first : 0;
}

static uint64_t granted_to(struct daemon *d, uint32_t uid, enum quota q) {
  return account_total(accounts_get(&d->charges.accounts, uid), q);
}

static uint64_t plans(struct daemon *d) {
  return granted_to(d, ALICE, QUOTA_PLANS);
}

START_TEST(small_limits_are_exact) {
  begin(&old, ALICE), begin(&old, ALICE), begin(&old, BOB);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 6), 6);
  ck_assert_uint_eq(ask(&old, 1, QUOTA_PLANS, 5), 0);
  ck_assert_uint_eq(ask(&old, 1, QUOTA_PLANS, 4), 4);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 1), 0);
  ck_assert_uint_eq(ask(&old, 2, QUOTA_PLANS, 10), 10); /* of another user */
  send_message(&old, 0, CONTROL_DISCHARGE, QUOTA_PLANS, 1);
  ck_assert_uint_eq(ask(&old, 1, QUOTA_PLANS, 1), 1);
  charges_end_session(&old.charges, &old.worker[1]);
  ck_assert_uint_eq(plans(&old), 5);
  ck_assert_uint_eq(granted_to(&old, ALICE, QUOTA_SESSIONS), 1);
}
END_TEST

START_TEST(far_from_the_limit_there_are_reserves) {
  notices->limits[QUOTA_PLANS] = 262144;
  ck_assert_uint_eq(begin(&old, ALICE), 64);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 1), 65);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 262144 - 129 - 640), 262144 - 129 - 640 + 4);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 1), 1); /* a reserve would be too small to be of use */
  ck_assert_uint_eq(begin(&old, ALICE), 0);
}
END_TEST

/* Whatever a worker says, others of its user's do not get more, and other users notice nothing. */
START_TEST(a_worker_cannot_give_back_what_it_has_not) {
  begin(&old, ALICE), begin(&old, ALICE), begin(&old, BOB);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 8), 8);
  ck_assert_uint_eq(ask(&old, 2, QUOTA_PLANS, 8), 8);
  send_message(&old, 1, CONTROL_DISCHARGE, QUOTA_PLANS, 8);
  send_message(&old, 1, CONTROL_DISCHARGE, QUOTA_SESSIONS, 1);
  send_message(&old, 1, CONTROL_DISCHARGE, N_QUOTAS, 1);
  send_message(&old, 1, CONTROL_DISCHARGE, UINT32_MAX, UINT64_MAX);
  ck_assert_uint_eq(plans(&old), 8);
  ck_assert_uint_eq(granted_to(&old, ALICE, QUOTA_SESSIONS), 2);
  ck_assert_uint_eq(granted_to(&old, BOB, QUOTA_PLANS), 8);
  ck_assert_uint_eq(ask(&old, 1, QUOTA_PLANS, UINT64_MAX), 0);
  static const uint32_t wrong[] = {QUOTA_SESSIONS, QUOTA_DESCRIPTORS, N_QUOTAS, UINT32_MAX};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    send_message(&old, 1, CONTROL_CHARGE, wrong[i], 1);
    ck_assert_int_eq(receive(old.ends[1]).status, NUMD_EINTERNAL);
  }
}
END_TEST

/* What a refusal and `stats` tell is what sessions say that they hold, but never more than they were granted.
 */
START_TEST(what_the_scoreboard_says_is_believed_within_limits) {
  begin(&old, ALICE), begin(&old, ALICE);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 6), 6);
  for (uint32_t i = 0; i < SCOREBOARD_ENTRIES; i++)
    scoreboard->entries[i].held[QUOTA_PLANS] = UINT64_MAX;
  send_message(&old, 1, CONTROL_CHARGE, QUOTA_PLANS, 5);
  struct control_message m = receive(old.ends[1]);
  ck_assert_int_eq(m.status, NUMD_ELIMIT);
  ck_assert_uint_eq(m.first, 6);
  ck_assert_uint_eq(ask(&old, 1, QUOTA_PLANS, 4), 4);
}
END_TEST

static void connect_daemons(struct daemon *before, struct daemon *after, int pair[2]) {
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
  charges_set_predecessor(&after->charges, pair[1]);
  ck_assert_int_eq(charges_hand_over(&before->charges, pair[0]), 0);
}

/* All messages that wait at the successor's end; at the predecessor's. */
static void up(struct daemon *after, const int pair[2]) {
  struct control_message m;
  for (int fd; control_recv(pair[1], &m, &fd) == 1;)
    charges_handle_predecessors(&after->charges, &m);
}

static void down(struct daemon *before, const int pair[2]) {
  struct control_message m;
  for (int fd; control_recv(pair[0], &m, &fd) == 1;)
    charges_handle_successors(&before->charges, &m);
}

START_TEST(daemons_that_replace_each_other_count_together) {
  int first[2], second[2];
  begin(&old, ALICE);
  ck_assert_uint_eq(ask(&old, 0, QUOTA_PLANS, 4), 4);
  connect_daemons(&old, &fresh, first);
  up(&fresh, first);
  ck_assert_uint_eq(plans(&fresh), 4);
  begin(&fresh, ALICE);
  ck_assert_uint_eq(ask(&fresh, 0, QUOTA_PLANS, 7), 0);
  ck_assert_uint_eq(ask(&fresh, 0, QUOTA_PLANS, 3), 3);
  connect_daemons(&fresh, &newest, second);
  up(&newest, second);
  ck_assert_uint_eq(plans(&newest), 7);
  ck_assert_uint_eq(granted_to(&newest, ALICE, QUOTA_SESSIONS), 2);

  send_message(&old, 0, CONTROL_CHARGE, QUOTA_PLANS, 2); /* two daemons further it is decided */
  up(&fresh, first), up(&newest, second), down(&fresh, second), down(&old, first);
  ck_assert_int_eq(receive(old.ends[0]).status, 0);
  ck_assert_uint_eq(plans(&newest), 9);
  ck_assert_uint_eq(plans(&fresh), 9);
  send_message(&old, 0, CONTROL_CHARGE, QUOTA_PLANS, 2);
  up(&fresh, first), up(&newest, second), down(&fresh, second), down(&old, first);
  ck_assert_int_eq(receive(old.ends[0]).status, NUMD_ELIMIT);

  send_message(&old, 0, CONTROL_CHARGE, QUOTA_PLANS, 1); /* the session ends before the answer comes */
  up(&fresh, first), up(&newest, second), down(&fresh, second);
  old.worker[0].exited = true;
  charges_end_session(&old.charges, &old.worker[0]);
  down(&old, first);
  up(&fresh, first), up(&newest, second);
  ck_assert_uint_eq(plans(&newest), 3);

  begin(&old, ALICE); /* whose connection had been accepted before */
  up(&fresh, first), up(&newest, second);
  ck_assert_uint_eq(granted_to(&newest, ALICE, QUOTA_SESSIONS), 2);
  charges_lose_predecessor(&fresh.charges); /* the first one crashes */
  up(&newest, second);
  ck_assert_uint_eq(granted_to(&newest, ALICE, QUOTA_SESSIONS), 1);
  for (int i = 0; i < 2; i++)
    close(first[i]), close(second[i]);
}
END_TEST

/* A successor that does not listen for a while gets everything in the end. */
START_TEST(what_could_not_be_told_is_told_later) {
  int pair[2], few = 1;
  begin(&old, ALICE);
  notices->limits[QUOTA_PLANS] = 1 << 20;
  ck_assert_uint_ge(ask(&old, 0, QUOTA_PLANS, 10000), 10000);
  connect_daemons(&old, &fresh, pair);
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &few, sizeof(few));
  for (int i = 0; i < 5000; i++)
    send_message(&old, 0, CONTROL_DISCHARGE, QUOTA_PLANS, 1);
  ck_assert(old.charges.owes);
  ck_assert(!charges_pay(&old.charges));
  up(&fresh, pair);
  ck_assert(charges_pay(&old.charges));
  up(&fresh, pair);
  ck_assert_uint_eq(plans(&fresh), plans(&old));
  for (int i = 0; i < 2; i++)
    close(pair[i]);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("charges");
  TCase *t = tcase_create("charges");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, small_limits_are_exact);
  tcase_add_test(t, far_from_the_limit_there_are_reserves);
  tcase_add_test(t, a_worker_cannot_give_back_what_it_has_not);
  tcase_add_test(t, what_the_scoreboard_says_is_believed_within_limits);
  tcase_add_test(t, daemons_that_replace_each_other_count_together);
  tcase_add_test(t, what_could_not_be_told_is_told_later);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
