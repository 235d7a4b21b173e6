/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products: what is handed to BLAS, what to the loops of matmul_loops.isa.c, and what must be copied
 * first.
 *
 * A product is planned from its shape and strides alone, so that kernel_matmul_scratch and
 * kernel_matmul come to the same plan. First it may be transposed as a whole (C' = B' A'), which is
 * free. Small ones, and all of integers and bool, go to loops that take any strides. Of others each operand
 * is either used where it is or, where its strides do not suit BLAS, through a packed copy in the scratch
 * memory, C's being copied back at the end:
 *
 *   dot     1 x 1:    both vectors with a positive stride that BLAS's int can express
 *   gemv    one column (one row is transposed): A a BLAS matrix, B and C such vectors
 *   gemm    all three BLAS matrices: unit stride along one axis, along the other at least as long as
 *           a row, in whole items, expressible as an int
 *
 * BLAS counts in int: longer axes are cut, and the pieces along k are added up in C. */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "server/kernels/copy/strided_copy.h"
#include "server/kernels/table.h"

#ifndef KERNEL_BLAS_MAX /* tests make it small */
#define KERNEL_BLAS_MAX INT_MAX
#endif
#define SCRATCH_ALIGN 64
#define SMALL 16        /* sides up to this go to loops, where a call of BLAS would cost more */
#define SMALL_COMPLEX 4 /* the same of complex matrices */
_Static_assert(SMALL *SMALL <= KERNEL_SMALL_ITEMS, "they fit the loops' copies");
#define LOOP_COLS 64 /* as many columns fill the vectors of matmul_loops.isa.c */

struct product {
  numd_dtype dtype;
  int64_t item;
  int64_t m, n, k;
  struct kernel_matrix a, b, c;
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

static bool is_float(numd_dtype dtype) {
  return dtype_rows[dtype].kind == 'f' || dtype_rows[dtype].kind == 'c';
}

bool kernel_matmul_is_small(numd_dtype dtype, int64_t m, int64_t n, int64_t k) {
  const int64_t most = dtype_rows[dtype].kind == 'c' ? SMALL_COMPLEX : SMALL;
  return m <= most && n <= most && k <= most;
}

/* Decides all but the data pointers; m, n and k are positive and the product goes to BLAS. */
static void plan(struct product *p) {
  const int64_t item = p->item;
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

/* Bytes of a packed copy, so that the next one is aligned; INT64_MAX where they cannot be counted. */
static int64_t pack_bytes(const struct product *p, int64_t rows, int64_t cols) {
  int64_t bytes;
  rows = smaller(rows, KERNEL_BLAS_MAX);
  cols = smaller(cols, KERNEL_BLAS_MAX);
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
  if (!dtype_known(dtype) || m < 0 || n < 0 || k < 0)
    return -1;
  if (m == 0 || n == 0 || k == 0 || !is_float(dtype) || kernel_matmul_is_small(dtype, m, n, k))
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
  strided_copy(dtype_rows[dtype].size, rows, cols, from.data, from.stride, to.data, to.stride);
}

static void zero_matrix(numd_dtype dtype, int64_t rows, int64_t cols, struct kernel_matrix to) {
  static const int64_t zero[2]; /* as good as 0 of any dtype */
  copy_matrix(dtype, rows, cols, (struct kernel_matrix){(char *)zero, {0, 0}}, to);
}

/* A matrix as BLAS describes one. */
struct matrix_layout {
  bool by_rows;
  int ld;
};

static struct matrix_layout layout_of(int64_t rows, int64_t cols, struct kernel_matrix x, int64_t item) {
  if (rows_fit(rows, cols, x.stride[0], x.stride[1], item))
    return (struct matrix_layout){true, (int)(rows == 1 ? cols : x.stride[0] / item)};
  return (struct matrix_layout){false, (int)(cols == 1 ? rows : x.stride[1] / item)};
}

static int step_of(int64_t count, int64_t stride, int64_t item) {
  return count == 1 ? 1 : (int)(stride / item);
}

/* The leaves: operands that fit, counts that are ints. C is added to if `add`. gemv always adds, to a C that
 * was made zero: not every version of it ignores a NaN in C for beta = 0. Complex factors go by address. */
#define REAL_FACTOR(R, x) (R)(x)
#define COMPLEX_FACTOR(R, x) ((const R[2]){(R)(x), 0})

#define REAL_DOT(prefix, R, ...) *dot = cblas_##prefix##dot(__VA_ARGS__)
#define COMPLEX_DOT(prefix, R, ...) cblas_##prefix##dotu_sub(__VA_ARGS__, dot)

/* X(dtype, BLAS's letter, type, kind, parts of an item) */
#define BLAS_LIST(X)                 \
  X(FLOAT32, s, float, REAL, 1)      \
  X(FLOAT64, d, double, REAL, 1)     \
  X(COMPLEX64, c, float, COMPLEX, 2) \
  X(COMPLEX128, z, double, COMPLEX, 2)

#define DEFINE_BLAS(DTYPE, letter, R, KIND, PARTS)                                                         \
  static void letter##_gemm(const struct product *p, bool add) {                                           \
    const struct matrix_layout a = layout_of(p->m, p->k, p->a, p->item),                                   \
                               b = layout_of(p->k, p->n, p->b, p->item);                                   \
    const struct matrix_layout c = layout_of(p->m, p->n, p->c, p->item);                                   \
    cblas_##letter##gemm(c.by_rows ? CblasRowMajor : CblasColMajor,                                        \
                         a.by_rows == c.by_rows ? CblasNoTrans : CblasTrans,                               \
                         b.by_rows == c.by_rows ? CblasNoTrans : CblasTrans, (int)p->m, (int)p->n,         \
                         (int)p->k, KIND##_FACTOR(R, 1), (const R *)p->a.data, a.ld, (const R *)p->b.data, \
                         b.ld, KIND##_FACTOR(R, add), (R *)p->c.data, c.ld);                               \
  }                                                                                                        \
                                                                                                           \
  static void letter##_gemv(const struct product *p, bool add) {                                           \
    const struct matrix_layout a = layout_of(p->m, p->k, p->a, p->item);                                   \
    if (!add)                                                                                              \
      zero_matrix(p->dtype, p->m, 1, p->c);                                                                \
    cblas_##letter##gemv(a.by_rows ? CblasRowMajor : CblasColMajor, CblasNoTrans, (int)p->m, (int)p->k,    \
                         KIND##_FACTOR(R, 1), (const R *)p->a.data, a.ld, (const R *)p->b.data,            \
                         step_of(p->k, p->b.stride[0], p->item), KIND##_FACTOR(R, 1), (R *)p->c.data,      \
                         step_of(p->m, p->c.stride[0], p->item));                                          \
  }                                                                                                        \
                                                                                                           \
  static void letter##_dot(const struct product *p, bool add) {                                            \
    R dot[PARTS], *c = (R *)p->c.data;                                                                     \
    KIND##_DOT(letter, R, (int)p->k, (const R *)p->a.data, step_of(p->k, p->a.stride[1], p->item),         \
               (const R *)p->b.data, step_of(p->k, p->b.stride[0], p->item));                              \
    for (int i = 0; i < PARTS; i++)                                                                        \
      c[i] = add ? c[i] + dot[i] : dot[i];                                                                 \
  }

BLAS_LIST(DEFINE_BLAS)

static const struct {
  void (*gemm)(const struct product *p, bool add);
  void (*gemv)(const struct product *p, bool add);
  void (*dot)(const struct product *p, bool add);
} blas[NUMD_DTYPE_CODES] = {
#define X(DTYPE, letter, R, KIND, PARTS) [NUMD_##DTYPE] = {letter##_gemm, letter##_gemv, letter##_dot},
    BLAS_LIST(X)
#undef X
};

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
    blas[p->dtype].gemm(p, t > 0);
  else if (p->m > 1)
    blas[p->dtype].gemv(p, t > 0);
  else
    blas[p->dtype].dot(p, t > 0);
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

/* The longer side of C is that of its vectors, unless there are enough of both. */
static void run_loops(struct product *p) {
  if (p->n < p->m && p->n < LOOP_COLS)
    transpose_product(p);
  kernels_table()->matmul_loops[p->dtype](p->m, p->n, p->k, p->a, p->b, p->c);
}

void kernel_matmul_batch(numd_dtype dtype, int64_t count, int64_t m, int64_t n, int64_t k,
                         struct kernel_matrix a, struct kernel_matrix b, struct kernel_matrix c,
                         const int64_t batch[3]) {
  if (m > 0 && n > 0)
    kernels_table()->small[dtype](count, m, n, k, a, b, c, batch);
}

void kernel_matmul(numd_dtype dtype, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,
                   struct kernel_matrix b, struct kernel_matrix c, void *scratch) {
  struct product p = {dtype, dtype_rows[dtype].size, m, n, k, a, b, c, false, false, false};
  if (m == 0 || n == 0)
    return;
  if (k == 0) {
    zero_matrix(dtype, m, n, c);
  } else if (kernel_matmul_is_small(dtype, m, n, k)) {
    kernel_matmul_batch(dtype, 1, m, n, k, a, b, c, (const int64_t[3]){0, 0, 0});
  } else if (is_float(dtype)) {
    plan(&p);
    run_blas(&p, scratch);
  } else {
    run_loops(&p);
  }
}

/* Where BLAS cannot step, a piece of each vector is copied. */
#define VDOT_PIECE 512
#define DEFINE_VDOT(prefix, T)                                                                               \
  static void prefix##_vdot(int64_t k, const char *a, int64_t a_stride, const char *b, int64_t b_stride,     \
                            char *c) {                                                                       \
    const int64_t item = 2 * sizeof(T);                                                                      \
    const bool in_place = vector_fits(k, a_stride, item) && vector_fits(k, b_stride, item);                  \
    T sum[2] = {0, 0}, dot[2], x[2 * VDOT_PIECE], y[2 * VDOT_PIECE];                                         \
    for (int64_t n; k > 0; k -= n, a += n * a_stride, b += n * b_stride) {                                   \
      n = smaller(k, in_place ? KERNEL_BLAS_MAX : VDOT_PIECE);                                               \
      for (int64_t i = 0; i < n && !in_place; i++) {                                                         \
        memcpy(x + 2 * i, a + i * a_stride, 2 * sizeof(T));                                                  \
        memcpy(y + 2 * i, b + i * b_stride, 2 * sizeof(T));                                                  \
      }                                                                                                      \
      if (in_place)                                                                                          \
        cblas_##prefix##dotc_sub((int)n, a, step_of(n, a_stride, item), b, step_of(n, b_stride, item), dot); \
      else                                                                                                   \
        cblas_##prefix##dotc_sub((int)n, x, 1, y, 1, dot);                                                   \
      sum[0] += dot[0];                                                                                      \
      sum[1] += dot[1];                                                                                      \
    }                                                                                                        \
    memcpy(c, sum, sizeof(sum));                                                                             \
  }

DEFINE_VDOT(c, float)
DEFINE_VDOT(z, double)

void kernel_vdot(numd_dtype dtype, int64_t k, const char *a, int64_t a_stride, const char *b,
                 int64_t b_stride, char *c) {
  (dtype == NUMD_COMPLEX64 ? c_vdot : z_vdot)(k, a, a_stride, b, b_stride, c);
}
