/* SPDX-License-Identifier: BSD-3-Clause */
/* Linear algebra: planning and running batches, and moving matrices in and out of the private areas.
 *
 * LAPACK works on private copies alone, so that nobody changes its pivots or loop bounds while it runs. Sides
 * are limited so that no size that LAPACK computes leaves an int. */
#include "server/kernels/linalg/linalg.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "server/kernels/copy/strided_copy.h"
#include "server/kernels/linalg/linalg_tiles.h"

#define LEAST_SIDE_MAX 20000    /* LAPACK counts up to 5 squares of the shorter side in an int */
#define SIDE_MAX (INT_MAX / 64) /* and up to 64 times the longer one */
#define UNIT_NS 50000           /* small matrices to a unit take about so long */
#define FLOPS_A_NS 4            /* of LAPACK on small and middling matrices, roughly */
#define CALL_NS 200             /* of a call, beside its arithmetic */
#define ALIGN 64

static const struct {
  linalg_plan_fn plan;
  linalg_one_fn one;
} rows[NUMD_OP_CODES] = {
#define X(OP, name) [NUMD_OP_##OP] = {linalg_plan_##name, linalg_##name},
    LINALG_OPS(X)
#undef X
};

/* ---- Planning ---- */

/* The leading axes that output and inputs have in common; those of the inputs end at their matrices. */
struct batch {
  int ndim;
  int64_t shape[MAX_DIMS];
};

/* How many axes of input i belong to its matrices: two, but one where a right side is a vector. */
static int matrix_ndim(const struct array_job *job, int i) {
  return job->in[i].ndim == 1 ? 1 : 2;
}

static int find_batch(const struct array_job *job, struct batch *b, struct errtext *err) {
  *b = (struct batch){0};
  for (int i = 0; i < job->n_in; i++) {
    const int ndim = job->in[i].ndim - matrix_ndim(job, i);
    if (ndim > b->ndim)
      b->ndim = ndim;
  }
  for (int d = 0; d < b->ndim; d++)
    b->shape[d] = 1;
  for (int i = 0; i < job->n_in; i++) {
    const struct layout *in = &job->in[i];
    const int ndim = in->ndim - matrix_ndim(job, i), lead = b->ndim - ndim;
    for (int d = 0; d < ndim; d++) {
      int64_t *length = &b->shape[lead + d];
      if (*length == 1)
        *length = in->shape[d];
      else if (in->shape[d] != 1 && in->shape[d] != *length)
        return errtext_set(err, NUMD_ESHAPE, "%s: the leading axes do not broadcast", op_rows[job->op].name);
    }
  }
  return 0;
}

static int count_batch(const struct batch *b, int64_t *count, struct errtext *err) {
  *count = 1;
  for (int d = 0; d < b->ndim; d++)
    if (b->shape[d] == 0) {
      *count = 0;
      return 0;
    }
  for (int d = 0; d < b->ndim; d++)
    if (__builtin_mul_overflow(*count, b->shape[d], count))
      return errtext_set(err, NUMD_ELIMIT, "too many matrices");
  return 0;
}

void linalg_output(struct array_job *job, numd_dtype dtype, int ndim, int64_t rows_, int64_t cols) {
  struct layout *out = NULL;
  struct batch b;
  int i = 0;
  while (job->out[i].dtype != NUMD_DTYPE_NONE)
    i++;
  out = &job->out[i];
  find_batch(job, &b, NULL); /* was found before: cannot fail */
  out->dtype = (uint8_t)dtype;
  out->ndim = (uint8_t)(b.ndim + ndim);
  memcpy(out->shape, b.shape, sizeof(b.shape));
  if (ndim > 0)
    out->shape[b.ndim] = rows_;
  if (ndim > 1)
    out->shape[b.ndim + 1] = cols;
}

int linalg_square(const struct array_job *job, struct errtext *err) {
  char text[96];
  const struct linalg_plan *p = linalg_plan_of(job);
  return p->m == p->n ? 0
                      : errtext_set(err, NUMD_ESHAPE, "%s: the last two axes must be square, not %s",
                                    op_rows[job->op].name, array_shape_text(&job->in[0], text));
}

static int too_large(const struct array_job *job, struct errtext *err) {
  return errtext_set(err, NUMD_ELIMIT, "%s: matrices of %lld by %lld are too large for LAPACK",
                     op_rows[job->op].name, (long long)linalg_plan_of(job)->m,
                     (long long)linalg_plan_of(job)->n);
}

static void at_least(int64_t *n, int64_t least) {
  if (*n < least)
    *n = least;
}

int linalg_workspace(struct array_job *job, const struct lapack *l, const struct lapack_work *work,
                     struct errtext *err) {
  struct linalg_plan *p = linalg_plan_in(job);
  at_least(&p->n_work, work->n_work);
  at_least(&p->n_real, work->n_real);
  at_least(&p->n_ints, work->n_ints);
  if (p->n_work > INT_MAX)
    return too_large(job, err);
  at_least(&p->area[AREA_WORK], p->n_work * l->item);
  at_least(&p->area[AREA_REALS], p->n_real * l->real);
  at_least(&p->area[AREA_INTS], p->n_ints * (int64_t)sizeof(int));
  return 0;
}

/* How many matrices to a unit, and what it takes. */
static void divide(struct array_job *job, double flops) {
  struct linalg_plan *p = linalg_plan_in(job);
  const double ns = flops / FLOPS_A_NS + CALL_NS;
  p->per_unit = ns < UNIT_NS ? (int64_t)(UNIT_NS / ns) : 1;
  job->n_phases = 1;
  job->n_units[0] = (p->batch + p->per_unit - 1) / p->per_unit;
  job->cost_ns = (uint64_t)fmin(ns * (double)p->batch, 1e18);
  for (int i = 0; i < N_AREAS; i++)
    job->task_bytes += (p->area[i] + ALIGN - 1) / ALIGN * ALIGN;
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct lapack *l = lapack_of((numd_dtype)job->dtype);
  const struct layout *a = &job->in[0];
  struct linalg_plan *p = linalg_plan_in(job);
  struct batch b;
  double flops = 0;
  int r;
  if (a->ndim < 2)
    return errtext_set(err, NUMD_ESHAPE, "%s: wants at least two axes, not %d", op_rows[job->op].name,
                       a->ndim);
  memset(p, 0, sizeof(*p));
  job->shared_bytes = job->task_bytes = 0;
  for (int i = 0; i < NUMD_OP_MAX_OUT; i++)
    job->out[i] = (struct layout){.dtype = NUMD_DTYPE_NONE};
  p->m = a->shape[a->ndim - 2];
  p->n = a->shape[a->ndim - 1];
  if ((p->m < p->n ? p->m : p->n) > LEAST_SIDE_MAX || p->m > SIDE_MAX || p->n > SIDE_MAX)
    return too_large(job, err);
  if ((r = find_batch(job, &b, err)) || (r = count_batch(&b, &p->batch, err)) ||
      (r = rows[job->op].plan(job, l, &flops, err)))
    return r;
  divide(job, flops);
  linalg_tiles_plan(job, l);
  return 0;
}

/* ---- Running ---- */

/* Where the matrices of the batch are. */
struct place {
  struct batch batch;
  int64_t index[MAX_DIMS];
  int64_t stride[2][MAX_DIMS];
  int64_t out_bytes[NUMD_OP_MAX_OUT];
  struct linalg_one at;
};

static int64_t bytes_of_one(const struct layout *out, int batch_ndim) {
  int64_t bytes = dtype_rows[out->dtype].size;
  for (int d = batch_ndim; d < out->ndim; d++)
    bytes *= out->shape[d];
  return bytes;
}

static void seek(struct place *pl, const struct array_run *run, int64_t linear) {
  const struct array_job *job = run->job;
  find_batch(job, &pl->batch, NULL);
  for (int i = 0; i < op_rows[job->op].n_out; i++) {
    pl->out_bytes[i] = bytes_of_one(&job->out[i], pl->batch.ndim);
    pl->at.out[i] = run->out[i] + linear * pl->out_bytes[i];
  }
  for (int i = 0; i < job->n_in; i++)
    pl->at.in[i] = run->in[i];
  for (int d = pl->batch.ndim - 1; d >= 0; d--) {
    pl->index[d] = linear % pl->batch.shape[d];
    linear /= pl->batch.shape[d];
    for (int i = 0; i < job->n_in; i++) {
      const struct layout *in = &job->in[i];
      const int e = d - (pl->batch.ndim - (in->ndim - matrix_ndim(job, i)));
      pl->stride[i][d] = e < 0 || in->shape[e] == 1 ? 0 : in->strides[e];
      pl->at.in[i] += pl->index[d] * pl->stride[i][d];
    }
  }
}

static void step(struct place *pl) {
  const struct array_job *job = pl->at.job;
  for (int i = 0; i < op_rows[job->op].n_out; i++)
    pl->at.out[i] += pl->out_bytes[i];
  for (int d = pl->batch.ndim - 1; d >= 0; d--) {
    const bool wraps = ++pl->index[d] == pl->batch.shape[d];
    for (int i = 0; i < job->n_in; i++)
      pl->at.in[i] += pl->stride[i][d] * (wraps ? 1 - pl->batch.shape[d] : 1);
    if (!wraps)
      return;
    pl->index[d] = 0;
  }
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct linalg_plan *p = linalg_plan_of(run->job);
  unsigned flags = 0;
  struct place pl = {.at = {.job = run->job, .p = p, .l = lapack_of((numd_dtype)run->job->dtype)}};
  if (p->block) {
    seek(&pl, run, 0);
    return linalg_tiles_run(&pl.at, run->shared, phase, unit);
  }
  int64_t first = unit * p->per_unit, last = first + p->per_unit < p->batch ? first + p->per_unit : p->batch;
  for (int i = 0; i < N_AREAS; i++) {
    pl.at.area[i] = task;
    task += (p->area[i] + ALIGN - 1) / ALIGN * ALIGN;
  }
  seek(&pl, run, first);
  for (; first < last; first++, step(&pl)) {
    unsigned its = 0;
    flags |= linalg_small(&pl.at, &its) ? its : rows[run->job->op].one(&pl.at);
  }
  return flags;
}

const struct array_kernel linalg_kernel = {plan, run, false};

struct lapack_work linalg_work(const struct linalg_one *o) {
  return (struct lapack_work){o->area[AREA_WORK], o->area[AREA_REALS], (int *)o->area[AREA_INTS],
                              o->p->n_work,       o->p->n_real,        o->p->n_ints};
}

/* ---- Moving matrices ---- */

typedef uint64_t __attribute__((may_alias)) item8;
typedef uint32_t __attribute__((may_alias)) item4;

void linalg_load(const struct linalg_one *o, int i, int64_t n_rows, int64_t n_cols, char *to) {
  const struct layout *in = &o->job->in[i];
  const int last = in->ndim - 1;
  const int64_t from[2] = {in->strides[last ? last - 1 : 0], last ? in->strides[last] : o->l->item};
  strided_copy(o->l->item, n_rows, n_cols, o->in[i], from, to, (int64_t[]){o->l->item, n_rows * o->l->item});
}

void linalg_load_transposed(const struct linalg_one *o, int i, int64_t n_rows, int64_t n_cols, char *to) {
  const struct layout *in = &o->job->in[i];
  strided_copy(o->l->item, n_rows, n_cols, o->in[i], &in->strides[in->ndim - 2], to,
               (int64_t[]){n_cols * o->l->item, o->l->item});
}

void linalg_store(const struct linalg_one *o, int i, int64_t n_rows, int64_t n_cols, const char *from,
                  int64_t ld) {
  const int64_t item = dtype_rows[o->job->out[i].dtype].size;
  strided_copy(item, n_rows, n_cols, from, (int64_t[]){item, ld * item}, o->out[i],
               (int64_t[]){n_cols * item, item});
}

void linalg_store_identity(const struct linalg_one *o, int i, int64_t side) {
  const double one[2] = {1, 0};
  memset(o->out[i], 0, (size_t)(side * side * o->l->item));
  for (int64_t j = 0; j < side; j++)
    linalg_put(o->l, o->out[i] + j * (side + 1) * o->l->item, one);
}

bool linalg_finite(const struct lapack *l, int64_t count, const char *items) {
  const int64_t n = count * (l->item / l->real);
  uint64_t odd = 0;
  if (l->real == 4)
    for (int64_t i = 0; i < n; i++)
      odd |= (((const item4 *)items)[i] & 0x7f800000) == 0x7f800000;
  else
    for (int64_t i = 0; i < n; i++)
      odd |= (((const item8 *)items)[i] & 0x7ff0000000000000) == 0x7ff0000000000000;
  return odd == 0;
}

void linalg_get(const struct lapack *l, const char *item, double z[2]) {
  z[0] = linalg_real(l, item, 0);
  z[1] = l->item > l->real ? linalg_real(l, item, 1) : 0;
}

void linalg_put(const struct lapack *l, char *item, const double z[2]) {
  const int parts = (int)(l->item / l->real);
  for (int i = 0; i < parts; i++)
    if (l->real == 4)
      ((float *)item)[i] = (float)z[i];
    else
      ((double *)item)[i] = z[i];
}
