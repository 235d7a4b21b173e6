/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: LAPACK and BLAS for the four dtypes that they know, under names and with
 * arguments that do not depend on the dtype.
 *
 * Matrices are in Fortran order: a column is contiguous, columns are `ld` items apart. Where a routine
 * wants workspace, a call with work->n_work == -1 computes nothing and fills in how much; the answer depends
 * on the shape alone. Nothing here allocates. All return LAPACK's info: 0, or a positive number whose meaning
 * is the routine's. */
#ifndef NUMD_SERVER_KERNELS_LINALG_LAPACK_H
#define NUMD_SERVER_KERNELS_LINALG_LAPACK_H

#include "protocol/list.h"

struct lapack_work {
  void *items;    /* n_work of the dtype */
  char *reals;    /* n_real of its real dtype */
  int *ints;      /* n_ints */
  int64_t n_work; /* items; -1 asks */
  int64_t n_real;
  int64_t n_ints;
};

struct lapack {
  int64_t item, real; /* bytes */
  double eps;         /* distance from 1 to the next number */

  /* c = c_factor c + factor op(a) op(b); op by 'N', 'T' or 'C'. */
  void (*gemm)(char op_a, char op_b, int m, int n, int k, double factor, const void *a, int lda,
               const void *b, int ldb, double c_factor, void *c, int ldc);
  /* b = op(a)^-1 b, a triangular. */
  void (*trsm)(char uplo, char op_a, char diag, int m, int n, const void *a, int lda, void *b, int ldb);

  int (*potrf)(char uplo, int n, void *a, int lda);
  int (*getrf)(int m, int n, void *a, int lda, int *pivots);
  void (*laswp)(int n, void *a, int lda, int first, int last, const int *pivots); /* counted from 1 */
  int (*getrs)(int n, int n_rhs, const void *a, const int *pivots, void *b);
  int (*geqrf)(int m, int n, void *a, void *tau, struct lapack_work *work);
  int (*orgqr)(int m, int n, int k, void *a, const void *tau, struct lapack_work *work);
  /* job 'A', 'S' or 'N'. */
  int (*gesdd)(char job, int m, int n, void *a, void *s, void *u, void *vh, struct lapack_work *work);
  int (*syevd)(char job, char uplo, int n, void *a, void *w, struct lapack_work *work);
  /* w and v are complex for every dtype; job 'V' or 'N'. */
  int (*geev)(char job, int n, void *a, void *w, void *v, struct lapack_work *work);
  int (*gelsd)(int m, int n, int n_rhs, void *a, void *b, int ldb, void *s, double rtol, int *rank,
               struct lapack_work *work);
};

/* NULL for dtypes that are neither real nor complex. */
const struct lapack *lapack_of(numd_dtype dtype);

#endif
