/* SPDX-License-Identifier: BSD-3-Clause */
/* Bindings: what each argument of a call is for the daemon, in 8 bytes (protocol/request.h).
 *
 * A complex scalar does not fit into 8 bytes: those of one call are put into a small array, which is kept
 * until the call is done, and each is bound as an element of that array. */
#ifndef NUMD_CLIENT_LIB_BINDINGS_H
#define NUMD_CLIENT_LIB_BINDINGS_H

#include "client/lib/plan.h"
#include "protocol/request.h"

/* Sentences about argument i. who: the name of the operation, or NULL. */
int binding_refuse_foreign(const char *who, int i); /* EINVAL */
int binding_refuse_scalar(const char *who, int i);  /* EDTYPE */

/* The binding of one argument. If that is a complex scalar, *complex is set instead, and
 * bindings_keep_complex makes the binding. EINVAL, EDTYPE. */
static inline int binding_of(const numd_conn *conn, const char *who, int i, const numd_arg *arg,
                             uint64_t *binding, bool *complex) {
  const numd_array *a = arg->array;
  if (a && a->conn != conn)
    return binding_refuse_foreign(who, i);
  if (!a && !binding_holds(arg->scalar.dtype)) {
    if (arg->scalar.dtype != NUMD_COMPLEX128)
      return binding_refuse_scalar(who, i);
    *complex = true;
  }
  *binding = a ? a->binding : arg->scalar.bits;
  return 0;
}

/* Puts the complex scalars among the arguments into a new array, *kept, and makes their bindings. */
int bindings_keep_complex(numd_conn *conn, int n_args, const numd_arg args[], uint64_t bindings[],
                          numd_array **kept);
/* Checks that the arguments are what the plan was prepared for, and makes their bindings. *kept: an array
 * with complex scalars, or NULL. EINVAL, EDTYPE, ESHAPE. */
int bindings_of_call(const numd_plan *plan, int n_args, const numd_arg args[],
                     uint64_t bindings[MAX_BINDINGS], numd_array **kept);

#endif
