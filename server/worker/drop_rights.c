/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/worker/drop_rights.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The supplementary groups that the peer had when it connected; none where the kernel does not tell. */
static int take_groups(int sock) {
  socklen_t bytes = 0;
  gid_t *groups = NULL;
  int rc = 0;
  if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) < 0 && errno != ERANGE)
    bytes = 0;
  if (bytes > 0 && !(groups = malloc(bytes)))
    return -ENOMEM;
  if (bytes > 0 && getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
    bytes = 0;
  if (setgroups(bytes / sizeof(gid_t), groups) < 0)
    rc = -errno;
  free(groups);
  return rc;
}

static int verify(uid_t uid, gid_t gid) {
  uid_t ru, eu, su;
  gid_t rg, eg, sg;
  if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0)
    return -errno;
  if (ru != uid || eu != uid || su != uid || rg != gid || eg != gid || sg != gid)
    return -EPERM;
  return setuid(0) == 0 ? -EPERM : 0;
}

int drop_rights_staying(void) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int drop_rights_to_peer(int sock, uid_t uid, gid_t gid) {
  int rc = drop_rights_staying();
  if (rc < 0 || uid == geteuid())
    return rc;
  if (geteuid() != 0)
    return -EPERM;
  rc = take_groups(sock);
  if (rc == 0 && (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0))
    rc = -errno;
  /* The kernel does this itself only where fs.suid_dumpable is 0. Else the user could attach a debugger to
   * this process and reach the supervisor through its control socket. */
  if (rc == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    rc = -errno;
  return rc == 0 ? verify(uid, gid) : rc;
}
