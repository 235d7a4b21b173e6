/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: what the array kernels of class LINALG share.
 *
 * Each operation is a row of the table in linalg.c: `plan` checks shapes and says how large the private areas
 * of one matrix are, `one` computes one matrix of the batch in them. A unit is one large matrix or several
 * small ones. Matrices in areas are in Fortran order. Large single ones may instead be computed in tiles
 * (linalg_tiles.h). */
#ifndef NUMD_SERVER_KERNELS_LINALG_LINALG_H
#define NUMD_SERVER_KERNELS_LINALG_LINALG_H

#include "server/kernels/array.h"
#include "server/kernels/linalg/lapack.h"

enum linalg_area { AREA_A, AREA_B, AREA_C, AREA_WORK, AREA_REALS, AREA_INTS, N_AREAS };

/* What the plan keeps for the run. */
struct linalg_plan {
  int64_t m, n;                   /* of the matrices of the first input */
  int64_t k;                      /* columns of the right side */
  int64_t batch, per_unit;        /* matrices */
  int64_t n_work, n_real, n_ints; /* of struct lapack_work */
  int64_t area[N_AREAS];          /* bytes */
  int64_t block, n_blocks;        /* columns to a tile and how many tiles, where computed in tiles; else 0 */
};

ARRAY_OWN(linalg_plan)

/* One matrix of the batch at work. */
struct linalg_one {
  const struct array_job *job;
  const struct linalg_plan *p;
  const struct lapack *l;
  char *in[2], *out[4];
  char *area[N_AREAS];
};

/* Functions of the rows. plan: m, n and batch are set; sets outputs, areas and k, gives roughly how many
 * floating-point operations one matrix takes. */
typedef int (*linalg_plan_fn)(struct array_job *job, const struct lapack *l, double *flops,
                              struct errtext *err);
typedef unsigned (*linalg_one_fn)(const struct linalg_one *o);

#define LINALG_OPS(X)   \
  X(CHOLESKY, cholesky) \
  X(QR, qr)             \
  X(SVD, svd)           \
  X(SVDVALS, svd)       \
  X(EIGH, eigh)         \
  X(EIGVALSH, eigh)     \
  X(EIG, eig)           \
  X(EIGVALS, eig)       \
  X(SOLVE, solve)       \
  X(INV, inv)           \
  X(DET, det)           \
  X(SLOGDET, det)       \
  X(PINV, pinv)         \
  X(MATRIX_RANK, rank)  \
  X(LSTSQ, lstsq)

#define X(OP, name)                                                                                          \
  int linalg_plan_##name(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err); \
  unsigned linalg_##name(const struct linalg_one *o);
LINALG_OPS(X)
#undef X

/* ---- For plans ---- */

/* Appends an output of the batch's shape and then `ndim` axes. */
void linalg_output(struct array_job *job, numd_dtype dtype, int ndim, int64_t rows, int64_t cols);
int linalg_square(const struct array_job *job, struct errtext *err);
/* Takes what a routine asked for into the plan: the larger of what is there and this. */
int linalg_workspace(struct array_job *job, const struct lapack *l, const struct lapack_work *work,
                     struct errtext *err);
static inline struct lapack_work linalg_ask(void) {
  return (struct lapack_work){.n_work = -1};
}

/* ---- For running ---- */

/* The workspace of one matrix. */
struct lapack_work linalg_work(const struct linalg_one *o);

/* Input i, rows x cols, into Fortran order. */
void linalg_load(const struct linalg_one *o, int i, int64_t rows, int64_t cols, char *to);
/* The same transposed: the rows of an input in C order are then columns, one block copy each. */
void linalg_load_transposed(const struct linalg_one *o, int i, int64_t rows, int64_t cols, char *to);
/* rows x cols of a matrix in Fortran order with `ld` rows, as output i. */
void linalg_store(const struct linalg_one *o, int i, int64_t rows, int64_t cols, const char *from,
                  int64_t ld);
/* Ones on the diagonal of output i, zeros elsewhere. */
void linalg_store_identity(const struct linalg_one *o, int i, int64_t side);
/* Whether no part of `count` items is infinite or NaN. */
bool linalg_finite(const struct lapack *l, int64_t count, const char *items);

/* An item as a complex number, and back (the imaginary part is dropped for real dtypes). */
void linalg_get(const struct lapack *l, const char *item, double z[2]);
void linalg_put(const struct lapack *l, char *item, const double z[2]);
static inline double linalg_real(const struct lapack *l, const char *reals, int64_t i) {
  return l->real == 4 ? (double)((const float *)reals)[i] : ((const double *)reals)[i];
}

/* Writes what det or slogdet gives for a matrix whose LU factors are in `a` (`info` and `pivots` by getrf).
 */
void linalg_store_det(const struct linalg_one *o, const char *a, const int *pivots, int info);

/* ---- Small matrices (linalg_small.c) ---- */

/* Computes matrices of at most LINALG_SMALL real rows by plain loops; false if this is none. */
#define LINALG_SMALL 4
bool linalg_small(const struct linalg_one *o, unsigned *flags);

#endif
