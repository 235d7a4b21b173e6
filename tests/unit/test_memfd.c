/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory without a name: what nobody can do to it, and what making it says when it cannot be made. */
#include "shared/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/suite.h"

START_TEST(nobody_changes_its_size_or_its_seals) {
  struct stat st;
  int fd = memfd_sealed("numd-test", 8192);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(fstat(fd, &st), 0);
  ck_assert_int_eq(st.st_size, 8192);
  ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, 4096), -1);
  ck_assert_int_eq(errno, EPERM);
  ck_assert_int_eq(ftruncate(fd, 16384), -1);
  ck_assert_int_eq(errno, EPERM);
  ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* or its receiver could lock its giver out */
  ck_assert_int_eq(errno, EPERM);
  char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(data, MAP_FAILED);
  for (int i = 0; i < 8192; i++)
    ck_assert_int_eq(data[i], 0);
  munmap(data, 8192);
  close(fd);
}
END_TEST

START_TEST(too_large_a_size_is_an_error_and_leaves_no_descriptor) {
  int next = dup(0);
  close(next);
  ck_assert_int_lt(memfd_sealed("numd-test", (size_t)INT64_MAX + 1), 0);
  int same = dup(0);
  ck_assert_int_eq(same, next);
  close(same);
}
END_TEST

START_TEST(without_descriptors_it_says_so) {
  struct rlimit limit, before;
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
  limit = before;
  limit.rlim_cur = 0;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  int rc = memfd_sealed("numd-test", 4096);
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
  ck_assert_int_eq(rc, -EMFILE);
}
END_TEST

START_TEST(only_shared_memory_has_seals) {
  struct stat st;
  int ends[2], sealed = memfd_sealed("numd-test", 4096), plain = memfd_create("numd-test", 0);
  int status = open("/proc/self/status", O_RDONLY), path = open("/dev/shm", O_PATH);
  ck_assert_int_eq(pipe(ends), 0);
  ck_assert_int_eq(memfd_seals(sealed), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  ck_assert_int_eq(memfd_seals(plain), F_SEAL_SEAL);
  ck_assert_int_lt(memfd_seals(ends[0]), 0);
  ck_assert_int_lt(memfd_seals(status), 0);
  ck_assert_int_lt(memfd_seals(path), 0);
  ck_assert_int_eq(memfd_stat(sealed, &st), 0);
  ck_assert_int_eq(st.st_size, 4096);
  ck_assert(S_ISREG(st.st_mode));
  ck_assert_int_eq(memfd_stat(-1, &st), -EBADF);
  const int fds[] = {sealed, plain, status, path, ends[0], ends[1]};
  for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
    close(fds[i]);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("memfd");
  TCase *t = tcase_create("memfd");
  tcase_add_test(t, nobody_changes_its_size_or_its_seals);
  tcase_add_test(t, too_large_a_size_is_an_error_and_leaves_no_descriptor);
  tcase_add_test(t, without_descriptors_it_says_so);
  tcase_add_test(t, only_shared_memory_has_seals);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
