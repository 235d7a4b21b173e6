/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of scans, places of extremes and new values share: shapes, lines along an axis, and memory
 * that changes while it is read. */
#ifndef NUMD_TESTS_ARRAY_SHAPES_H
#define NUMD_TESTS_ARRAY_SHAPES_H

#include "tests/unit/array_runs.h"

struct shape {
  int ndim;
  int64_t lengths[4];
};

static const struct shape shapes[] = {
    {1, {1}},       {1, {7}},        {1, {63}},         {1, {64}},      {1, {300}},      {1, {70001}},
    {2, {1, 5}},    {2, {40, 3}},    {2, {3, 40}},      {2, {5, 1100}}, {2, {40000, 2}}, {2, {2, 70000}},
    {3, {4, 5, 6}}, {3, {2, 9, 17}}, {4, {2, 3, 1, 4}}, {0, {0}},
};
#define N_SHAPES ((int)(sizeof(shapes) / sizeof(shapes[0])))

/* Long arrays take their time: not every dtype meets every one. */
static inline bool skip(const struct shape *shape) {
  int64_t size = 1;
  for (int d = 0; d < shape->ndim; d++)
    size *= shape->lengths[d];
  return size > 10000 && random_below(4);
}

/* Elements before, along and after an axis; axis -1: of the flat array. */
struct lines {
  int64_t outer, length, inner;
};

static inline struct lines lines_of(const struct layout *a, int axis) {
  struct lines l = {1, 1, 1};
  for (int d = 0; d < a->ndim; d++)
    *(axis < 0 || d == axis ? &l.length : d < axis ? &l.outer : &l.inner) *= a->shape[d];
  return l;
}

static inline const char *choose_isa(int i) {
  while (kernels_init(kernels_isa_names[i]) != 0)
    i = 0;
  return kernels_isa_names[i];
}

/* Runs an operation along every axis while another thread writes to its input. */
static inline void run_on_changing_memory(numd_op op) {
  struct array x;
  array_init(&x, NUMD_FLOAT32, 2, (int64_t[]){400, 200}, C_ORDER);
  for (int axis = -1; axis < 2; axis++) {
    struct array_job job = job_of(op, NUMD_FLOAT32, 1, (struct array *[]){&x});
    job.params = (struct op_params){.given = axis < 0 ? 0 : NUMD_PARAM_AXIS, .axis = axis};
    plan_job(&job);
    run_while_scribbling(&job, &x.data, &x);
  }
  array_deinit(&x);
}

#endif
