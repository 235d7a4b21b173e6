/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about the inputs and outputs of operations, answered by their rows. */
#ifndef NUMD_CLIENT_LIB_OP_INFO_H
#define NUMD_CLIENT_LIB_OP_INFO_H

#include "protocol/list.h"

/* Whether the last output of the operation counts how much of the others is used. */
static inline bool op_counts(numd_op op) {
  return op_rows[op].roomy != 0;
}
static inline int op_n_arrays(numd_op op) {
  return op_rows[op].n_out - op_counts(op);
}

/* Whether it is an operation, and takes so many inputs. EOP, EINVAL. */
int op_refuse(numd_op op, int n_inputs);
static inline int op_check(numd_op op, int n_inputs) {
  if (op_known(op) &&
      (op_rows[op].n_in < 0 ? n_inputs >= 1 && n_inputs <= NUMD_OP_MAX_IN : n_inputs == op_rows[op].n_in))
    return 0;
  return op_refuse(op, n_inputs);
}

#endif
