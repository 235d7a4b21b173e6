/* SPDX-License-Identifier: BSD-3-Clause */
/* How many cores this process may use. */
#ifndef NUMD_SHARED_AVAILABLE_CORES_H
#define NUMD_SHARED_AVAILABLE_CORES_H

/* The cores of its affinity mask, or fewer if the CPU quota of a control group (version 1 or 2) that it is in
 * allows fewer; at least 1. */
int available_cores(void);

#endif
