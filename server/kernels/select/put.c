/* SPDX-License-Identifier: BSD-3-Clause */
/* PUT and PUT_ALONG_AXIS, in three phases: the indices are read and checked, x is copied to the output unless
 * it is there, and the values are written to their places. An index out of bounds ends the run after the
 * first phase, so that nothing is written.
 *
 * Where two indices are the same, the last in C order wins. So all values that may meet are written by one
 * unit, in order: units divide the axes before the indexed one, along which x and the indices do not repeat.
 */
#include <string.h>

#include "server/kernels/select/index.h"
#include "server/kernels/size_math.h"

enum phase { PHASE_CHECK, PHASE_COPY, PHASE_WRITE, N_PHASES };

static bool along(const struct array_job *job) {
  return job->op == NUMD_OP_PUT_ALONG_AXIS;
}

/* What the plan keeps for the run. */
struct put_plan {
  int axis; /* that is indexed */
  int64_t n_indices;
  int64_t length;                  /* of that axis: what an index must be below */
  int64_t n_outer, outer_per_unit; /* leading places that are independent of each other */
};
ARRAY_OWN(put_plan)

static int places_of(const struct array_job *job, int *axis, struct layout *places, struct errtext *err) {
  if (along(job))
    return index_plan_along(job, axis, places, err);
  *axis = 0;
  return index_plan(job, places, err);
}

/* How many of the leading places are independent of each other. */
static int64_t independent(const struct array_job *job, int axis, const struct layout *places) {
  struct index_shape shape;
  int64_t outer = 1;
  if (!along(job)) {
    index_shape_of(job, &shape);
    return shape.outer;
  }
  for (int d = 0; d < axis; d++) {
    outer *= places->shape[d];
    if (job->in[0].shape[d] != places->shape[d])
      return 1;
  }
  return outer;
}

static void plan_units(struct array_job *job, int axis, const struct layout *places) {
  const int64_t n = index_elements(places), n_x = index_elements(&job->in[0]);
  const int64_t outer = independent(job, axis, places);
  const int64_t n_indices = index_elements(&job->in[1]);
  struct put_plan *const p = put_plan_in(job);
  struct index_shape shape;
  index_shape_of(job, &shape);
  p->axis = axis;
  p->n_indices = n_indices;
  p->length = along(job) ? job->in[0].shape[axis] : shape.length;
  p->n_outer = outer;
  p->outer_per_unit = n == 0 ? 1 : INDEX_UNIT_ELEMENTS / (n / outer) + 1;
  job->task_bytes = 0;
  job->shared_bytes = n_indices * (int64_t)sizeof(int64_t);
  job->n_phases = N_PHASES;
  job->n_units[PHASE_CHECK] = n == 0 ? 0 : parts_of(n_indices, INDEX_UNIT_ELEMENTS);
  job->n_units[PHASE_COPY] = parts_of(n_x, INDEX_UNIT_ELEMENTS);
  job->n_units[PHASE_WRITE] = n == 0 ? 0 : parts_of(outer, p->outer_per_unit);
  job->cost_ns = cost_plus((uint64_t)n_x, cost_times((uint64_t)n, 4));
}

static int plan(struct array_job *job, struct errtext *err) {
  struct layout places, view;
  char text[96], other[96];
  int axis;
  const int status = places_of(job, &axis, &places, err);
  if (status != 0)
    return status;
  if (!index_broadcast(&job->in[2], &places, &view))
    return errtext_set(err, NUMD_ESHAPE, "%s: values of shape %s do not broadcast to %s",
                       op_rows[job->op].name, array_shape_text(&job->in[2], text),
                       array_shape_text(&places, other));
  job->out[0] = job->in[0];
  job->out[0].dtype = job->dtype;
  plan_units(job, axis, &places);
  return 0;
}

/* The checked indices. */
static int64_t *checked(const struct array_run *run) {
  return (int64_t *)(void *)run->shared;
}

static unsigned check(const struct array_run *run, int64_t unit) {
  const struct array_job *job = run->job;
  const int64_t n = put_plan_of(job)->n_indices, end = smaller((unit + 1) * INDEX_UNIT_ELEMENTS, n);
  int64_t *const indices = checked(run);
  struct strided_iter iter;
  unsigned flags = 0;
  strided_iter_init(&iter, &job->in[1]);
  for (int64_t i = unit * INDEX_UNIT_ELEMENTS; i < end; i += INDEX_BLOCK)
    flags |= index_read(&iter, (numd_dtype)job->in[1].dtype, run->in[1], i, smaller(end - i, INDEX_BLOCK),
                        put_plan_of(job)->length, indices + i);
  return flags;
}

static void copy(const struct array_run *run, int64_t unit) {
  struct strided_iter iter;
  strided_iter_init(&iter, &run->job->in[0]);
  const int64_t begin = unit * INDEX_UNIT_ELEMENTS;
  if (run->out[0] != run->in[0])
    strided_iter_read(&iter, run->in[0], begin,
                      smaller(INDEX_UNIT_ELEMENTS, index_elements(&run->job->in[0]) - begin),
                      run->out[0] + begin * iter.item);
}

static void write_lines(const struct array_run *run, const struct strided_iter *values, int64_t outer) {
  struct index_shape shape;
  _Alignas(64) char block[INDEX_BLOCK * MAX_ITEM_BYTES];
  const int item = values->item;
  index_shape_of(run->job, &shape);
  const int64_t line = shape.inner * item;
  char *const to = run->out[0] + outer * shape.length * line;
  const int64_t first = outer * shape.n_indices, *indices = checked(run);
  if (shape.inner != 1) {
    for (int64_t i = 0; i < shape.n_indices; i++)
      strided_iter_read(values, run->in[2], (first + i) * shape.inner, shape.inner, to + indices[i] * line);
    return;
  }
  for (int64_t i = 0; i < shape.n_indices; i += INDEX_BLOCK) {
    const int64_t n = smaller(shape.n_indices - i, INDEX_BLOCK);
    strided_iter_read(values, run->in[2], first + i, n, block);
    scatter_items(n, item, block, to, 0, indices + i, item);
  }
}

/* Places begin .. end-1. */
static void write_along(const struct array_run *run, const struct layout *places,
                        const struct strided_iter *values, int64_t begin, int64_t end) {
  const struct array_job *job = run->job;
  const int axis = put_plan_of(job)->axis;
  _Alignas(64) char block[INDEX_BLOCK * MAX_ITEM_BYTES];
  int64_t indices[INDEX_BLOCK], offset, n;
  struct layout view, own = job->in[1];
  struct strided_iter iter, bases;
  own.dtype = NUMD_INT64;
  layout_set_c_order(&own);
  index_broadcast(&own, places, &view);
  strided_iter_init(&iter, &view);
  index_bases(&job->out[0], axis, places, &bases);
  for (int64_t i = begin; i < end; i += n) {
    n = smaller(smaller(strided_iter_run(&bases, i, &offset), end - i), INDEX_BLOCK);
    strided_iter_read(&iter, run->shared, i, n, (char *)indices);
    strided_iter_read(values, run->in[2], i, n, block);
    scatter_items(n, values->item, block, run->out[0] + offset, bases.strides[bases.ndim - 1], indices,
                  job->out[0].strides[axis]);
  }
}

static void write(const struct array_run *run, int64_t unit) {
  const struct array_job *job = run->job;
  const struct put_plan *const p = put_plan_of(job);
  const int64_t begin = unit * p->outer_per_unit, end = smaller(begin + p->outer_per_unit, p->n_outer);
  struct layout places, view;
  struct errtext ignored;
  struct strided_iter values;
  int axis;
  if (places_of(job, &axis, &places, &ignored) != 0)
    return;
  index_broadcast(&job->in[2], &places, &view);
  strided_iter_init(&values, &view);
  const int64_t each = index_elements(&places) / p->n_outer;
  if (along(job))
    write_along(run, &places, &values, begin * each, end * each);
  else
    for (int64_t o = begin; o < end; o++)
      write_lines(run, &values, o);
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  if (phase == PHASE_CHECK)
    return check(run, unit);
  if (phase == PHASE_COPY)
    copy(run, unit);
  else
    write(run, unit);
  return 0;
}

const struct array_kernel put_kernel = {plan, run, true};
