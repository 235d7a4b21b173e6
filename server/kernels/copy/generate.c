/* SPDX-License-Identifier: BSD-3-Clause */
/* New values from parameters: arange, linspace and eye; and tril and triu, which put zeros in place of
 * others. Units are runs of elements or rows of about CHUNK elements. */
#include <string.h>

#include "protocol/dtype_lists.h"
#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"
#include "server/kernels/isa.h"
#include "server/kernels/size_math.h"

#define CHUNK 16384

static int64_t chunks_of(int64_t n, int64_t chunk) {
  return (n + chunk - 1) / chunk;
}

/* The result's dtype and shape, of `ndim` axes, from the parameters. */
static int plan_output(struct array_job *job, int ndim, struct errtext *err) {
  struct layout *out = &job->out[0];
  int64_t size;
  if (!(job->params.given & NUMD_PARAM_SHAPE) || job->params.n_ints[0] != ndim)
    return errtext_set(err, NUMD_ESHAPE, "%s: the shape must have %d dimension%s", op_rows[job->op].name,
                       ndim, ndim > 1 ? "s" : "");
  *out = (struct layout){.dtype = job->params.given & NUMD_PARAM_DTYPE ? job->params.dtype : job->dtype,
                         .ndim = (uint8_t)ndim};
  for (int d = 0; d < ndim; d++)
    if ((out->shape[d] = job->params.ints[0][d]) < 0)
      return errtext_set(err, NUMD_ESHAPE, "%s: negative length %lld", op_rows[job->op].name,
                         (long long)out->shape[d]);
  for (int i = 0; i < job->n_in; i++)
    if (job->in[i].ndim != 0)
      return errtext_set(err, NUMD_ESHAPE, "%s: start and end must be without dimensions",
                         op_rows[job->op].name);
  if (layout_size(out, &size) < 0)
    return errtext_set(err, NUMD_ESHAPE, "%s: too many elements", op_rows[job->op].name);
  job->cost_ns = cost_plus(cost_times((uint64_t)size, dtype_rows[out->dtype].size) / 16, 100);
  job->n_phases = 1;
  job->n_units[0] = chunks_of(size, CHUNK);
  return 0;
}

/* ---- Arange ---- */

/* As NumPy has it: the first two are exact, the others are start + i * ((start + step) - start). An index is
 * the first one of its unit plus a number that fits an int32, for vectors of these become floats in one
 * instruction, as those of int64 may not; the sum is exact. */
#define INDEX(first, i) ((double)(first) + (double)(int32_t)(i))

#define DEFINE_INTEGERS(SNAME, S, NAME, T)                                                          \
  static void arange_##NAME(const char *from, const char *by, int64_t first, int64_t n, char *to) { \
    typedef T item KERNEL_ALIAS;                                                                    \
    const T delta = *(const item *)by;                                                              \
    T next = (T)(*(const item *)from + (T)(1u * (T)first * delta));                                 \
    for (int64_t i = 0; i < n; i++, next = (T)(next + delta))                                       \
      ((item *)to)[i] = next;                                                                       \
  }
DTYPE_INT_PAIRS(DEFINE_INTEGERS)

#define DEFINE_REALS(NAME, T)                                                                        \
  static void arange_##NAME(const char *from, const char *by, int64_t first, int64_t n, char *to) {  \
    typedef T item KERNEL_ALIAS;                                                                     \
    const T start = *(const item *)from, second = start + *(const item *)by, delta = second - start; \
    for (int64_t i = 0; i < n; i++)                                                                  \
      ((item *)to)[i] = start + (T)INDEX(first, i) * delta;                                          \
    if (first == 0 && n > 1)                                                                         \
      ((item *)to)[1] = second;                                                                      \
  }
DTYPE_REALS(DEFINE_REALS)

static void (*const arange[NUMD_DTYPE_CODES])(const char *, const char *, int64_t, int64_t, char *) = {
#define INTEGER_ROWS(SNAME, S, UNAME, U) [NUMD_##SNAME] = arange_##UNAME, [NUMD_##UNAME] = arange_##UNAME,
#define REAL_ROW(NAME, T) [NUMD_##NAME] = arange_##NAME,
    DTYPE_INT_PAIRS(INTEGER_ROWS) DTYPE_REALS(REAL_ROW)};

static int arange_plan(struct array_job *job, struct errtext *err) {
  if (!arange[job->dtype])
    return errtext_set(err, NUMD_EDTYPE, "arange: no %s", dtype_rows[job->dtype].name);
  job->task_bytes = CHUNK * MAX_ITEM_BYTES;
  return plan_output(job, 1, err);
}

static unsigned arange_run(const struct array_run *run, int phase, int64_t unit, char *task) {
  (void)phase;
  const struct array_job *job = run->job;
  const uint8_t to = job->out[0].dtype;
  const int64_t first = unit * CHUNK, left = job->out[0].shape[0] - first, n = left < CHUNK ? left : CHUNK;
  char *out = run->out[0] + first * dtype_rows[to].size;
  const bool direct = to == job->dtype;
  arange[job->dtype](run->in[0], run->in[1], first, n, direct ? out : task);
  if (!direct) {
    char *const ptr[] = {task, out};
    const int64_t strides[] = {dtype_rows[job->dtype].size, dtype_rows[to].size};
    kernel_cast(job->dtype, to)(n, ptr, strides);
  }
  return 0;
}

const struct array_kernel arange_kernel = {.plan = arange_plan, .run = arange_run};

/* ---- Linspace ---- */

/* One real, or one part of a complex number: values first .. first+n-1, `parts` apart. */
static void space(const struct array_job *job, double start, double stop, bool by_division, int64_t first,
                  int64_t n, int parts, double *out) {
  const int64_t items = job->out[0].shape[0];
  const bool endpoint = job->params.given & NUMD_PARAM_ENDPOINT;
  const double divisor = (double)(endpoint ? items - 1 : items), delta = stop - start, step = delta / divisor;
  if (divisor != 0 && !by_division)
    for (int64_t i = 0; i < n; i++)
      out[i * parts] = INDEX(first, i) * step + start;
  else
    for (int64_t i = 0; i < n; i++)
      out[i * parts] = (divisor != 0 ? INDEX(first, i) / divisor : INDEX(first, i)) * delta + start;
  if (endpoint && items > 1 && first + n == items)
    out[(n - 1) * parts] = stop;
}

static int linspace_plan(struct array_job *job, struct errtext *err) {
  job->task_bytes = CHUNK * MAX_ITEM_BYTES;
  if (job->dtype != NUMD_FLOAT64 && job->dtype != NUMD_COMPLEX128)
    return errtext_set(err, NUMD_EDTYPE, "linspace: computes in float64 or complex128, not in %s",
                       dtype_rows[job->dtype].name);
  return plan_output(job, 1, err);
}

static unsigned linspace_run(const struct array_run *run, int phase, int64_t unit, char *task) {
  (void)phase;
  const struct array_job *job = run->job;
  const uint8_t to = job->out[0].dtype;
  const int parts = job->dtype == NUMD_COMPLEX128 ? 2 : 1;
  const int64_t first = unit * CHUNK, left = job->out[0].shape[0] - first, n = left < CHUNK ? left : CHUNK;
  char *out = run->out[0] + first * dtype_rows[to].size;
  double *values = to == job->dtype ? (double *)out : (double *)task, start[2] = {0}, stop[2] = {0};
  const int64_t items = job->out[0].shape[0];
  const double divisor = (double)(job->params.given & NUMD_PARAM_ENDPOINT ? items - 1 : items);
  memcpy(start, run->in[0], sizeof(double) * (size_t)parts);
  memcpy(stop, run->in[1], sizeof(double) * (size_t)parts);
  /* a step that underflows would lose all */
  const bool by_division = (stop[0] - start[0]) / divisor == 0 && (stop[1] - start[1]) / divisor == 0;
  for (int p = 0; p < parts; p++)
    space(job, start[p], stop[p], by_division, first, n, parts, values + p);
  if (to == job->dtype)
    return 0;
  const char kind = dtype_rows[to].kind;
  if (parts == 1 && (kind == 'i' || kind == 'u')) {
    char *const same[] = {(char *)values, (char *)values};
    static const int64_t steps[] = {sizeof(double), sizeof(double)};
    kernel_map(NUMD_OP_FLOOR, NUMD_FLOAT64)(n, same, steps);
  }
  char *const ptr[] = {(char *)values, out};
  const int64_t strides[] = {dtype_rows[job->dtype].size, dtype_rows[to].size};
  kernel_cast(job->dtype, to)(n, ptr, strides);
  return 0;
}

const struct array_kernel linspace_kernel = {.plan = linspace_plan, .run = linspace_run};

/* ---- Diagonals ---- */

/* Rows to a unit. */
static int64_t rows_a_unit(int64_t columns) {
  return 1 + CHUNK / (columns + 1);
}

static int64_t limit(int64_t n, int64_t most) {
  return n < 0 ? 0 : n < most ? n : most;
}

/* How many elements of row r are left of diagonal k, within `columns`. */
static int64_t left_of(int64_t r, int64_t k, int64_t columns) {
  int64_t n;
  return __builtin_add_overflow(r, k, &n) ? columns : limit(n, columns);
}

static int64_t diagonal(const struct array_job *job) {
  return job->params.given & NUMD_PARAM_K ? job->params.k : 0;
}

static int eye_plan(struct array_job *job, struct errtext *err) {
  int r = plan_output(job, 2, err);
  if (r)
    return r;
  const int64_t *shape = job->out[0].shape;
  job->n_units[0] = shape[1] ? chunks_of(shape[0], rows_a_unit(shape[1])) : 0;
  return 0;
}

static unsigned eye_run(const struct array_run *run, int phase, int64_t unit, char *task) {
  (void)phase;
  (void)task;
  const struct layout *out = &run->job->out[0];
  const int64_t columns = out->shape[1], rows = rows_a_unit(columns), first = unit * rows;
  const int64_t last = first + rows < out->shape[0] ? first + rows : out->shape[0];
  const int64_t item = dtype_rows[out->dtype].size, k = diagonal(run->job);
  _Alignas(16) char one[MAX_ITEM_BYTES];
  char truth = 1, *const ptr[] = {&truth, one};
  static const int64_t strides[] = {0, 0};
  kernel_cast(NUMD_BOOL, out->dtype)(1, ptr, strides);
  memset(run->out[0] + first * columns * item, 0, (size_t)((last - first) * columns * item));
  for (int64_t r = first; r < last; r++) {
    int64_t at;
    if (!__builtin_add_overflow(r, k, &at) && at >= 0 && at < columns)
      memcpy(run->out[0] + (r * columns + at) * item, one, (size_t)item);
  }
  return 0;
}

const struct array_kernel eye_kernel = {.plan = eye_plan, .run = eye_run};

/* What the plan of TRIL and TRIU keeps for the run. */
struct triangle_plan {
  int64_t n_rows; /* of all matrices */
};
ARRAY_OWN(triangle_plan)

static int plan_triangle(struct array_job *job, struct errtext *err) {
  const struct layout *in = &job->in[0];
  int64_t size;
  if (in->ndim < 2)
    return errtext_set(err, NUMD_ESHAPE, "%s: an array with %d dimensions is no matrix",
                       op_rows[job->op].name, in->ndim);
  if (layout_size(in, &size) < 0)
    return errtext_set(err, NUMD_ESHAPE, "%s: too many elements", op_rows[job->op].name);
  job->out[0] = *in;
  const int64_t columns = in->shape[in->ndim - 1];
  job->cost_ns = cost_plus(cost_times((uint64_t)size, dtype_rows[in->dtype].size) / 8, 100);
  job->n_phases = 1;
  job->n_units[0] = size ? chunks_of(size / columns, rows_a_unit(columns)) : 0;
  triangle_plan_in(job)->n_rows = size ? size / columns : 0;
  return 0;
}

/* Where row number r of all matrices begins. */
static const char *row_start(const struct layout *in, const char *data, int64_t r) {
  for (int d = in->ndim - 2; d >= 0; d--) {
    data += r % in->shape[d] * in->strides[d];
    r /= in->shape[d];
  }
  return data;
}

static unsigned triangle_run(const struct array_run *run, int phase, int64_t unit, char *task) {
  (void)phase;
  (void)task;
  const struct array_job *job = run->job;
  const struct layout *in = &job->in[0];
  const int last = in->ndim - 1;
  const int64_t columns = in->shape[last], rows = rows_a_unit(columns), stride = in->strides[last],
                k = diagonal(job);
  const int item = dtype_rows[in->dtype].size;
  const bool lower = job->op == NUMD_OP_TRIL;
  for (int64_t r = unit * rows; r < (unit + 1) * rows && r < triangle_plan_of(job)->n_rows; r++) {
    const char *from = row_start(in, run->in[0], r);
    char *to = run->out[0] + r * columns * item;
    int64_t left = left_of(r % in->shape[last - 1], k, columns);
    if (lower) /* the diagonal is kept */
      left = k < INT64_MAX ? left_of(r % in->shape[last - 1], k + 1, columns) : columns;
    const int64_t first = lower ? 0 : left, end = lower ? left : columns;
    memset(to, 0, (size_t)(first * item));
    copy_items(end - first, item, from + first * stride, stride, to + first * item, item);
    memset(to + end * item, 0, (size_t)((columns - end) * item));
  }
  return 0;
}

const struct array_kernel triangle_kernel = {.plan = plan_triangle, .run = triangle_run};
