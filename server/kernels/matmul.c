/* Matrix products: what is handed to BLAS, what to the loops of product.c, and what must be copied
 * first.
 *
 * A product is planned from its shape and strides alone, so that kernel_matmul_scratch and
 * kernel_matmul come to the same plan. First it may be transposed as a whole (C' = B' A'), which is
 * free, then each operand is either used where it is or, where its strides do not suit, through a
 * packed copy in the scratch memory, C's being copied back at the end:
 *
 *   loops   rows of B and C contiguous (or a single column)
 *   dot     1 x 1:    both vectors with a positive stride that BLAS's int can express
 *   gemv    one column (one row is transposed): A a BLAS matrix, B and C such vectors
 *   gemm    all three BLAS matrices: unit stride along one axis, along the other at least as long as
 *           a row, in whole items, expressible as an int
 *
 * Floats always go to BLAS: even a product of 4 x 4 takes it no longer than plain loops would. BLAS
 * counts in int: longer axes are cut, and the pieces along k are added up in C. */
#include <cblas.h>
#include <limits.h>

#include "server/kernels/table.h"

#ifndef KERNEL_BLAS_MAX /* tests make it small */
#define KERNEL_BLAS_MAX INT_MAX
#endif
#define SCRATCH_ALIGN 64

struct product {
  numd_dtype dtype;
  int64_t item;
  int64_t m, n, k;
  struct kernel_matrix a, b, c;
  bool blas;
  bool pack_a, pack_b, pack_c;
};

static int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static bool vector_fits(int64_t count, int64_t stride, int64_t item) {
  return count == 1 || (stride > 0 && stride % item == 0 && stride / item <= INT_MAX);
}

/* Whether rows are contiguous and far enough apart to be BLAS's row-major matrix. */
static bool rows_fit(int64_t rows, int64_t cols, int64_t row, int64_t col, int64_t item) {
  return (cols == 1 || col == item) &&
         (rows == 1 || (row % item == 0 && row / item >= cols && row / item <= INT_MAX));
}

static bool matrix_fits(int64_t rows, int64_t cols, const int64_t stride[2], int64_t item) {
  return rows_fit(rows, cols, stride[0], stride[1], item) || rows_fit(cols, rows, stride[1], stride[0], item);
}

static struct kernel_matrix transposed(struct kernel_matrix x) {
  return (struct kernel_matrix){x.data, {x.stride[1], x.stride[0]}};
}

static void transpose_product(struct product *p) {
  const struct kernel_matrix a = p->a;
  const int64_t m = p->m;
  p->a = transposed(p->b);
  p->b = transposed(a);
  p->c = transposed(p->c);
  p->m = p->n;
  p->n = m;
}

static bool is_real(numd_dtype dtype) {
  return dtype == NUMD_FLOAT32 || dtype == NUMD_FLOAT64;
}

static void plan_loops(struct product *p) {
  const int64_t item = p->item;
  const bool b_rows = p->n == 1 || p->b.stride[1] == item, c_rows = p->n == 1 || p->c.stride[1] == item;
  const bool a_columns = p->m == 1 || p->a.stride[0] == item, c_columns = p->m == 1 || p->c.stride[0] == item;
  if ((!b_rows || !c_rows) && c_columns && (a_columns || !c_rows))
    transpose_product(p);
  p->pack_b = p->n != 1 && p->b.stride[1] != item;
  p->pack_c = p->n != 1 && p->c.stride[1] != item;
}

static void plan_blas(struct product *p) {
  const int64_t item = p->item;
  p->blas = true;
  if (p->m == 1 && p->n > 1)
    transpose_product(p);
  if (p->n > 1) {
    p->pack_a = !matrix_fits(p->m, p->k, p->a.stride, item);
    p->pack_b = !matrix_fits(p->k, p->n, p->b.stride, item);
    p->pack_c = !matrix_fits(p->m, p->n, p->c.stride, item);
    return;
  }
  p->pack_a =
      p->m == 1 ? !vector_fits(p->k, p->a.stride[1], item) : !matrix_fits(p->m, p->k, p->a.stride, item);
  p->pack_b = !vector_fits(p->k, p->b.stride[0], item);
  p->pack_c = !vector_fits(p->m, p->c.stride[0], item);
}

/* Decides all but the data pointers; m, n and k are positive. */
static void plan(struct product *p) {
  if (is_real(p->dtype))
    plan_blas(p);
  else
    plan_loops(p);
}

/* Bytes of a packed copy, so that the next one is aligned; INT64_MAX where they cannot be counted. */
static int64_t pack_bytes(const struct product *p, int64_t rows, int64_t cols) {
  int64_t bytes;
  if (p->blas) {
    rows = smaller(rows, KERNEL_BLAS_MAX);
    cols = smaller(cols, KERNEL_BLAS_MAX);
  }
  if (__builtin_mul_overflow(rows, cols, &bytes) || __builtin_mul_overflow(bytes, p->item, &bytes) ||
      __builtin_add_overflow(bytes, SCRATCH_ALIGN - 1, &bytes))
    return INT64_MAX;
  return bytes / SCRATCH_ALIGN * SCRATCH_ALIGN;
}

static int64_t add_saturated(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t kernel_matmul_scratch(numd_dtype dtype, int64_t m, int64_t n, int64_t k, const int64_t a_stride[2],
                              const int64_t b_stride[2], const int64_t c_stride[2]) {
  if (!dtype_known(dtype) || (!is_real(dtype) && !kernels_table()->product[dtype]) || m < 0 || n < 0 || k < 0)
    return -1;
  if (m == 0 || n == 0 || k == 0)
    return 0;
  struct product p = {dtype,
                      dtype_rows[dtype].size,
                      m,
                      n,
                      k,
                      .a = {NULL, {a_stride[0], a_stride[1]}},
                      .b = {NULL, {b_stride[0], b_stride[1]}},
                      .c = {NULL, {c_stride[0], c_stride[1]}}};
  plan(&p);
  int64_t bytes = p.pack_a ? pack_bytes(&p, p.m, p.k) : 0;
  if (p.pack_b)
    bytes = add_saturated(bytes, pack_bytes(&p, p.k, p.n));
  if (p.pack_c)
    bytes = add_saturated(bytes, pack_bytes(&p, p.m, p.n));
  return bytes;
}

static char *at(struct kernel_matrix x, int64_t i, int64_t j) {
  return x.data + i * x.stride[0] + j * x.stride[1];
}

static struct kernel_matrix part(struct kernel_matrix x, int64_t i, int64_t j) {
  x.data = at(x, i, j);
  return x;
}

static struct kernel_matrix packed(const struct product *p, void *data, int64_t cols) {
  return (struct kernel_matrix){data, {cols * p->item, p->item}};
}

static void copy_matrix(numd_dtype dtype, int64_t rows, int64_t cols, struct kernel_matrix from,
                        struct kernel_matrix to) {
  if (cols < 8 && rows > cols) { /* few long columns */
    copy_matrix(dtype, cols, rows, transposed(from), transposed(to));
    return;
  }
  const kernel_map_fn copy = kernel_map(NUMD_OP_COPY, dtype);
  const int64_t stride[] = {from.stride[1], to.stride[1]};
  for (int64_t i = 0; i < rows; i++)
    copy(cols, (char *const[]){at(from, i, 0), at(to, i, 0)}, stride);
}

static void zero_matrix(numd_dtype dtype, int64_t rows, int64_t cols, struct kernel_matrix to) {
  static const int64_t zero; /* as good as 0 of any dtype */
  copy_matrix(dtype, rows, cols, (struct kernel_matrix){(char *)&zero, {0, 0}}, to);
}

/* A matrix as BLAS describes one. */
struct layout {
  bool by_rows;
  int ld;
};

static struct layout layout_of(int64_t rows, int64_t cols, struct kernel_matrix x, int64_t item) {
  if (rows_fit(rows, cols, x.stride[0], x.stride[1], item))
    return (struct layout){true, (int)(rows == 1 ? cols : x.stride[0] / item)};
  return (struct layout){false, (int)(cols == 1 ? rows : x.stride[1] / item)};
}

static int step_of(int64_t count, int64_t stride, int64_t item) {
  return count == 1 ? 1 : (int)(stride / item);
}

/* The leaves: operands that fit, counts that are ints. C is added to if `add`. */
static void blas_gemm(const struct product *p, bool add) {
  const struct layout a = layout_of(p->m, p->k, p->a, p->item), b = layout_of(p->k, p->n, p->b, p->item);
  const struct layout c = layout_of(p->m, p->n, p->c, p->item);
  const enum CBLAS_ORDER order = c.by_rows ? CblasRowMajor : CblasColMajor;
  const enum CBLAS_TRANSPOSE ta = a.by_rows == c.by_rows ? CblasNoTrans : CblasTrans;
  const enum CBLAS_TRANSPOSE tb = b.by_rows == c.by_rows ? CblasNoTrans : CblasTrans;
  const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  if (p->dtype == NUMD_FLOAT64)
    cblas_dgemm(order, ta, tb, m, n, k, 1, (double *)p->a.data, a.ld, (double *)p->b.data, b.ld, add,
                (double *)p->c.data, c.ld);
  else
    cblas_sgemm(order, ta, tb, m, n, k, 1, (float *)p->a.data, a.ld, (float *)p->b.data, b.ld, add,
                (float *)p->c.data, c.ld);
}

/* Always adds, to a C that was made zero: not every version of gemv ignores a NaN in C for beta = 0. */
static void blas_gemv(const struct product *p, bool add) {
  const struct layout a = layout_of(p->m, p->k, p->a, p->item);
  const enum CBLAS_ORDER order = a.by_rows ? CblasRowMajor : CblasColMajor;
  const int m = (int)p->m, k = (int)p->k;
  const int x = step_of(p->k, p->b.stride[0], p->item), y = step_of(p->m, p->c.stride[0], p->item);
  if (!add)
    zero_matrix(p->dtype, p->m, 1, p->c);
  if (p->dtype == NUMD_FLOAT64)
    cblas_dgemv(order, CblasNoTrans, m, k, 1, (double *)p->a.data, a.ld, (double *)p->b.data, x, 1,
                (double *)p->c.data, y);
  else
    cblas_sgemv(order, CblasNoTrans, m, k, 1, (float *)p->a.data, a.ld, (float *)p->b.data, x, 1,
                (float *)p->c.data, y);
}

static void blas_dot(const struct product *p, bool add) {
  const int k = (int)p->k;
  const int x = step_of(p->k, p->a.stride[1], p->item), y = step_of(p->k, p->b.stride[0], p->item);
  if (p->dtype == NUMD_FLOAT64) {
    double dot = cblas_ddot(k, (double *)p->a.data, x, (double *)p->b.data, y), *c = (double *)p->c.data;
    *c = add ? *c + dot : dot;
  } else {
    float dot = cblas_sdot(k, (float *)p->a.data, x, (float *)p->b.data, y), *c = (float *)p->c.data;
    *c = add ? *c + dot : dot;
  }
}

/* One piece of the product, which starts at row i, column j and term t; C is in place or packed. */
static void blas_piece(const struct product *whole, struct product *p, int64_t i, int64_t j, int64_t t,
                       char *scratch) {
  p->k = smaller(whole->k - t, KERNEL_BLAS_MAX);
  p->a = part(whole->a, i, t);
  p->b = part(whole->b, t, j);
  if (p->pack_a) {
    const struct kernel_matrix copy = packed(p, scratch, p->k);
    copy_matrix(p->dtype, p->m, p->k, p->a, copy);
    scratch += pack_bytes(p, p->m, p->k);
    p->a = copy;
  }
  if (p->pack_b) {
    const struct kernel_matrix copy = packed(p, scratch, p->n);
    copy_matrix(p->dtype, p->k, p->n, p->b, copy);
    p->b = copy;
  }
  if (p->n > 1)
    blas_gemm(p, t > 0);
  else if (p->m > 1)
    blas_gemv(p, t > 0);
  else
    blas_dot(p, t > 0);
}

static void run_blas(const struct product *whole, char *scratch) {
  for (int64_t i = 0; i < whole->m; i += KERNEL_BLAS_MAX)
    for (int64_t j = 0; j < whole->n; j += KERNEL_BLAS_MAX) {
      struct product p = *whole;
      p.m = smaller(whole->m - i, KERNEL_BLAS_MAX);
      p.n = smaller(whole->n - j, KERNEL_BLAS_MAX);
      const struct kernel_matrix target = part(whole->c, i, j);
      p.c = p.pack_c ? packed(&p, scratch, p.n) : target;
      char *rest = p.pack_c ? scratch + pack_bytes(&p, p.m, p.n) : scratch;
      for (int64_t t = 0; t < whole->k; t += KERNEL_BLAS_MAX)
        blas_piece(whole, &p, i, j, t, rest);
      if (p.pack_c)
        copy_matrix(p.dtype, p.m, p.n, p.c, target);
    }
}

static void run_loops(const struct product *p, char *scratch) {
  struct kernel_matrix b = p->b, c = p->c;
  if (p->pack_b) {
    b = packed(p, scratch, p->n);
    copy_matrix(p->dtype, p->k, p->n, p->b, b);
    scratch += pack_bytes(p, p->k, p->n);
  }
  if (p->pack_c)
    c = packed(p, scratch, p->n);
  kernels_table()->product[p->dtype](p->m, p->n, p->k, p->a.data, p->a.stride, b.data, b.stride[0], c.data,
                                     c.stride[0]);
  if (p->pack_c)
    copy_matrix(p->dtype, p->m, p->n, c, p->c);
}

void kernel_matmul(numd_dtype dtype, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,
                   struct kernel_matrix b, struct kernel_matrix c, void *scratch) {
  if (m == 0 || n == 0)
    return;
  if (k == 0) {
    zero_matrix(dtype, m, n, c);
    return;
  }
  struct product p = {dtype, dtype_rows[dtype].size, m, n, k, a, b, c, false, false, false, false};
  plan(&p);
  if (p.blas)
    run_blas(&p, scratch);
  else
    run_loops(&p, scratch);
}
