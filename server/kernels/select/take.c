/* SPDX-License-Identifier: BSD-3-Clause */
/* TAKE and TAKE_ALONG_AXIS: chunks of the result, each element or contiguous part of it copied from where an
 * index says. */
#include <string.h>

#include "server/kernels/item_size.h"
#include "server/kernels/select/index.h"
#include "server/kernels/size_math.h"

#define PART_ELEMENTS 65536 /* of a long inner part, for one unit */

/* to[i] = data[base + i * step + indices[i] * stride] */
#define DEFINE_GATHER(BYTES)                                                                    \
  static void gather_##BYTES(int64_t n, const char *data, int64_t step, const int64_t *indices, \
                             int64_t stride, char *to) {                                        \
    item_##BYTES *out = (item_##BYTES *)to;                                                     \
    if (step == 0 && stride == BYTES) {                                                         \
      _Pragma("GCC unroll 8") for (int64_t i = 0; i < n; i++) out[i] =                          \
          ((const item_##BYTES *)data)[indices[i]];                                             \
      return;                                                                                   \
    }                                                                                           \
    for (int64_t i = 0; i < n; i++)                                                             \
      out[i] = *(const item_##BYTES *)(data + i * step + indices[i] * stride);                  \
  }
DEFINE_GATHER(1)
DEFINE_GATHER(2)
DEFINE_GATHER(4)
DEFINE_GATHER(8)
DEFINE_GATHER(16)

static void gather(int item, int64_t n, const char *data, int64_t step, const int64_t *indices,
                   int64_t stride, char *to) {
#define GATHER(BYTES) gather_##BYTES(n, data, step, indices, stride, to)
  FOR_ITEM_SIZE(item, GATHER)
#undef GATHER
}

/* How TAKE is divided: a unit has `lines` of the inner parts that an index selects, one after another, or a
 * part of a long one. */
struct division {
  int64_t lines, inner_parts;
};

static struct division divide(const struct index_shape *shape) {
  struct division d = {1, 1};
  if (shape->inner > PART_ELEMENTS)
    d.inner_parts = parts_of(shape->inner, PART_ELEMENTS);
  else if (shape->inner > 0)
    d.lines = INDEX_UNIT_ELEMENTS / shape->inner + 1;
  return d;
}

static int plan_take(struct array_job *job, struct errtext *err) {
  struct index_shape shape;
  const int status = index_plan(job, &job->out[0], err);
  if (status != 0)
    return status;
  index_shape_of(job, &shape);
  const struct division d = divide(&shape);
  const int64_t n = index_elements(&job->out[0]);
  job->shared_bytes = job->task_bytes = 0;
  job->n_phases = 1;
  job->n_units[0] = n == 0 ? 0 : parts_of(shape.outer * shape.n_indices, d.lines) * d.inner_parts;
  job->cost_ns = cost_times((uint64_t)n, shape.inner == 1 ? 3 : 1);
  return 0;
}

/* The axes of x before and after the one that is indexed; of the flat array: none, and it as a whole. */
struct take_source {
  struct strided_iter outer, inner, flat;
  int64_t stride; /* from one index to the next; if flat: where it is one axis */
};

static void open_source(const struct layout *x, const struct index_shape *shape, struct take_source *source) {
  struct layout outer = *x, inner = *x;
  strided_iter_init(&source->flat, x);
  outer.ndim = (uint8_t)(shape->flat ? 0 : shape->axis);
  inner.ndim = (uint8_t)(shape->flat ? 0 : x->ndim - shape->axis - 1);
  for (int d = 0; d < inner.ndim; d++) {
    inner.shape[d] = x->shape[shape->axis + 1 + d];
    inner.strides[d] = x->strides[shape->axis + 1 + d];
  }
  strided_iter_init(&source->outer, &outer);
  strided_iter_init(&source->inner, &inner);
  source->stride = shape->flat ? source->flat.strides[0] : x->strides[shape->axis];
}

/* n lines of the outer part at `data`, elements begin .. begin+count-1 of each. */
static void take_lines(const struct index_shape *shape, const struct take_source *source, const char *data,
                       int64_t n, const int64_t *indices, int64_t begin, int64_t count, char *to) {
  const int item = source->flat.item;
  if (shape->flat && source->flat.ndim > 1)
    for (int64_t i = 0; i < n; i++)
      strided_iter_read(&source->flat, data, indices[i], 1, to + i * item);
  else if (shape->inner == 1)
    gather(item, n, data, 0, indices, source->stride, to);
  else if (source->inner.ndim == 1)
    for (int64_t i = 0; i < n; i++)
      copy_items(count, item, data + indices[i] * source->stride + begin * source->inner.strides[0],
                 source->inner.strides[0], to + i * shape->inner * item, item);
  else
    for (int64_t i = 0; i < n; i++)
      strided_iter_read(&source->inner, data + indices[i] * source->stride, begin, count,
                        to + i * shape->inner * item);
}

static unsigned run_take(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  struct index_shape shape;
  struct take_source source;
  struct strided_iter iter;
  int64_t indices[INDEX_BLOCK];
  index_shape_of(job, &shape);
  open_source(&job->in[0], &shape, &source);
  strided_iter_init(&iter, &job->in[1]);
  const struct division d = divide(&shape);
  const int64_t begin = unit % d.inner_parts * PART_ELEMENTS;
  const int64_t count = d.inner_parts > 1 ? smaller(PART_ELEMENTS, shape.inner - begin) : shape.inner;
  int64_t line = unit / d.inner_parts * d.lines;
  const int64_t end = smaller(line + d.lines, shape.outer * shape.n_indices);
  const bool few = shape.n_indices <= INDEX_BLOCK; /* they are read once */
  unsigned flags = few ? index_read(&iter, (numd_dtype)job->in[1].dtype, run->in[1], 0, shape.n_indices,
                                    shape.length, indices)
                       : 0;
  while (line < end) {
    const int64_t outer = line / shape.n_indices, first = line % shape.n_indices;
    const int64_t n = smaller(smaller(shape.n_indices - first, end - line), INDEX_BLOCK);
    if (!few)
      flags |= index_read(&iter, (numd_dtype)job->in[1].dtype, run->in[1], first, n, shape.length, indices);
    take_lines(&shape, &source, run->in[0] + strided_iter_offset(&source.outer, outer), n,
               indices + (few ? first : 0), begin, count,
               run->out[0] + (line * shape.inner + begin) * source.flat.item);
    line += n;
  }
  return flags;
}

const struct array_kernel take_kernel = {plan_take, run_take, false};

/* What the plan of TAKE_ALONG_AXIS keeps for the run. */
struct take_along_plan {
  int axis;
  int64_t n; /* elements of the result */
};
ARRAY_OWN(take_along_plan)

static int plan_take_along_axis(struct array_job *job, struct errtext *err) {
  int axis;
  const int status = index_plan_along(job, &axis, &job->out[0], err);
  if (status != 0)
    return status;
  const int64_t n = index_elements(&job->out[0]);
  *take_along_plan_in(job) = (struct take_along_plan){.axis = axis, .n = n};
  job->shared_bytes = job->task_bytes = 0;
  job->n_phases = 1;
  job->n_units[0] = parts_of(n, INDEX_UNIT_ELEMENTS);
  job->cost_ns = cost_times((uint64_t)n, 3);
  return 0;
}

static unsigned run_take_along_axis(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const struct layout *x = &job->in[0];
  const int axis = take_along_plan_of(job)->axis;
  const int64_t end = smaller((unit + 1) * INDEX_UNIT_ELEMENTS, take_along_plan_of(job)->n);
  int64_t indices[INDEX_BLOCK], offset;
  struct layout view;
  struct strided_iter iter, bases;
  unsigned flags = 0;
  index_broadcast(&job->in[1], &job->out[0], &view);
  strided_iter_init(&iter, &view);
  index_bases(x, axis, &job->out[0], &bases);
  const int64_t step = bases.strides[bases.ndim - 1];
  for (int64_t i = unit * INDEX_UNIT_ELEMENTS; i < end;) {
    const int64_t block = smaller(end - i, INDEX_BLOCK);
    flags |= index_read(&iter, (numd_dtype)job->in[1].dtype, run->in[1], i, block, x->shape[axis], indices);
    for (int64_t done = 0, n; done < block; done += n) {
      n = smaller(strided_iter_run(&bases, i + done, &offset), block - done);
      gather(bases.item, n, run->in[0] + offset, step, indices + done, x->strides[axis],
             run->out[0] + (i + done) * bases.item);
    }
    i += block;
  }
  return flags;
}

const struct array_kernel take_along_axis_kernel = {plan_take_along_axis, run_take_along_axis, false};
