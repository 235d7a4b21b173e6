/* SPDX-License-Identifier: BSD-3-Clause */
/* Becoming the client's user, so that the kernel itself decides what may be opened. */
#ifndef NUMD_SERVER_WORKER_DROP_RIGHTS_H
#define NUMD_SERVER_WORKER_DROP_RIGHTS_H

#include <sys/types.h>

/* Makes this process, which runs as root or as that user already, one of the user at the other end of `sock`,
 * with the groups of the process there and no capability, for good. -EPERM if it runs as yet another user.
 * 1: a process that may not change its groups keeps one that the peer does not have, so that what the kernel
 * lets it open by name the peer could perhaps not. 0; or -errno, after which nothing may be served. */
int drop_rights_to_peer(int sock, uid_t uid, gid_t gid);
/* Stays who it is, but gives up all capabilities. 0 or -errno.
 *
 * After both no program run from here can gain rights any more. */
int drop_rights_staying(void);

#endif
