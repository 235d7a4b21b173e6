/* Who may connect. The daemon's own user always may, and for a daemon that root runs as a service so may
 * everybody, unless users or a group are named: then these. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCESS_H
#define NUMD_SERVER_SUPERVISOR_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "shared/errtext.h"

#define ACCESS_UIDS_MAX 64

struct access_rule {
  bool everybody;
  bool has_group;
  gid_t group;
  size_t n_uids;
  uid_t uids[ACCESS_UIDS_MAX];
};

/* A group by name or number; a user's number. False: there is none such, or too many. */
bool access_set_group(struct access_rule *rule, const char *group);
bool access_add_uid(struct access_rule *rule, const char *uid);

/* Whether the process at the other end may be served; if not, a sentence for it. */
bool access_allows(const struct access_rule *rule, int client, const struct ucred *who, struct errtext *why);
/* Gives the socket at a path the permissions that the rule takes. 0 or -errno. */
int access_open_path(const struct access_rule *rule, const char *path);

#endif
