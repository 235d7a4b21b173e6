/* SPDX-License-Identifier: BSD-3-Clause */
/* One large matrix in tiles: Cholesky factors, and what follows from LU factors, by all cores.
 *
 * The matrix lies in the scratch memory of the run, in Fortran order, and is divided into tiles of `block`
 * whole columns. Step q of the factorisation makes the columns of tile q final and applies them to the tiles
 * behind it; each step is one phase or two, each tile a unit of it, so that a unit writes its own tile and
 * reads what earlier phases left. Blocks are chosen by the shape alone.
 *
 * LU: phase 0 reads the tiles, and its unit 0 factors the first. In phase p the first unit applies tile p-1
 * to tile p and at once factors that, while the others apply tile p-1 to the tiles behind: no core waits
 * while another factors a panel. Right sides are further tiles behind the matrix, so rows are never swapped
 * in finished ones; in the last phase they are substituted back and stored. An inverse is computed of the
 * transpose, as which the rows of C order are columns, and goes out the same way; so is a determinant.
 *
 * Cholesky: conj(A) = U^H U (see linalg_factor.c). Phase 0 reads, phase 2 q + 1 makes block row q of U final,
 * phase 2 q + 2 takes its products from the block rows below and factors the next diagonal block. */
#include "server/kernels/linalg/linalg_tiles.h"

#include <string.h>

#include "server/kernels/copy/strided_copy.h"
#include "server/kernels/size_math.h"

#define LEAST_SIDE 256 /* smaller matrices are left to LAPACK on one core */
#define LEAST_BLOCK 64
#define USUAL_BLOCK 128
#define USUAL_SIDE 768 /* from here on */

struct tiles {
  const struct linalg_one *o;
  const struct lapack *l;
  int64_t n, block, n_tiles;
  char *a, *b;
  int *pivots; /* counted from 1, in rows of the whole */
  int *info;   /* of each tile's factorisation */
};

static bool is_cholesky(const struct array_job *job) {
  return job->op == NUMD_OP_CHOLESKY;
}

static bool is_det(const struct array_job *job) {
  return job->op == NUMD_OP_DET || job->op == NUMD_OP_SLOGDET;
}

/* ---- Planning ---- */

static int64_t count_tiles(int64_t columns, int64_t block) {
  return (columns + block - 1) / block;
}

static void plan_lu_phases(struct array_job *job, int64_t rhs_tiles) {
  const int64_t n_tiles = linalg_plan_of(job)->n_blocks;
  job->n_phases = (int)n_tiles + 1;
  for (int64_t p = 0; p < n_tiles; p++)
    job->n_units[p] = n_tiles - p + rhs_tiles;
  job->n_units[n_tiles] = rhs_tiles > 0 ? rhs_tiles : 1;
}

static void plan_cholesky_phases(struct array_job *job) {
  const int64_t n_tiles = linalg_plan_of(job)->n_blocks;
  job->n_phases = 2 * (int)n_tiles;
  job->n_units[0] = job->n_units[job->n_phases - 1] = n_tiles;
  for (int64_t q = 0; q + 1 < n_tiles; q++)
    job->n_units[2 * q + 1] = job->n_units[2 * q + 2] = n_tiles - q - 1;
}

void linalg_tiles_plan(struct array_job *job, const struct lapack *l) {
  struct linalg_plan *p = linalg_plan_in(job);
  const int64_t most = is_cholesky(job) ? ARRAY_PHASES / 2 : ARRAY_PHASES - 1;
  if ((!is_cholesky(job) && !is_det(job) && job->op != NUMD_OP_INV && job->op != NUMD_OP_SOLVE) ||
      p->batch != 1 || p->n < LEAST_SIDE)
    return;
  p->block = p->n < USUAL_SIDE ? LEAST_BLOCK : USUAL_BLOCK;
  if (count_tiles(p->n, p->block) > most)
    p->block = align_up((p->n + most - 1) / most, LEAST_BLOCK);
  p->n_blocks = count_tiles(p->n, p->block);
  if (is_cholesky(job))
    plan_cholesky_phases(job);
  else
    plan_lu_phases(job, count_tiles(p->k, p->block));
  job->task_bytes = 0;
  job->shared_bytes = align_up(p->n * p->n * l->item, 64) + align_up(p->n * p->k * l->item, 64) +
                      (p->n + p->n_blocks) * (int64_t)sizeof(int);
}

/* ---- Tiles ---- */

static struct tiles tiles_in(const struct linalg_one *o, char *shared) {
  const struct linalg_plan *p = o->p;
  struct tiles t = {.o = o, .l = o->l, .n = p->n, .block = p->block, .n_tiles = p->n_blocks, .a = shared};
  t.b = shared + align_up(p->n * p->n * o->l->item, 64);
  t.pivots = (int *)(t.b + align_up(p->n * p->k * o->l->item, 64));
  t.info = t.pivots + p->n;
  return t;
}

static char *at(const struct tiles *t, char *matrix, int64_t row, int64_t col) {
  return matrix + (col * t->n + row) * t->l->item;
}

/* Columns of tile i of `columns`. */
static int64_t width(const struct tiles *t, int64_t columns, int64_t i) {
  return columns - i * t->block < t->block ? columns - i * t->block : t->block;
}

/* Rows 0 .. rows-1 of tile i of an input, or of its transpose. */
static void load_tile(const struct tiles *t, int input, bool transposed, int64_t columns, int64_t i,
                      int64_t rows, char *to) {
  const struct layout *in = &t->o->job->in[input];
  const int last = in->ndim - 1;
  int64_t stride[2] = {in->strides[last ? last - 1 : 0], last ? in->strides[last] : t->l->item};
  if (transposed) {
    const int64_t row = stride[0];
    stride[0] = stride[1];
    stride[1] = row;
  }
  strided_copy(t->l->item, rows, width(t, columns, i), t->o->in[input] + i * t->block * stride[1], stride,
               at(t, to, 0, i * t->block), (int64_t[]){t->l->item, t->n * t->l->item});
}

static bool failed(const struct tiles *t) {
  int info = 0;
  for (int64_t i = 0; i < t->n_tiles; i++)
    info |= t->info[i];
  return info > 0;
}

/* ---- LU ---- */

static void factor_tile(const struct tiles *t, int64_t q) {
  const int64_t first = q * t->block, cols = width(t, t->n, q);
  int *pivots = t->pivots + first;
  t->info[q] = t->l->getrf((int)(t->n - first), (int)cols, at(t, t->a, first, first), (int)t->n, pivots);
  for (int64_t j = 0; j < cols; j++)
    pivots[j] += (int)first;
}

/* Applies the factors of tile q to `cols` columns, of the matrix or of right sides. */
static void apply_tile(const struct tiles *t, int64_t q, char *columns, int64_t cols) {
  const int n = (int)t->n, first = (int)(q * t->block), own = (int)width(t, t->n, q), below = n - first - own;
  char *top = columns + first * t->l->item, *factors = at(t, t->a, first, first);
  t->l->laswp((int)cols, columns, n, first + 1, first + own, t->pivots);
  t->l->trsm('L', 'N', 'U', own, (int)cols, factors, n, top, n);
  if (below > 0)
    t->l->gemm('N', 'N', below, (int)cols, own, -1, factors + own * t->l->item, n, top, n, 1,
               top + own * t->l->item, n);
}

static void identity_tile(const struct tiles *t, int64_t i) {
  const double one[2] = {1, 0};
  char *to = at(t, t->b, 0, i * t->block);
  const int64_t cols = width(t, t->n, i);
  memset(to, 0, (size_t)(cols * t->n * t->l->item));
  for (int64_t j = 0; j < cols; j++)
    linalg_put(t->l, at(t, t->b, i * t->block + j, i * t->block + j), one);
}

static void load_lu_tile(const struct tiles *t, int64_t i) {
  const struct array_job *job = t->o->job;
  if (i < t->n_tiles)
    load_tile(t, 0, job->op != NUMD_OP_SOLVE, t->n, i, t->n, t->a);
  else if (job->op == NUMD_OP_SOLVE)
    load_tile(t, 1, false, t->o->p->k, i - t->n_tiles, t->n, t->b);
  else
    identity_tile(t, i - t->n_tiles);
  if (i == 0)
    factor_tile(t, 0);
}

/* Applies the last factors to the right sides of tile i, substitutes back and stores them. */
static unsigned finish_solution(const struct tiles *t, int64_t i) {
  const int64_t k = t->o->p->k, cols = k > 0 ? width(t, k, i) : 0, item = t->l->item;
  char *b = at(t, t->b, 0, i * t->block);
  if (failed(t))
    return KERNEL_SINGULAR;
  if (cols == 0)
    return 0;
  apply_tile(t, t->n_tiles - 1, b, cols);
  t->l->trsm('U', 'N', 'N', (int)t->n, (int)cols, t->a, (int)t->n, b, (int)t->n);
  if (t->o->job->op == NUMD_OP_INV) /* a column of the transpose is a row */
    memcpy(t->o->out[0] + i * t->block * t->n * item, b, (size_t)(cols * t->n * item));
  else
    strided_copy(item, t->n, cols, b, (int64_t[]){item, t->n * item}, t->o->out[0] + i * t->block * item,
                 (int64_t[]){k * item, item});
  return 0;
}

static unsigned run_lu(const struct tiles *t, int64_t phase, int64_t unit) {
  if (phase == 0) {
    load_lu_tile(t, unit);
    return 0;
  }
  if (phase == t->n_tiles) {
    if (!is_det(t->o->job))
      return finish_solution(t, unit);
    linalg_store_det(t->o, t->a, t->pivots, failed(t));
    return 0;
  }
  const int64_t i = phase + unit;
  if (i < t->n_tiles)
    apply_tile(t, phase - 1, at(t, t->a, 0, i * t->block), width(t, t->n, i));
  else
    apply_tile(t, phase - 1, at(t, t->b, 0, (i - t->n_tiles) * t->block),
               width(t, t->o->p->k, i - t->n_tiles));
  if (unit == 0)
    factor_tile(t, phase);
  return 0;
}

/* ---- Cholesky ---- */

static bool is_upper(const struct tiles *t) {
  return (t->o->job->params.given & NUMD_PARAM_UPPER) != 0;
}

static void factor_diagonal(const struct tiles *t, int64_t q) {
  t->info[q] = t->l->potrf('U', (int)width(t, t->n, q), at(t, t->a, q * t->block, q * t->block), (int)t->n);
}

/* Block (q, i) of U. */
static void finish_block(const struct tiles *t, int64_t q, int64_t i) {
  const int n = (int)t->n;
  t->l->trsm('U', 'C', 'N', (int)t->block, (int)width(t, t->n, i), at(t, t->a, q * t->block, q * t->block), n,
             at(t, t->a, q * t->block, i * t->block), n);
}

/* Subtracts the products of block row q from the rows of tile i below it, as far as the diagonal. */
static void take_products(const struct tiles *t, int64_t q, int64_t i) {
  const int64_t row = q * t->block, below = row + t->block, col = i * t->block, cols = width(t, t->n, i);
  const int n = (int)t->n;
  t->l->gemm('C', 'N', (int)(col + cols - below), (int)cols, (int)t->block, -1, at(t, t->a, row, below), n,
             at(t, t->a, row, col), n, 1, at(t, t->a, below, col), n);
}

/* Puts zeros below the diagonal and stores the tile: its columns are rows of the lower factor. */
static unsigned store_factor(const struct tiles *t, int64_t i) {
  const int64_t item = t->l->item, first = i * t->block, cols = width(t, t->n, i);
  unsigned flags = failed(t) ? KERNEL_DEFINITE : 0;
  for (int64_t j = first; j < first + cols; j++) {
    if (!(linalg_real(t->l, at(t, t->a, j, j), 0) > 0)) /* also NaN, which OpenBLAS does not report */
      flags = KERNEL_DEFINITE;
    memset(at(t, t->a, j, j) + item, 0, (size_t)((t->n - j - 1) * item));
  }
  const int64_t out[2] = {is_upper(t) ? t->n * item : item, is_upper(t) ? item : t->n * item};
  strided_copy(item, t->n, cols, at(t, t->a, 0, first), (int64_t[]){item, t->n * item},
               t->o->out[0] + first * out[1], out);
  return flags;
}

static unsigned run_cholesky(const struct tiles *t, int64_t phase, int64_t unit) {
  const int64_t q = (phase - 1) / 2, i = q + 1 + unit;
  if (phase == 0) {
    const int64_t end = unit * t->block + width(t, t->n, unit);
    load_tile(t, 0, !is_upper(t), t->n, unit, end, t->a);
    if (unit == 0)
      factor_diagonal(t, 0);
    return 0;
  }
  if (q == t->n_tiles - 1)
    return store_factor(t, unit);
  if (phase % 2 == 1) {
    finish_block(t, q, i);
    return 0;
  }
  take_products(t, q, i);
  if (unit == 0)
    factor_diagonal(t, q + 1);
  return 0;
}

unsigned linalg_tiles_run(const struct linalg_one *o, char *shared, int phase, int64_t unit) {
  const struct tiles t = tiles_in(o, shared);
  return is_cholesky(o->job) ? run_cholesky(&t, phase, unit) : run_lu(&t, phase, unit);
}
