/* LAPACK and BLAS behind one face. Each function is written once and expanded for s, d, c and z; what
 * differs between real and complex routines is in the macros that begin with REAL_ and COMPLEX_.
 *
 * The LAPACKE_*_work routines in column order call LAPACK and do nothing else: they neither allocate nor
 * look for NaN. */
#include "server/kernels/linalg/lapack.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>

#include "server/kernels/size_math.h"

#define ORDER LAPACK_COL_MAJOR

/* X(prefix, item, its real type, REAL or COMPLEX, eps) */
#define LAPACK_LIST(X)                                    \
  X(s, float, float, REAL, FLT_EPSILON)                   \
  X(d, double, double, REAL, DBL_EPSILON)                 \
  X(c, lapack_complex_float, float, COMPLEX, FLT_EPSILON) \
  X(z, lapack_complex_double, double, COMPLEX, DBL_EPSILON)

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

#define REAL_orgqr(p, ...) LAPACKE_##p##orgqr_work(__VA_ARGS__)
#define COMPLEX_orgqr(p, ...) LAPACKE_##p##ungqr_work(__VA_ARGS__)

#define REAL_gesdd(p, ints, reals, ...) LAPACKE_##p##gesdd_work(__VA_ARGS__, ints)
#define COMPLEX_gesdd(p, ints, reals, ...) LAPACKE_##p##gesdd_work(__VA_ARGS__, reals, ints)
#define REAL_gesdd_reals(job, m, n) 0
#define COMPLEX_gesdd_reals(job, m, n) gesdd_reals(job, m, n)

#define REAL_syevd(p, reals, n_reals, ints, n_ints, ...) LAPACKE_##p##syevd_work(__VA_ARGS__, ints, n_ints)
#define COMPLEX_syevd(p, reals, n_reals, ints, n_ints, ...) \
  LAPACKE_##p##heevd_work(__VA_ARGS__, reals, n_reals, ints, n_ints)

#define REAL_gelsd(p, ints, reals, ...) LAPACKE_##p##gelsd_work(__VA_ARGS__, ints)
#define COMPLEX_gelsd(p, ints, reals, ...) LAPACKE_##p##gelsd_work(__VA_ARGS__, reals, ints)

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

#define DEFINE_LAPACK(p, T, R, KIND, EPS)                                                                    \
  static void p##_gemm(char op_a, char op_b, int m, int n, int k, double factor, const void *a, int lda,     \
                       const void *b, int ldb, double c_factor, void *c, int ldc) {                          \
    cblas_##p##gemm(CblasColMajor, op_of(op_a), op_of(op_b), m, n, k, KIND##_FACTOR(R, (R)factor), a, lda,   \
                    b, ldb, KIND##_FACTOR(R, (R)c_factor), c, ldc);                                          \
  }                                                                                                          \
                                                                                                             \
  static void p##_trsm(char uplo, char op_a, char diag, int m, int n, const void *a, int lda, void *b,       \
                       int ldb) {                                                                            \
    cblas_##p##trsm(CblasColMajor, CblasLeft, uplo == 'U' ? CblasUpper : CblasLower, op_of(op_a),            \
                    diag == 'U' ? CblasUnit : CblasNonUnit, m, n, KIND##_FACTOR(R, 1), a, lda, b, ldb);      \
  }                                                                                                          \
                                                                                                             \
  static int p##_potrf(char uplo, int n, void *a, int lda) {                                                 \
    return LAPACKE_##p##potrf_work(ORDER, uplo, n, a, lda);                                                  \
  }                                                                                                          \
                                                                                                             \
  static int p##_getrf(int m, int n, void *a, int lda, int *pivots) {                                        \
    return LAPACKE_##p##getrf_work(ORDER, m, n, a, lda, pivots);                                             \
  }                                                                                                          \
                                                                                                             \
  static void p##_laswp(int n, void *a, int lda, int first, int last, const int *pivots) {                   \
    LAPACKE_##p##laswp_work(ORDER, n, a, lda, first, last, pivots, 1);                                       \
  }                                                                                                          \
                                                                                                             \
  static int p##_getrs(int n, int n_rhs, const void *a, const int *pivots, void *b) {                        \
    return LAPACKE_##p##getrs_work(ORDER, 'N', n, n_rhs, a, n, pivots, b, n);                                \
  }                                                                                                          \
                                                                                                             \
  static int p##_geqrf(int m, int n, void *a, void *tau, struct lapack_work *work) {                         \
    T size = 0;                                                                                              \
    if (work->n_work >= 0)                                                                                   \
      return LAPACKE_##p##geqrf_work(ORDER, m, n, a, m, tau, work->items, (int)work->n_work);                \
    LAPACKE_##p##geqrf_work(ORDER, m, n, &size, m, &size, &size, -1);                                        \
    work->n_work = answered(*(const R *)&size);                                                              \
    return 0;                                                                                                \
  }                                                                                                          \
                                                                                                             \
  static int p##_orgqr(int m, int n, int k, void *a, const void *tau, struct lapack_work *work) {            \
    T size = 0;                                                                                              \
    if (work->n_work >= 0)                                                                                   \
      return KIND##_orgqr(p, ORDER, m, n, k, a, m, tau, work->items, (int)work->n_work);                     \
    KIND##_orgqr(p, ORDER, m, n, k, &size, m, &size, &size, -1);                                             \
    work->n_work = answered(*(const R *)&size);                                                              \
    return 0;                                                                                                \
  }                                                                                                          \
                                                                                                             \
  static int p##_gesdd(char job, int m, int n, void *a, void *s, void *u, void *vh,                          \
                       struct lapack_work *work) {                                                           \
    const int ld_vh = job == 'A' ? n : (int)smaller(m, n);                                                   \
    if (work->n_work >= 0)                                                                                   \
      return KIND##_gesdd(p, work->ints, (R *)work->reals, ORDER, job, m, n, a, m, s, u, m, vh, ld_vh,       \
                          work->items, (int)work->n_work);                                                   \
    T size = 0;                                                                                              \
    R real = 0;                                                                                              \
    int integer = 0;                                                                                         \
    (void)real;                                                                                              \
    KIND##_gesdd(p, &integer, &real, ORDER, job, m, n, &size, m, &real, &size, m, &size, ld_vh, &size, -1);  \
    work->n_work = answered(*(const R *)&size);                                                              \
    work->n_real = KIND##_gesdd_reals(job, m, n);                                                            \
    work->n_ints = 8 * smaller(m, n);                                                                        \
    return 0;                                                                                                \
  }                                                                                                          \
                                                                                                             \
  static int p##_syevd(char job, char uplo, int n, void *a, void *w, struct lapack_work *work) {             \
    if (work->n_work >= 0)                                                                                   \
      return KIND##_syevd(p, (R *)work->reals, (int)work->n_real, work->ints, (int)work->n_ints, ORDER, job, \
                          uplo, n, a, n, w, work->items, (int)work->n_work);                                 \
    T size = 0;                                                                                              \
    R real = 0;                                                                                              \
    int integer = 0;                                                                                         \
    KIND##_syevd(p, &real, -1, &integer, -1, ORDER, job, uplo, n, &size, n, &real, &size, -1);               \
    work->n_work = answered(*(const R *)&size);                                                              \
    work->n_real = answered(real);                                                                           \
    work->n_ints = integer;                                                                                  \
    return 0;                                                                                                \
  }                                                                                                          \
                                                                                                             \
  static int p##_gelsd(int m, int n, int n_rhs, void *a, void *b, int ldb, void *s, double rtol, int *rank,  \
                       struct lapack_work *work) {                                                           \
    if (work->n_work >= 0)                                                                                   \
      return KIND##_gelsd(p, work->ints, (R *)work->reals, ORDER, m, n, n_rhs, a, m, b, ldb, s, (R)rtol,     \
                          rank, work->items, (int)work->n_work);                                             \
    T size = 0;                                                                                              \
    R real = 0;                                                                                              \
    int integer = 0;                                                                                         \
    KIND##_gelsd(p, &integer, &real, ORDER, m, n, n_rhs, &size, m, &size, ldb, &real, (R)rtol, rank, &size,  \
                 -1);                                                                                        \
    work->n_work = answered(*(const R *)&size);                                                              \
    work->n_real = answered(real);                                                                           \
    work->n_ints = integer;                                                                                  \
    return 0;                                                                                                \
  }                                                                                                          \
                                                                                                             \
  KIND##_geev(p, T, R)                                                                                       \
                                                                                                             \
      static const struct lapack p##_lapack = {sizeof(T), sizeof(R), (double)EPS, p##_gemm,  p##_trsm,       \
                                               p##_potrf, p##_getrf, p##_laswp,   p##_getrs, p##_geqrf,      \
                                               p##_orgqr, p##_gesdd, p##_syevd,   p##_geev,  p##_gelsd};

LAPACK_LIST(DEFINE_LAPACK)

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
