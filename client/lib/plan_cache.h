/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans of single operations, found by signature. */
#ifndef NUMD_CLIENT_LIB_PLAN_CACHE_H
#define NUMD_CLIENT_LIB_PLAN_CACHE_H

#include "client/lib/plan.h"

#define PLAN_CACHE_MAX 4096   /* signatures of a connection; if there are more, all are forgotten */
#define PLAN_CACHE_THREAD 256 /* places in a thread's own table */

/* By what the plan of an operation is found. `rest` is NULL if the words before it say everything. */
struct signature {
  uint64_t head;      /* operation, short parameters */
  const void *arg[3]; /* a layout, or a scalar's dtype as a small number */
  const void *out;    /* a layout; NULL if that is open; or SIGNATURE_RESULT */
  const struct signature_rest *rest;
};

#define SIGNATURE_RESULT ((const void *)(uintptr_t)1)
#define SIGNATURE_SCALAR(dtype) ((const void *)(uintptr_t)(16 + (dtype)))

/* Longer parameters, and the arguments and outputs beyond those of struct signature. It is compared by its
 * bytes, so it is cleared before it is filled in. */
struct signature_rest {
  struct op_params params;
  const void *arg[NUMD_OP_MAX_IN - 3];
  const void *out[NUMD_OP_MAX_OUT];
};

extern const struct conn_part plan_cache_part;

/* One operation, as it is asked for. */
struct op_call {
  numd_conn *conn;
  numd_op op;
  const numd_params *params;
  int n_args;
  const numd_arg *args;
};

/* The plan for a call of that signature, made if there is none; the calling thread's table keeps it. */
int plan_cache_get(const struct op_call *call, const struct signature *signature, numd_plan **out);

#endif
