/* SPDX-License-Identifier: BSD-3-Clause */
/* LAPACK and BLAS behind one face. Each function is written once, in lapack_body.h, which is included for s,
 * d, c and z; what differs between real and complex routines is in the macros that begin with REAL_ and
 * COMPLEX_.
 *
 * The LAPACKE_*_work routines in column order call LAPACK and do nothing else: they neither allocate nor
 * look for NaN. */
#include "server/kernels/linalg/lapack.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>

#include "server/kernels/isa.h"
#include "server/kernels/size_math.h"

#define ORDER LAPACK_COL_MAJOR

static enum CBLAS_TRANSPOSE op_of(char op) {
  return op == 'N' ? CblasNoTrans : op == 'T' ? CblasTrans : CblasConjTrans;
}

/* A size that LAPACK answers with as a float may have been rounded down. */
static int64_t answered(double size) {
  return (int64_t)(size * (1 + 2 * (double)FLT_EPSILON)) + 1;
}

/* Numbers of real workspace that complex routines document. */
static int64_t gesdd_reals(char job, int64_t m, int64_t n) {
  const int64_t least = smaller(m, n), most = larger(m, n);
  return job == 'N' ? 7 * least + 1 : least * larger(5 * least + 7, 2 * most + 2 * least + 1) + 1;
}

/* BLAS takes real factors by value and complex ones by address. */
#define REAL_FACTOR(R, x) (x)
#define COMPLEX_FACTOR(R, x) ((const R[2]){(x), 0})

/* The routine `name` of the type that lapack_body.h is included for. */
#define LAPACKE_WORK(name) KERNEL_JOIN(KERNEL_JOIN(LAPACKE_, PREFIX), name##_work)

#define REAL_orgqr(...) LAPACKE_WORK(orgqr)(__VA_ARGS__)
#define COMPLEX_orgqr(...) LAPACKE_WORK(ungqr)(__VA_ARGS__)

#define REAL_gesdd(ints, reals, ...) LAPACKE_WORK(gesdd)(__VA_ARGS__, ints)
#define COMPLEX_gesdd(ints, reals, ...) LAPACKE_WORK(gesdd)(__VA_ARGS__, reals, ints)
#define REAL_gesdd_reals(job, m, n) 0
#define COMPLEX_gesdd_reals(job, m, n) gesdd_reals(job, m, n)

#define REAL_syevd(reals, n_reals, ints, n_ints, ...) LAPACKE_WORK(syevd)(__VA_ARGS__, ints, n_ints)
#define COMPLEX_syevd(reals, n_reals, ints, n_ints, ...) \
  LAPACKE_WORK(heevd)(__VA_ARGS__, reals, n_reals, ints, n_ints)

#define REAL_gelsd(ints, reals, ...) LAPACKE_WORK(gelsd)(__VA_ARGS__, ints)
#define COMPLEX_gelsd(ints, reals, ...) LAPACKE_WORK(gelsd)(__VA_ARGS__, reals, ints)

/* Real matrices: eigenvalues come as real and imaginary parts, and of a conjugate pair's eigenvectors the
 * first column holds the real parts and the second the imaginary ones. Reals: w, then v. */
#define REAL_geev(p, T, R)                                                                                  \
  static void p##_spread(int n, const R *wr, const R *wi, const R *v, R *out_w, R *out_v) {                 \
    for (int64_t j = 0; j < n; j++) {                                                                       \
      out_w[2 * j] = wr[j];                                                                                 \
      out_w[2 * j + 1] = wi[j];                                                                             \
      /* The sign of the pair: the first has the positive imaginary part. */                                \
      const int64_t first = wi[j] < 0 && j > 0 ? j - 1 : j;                                                 \
      const R sign = wi[j] < 0 ? -1 : wi[j] > 0 ? 1 : 0;                                                    \
      for (int64_t i = 0; out_v && i < n; i++) {                                                            \
        out_v[2 * (j * n + i)] = v[first * n + i];                                                          \
        out_v[2 * (j * n + i) + 1] = sign != 0 && first + 1 < n ? sign * v[(first + 1) * n + i] : 0;        \
      }                                                                                                     \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static int p##_geev(char job, int n, void *a, void *w, void *v, struct lapack_work *work) {               \
    T size = 0;                                                                                             \
    R *wr = (R *)work->reals, *wi = wr + n, *vectors = job == 'V' ? wi + n : &size;                         \
    if (work->n_work >= 0) {                                                                                \
      const int info = LAPACKE_##p##geev_work(ORDER, 'N', job, n, a, n, wr, wi, &size, 1, vectors,          \
                                              job == 'V' ? n : 1, work->items, (int)work->n_work);          \
      if (info == 0)                                                                                        \
        p##_spread(n, wr, wi, vectors, w, job == 'V' ? v : NULL);                                           \
      return info;                                                                                          \
    }                                                                                                       \
    T dummy = 0;                                                                                            \
    LAPACKE_##p##geev_work(ORDER, 'N', job, n, &dummy, n, &dummy, &dummy, &dummy, 1, &dummy, n, &size, -1); \
    work->n_work = answered((double)size);                                                                  \
    work->n_real = 2 * (int64_t)n + (job == 'V' ? (int64_t)n * n : 0);                                      \
    work->n_ints = 0;                                                                                       \
    return 0;                                                                                               \
  }

#define COMPLEX_geev(p, T, R)                                                                              \
  static int p##_geev(char job, int n, void *a, void *w, void *v, struct lapack_work *work) {              \
    T size = 0, none = 0;                                                                                  \
    if (work->n_work >= 0)                                                                                 \
      return LAPACKE_##p##geev_work(ORDER, 'N', job, n, a, n, w, &none, 1, job == 'V' ? v : &none,         \
                                    job == 'V' ? n : 1, work->items, (int)work->n_work, (R *)work->reals); \
    R real = 0;                                                                                            \
    LAPACKE_##p##geev_work(ORDER, 'N', job, n, &none, n, &none, &none, 1, &none, n, &size, -1, &real);     \
    work->n_work = answered(*(const R *)&size);                                                            \
    work->n_real = 2 * (int64_t)n;                                                                         \
    work->n_ints = 0;                                                                                      \
    return 0;                                                                                              \
  }

REAL_geev(s, float, float) REAL_geev(d, double, double) COMPLEX_geev(c, lapack_complex_float, float)
    COMPLEX_geev(z, lapack_complex_double, double)
#define PREFIX s
#define T float
#define R float
#define KIND REAL
#define EPS FLT_EPSILON
#include "server/kernels/linalg/lapack_body.h"

#define PREFIX d
#define T double
#define R double
#define KIND REAL
#define EPS DBL_EPSILON
#include "server/kernels/linalg/lapack_body.h"

#define PREFIX c
#define T lapack_complex_float
#define R float
#define KIND COMPLEX
#define EPS FLT_EPSILON
#include "server/kernels/linalg/lapack_body.h"

#define PREFIX z
#define T lapack_complex_double
#define R double
#define KIND COMPLEX
#define EPS DBL_EPSILON
#include "server/kernels/linalg/lapack_body.h"

        const struct lapack *lapack_of(numd_dtype dtype) {
  switch (dtype) {
    case NUMD_FLOAT32:
      return &s_lapack;
    case NUMD_FLOAT64:
      return &d_lapack;
    case NUMD_COMPLEX64:
      return &c_lapack;
    case NUMD_COMPLEX128:
      return &z_lapack;
    default:
      return NULL;
  }
}
