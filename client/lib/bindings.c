/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/bindings.h"

#include "client/lib/error.h"

int binding_refuse_foreign(const char *who, int i) {
  return error_set(NUMD_EINVAL, "%s%sargument %d belongs to another connection", who ? who : "",
                   who ? ": " : "", i);
}

int binding_refuse_scalar(const char *who, int i) {
  return error_set(NUMD_EDTYPE, "%s%sargument %d: a scalar is bool, int64, uint64, float64 or complex128",
                   who ? who : "", who ? ": " : "", i);
}

int bindings_keep_complex(numd_conn *conn, int n_args, const numd_arg args[], uint64_t bindings[],
                          numd_array **kept) {
  int64_t n = 0;
  for (int i = 0; i < n_args; i++)
    n += !args[i].array && args[i].scalar.dtype == NUMD_COMPLEX128;
  int r = numd_array_empty(conn, NUMD_COMPLEX128, 1, &n, kept);
  if (r)
    return r;
  numd_complex128 *values = (*kept)->data;
  uint64_t at = (*kept)->binding;
  for (int i = 0; i < n_args; i++)
    if (!args[i].array && args[i].scalar.dtype == NUMD_COMPLEX128) {
      *values++ = args[i].scalar.c;
      bindings[i] = at;
      at += sizeof(*values);
    }
  return 0;
}

static int check_prepared(const struct plan_operand *o, int i, const numd_arg *arg) {
  if (!o->layout && (arg->array || arg->scalar.dtype != o->dtype))
    return error_set(NUMD_EDTYPE, "argument %d must be a scalar of %s", i, dtype_rows[o->dtype].name);
  if (o->layout && (!arg->array || arg->array->layout != o->layout))
    return error_set(NUMD_ESHAPE, "argument %d has not the dtype, shape and strides that were prepared", i);
  return 0;
}

int bindings_of_call(const numd_plan *plan, int n_args, const numd_arg args[],
                     uint64_t bindings[MAX_BINDINGS], numd_array **kept) {
  bool complex = false;
  int r;
  *kept = NULL;
  if (n_args != plan->n_inputs + plan->n_outputs)
    return error_set(NUMD_EINVAL, "the plan takes %d inputs and %d outputs, but %d arguments were given",
                     plan->n_inputs, plan->n_outputs, n_args);
  for (int i = 0; i < n_args; i++)
    if ((r = check_prepared(&plan->operands[i], i, &args[i])) ||
        (r = binding_of(plan->conn, NULL, i, &args[i], &bindings[i], &complex)))
      return r;
  return complex ? bindings_keep_complex(plan->conn, n_args, args, bindings, kept) : 0;
}
