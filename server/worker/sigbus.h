/* Survives segments that vanish under us: SIGBUS in a mapped segment, because its owner truncated the
 * object or the file system is full, puts zero pages in place of the rest of it and marks it lost. The
 * call that was running goes on with zeros and fails at its end; the process lives.
 *
 * Any other SIGBUS has its default effect. */
#ifndef NUMD_SERVER_WORKER_SIGBUS_H
#define NUMD_SERVER_WORKER_SIGBUS_H

#include <stdatomic.h>
#include <stddef.h>

/* Installs the handler for the process. -errno. */
int sigbus_install(void);

/* Watches [data, data + bytes), mapped in pages of `page` bytes; *lost becomes 1 if any of it goes.
 * An index to be given to sigbus_unwatch before unmapping, or -ENOSPC. Main thread only. */
int sigbus_watch(void *data, size_t bytes, size_t page, atomic_int *lost);
void sigbus_unwatch(int index);

#endif
