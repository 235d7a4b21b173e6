/* SPDX-License-Identifier: BSD-3-Clause */
/* What both processes of the daemon ask of the machine. */
#ifndef NUMD_SERVER_HOST_MACHINE_H
#define NUMD_SERVER_HOST_MACHINE_H

#include <stdint.h>

/* Bytes of memory and swap; 2^40 if the kernel does not tell. */
uint64_t machine_memory_bytes(void);

/* Lets this process have as many descriptors as the system allows. */
void machine_raise_fd_limit(void);

#endif
