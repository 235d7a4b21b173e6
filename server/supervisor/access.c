/* SPDX-License-Identifier: BSD-3-Clause */
/* The permissions of the socket's path keep most other users out, but what decides is the credentials of the
 * peer, which the kernel tells. */
#include "server/supervisor/access.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 65536 /* the kernel's NGROUPS_MAX */

static bool parse_id(const char *text, unsigned long *out) {
  char *end;
  errno = 0;
  *out = strtoul(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out < (unsigned)-1;
}

bool access_set_group(struct access_rule *rule, const char *group) {
  unsigned long number;
  const struct group *found = getgrnam(group);
  if (!found && !parse_id(group, &number))
    return false;
  rule->group = found ? found->gr_gid : (gid_t)number;
  rule->has_group = true;
  return true;
}

bool access_add_uid(struct access_rule *rule, const char *uid) {
  unsigned long number;
  if (rule->n_uids == ACCESS_UIDS_MAX || !parse_id(uid, &number))
    return false;
  rule->uids[rule->n_uids++] = (uid_t)number;
  return true;
}

/* Whether the peer had the group when it connected. */
static bool has_group(int client, const struct ucred *who, gid_t group) {
  static gid_t groups[GROUPS_MAX];
  socklen_t bytes = sizeof(groups);
  if (who->gid == group)
    return true;
  if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) < 0)
    return false;
  for (size_t i = 0; i < bytes / sizeof(gid_t); i++)
    if (groups[i] == group)
      return true;
  return false;
}

bool access_allows(const struct access_rule *rule, int client, const struct ucred *who, struct errtext *why) {
  if (rule->everybody || who->uid == geteuid())
    return true;
  for (size_t i = 0; i < rule->n_uids; i++)
    if (rule->uids[i] == who->uid)
      return true;
  if (rule->has_group && has_group(client, who, rule->group))
    return true;
  errtext_write(why,
                "this daemon serves user %u%s, not user %u: start your own, or have it started with "
                "--allow-uid=%u or --group=NAME",
                geteuid(), rule->has_group || rule->n_uids > 0 ? " and those it was told to" : "", who->uid,
                who->uid);
  return false;
}

mode_t access_socket_mode(const struct access_rule *rule) {
  if (rule->everybody || rule->n_uids > 0)
    return 0666;
  return rule->has_group ? 0660 : 0600;
}
