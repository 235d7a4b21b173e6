/* SPDX-License-Identifier: BSD-3-Clause */
/* The rights that a worker gives up, for good, before it reads a byte from its client: so that a client that
 * exploits a fault in the worker gains nothing against other users or the machine.
 *
 * Which of the restrictions below hold depends on the kernel; `numdctl status` tells it for each session. */
#ifndef NUMD_SERVER_WORKER_SANDBOX_H
#define NUMD_SERVER_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* X(bit, NAME, name, what it is) */
#define SANDBOX_LIST(X)                                                                \
  X(0, IDENTITY, "identity", "runs as the client's user, with its groups")             \
  X(1, NO_NEW_PRIVS, "no_new_privs", "has no capability, and no program gives it one") \
  X(2, LIMITS, "limits", "bounded private memory and descriptors, no core files")      \
  X(3, UNTRACED, "untraced", "the user's other processes cannot look into it")         \
  X(4, LANDLOCK, "landlock", "of all files only those in /dev/shm can be opened")      \
  X(5, SECCOMP, "seccomp", "only the system calls that serving takes; an intruder's kill it")

enum sandbox_bit {
#define X(bit, NAME, name, what) SANDBOX_##NAME = 1u << (bit),
  SANDBOX_LIST(X)
#undef X
};

/* Sanitizers open files, start programs and reserve terabytes, so under them only the first two can hold. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_POSSIBLE 0
#else
#define SANDBOX_POSSIBLE 1
#endif

struct sandbox_options {
  bool may_open_names;   /* shared-memory objects by name: only where the worker is the client's user */
  uint64_t memory_bytes; /* private memory: plans, scratch, stacks */
};

/* Builds the filter of system calls, which takes time; done by a spare in advance. 0 or -errno. */
int sandbox_prepare(void);
/* Enters the sandbox. The calling thread must be the only one of the process, and no_new_privs set
 * (drop_rights.h). The bits of the restrictions that hold now are set in *held; one that this kernel does not
 * have is logged and left out. -errno: one that it has could not be set, and nothing may be served. */
int sandbox_enter(const struct sandbox_options *options, uint32_t *held);

/* The restrictions that have files of their own, Landlock and seccomp. 1: it holds; 0: the kernel does not
 * have it; -errno. */
int sandbox_restrict_files(bool may_open_names);
int sandbox_restrict_calls(bool may_open_names);
/* Writes the filter that sandbox_prepare has built to a file, as the kernel would get it, for those who want
 * to check it. 0 or -errno. */
int sandbox_write_filter(bool may_open_names, int fd);

#endif
