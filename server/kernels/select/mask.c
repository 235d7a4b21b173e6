/* SPDX-License-Identifier: BSD-3-Clause */
/* Nonzero, extract and place: what a mask selects.
 *
 * The mask is cut into chunks. Phase 0 counts what is set in each, phase 1 adds the counts up, and in phase 2
 * each chunk writes to, or takes from, its own place. The mask is read twice and may change in between, so a
 * chunk writes no more than it counted, and zeros where it finds less. */
#include <string.h>

#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"
#include "server/kernels/scan_loops.h"
#include "server/kernels/size_math.h"

#define CHUNK 16384
#define SHORT_ROW 32 /* items of the last axis below which indices are divided out one by one */

/* What the plan keeps for the run. */
struct mask_plan {
  int64_t n_mask;   /* items of the mask */
  int64_t part;     /* elements that each of them selects */
  int64_t n_values; /* that PLACE takes in turn */
};
ARRAY_OWN(mask_plan)

/* Scratch of a unit: the mask's items as they are, as bytes of 0 or 1, then positions, then items. */
struct scratch {
  _Alignas(64) char items[CHUNK * MAX_ITEM_BYTES];
  uint8_t mask[CHUNK];
  int64_t at[CHUNK];
};

static const struct layout *mask_layout(const struct array_job *job) {
  return &job->in[job->op == NUMD_OP_NONZERO ? 0 : 1];
}

static const char *mask_data(const struct array_run *run) {
  return run->in[run->job->op == NUMD_OP_NONZERO ? 0 : 1];
}

static int64_t chunk_items(const struct array_job *job, int64_t chunk) {
  const int64_t left = mask_plan_of(job)->n_mask - chunk * CHUNK;
  return left < CHUNK ? left : CHUNK;
}

static bool is_dense(const struct strided_iter *iter) {
  return iter->ndim == 1 && iter->strides[0] == iter->item;
}

/* Items first .. first+n-1 in C order, contiguous. */
static const char *read_items(const struct layout *layout, const char *data, int64_t first, int64_t n,
                              char *to) {
  struct strided_iter iter;
  strided_iter_init(&iter, layout);
  if (is_dense(&iter))
    return data + first * iter.item;
  strided_iter_read(&iter, data, first, n, to);
  return to;
}

static void count_chunk(const struct array_run *run, int64_t chunk, struct scratch *scratch) {
  const struct layout *mask = mask_layout(run->job);
  const int64_t n = chunk_items(run->job, chunk);
  const char *items = read_items(mask, mask_data(run), chunk * CHUNK, n, scratch->items);
  numd_dtype acc;
  kernel_reduce(NUMD_OP_COUNT_NONZERO, mask->dtype, &acc)(n, items, dtype_rows[mask->dtype].size,
                                                          run->shared + chunk * (int64_t)sizeof(int64_t));
}

/* Turns counts into where each chunk begins; one more holds the end of the last. */
static unsigned add_counts(const struct array_run *run) {
  const struct array_job *job = run->job;
  const int64_t n = job->n_units[0];
  int64_t *counts = (int64_t *)run->shared, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t count = counts[i];
    counts[i] = sum;
    sum += count;
  }
  counts[n] = sum;
  if (job->op == NUMD_OP_PLACE)
    return sum > 0 && mask_plan_of(job)->n_values == 0 ? KERNEL_VALUE : 0;
  *(int64_t *)run->out[job->n_out - 1] = sum;
  return 0;
}

/* The chunk's mask as private bytes. */
static void read_mask(const struct array_run *run, int64_t chunk, struct scratch *scratch) {
  const struct layout *mask = mask_layout(run->job);
  const int64_t n = chunk_items(run->job, chunk);
  char *const ptr[] = {(char *)read_items(mask, mask_data(run), chunk * CHUNK, n, scratch->items),
                       (char *)scratch->mask};
  const int64_t strides[] = {dtype_rows[mask->dtype].size, 1};
  kernel_cast(mask->dtype, NUMD_BOOL)(n, ptr, strides);
}

/* ---- Nonzero ---- */

/* Row d of the indices, where the chunk's part begins. */
static int64_t *index_row(const struct array_run *run, int d, int64_t begin) {
  return (int64_t *)run->out[0] + d * mask_plan_of(run->job)->n_mask + begin;
}

/* Flat positions become an index along each axis. */
static void divide_positions(const struct array_run *run, int64_t begin, int64_t n, int64_t *at) {
  const struct layout *mask = mask_layout(run->job);
  for (int d = mask->ndim - 1; d > 0; d--) {
    int64_t *row = index_row(run, d, begin);
    const uint64_t length = (uint64_t)mask->shape[d];
    if (mask_plan_of(run->job)->n_mask <= UINT32_MAX)
      for (int64_t i = 0; i < n; i++) {
        const uint32_t p = (uint32_t)at[i], q = p / (uint32_t)length;
        row[i] = p - q * (uint32_t)length;
        at[i] = q;
      }
    else
      for (int64_t i = 0; i < n; i++) {
        const uint64_t p = (uint64_t)at[i], q = p / length;
        row[i] = (int64_t)(p - q * length);
        at[i] = (int64_t)q;
      }
  }
  memcpy(index_row(run, 0, begin), at, sizeof(int64_t) * (size_t)n);
}

/* The same row by row of the mask, where its last axis is long: only one index changes along it. */
static int64_t write_rows(const struct array_run *run, int64_t chunk, int64_t begin, int64_t room,
                          const uint8_t *set) {
  const struct layout *mask = mask_layout(run->job);
  const int last = mask->ndim - 1;
  const int64_t inner = mask->shape[last], first = chunk * CHUNK, end = first + chunk_items(run->job, chunk);
  int64_t k = 0;
  for (int64_t i = first; i < end && k < room;) {
    const int64_t column = i % inner, n = inner - column < end - i ? inner - column : end - i;
    const int64_t found = kernel_scan_loops()->positions(n, set + (i - first), column, room - k,
                                                         index_row(run, last, begin + k));
    int64_t row = i / inner;
    for (int d = last - 1; d >= 0; d--, row /= mask->shape[d + 1]) {
      const int64_t index = d > 0 ? row % mask->shape[d] : row;
      int64_t *to = index_row(run, d, begin + k);
      for (int64_t j = 0; j < found; j++)
        to[j] = index;
    }
    k += found;
    i += n;
  }
  return k;
}

static void write_indices(const struct array_run *run, int64_t chunk, struct scratch *scratch, int64_t begin,
                          int64_t room) {
  const struct layout *mask = mask_layout(run->job);
  const int64_t n = chunk_items(run->job, chunk);
  int64_t k;
  if (mask->ndim == 1) {
    k = kernel_scan_loops()->positions(n, scratch->mask, chunk * CHUNK, room, index_row(run, 0, begin));
  } else if (mask->shape[mask->ndim - 1] >= SHORT_ROW) {
    k = write_rows(run, chunk, begin, room, scratch->mask);
  } else {
    k = kernel_scan_loops()->positions(n, scratch->mask, chunk * CHUNK, room, scratch->at);
    divide_positions(run, begin, k, scratch->at);
  }
  for (int d = 0; d < mask->ndim && k < room; d++)
    memset(index_row(run, d, begin + k), 0, sizeof(int64_t) * (size_t)(room - k));
}

/* ---- Extract ---- */

static void write_extract(const struct array_run *run, int64_t chunk, struct scratch *scratch, int64_t begin,
                          int64_t room) {
  const struct array_job *job = run->job;
  const int64_t n = chunk_items(job, chunk), part = mask_plan_of(job)->part, first = chunk * CHUNK;
  const int item = dtype_rows[job->in[0].dtype].size;
  char *out = run->out[0] + begin * part * item;
  int64_t k;
  if (part == 1) {
    const char *items = read_items(&job->in[0], run->in[0], first, n, scratch->items);
    k = kernel_scan_loops()->compress(n, item, scratch->mask, items, room, out);
  } else {
    struct strided_iter iter;
    strided_iter_init(&iter, &job->in[0]);
    k = kernel_scan_loops()->positions(n, scratch->mask, first, room, scratch->at);
    for (int64_t i = 0; i < k && part > 0; i++)
      strided_iter_read(&iter, run->in[0], scratch->at[i] * part, part, out + i * part * item);
  }
  memset(out + k * part * item, 0, (size_t)((room - k) * part * item));
}

/* ---- Place ---- */

/* Copies `n` values in turn, from number `at` on. */
static void copy_values(const struct strided_iter *values, const char *data, int64_t count, int64_t at,
                        int64_t n, char *to) {
  for (at %= count; n > 0; at = 0) {
    const int64_t run = count - at < n ? count - at : n;
    strided_iter_read(values, data, at, run, to);
    to += run * values->item;
    n -= run;
  }
}

static void write_place(const struct array_run *run, int64_t chunk, struct scratch *scratch, int64_t begin,
                        int64_t room) {
  const struct array_job *job = run->job;
  const int64_t n = chunk_items(job, chunk), part = mask_plan_of(job)->part, first = chunk * CHUNK;
  const int item = dtype_rows[job->in[0].dtype].size;
  char *out = run->out[0];
  struct strided_iter x, values;
  strided_iter_init(&x, &job->in[0]);
  strided_iter_init(&values, &job->in[2]);
  if (run->in[0] != out && part > 0)
    strided_iter_read(&x, run->in[0], first * part, n * part, out + first * part * item);
  const int64_t k = kernel_scan_loops()->positions(n, scratch->mask, first, room, scratch->at);
  if (part == 1 && k > 0) {
    copy_values(&values, run->in[2], mask_plan_of(job)->n_values, begin, k, scratch->items);
    scatter_items(k, item, scratch->items, out, 0, scratch->at, item);
  }
  for (int64_t i = 0; i < k && part > 1; i++)
    copy_values(&values, run->in[2], mask_plan_of(job)->n_values, (begin + i) * part, part,
                out + scratch->at[i] * part * item);
}

/* ---- The kernel ---- */

static int check_mask(struct array_job *job, struct errtext *err) {
  const struct layout *x = &job->in[0], *mask = mask_layout(job);
  char one[96], two[96];
  bool fits = mask->ndim <= x->ndim;
  for (int d = 0; fits && d < mask->ndim; d++)
    fits = mask->shape[d] == x->shape[d];
  return fits ? 0
              : errtext_set(err, NUMD_ESHAPE, "%s: a mask of shape %s for an array of shape %s",
                            op_rows[job->op].name, array_shape_text(mask, one), array_shape_text(x, two));
}

static void set_outputs(struct array_job *job) {
  const struct layout *x = &job->in[0], *mask = mask_layout(job);
  struct layout *out = &job->out[0];
  job->out[1] = (struct layout){.dtype = NUMD_INT64};
  if (job->op == NUMD_OP_PLACE) {
    *out = *x;
  } else if (job->op == NUMD_OP_NONZERO) {
    *out = (struct layout){.dtype = NUMD_INT64, .ndim = 2, .shape = {mask->ndim, mask_plan_of(job)->n_mask}};
  } else {
    *out = (struct layout){.dtype = x->dtype, .ndim = 1, .shape = {mask_plan_of(job)->n_mask}};
    for (int d = mask->ndim; d < x->ndim; d++)
      out->shape[out->ndim++] = x->shape[d];
  }
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct layout *mask = mask_layout(job);
  struct mask_plan *const p = mask_plan_in(job);
  int64_t size;
  int r = check_mask(job, err);
  if (r)
    return r;
  if (job->op == NUMD_OP_NONZERO && mask->ndim == 0)
    return errtext_set(err, NUMD_ESHAPE, "nonzero: an array without dimensions has no indices");
  if (job->op == NUMD_OP_EXTRACT && job->in[0].ndim - mask->ndim >= MAX_DIMS)
    return errtext_set(err, NUMD_ESHAPE, "extract: the result has more than %d dimensions", MAX_DIMS);
  if (layout_size(mask, &p->n_mask) < 0 || layout_size(&job->in[0], &size) < 0 ||
      (job->op == NUMD_OP_PLACE && layout_size(&job->in[2], &p->n_values) < 0))
    return errtext_set(err, NUMD_ESHAPE, "%s: too many elements", op_rows[job->op].name);
  p->part = p->n_mask ? size / p->n_mask : 0;
  set_outputs(job);
  job->n_phases = 3;
  job->n_units[0] = job->n_units[2] = (p->n_mask + CHUNK - 1) / CHUNK;
  job->n_units[1] = 1;
  job->shared_bytes = (job->n_units[0] + 1) * (int64_t)sizeof(int64_t);
  job->task_bytes = sizeof(struct scratch);
  job->cost_ns = cost_plus(cost_plus((uint64_t)p->n_mask, (uint64_t)size) / 2, 100);
  return 0;
}

static void write_chunk(const struct array_run *run, int64_t chunk, struct scratch *scratch) {
  const int64_t *begin = (const int64_t *)run->shared + chunk, room = begin[1] - begin[0];
  read_mask(run, chunk, scratch);
  switch (run->job->op) {
    case NUMD_OP_NONZERO:
      write_indices(run, chunk, scratch, begin[0], room);
      break;
    case NUMD_OP_EXTRACT:
      write_extract(run, chunk, scratch, begin[0], room);
      break;
    default:
      write_place(run, chunk, scratch, begin[0], room);
  }
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  switch (phase) {
    case 0:
      count_chunk(run, unit, (struct scratch *)task);
      return 0;
    case 1:
      return add_counts(run);
    default:
      write_chunk(run, unit, (struct scratch *)task);
      return 0;
  }
}

const struct array_kernel mask_kernel = {.plan = plan, .run = run};
const struct array_kernel place_kernel = {.plan = plan, .run = run, .in_place = true};
