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
  uv_timer_t timer; /* accepting rests after descriptors ran out */
  int reserve_fd;   /* given up to refuse a connection politely when descriptors ran out; or -1 */
  void (*on_session)(void *data); /* a session has begun */
  void *data;
};

/* Begins to accept; all members but the handles and the reserve are set. 0 or -errno. */
int accept_start(struct accept *accept);
/* Accepts who waits; how many were accepted, served or not. */
int accept_waiting(struct accept *accept);
/* Accepts no more. Idempotent. */
void accept_stop(struct accept *accept);
void accept_deinit(struct accept *accept);

#endif
