/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a daemon listens, and a client looks for it, when neither is told a path. */
#ifndef NUMD_SHARED_ADDRESS_H
#define NUMD_SHARED_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* The longest path of a Unix socket, with its terminating zero. */
#define ADDRESS_BYTES 108

/* Writes the default path: $NUMD_SOCKET; else for root /run/numd/numd.sock; else
 * $XDG_RUNTIME_DIR/numd.sock; else /run/user/UID/numd.sock if that directory is the caller's; else
 * /tmp/numd-UID/numd.sock. If another user has taken the last directory's name, it is the caller's
 * /tmp/numd-UID-XXXXXX, which is made if there is none; nothing else is created. The environment of a program
 * with more rights than its user (setuid) is not looked at. 0, or -ENAMETOOLONG. */
int address_default(char *buf, size_t len);

/* Makes the directory of `path` if it is one of the default ones (/run/numd or
 * /tmp/numd-UID) and missing, and checks that it belongs to the caller and that no other user may write
 * there. Directories of other paths are left as they are.
 * 0; -EPERM if another user owns the directory or may write there; other -errno. Daemon side. */
int address_make_directory(const char *path);

/* Opens the directory of `path` as a place (O_PATH), and tells whether no other user can put something else
 * at a name that is the caller's there. The descriptor, or -errno. */
int address_open_directory(const char *path, bool *ours_alone);

/* Whether the directory of `path` may be trusted by a client: one under /tmp must belong to the
 * caller or root. 0 or -EPERM; 0 also if it does not exist. */
int address_check_directory(const char *path);

#endif
