/* SPDX-License-Identifier: BSD-3-Clause */
/* seccomp: the system calls that serving a session takes, and no others.
 *
 * A call that is not listed fails with ENOSYS, so that libraries do without it as on an older kernel. clone3
 * is one of these: its flags lie in memory, which a filter cannot read. A call that only an intruder would
 * make ends the process; the kernel logs its number (audit, type 1326), and with --log-level=debug the
 * numbers of calls that failed, too. Most calls are allowed whatever their arguments are, and so cost nothing
 * more: the kernel keeps a bitmap of them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "server/host/log.h"
#include "server/worker/sandbox.h"

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
    /* memory */
    CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(membarrier), CALL(memfd_create),
    CALL(ftruncate), CALL(mbind),
    /* threads; clone below */
    CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield), CALL(sched_getaffinity), CALL(gettid),
    CALL(tgkill), CALL(exit), CALL(exit_group),
    /* signals: SIGBUS is handled */
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall),
    /* time */
    CALL(clock_gettime), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(alarm),
    /* the loop */
    CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(poll), CALL(ppoll),
    CALL(eventfd2), CALL(pipe2), CALL(read), CALL(write), CALL(writev), CALL(close), CALL(fcntl), CALL(dup),
    /* what clients send and get */
    CALL(sendmsg), CALL(recvmsg), CALL(sendto), CALL(recvfrom), CALL(shutdown), CALL(getsockopt), CALL(fstat),
    CALL(newfstatat), CALL(statx), CALL(fstatfs), CALL(pread64), CALL(lseek),
    /* who and where we are */
    CALL(getpid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(sysinfo),
    CALL(uname), CALL(getrandom), CALL(getcpu), CALL(getrusage)};

/* Calls that end the process: for other programs, processes, connections or identities, or against the
 * machine. */
static const int fatal[] = {CALL(execve),       CALL(execveat),
                            CALL(fork),         CALL(vfork),
                            CALL(ptrace),       CALL(process_vm_readv),
                            CALL(kcmp),         CALL(process_vm_writev),
                            CALL(pidfd_getfd),  CALL(pidfd_open),
                            CALL(connect),      CALL(bind),
                            CALL(listen),       CALL(accept),
                            CALL(accept4),      CALL(setuid),
                            CALL(setgid),       CALL(setreuid),
                            CALL(setregid),     CALL(setresuid),
                            CALL(setresgid),    CALL(setgroups),
                            CALL(setfsuid),     CALL(setfsgid),
                            CALL(capset),       CALL(chroot),
                            CALL(pivot_root),   CALL(mount),
                            CALL(umount2),      CALL(unshare),
                            CALL(setns),        CALL(bpf),
                            CALL(keyctl),       CALL(perf_event_open),
                            CALL(userfaultfd),  CALL(init_module),
                            CALL(finit_module), CALL(open_by_handle_at),
                            CALL(kexec_load),   CALL(reboot),
                            CALL(unlink),       CALL(unlinkat),
                            CALL(rename),       CALL(symlinkat),
                            CALL(linkat),       CALL(mknodat),
                            CALL(fchmod),       CALL(fchmodat),
                            CALL(fchown),       CALL(fchownat),
                            CALL(personality),  CALL(kill)};

static scmp_filter_ctx filter;

/* Calls that are allowed only if the bits of `mask` in argument `arg` are `value`. */
static const struct {
  int call;
  unsigned arg;
  scmp_datum_t mask, value;
} conditions[] = {
    {CALL(mmap), 2, PROT_EXEC, 0},
    {CALL(mprotect), 2, PROT_EXEC, 0},
    {CALL(clone), 0, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD},
    {CALL(socketpair), 0, UINT32_MAX, AF_UNIX},
    {CALL(ioctl), 1, UINT32_MAX, FIONBIO},
    {CALL(prctl), 0, UINT32_MAX, PR_SET_NAME},
    {CALL(prctl), 0, UINT32_MAX, 0x53564d41},    /* PR_SET_VMA: malloc names its memory */
    {CALL(sched_setaffinity), 0, UINT32_MAX, 0}, /* of the calling thread */
    {CALL(prlimit64), 0, UINT32_MAX, 0},         /* of the process itself */
};

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

static int add_conditions(void) {
  int rc = 0;
  for (size_t i = 0; i < LENGTH(conditions) && rc == 0; i++) {
    const struct scmp_arg_cmp same = {conditions[i].arg, SCMP_CMP_MASKED_EQ, conditions[i].mask,
                                      conditions[i].value};
    rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, conditions[i].call, 1, same);
  }
  return rc;
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
    rc = add_conditions();
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, log_level() == LOG_LEVEL_DEBUG);
  /* Older kernels protect a filtered process against speculation past stores, which slows it down. That would
   * only keep the worker's memory secret from its own client, whose memory it is. */
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
  return rc;
}

int sandbox_restrict_calls(bool may_open_names) {
  int rc = may_open_names ? seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0) : 0;
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
