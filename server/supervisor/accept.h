/* SPDX-License-Identifier: BSD-3-Clause */
/* Accepting connections, handing them to workers, and telling those that are not served why. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCEPT_H
#define NUMD_SERVER_SUPERVISOR_ACCEPT_H

#include <uv.h>

#include "server/supervisor/access.h"
#include "server/supervisor/workers.h"

struct accept {
  int listen_fd;
  struct workers *workers;
  const struct access_rule *access;
  int sessions_max;
  uv_poll_t poll;
  uv_timer_t timer; /* runs while accepting rests because no descriptor is left */
  int reserve_fd;   /* closed to make room for one client, to be refused, when no descriptor is left; or -1 */
  void (*on_session)(void *data); /* a session has begun */
  void *data;
};

/* Begins to accept. All members but the handles and the reserve are set before. 0 or -errno. */
int accept_start(struct accept *accept);
/* Accepts the connections that wait; how many, served or refused. */
int accept_waiting(struct accept *accept);
/* Leaves connections waiting; accept_resume takes them. */
void accept_pause(struct accept *accept);
void accept_resume(struct accept *accept);
/* Accepts no more. Idempotent. */
void accept_stop(struct accept *accept);
void accept_deinit(struct accept *accept);

#endif
