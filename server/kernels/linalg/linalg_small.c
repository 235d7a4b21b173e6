/* SPDX-License-Identifier: BSD-3-Clause */
/* Systems, inverses, determinants and Cholesky factors of real matrices of a few rows, by plain loops of
 * which the compiler knows the length: a call of LAPACK costs several times their arithmetic. Pivots are
 * chosen as LAPACK chooses them, by magnitude; a NaN counts as large, so that it reaches the result. */
#include <math.h>

#include "server/kernels/isa.h"
#include "server/kernels/linalg/linalg.h"

#define SIDE LINALG_SMALL
#define ALWAYS static inline __attribute__((always_inline))

#define T float
#define SQRT sqrtf
#define FABS fabsf
#include "server/kernels/linalg/linalg_small_body.h"

#define T double
#define SQRT sqrt
#define FABS fabs
#include "server/kernels/linalg/linalg_small_body.h"

bool linalg_small(const struct linalg_one *o, unsigned *flags) {
  const int op = o->job->op;
  if (op != NUMD_OP_INV && op != NUMD_OP_SOLVE && op != NUMD_OP_CHOLESKY && op != NUMD_OP_DET &&
      op != NUMD_OP_SLOGDET)
    return false;
  if (o->p->n > SIDE || (op == NUMD_OP_SOLVE && o->p->k > SIDE))
    return false;
  if (o->job->dtype == NUMD_FLOAT32)
    return float_of_any_side(o, flags);
  return o->job->dtype == NUMD_FLOAT64 && double_of_any_side(o, flags);
}
