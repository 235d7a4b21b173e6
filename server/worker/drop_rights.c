/* SPDX-License-Identifier: BSD-3-Clause */
/* The order follows from what each step itself needs: the bounding set and the secure bits need CAP_SETPCAP,
 * groups and user need CAP_SETGID and CAP_SETUID, and the capabilities go last. A client may be root without
 * capabilities, in a container or a hardened service, so a worker for root gives them up like any other. */
#include "server/worker/drop_rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Root's number means nothing to execve, no capability becomes ambient, and both stay so. */
#define SECURE_BITS \
  (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

struct groups {
  gid_t *ids;
  size_t n;
};

/* The supplementary groups that the peer had when it connected; none where the kernel does not tell. */
static int read_peer_groups(int sock, struct groups *groups) {
  socklen_t bytes = 0;
  memset(groups, 0, sizeof(*groups));
  if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || errno != ERANGE || bytes == 0)
    return 0;
  if (!(groups->ids = malloc(bytes)))
    return -ENOMEM;
  if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups->ids, &bytes) == 0)
    groups->n = bytes / sizeof(gid_t);
  return 0;
}

static bool contains(const struct groups *groups, gid_t gid) {
  for (size_t i = 0; i < groups->n; i++)
    if (groups->ids[i] == gid)
      return true;
  return false;
}

/* Whether this process has no group that the peer does not have. */
static bool has_no_more_groups(const struct groups *peers, gid_t peers_gid) {
  gid_t own[4];
  if (getresgid(&own[0], &own[1], &own[2]) < 0)
    return false;
  for (int i = 0; i < 3; i++)
    if (own[i] != peers_gid && !contains(peers, own[i]))
      return false;
  int n = getgroups(0, NULL);
  if (n <= 0)
    return n == 0;
  gid_t *others = malloc((size_t)n * sizeof(gid_t));
  if (!others)
    return false;
  n = getgroups(n, others);
  bool none = n >= 0;
  for (int i = 0; i < n && none; i++)
    none = others[i] == peers_gid || contains(peers, others[i]);
  free(others);
  return none;
}

/* Takes the peer's groups and no others. A process that may not change its groups keeps them: 1 if the peer
 * lacks one of them, else 0; -errno. */
static int take_groups(int sock, gid_t gid) {
  struct groups groups;
  int rc = read_peer_groups(sock, &groups);
  if (rc == 0 && (setgroups(groups.n, groups.ids) < 0 || setresgid(gid, gid, gid) < 0))
    rc = errno != EPERM ? -errno : !has_no_more_groups(&groups, gid);
  free(groups.ids);
  return rc;
}

/* Takes away what capabilities could come back from. Without CAP_SETPCAP, as in a service whose own bounding
 * set is short, the kernel refuses both, and no_new_privs alone keeps execve from giving any. */
static void close_the_ways_back(void) {
  for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  prctl(PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0);
}

static bool has_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) < 0)
    return true;
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
    if (data[i].effective || data[i].permitted || data[i].inheritable)
      return true;
  return false;
}

/* The ambient set empties itself with the other two. */
static int drop_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  syscall(SYS_capset, &header, none); /* may be refused to a process that has none */
  return has_capabilities() ? -EPERM : 0;
}

static int verify_user(uid_t uid) {
  uid_t ru, eu, su;
  if (getresuid(&ru, &eu, &su) < 0)
    return -errno;
  if (ru != uid || eu != uid || su != uid)
    return -EPERM;
  return uid != 0 && setuid(0) == 0 ? -EPERM : 0;
}

int drop_rights_staying(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -errno;
  close_the_ways_back();
  return drop_capabilities();
}

int drop_rights_to_peer(int sock, uid_t uid, gid_t gid) {
  bool root = geteuid() == 0;
  int groups = 0, rc = 0;
  if (!root && uid != geteuid())
    return -EPERM;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -errno;
  close_the_ways_back();
  if ((groups = take_groups(sock, gid)) < 0)
    return groups;
  /* To another user one does not go with groups of one's own. */
  if (groups == 1 && uid != geteuid())
    return -EPERM;
  if (setresuid(uid, uid, uid) < 0)
    return -errno;
  if ((rc = drop_capabilities()) < 0)
    return rc;
  /* The kernel does this itself only where the user changes and fs.suid_dumpable is 0. Else another process
   * of the user, which may be root without capabilities, could attach a debugger to this one and reach the
   * supervisor through its control socket. */
  if (root && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return -errno;
  rc = verify_user(uid);
  return rc < 0 ? rc : groups;
}
