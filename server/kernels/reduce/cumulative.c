/* SPDX-License-Identifier: BSD-3-Clause */
/* Cumulative sums and products along an axis, or of the flat array.
 *
 * A line is cut into chunks. Phase 0 reduces each chunk, phase 1 adds these up, so that in phase 2 each chunk
 * knows where it starts; a line of one chunk needs phase 2 alone. Within a chunk SCAN_LANES runs go side by
 * side, in the same way. Along an axis that is not the last in memory, rows are added to the row before.
 * Cuts depend on the length alone, so the bits do not depend on the number of threads. */
#include <string.h>

#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"
#include "server/kernels/scan_loops.h"

#define CHUNK 32768
#define LANES_MIN 64 /* elements from which on a run is cut into lanes */
#define COLUMNS 1024
#define GROUP_ITEMS 16384 /* elements that a unit of many short lines works on, about */

/* What the plan keeps for the run. */
struct cumulative_plan {
  int axis; /* -1: the flat array */
  int64_t n_lines, length;
  int64_t inner; /* elements from one of a line to the next, in the result */
  int64_t n_chunks, lines_per_unit;
  bool across;     /* rows are added to the row before, */
  int64_t n_tiles; /* in so many tiles of COLUMNS lines */
};
ARRAY_OWN(cumulative_plan)

static numd_op reduction(const struct array_job *job) {
  return job->op == NUMD_OP_CUMULATIVE_SUM ? NUMD_OP_SUM : NUMD_OP_PROD;
}

static bool has_initial(const struct array_job *job) {
  return job->params.given & NUMD_PARAM_INITIAL;
}

static void combine(const struct array_job *job, int64_t n, const char *x, int64_t x_stride, const char *y,
                    int64_t y_stride, char *out) {
  char *const ptr[] = {(char *)x, (char *)y, out};
  const int64_t stride[] = {x_stride, y_stride, dtype_rows[job->dtype].size};
  kernel_map(kernel_reduce_combine(reduction(job)), job->dtype)(n, ptr, stride);
}

/* Bools become 0 or 1. */
static void copy_values(const struct array_job *job, int64_t n, const char *in, int64_t stride, char *out) {
  char *const ptr[] = {(char *)in, out};
  const int64_t strides[] = {stride, dtype_rows[job->dtype].size};
  kernel_map(NUMD_OP_COPY, job->dtype)(n, ptr, strides);
}

/* What n contiguous items come to, in their own dtype. */
static void total_of(const struct array_job *job, int64_t n, const char *in, char *total) {
  _Alignas(16) char wide[MAX_ITEM_BYTES];
  static const int64_t stride[] = {0, 0};
  char *const ptr[] = {wide, total};
  numd_dtype acc;
  kernel_reduce(reduction(job), job->dtype, &acc)(n, in, dtype_rows[job->dtype].size, wide);
  kernel_cast(acc, job->dtype)(1, ptr, stride);
}

static int which(const struct array_job *job) {
  return job->op == NUMD_OP_CUMULATIVE_SUM ? SCAN_SUM : SCAN_PROD;
}

/* Scans n contiguous items from what `acc` holds, which moves on: in lanes, then what is left over. */
static void scan_run(const struct array_job *job, int64_t n, const char *in, char *out, char *acc) {
  const int64_t item = dtype_rows[job->dtype].size, lane = n / SCAN_LANES;
  _Alignas(16) char start[SCAN_LANES * MAX_ITEM_BYTES];
  const struct scan_loops *loops = kernel_scan_loops();
  if (n < LANES_MIN) {
    loops->chain[which(job)][job->dtype](n, in, out, acc);
    return;
  }
  memcpy(start, acc, (size_t)item);
  for (int j = 0; j + 1 < SCAN_LANES; j++) {
    _Alignas(16) char total[MAX_ITEM_BYTES];
    total_of(job, lane, in + j * lane * item, total);
    combine(job, 1, start + j * item, 0, total, 0, start + (j + 1) * item);
  }
  loops->scan[which(job)][job->dtype](lane, in, out, start);
  memcpy(acc, out + (SCAN_LANES * lane - 1) * item, (size_t)item);
  loops->chain[which(job)][job->dtype](n % SCAN_LANES, in + SCAN_LANES * lane * item,
                                       out + SCAN_LANES * lane * item, acc);
}

/* ---- Lines ---- */

/* A line: its elements, and the address of its first result. */
struct line {
  struct strided_iter iter;
  const char *in;
  char *out;
  int64_t out_stride;
};

static void find_line(const struct array_run *run, int64_t number, struct line *line) {
  const struct array_job *job = run->job;
  const struct layout *in = &job->in[0];
  const struct cumulative_plan *const p = cumulative_plan_of(job);
  const int axis = p->axis;
  const int64_t item = dtype_rows[job->dtype].size, inner = p->inner;
  const int64_t results = p->length + has_initial(job);
  line->in = run->in[0];
  line->out = run->out[0] + (number / inner * results * inner + number % inner) * item;
  line->out_stride = inner * item;
  if (axis < 0) {
    strided_iter_init(&line->iter, in);
    return;
  }
  strided_iter_init_row(&line->iter, (int)item, in->shape[axis], in->strides[axis]);
  for (int d = in->ndim - 1; d >= 0; d--) {
    if (d == axis)
      continue;
    line->in += number % in->shape[d] * in->strides[d];
    number /= in->shape[d];
  }
}

/* Elements first .. first+n-1 of a line, contiguous. */
static const char *line_items(const struct line *line, int64_t first, int64_t n, char *task) {
  if (n == 0)
    return task;
  if (line->iter.ndim == 1 && line->iter.strides[0] == line->iter.item)
    return line->in + first * line->iter.item;
  strided_iter_read(&line->iter, line->in, first, n, task);
  return task;
}

static void identity(const struct array_job *job, char *out) {
  kernel_reduce_identity(reduction(job), job->dtype, out);
}

static char *chunk_total(const struct array_run *run, int64_t number) {
  return run->shared + number * MAX_ITEM_BYTES;
}

static void sum_chunk(const struct array_run *run, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const struct cumulative_plan *const p = cumulative_plan_of(job);
  const int64_t chunk = unit % p->n_chunks, first = chunk * CHUNK, left = p->length - first;
  const int64_t n = left < CHUNK ? left : CHUNK;
  struct line line;
  find_line(run, unit / p->n_chunks, &line);
  total_of(job, n, line_items(&line, first, n, task), chunk_total(run, unit));
}

/* Turns the totals of a line's chunks into what each of them starts from. */
static void add_totals(const struct array_run *run, int64_t number) {
  const struct array_job *job = run->job;
  const size_t item = dtype_rows[job->dtype].size;
  const int64_t n_chunks = cumulative_plan_of(job)->n_chunks;
  _Alignas(16) char acc[MAX_ITEM_BYTES], next[MAX_ITEM_BYTES];
  identity(job, acc);
  for (int64_t c = 0; c < n_chunks; c++) {
    char *total = chunk_total(run, number * n_chunks + c);
    if (c == 0)
      memcpy(next, total, item);
    else
      combine(job, 1, acc, 0, total, 0, next);
    memcpy(total, acc, item);
    memcpy(acc, next, item);
  }
}

/* The first element of a line is taken as it is: -0.0 and what a factor of 1 would change stay. */
static void scan_chunk(const struct array_run *run, int64_t number, int64_t chunk, char *task) {
  const struct array_job *job = run->job;
  const struct cumulative_plan *const p = cumulative_plan_of(job);
  const int64_t item = dtype_rows[job->dtype].size, first = chunk * CHUNK, left = p->length - first;
  int64_t n = left < CHUNK ? left : CHUNK, taken = chunk == 0 && n > 0;
  _Alignas(16) char acc[MAX_ITEM_BYTES];
  struct line line;
  find_line(run, number, &line);
  const char *in = line_items(&line, first, n, task);
  const bool direct = line.out_stride == item;
  if (has_initial(job)) {
    if (chunk == 0)
      identity(job, line.out);
    line.out += line.out_stride;
  }
  line.out += first * line.out_stride;
  char *out = direct ? line.out : task;
  if (taken) {
    copy_values(job, 1, in, 0, out);
    memcpy(acc, out, (size_t)item);
  } else if (n > 0) {
    memcpy(acc, chunk_total(run, number * p->n_chunks + chunk), (size_t)item);
  }
  scan_run(job, n - taken, in + taken * item, out + taken * item, acc);
  if (!direct)
    copy_items(n, (int)item, task, item, line.out, line.out_stride);
}

static void scan_lines(const struct array_run *run, int64_t unit, char *task) {
  const struct cumulative_plan *const p = cumulative_plan_of(run->job);
  const int64_t first = unit / p->n_chunks * p->lines_per_unit;
  for (int64_t i = first; i < first + p->lines_per_unit && i < p->n_lines; i++)
    scan_chunk(run, i, unit % p->n_chunks, task);
}

/* ---- Rows side by side ---- */

static void scan_columns(const struct array_run *run, int64_t unit) {
  const struct array_job *job = run->job;
  const struct cumulative_plan *const p = cumulative_plan_of(job);
  const struct layout *in = &job->in[0];
  const int last = in->ndim - 1;
  const int64_t item = dtype_rows[job->dtype].size, row_bytes = p->inner * item;
  const int64_t at = unit % p->n_tiles * COLUMNS, left = in->shape[last] - at,
                n = left < COLUMNS ? left : COLUMNS;
  struct line line;
  find_line(run, unit / p->n_tiles * in->shape[last] + at, &line);
  if (has_initial(job)) {
    _Alignas(16) char value[MAX_ITEM_BYTES];
    identity(job, value);
    copy_items(n, (int)item, value, 0, line.out, item);
    line.out += row_bytes;
  }
  for (int64_t r = 0; r < p->length; r++, line.in += in->strides[p->axis], line.out += row_bytes)
    if (r == 0)
      copy_values(job, n, line.in, in->strides[last], line.out);
    else
      combine(job, n, line.out - row_bytes, item, line.in, in->strides[last], line.out);
}

/* ---- The kernel ---- */

static void set_output(struct array_job *job, int axis, int64_t size) {
  struct layout *out = &job->out[0];
  *out = job->in[0];
  out->dtype = job->dtype;
  if (axis < 0) {
    out->ndim = 1;
    out->shape[0] = size;
    axis = 0;
  }
  out->shape[axis] += has_initial(job);
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct layout *in = &job->in[0];
  int axis = -1, r;
  struct cumulative_plan *const p = cumulative_plan_in(job);
  int64_t size;
  if ((job->params.given & NUMD_PARAM_AXIS || in->ndim == 1) &&
      (r = array_axis(job, in->ndim, 0, &axis, err)))
    return r;
  if (layout_size(in, &size) < 0)
    return errtext_set(err, NUMD_ESHAPE, "%s: too many elements", op_rows[job->op].name);
  set_output(job, axis, size);
  const int last = in->ndim - 1;
  p->axis = axis;
  p->length = axis < 0 ? size : in->shape[axis];
  p->n_lines = p->inner = 1;
  for (int d = 0; axis >= 0 && d < in->ndim; d++) {
    p->n_lines *= d == axis ? 1 : in->shape[d];
    p->inner *= d > axis ? in->shape[d] : 1;
  }
  p->n_chunks = p->length > CHUNK ? (p->length + CHUNK - 1) / CHUNK : 1;
  p->lines_per_unit = p->n_chunks > 1 ? 1 : 1 + GROUP_ITEMS / (p->length + 1);
  p->across = axis >= 0 && axis != last && in->shape[last] >= 8;
  job->task_bytes = CHUNK * (int64_t)dtype_rows[job->dtype].size;
  job->cost_ns = (uint64_t)size + 100;
  if (p->across) {
    p->n_tiles = (in->shape[last] + COLUMNS - 1) / COLUMNS;
    job->n_phases = 1;
    job->n_units[0] = p->n_lines / in->shape[last] * p->n_tiles;
    return 0;
  }
  const int64_t units = (p->n_lines + p->lines_per_unit - 1) / p->lines_per_unit * p->n_chunks;
  if (p->n_chunks > 1) {
    job->n_units[0] = units;
    job->n_units[1] = p->n_lines;
    job->shared_bytes = p->n_lines * p->n_chunks * MAX_ITEM_BYTES;
    job->n_phases = 2;
  }
  job->n_units[job->n_phases++] = units;
  return 0;
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  if (cumulative_plan_of(run->job)->across)
    scan_columns(run, unit);
  else if (phase == run->job->n_phases - 1)
    scan_lines(run, unit, task);
  else if (phase == 0)
    sum_chunk(run, unit, task);
  else
    add_totals(run, unit);
  return 0;
}

const struct array_kernel cumulative_kernel = {.plan = plan, .run = run};
