/* Upgrade in place: by SIGUSR2 the daemon starts the program that is installed now, with its own options, and
 * hands it the listening socket, the lock of its path, and what its broker keeps. When that one says that it
 * is ready, the old daemon accepts no more and ends with its last session. If it does not get so far, nothing
 * has changed. */
#ifndef NUMD_SERVER_SUPERVISOR_UPGRADE_H
#define NUMD_SERVER_SUPERVISOR_UPGRADE_H

#include "server/supervisor/supervisor.h"

/* The old daemon's side: starts a successor, unless one is starting. */
void upgrade_begin(struct supervisor *s);
void upgrade_stop(struct supervisor *s);

/* The successor's side, for --take-over: says that it is ready, and receives the rest. */
void upgrade_take_over(struct supervisor *s);

#endif
