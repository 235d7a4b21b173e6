/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's listening socket: made at a path that only one daemon at a time may have, or inherited. */
#ifndef NUMD_SERVER_SUPERVISOR_LISTEN_H
#define NUMD_SERVER_SUPERVISOR_LISTEN_H

#include <stdbool.h>

#include "server/supervisor/access.h"
#include "shared/address.h"
#include "shared/errtext.h"

struct listener {
  char path[ADDRESS_BYTES];
  char lock_path[ADDRESS_BYTES + 8];
  int fd;
  int lock_fd;    /* the lock of the path; -1 if the socket was inherited */
  bool inherited; /* from a service manager, to whom the path belongs */
};

/* How many descriptors from 3 on the service manager passed to this process ($LISTEN_FDS). */
int listen_inherited(void);

/* Takes descriptor 3 from the service manager if there is one. Else listens at `path`: takes the lock beside
 * it, removes a socket that a dead daemon left, and binds with the permissions that `access` needs.
 * -EADDRINUSE: a daemon is alive there; other -errno; all with a sentence. */
int listener_open(struct listener *listener, const char *path, const struct access_rule *access,
                  struct errtext *err);

/* Takes descriptors 3 and 4 from the daemon before us (upgrade.h): its socket, and its lock, or /dev/null if
 * its socket was inherited. */
int listener_take_over(struct listener *listener, const char *path, struct errtext *err);
#define TAKE_OVER_CONTROL 5 /* the descriptor that comes with them: a socket to that daemon */

/* Leaves path and lock to the daemon that has taken over. */
void listener_abandon(struct listener *listener);

/* Removes the path and gives the lock back. Clients that have connected already can still be accepted.
 * Idempotent. */
void listener_release(struct listener *listener);
void listener_close(struct listener *listener);

#endif
