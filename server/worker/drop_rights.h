/* SPDX-License-Identifier: BSD-3-Clause */
/* Becoming the client's user, so that the kernel itself decides what may be opened. */
#ifndef NUMD_SERVER_WORKER_DROP_RIGHTS_H
#define NUMD_SERVER_WORKER_DROP_RIGHTS_H

#include <sys/types.h>

/* Makes this process, which runs as root, one of the user at the other end of `sock`, with the groups of the
 * process there, for good. Does nothing if it runs as that user already; -EPERM if it runs as yet another
 * user. In any case no program run from here can gain rights any more. 0 or -errno; after an error nothing
 * may be served. */
int drop_rights_to_peer(int sock, uid_t uid, gid_t gid);
/* Stays who it is, but no program run from here can gain rights any more. 0 or -errno. */
int drop_rights_staying(void);

#endif
