/* The daemon's listening socket: made at a path that only one daemon may hold, or inherited. */
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
  int lock_fd;    /* holds the path; -1 if the socket was inherited */
  bool inherited; /* by LISTEN_FDS: its path is not ours to remove */
};

/* How many descriptors from 3 on the service manager passed to this process ($LISTEN_FDS). */
int listen_inherited(void);

/* Takes descriptor 3 from the service manager if there is one, else listens at `path`: takes the lock
 * beside it, removes a socket that a dead daemon left, and binds with the permissions that `access` takes.
 * -EADDRINUSE: a daemon is alive there; other -errno; with a sentence. */
int listener_open(struct listener *listener, const char *path, const struct access_rule *access,
                  struct errtext *err);

/* Takes descriptors 3 and 4 from the daemon before us (upgrade.h): its socket, and its lock, or /dev/null if
 * its socket was inherited. */
int listener_take_over(struct listener *listener, const char *path, struct errtext *err);
#define TAKE_OVER_CONTROL 5 /* what goes with them */

/* Leaves path and lock to the one that has taken over. */
void listener_abandon(struct listener *listener);

/* Removes the path and gives the lock back, but goes on accepting who connected already. Idempotent. */
void listener_release(struct listener *listener);
void listener_close(struct listener *listener);

#endif
