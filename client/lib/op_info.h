/* What the row of an operation says of its outputs. */
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

#endif
