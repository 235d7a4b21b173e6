/* Accepting connections, and telling those that are not served why. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCEPT_H
#define NUMD_SERVER_SUPERVISOR_ACCEPT_H

#include "server/supervisor/supervisor.h"

/* The handles and the reserve; after the listener. 0 or -errno. */
int admit_init(struct supervisor *s);
void admit_deinit(struct supervisor *s);
/* Accepts who waits; how many were accepted. */
int admit_some(struct supervisor *s);
/* Accepts no more. Idempotent. */
void admit_stop(struct supervisor *s);

#endif
