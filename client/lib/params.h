/* The parameters of operations. */
#ifndef NUMD_CLIENT_LIB_PARAMS_H
#define NUMD_CLIENT_LIB_PARAMS_H

#include "client/numd.h"
#include "protocol/program.h"

/* Checks the parameters of an operation and makes them what a program has. NULL: none. EINVAL, EDTYPE,
 * ELIMIT. */
int params_read(numd_op op, const numd_params *params, struct op_params *out);

#endif
