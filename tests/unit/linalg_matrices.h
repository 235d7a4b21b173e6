/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrices in double, in which results of linear algebra are checked, and the inputs that are made for it. */
#ifndef NUMD_TESTS_LINALG_MATRICES_H
#define NUMD_TESTS_LINALG_MATRICES_H

#include <math.h>

#include "tests/unit/linalg_run.h"

struct matrix {
  int64_t rows, cols;
  number *v; /* by rows */
};

static struct matrix matrix_new(int64_t rows, int64_t cols) {
  return (struct matrix){rows, cols, calloc((size_t)(rows * cols) + 1, sizeof(number))};
}

/* Matrix `index` of a batch in an array of at least `ndim` axes (2, 1: a column, or 0). */
static struct matrix matrix_of(const struct array *a, int ndim, int64_t index) {
  const int last = a->layout.ndim - 1;
  struct matrix m = matrix_new(ndim == 2   ? a->layout.shape[last - 1]
                               : ndim == 1 ? a->layout.shape[last]
                                           : 1,
                               ndim == 2 ? a->layout.shape[last] : 1);
  for (int64_t i = 0; i < m.rows * m.cols; i++)
    m.v[i] = get_at((numd_dtype)a->layout.dtype, item_at(a, index * m.rows * m.cols + i));
  return m;
}

static struct matrix times(struct matrix a, struct matrix b) {
  struct matrix c = matrix_new(a.rows, b.cols);
  CHECK(a.cols == b.rows, "the test multiplies what does not fit");
  for (int64_t i = 0; i < a.rows; i++)
    for (int64_t t = 0; t < a.cols; t++) {
      const double re = creal(a.v[i * a.cols + t]), im = cimag(a.v[i * a.cols + t]);
      const double *from = (const double *)&b.v[t * b.cols];
      double *to = (double *)&c.v[i * c.cols];
      for (int64_t j = 0; j < b.cols; j++) {
        to[2 * j] += re * from[2 * j] - im * from[2 * j + 1];
        to[2 * j + 1] += re * from[2 * j + 1] + im * from[2 * j];
      }
    }
  return c;
}

static struct matrix adjoint(struct matrix a) {
  struct matrix t = matrix_new(a.cols, a.rows);
  for (int64_t i = 0; i < a.rows; i++)
    for (int64_t j = 0; j < a.cols; j++)
      t.v[j * a.rows + i] = conj(a.v[i * a.cols + j]);
  return t;
}

static double norm(struct matrix a) {
  double sum = 0;
  for (int64_t i = 0; i < a.rows * a.cols; i++)
    sum += creal(a.v[i]) * creal(a.v[i]) + cimag(a.v[i]) * cimag(a.v[i]);
  return sqrt(sum);
}

static double distance(struct matrix a, struct matrix b) {
  double sum = 0;
  CHECK(a.rows == b.rows && a.cols == b.cols, "shapes differ: %ld %ld, %ld %ld", (long)a.rows, (long)a.cols,
        (long)b.rows, (long)b.cols);
  for (int64_t i = 0; i < a.rows * a.cols; i++)
    sum += pow(cabs(a.v[i] - b.v[i]), 2);
  return sqrt(sum);
}

static struct matrix identity(int64_t n) {
  struct matrix m = matrix_new(n, n);
  for (int64_t i = 0; i < n; i++)
    m.v[i * n + i] = 1;
  return m;
}

static double eps_of(numd_dtype dtype) {
  return dtype_part(dtype) == NUMD_FLOAT32 ? 0x1p-23 : 0x1p-52;
}

#define FREE_ALL(...)                                                     \
  for (number **freed = (number *[]){__VA_ARGS__, NULL}; *freed; freed++) \
  free(*freed)

#define CLOSE(a, b, scale, what)                                                                \
  do {                                                                                          \
    const double off = distance(a, b);                                                          \
    const double bound =                                                                        \
        30 * eps_of(dtype) * (double)((a).rows + (a).cols + (b).cols + 3) * ((scale) + 1e-300); \
    CHECK(off <= bound, "%s: off by %g, more than %g, for %s %ldx%ld", what, off, bound,        \
          dtype_rows[dtype].name, (long)(a).rows, (long)(a).cols);                              \
  } while (0)

static number random_number(numd_dtype dtype) {
  const double re = (double)(random_below(2001) - 1000) / 1000,
               im = (double)(random_below(2001) - 1000) / 1000;
  return dtype_rows[dtype].kind == 'c' ? CMPLX(re, im) : re;
}

static void fill_random(struct array *a, double diagonal) {
  const int last = a->layout.ndim - 1;
  const int64_t n = count_items(&a->layout), cols = a->layout.shape[last];
  const int64_t rows = last > 0 ? a->layout.shape[last - 1] : 1;
  const numd_dtype dtype = (numd_dtype)a->layout.dtype;
  for (int64_t i = 0; i < n; i++)
    put_at(dtype, item_at(a, i),
           random_number(dtype) + (last > 0 && i % cols == i / cols % rows ? diagonal : 0));
}

/* A = A A^H + I in place, its other triangle made NaN if `half` (lower: the upper one). */
static void make_definite(struct array *a, bool definite, bool upper) {
  const int last = a->layout.ndim - 1;
  const numd_dtype dtype = (numd_dtype)a->layout.dtype;
  const int64_t n = a->layout.shape[last], count = n ? count_items(&a->layout) / (n * n) : 0;
  for (int64_t b = 0; b < count; b++) {
    struct matrix m = matrix_of(a, 2, b), h = adjoint(m), p = definite ? times(m, h) : m;
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < n; j++) {
        number z = definite ? p.v[i * n + j] + (i == j) : (m.v[i * n + j] + h.v[i * n + j]) / 2;
        z = i == j ? creal(z) : z;
        put_at(dtype, item_at(a, (b * n + i) * n + j), (upper ? i > j : i < j) ? NAN : z);
      }
    FREE_ALL(h.v, m.v);
    if (definite)
      free(p.v);
  }
}

/* The whole hermitian matrix, of which one triangle was given. */
static struct matrix whole(const struct array *a, int64_t index, bool upper) {
  struct matrix m = matrix_of(a, 2, index);
  for (int64_t i = 0; i < m.rows; i++)
    for (int64_t j = 0; j < m.rows; j++)
      if (upper ? i > j : i < j)
        m.v[i * m.rows + j] = conj(m.v[j * m.rows + i]);
  return m;
}

/* By elimination in long double: the sign and the logarithm. */
static number naive_sign(struct matrix a, double *log_abs) {
  const int64_t n = a.rows;
  long double sum = 0;
  number sign = 1;
  for (int64_t c = 0; c < n; c++) {
    int64_t pivot = c;
    for (int64_t r = c; r < n; r++)
      pivot = cabs(a.v[r * n + c]) > cabs(a.v[pivot * n + c]) ? r : pivot;
    sign = pivot == c ? sign : -sign;
    for (int64_t j = 0; j < n; j++) {
      const number x = a.v[c * n + j];
      a.v[c * n + j] = a.v[pivot * n + j];
      a.v[pivot * n + j] = x;
    }
    const number top = a.v[c * n + c];
    sum += logl((long double)cabs(top));
    sign *= top / cabs(top);
    for (int64_t r = c + 1; r < n; r++) {
      const number factor = a.v[r * n + c] / top;
      for (int64_t j = c; j < n; j++)
        a.v[r * n + j] -= factor * a.v[c * n + j];
    }
  }
  *log_abs = (double)sum;
  return sign;
}

/* Matrices of rank `rank`: products of random ones. */
static void fill_rank(struct array *a, int64_t rank) {
  const int last = a->layout.ndim - 1;
  const numd_dtype dtype = (numd_dtype)a->layout.dtype;
  const int64_t m = a->layout.shape[last - 1], n = a->layout.shape[last];
  for (int64_t b = 0; m * n > 0 && b < count_items(&a->layout) / (m * n); b++) {
    struct matrix left = matrix_new(m, rank), right = matrix_new(rank, n);
    for (int64_t i = 0; i < m * rank; i++)
      left.v[i] = random_number(dtype) + (i / rank == i % rank ? 3 : 0);
    for (int64_t i = 0; i < rank * n; i++)
      right.v[i] = random_number(dtype) + (i / n == i % n ? 3 : 0);
    struct matrix p = times(left, right);
    for (int64_t i = 0; i < m * n; i++)
      put_at(dtype, item_at(a, b * m * n + i), p.v[i]);
    FREE_ALL(left.v, right.v, p.v);
  }
}

#endif
