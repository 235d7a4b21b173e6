/* SPDX-License-Identifier: BSD-3-Clause */
/* Survives segments that shrink while they are in use. A thread that reads a mapped segment beyond the end of
 * its object, because the client truncated that or the file system is full, gets SIGBUS. The handler maps
 * zero pages over the rest of the segment and marks it lost. The call goes on with zeros and fails at its
 * end; the process lives.
 *
 * Any other SIGBUS has its default effect. */
#ifndef NUMD_SERVER_WORKER_SIGBUS_H
#define NUMD_SERVER_WORKER_SIGBUS_H

#include <stdatomic.h>
#include <stddef.h>

/* Installs the handler for the process. -errno. */
int sigbus_install(void);

/* Watches [data, data + bytes), mapped in pages of `page` bytes; *lost becomes 1 if any of it is lost.
 * Gives an index for sigbus_unwatch, which must be called before unmapping, or -ENOSPC. Main thread only. */
int sigbus_watch(void *data, size_t bytes, size_t page, atomic_int *lost);
void sigbus_unwatch(int index);

#endif
