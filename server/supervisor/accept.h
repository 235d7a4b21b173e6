/* SPDX-License-Identifier: BSD-3-Clause */
/* Accepting connections, handing them to workers in turn, and telling those that are not served why. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCEPT_H
#define NUMD_SERVER_SUPERVISOR_ACCEPT_H

#include <uv.h>

#include "server/supervisor/access.h"
#include "server/supervisor/line.h"
#include "server/supervisor/workers.h"

struct accept {
  int listen_fd;
  struct workers *workers;
  const struct access_rule *access;
  int sessions_max;
  struct line line; /* accepted, waiting for a worker; its rate is set before */
  uv_poll_t poll;
  uv_timer_t line_timer; /* runs while there is somebody in the line */
  uv_timer_t timer;      /* runs while accepting rests because no descriptor is left */
  int reserve_fd; /* closed to make room for one client, to be refused, when no descriptor is left; or -1 */
  void (*on_session)(void *data);    /* a session has begun */
  void (*on_line_empty)(void *data); /* who waited is served or gone */
  void *data;
};

/* Begins to accept. All members but the handles and the reserve are set before, of the line only the rate. 0
 * or -errno. */
int accept_start(struct accept *accept);
/* Accepts the connections that wait; how many, whatever becomes of them. */
int accept_waiting(struct accept *accept);
/* Serves those in the line for whom there is a worker. To be called when a worker has become free or ready.
 */
void accept_serve(struct accept *accept);
/* Leaves connections waiting; accept_resume takes them. */
void accept_pause(struct accept *accept);
void accept_resume(struct accept *accept);
/* Accepts no more; who is in the line is served. Idempotent. */
void accept_stop(struct accept *accept);
/* Sends away who is in the line. */
void accept_dismiss(struct accept *accept);
void accept_deinit(struct accept *accept);

#endif
