/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding and starting the daemon. */
#ifndef NUMD_CLIENT_LIB_DAEMON_START_H
#define NUMD_CLIENT_LIB_DAEMON_START_H

#include <stddef.h>

/* The program to run: `asked`, $NUMD_DAEMON, beside the library, or on PATH. 0 or -errno. */
int daemon_find(const char *asked, char *out, size_t len);
/* Starts it to listen at `address` until its last client leaves. It may not listen yet on return. 0 or
 * -errno. */
int daemon_start(const char *program, const char *address);

#endif
