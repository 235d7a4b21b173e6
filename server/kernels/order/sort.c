/* SPDX-License-Identifier: BSD-3-Clause */
/* SORT and ARGSORT: rows along one axis, in one of two ways.
 *
 *   short rows   one phase; a unit sorts several rows, one after another, in scratch of its own
 *   long rows    few of them: all at the same time, each cut into chunks, in the phases of the sorter; then
 *                values or indices are written; then zeros and NaN of floats are put right
 *
 * A key does not tell -0 from 0, nor one NaN from another. Equal elements keep their order, so the zeros and
 * the NaN of the result are those of the input in their first order: where there are any that need it, they
 * are read again and written over those that came of the keys. Each chunk writes as many as it had counted,
 * wherever the memory has changed. */
#include <stddef.h>

#include "server/kernels/isa.h"
#include "server/kernels/order/sort_keys.h"
#include "server/kernels/size_math.h"

#define LONG_ROW 32768
#define UNIT_ELEMENTS 8192
#define ROWS_LONG_MAX 8 /* with more rows, each is one unit however long */

/* What the plan keeps for the run. */
struct rows {
  int axis;
  int64_t n, n_rows;
  int64_t per_unit; /* 0: long rows */
};
ARRAY_OWN(rows)

static bool wants_indices(const struct array_job *job) {
  return job->op == NUMD_OP_ARGSORT;
}

static void make_sorter(const struct array_job *job, const struct rows *rows, struct sorter *s) {
  sorter_init(s, (numd_dtype)job->dtype, job->params.given & NUMD_PARAM_DESCENDING, wants_indices(job),
              rows->n);
}

static void plan_phases(struct array_job *job, const struct rows *rows) {
  struct sorter s;
  make_sorter(job, rows, &s);
  job->cost_ns = cost_times((uint64_t)rows->n_rows, cost_plus(sorter_cost_ns(&s), 5));
  if (rows->per_unit) {
    job->n_phases = 1;
    job->n_units[0] = (rows->n_rows + rows->per_unit - 1) / rows->per_unit;
    job->task_bytes = rows->n <= SORT_TINY ? 0 : sorter_bytes(&s);
    return;
  }
  const bool repair = dtype_rows[job->dtype].kind == 'f' && !wants_indices(job);
  job->n_phases = sorter_phases(&s) + 1 + repair;
  for (int p = 0; p < job->n_phases; p++)
    job->n_units[p] = rows->n_rows * s.n_chunks;
  job->shared_bytes = rows->n_rows * sorter_bytes(&s);
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct layout *in = &job->in[0];
  struct rows rows = {.n_rows = 1};
  const int status = array_axis(job, in->ndim, -1, &rows.axis, err);
  if (status != 0)
    return status;
  job->out[0] = *in;
  job->out[0].dtype = wants_indices(job) ? NUMD_INT64 : job->dtype;
  job->shared_bytes = job->task_bytes = 0;
  rows.n = in->shape[rows.axis];
  for (int d = 0; d < in->ndim; d++)
    if (d != rows.axis)
      rows.n_rows *= in->shape[d];
  if (rows.n == 0 || rows.n_rows == 0) {
    job->n_phases = 0;
    job->cost_ns = 0;
    return 0;
  }
  if (rows.n < LONG_ROW || rows.n_rows > ROWS_LONG_MAX)
    rows.per_unit = rows.n < UNIT_ELEMENTS ? UNIT_ELEMENTS / rows.n : 1;
  *rows_in(job) = rows;
  plan_phases(job, &rows);
  return 0;
}

/* Where one row begins in input and output; goes from row to row. */
struct cursor {
  const char *in;
  char *out;
  int64_t index[MAX_DIMS];
};

static void cursor_set(const struct array_run *run, int axis, int64_t row, struct cursor *at) {
  const struct layout *in = &run->job->in[0], *out = &run->job->out[0];
  at->in = run->in[0];
  at->out = run->out[0];
  for (int d = in->ndim - 1; d >= 0; d--) {
    at->index[d] = d == axis ? 0 : row % in->shape[d];
    if (d != axis)
      row /= in->shape[d];
    at->in += at->index[d] * in->strides[d];
    at->out += at->index[d] * out->strides[d];
  }
}

static void cursor_next(const struct array_run *run, int axis, struct cursor *at) {
  const struct layout *in = &run->job->in[0], *out = &run->job->out[0];
  for (int d = in->ndim - 1; d >= 0; d--) {
    if (d == axis)
      continue;
    at->in += in->strides[d];
    at->out += out->strides[d];
    if (++at->index[d] < in->shape[d])
      return;
    at->in -= in->shape[d] * in->strides[d];
    at->out -= in->shape[d] * out->strides[d];
    at->index[d] = 0;
  }
}

/* The first position of zeros in the sorted row: binary search for the key of 0, which that of any other
 * value tells apart. */
static int64_t zeros_begin(const struct sorter *s, const char *items) {
  const struct sort_loops *loops = sort_loops();
  const double zero = 0;
  char key[8];
  struct key_facts ignored = {.n = 0};
  int64_t position;
  loops->load[s->dtype](1, (const char *)&zero, 8, s->descending, key, &ignored);
  const numd_dtype keys = s->key_bytes == 4 ? NUMD_UINT32 : NUMD_UINT64;
  loops->search[keys](1, key, items, s->n, s->item_bytes, false, &position);
  return position;
}

#define REPAIR(type, INF)                                                            \
  {                                                                                  \
    typedef type KERNEL_ALIAS alias;                                                 \
    const type sign = (type) ~((type) ~(type)0 >> 1);                                \
    for (int64_t i = 0; i < n && (n_zero > 0 || n_nan > 0); i++) {                   \
      const type bits = *(const alias *)(in + i * stride), magnitude = bits & ~sign; \
      if (magnitude == 0 && n_zero > 0) {                                            \
        *(alias *)(out + zero++ * out_stride) = bits;                                \
        n_zero--;                                                                    \
      } else if (magnitude > (INF) && n_nan > 0) {                                   \
        *(alias *)(out + nan++ * out_stride) = bits;                                 \
        n_nan--;                                                                     \
      }                                                                              \
    }                                                                                \
  }

/* Writes the zeros and NaN of one chunk of the input to their places. */
static void repair(const struct sorter *s, int64_t chunk, const char *data, int64_t stride, char *out,
                   int64_t out_stride, char *scratch) {
  struct key_facts all;
  const char *items = sorter_result(s, scratch, &all);
  const struct key_facts *own = sorter_facts(s, scratch, chunk);
  int64_t n_zero = all.n_negative_zero > 0 ? own->n_zero : 0, n_nan = own->n_nan;
  const int64_t n = sorter_chunk_length(s, chunk);
  const char *in = data + chunk * s->chunk * stride;
  if (n_zero == 0 && n_nan == 0)
    return;
  int64_t zero = n_zero ? zeros_begin(s, items) : 0, nan = s->n - all.n_nan;
  for (int64_t c = 0; c < chunk; c++) {
    zero += sorter_facts(s, scratch, c)->n_zero;
    nan += sorter_facts(s, scratch, c)->n_nan;
  }
  if (s->key_bytes == 4)
    REPAIR(uint32_t, 0x7F800000U)
  else
    REPAIR(uint64_t, 0x7FF0000000000000U)
}

static void write_chunk(const struct sorter *s, int64_t chunk, bool indices, char *out, int64_t out_stride,
                        char *scratch) {
  struct key_facts all;
  const struct sort_loops *loops = sort_loops();
  const int64_t begin = chunk * s->chunk, n = sorter_chunk_length(s, chunk);
  const char *from = sorter_result(s, scratch, &all) + begin * s->item_bytes;
  char *to = out + begin * out_stride;
  if (indices)
    loops->indices[s->item](n, from, (int64_t *)to, out_stride);
  else
    loops->store[s->dtype]((enum sort_item)s->item, n, from, s->descending, to, out_stride);
}

static void sort_row(const struct sorter *s, bool indices, const char *in, int64_t stride, char *out,
                     int64_t out_stride, char *scratch) {
  struct strided_iter source;
  strided_iter_init_row(&source, s->key_bytes, s->n, stride);
  for (int p = 0; p < sorter_phases(s); p++)
    for (int64_t c = 0; c < s->n_chunks; c++)
      sorter_run(s, p, c, &source, in, scratch);
  for (int64_t c = 0; c < s->n_chunks; c++)
    write_chunk(s, c, indices, out, out_stride, scratch);
  for (int64_t c = 0; c < s->n_chunks && !indices; c++)
    repair(s, c, in, stride, out, out_stride, scratch);
}

static void run_rows(const struct array_run *run, const struct rows *rows, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const bool indices = wants_indices(job), descending = job->params.given & NUMD_PARAM_DESCENDING;
  const int64_t begin = unit * rows->per_unit, end = smaller(begin + rows->per_unit, rows->n_rows);
  const int64_t stride = job->in[0].strides[rows->axis], out_stride = job->out[0].strides[rows->axis];
  struct sorter s;
  struct cursor at;
  make_sorter(job, rows, &s);
  cursor_set(run, rows->axis, begin, &at);
  for (int64_t row = begin; row < end; row++) {
    if (rows->n <= SORT_TINY)
      sort_loops()->tiny[job->dtype](rows->n, at.in, stride, descending, indices, at.out, out_stride);
    else
      sort_row(&s, indices, at.in, stride, at.out, out_stride, task);
    cursor_next(run, rows->axis, &at);
  }
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const struct rows *const rows = rows_of(job);
  if (rows->per_unit) {
    run_rows(run, rows, unit, task);
    return 0;
  }
  struct sorter s;
  struct cursor at;
  struct strided_iter source;
  make_sorter(job, rows, &s);
  const int64_t row = unit / s.n_chunks, chunk = unit % s.n_chunks;
  const int64_t stride = job->in[0].strides[rows->axis], out_stride = job->out[0].strides[rows->axis];
  char *const scratch = run->shared + row * sorter_bytes(&s);
  cursor_set(run, rows->axis, row, &at);
  strided_iter_init_row(&source, s.key_bytes, s.n, stride);
  if (phase < sorter_phases(&s))
    sorter_run(&s, phase, chunk, &source, at.in, scratch);
  else if (phase == sorter_phases(&s))
    write_chunk(&s, chunk, wants_indices(job), at.out, out_stride, scratch);
  else
    repair(&s, chunk, at.in, stride, at.out, out_stride, scratch);
  return 0;
}

const struct array_kernel sort_kernel = {plan, run, false};
