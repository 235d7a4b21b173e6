/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from factorisations: linear systems, inverses, determinants, and what singular values say. */
#include <math.h>
#include <string.h>

#include "server/kernels/copy/strided_copy.h"
#include "server/kernels/linalg/linalg.h"

static double cube(int64_t n) {
  return (double)n * (double)n * (double)n;
}

/* ---- Systems and inverses ----
 *
 * The inverse is the solution for the identity, as NumPy has it. Areas: A the matrix, B the right side, INTS
 * pivots. */

static void plan_lu(struct linalg_plan *p, const struct lapack *l) {
  p->area[AREA_A] = p->n * p->n * l->item;
  p->area[AREA_B] = p->n * p->k * l->item;
  p->area[AREA_INTS] = p->n * (int64_t)sizeof(int);
}

int linalg_plan_solve(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const struct layout *b = &job->in[1];
  const bool vector = b->ndim == 1;
  const int r = linalg_square(job, err);
  if (r)
    return r;
  if (b->ndim == 0)
    return errtext_set(err, NUMD_ESHAPE, "solve: the right side has no axes");
  if (b->shape[vector ? 0 : b->ndim - 2] != p->n) {
    char sides[2][96];
    return errtext_set(err, NUMD_ESHAPE, "solve: the sides do not match: %s and %s",
                       array_shape_text(&job->in[0], sides[0]), array_shape_text(b, sides[1]));
  }
  p->k = vector ? 1 : b->shape[b->ndim - 1];
  if (p->k > INT32_MAX || (p->n > 0 && p->k > (INT64_MAX >> 8) / (p->n * l->item)))
    return errtext_set(err, NUMD_ELIMIT, "solve: too many right sides");
  linalg_output(job, (numd_dtype)job->dtype, vector ? 1 : 2, p->n, p->k);
  plan_lu(p, l);
  *flops = cube(p->n) * 2 / 3 + 2. * (double)(p->n * p->n) * (double)p->k;
  return 0;
}

unsigned linalg_solve(const struct linalg_one *o) {
  const int64_t n = o->p->n, k = o->p->k;
  char *a = o->area[AREA_A], *b = o->area[AREA_B];
  int *pivots = (int *)o->area[AREA_INTS];
  if (n == 0)
    return 0;
  linalg_load(o, 0, n, n, a);
  linalg_load(o, 1, n, k, b);
  if (o->l->getrf((int)n, (int)n, a, (int)n, pivots) > 0)
    return KERNEL_SINGULAR;
  if (k > 0)
    o->l->getrs((int)n, (int)k, a, pivots, b);
  linalg_store(o, 0, n, k, b, n);
  return 0;
}

int linalg_plan_inv(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const int r = linalg_square(job, err);
  if (r)
    return r;
  p->k = p->n;
  linalg_output(job, (numd_dtype)job->dtype, 2, p->n, p->n);
  plan_lu(p, l);
  *flops = cube(p->n) * 8 / 3;
  return 0;
}

unsigned linalg_inv(const struct linalg_one *o) {
  const int64_t n = o->p->n;
  const double one[2] = {1, 0};
  char *a = o->area[AREA_A], *b = o->area[AREA_B];
  int *pivots = (int *)o->area[AREA_INTS];
  if (n == 0)
    return 0;
  linalg_load(o, 0, n, n, a);
  memset(b, 0, (size_t)(n * n * o->l->item));
  for (int64_t j = 0; j < n; j++)
    linalg_put(o->l, b + j * (n + 1) * o->l->item, one);
  if (o->l->getrf((int)n, (int)n, a, (int)n, pivots) > 0)
    return KERNEL_SINGULAR;
  o->l->getrs((int)n, (int)n, a, pivots, b);
  linalg_store(o, 0, n, n, b, n);
  return 0;
}

/* ---- Determinants ---- */

int linalg_plan_det(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const numd_dtype dtype = (numd_dtype)job->dtype;
  const int r = linalg_square(job, err);
  if (r)
    return r;
  linalg_output(job, dtype, 0, 0, 0);
  if (job->op == NUMD_OP_SLOGDET)
    linalg_output(job, dtype_part(dtype), 0, 0, 0);
  plan_lu(p, l);
  *flops = cube(p->n) * 2 / 3;
  return 0;
}

/* A product that neither overflows nor underflows on the way: z times 2 to the `exponent`. */
struct scaled {
  double z[2];
  int64_t exponent;
};

/* Brings the larger part of z between 1/2 and 1. */
static void normalise(double z[2], int64_t *exponent) {
  const double most = fmax(fabs(z[0]), fabs(z[1]));
  int e = 0;
  if (!(most > 0 && most < INFINITY))
    return;
  frexp(most, &e);
  z[0] = ldexp(z[0], -e);
  z[1] = ldexp(z[1], -e);
  *exponent += e;
}

static void multiply_by(struct scaled *s, double x[2], bool is_complex) {
  const double re = s->z[0], im = s->z[1];
  normalise(x, &s->exponent);
  if (is_complex) {
    s->z[0] = re * x[0] - im * x[1];
    s->z[1] = re * x[1] + im * x[0];
  } else {
    s->z[0] = re * x[0];
  }
  normalise(s->z, &s->exponent);
}

static double permutation_sign(int64_t n, const int *pivots) {
  double sign = 1;
  for (int64_t j = 0; j < n; j++)
    if (pivots[j] != j + 1)
      sign = -sign;
  return sign;
}

static void store_det(const struct linalg_one *o, const char *a, double sign) {
  struct scaled product = {{sign, 0}, 0};
  for (int64_t j = 0; j < o->p->n; j++) {
    double x[2];
    linalg_get(o->l, a + j * (o->p->n + 1) * o->l->item, x);
    multiply_by(&product, x, o->l->item > o->l->real);
  }
  const int exponent = product.exponent > 5000    ? 5000
                       : product.exponent < -5000 ? -5000
                                                  : (int)product.exponent;
  linalg_put(o->l, o->out[0], (double[2]){ldexp(product.z[0], exponent), ldexp(product.z[1], exponent)});
}

static void put_real(const struct lapack *l, char *to, double x) {
  if (l->real == 4)
    *(float *)to = (float)x;
  else
    *(double *)to = x;
}

/* The sign is kept at magnitude 1 as factors join it; a real sign times NaN keeps its sign, as NumPy's does.
 */
static void store_slogdet(const struct linalg_one *o, const char *a, double sign) {
  double z[2] = {sign, 0}, log_sum = 0;
  for (int64_t j = 0; j < o->p->n; j++) {
    double x[2];
    linalg_get(o->l, a + j * (o->p->n + 1) * o->l->item, x);
    const double magnitude = hypot(x[0], x[1]);
    log_sum += log(magnitude);
    if (o->l->item > o->l->real) {
      const double re = x[0] / magnitude, im = x[1] / magnitude, old = z[0];
      z[0] = old * re - z[1] * im;
      z[1] = old * im + z[1] * re;
    } else if (x[0] < 0) {
      z[0] = -z[0];
    }
  }
  linalg_put(o->l, o->out[0], z);
  put_real(o->l, o->out[1], log_sum);
}

void linalg_store_det(const struct linalg_one *o, const char *a, const int *pivots, int info) {
  const double sign = info > 0 ? 0 : permutation_sign(o->p->n, pivots);
  if (info > 0) {
    linalg_put(o->l, o->out[0], (double[2]){0, 0});
    if (o->job->op == NUMD_OP_SLOGDET)
      put_real(o->l, o->out[1], -INFINITY);
  } else if (o->job->op == NUMD_OP_SLOGDET) {
    store_slogdet(o, a, sign);
  } else {
    store_det(o, a, sign);
  }
}

unsigned linalg_det(const struct linalg_one *o) {
  const int64_t n = o->p->n;
  char *a = o->area[AREA_A];
  int *pivots = (int *)o->area[AREA_INTS], info = 0;
  linalg_load(o, 0, n, n, a);
  if (n > 0)
    info = o->l->getrf((int)n, (int)n, a, (int)n, pivots);
  linalg_store_det(o, a, pivots, info);
  return 0;
}

/* ---- By singular values ---- */

static int64_t least_side(const struct linalg_plan *p) {
  return p->m < p->n ? p->m : p->n;
}

static double tolerance(const struct linalg_one *o) {
  const int64_t most = o->p->m > o->p->n ? o->p->m : o->p->n;
  return o->job->params.given & NUMD_PARAM_RTOL ? o->job->params.real : (double)most * o->l->eps;
}

/* Areas: A the matrix; B u, C vh and `k` the job of gesdd, as a letter. Behind the real workspace come the
 * singular values. */
static int plan_values(struct array_job *job, const struct lapack *l, char kind, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  struct lapack_work ask = linalg_ask();
  const int64_t least = least_side(p);
  if (least == 0)
    return 0;
  p->area[AREA_A] = p->m * p->n * l->item;
  if (kind != 'N') {
    p->area[AREA_B] = p->m * least * l->item;
    p->area[AREA_C] = least * p->n * l->item;
  }
  l->gesdd(kind, (int)p->m, (int)p->n, NULL, NULL, NULL, NULL, &ask);
  const int r = linalg_workspace(job, l, &ask, err);
  p->area[AREA_REALS] += least * l->real;
  return r;
}

/* The singular values, and how many are above the tolerance; -1: none were found. */
static int64_t values_above(const struct linalg_one *o, char kind, const char **values) {
  const int64_t m = o->p->m, n = o->p->n, least = least_side(o->p);
  char *a = o->area[AREA_A];
  struct lapack_work work = linalg_work(o);
  char *s = work.reals + work.n_real * o->l->real;
  *values = s;
  linalg_load(o, 0, m, n, a);
  if (!linalg_finite(o->l, m * n, a) ||
      o->l->gesdd(kind, (int)m, (int)n, a, s, o->area[AREA_B], o->area[AREA_C], &work) != 0)
    return -1;
  const double least_value = tolerance(o) * linalg_real(o->l, s, 0);
  int64_t count = 0;
  while (count < least && linalg_real(o->l, s, count) > least_value)
    count++;
  return count;
}

int linalg_plan_rank(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  const struct linalg_plan *p = linalg_plan_of(job);
  linalg_output(job, NUMD_INT64, 0, 0, 0);
  *flops = 4. * (double)(p->m * p->n) * (double)least_side(p);
  return plan_values(job, l, 'N', err);
}

unsigned linalg_rank(const struct linalg_one *o) {
  const char *values;
  const int64_t rank = least_side(o->p) == 0 ? 0 : values_above(o, 'N', &values);
  *(int64_t *)o->out[0] = rank;
  return rank < 0 ? KERNEL_CONVERGE : 0;
}

int linalg_plan_pinv(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  const struct linalg_plan *p = linalg_plan_of(job);
  linalg_output(job, (numd_dtype)job->dtype, 2, p->n, p->m);
  *flops = 24. * (double)(p->m * p->n) * (double)least_side(p);
  return plan_values(job, l, 'S', err);
}

static void scale_reals(const struct lapack *l, int64_t n, char *reals, double factor) {
  for (int64_t i = 0; i < n; i++)
    if (l->real == 4)
      ((float *)reals)[i] *= (float)factor;
    else
      ((double *)reals)[i] *= factor;
}

/* vh^H diag(1 / s) u^H, of the singular values above the tolerance; it takes the matrix's place. */
unsigned linalg_pinv(const struct linalg_one *o) {
  const int64_t m = o->p->m, n = o->p->n, least = least_side(o->p), parts = o->l->item / o->l->real;
  char *u = o->area[AREA_B], *vh = o->area[AREA_C], *inverse = o->area[AREA_A];
  const char *values;
  if (least == 0)
    return 0;
  const int64_t rank = values_above(o, 'S', &values);
  if (rank < 0)
    return KERNEL_CONVERGE;
  for (int64_t j = 0; j < rank; j++)
    scale_reals(o->l, m * parts, u + j * m * o->l->item, 1 / linalg_real(o->l, values, j));
  if (rank == 0)
    memset(inverse, 0, (size_t)(m * n * o->l->item));
  else
    o->l->gemm('C', 'C', (int)n, (int)m, (int)rank, 1, vh, (int)least, u, (int)m, 0, inverse, (int)n);
  linalg_store(o, 0, n, m, inverse, n);
  return 0;
}

/* ---- Least squares ----
 *
 * Residuals have their shape by the matrix's shape alone: one sum for each right side where there are more
 * rows than columns, else none. They are NaN where the rank turns out to be less than the columns, for which
 * NumPy gives none. Areas: A the matrix, B the right sides with room for the solutions. */

static bool has_residuals(const struct linalg_plan *p) {
  return p->m > p->n;
}

static int64_t rhs_rows(const struct linalg_plan *p) {
  return p->m > p->n ? p->m : p->n;
}

/* How many right sides LAPACK is given: one of zeros where there are none, since the rank is wanted even
 * then. */
static int64_t at_work(const struct linalg_plan *p) {
  return p->k > 0 ? p->k : 1;
}

int linalg_plan_lstsq(struct array_job *job, const struct lapack *l, double *flops, struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  const struct layout *a = &job->in[0], *b = &job->in[1];
  const numd_dtype dtype = (numd_dtype)job->dtype;
  const int64_t least = least_side(p);
  struct lapack_work ask = linalg_ask();
  int rank;
  if (a->ndim != 2 || b->ndim < 1 || b->ndim > 2)
    return errtext_set(err, NUMD_ESHAPE, "lstsq: wants one matrix and one or two axes, not %d and %d axes",
                       a->ndim, b->ndim);
  if (b->shape[0] != p->m)
    return errtext_set(err, NUMD_ESHAPE, "lstsq: %lld rows and %lld right sides", (long long)p->m,
                       (long long)b->shape[0]);
  p->k = b->ndim == 1 ? 1 : b->shape[1];
  if (p->k > INT32_MAX || (rhs_rows(p) > 0 && p->k > (INT64_MAX >> 8) / (rhs_rows(p) * l->item)))
    return errtext_set(err, NUMD_ELIMIT, "lstsq: too many right sides");
  linalg_output(job, dtype, b->ndim, p->n, p->k);
  linalg_output(job, dtype_part(dtype), 1, has_residuals(p) ? p->k : 0, 0);
  linalg_output(job, NUMD_INT64, 0, 0, 0);
  linalg_output(job, dtype_part(dtype), 1, least, 0);
  *flops = 4. * (double)(p->m * p->n) * (double)(least + p->k);
  p->area[AREA_B] = rhs_rows(p) * at_work(p) * l->item;
  if (least == 0)
    return 0;
  p->area[AREA_A] = p->m * p->n * l->item;
  l->gelsd((int)p->m, (int)p->n, (int)at_work(p), NULL, NULL, (int)rhs_rows(p), NULL, 0, &rank, &ask);
  const int r = linalg_workspace(job, l, &ask, err);
  p->area[AREA_REALS] += least * l->real;
  return r;
}

static void store_residuals(const struct linalg_one *o, const char *b, bool full_rank) {
  const int64_t first = o->p->n, last = o->p->m, parts = o->l->item / o->l->real;
  for (int64_t j = 0; j < o->p->k; j++) {
    double sum = 0;
    for (int64_t i = first * parts; i < last * parts; i++) {
      const double x = linalg_real(o->l, b + j * last * o->l->item, i);
      sum += x * x;
    }
    put_real(o->l, o->out[1] + j * o->l->real, full_rank ? sum : NAN);
  }
}

/* The right sides below each other in columns of rhs_rows. */
static void load_rhs(const struct linalg_one *o, char *b) {
  const struct layout *in = &o->job->in[1];
  const int64_t item = o->l->item, rows = rhs_rows(o->p);
  memset(b, 0, (size_t)o->p->area[AREA_B]);
  strided_copy(item, o->p->m, o->p->k, o->in[1],
               (int64_t[]){in->strides[0], in->ndim > 1 ? in->strides[1] : item}, b,
               (int64_t[]){item, rows * item});
}

unsigned linalg_lstsq(const struct linalg_one *o) {
  const struct linalg_plan *p = o->p;
  const int64_t m = p->m, n = p->n, least = least_side(p), rows = rhs_rows(p);
  char *a = o->area[AREA_A], *b = o->area[AREA_B];
  struct lapack_work work = linalg_work(o);
  char *s = work.reals + work.n_real * o->l->real;
  int rank = 0;
  load_rhs(o, b);
  if (least > 0) {
    linalg_load(o, 0, m, n, a);
    if (!linalg_finite(o->l, m * n, a) || !linalg_finite(o->l, rows * at_work(p), b) ||
        o->l->gelsd((int)m, (int)n, (int)at_work(p), a, b, (int)rows, s, tolerance(o), &rank, &work) != 0)
      return KERNEL_CONVERGE;
    memcpy(o->out[3], s, (size_t)(least * o->l->real));
  }
  *(int64_t *)o->out[2] = rank;
  linalg_store(o, 0, n, p->k, b, rows);
  if (has_residuals(p))
    store_residuals(o, b, rank == n);
  return 0;
}
