/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory without a name. */
#ifndef NUMD_SHARED_MEMFD_H
#define NUMD_SHARED_MEMFD_H

#include <stddef.h>

/* Makes an object of that size, all zeros, whose size nobody can change any more. Its descriptor
 * (close-on-exec) or -errno. The name is for /proc alone. */
int memfd_sealed(const char *name, size_t bytes);

#endif
