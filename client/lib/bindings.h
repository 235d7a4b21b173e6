/* Bindings: what each argument of a call is for the daemon, in 8 bytes (protocol/request.h).
 *
 * A complex scalar does not fit and goes by its place: those of one call are put into a small array of their
 * own, which is kept until the call is done. */
#ifndef NUMD_CLIENT_LIB_BINDINGS_H
#define NUMD_CLIENT_LIB_BINDINGS_H

#include "client/lib/plan.h"
#include "protocol/request.h"

/* Sentences about argument i. who: the name of the operation, or NULL. */
int binding_refuse_foreign(const char *who, int i); /* EINVAL */
int binding_refuse_scalar(const char *who, int i);  /* EDTYPE */

/* One argument. *complex is set if it is a complex scalar, whose binding is still to be made. EINVAL, EDTYPE.
 */
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

/* The bindings of complex scalars. *kept: the array that they are in. */
int bindings_keep_complex(numd_conn *conn, int n_args, const numd_arg args[], uint64_t bindings[],
                          numd_array **kept);
/* The bindings of a call of a plan, whose arguments are checked to be what it was prepared for. *kept: an
 * array with complex scalars, or NULL. EINVAL, EDTYPE, ESHAPE. */
int bindings_of_call(const numd_plan *plan, int n_args, const numd_arg args[],
                     uint64_t bindings[MAX_BINDINGS], numd_array **kept);

#endif
