/* SPDX-License-Identifier: BSD-3-Clause */
/* What can and cannot be done inside the sandbox, which a process enters for good. A test enters it in a
 * child of its own and looks at how that ends: Check itself takes system calls around a test that the filter
 * refuses, among them the one that tells it which clock to use. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/worker/drop_rights.h"
#include "server/worker/sandbox.h"
#include "server/worker/sigbus.h"
#include "tests/unit/suite.h"

#define MIB ((uint64_t)1 << 20)
/* Objects of this run. */
static char name[48], other_name[48];

static uint32_t held;

static void enter(bool may_open_names) {
  const struct sandbox_options options = {.may_open_names = may_open_names, .memory_bytes = 1024 * MIB};
  ck_assert_int_eq(drop_rights_staying(), 0);
  ck_assert_int_eq(sandbox_prepare(), 0);
  ck_assert_int_eq(sandbox_enter(&options, &held), 0);
}

/* Whether this build and kernel have the part. */
static bool has(uint32_t bit) {
  return (held & bit) != 0;
}

/* The wait status of a child that runs `inside`. An assertion that fails there reports to Check from there,
 * and makes the child exit with another status than 0. */
static int status_of(void (*inside)(void)) {
  int status;
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    inside();
    _exit(0);
  }
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return status;
}

static void assert_succeeds(void (*inside)(void)) {
  int status = status_of(inside);
  ck_assert_msg(!WIFSIGNALED(status), "killed inside by signal %d", WTERMSIG(status));
  ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* A test whose body runs in such a child. */
#define CHILD_TEST(name)            \
  static void inside_##name(void);  \
  START_TEST(name) {                \
    assert_succeeds(inside_##name); \
  }                                 \
  END_TEST                          \
  static void inside_##name(void)

CHILD_TEST(test_what_is_reported_holds) {
  struct rlimit core;
  enter(true);
  getrlimit(RLIMIT_CORE, &core);
  ck_assert_int_eq(has(SANDBOX_LIMITS), SANDBOX_POSSIBLE);
  if (has(SANDBOX_LIMITS))
    ck_assert_uint_eq(core.rlim_max, 0);
  if (SANDBOX_POSSIBLE)
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE) < 0, has(SANDBOX_SECCOMP));
}

CHILD_TEST(test_files) {
  int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
  ck_assert_int_ge(fd, 0);
  close(fd);
  enter(true);
  fd = shm_open(name, O_RDWR, 0);
  int passwd = open("/etc/passwd", O_RDONLY), self = open("/proc/self/mem", O_RDONLY);
  int made = shm_open(other_name, O_RDWR | O_CREAT | O_EXCL, 0600);
  ck_assert_int_ge(fd, 0);
  if (has(SANDBOX_LANDLOCK)) {
    ck_assert_int_eq(passwd, -1);
    ck_assert_int_eq(self, -1);
    ck_assert_int_eq(made, -1);
  }
}

CHILD_TEST(test_no_files_for_guests) {
  enter(false);
  if (has(SANDBOX_SECCOMP)) {
    ck_assert_int_eq(shm_open(name, O_RDWR, 0), -1);
    ck_assert_int_eq(errno, ENOSYS);
  }
}

static void *write_one(void *arg) {
  *(int *)arg = 1;
  return NULL;
}

CHILD_TEST(test_what_serving_takes) {
  int done = 0, pair[2], fd;
  pthread_t thread;
  enter(true);
  ck_assert_int_eq(pthread_create(&thread, NULL, write_one, &done), 0);
  pthread_join(thread, NULL);
  ck_assert_int_eq(done, 1);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ck_assert_int_ge(fd = memfd_create("test", MFD_ALLOW_SEALING), 0);
  ck_assert_int_eq(ftruncate(fd, 4096), 0);
  ck_assert_ptr_ne(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
}

CHILD_TEST(test_what_it_does_not_take) {
  enter(true);
  if (!has(SANDBOX_SECCOMP))
    return;
  ck_assert_int_eq(socket(AF_INET, SOCK_STREAM, 0), -1);
  ck_assert_int_eq(socket(AF_UNIX, SOCK_STREAM, 0), -1);
  ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
  ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), -1);
  ck_assert_int_eq((int)syscall(SYS_io_uring_setup, 1, NULL), -1);
  ck_assert_int_eq(errno, ENOSYS);
}

static void try_exec(void) {
  execl("/bin/true", "true", (char *)NULL);
}
static void try_kill(void) {
  kill(getppid(), 0);
}
static void try_ptrace(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
}
static void try_connect(void) {
  connect(0, NULL, 0);
}
static void try_setuid(void) {
  syscall(SYS_setuid, 0);
}
static void try_fork(void) {
  syscall(SYS_fork);
}

static void (*const intrusions[])(void) = {try_exec, try_kill, try_ptrace, try_connect, try_setuid, try_fork};

static int intrusion; /* which of them the child tries */

static void intrude(void) {
  enter(true);
  if (has(SANDBOX_SECCOMP))
    intrusions[intrusion]();
  else
    raise(SIGSYS);
}

START_TEST(test_intruders_die) {
  intrusion = _i;
  int status = status_of(intrude);
  ck_assert_msg(WIFSIGNALED(status), "intrusion %d was survived: exit status %d", _i, WEXITSTATUS(status));
  ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

CHILD_TEST(test_private_memory_is_bounded) {
  enter(true);
  if (!SANDBOX_POSSIBLE)
    return;
  ck_assert_ptr_null(malloc(2048 * MIB));
  void *p = malloc(32 * MIB);
  ck_assert_ptr_nonnull(p);
  free(p);
}

/* Zeros for a lost segment that is larger than what the worker may have itself. */
CHILD_TEST(test_lost_segments_have_room) {
  atomic_int lost = 0;
  size_t bytes = 2048 * MIB;
  int fd = memfd_create("test", 0);
  ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
  char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(data, MAP_FAILED);
  ck_assert_int_eq(sigbus_install(), 0);
  ck_assert_int_ge(sigbus_watch(data, bytes, 4096, &lost), 0);
  enter(true);
  ck_assert_int_eq(ftruncate(fd, 0), 0);
  ck_assert_int_eq(((volatile char *)data)[0], 0);
  ck_assert_int_eq(lost, 1);
}

static void remove_objects(void) {
  shm_unlink(name);
  shm_unlink(other_name);
}

int main(void) {
  snprintf(name, sizeof(name), "/numd-test-sandbox-%d", getpid());
  snprintf(other_name, sizeof(other_name), "/numd-test-sandbox-%d-2", getpid());
  Suite *s = suite_create("sandbox");
  TCase *t = tcase_create("sandbox");
  tcase_add_unchecked_fixture(t, NULL, remove_objects);
  tcase_add_test(t, test_what_is_reported_holds);
  tcase_add_test(t, test_files);
  tcase_add_test(t, test_no_files_for_guests);
  tcase_add_test(t, test_what_serving_takes);
  tcase_add_test(t, test_what_it_does_not_take);
  tcase_add_test(t, test_private_memory_is_bounded);
  tcase_add_test(t, test_lost_segments_have_room);
  tcase_add_loop_test(t, test_intruders_die, 0, (int)(sizeof(intrusions) / sizeof(intrusions[0])));
  suite_add_tcase(s, t);
  return suite_run(s);
}
