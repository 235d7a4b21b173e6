/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of array kernels, and what their plans share. */
#include "server/kernels/array.h"

#include <stdio.h>

/* X(OP, kernel): every operation that has one. */
#define ARRAY_KERNEL_LIST(X)                 \
  X(CHOLESKY, linalg_kernel)                 \
  X(QR, linalg_kernel)                       \
  X(SVD, linalg_kernel)                      \
  X(SVDVALS, linalg_kernel)                  \
  X(EIGH, linalg_kernel)                     \
  X(EIGVALSH, linalg_kernel)                 \
  X(EIG, linalg_kernel)                      \
  X(EIGVALS, linalg_kernel)                  \
  X(SOLVE, linalg_kernel)                    \
  X(INV, linalg_kernel)                      \
  X(DET, linalg_kernel)                      \
  X(SLOGDET, linalg_kernel)                  \
  X(PINV, linalg_kernel)                     \
  X(MATRIX_RANK, linalg_kernel)              \
  X(LSTSQ, linalg_kernel)                    \
  X(SORT, sort_kernel)                       \
  X(ARGSORT, sort_kernel)                    \
  X(ARGMAX, argminmax_kernel)                \
  X(ARGMIN, argminmax_kernel)                \
  X(CUMULATIVE_SUM, cumulative_kernel)       \
  X(CUMULATIVE_PROD, cumulative_kernel)      \
  X(TRIL, triangle_kernel)                   \
  X(TRIU, triangle_kernel)                   \
  X(NONZERO, mask_kernel)                    \
  X(EXTRACT, mask_kernel)                    \
  X(PLACE, place_kernel)                     \
  X(ARANGE, arange_kernel)                   \
  X(LINSPACE, linspace_kernel)               \
  X(EYE, eye_kernel)                         \
  X(SEARCHSORTED, searchsorted_kernel)       \
  X(UNIQUE_VALUES, unique_kernel)            \
  X(UNIQUE_COUNTS, unique_kernel)            \
  X(UNIQUE_INVERSE, unique_kernel)           \
  X(UNIQUE_ALL, unique_kernel)               \
  X(ISIN, isin_kernel)                       \
  X(TAKE, take_kernel)                       \
  X(TAKE_ALONG_AXIS, take_along_axis_kernel) \
  X(PUT, put_kernel)                         \
  X(PUT_ALONG_AXIS, put_kernel)

#define X(OP, kernel) extern const struct array_kernel kernel;
ARRAY_KERNEL_LIST(X)
#undef X

static const struct array_kernel *const array_kernels[NUMD_OP_CODES] = {
#define X(OP, kernel) [NUMD_OP_##OP] = &(kernel),
    ARRAY_KERNEL_LIST(X)
#undef X
};

const struct array_kernel *kernel_array(numd_op op) {
  return op_known(op) ? array_kernels[op] : NULL;
}

int array_axis_of(const char *name, const struct op_params *params, int ndim, int default_axis, int *axis,
                  struct errtext *err) {
  int given = params->given & NUMD_PARAM_AXIS ? params->axis : default_axis;
  if (given < -ndim || given >= ndim)
    return errtext_set(err, NUMD_ESHAPE, "%s: axis %d of an array with %d dimensions", name, given, ndim);
  *axis = given < 0 ? given + ndim : given;
  return 0;
}

int array_axis(const struct array_job *job, int ndim, int default_axis, int *axis, struct errtext *err) {
  return array_axis_of(op_rows[job->op].name, &job->params, ndim, default_axis, axis, err);
}

const char *array_shape_text(const struct layout *a, char buf[96]) {
  size_t n = 0;
  n += (size_t)snprintf(buf + n, 96 - n, "(");
  for (int d = 0; d < a->ndim && n < 80; d++)
    n += (size_t)snprintf(buf + n, 96 - n, "%s%lld", d ? ", " : "", (long long)a->shape[d]);
  if (n < 90)
    snprintf(buf + n, 96 - n, a->ndim == 1 ? ",)" : ")");
  return buf;
}
