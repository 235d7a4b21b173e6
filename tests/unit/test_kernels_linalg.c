/* SPDX-License-Identifier: BSD-3-Clause */
/* Linear algebra, checked by what its results must satisfy (factors multiplied, residuals, orthogonality), in
 * double and with bounds that grow with eps, the sides and the norms. Inputs have strides of every kind, and
 * everything is computed by one and by two threads, which must give the same bits. */
#include "tests/unit/linalg_matrices.h"

void openblas_set_num_threads(int n);

/* ---- Checks, one for each operation. `in` is random, of shape (batch, m, n). ---- */

struct shape {
  int batch_ndim;
  int64_t batch[2], m, n;
};

static struct array array_of(numd_dtype dtype, const struct shape *s, int64_t m, int64_t n) {
  int64_t shape[4] = {s->batch[0], s->batch[1]};
  shape[s->batch_ndim] = m;
  shape[s->batch_ndim + 1] = n;
  return array_new(dtype, s->batch_ndim + 2, shape);
}

static int64_t batch_of(const struct shape *s) {
  return (s->batch_ndim > 0 ? s->batch[0] : 1) * (s->batch_ndim > 1 ? s->batch[1] : 1);
}

static void check_fine(const struct outcome *o, numd_op op) {
  CHECK(o->status == 0 && o->flags == 0, "%s: status %d, flags %u", op_rows[op].name, o->status, o->flags);
}

static void check_cholesky(numd_dtype dtype, const struct shape *s) {
  const bool upper = random_below(2);
  struct array a = array_of(dtype, s, s->n, s->n);
  fill_random(&a, 0);
  make_definite(&a, true, upper);
  struct outcome o = run_op(NUMD_OP_CHOLESKY, 1, &a, upper ? NUMD_PARAM_UPPER : 0, 0);
  check_fine(&o, NUMD_OP_CHOLESKY);
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = whole(&a, b, upper), l = matrix_of(&o.out[0], 2, b), h = adjoint(l);
    struct matrix p = upper ? times(h, l) : times(l, h);
    for (int64_t i = 0; i < s->n; i++)
      for (int64_t j = 0; j < s->n; j++)
        CHECK((upper ? i <= j : i >= j) || l.v[i * s->n + j] == 0, "cholesky is not triangular");
    CLOSE(p, m, norm(m), "cholesky");
    FREE_ALL(m.v, l.v, h.v, p.v);
  }
  outcome_free(&o);
  free(a.memory);
}

static void check_orthonormal(numd_dtype dtype, struct matrix q, const char *what) {
  struct matrix h = adjoint(q), p = times(h, q), one = identity(q.cols);
  CLOSE(p, one, (double)q.rows, what);
  FREE_ALL(h.v, p.v, one.v);
}

static void check_qr(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->m, s->n);
  fill_random(&a, 0);
  struct outcome o = run_op(NUMD_OP_QR, 1, &a, random_below(2) ? NUMD_PARAM_FULL : 0, 0);
  check_fine(&o, NUMD_OP_QR);
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), q = matrix_of(&o.out[0], 2, b), r = matrix_of(&o.out[1], 2, b);
    struct matrix p = times(q, r);
    for (int64_t i = 0; i < r.rows; i++)
      for (int64_t j = 0; j < r.cols && j < i; j++)
        CHECK(r.v[i * r.cols + j] == 0, "r is not triangular");
    CLOSE(p, m, norm(m), "qr");
    check_orthonormal(dtype, q, "q");
    FREE_ALL(m.v, q.v, r.v, p.v);
  }
  outcome_free(&o);
  free(a.memory);
}

static void check_svd(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->m, s->n);
  fill_random(&a, 0);
  struct outcome o = run_op(NUMD_OP_SVD, 1, &a, random_below(2) ? NUMD_PARAM_FULL : 0, 0);
  struct outcome values = run_op(NUMD_OP_SVDVALS, 1, &a, 0, 0);
  check_fine(&o, NUMD_OP_SVD);
  check_fine(&values, NUMD_OP_SVDVALS);
  CHECK(o.out[1].layout.dtype == dtype_part(dtype), "singular values are real");
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), u = matrix_of(&o.out[0], 2, b), w = matrix_of(&o.out[1], 1, b);
    struct matrix vh = matrix_of(&o.out[2], 2, b), v = adjoint(vh), own = matrix_of(&values.out[0], 1, b);
    struct matrix middle = matrix_new(u.cols, vh.rows);
    for (int64_t i = 0; i < w.rows; i++) {
      CHECK(creal(w.v[i]) >= 0 && (i == 0 || creal(w.v[i - 1]) >= creal(w.v[i])), "not in order");
      middle.v[i * vh.rows + i] = w.v[i];
    }
    struct matrix us = times(u, middle), p = times(us, vh);
    CLOSE(p, m, norm(m), "svd");
    CLOSE(own, w, norm(m), "svdvals");
    check_orthonormal(dtype, u, "u");
    check_orthonormal(dtype, v, "v");
    FREE_ALL(m.v, u.v, w.v, vh.v, v.v, own.v, middle.v, us.v, p.v);
  }
  outcome_free(&o);
  outcome_free(&values);
  free(a.memory);
}

/* A V = V diag(w) */
static void check_pairs(numd_dtype dtype, struct matrix m, struct matrix w, struct matrix v,
                        const char *what) {
  struct matrix mv = times(m, v), vw = matrix_new(v.rows, v.cols);
  for (int64_t i = 0; i < v.rows; i++)
    for (int64_t j = 0; j < v.cols; j++)
      vw.v[i * v.cols + j] = v.v[i * v.cols + j] * w.v[j];
  CLOSE(mv, vw, norm(m) * (norm(v) + 1), what);
  CHECK(v.cols == 0 || fabs(norm(v) - sqrt((double)v.cols)) < 0.01, "%s: vectors are not of length 1", what);
  FREE_ALL(mv.v, vw.v);
}

static void check_eigh(numd_dtype dtype, const struct shape *s) {
  const bool upper = random_below(2);
  struct array a = array_of(dtype, s, s->n, s->n);
  fill_random(&a, 0);
  make_definite(&a, false, upper);
  struct outcome o = run_op(NUMD_OP_EIGH, 1, &a, upper ? NUMD_PARAM_UPPER : 0, 0);
  struct outcome values = run_op(NUMD_OP_EIGVALSH, 1, &a, upper ? NUMD_PARAM_UPPER : 0, 0);
  check_fine(&o, NUMD_OP_EIGH);
  check_fine(&values, NUMD_OP_EIGVALSH);
  CHECK(o.out[0].layout.dtype == dtype_part(dtype), "eigenvalues are real");
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = whole(&a, b, upper), w = matrix_of(&o.out[0], 1, b), v = matrix_of(&o.out[1], 2, b);
    struct matrix own = matrix_of(&values.out[0], 1, b);
    for (int64_t i = 1; i < w.rows; i++)
      CHECK(creal(w.v[i - 1]) <= creal(w.v[i]), "not in order");
    check_pairs(dtype, m, w, v, "eigh");
    check_orthonormal(dtype, v, "v");
    CLOSE(own, w, norm(m), "eigvalsh");
    FREE_ALL(m.v, w.v, v.v, own.v);
  }
  outcome_free(&o);
  outcome_free(&values);
  free(a.memory);
}

static void check_eig(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->n, s->n);
  fill_random(&a, 0);
  struct outcome o = run_op(NUMD_OP_EIG, 1, &a, 0, 0), values = run_op(NUMD_OP_EIGVALS, 1, &a, 0, 0);
  check_fine(&o, NUMD_OP_EIG);
  check_fine(&values, NUMD_OP_EIGVALS);
  CHECK(dtype_rows[o.out[0].layout.dtype].kind == 'c', "eigenvalues are complex");
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), w = matrix_of(&o.out[0], 1, b), v = matrix_of(&o.out[1], 2, b);
    struct matrix own = matrix_of(&values.out[0], 1, b), sums = matrix_new(1, 1), trace = matrix_new(1, 1);
    for (int64_t i = 0; i < s->n; i++) {
      sums.v[0] += own.v[i];
      trace.v[0] += m.v[i * s->n + i];
    }
    check_pairs(dtype, m, w, v, "eig");
    CLOSE(sums, trace, norm(m) * (double)s->n, "eigvals");
    FREE_ALL(m.v, w.v, v.v, own.v, sums.v, trace.v);
  }
  outcome_free(&o);
  outcome_free(&values);
  free(a.memory);
}

/* The right side has its own leading axes: as many, or none, or but one column. */
static void check_solve(numd_dtype dtype, const struct shape *s) {
  const int kind = random_below(3);
  const int64_t k = random_below(6);
  struct array in[2] = {array_of(dtype, s, s->n, s->n)};
  const struct shape none = {0, {0, 0}, 0, 0};
  in[1] = kind == 0   ? array_new(dtype, 1, &s->n)
          : kind == 1 ? array_of(dtype, &none, s->n, k)
                      : array_of(dtype, s, s->n, k);
  fill_random(&in[0], (double)s->n);
  fill_random(&in[1], 0);
  struct outcome o = run_op(NUMD_OP_SOLVE, 2, in, 0, 0);
  check_fine(&o, NUMD_OP_SOLVE);
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&in[0], 2, b), x = matrix_of(&o.out[0], kind == 0 ? 1 : 2, b);
    struct matrix rhs = matrix_of(&in[1], kind == 0 ? 1 : 2, kind == 2 ? b : 0), p = times(m, x);
    CLOSE(p, rhs, norm(m) * norm(x), "solve");
    FREE_ALL(m.v, x.v, rhs.v, p.v);
  }
  outcome_free(&o);
  free(in[0].memory);
  free(in[1].memory);
}

static void check_inv(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->n, s->n);
  fill_random(&a, (double)s->n);
  struct outcome o = run_op(NUMD_OP_INV, 1, &a, 0, 0);
  check_fine(&o, NUMD_OP_INV);
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), x = matrix_of(&o.out[0], 2, b), p = times(m, x),
                  one = identity(s->n);
    CLOSE(p, one, norm(m) * norm(x), "inv");
    FREE_ALL(m.v, x.v, p.v, one.v);
  }
  outcome_free(&o);
  free(a.memory);
}

static void check_det(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->n, s->n);
  fill_random(&a, (double)s->n * (random_below(2) ? 1 : -1));
  struct outcome o = run_op(NUMD_OP_DET, 1, &a, 0, 0), both = run_op(NUMD_OP_SLOGDET, 1, &a, 0, 0);
  check_fine(&o, NUMD_OP_DET);
  check_fine(&both, NUMD_OP_SLOGDET);
  CHECK(both.out[1].layout.dtype == dtype_part(dtype), "the logarithm is real");
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), got = matrix_of(&o.out[0], 0, b),
                  sign = matrix_of(&both.out[0], 0, b);
    struct matrix log_got = matrix_of(&both.out[1], 0, b);
    double log_wanted;
    const number wanted = naive_sign(m, &log_wanted);
    const double bound = 100 * eps_of(dtype) * (double)(s->n + 3);
    const double most = dtype_part(dtype) == NUMD_FLOAT32 ? 80 : 700;
    CHECK(cabs(sign.v[0] - wanted) <= bound, "slogdet: sign");
    CHECK(fabs(creal(log_got.v[0]) - log_wanted) <= bound * (1 + fabs(log_wanted)), "slogdet: %g, not %g",
          creal(log_got.v[0]), log_wanted);
    if (log_wanted > most + 20)
      CHECK(!isfinite(creal(got.v[0])) || !isfinite(cimag(got.v[0])), "det: overflows");
    else if (log_wanted < most)
      CHECK(cabs(got.v[0] / exp(log_wanted) - wanted) <= bound * (1 + fabs(log_wanted)), "det");
    FREE_ALL(m.v, got.v, sign.v, log_got.v);
  }
  outcome_free(&o);
  outcome_free(&both);
  free(a.memory);
}

static int64_t random_rank(const struct shape *s) {
  const int64_t least = s->m < s->n ? s->m : s->n;
  return least - (least > 0 ? random_below((int)least + 1) : 0);
}

static void check_pinv(numd_dtype dtype, const struct shape *s) {
  struct array a = array_of(dtype, s, s->m, s->n);
  fill_rank(&a, random_rank(s));
  struct outcome o = run_op(NUMD_OP_PINV, 1, &a, NUMD_PARAM_RTOL, 1e-4);
  check_fine(&o, NUMD_OP_PINV);
  for (int64_t b = 0; b < batch_of(s); b++) {
    struct matrix m = matrix_of(&a, 2, b), x = matrix_of(&o.out[0], 2, b), mx = times(m, x), xm = times(x, m);
    struct matrix mxm = times(mx, m), xmx = times(xm, x), mx_h = adjoint(mx), xm_h = adjoint(xm);
    const double scale = norm(m) * norm(x) + 1;
    CLOSE(mxm, m, norm(m) * scale, "pinv: A X A");
    CLOSE(xmx, x, norm(x) * scale, "pinv: X A X");
    CLOSE(mx, mx_h, scale * scale, "pinv: A X");
    CLOSE(xm, xm_h, scale * scale, "pinv: X A");
    FREE_ALL(m.v, x.v, mx.v, xm.v, mxm.v, xmx.v, mx_h.v, xm_h.v);
  }
  outcome_free(&o);
  free(a.memory);
}

static void check_rank(numd_dtype dtype, const struct shape *s) {
  const int64_t rank = random_rank(s);
  const bool given = random_below(2);
  struct array a = array_of(dtype, s, s->m, s->n);
  fill_rank(&a, rank);
  struct outcome o = run_op(NUMD_OP_MATRIX_RANK, 1, &a, given ? NUMD_PARAM_RTOL : 0, 1e-4);
  check_fine(&o, NUMD_OP_MATRIX_RANK);
  for (int64_t b = 0; given && b < batch_of(s); b++)
    CHECK(((int64_t *)o.out[0].data)[b] == rank, "matrix_rank: %ld, not %ld",
          (long)((int64_t *)o.out[0].data)[b], (long)rank);
  for (int64_t b = 0; !given && b < batch_of(s); b++) /* rounding may hide a deficiency, but lose nothing */
    CHECK(((int64_t *)o.out[0].data)[b] >= rank, "matrix_rank is too low");
  outcome_free(&o);
  free(a.memory);
}

static void check_lstsq(numd_dtype dtype, const struct shape *s) {
  const struct shape none = {0, {0, 0}, 0, 0};
  const int64_t k = random_below(4), rank = random_rank(s);
  const bool vector = random_below(2);
  struct array in[2] = {array_of(dtype, &none, s->m, s->n),
                        vector ? array_new(dtype, 1, &s->m) : array_of(dtype, &none, s->m, k)};
  fill_rank(&in[0], rank);
  fill_random(&in[1], 0);
  struct outcome o = run_op(NUMD_OP_LSTSQ, 2, in, NUMD_PARAM_RTOL, 1e-4);
  check_fine(&o, NUMD_OP_LSTSQ);
  struct matrix a = matrix_of(&in[0], 2, 0), b = matrix_of(&in[1], vector ? 1 : 2, 0), h = adjoint(a);
  struct matrix x = matrix_of(&o.out[0], vector ? 1 : 2, 0), residuals = matrix_of(&o.out[1], 1, 0);
  struct matrix ax = times(a, x), p = times(h, ax), q = times(h, b);
  CHECK(*(int64_t *)o.out[2].data == rank, "lstsq: rank");
  CLOSE(p, q, norm(a) * (norm(a) * norm(x) + norm(b)) * (double)(s->m + s->n), "lstsq");
  CHECK(residuals.rows == (s->m > s->n ? b.cols : 0), "lstsq: %ld residuals", (long)residuals.rows);
  for (int64_t j = 0; j < residuals.rows; j++) {
    double sum = 0;
    for (int64_t i = 0; i < s->m; i++)
      sum += pow(cabs(ax.v[i * b.cols + j] - b.v[i * b.cols + j]), 2);
    CHECK(rank == s->n ? fabs(sum - creal(residuals.v[j])) <= 1e4 * eps_of(dtype) * (double)(s->m + 3)
                       : isnan(creal(residuals.v[j])),
          "lstsq: residual %g, not %g", creal(residuals.v[j]), sum);
  }
  FREE_ALL(a.v, b.v, h.v, x.v, residuals.v, ax.v, p.v, q.v);
  outcome_free(&o);
  free(in[0].memory);
  free(in[1].memory);
}

/* SVDVALS, EIGVALSH, EIGVALS and SLOGDET are checked along with their neighbours. */
static const struct {
  numd_op op;
  void (*check)(numd_dtype dtype, const struct shape *s);
  bool in_tiles;
} checks[] = {
    {NUMD_OP_CHOLESKY, check_cholesky, true}, {NUMD_OP_QR, check_qr, false},
    {NUMD_OP_SVD, check_svd, false},          {NUMD_OP_SVDVALS, check_svd, false},
    {NUMD_OP_EIGH, check_eigh, false},        {NUMD_OP_EIGVALSH, check_eigh, false},
    {NUMD_OP_EIG, check_eig, false},          {NUMD_OP_EIGVALS, check_eig, false},
    {NUMD_OP_SOLVE, check_solve, true},       {NUMD_OP_INV, check_inv, true},
    {NUMD_OP_DET, check_det, true},           {NUMD_OP_SLOGDET, check_det, true},
    {NUMD_OP_PINV, check_pinv, false},        {NUMD_OP_MATRIX_RANK, check_rank, false},
    {NUMD_OP_LSTSQ, check_lstsq, false},
};
#define N_CHECKS ((int)(sizeof(checks) / sizeof(checks[0])))

static const numd_dtype dtypes[] = {NUMD_FLOAT32, NUMD_FLOAT64, NUMD_COMPLEX64, NUMD_COMPLEX128};

/* Every operation of the class that lowering does not compose has a check. */
START_TEST(test_all_are_here) {
  for (int op = 0; op < NUMD_OP_CODES; op++) {
    if (!op_known((unsigned)op) || op_rows[op].op_class != NUMD_CLASS_LINALG ||
        op_rows[op].fast != NUMD_FAST_LAPACK)
      continue;
    bool found = false;
    for (int i = 0; i < N_CHECKS; i++)
      found |= (int)checks[i].op == op;
    ck_assert_msg(found && kernel_array((numd_op)op), "%s", op_rows[op].name);
  }
}
END_TEST

START_TEST(test_small_ones) {
  for (int d = 0; d < 4; d++)
    for (int round = 0; round < 60; round++) {
      const int most = round % 5 == 0 ? 40 : 8;
      struct shape s = {
          random_below(3), {random_below(4), random_below(4)}, random_below(most), random_below(most)};
      if (round % 3 == 0)
        s.batch_ndim = 0;
      checks[_i].check(dtypes[d], &s);
    }
}
END_TEST

/* Around the sizes at which tiles begin, end and widen. */
START_TEST(test_large_ones) {
  static const int64_t sides[] = {255, 256, 257, 330, 770};
  if (!checks[_i].in_tiles)
    return;
  for (int d = 0; d < 4; d++)
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
      const struct shape s = {0, {0, 0}, sides[i], sides[i]};
      if (sides[i] < 500 || dtypes[d] == NUMD_FLOAT64) /* the check itself takes long */
        checks[_i].check(dtypes[d], &s);
    }
}
END_TEST

/* Nothing hangs or leaves its bounds, whatever the values. */
START_TEST(test_odd_values) {
  const numd_op op = checks[_i].op;
  for (int d = 0; d < 4; d++)
    for (int round = 0; round < 60; round++) {
      static const double odd[] = {NAN, INFINITY, -INFINITY, 0, 1e300, 1e-310, 1e38, -0.};
      const int64_t side = round == 0 && checks[_i].in_tiles ? 300 : 1 + random_below(20);
      const struct shape s = {0, {0, 0}, side, side};
      struct array in[2] = {array_of(dtypes[d], &s, side, side), array_of(dtypes[d], &s, side, 2)};
      for (int a = 0; a < 2; a++) {
        fill_random(&in[a], 0);
        for (int64_t i = 0; i < count_items(&in[a].layout); i++)
          if (random_below(round % 4 == 0 ? 1 : 50) == 0)
            put_at(dtypes[d], item_at(&in[a], i), CMPLX(odd[random_below(8)], odd[random_below(8)]));
      }
      struct outcome o = run_op(op, op_rows[op].n_in, in, 0, 0);
      ck_assert_int_eq(o.status, 0);
      CHECK((o.flags & ~(unsigned)(KERNEL_CONVERGE | KERNEL_DEFINITE | KERNEL_SINGULAR)) == 0, "flags %u",
            o.flags);
      outcome_free(&o);
      free(in[0].memory);
      free(in[1].memory);
    }
}
END_TEST

static unsigned flags_of(numd_op op, struct array in[2], struct outcome *o) {
  *o = run_op(op, op_rows[op].n_in, in, 0, 0);
  ck_assert_int_eq(o->status, 0);
  return o->flags;
}

/* What has no inverse, factor or eigenvalues is said. */
START_TEST(test_flags) {
  static const int64_t sides[] = {1, 2, 3, 4, 5, 20, 300};
  for (int d = 0; d < 4; d++)
    for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
      const numd_dtype dtype = dtypes[d];
      const struct shape s = {0, {0, 0}, sides[i], sides[i]};
      struct array in[2] = {array_of(dtype, &s, sides[i], sides[i]), array_of(dtype, &s, sides[i], 2)};
      struct outcome o;
      for (int64_t e = 0; e < sides[i] * sides[i]; e++) /* the last row and column are zero */
        put_at(dtype, item_at(&in[0], e), e % (sides[i] + 1) == 0 && e + 1 < sides[i] * sides[i]);
      fill_random(&in[1], 0);
      CHECK(flags_of(NUMD_OP_INV, in, &o) == KERNEL_SINGULAR, "inv");
      outcome_free(&o);
      CHECK(flags_of(NUMD_OP_SOLVE, in, &o) == KERNEL_SINGULAR, "solve");
      outcome_free(&o);
      CHECK(flags_of(NUMD_OP_CHOLESKY, in, &o) == KERNEL_DEFINITE, "cholesky");
      outcome_free(&o);
      CHECK(flags_of(NUMD_OP_DET, in, &o) == 0 && get_at(dtype, o.out[0].data) == 0, "det");
      outcome_free(&o);
      CHECK(flags_of(NUMD_OP_SLOGDET, in, &o) == 0 && get_at(dtype, o.out[0].data) == 0 &&
                creal(get_at(dtype_part(dtype), o.out[1].data)) == -INFINITY,
            "slogdet");
      outcome_free(&o);
      put_at(dtype, item_at(&in[0], 0), NAN);
      static const numd_op iterations[] = {NUMD_OP_SVD,      NUMD_OP_SVDVALS,     NUMD_OP_EIGH,
                                           NUMD_OP_EIGVALSH, NUMD_OP_EIG,         NUMD_OP_EIGVALS,
                                           NUMD_OP_PINV,     NUMD_OP_MATRIX_RANK, NUMD_OP_LSTSQ};
      for (size_t j = 0; j < sizeof(iterations) / sizeof(iterations[0]); j++) {
        CHECK(flags_of(iterations[j], in, &o) == KERNEL_CONVERGE, "%s", op_rows[iterations[j]].name);
        outcome_free(&o);
      }
      free(in[0].memory);
      free(in[1].memory);
    }
}
END_TEST

/* A determinant whose factors' product leaves the range on the way. */
START_TEST(test_det_range) {
  const int64_t shape[] = {6, 6};
  struct array a = array_new(NUMD_FLOAT64, 2, shape);
  static const double diagonal[] = {1e200, 1e200, 1e-200, 1e-200, 3, -1};
  for (int64_t i = 0; i < 36; i++)
    put_at(NUMD_FLOAT64, item_at(&a, i), i % 7 == 0 ? diagonal[i / 7] : 0);
  struct outcome o = run_op(NUMD_OP_DET, 1, &a, 0, 0);
  CHECK(fabs(*(double *)o.out[0].data + 3) < 1e-14, "det is %g", *(double *)o.out[0].data);
  outcome_free(&o);
  free(a.memory);
}
END_TEST

static int status_of(numd_op op, int ndim, const int64_t shape[]) {
  struct array in[2] = {array_new(NUMD_FLOAT64, ndim, shape), array_new(NUMD_FLOAT64, ndim, shape)};
  const struct array_job job = job_of(op, NUMD_FLOAT64, op_rows[op].n_in, in, 0, 0);
  struct outcome o = run_threads(job, in, 1);
  outcome_free(&o);
  free(in[0].memory);
  free(in[1].memory);
  return o.status;
}

START_TEST(test_refusals) {
  static const numd_op square[] = {NUMD_OP_CHOLESKY, NUMD_OP_EIGH,    NUMD_OP_EIGVALSH,
                                   NUMD_OP_EIG,      NUMD_OP_EIGVALS, NUMD_OP_SOLVE,
                                   NUMD_OP_INV,      NUMD_OP_DET,     NUMD_OP_SLOGDET};
  for (size_t i = 0; i < sizeof(square) / sizeof(square[0]); i++)
    ck_assert_int_eq(status_of(square[i], 2, (const int64_t[]){2, 3}), NUMD_ESHAPE);
  for (int i = 0; i < N_CHECKS; i++)
    ck_assert_int_eq(status_of(checks[i].op, 1, (const int64_t[]){3}), NUMD_ESHAPE);
  ck_assert_int_eq(status_of(NUMD_OP_LSTSQ, 3, (const int64_t[]){2, 2, 2}), NUMD_ESHAPE);
}
END_TEST

static void setup(void) {
  openblas_set_num_threads(1);
  kernels_init(NULL);
  random_reseed();
}

int main(void) {
  Suite *suite = suite_create("kernels_linalg");
  TCase *tcase = tcase_create("kernels_linalg");
  tcase_add_checked_fixture(tcase, setup, NULL);
  tcase_set_timeout(tcase, 120);
  tcase_add_test(tcase, test_all_are_here);
  tcase_add_loop_test(tcase, test_small_ones, 0, N_CHECKS);
  tcase_add_loop_test(tcase, test_large_ones, 0, N_CHECKS);
  tcase_add_loop_test(tcase, test_odd_values, 0, N_CHECKS);
  tcase_add_test(tcase, test_flags);
  tcase_add_test(tcase, test_det_range);
  tcase_add_test(tcase, test_refusals);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
