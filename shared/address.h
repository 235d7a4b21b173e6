/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a daemon listens, and a client looks for it, when neither is told a path. */
#ifndef NUMD_SHARED_ADDRESS_H
#define NUMD_SHARED_ADDRESS_H

#include <stddef.h>

/* The longest path of a Unix socket, with its terminating zero. */
#define ADDRESS_BYTES 108

/* Writes the default path: $NUMD_SOCKET; else for root /run/numd/numd.sock; else
 * $XDG_RUNTIME_DIR/numd.sock; else /tmp/numd-UID/numd.sock. Nothing is created or looked at.
 * 0, or -ENAMETOOLONG. */
int address_default(char *buf, size_t len);

/* Makes the directory of `path` if it is one of the default ones (/run/numd or
 * /tmp/numd-UID) and missing, and checks that it belongs to the caller and that no other user may write
 * there. Directories of other paths are left as they are.
 * 0; -EPERM if another user owns the directory or may write there; other -errno. Daemon side. */
int address_make_directory(const char *path);

/* Whether the directory of `path` may be trusted by a client: one under /tmp must belong to the
 * caller or root. 0 or -EPERM; 0 also if it does not exist. */
int address_check_directory(const char *path);

#endif
