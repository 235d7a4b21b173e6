/* SPDX-License-Identifier: BSD-3-Clause */
/* Argmax and argmin: the index of the first largest or smallest element, or of the first NaN.
 *
 * Along an axis whose elements lie closest together, or of the flat array, a line is cut into chunks; in a
 * chunk the best value of each stretch is found by the loops of max and min, and its place by looking for it.
 * Along any other axis, and where lines are short, COLUMNS lines are compared side by side: so many fit the
 * first cache. Each chunk leaves its best value and its place; of the chunks with the best value of all, the
 * first wins. */
#include <string.h>

#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"
#include "server/kernels/scan_loops.h"
#include "server/kernels/size_math.h"

#define CHUNK_ITEMS 65536  /* elements of a line to a unit */
#define BOOL_CHUNK 1048576 /* of bools, which are read up to the first that is looked for */
#define STRETCH 4096       /* elements whose best value is found before its place */
#define COLUMNS 512
#define SHORT_LINE 64
#define GROUP_ITEMS 16384 /* elements that a unit of many short lines reads, about */

/* What the plan keeps for the run. */
struct argminmax_plan {
  int axis; /* -1: the flat array */
  int64_t n_lines, length;
  int64_t chunk, n_chunks, lines_per_unit;
  bool across;     /* lines are compared side by side, */
  int column_axis; /* along this axis, */
  int64_t n_tiles; /* in so many tiles of COLUMNS lines */
};
ARRAY_OWN(argminmax_plan)

struct best {
  _Alignas(16) char value[MAX_ITEM_BYTES];
  int64_t at;
};

static bool is_max(const struct array_job *job) {
  return job->op == NUMD_OP_ARGMAX;
}

/* Whether a is better than b, or is the first NaN. */
static bool is_better(const struct array_job *job, const char *a, const char *b) {
  int64_t where = 0;
  char copy[MAX_ITEM_BYTES] __attribute__((aligned(16)));
  memcpy(copy, b, sizeof(copy));
  kernel_scan_loops()->better[is_max(job) ? BETTER_MAX : BETTER_MIN][job->dtype](1, a, 1, copy, &where);
  return where == 1;
}

/* ---- Lines ---- */

/* Of bools: the first that is true, or false for argmin; if there is none, the first of all. */
static void first_truth(const struct array_job *job, const struct strided_iter *line, const char *data,
                        int64_t first, int64_t n, char *task, struct best *best) {
  const bool direct = line->ndim == 1 && line->strides[0] == line->item, wanted = is_max(job);
  const int64_t stretch = direct ? n : STRETCH;
  memset(best, 0, sizeof(*best));
  for (int64_t i = first; i < first + n; i += stretch) {
    const int64_t part = first + n - i < stretch ? first + n - i : stretch;
    if (!direct)
      strided_iter_read(line, data, i, part, task);
    const int64_t found =
        kernel_scan_loops()->find[NUMD_BOOL](part, direct ? data + i : task, (const char *)&wanted);
    if (found < part) {
      best->value[0] = wanted;
      best->at = i + found;
      return;
    }
  }
  best->value[0] = !wanted;
  best->at = first;
}

/* The best of n items of a line, which begin at index `first`. */
static void best_of(const struct array_job *job, const struct strided_iter *line, const char *data,
                    int64_t first, int64_t n, char *task, struct best *best) {
  numd_dtype acc;
  const kernel_reduce_fn reduce = kernel_reduce(is_max(job) ? NUMD_OP_MAX : NUMD_OP_MIN, job->dtype, &acc);
  const bool direct = line->ndim == 1 && line->strides[0] == line->item;
  if (job->dtype == NUMD_BOOL) {
    first_truth(job, line, data, first, n, task, best);
    return;
  }
  for (int64_t i = first; i < first + n; i += STRETCH) {
    const int64_t part = first + n - i < STRETCH ? first + n - i : STRETCH;
    const char *items = direct ? data + i * line->item : task;
    _Alignas(16) char value[MAX_ITEM_BYTES] = {0};
    if (!direct)
      strided_iter_read(line, data, i, part, task);
    reduce(part, items, line->item, value);
    if (i > first && !is_better(job, value, best->value))
      continue;
    const int64_t found = kernel_scan_loops()->find[job->dtype](part, items, value);
    memcpy(best->value, value, sizeof(value));
    best->at = i + (found < part ? found : 0);
  }
}

/* Where line number `number` begins: the element at index 0 of the axis. */
static const char *line_start(const struct array_job *job, const char *data, int64_t number) {
  const struct layout *in = &job->in[0];
  for (int d = in->ndim - 1; d >= 0; d--) {
    if (d == argminmax_plan_of(job)->axis)
      continue;
    data += number % in->shape[d] * in->strides[d];
    number /= in->shape[d];
  }
  return data;
}

static void run_lines(const struct array_run *run, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const struct argminmax_plan *const p = argminmax_plan_of(job);
  const int axis = p->axis;
  const int64_t chunk = unit % p->n_chunks, group = unit / p->n_chunks;
  const int64_t first = group * p->lines_per_unit;
  struct strided_iter line;
  if (axis < 0)
    strided_iter_init(&line, &job->in[0]);
  else
    strided_iter_init_row(&line, dtype_rows[job->dtype].size, p->length, job->in[0].strides[axis]);
  for (int64_t i = first; i < first + p->lines_per_unit && i < p->n_lines; i++) {
    const char *data = axis < 0 ? run->in[0] : line_start(job, run->in[0], i);
    const int64_t from = chunk * p->chunk, left = p->length - from;
    struct best best;
    best_of(job, &line, data, from, left < p->chunk ? left : p->chunk, task, &best);
    if (p->n_chunks > 1)
      ((struct best *)run->shared)[i * p->n_chunks + chunk] = best;
    else
      ((int64_t *)run->out[0])[i] = best.at;
  }
}

/* The first best chunk of each line. */
static void choose_chunks(const struct array_run *run) {
  const struct argminmax_plan *const p = argminmax_plan_of(run->job);
  for (int64_t i = 0; i < p->n_lines; i++) {
    const struct best *chunks = (const struct best *)run->shared + i * p->n_chunks, *best = chunks;
    for (int64_t c = 1; c < p->n_chunks; c++)
      if (is_better(run->job, chunks[c].value, best->value))
        best = &chunks[c];
    ((int64_t *)run->out[0])[i] = best->at;
  }
}

/* ---- Rows side by side ---- */

static void run_columns(const struct array_run *run, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const struct argminmax_plan *const p = argminmax_plan_of(job);
  const struct layout *in = &job->in[0];
  const int item = dtype_rows[job->dtype].size;
  const int64_t columns = in->shape[p->column_axis], stride = in->strides[p->column_axis];
  const int64_t at = unit % p->n_tiles * COLUMNS, left = columns - at, n = left < COLUMNS ? left : COLUMNS;
  const int64_t line = unit / p->n_tiles * columns + at;
  const char *data = line_start(job, run->in[0], line);
  char *row = task, *best = task + COLUMNS * MAX_ITEM_BYTES;
  int64_t *where = (int64_t *)run->out[0] + line;
  const kernel_map_fn copy = kernel_map(NUMD_OP_COPY, job->dtype);
  const bool direct = stride == item && dtype_rows[job->dtype].kind != 'b';
  const int64_t strides[] = {stride, item};
  for (int64_t r = 0; r < p->length; r++, data += in->strides[p->axis]) {
    char *const ptr[] = {(char *)data, r == 0 ? best : row};
    if (r == 0 || !direct)
      copy(n, ptr, strides);
    if (r == 0)
      memset(where, 0, sizeof(*where) * (size_t)n);
    else
      kernel_scan_loops()->better[is_max(job) ? BETTER_MAX : BETTER_MIN][job->dtype](n, direct ? data : row,
                                                                                     r, best, where);
  }
}

/* ---- The kernel ---- */

/* The shape of what comes out; of all axes but `axis`, or, with keepdims, with length 1 there. */
static void set_output(struct array_job *job, int axis) {
  const struct layout *in = &job->in[0];
  struct layout *out = &job->out[0];
  const bool keep = job->params.given & NUMD_PARAM_KEEPDIMS;
  *out = (struct layout){.dtype = NUMD_INT64};
  for (int d = 0; d < in->ndim; d++) {
    const bool reduced = axis < 0 || d == axis;
    if (!reduced || keep)
      out->shape[out->ndim++] = reduced ? 1 : in->shape[d];
  }
}

/* Side by side along the last axis but `axis`, if its steps are smaller or lines are short. */
static void choose_way(struct array_job *job, int axis) {
  const struct layout *in = &job->in[0];
  const int column = axis == in->ndim - 1 ? in->ndim - 2 : in->ndim - 1;
  struct argminmax_plan *const p = argminmax_plan_in(job);
  p->column_axis = column;
  p->across =
      axis >= 0 && column >= 0 && in->shape[column] >= 8 &&
      (in->shape[axis] <= SHORT_LINE || magnitude(in->strides[column]) < magnitude(in->strides[axis]));
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct layout *in = &job->in[0];
  int axis = -1, r;
  struct argminmax_plan *const p = argminmax_plan_in(job);
  int64_t size, out_size;
  if (job->params.given & NUMD_PARAM_AXIS && (r = array_axis(job, in->ndim, 0, &axis, err)))
    return r;
  set_output(job, axis);
  if (layout_size(in, &size) < 0 || layout_size(&job->out[0], &out_size) < 0)
    return errtext_set(err, NUMD_ESHAPE, "%s: too many elements", op_rows[job->op].name);
  p->length = axis < 0 ? size : in->shape[axis];
  if (p->length == 0)
    return errtext_set(err, NUMD_EDOMAIN, "attempt to get %s of an empty sequence", op_rows[job->op].name);
  p->n_lines = out_size;
  p->axis = axis;
  p->chunk = job->dtype == NUMD_BOOL ? BOOL_CHUNK : CHUNK_ITEMS;
  p->n_chunks = (p->length + p->chunk - 1) / p->chunk;
  p->lines_per_unit = p->n_chunks > 1 ? 1 : 1 + GROUP_ITEMS / p->length;
  choose_way(job, axis);
  job->n_phases = 1;
  job->task_bytes = 2 * COLUMNS * MAX_ITEM_BYTES > STRETCH * MAX_ITEM_BYTES ? 2 * COLUMNS * MAX_ITEM_BYTES
                                                                            : STRETCH * MAX_ITEM_BYTES;
  job->cost_ns = cost_plus(cost_times((uint64_t)size, dtype_rows[job->dtype].size) / 16, 100);
  if (p->across) {
    const int64_t columns = in->shape[p->column_axis];
    p->n_tiles = (columns + COLUMNS - 1) / COLUMNS;
    job->n_units[0] = out_size / columns * p->n_tiles;
    return 0;
  }
  job->n_units[0] = (p->n_lines + p->lines_per_unit - 1) / p->lines_per_unit * p->n_chunks;
  if (p->n_chunks > 1) {
    job->n_phases = 2;
    job->n_units[1] = p->n_lines > 0;
    job->shared_bytes = p->n_lines * p->n_chunks * (int64_t)sizeof(struct best);
  }
  return 0;
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  if (argminmax_plan_of(run->job)->across)
    run_columns(run, unit, task);
  else if (phase == 0)
    run_lines(run, unit, task);
  else
    choose_chunks(run);
  return 0;
}

const struct array_kernel argminmax_kernel = {.plan = plan, .run = run};
