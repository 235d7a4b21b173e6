/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of lapack.c for one type of items, and their table; it includes this once for each, having
 * defined
 *
 *   PREFIX     the letter of BLAS and LAPACK
 *   T, R       an item, and its real type
 *   KIND       REAL or COMPLEX: what differs between their routines
 *   EPS        the machine's precision */
#define NAMED(name) KERNEL_JOIN(PREFIX, _##name)
#define OF_KIND(name) KERNEL_JOIN(KIND, _##name)
#define CBLAS(name, ...) KERNEL_JOIN(KERNEL_JOIN(cblas_, PREFIX), name)(__VA_ARGS__)

static void NAMED(gemm)(char op_a, char op_b, int m, int n, int k, double factor, const void *a, int lda,
                        const void *b, int ldb, double c_factor, void *c, int ldc) {
  CBLAS(gemm, CblasColMajor, op_of(op_a), op_of(op_b), m, n, k, OF_KIND(FACTOR)(R, (R)factor), a, lda, b, ldb,
        OF_KIND(FACTOR)(R, (R)c_factor), c, ldc);
}

static void NAMED(trsm)(char uplo, char op_a, char diag, int m, int n, const void *a, int lda, void *b,
                        int ldb) {
  CBLAS(trsm, CblasColMajor, CblasLeft, uplo == 'U' ? CblasUpper : CblasLower, op_of(op_a),
        diag == 'U' ? CblasUnit : CblasNonUnit, m, n, OF_KIND(FACTOR)(R, 1), a, lda, b, ldb);
}

static int NAMED(potrf)(char uplo, int n, void *a, int lda) {
  return LAPACKE_WORK(potrf)(ORDER, uplo, n, a, lda);
}

static int NAMED(getrf)(int m, int n, void *a, int lda, int *pivots) {
  return LAPACKE_WORK(getrf)(ORDER, m, n, a, lda, pivots);
}

static void NAMED(laswp)(int n, void *a, int lda, int first, int last, const int *pivots) {
  LAPACKE_WORK(laswp)(ORDER, n, a, lda, first, last, pivots, 1);
}

static int NAMED(getrs)(int n, int n_rhs, const void *a, const int *pivots, void *b) {
  return LAPACKE_WORK(getrs)(ORDER, 'N', n, n_rhs, a, n, pivots, b, n);
}

static int NAMED(geqrf)(int m, int n, void *a, void *tau, struct lapack_work *work) {
  T size = 0;
  if (work->n_work >= 0)
    return LAPACKE_WORK(geqrf)(ORDER, m, n, a, m, tau, work->items, (int)work->n_work);
  LAPACKE_WORK(geqrf)(ORDER, m, n, &size, m, &size, &size, -1);
  work->n_work = answered(*(const R *)&size);
  return 0;
}

static int NAMED(orgqr)(int m, int n, int k, void *a, const void *tau, struct lapack_work *work) {
  T size = 0;
  if (work->n_work >= 0)
    return OF_KIND(orgqr)(ORDER, m, n, k, a, m, tau, work->items, (int)work->n_work);
  OF_KIND(orgqr)(ORDER, m, n, k, &size, m, &size, &size, -1);
  work->n_work = answered(*(const R *)&size);
  return 0;
}

static int NAMED(gesdd)(char job, int m, int n, void *a, void *s, void *u, void *vh,
                        struct lapack_work *work) {
  const int ld_vh = job == 'A' ? n : (int)smaller(m, n);
  if (work->n_work >= 0)
    return OF_KIND(gesdd)(work->ints, (R *)work->reals, ORDER, job, m, n, a, m, s, u, m, vh, ld_vh,
                          work->items, (int)work->n_work);
  T size = 0;
  R real = 0;
  int integer = 0;
  (void)real;
  OF_KIND(gesdd)(&integer, &real, ORDER, job, m, n, &size, m, &real, &size, m, &size, ld_vh, &size, -1);
  work->n_work = answered(*(const R *)&size);
  work->n_real = OF_KIND(gesdd_reals)(job, m, n);
  work->n_ints = 8 * smaller(m, n);
  return 0;
}

static int NAMED(syevd)(char job, char uplo, int n, void *a, void *w, struct lapack_work *work) {
  if (work->n_work >= 0)
    return OF_KIND(syevd)((R *)work->reals, (int)work->n_real, work->ints, (int)work->n_ints, ORDER, job,
                          uplo, n, a, n, w, work->items, (int)work->n_work);
  T size = 0;
  R real = 0;
  int integer = 0;
  OF_KIND(syevd)(&real, -1, &integer, -1, ORDER, job, uplo, n, &size, n, &real, &size, -1);
  work->n_work = answered(*(const R *)&size);
  work->n_real = answered(real);
  work->n_ints = integer;
  return 0;
}

static int NAMED(gelsd)(int m, int n, int n_rhs, void *a, void *b, int ldb, void *s, double rtol, int *rank,
                        struct lapack_work *work) {
  if (work->n_work >= 0)
    return OF_KIND(gelsd)(work->ints, (R *)work->reals, ORDER, m, n, n_rhs, a, m, b, ldb, s, (R)rtol, rank,
                          work->items, (int)work->n_work);
  T size = 0;
  R real = 0;
  int integer = 0;
  OF_KIND(gelsd)(&integer, &real, ORDER, m, n, n_rhs, &size, m, &size, ldb, &real, (R)rtol, rank, &size, -1);
  work->n_work = answered(*(const R *)&size);
  work->n_real = answered(real);
  work->n_ints = integer;
  return 0;
}

static const struct lapack NAMED(lapack) = {sizeof(T),    sizeof(R),    (double)EPS,  NAMED(gemm),
                                            NAMED(trsm),  NAMED(potrf), NAMED(getrf), NAMED(laswp),
                                            NAMED(getrs), NAMED(geqrf), NAMED(orgqr), NAMED(gesdd),
                                            NAMED(syevd), NAMED(geev),  NAMED(gelsd)};

#undef NAMED
#undef OF_KIND
#undef CBLAS
#undef PREFIX
#undef T
#undef R
#undef KIND
#undef EPS
