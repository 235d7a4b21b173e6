/* SPDX-License-Identifier: BSD-3-Clause */
/* The broker alone: who holds what of an object, and that an object goes, its descriptor too, when nobody
 * does. */
#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/supervisor/broker.h"
#include "tests/unit/random.h"

typedef uint8_t token[CONTROL_TOKEN_BYTES];

enum { ALICE = 1000, BOB = 1001 };                /* users */
enum { MAKER = 3, TAKER = 7, OTHER = 900 };       /* sessions */
enum { BLOCK = 4096, NEXT_BLOCK = 8192, AT = 5 }; /* offsets; a time */

static struct broker broker, successor;

static void setup(void) {
  memset(&broker, 0, sizeof(broker));
  memset(&successor, 0, sizeof(successor));
  broker.objects_max = successor.objects_max = 1000;
}

static void teardown(void) {
  broker_deinit(&broker);
  broker_deinit(&successor);
}

static int file(void) {
  int fd = memfd_create("broker", MFD_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  return fd;
}

static bool is_open(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0;
}

static ino_t inode(int fd) {
  struct stat st;
  ck_assert_int_eq(fstat(fd, &st), 0);
  return st.st_ino;
}

static int count_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;
  while (readdir(dir))
    n++;
  closedir(dir);
  return n;
}

/* A new object of ALICE's, held by MAKER; its descriptor. */
static int share(token t) {
  int fd = file();
  ck_assert_int_eq(broker_share(&broker, MAKER, ALICE, fd, t), 0);
  return fd;
}

static void import(uint32_t holder, const token t) {
  int fd = -1;
  ck_assert_int_eq(broker_import(&broker, holder, t, &fd), 0);
}

static uint64_t lend(const token t, uint64_t first) {
  uint64_t ticket = 0;
  ck_assert_int_eq(broker_lend(&broker, MAKER, ALICE, t, first, &ticket), 0);
  ck_assert_uint_ne(ticket, 0);
  return ticket;
}

static struct control_message named(const token t, const char *name, uint64_t first, bool replace) {
  struct control_message m = {.first = first, .flag = replace, .note_bytes = 4, .note = "note"};
  memcpy(m.token, t, sizeof(m.token));
  strcpy(m.name, name);
  return m;
}

static int publish(uint32_t uid, const token t, const char *name, uint64_t first, bool replace) {
  struct control_message m = named(t, name, first, replace);
  return broker_publish(&broker, uid, &m);
}

/* ---- Objects ---- */

START_TEST(a_token_gives_the_object_until_nobody_holds_it) {
  token t, unknown = {1};
  int fd = share(t), imported = -1;
  ck_assert_int_eq(broker_import(&broker, TAKER, unknown, &imported), NUMD_ESEGMENT);
  ck_assert_int_eq(broker_import(&broker, TAKER, t, &imported), 0);
  ck_assert_uint_eq(inode(imported), inode(fd));
  broker_drop(&broker, MAKER, unknown); /* changes nothing */
  broker_drop(&broker, MAKER, t);
  ck_assert(is_open(fd));
  broker_drop(&broker, MAKER, t); /* held no more, so it takes nothing of the other's */
  ck_assert(is_open(fd));
  broker_drop(&broker, TAKER, t);
  ck_assert(!is_open(fd));
  ck_assert_uint_eq(broker.n, 0);
  ck_assert_int_eq(broker_import(&broker, TAKER, t, &imported), NUMD_ESEGMENT);
}
END_TEST

START_TEST(a_file_that_is_known_keeps_its_token_and_costs_no_descriptor) {
  token t, again, different;
  int fd = share(t), other = dup(fd);
  ck_assert_int_eq(broker_share(&broker, TAKER, BOB, other, again), 0);
  ck_assert(!is_open(other));
  ck_assert_mem_eq(t, again, sizeof(t));
  ck_assert_uint_eq(broker_count_objects(&broker, ALICE), 1);
  ck_assert_uint_eq(broker_count_objects(&broker, BOB), 0);
  share(different);
  ck_assert_mem_ne(t, different, sizeof(t));
  broker_drop(&broker, MAKER, t);
  ck_assert(is_open(fd)); /* TAKER holds it */
}
END_TEST

START_TEST(each_user_has_so_many_objects) {
  token t[3];
  broker.objects_max = 2;
  share(t[0]);
  share(t[1]);
  int fd = file();
  ck_assert_int_eq(broker_share(&broker, MAKER, ALICE, fd, t[2]), NUMD_ELIMIT);
  ck_assert(!is_open(fd)); /* it became the broker's all the same */
  ck_assert_int_eq(broker_share(&broker, TAKER, BOB, file(), t[2]), 0);
  broker_drop(&broker, MAKER, t[0]);
  ck_assert_int_eq(broker_share(&broker, MAKER, ALICE, file(), t[0]), 0);
  ck_assert_int_eq(broker_share(&broker, MAKER, ALICE, -1, t[0]), NUMD_EINTERNAL);
}
END_TEST

START_TEST(what_is_imported_twice_is_held_twice) {
  token t;
  int fd = share(t);
  import(TAKER, t);
  import(TAKER, t);
  broker_drop(&broker, MAKER, t);
  broker_drop(&broker, TAKER, t);
  ck_assert(is_open(fd));
  broker_drop(&broker, TAKER, t);
  ck_assert(!is_open(fd));
}
END_TEST

START_TEST(a_session_has_so_many_holds) {
  token t;
  int fd = share(t), got = -1;
  for (int i = 0; i < BROKER_HELD_MAX; i++)
    import(TAKER, t);
  ck_assert_int_eq(broker_import(&broker, TAKER, t, &got), NUMD_ELIMIT);
  ck_assert_int_eq(broker_import(&broker, OTHER, t, &got), 0);
  broker_drop_all(&broker, TAKER, false, AT);
  ck_assert_uint_eq(broker.counts[TAKER].holds, 0);
  import(TAKER, t);
  ck_assert(is_open(fd));
}
END_TEST

/* ---- Blocks ---- */

START_TEST(a_block_goes_from_hand_to_hand) {
  token t;
  int fd = share(t);
  uint64_t ticket = lend(t, BLOCK);
  ck_assert(!broker_is_free(&broker, MAKER, t, BLOCK)); /* on its way */
  ck_assert(broker_is_free(&broker, MAKER, t, NEXT_BLOCK));
  import(TAKER, t);
  ck_assert(!broker_is_free(&broker, MAKER, t, NEXT_BLOCK)); /* who imported it may use all of it, */
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, ticket), 0);
  ck_assert(broker_is_free(&broker, MAKER, t, NEXT_BLOCK)); /* until it says what */
  ck_assert_uint_eq(broker.counts[MAKER].leases, 0);
  broker_give(&broker, MAKER, t, BLOCK);
  ck_assert(!broker_is_free(&broker, MAKER, t, BLOCK));
  broker_give(&broker, TAKER, t, BLOCK);
  broker_give(&broker, TAKER, t, BLOCK); /* once more changes nothing */
  ck_assert(broker_is_free(&broker, MAKER, t, BLOCK));
  ck_assert(!broker_is_free(&broker, TAKER, t, BLOCK)); /* to it, MAKER holds everything */
  ck_assert(is_open(fd));
}
END_TEST

START_TEST(only_what_somebody_holds_can_be_taken) {
  token t, unknown = {1};
  uint64_t ticket;
  share(t);
  import(TAKER, t);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, 1), NUMD_ESEGMENT);
  ck_assert_int_eq(broker_take(&broker, TAKER, unknown, BLOCK, 1), NUMD_ESEGMENT);
  ck_assert_int_eq(broker_lend(&broker, MAKER, ALICE, unknown, BLOCK, &ticket), NUMD_ESEGMENT);
  ticket = lend(t, BLOCK);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, ticket + 1), 0); /* a BLOCK; the lease stays */
  ck_assert_uint_eq(broker.counts[MAKER].leases, 1);
  ck_assert(!broker_is_free(&broker, OTHER, unknown, BLOCK));
}
END_TEST

START_TEST(blocks_go_with_the_last_import) {
  token t;
  int fd = share(t);
  uint64_t ticket = lend(t, BLOCK);
  import(TAKER, t);
  import(TAKER, t);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, ticket), 0); /* one of the two is MAPPED */
  broker_give(&broker, MAKER, t, BLOCK);
  broker_drop(&broker, TAKER, t); /* the one that is not */
  ck_assert(!broker_is_free(&broker, MAKER, t, BLOCK));
  broker_drop(&broker, TAKER, t);
  ck_assert(broker_is_free(&broker, MAKER, t, BLOCK));
  ck_assert_uint_eq(broker.counts[TAKER].holds, 0);
  ck_assert(is_open(fd));
}
END_TEST

START_TEST(a_session_with_many_leases_gives_up_its_own_of_the_block) {
  token t;
  uint64_t ticket = 0;
  share(t);
  import(TAKER, t);
  for (int i = 0; i < BROKER_LEASES_MAX; i++)
    lend(t, BLOCK);
  ck_assert_uint_eq(broker.counts[MAKER].leases, BROKER_LEASES_MAX);
  ck_assert_int_eq(broker_lend(&broker, MAKER, ALICE, t, NEXT_BLOCK, &ticket), NUMD_ELIMIT);
  ticket = lend(t, BLOCK);
  ck_assert_uint_eq(broker.counts[MAKER].leases, 1);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, ticket), 0);
  ck_assert_uint_eq(broker.counts[MAKER].leases, 0);
}
END_TEST

/* ---- Ends ---- */

START_TEST(a_lease_outlives_its_lender_for_a_minute) {
  token t;
  int fd = share(t);
  uint64_t ticket = lend(t, BLOCK), other = lend(t, NEXT_BLOCK);
  ck_assert(!broker_expire(&broker, UINT64_MAX)); /* while the lender lives they are not over */
  broker_drop_all(&broker, MAKER, false, AT);
  ck_assert_uint_eq(broker.counts[MAKER].holds, 0);
  ck_assert_uint_eq(broker.counts[MAKER].leases, 0);
  ck_assert(broker_expire(&broker, AT + BROKER_LEASE_MS - 1));
  import(TAKER, t);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, BLOCK, ticket), 0);
  ck_assert(!broker_expire(&broker, AT + BROKER_LEASE_MS));
  ck_assert_int_eq(broker_take(&broker, TAKER, t, NEXT_BLOCK, other), NUMD_ESEGMENT);
  ck_assert(is_open(fd));
  broker_drop(&broker, TAKER, t);
  ck_assert(!is_open(fd));
}
END_TEST

START_TEST(leases_alone_keep_an_object) {
  token t;
  int fd = share(t);
  lend(t, BLOCK);
  broker_drop_all(&broker, MAKER, false, AT);
  ck_assert(is_open(fd));
  ck_assert(!broker_expire(&broker, AT + BROKER_LEASE_MS));
  ck_assert(!is_open(fd));
  ck_assert_uint_eq(broker.n, 0);
}
END_TEST

START_TEST(what_a_lost_worker_held_is_never_free) {
  token t, untouched;
  share(t);
  share(untouched);
  import(TAKER, t);
  broker_drop_all(&broker, TAKER, true, AT);
  ck_assert(!broker_is_free(&broker, MAKER, t, BLOCK));
  ck_assert(broker_is_free(&broker, MAKER, untouched, BLOCK));
}
END_TEST

/* ---- Names ---- */

START_TEST(a_name_is_its_user_s_and_keeps_the_object) {
  token t;
  struct control_message m = {.name = "weights"};
  int fd = share(t);
  ck_assert_int_eq(publish(ALICE, t, "weights", BLOCK, false), 0);
  ck_assert_int_eq(broker_open(&broker, TAKER, BOB, &m), NUMD_ESEGMENT);
  ck_assert_int_eq(broker_unpublish(&broker, BOB, "weights"), NUMD_ESEGMENT);
  broker_drop_all(&broker, MAKER, false, AT);
  ck_assert_int_eq(broker_open(&broker, TAKER, ALICE, &m), 0);
  ck_assert_mem_eq(m.token, t, sizeof(t));
  ck_assert_uint_eq(m.first, BLOCK);
  ck_assert_uint_eq(m.note_bytes, 4);
  ck_assert_mem_eq(m.note, "note", 4);
  ck_assert_uint_eq(broker.counts[TAKER].leases, 1);
  import(TAKER, t);
  ck_assert_int_eq(broker_take(&broker, TAKER, t, m.first, m.ticket), 0);
  ck_assert_uint_eq(broker.counts[TAKER].leases, 0);
  ck_assert_int_eq(broker_unpublish(&broker, ALICE, "weights"), 0);
  broker_drop(&broker, TAKER, t);
  ck_assert(!is_open(fd));
}
END_TEST

START_TEST(a_name_is_replaced_where_that_is_wanted) {
  token old, new;
  struct control_message m = {.name = "x"};
  int was = share(old);
  share(new);
  ck_assert_int_eq(publish(ALICE, old, "x", BLOCK, false), 0);
  ck_assert_int_eq(publish(ALICE, new, "x", NEXT_BLOCK, false), NUMD_EEXIST);
  ck_assert_int_eq(publish(BOB, new, "x", BLOCK, false), 0); /* another's */
  ck_assert_int_eq(publish(ALICE, new, "x", NEXT_BLOCK, true), 0);
  ck_assert_int_eq(broker_open(&broker, TAKER, ALICE, &m), 0);
  ck_assert_mem_eq(m.token, new, sizeof(new));
  ck_assert_uint_eq(m.first, NEXT_BLOCK);
  ck_assert_int_eq(publish(ALICE, new, "x", BLOCK, true), 0); /* in the same object */
  ck_assert_int_eq(broker_open(&broker, TAKER, ALICE, &m), 0);
  ck_assert_uint_eq(m.first, BLOCK);
  broker_drop(&broker, MAKER, old);
  ck_assert(!is_open(was)); /* no name holds it any more */
}
END_TEST

START_TEST(what_cannot_be_published) {
  token t, unknown = {1};
  share(t);
  struct control_message m = named(t, "x", BLOCK, false);
  m.note_bytes = CONTROL_NOTE_BYTES + 1;
  ck_assert_int_eq(broker_publish(&broker, ALICE, &m), NUMD_EINVAL);
  ck_assert_int_eq(publish(ALICE, unknown, "x", BLOCK, false), NUMD_ESEGMENT);
  ck_assert_int_eq(broker_unpublish(&broker, ALICE, "x"), NUMD_ESEGMENT);
  for (int i = 0; i < BROKER_NAMES_MAX; i++) {
    char name[16];
    snprintf(name, sizeof(name), "n%d", i);
    ck_assert_int_eq(publish(ALICE, t, name, BLOCK, false), 0);
  }
  ck_assert_int_eq(publish(ALICE, t, "one more", BLOCK, false), NUMD_ELIMIT);
  ck_assert_int_eq(publish(ALICE, t, "n7", BLOCK, true), 0); /* none more */
  ck_assert_int_eq(publish(BOB, t, "one more", BLOCK, false), 0);
}
END_TEST

/* ---- Upgrade in place ---- */

/* Hands over, and lets the successor adopt; how many messages there were. */
static int hand_over(void) {
  int pair[2], n = 0, fd = -1;
  struct control_message m;
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  ck_assert_int_eq(broker_hand_over(&broker, pair[0]), 0);
  close(pair[0]);
  for (; control_recv(pair[1], &m, &fd) == 1; n++) {
    ck_assert_uint_eq(m.type, CONTROL_ADOPT);
    ck_assert_int_eq(broker_adopt(&successor, &m, fd, AT), 0);
  }
  close(pair[1]);
  return n;
}

START_TEST(a_successor_knows_names_handles_and_tokens) {
  token t, plain;
  struct control_message m = {.name = "weights"};
  int fd = share(t), got = -1;
  share(plain);
  ck_assert_int_eq(publish(ALICE, t, "weights", NEXT_BLOCK, false), 0);
  uint64_t ticket = lend(t, BLOCK);
  ck_assert_int_eq(hand_over(), 3);
  ck_assert_uint_eq(successor.n, 2);
  ck_assert_uint_eq(broker_count_objects(&successor, ALICE), 2);
  ck_assert_int_eq(broker_import(&successor, TAKER, plain, &got), 0);
  ck_assert_int_eq(broker_import(&successor, TAKER, t, &got), 0);
  ck_assert_uint_eq(inode(got), inode(fd));
  ck_assert_int_eq(broker_take(&successor, TAKER, t, BLOCK, ticket), 0);
  ck_assert_int_eq(broker_open(&successor, TAKER, ALICE, &m), 0);
  ck_assert_uint_eq(m.first, NEXT_BLOCK);
  ck_assert_mem_eq(m.note, "note", 4);
  ck_assert_uint_gt(m.ticket, ticket); /* no ticket is given twice */
  /* No block is given out again, here or there: sessions of both may use it. */
  ck_assert(!broker_is_free(&broker, MAKER, plain, BLOCK));
  ck_assert(!broker_is_free(&successor, TAKER, plain, BLOCK));
}
END_TEST

START_TEST(what_a_successor_adopted_is_given_up_after_a_minute) {
  token t;
  share(t);
  lend(t, BLOCK);
  hand_over();
  ck_assert(broker_expire(&successor, AT + BROKER_LEASE_MS - 1));
  ck_assert(!broker_expire(&successor, AT + BROKER_LEASE_MS));
  ck_assert_uint_eq(successor.n, 0);
}
END_TEST

START_TEST(what_is_no_descriptor_is_not_adopted) {
  struct control_message m = {.type = CONTROL_ADOPT, .token = {1}};
  ck_assert_int_eq(broker_adopt(&successor, &m, -1, AT), NUMD_ENOMEMORY);
  ck_assert_uint_eq(successor.n, 0);
}
END_TEST

/* ---- Telling ---- */

static void note_inode(void *arg, int fd) {
  *(ino_t *)arg += inode(fd);
}

START_TEST(a_user_is_told_of_its_own_names) {
  token t, other;
  struct stat st;
  char *text = NULL;
  size_t length = 0;
  ino_t seen = 0;
  int fd = share(t);
  share(other);
  publish(ALICE, t, "a", BLOCK, false);
  publish(ALICE, t, "b", BLOCK, false);
  publish(BOB, t, "c", BLOCK, false);
  lend(t, BLOCK);
  ck_assert_int_eq(fstat(fd, &st), 0);
  FILE *out = open_memstream(&text, &length);
  broker_print(&broker, out, ALICE, st.st_dev, st.st_ino);
  fclose(out);
  ck_assert_str_eq(text, "\"names\": [\"a\", \"b\"], \"handles_in_flight\": 1");
  free(text);
  broker_each(&broker, ALICE, note_inode, &seen); /* once, and not of the other, which has neither */
  ck_assert_uint_eq(seen, st.st_ino);
}
END_TEST

/* Whatever was done, when all sessions have ended, all names are taken back and all leases are over, nothing
 * is left; and no session's counts are off. */
START_TEST(nothing_is_left_in_the_end) {
  enum { N = 6, SESSIONS = 4 };
  const int fds = count_fds();
  token tokens[N] = {{0}};
  for (int i = 0; i < 5000; i++) {
    uint8_t *t = tokens[random_below(N)];
    uint32_t holder = (uint32_t)random_below(SESSIONS), uid = ALICE + holder % 2;
    uint64_t first = 64u * (uint64_t)random_below(3), ticket;
    char name[16];
    struct control_message m = {.name = "n0"};
    int fd;
    snprintf(name, sizeof(name), "n%d", (int)random_below(3));
    switch (random_below(11)) {
      case 0:
        broker_share(&broker, holder, uid, file(), t);
        break;
      case 1:
        broker_import(&broker, holder, t, &fd);
        break;
      case 2:
        broker_drop(&broker, holder, t);
        break;
      case 3:
      case 4:
        broker_lend(&broker, holder, uid, t, first, &ticket);
        break;
      case 5:
        broker_take(&broker, holder, t, first, random_below((int)broker.last_ticket + 1));
        break;
      case 6:
        broker_give(&broker, holder, t, first);
        break;
      case 7:
        publish(uid, t, name, first, random_below(2));
        break;
      case 8:
        broker_open(&broker, holder, uid, &m);
        break;
      case 9:
        broker_unpublish(&broker, uid, name);
        break;
      default:
        if (random_below(10) == 0)
          broker_drop_all(&broker, holder, random_below(2), (uint64_t)i);
        broker_expire(&broker, (uint64_t)i);
    }
  }
  for (uint32_t holder = 0; holder < SESSIONS; holder++) {
    broker_drop_all(&broker, holder, false, AT);
    ck_assert_uint_eq(broker.counts[holder].holds, 0);
    ck_assert_uint_eq(broker.counts[holder].leases, 0);
  }
  for (int i = 0; i < 3; i++)
    for (uint32_t uid = ALICE; uid <= BOB; uid++) {
      char name[16];
      snprintf(name, sizeof(name), "n%d", i);
      broker_unpublish(&broker, uid, name);
    }
  ck_assert(!broker_expire(&broker, UINT64_MAX));
  ck_assert_uint_eq(broker.n, 0);
  ck_assert_int_eq(count_fds(), fds);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("broker");
  TCase *t = tcase_create("broker");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_checked_fixture(t, random_reseed, NULL);
  tcase_add_test(t, a_token_gives_the_object_until_nobody_holds_it);
  tcase_add_test(t, a_file_that_is_known_keeps_its_token_and_costs_no_descriptor);
  tcase_add_test(t, each_user_has_so_many_objects);
  tcase_add_test(t, what_is_imported_twice_is_held_twice);
  tcase_add_test(t, a_session_has_so_many_holds);
  tcase_add_test(t, a_block_goes_from_hand_to_hand);
  tcase_add_test(t, only_what_somebody_holds_can_be_taken);
  tcase_add_test(t, blocks_go_with_the_last_import);
  tcase_add_test(t, a_session_with_many_leases_gives_up_its_own_of_the_block);
  tcase_add_test(t, a_lease_outlives_its_lender_for_a_minute);
  tcase_add_test(t, leases_alone_keep_an_object);
  tcase_add_test(t, what_a_lost_worker_held_is_never_free);
  tcase_add_test(t, a_name_is_its_user_s_and_keeps_the_object);
  tcase_add_test(t, a_name_is_replaced_where_that_is_wanted);
  tcase_add_test(t, what_cannot_be_published);
  tcase_add_test(t, a_successor_knows_names_handles_and_tokens);
  tcase_add_test(t, what_a_successor_adopted_is_given_up_after_a_minute);
  tcase_add_test(t, what_is_no_descriptor_is_not_adopted);
  tcase_add_test(t, a_user_is_told_of_its_own_names);
  tcase_add_test(t, nothing_is_left_in_the_end);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
