/* SPDX-License-Identifier: BSD-3-Clause */
/* The filter of system calls comes last, since it forbids the calls that set the other restrictions. */
#include "server/worker/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "protocol/request.h"
#include "server/host/log.h"

#define OTHER_FDS 256 /* what a session has open beside segments and channels, generously */

static int limit(int resource, rlim_t most) {
  struct rlimit r;
  if (getrlimit(resource, &r) < 0)
    return -errno;
  r.rlim_cur = r.rlim_max = r.rlim_max < most ? r.rlim_max : most;
  return setrlimit(resource, &r) < 0 ? -errno : 0;
}

/* RLIMIT_CPU is not among these: it would count all calls of a session together. The limit of one call is
 * deadline.h's. */
static int set_limits(const struct sandbox_options *o) {
  rlim_t fds = MAX_SEGMENTS + 2 * MAX_CHANNELS + OTHER_FDS;
  int rc = limit(RLIMIT_CORE, 0);
  if (rc == 0)
    rc = limit(RLIMIT_NOFILE, fds);
  if (rc == 0)
    rc = limit(RLIMIT_MEMLOCK, 0);
  if (rc == 0)
    rc = limit(RLIMIT_MSGQUEUE, 0);
  if (rc == 0)
    rc = limit(RLIMIT_DATA, o->memory_bytes);
  return rc;
}

int sandbox_enter(const struct sandbox_options *options, uint32_t *held) {
  int rc;
  if (!SANDBOX_POSSIBLE)
    return 0;
  if ((rc = set_limits(options)) < 0) {
    log_error("resource limits: %s", strerror(-rc));
    return rc;
  }
  *held |= SANDBOX_LIMITS;
  if ((rc = sandbox_restrict_files(options->may_open_names)) < 0) {
    log_error("Landlock: %s", strerror(-rc));
    return rc;
  }
  *held |= rc ? SANDBOX_LANDLOCK : 0;
  if ((rc = sandbox_restrict_calls(options->may_open_names)) < 0) {
    log_error("seccomp: %s", strerror(-rc));
    return rc;
  }
  *held |= rc ? SANDBOX_SECCOMP : 0;
  return 0;
}
