/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters of operations. */
#ifndef NUMD_CLIENT_LIB_PARAMS_H
#define NUMD_CLIENT_LIB_PARAMS_H

#include "client/numd.h"
#include "protocol/program.h"

/* Checks the parameters of an operation (NULL: there are none) and makes a program's struct op_params of
 * them. EINVAL, EDTYPE, ELIMIT. */
int params_read(numd_op op, const numd_params *params, struct op_params *out);

#endif
