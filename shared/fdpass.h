/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes and descriptors over a Unix stream or seqpacket socket. */
#ifndef NUMD_SHARED_FDPASS_H
#define NUMD_SHARED_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

#define FDPASS_MAX 8 /* descriptors taken from one message; more are closed and counted as truncated */

/* Sends up to len bytes, with n_fds descriptors beside the first of them (the caller keeps its copies).
 * Bytes sent, or -errno (-EAGAIN on a full non-blocking socket; nothing is sent then). Never SIGPIPE. */
ssize_t fdpass_send(int sock, const void *data, size_t len, const int fds[], int n_fds);

/* Receives up to len bytes and up to FDPASS_MAX descriptors (close-on-exec), which become the caller's.
 * Bytes received, 0 at end of file, or -errno. *truncated is set if descriptors were lost. */
ssize_t fdpass_recv(int sock, void *data, size_t len, int fds[FDPASS_MAX], int *n_fds, int *truncated);

#endif
