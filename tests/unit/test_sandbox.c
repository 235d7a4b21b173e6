/* SPDX-License-Identifier: BSD-3-Clause */
/* What can and cannot be done inside the sandbox, which a process enters for good. A test enters it in a
 * child of its own and looks at how that ends: Check itself takes system calls around a test that the filter
 * refuses, among them the one that tells it which clock to use. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
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
  ck_assert_int_ge(fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING), 0);
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
static void try_tkill(void) {
  syscall(SYS_tkill, getppid(), 0);
}
static void try_queue(void) {
  siginfo_t info = {.si_code = SI_QUEUE};
  syscall(SYS_rt_sigqueueinfo, getppid(), SIGTERM, &info);
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

static void (*const intrusions[])(void) = {try_exec,   try_kill,    try_tkill,  try_queue,
                                           try_ptrace, try_connect, try_setuid, try_fork};

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

/* ---- The filter, as the kernel gets it ---- */

#define FILTER_MAX 4096
#define CALLS_MAX 1024

static struct sock_filter filter[FILTER_MAX];
static size_t n_filter;

static void read_filter(bool may_open_names) {
  FILE *file = tmpfile();
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(sandbox_prepare(), 0);
  ck_assert_int_eq(sandbox_write_filter(may_open_names, fileno(file)), 0);
  rewind(file);
  n_filter = fread(filter, sizeof(filter[0]), FILTER_MAX, file);
  fclose(file);
  ck_assert_uint_gt(n_filter, 0);
  ck_assert_uint_lt(n_filter, FILTER_MAX);
}

/* What the filter does with a call, and in *looked whether it looked at the arguments for that. Only the
 * instructions that libseccomp writes are known here. */
static uint32_t judge(const struct seccomp_data *call, bool *looked) {
  uint32_t a = 0;
  *looked = false;
  for (size_t pc = 0; pc < n_filter; pc++) {
    const struct sock_filter *f = &filter[pc];
    bool jump = false;
    switch (f->code) {
      case BPF_LD | BPF_W | BPF_ABS:
        memcpy(&a, (const char *)call + f->k, sizeof(a));
        *looked |= f->k >= offsetof(struct seccomp_data, args);
        continue;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= f->k;
        continue;
      case BPF_JMP | BPF_JA:
        pc += f->k;
        continue;
      case BPF_RET | BPF_K:
        return f->k;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump = a == f->k;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump = a >= f->k;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump = a > f->k;
        break;
      default:
        ck_abort_msg("instruction %zu is unknown: %x", pc, f->code);
    }
    pc += jump ? f->jt : f->jf;
  }
  ck_abort_msg("the filter has no end");
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the calls for which the filter gives `action`, and looks at arguments or not, in one line. */
static const char *list(uint32_t action, bool by_arguments) {
  static char text[8192];
  char *names[CALLS_MAX];
  size_t n = 0, len = 0;
  for (int nr = 0; nr < CALLS_MAX; nr++) {
    const struct seccomp_data call = {.nr = nr, .arch = seccomp_arch_native()};
    bool looked;
    uint32_t what = judge(&call, &looked);
    if (looked == by_arguments && (looked || what == action)) {
      names[n] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
      ck_assert_msg(names[n] != NULL, "call %d has no name", nr);
      n++;
    }
  }
  qsort(names, n, sizeof(names[0]), by_name);
  for (size_t i = 0; i < n; i++) {
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? " " : "", names[i]);
    free(names[i]);
  }
  return text;
}

/* All that a worker may call. Who adds to this has to know what it reaches beside the process itself. */
#if defined(__x86_64__)
START_TEST(test_the_list_of_calls) {
  if (!SANDBOX_POSSIBLE)
    return;
  read_filter(true);
  ck_assert_str_eq(list(SECCOMP_RET_ALLOW, false),
                   "alarm brk clock_gettime clock_nanosleep close epoll_create1 epoll_ctl epoll_pwait "
                   "epoll_wait eventfd2 exit exit_group fstat fstatfs ftruncate futex getcpu getegid geteuid "
                   "getgid getpid getppid getrandom getrusage getsockopt gettid gettimeofday getuid lseek "
                   "madvise mbind mremap munmap nanosleep poll ppoll pread64 read recvfrom recvmsg "
                   "restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_yield sendmsg "
                   "set_robust_list shutdown sigaltstack sysinfo uname write writev");
  ck_assert_str_eq(list(SECCOMP_RET_ALLOW, true),
                   "clone fcntl ioctl membarrier memfd_create mmap mprotect openat pipe2 prctl prlimit64 "
                   "sched_getaffinity sched_setaffinity sendto socketpair tgkill");
  read_filter(false);
  ck_assert_ptr_null(strstr(list(SECCOMP_RET_ALLOW, true), "open"));
  /* The calls of other ABIs have other numbers. */
  bool looked;
  const struct seccomp_data x32 = {.nr = SYS_read | 0x40000000, .arch = AUDIT_ARCH_X86_64},
                            i386 = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};
  ck_assert_uint_ne(judge(&x32, &looked), SECCOMP_RET_ALLOW);
  ck_assert_uint_ne(judge(&i386, &looked), SECCOMP_RET_ALLOW);
}
END_TEST
#endif

#define OWN 0xfeed /* stands for this process */
#define THREAD                                                                                       \
  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | \
   CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define OBJECT (O_RDWR | O_NOFOLLOW | O_CLOEXEC)
#define HERE ((uint32_t)AT_FDCWD)

/* For each call of which the filter looks at arguments: what serving takes, and what else one might try. */
static const struct {
  bool may;
  int call;
  uint64_t args[5];
} probes[] = {
    {true, SYS_tgkill, {OWN, 1, SIGABRT}},
    {false, SYS_tgkill, {1, 1, SIGKILL}},
    {false, SYS_tgkill, {0, 1, SIGKILL}},
    {false, SYS_tgkill, {UINT32_MAX, 1, SIGKILL}},
    {true, SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE}},
    {false, SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}},
    {true, SYS_mprotect, {0, 4096, PROT_READ | PROT_WRITE}},
    {false, SYS_mprotect, {0, 4096, PROT_EXEC}},
    {true, SYS_clone, {THREAD}},
    {false, SYS_clone, {SIGCHLD}},
    {false, SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}},
    {false, SYS_clone, {THREAD | CLONE_NEWUSER}},
    {false, SYS_clone, {THREAD | CLONE_NEWNS}},
    {false, SYS_clone, {THREAD | CLONE_PTRACE}},
    {false, SYS_clone, {THREAD | CLONE_PARENT}},
    {true, SYS_memfd_create, {1, MFD_CLOEXEC | MFD_ALLOW_SEALING}},
    {false, SYS_memfd_create, {1, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB}},
    {false, SYS_memfd_create, {1, 0}},
    {true, SYS_socketpair, {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}},
    {false, SYS_socketpair, {AF_UNIX, SOCK_DGRAM, 0}},
    {false, SYS_socketpair, {AF_UNIX, SOCK_SEQPACKET, 0}},
    {false, SYS_socketpair, {AF_INET, SOCK_STREAM, 0}},
    {true, SYS_sendto, {3, 1, 1, MSG_NOSIGNAL, 0}},
    {false, SYS_sendto, {3, 1, 1, MSG_NOSIGNAL, 0x7fff00000000}},
    {false, SYS_sendto, {3, 1, 1, MSG_NOSIGNAL, 1}},
    {true, SYS_pipe2, {1, O_CLOEXEC | O_NONBLOCK}},
    {false, SYS_pipe2, {1, O_EXCL}}, /* a pipe of notifications about keys */
    {true, SYS_ioctl, {3, FIONBIO}},
    {false, SYS_ioctl, {3, FIOASYNC}},
    {false, SYS_ioctl, {3, FIOSETOWN}},
    {false, SYS_ioctl, {3, TIOCSTI}},
    {true, SYS_fcntl, {3, F_GETFD}},
    {true, SYS_fcntl, {3, F_SETFD, FD_CLOEXEC}},
    {true, SYS_fcntl, {3, F_GETFL}},
    {true, SYS_fcntl, {3, F_SETFL, O_NONBLOCK}},
    {false, SYS_fcntl, {3, F_SETFL, O_NONBLOCK | O_ASYNC}},
    {true, SYS_fcntl, {3, F_DUPFD_CLOEXEC}},
    {true, SYS_fcntl, {3, F_GET_SEALS}},
    {true, SYS_fcntl, {3, F_ADD_SEALS, F_SEAL_SHRINK}},
    {false, SYS_fcntl, {3, F_SETOWN, 1}},
    {false, SYS_fcntl, {3, F_SETOWN_EX, 1}},
    {false, SYS_fcntl, {3, F_SETSIG, SIGKILL}},
    {false, SYS_fcntl, {3, F_SETLEASE, F_WRLCK}},
    {false, SYS_fcntl, {3, F_NOTIFY}},
    {false, SYS_fcntl, {3, F_SETLK}},
    {false, SYS_fcntl, {3, F_OFD_SETLKW}},
    {false, SYS_fcntl, {3, F_SETPIPE_SZ, 1 << 20}},
    {true, SYS_prctl, {PR_SET_NAME, 1}},
    {false, SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {false, SYS_prctl, {PR_SET_PTRACER, 1}},
    {false, SYS_prctl, {PR_SET_PDEATHSIG, 0}},
    {false, SYS_prctl, {PR_SET_MM, 1}},
    {true, SYS_sched_setaffinity, {0, 128}},
    {false, SYS_sched_setaffinity, {1, 128}},
    {true, SYS_sched_getaffinity, {0, 128}},
    {false, SYS_sched_getaffinity, {1, 128}},
    {true, SYS_prlimit64, {0, RLIMIT_STACK, 0, 1}},
    {false, SYS_prlimit64, {0, RLIMIT_STACK, 1, 0}},
    {false, SYS_prlimit64, {1, RLIMIT_STACK, 0, 1}},
    {true, SYS_membarrier, {8}},
    {true, SYS_membarrier, {16}},
    {false, SYS_membarrier, {1}}, /* of all processes of the machine */
    {true, SYS_openat, {HERE, 1, OBJECT}},
    {false, SYS_openat, {HERE, 1, OBJECT | O_CREAT}},
    {false, SYS_openat, {HERE, 1, OBJECT | O_TRUNC}},
    {false, SYS_openat, {HERE, 1, OBJECT & ~O_NOFOLLOW}},
    {false, SYS_openat, {HERE, 1, O_RDONLY}},
    {false, SYS_openat, {HERE, 1, O_PATH}},
    {false, SYS_openat, {3, 1, OBJECT}},
};

START_TEST(test_arguments) {
  if (!SANDBOX_POSSIBLE)
    return;
  read_filter(true);
  for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
    struct seccomp_data call = {.nr = probes[i].call, .arch = seccomp_arch_native()};
    bool looked;
    memcpy(call.args, probes[i].args, sizeof(probes[i].args));
    if (call.args[0] == OWN)
      call.args[0] = (uint64_t)getpid();
    bool may = judge(&call, &looked) == SECCOMP_RET_ALLOW;
    ck_assert_msg(may == probes[i].may && looked, "probe %zu, call %d: allowed %d, looked at arguments %d", i,
                  probes[i].call, may, looked);
  }
}
END_TEST

/* ---- The filter without Landlock, whose newer versions forbid some of this, too ---- */

static pid_t victim;
static int listening;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void try_others(void) {
  int pair[2];
  struct stat st;
  cpu_set_t set;
  struct rlimit limit = {0, 0};
  ck_assert_int_eq(drop_rights_staying(), 0);
  ck_assert_int_eq(sandbox_prepare(), 0);
  if (!SANDBOX_POSSIBLE || sandbox_restrict_calls(true) != 1)
    return;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  ck_assert_int_lt(syscall(SYS_tgkill, victim, victim, SIGKILL), 0);
  ck_assert_int_eq(syscall(SYS_tgkill, getpid(), gettid(), 0), 0);
  ck_assert_int_lt(sched_setaffinity(victim, sizeof(set), &set), 0);
  ck_assert_int_lt(prlimit(victim, RLIMIT_NOFILE, &limit, NULL), 0);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ck_assert_int_lt(fcntl(pair[0], F_SETOWN, victim), 0);
  ck_assert_int_lt(fcntl(pair[0], F_SETSIG, SIGKILL), 0);
  ck_assert_int_lt(fcntl(pair[0], F_SETFL, O_ASYNC | O_NONBLOCK), 0);
  ck_assert_int_eq(write(pair[1], "x", 1), 1);
  ck_assert_int_lt(sendto(pair[0], "x", 1, 0, (void *)&address, sizeof(address)), 0);
  struct iovec text = {.iov_base = (char[]){"x"}, .iov_len = 1};
  struct msghdr message = {
      .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &text, .msg_iovlen = 1};
  ck_assert_int_lt(sendmsg(pair[0], &message, MSG_NOSIGNAL), 0);
  ck_assert_int_lt(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
  ck_assert_int_lt(stat("/etc/passwd", &st), 0);
  ck_assert_int_lt(fstatat(AT_FDCWD, "/etc/passwd", &st, AT_EMPTY_PATH), 0);
  ck_assert_int_lt(access("/etc/passwd", F_OK), 0);
  ck_assert_int_lt(readlink("/proc/self/exe", (char[16]){0}, 16), 0);
  ck_assert_int_lt(open("/etc/passwd", O_RDONLY), 0);
}

START_TEST(test_no_signals_to_others_and_no_addresses) {
  char text[4];
  victim = fork();
  if (victim == 0)
    for (;;)
      pause();
  snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/numd-test-sandbox-%d", getpid());
  listening = socket(AF_UNIX, SOCK_DGRAM, 0);
  ck_assert_int_eq(bind(listening, (void *)&address, sizeof(address)), 0);
  int status = status_of(try_others);
  unlink(address.sun_path);
  ck_assert_int_eq(status, 0);
  ck_assert_int_lt(recv(listening, text, sizeof(text), MSG_DONTWAIT), 0);
  ck_assert_int_eq(waitpid(victim, NULL, WNOHANG), 0); /* alive */
  kill(victim, SIGKILL);
  waitpid(victim, NULL, 0);
  close(listening);
}
END_TEST

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
#if defined(__x86_64__)
  tcase_add_test(t, test_the_list_of_calls);
#endif
  tcase_add_test(t, test_arguments);
  tcase_add_test(t, test_no_signals_to_others_and_no_addresses);
  tcase_add_loop_test(t, test_intruders_die, 0, (int)(sizeof(intrusions) / sizeof(intrusions[0])));
  suite_add_tcase(s, t);
  return suite_run(s);
}
