/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/params.h"

#include <string.h>

#include "client/lib/error.h"

static int read_list(numd_op op, unsigned bit, const numd_params *params, struct op_params *out) {
  int list = param_rows[bit].type - NUMD_TYPE_LIST0, n = params->n_ints[list];
  if (n < 0 || n > MAX_DIMS)
    return error_set(NUMD_ELIMIT, "%s: %s has %d integers; at most %d are possible", op_rows[op].name,
                     param_rows[bit].name, n, MAX_DIMS);
  out->n_ints[list] = (uint8_t)n;
  if (n > 0)
    memcpy(out->ints[list], params->ints[list], sizeof(int64_t) * (size_t)n);
  return 0;
}

static int refuse_param(numd_op op, unsigned bit) {
  return error_set(NUMD_EINVAL, "%s: %s is out of range", op_rows[op].name, param_rows[bit].name);
}

static int read_param(numd_op op, unsigned bit, const numd_params *params, struct op_params *out) {
  switch (param_rows[bit].type) {
    case NUMD_TYPE_FLAG:
      return 0;
    case NUMD_TYPE_MASK:
      out->axes = params->axes;
      return params->axes >> MAX_DIMS ? refuse_param(op, bit) : 0;
    case NUMD_TYPE_DTYPE:
      out->dtype = (uint8_t)params->dtype;
      return dtype_known(params->dtype) ? 0 : error_set(NUMD_EDTYPE, "%s: no such dtype", op_rows[op].name);
    case NUMD_TYPE_AXIS:
      out->axis = params->axis;
      return params->axis < -MAX_DIMS || params->axis >= MAX_DIMS ? refuse_param(op, bit) : 0;
    case NUMD_TYPE_N:
      out->n = params->n;
      return 0;
    case NUMD_TYPE_K:
      out->k = params->k;
      return 0;
    case NUMD_TYPE_REAL:
      out->real = params->real;
      return 0;
    default:
      return read_list(op, bit, params, out);
  }
}

int params_read(numd_op op, const numd_params *params, struct op_params *out) {
  memset(out, 0, sizeof(*out));
  if (!params)
    return 0;
  uint32_t strange = params->given & ~op_rows[op].params;
  if (strange) {
    unsigned bit = (unsigned)__builtin_ctz(strange);
    return error_set(NUMD_EINVAL, "%s takes no %s", op_rows[op].name,
                     bit < NUMD_N_PARAMS ? param_rows[bit].name : "such parameter");
  }
  out->given = params->given;
  int r = 0;
  for (uint32_t left = params->given; left && r == 0; left &= left - 1)
    r = read_param(op, (unsigned)__builtin_ctz(left), params, out);
  return r;
}
