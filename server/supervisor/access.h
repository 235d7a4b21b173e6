/* SPDX-License-Identifier: BSD-3-Clause */
/* Which users may connect. The daemon's own user always may, and so may those that --allow-uid and --group
 * name. If root runs the daemon as a service and names nobody, everybody may. */
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

/* Adds a group, by name or number; a user, by number. False: there is no such group, the number is none, or
 * there are ACCESS_UIDS_MAX users already. */
bool access_set_group(struct access_rule *rule, const char *group);
bool access_add_uid(struct access_rule *rule, const char *uid);

/* Whether the process at the other end of `client` may be served; if not, a sentence that tells it why. */
bool access_allows(const struct access_rule *rule, int client, const struct ucred *who, struct errtext *why);
/* The permissions of the socket's path that let those who may connect do so. With 0660 the socket has to
 * belong to the group. */
mode_t access_socket_mode(const struct access_rule *rule);

#endif
