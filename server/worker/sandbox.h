/* What a worker gives up before it reads a byte from its client, for good: so that a fault in the code that
 * serves one client is worth nothing to it against others or against the machine.
 *
 * Which of these hold depends on the kernel; each session tells (`numdctl status`). */
#ifndef NUMD_SERVER_WORKER_SANDBOX_H
#define NUMD_SERVER_WORKER_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* X(bit, NAME, name, what it is) */
#define SANDBOX_LIST(X)                                                           \
  X(0, IDENTITY, "identity", "runs as the client's user, with its groups")        \
  X(1, NO_NEW_PRIVS, "no_new_privs", "no program that it could run gains rights") \
  X(2, LIMITS, "limits", "bounded private memory and descriptors, no core files") \
  X(3, UNTRACED, "untraced", "the user's other processes cannot look into it")    \
  X(4, LANDLOCK, "landlock", "of all files only those in /dev/shm can be opened") \
  X(5, SECCOMP, "seccomp", "only the system calls that serving takes; an intruder's kill it")

enum sandbox_bit {
#define X(bit, NAME, name, what) SANDBOX_##NAME = 1u << (bit),
  SANDBOX_LIST(X)
#undef X
};

/* Sanitizers open files, start programs and reserve terabytes: there only the first two can hold. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_POSSIBLE 0
#else
#define SANDBOX_POSSIBLE 1
#endif

struct sandbox_options {
  bool may_open_names;   /* shared-memory objects by name: only where the worker is the client's user */
  uint64_t memory_bytes; /* private memory: plans, scratch, stacks */
};

/* What takes time is done in advance, by a spare. 0 or -errno. */
int sandbox_prepare(void);
/* Enters it. The calling thread must be the only one, and no_new_privs set (drop_rights.h). *held gets bits
 * of what was achieved; what this kernel does not have is logged and left out. -errno: something that it has
 * failed, and nothing may be served. */
int sandbox_enter(const struct sandbox_options *options, uint32_t *held);

/* The two parts that have files of their own. 1: holds; 0: the kernel does not have it; -errno. */
int sandbox_restrict_files(bool may_open_names);
int sandbox_restrict_calls(bool may_open_names);

#endif
