/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters of one operation, by the types of NUMD_PARAM_TYPE_LIST (op.h). */
#ifndef NUMD_PROTOCOL_OP_PARAMS_H
#define NUMD_PROTOCOL_OP_PARAMS_H

#include <stdint.h>

#include "protocol/layout.h"

struct op_params {
  uint32_t given; /* NUMD_PARAM_*: which were given; a flag is true if it was */
  uint32_t axes;  /* bit i for axis i */
  uint8_t dtype;
  uint8_t n_ints[NUMD_N_LISTS];
  int32_t axis;
  int64_t n, k;
  double real;
  int64_t ints[NUMD_N_LISTS][MAX_DIMS];
};

#endif
