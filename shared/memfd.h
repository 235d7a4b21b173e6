/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory without a name. */
#ifndef NUMD_SHARED_MEMFD_H
#define NUMD_SHARED_MEMFD_H

#include <stddef.h>
#include <sys/stat.h>

/* Makes an object of that size, all zeros, whose size nobody can change any more. Its descriptor
 * (close-on-exec) or -errno. The name is for /proc alone. */
int memfd_sealed(const char *name, size_t bytes);

/* The seals of a descriptor of shared memory, 0 or more; -errno if it is anything else: no file system is
 * asked, so a file whose file system lets its users wait (FUSE) cannot hold the caller up. */
int memfd_seals(int fd);

/* fstat by its own system call. That of some C libraries is newfstatat, which takes a path, too, so that a
 * sandbox cannot allow it. 0 or -errno. */
int memfd_stat(int fd, struct stat *st);

#endif
