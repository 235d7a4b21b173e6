/* SPDX-License-Identifier: BSD-3-Clause */
/* Landlock: a worker can open shared-memory objects by name, and no other file. Descriptors that it has
 * already, and those that its client sends, are not restricted.
 *
 * The numbers are the kernel's ABI. They are written out because the kernel that runs numd may know more of
 * them than the headers with which it was built. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/host/log.h"
#include "server/worker/sandbox.h"

#define OBJECTS "/dev/shm"

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)

struct ruleset {
  uint64_t fs;
  uint64_t net;    /* since version 4 */
  uint64_t scoped; /* since version 6 */
};

struct path_rule {
  uint64_t allowed;
  int32_t parent_fd;
} __attribute__((packed));

/* Forbids everything that a version of Landlock can; gives how many bytes of the struct it knows. */
static size_t forbid_all(int version, struct ruleset *r) {
  int fs_bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
  *r = (struct ruleset){.fs = (UINT64_C(1) << fs_bits) - 1, .net = 3, .scoped = 3};
  return version >= 6   ? sizeof(*r)
         : version >= 4 ? offsetof(struct ruleset, scoped)
                        : offsetof(struct ruleset, net);
}

static int allow_objects(int ruleset) {
  struct path_rule rule = {.allowed = FS_READ_FILE | FS_WRITE_FILE,
                           .parent_fd = open(OBJECTS, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (rule.parent_fd < 0)
    return errno == ENOENT ? 0 : -errno;
  int rc = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
  close(rule.parent_fd);
  return rc;
}

int sandbox_restrict_files(bool may_open_names) {
  struct ruleset forbidden;
  int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
  if (version < 1) {
    log_debug("this kernel has no Landlock");
    return 0;
  }
  size_t known = forbid_all(version, &forbidden);
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &forbidden, known, 0);
  if (ruleset < 0)
    return -errno;
  int rc = may_open_names ? allow_objects(ruleset) : 0;
  if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
    rc = -errno;
  close(ruleset);
  return rc < 0 ? rc : 1;
}
