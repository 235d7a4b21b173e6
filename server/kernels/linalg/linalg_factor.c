/* SPDX-License-Identifier: BSD-3-Clause */
/* Factorisations of one matrix: Cholesky, QR, singular values and eigenvalues.
 *
 * Where LAPACK may not come to an end or leave its bounds for Inf and NaN (QR iterations), these are looked
 * for in the private copy first. Matrices without elements are answered here: not all versions of LAPACK do.
 */
#include <string.h>

#include "server/kernels/copy/strided_copy.h"
#include "server/kernels/linalg/linalg.h"

static int64_t least_side(const struct linalg_plan *p) {
  return p->m < p->n ? p->m : p->n;
}

static bool is_full(const struct array_job *job) {
  return (job->params.given & NUMD_PARAM_FULL) != 0;
}

static bool is_upper(const struct array_job *job) {
  return (job->params.given & NUMD_PARAM_UPPER) != 0;
}

/* ---- Cholesky ----
 *
 * In Fortran order the copy of a matrix in C order is its transpose, which is its conjugate: A = L L^H is
 * then conj(A) = U^H U with U = L^T. So no element changes its place, neither in nor out. */

int linalg_plan_cholesky(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const int r = linalg_square(job, err);
  if (r)
    return r;
  linalg_output(job, (numd_dtype)job->dtype, 2, p->n, p->n);
  p->area[AREA_A] = p->n * p->n * l->item;
  *flops = (double)(p->n * p->n) * (double)p->n / 3;
  return 0;
}

/* Zeros on the other side of the diagonal of a matrix in Fortran order. */
static void clear_other(const struct lapack *l, int64_t n, char *a, char uplo) {
  for (int64_t j = 0; j < n; j++) {
    char *column = a + j * n * l->item;
    if (uplo == 'U')
      memset(column + (j + 1) * l->item, 0, (size_t)((n - j - 1) * l->item));
    else
      memset(column, 0, (size_t)(j * l->item));
  }
}

unsigned linalg_cholesky(const struct linalg_one *o) {
  const int64_t n = o->p->n;
  const char uplo = is_upper(o->job) ? 'L' : 'U';
  char *a = o->area[AREA_A];
  if (n == 0)
    return 0;
  linalg_load_transposed(o, 0, n, n, a);
  unsigned flags = o->l->potrf(uplo, (int)n, a, (int)n) == 0 ? 0 : KERNEL_DEFINITE;
  for (int64_t j = 0; j < n; j++) /* OpenBLAS does not report a NaN on the diagonal */
    if (!(linalg_real(o->l, a + j * (n + 1) * o->l->item, 0) > 0))
      flags = KERNEL_DEFINITE;
  clear_other(o->l, n, a, uplo);
  strided_copy(o->l->item, n, n, a, (int64_t[]){n * o->l->item, o->l->item}, o->out[0],
               (int64_t[]){n * o->l->item, o->l->item});
  return flags;
}

/* ---- QR ---- */

/* Areas: A the matrix, then with room for a square Q; B tau. */
int linalg_plan_qr(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const int64_t least = least_side(p), q_cols = is_full(job) ? p->m : least;
  struct lapack_work ask = linalg_ask(), ask_q = linalg_ask();
  linalg_output(job, (numd_dtype)job->dtype, 2, p->m, q_cols);
  linalg_output(job, (numd_dtype)job->dtype, 2, q_cols, p->n);
  *flops = 4.0 * (double)(p->m * (q_cols > p->n ? q_cols : p->n)) * (double)least;
  if (least == 0)
    return 0;
  if (__builtin_mul_overflow(p->m * l->item, q_cols > p->n ? q_cols : p->n, &p->area[AREA_A]))
    return errtext_set(err, NUMD_ELIMIT, "qr: the square factor is too large");
  p->area[AREA_B] = least * l->item;
  l->geqrf((int)p->m, (int)p->n, NULL, NULL, &ask);
  l->orgqr((int)p->m, (int)q_cols, (int)least, NULL, NULL, &ask_q);
  const int r = linalg_workspace(job, l, &ask, err);
  return r ? r : linalg_workspace(job, l, &ask_q, err);
}

/* R: the upper triangle of the first rows, zeros below. */
static void store_r(const struct linalg_one *o, int64_t r_rows, const char *a) {
  const int64_t n = o->p->n, item = o->l->item;
  linalg_store(o, 1, r_rows, n, a, o->p->m);
  for (int64_t i = 1; i < r_rows; i++)
    memset(o->out[1] + i * n * item, 0, (size_t)((i < n ? i : n) * item));
}

unsigned linalg_qr(const struct linalg_one *o) {
  const int64_t m = o->p->m, n = o->p->n, least = least_side(o->p), q_cols = is_full(o->job) ? m : least;
  char *a = o->area[AREA_A], *tau = o->area[AREA_B];
  struct lapack_work work = linalg_work(o);
  if (least == 0) {
    if (q_cols == m)
      linalg_store_identity(o, 0, m);
    return 0;
  }
  linalg_load(o, 0, m, n, a);
  o->l->geqrf((int)m, (int)n, a, tau, &work);
  store_r(o, q_cols, a);
  o->l->orgqr((int)m, (int)q_cols, (int)least, a, tau, &work);
  linalg_store(o, 0, m, q_cols, a, m);
  return 0;
}

/* ---- Singular values ---- */

static char svd_job(const struct array_job *job) {
  return job->op == NUMD_OP_SVDVALS ? 'N' : is_full(job) ? 'A' : 'S';
}

/* Areas: A the matrix, B u, C vh; the singular values are behind the real workspace. */
int linalg_plan_svd(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const numd_dtype dtype = (numd_dtype)job->dtype;
  const char kind = svd_job(job);
  const int64_t least = least_side(p), u_cols = kind == 'A' ? p->m : least,
                vh_rows = kind == 'A' ? p->n : least;
  struct lapack_work ask = linalg_ask();
  if (kind != 'N')
    linalg_output(job, dtype, 2, p->m, u_cols);
  linalg_output(job, dtype_part(dtype), 1, least, 0);
  if (kind != 'N')
    linalg_output(job, dtype, 2, vh_rows, p->n);
  *flops = (kind == 'N' ? 4. : 22.) * (double)(p->m * p->n) * (double)least;
  if (least == 0)
    return 0;
  p->area[AREA_A] = p->m * p->n * l->item;
  if (kind != 'N' && (__builtin_mul_overflow(p->m * l->item, u_cols, &p->area[AREA_B]) ||
                      __builtin_mul_overflow(p->n * l->item, vh_rows, &p->area[AREA_C])))
    return errtext_set(err, NUMD_ELIMIT, "svd: the square factors are too large");
  l->gesdd(kind, (int)p->m, (int)p->n, NULL, NULL, NULL, NULL, &ask);
  const int r = linalg_workspace(job, l, &ask, err);
  p->area[AREA_REALS] += least * l->real;
  return r;
}

unsigned linalg_svd(const struct linalg_one *o) {
  const char kind = svd_job(o->job);
  const int64_t m = o->p->m, n = o->p->n, least = least_side(o->p);
  const int64_t u_cols = kind == 'A' ? m : least, vh_rows = kind == 'A' ? n : least;
  char *a = o->area[AREA_A], *u = o->area[AREA_B], *vh = o->area[AREA_C];
  struct lapack_work work = linalg_work(o);
  char *s = work.reals + work.n_real * o->l->real;
  if (least == 0) {
    if (kind == 'A') {
      linalg_store_identity(o, 0, m);
      linalg_store_identity(o, 2, n);
    }
    return 0;
  }
  linalg_load(o, 0, m, n, a);
  if (!linalg_finite(o->l, m * n, a) || o->l->gesdd(kind, (int)m, (int)n, a, s, u, vh, &work) != 0)
    return KERNEL_CONVERGE;
  memcpy(o->out[kind == 'N' ? 0 : 1], s, (size_t)(least * o->l->real));
  if (kind != 'N') {
    linalg_store(o, 0, m, u_cols, u, m);
    linalg_store(o, 2, vh_rows, n, vh, vh_rows);
  }
  return 0;
}

/* ---- Eigenvalues of hermitian matrices ---- */

/* Areas: A the matrix, B the eigenvalues. */
int linalg_plan_eigh(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const bool vectors = job->op == NUMD_OP_EIGH;
  struct lapack_work ask = linalg_ask();
  const int r = linalg_square(job, err);
  if (r)
    return r;
  linalg_output(job, dtype_part((numd_dtype)job->dtype), 1, p->n, 0);
  if (vectors)
    linalg_output(job, (numd_dtype)job->dtype, 2, p->n, p->n);
  *flops = (vectors ? 9. : 4. / 3) * (double)(p->n * p->n) * (double)p->n;
  if (p->n == 0)
    return 0;
  p->area[AREA_A] = p->n * p->n * l->item;
  p->area[AREA_B] = p->n * l->real;
  l->syevd(vectors ? 'V' : 'N', is_upper(job) ? 'U' : 'L', (int)p->n, NULL, NULL, &ask);
  return linalg_workspace(job, l, &ask, err);
}

/* Whether the triangle that is read has neither Inf nor NaN. */
static bool finite_triangle(const struct lapack *l, int64_t n, const char *a, bool upper) {
  for (int64_t j = 0; j < n; j++) {
    const int64_t first = upper ? 0 : j, last = upper ? j + 1 : n;
    if (!linalg_finite(l, last - first, a + (j * n + first) * l->item))
      return false;
  }
  return true;
}

unsigned linalg_eigh(const struct linalg_one *o) {
  const bool vectors = o->job->op == NUMD_OP_EIGH, upper = is_upper(o->job);
  const int64_t n = o->p->n;
  char *a = o->area[AREA_A], *w = o->area[AREA_B];
  struct lapack_work work = linalg_work(o);
  if (n == 0)
    return 0;
  linalg_load(o, 0, n, n, a);
  if (!finite_triangle(o->l, n, a, upper) ||
      o->l->syevd(vectors ? 'V' : 'N', upper ? 'U' : 'L', (int)n, a, w, &work) != 0)
    return KERNEL_CONVERGE;
  memcpy(o->out[0], w, (size_t)(n * o->l->real));
  if (vectors)
    linalg_store(o, 1, n, n, a, n);
  return 0;
}

/* ---- Eigenvalues of any matrices ---- */

/* Areas: A the matrix, B the eigenvalues and C the eigenvectors, both complex. */
int linalg_plan_eig(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const numd_dtype out = l->real == 4 ? NUMD_COMPLEX64 : NUMD_COMPLEX128;
  const bool vectors = job->op == NUMD_OP_EIG;
  struct lapack_work ask = linalg_ask();
  const int r = linalg_square(job, err);
  if (r)
    return r;
  linalg_output(job, out, 1, p->n, 0);
  if (vectors)
    linalg_output(job, out, 2, p->n, p->n);
  *flops = (vectors ? 25. : 10.) * (double)(p->n * p->n) * (double)p->n;
  if (p->n == 0)
    return 0;
  p->area[AREA_A] = p->n * p->n * l->item;
  p->area[AREA_B] = p->n * 2 * l->real;
  p->area[AREA_C] = vectors ? p->n * p->n * 2 * l->real : 0;
  l->geev(vectors ? 'V' : 'N', (int)p->n, NULL, NULL, NULL, &ask);
  return linalg_workspace(job, l, &ask, err);
}

unsigned linalg_eig(const struct linalg_one *o) {
  const bool vectors = o->job->op == NUMD_OP_EIG;
  const int64_t n = o->p->n;
  char *a = o->area[AREA_A], *w = o->area[AREA_B], *v = o->area[AREA_C];
  struct lapack_work work = linalg_work(o);
  if (n == 0)
    return 0;
  linalg_load(o, 0, n, n, a);
  if (!linalg_finite(o->l, n * n, a) || o->l->geev(vectors ? 'V' : 'N', (int)n, a, w, v, &work) != 0)
    return KERNEL_CONVERGE;
  memcpy(o->out[0], w, (size_t)(n * 2 * o->l->real));
  if (vectors)
    linalg_store(o, 1, n, n, v, n);
  return 0;
}
