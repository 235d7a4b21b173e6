/* SPDX-License-Identifier: BSD-3-Clause */
/* How large arrays and programs may be. Client and daemon count on the same numbers, so these change with the
 * protocol's version only. */
#ifndef NUMD_PROTOCOL_LIMITS_H
#define NUMD_PROTOCOL_LIMITS_H

#define NUMD_MAX_DIMS 16     /* dimensions of an array */
#define NUMD_MAX_BINDINGS 64 /* inputs, scalars and outputs of a program together */
#define NUMD_MAX_OPS 256     /* operations of a program */
#define NUMD_N_LISTS 3       /* parameters of one operation that are lists */

#endif
