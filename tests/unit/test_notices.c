/* SPDX-License-Identifier: BSD-3-Clause */
/* The page that workers read: nobody but who made it can write it. */
#include "server/host/notices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static struct notices *notices;
static int page;

static void set_up(void) {
  ck_assert_int_eq(notices_new(&notices, &page), 0);
}

static void tear_down(void) {
  notices_unmap(notices);
  close(page);
}

START_TEST(its_maker_writes_and_others_read) {
  const struct notices *seen;
  ck_assert_int_eq(notices_map(page, &seen), 0);
  notices->limits[QUOTA_PLANS] = 77;
  notices_put(notices, 5, 123, WORKER_SESSION, 1000, 456);
  ck_assert_uint_eq(seen->limits[QUOTA_PLANS], 77);
  ck_assert_int_eq(seen->entries[5].pid, 123);
  ck_assert_int_eq(seen->entries[5].client_pid, 456);
  ck_assert_uint_eq(seen->entries[5].uid, 1000);
  ck_assert_uint_eq(seen->entries[5].state, WORKER_SESSION);
  ck_assert_uint_eq(seen->n_used, 6);
  ck_assert_uint_eq(seen->owner, geteuid());
  ck_assert_int_ne(mprotect((void *)seen, sizeof(*seen), PROT_READ | PROT_WRITE), 0);
  notices_unmap(seen);
}
END_TEST

/* By any road, for root as well. */
START_TEST(nobody_else_can_write_it) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", page);
  int again = open(path, O_RDWR | O_CLOEXEC);
  ck_assert_int_ge(again, 0);
  const int fds[] = {page, again};
  for (int i = 0; i < 2; i++) {
    ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0), MAP_FAILED);
    ck_assert_int_lt(pwrite(fds[i], "x", 1, 0), 0);
    ck_assert_int_lt(ftruncate(fds[i], 0), 0);
    ck_assert_int_lt(fallocate(fds[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    ck_assert_int_lt(fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE), 0);
  }
  close(again);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("notices");
  TCase *t = tcase_create("notices");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, its_maker_writes_and_others_read);
  tcase_add_test(t, nobody_else_can_write_it);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
