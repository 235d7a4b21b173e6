/* SPDX-License-Identifier: BSD-3-Clause */
/* seccomp: the system calls that serving a session takes, with the arguments that it takes, and no others.
 *
 * A call that is not listed, or has other arguments, fails with ENOSYS, so that libraries do without it as on
 * an older kernel. clone3 is one of these: its flags lie in memory, which a filter cannot read. A call that
 * only an intruder would make ends the process; the kernel logs its number (audit, type 1326), and with
 * --log-level=debug the numbers of calls that failed, too. Calls that are allowed whatever their arguments
 * are cost nothing more: the kernel keeps a bitmap of them.
 *
 * Paths and socket addresses lie in memory, too. So no call that takes a path is allowed but the openat by
 * which shm_open opens an object, and what that may open is Landlock's matter; metadata are read by fstat,
 * which takes a descriptor (shared/memfd.h). sendto may have no address. sendmsg could have one, but the
 * sockets that a worker has or can make are connected, and the kernel refuses or ignores it for them. A
 * datagram socket could only come from the worker's own client, which could send from that socket itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/host/log.h"
#include "server/worker/sandbox.h"

#define CALL(name) SCMP_SYS(name)
#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

/* Calls that reach the process itself, its memory, its descriptors and the clock, whatever their arguments.
 */
static const int allowed[] = {
    /* memory */
    CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(mbind), CALL(ftruncate),
    /* threads */
    CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield), CALL(gettid), CALL(exit),
    CALL(exit_group),
    /* signals: SIGBUS is handled */
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall),
    /* time */
    CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(alarm),
    /* the loop */
    CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(poll), CALL(ppoll),
    CALL(eventfd2), CALL(read), CALL(write), CALL(writev), CALL(close),
    /* what clients send and get */
    CALL(sendmsg), CALL(recvmsg), CALL(recvfrom), CALL(shutdown), CALL(getsockopt), CALL(fstat),
    CALL(fstatfs), CALL(pread64), CALL(lseek),
    /* who and where we are */
    CALL(getpid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(sysinfo),
    CALL(uname), CALL(getrandom), CALL(getcpu), CALL(getrusage)};

/* Calls that end the process: for other programs, processes, connections or identities, or against the
 * machine. */
static const int fatal[] = {CALL(execve),
                            CALL(execveat),
                            CALL(fork),
                            CALL(vfork),
                            CALL(ptrace),
                            CALL(process_vm_readv),
                            CALL(kcmp),
                            CALL(process_vm_writev),
                            CALL(pidfd_getfd),
                            CALL(pidfd_open),
                            CALL(kill),
                            CALL(tkill),
                            CALL(rt_sigqueueinfo),
                            CALL(rt_tgsigqueueinfo),
                            CALL(process_madvise),
                            CALL(pidfd_send_signal),
                            CALL(connect),
                            CALL(bind),
                            CALL(listen),
                            CALL(accept),
                            CALL(accept4),
                            CALL(setuid),
                            CALL(setgid),
                            CALL(setreuid),
                            CALL(setregid),
                            CALL(setresuid),
                            CALL(setresgid),
                            CALL(setgroups),
                            CALL(setfsuid),
                            CALL(setfsgid),
                            CALL(capset),
                            CALL(chroot),
                            CALL(pivot_root),
                            CALL(mount),
                            CALL(umount2),
                            CALL(unshare),
                            CALL(setns),
                            CALL(bpf),
                            CALL(keyctl),
                            CALL(perf_event_open),
                            CALL(userfaultfd),
                            CALL(init_module),
                            CALL(finit_module),
                            CALL(open_by_handle_at),
                            CALL(kexec_load),
                            CALL(reboot),
                            CALL(unlink),
                            CALL(unlinkat),
                            CALL(rename),
                            CALL(symlinkat),
                            CALL(linkat),
                            CALL(mknodat),
                            CALL(fchmod),
                            CALL(fchmodat),
                            CALL(fchown),
                            CALL(fchownat),
                            CALL(personality)};

#define INT UINT32_MAX /* the bits of an int; the kernel does not look at those above */
#define PER_RULE 3

/* A call that is allowed only if in each argument named the bits of `mask` are `value`. A call with several
 * rules is allowed by any of them. */
struct rule {
  int call;
  struct {
    unsigned arg;
    scmp_datum_t mask, value;
  } same[PER_RULE]; /* those with a mask */
};

#define NOT_FOR_THREADS                                                                                \
  (CLONE_PIDFD | CLONE_PTRACE | CLONE_VFORK | CLONE_PARENT | CLONE_UNTRACED | CLONE_IO | CLONE_NEWNS | \
   CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct rule rules[] = {
    /* no code but that of the program and its libraries */
    {CALL(mmap), {{2, PROT_EXEC, 0}}},
    {CALL(mprotect), {{2, PROT_EXEC, 0}}},
    /* threads only */
    {CALL(clone), {{0, (uint32_t)(CLONE_VM | CLONE_THREAD | NOT_FOR_THREADS), CLONE_VM | CLONE_THREAD}}},
    /* what memfd_sealed and a channel's notification socket take */
    {CALL(memfd_create), {{1, INT, MFD_CLOEXEC | MFD_ALLOW_SEALING}}},
    {CALL(socketpair),
     {{0, INT, AF_UNIX}, {1, INT & ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM}, {2, INT, 0}}},
    {CALL(sendto), {{4, UINT64_MAX, 0}}},
    {CALL(pipe2), {{1, INT & ~(scmp_datum_t)(O_CLOEXEC | O_NONBLOCK), 0}}},
    {CALL(ioctl), {{1, INT, FIONBIO}}},
    /* no owner, to whom signals go, no locks, no leases */
    {CALL(fcntl), {{1, INT, F_GETFD}}},
    {CALL(fcntl), {{1, INT, F_SETFD}}},
    {CALL(fcntl), {{1, INT, F_GETFL}}},
    {CALL(fcntl), {{1, INT, F_SETFL}, {2, O_ASYNC, 0}}},
    {CALL(fcntl), {{1, INT, F_DUPFD_CLOEXEC}}},
    {CALL(fcntl), {{1, INT, F_GET_SEALS}}},
    {CALL(fcntl), {{1, INT, F_ADD_SEALS}}},
    {CALL(prctl), {{0, INT, PR_SET_NAME}}},
    {CALL(prctl), {{0, INT, 0x53564d41}}}, /* PR_SET_VMA: malloc names its memory */
    /* of the calling thread, or the process itself; limits are read only */
    {CALL(sched_setaffinity), {{0, INT, 0}}},
    {CALL(sched_getaffinity), {{0, INT, 0}}},
    {CALL(prlimit64), {{0, INT, 0}, {2, UINT64_MAX, 0}}},
    {CALL(membarrier), {{0, INT, MEMBARRIER_CMD_PRIVATE_EXPEDITED}}},
    {CALL(membarrier), {{0, INT, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED}}},
};

/* What shm_open asks for: an object that exists, for reading and writing, and no link. */
#define MAY_BE_ADDED (O_NONBLOCK | O_LARGEFILE | 0100000)
static const struct rule names_rule = {
    CALL(openat),
    {{0, INT, (uint32_t)AT_FDCWD}, {2, INT & ~(scmp_datum_t)MAY_BE_ADDED, O_RDWR | O_NOFOLLOW | O_CLOEXEC}}};

static scmp_filter_ctx filter;

static int add_rule(const struct rule *rule) {
  struct scmp_arg_cmp same[PER_RULE];
  unsigned n = 0;
  for (; n < PER_RULE && rule->same[n].mask; n++)
    same[n] =
        (struct scmp_arg_cmp){rule->same[n].arg, SCMP_CMP_MASKED_EQ, rule->same[n].mask, rule->same[n].value};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, n, same);
}

static int add_rules(void) {
  int rc = 0;
  for (size_t i = 0; i < LENGTH(rules) && rc == 0; i++)
    rc = add_rule(&rules[i]);
  /* raise and abort send to a thread of this very process */
  const struct rule to_oneself = {CALL(tgkill), {{0, INT, (uint32_t)getpid()}}};
  return rc == 0 ? add_rule(&to_oneself) : rc;
}

static int add_list(const int *calls, size_t n, uint32_t action) {
  int rc = 0;
  for (size_t i = 0; i < n && rc == 0; i++)
    rc = seccomp_rule_add(filter, action, calls[i], 0);
  return rc;
}

int sandbox_prepare(void) {
  if (!SANDBOX_POSSIBLE)
    return 0;
  filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
  if (!filter)
    return -ENOMEM;
  int rc = add_list(allowed, LENGTH(allowed), SCMP_ACT_ALLOW);
  if (rc == 0)
    rc = add_list(fatal, LENGTH(fatal), SCMP_ACT_KILL_PROCESS);
  if (rc == 0)
    rc = add_rules();
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, log_level() == LOG_LEVEL_DEBUG);
  /* Older kernels protect a filtered process against speculation past stores, which slows it down. That would
   * only keep the worker's memory secret from its own client, whose memory it is. */
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
  return rc;
}

int sandbox_write_filter(bool may_open_names, int fd) {
  int rc = may_open_names ? add_rule(&names_rule) : 0;
  return rc == 0 ? seccomp_export_bpf(filter, fd) : rc;
}

int sandbox_restrict_calls(bool may_open_names) {
  int rc = may_open_names ? add_rule(&names_rule) : 0;
  if (rc == 0)
    rc = seccomp_load(filter);
  seccomp_release(filter);
  filter = NULL;
  if (rc == -EINVAL || rc == -ENOSYS) {
    log_warning("this kernel has no seccomp filters");
    return 0;
  }
  return rc < 0 ? rc : 1;
}
