/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of linear algebra share: arrays with strides of every kind, and running a kernel by one and
 * by two threads, which must give the same bits and write nothing beyond outputs and scratch. */
#ifndef NUMD_TESTS_LINALG_RUN_H
#define NUMD_TESTS_LINALG_RUN_H

#include <complex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/kernels/array.h"
#include "tests/unit/random.h"

#undef I
typedef double _Complex number;

/* ---- Arrays ---- */

struct array {
  struct layout layout;
  char *memory, *data;
};

static int64_t count_items(const struct layout *l) {
  int64_t n = 1;
  for (int d = 0; d < l->ndim; d++)
    n *= l->shape[d];
  return n;
}

static number get_at(numd_dtype dtype, const char *p) {
  switch (dtype) {
    case NUMD_INT64:
      return (double)*(const int64_t *)p;
    case NUMD_FLOAT32:
      return (double)*(const float *)p;
    case NUMD_FLOAT64:
      return *(const double *)p;
    case NUMD_COMPLEX64:
      return CMPLX((double)((const float *)p)[0], (double)((const float *)p)[1]);
    default:
      return CMPLX(((const double *)p)[0], ((const double *)p)[1]);
  }
}

static void put_at(numd_dtype dtype, char *p, number z) {
  switch (dtype) {
    case NUMD_FLOAT32:
      *(float *)p = (float)creal(z);
      break;
    case NUMD_FLOAT64:
      *(double *)p = creal(z);
      break;
    case NUMD_COMPLEX64:
      ((float *)p)[0] = (float)creal(z);
      ((float *)p)[1] = (float)cimag(z);
      break;
    default:
      ((double *)p)[0] = creal(z);
      ((double *)p)[1] = cimag(z);
  }
}

/* Axes in any order of memory, with gaps, backwards. */
static struct array array_new(numd_dtype dtype, int ndim, const int64_t shape[]) {
  struct array a = {.layout = {.dtype = (uint8_t)dtype, .ndim = (uint8_t)ndim}};
  int order[MAX_DIMS];
  int64_t step = dtype_rows[dtype].size, first = 0;
  const bool plain = random_below(3) == 0;
  for (int d = 0; d < ndim; d++)
    order[d] = ndim - 1 - d;
  for (int d = ndim - 1; !plain && d > 0; d--) {
    const int other = random_below(d + 1), kept = order[d];
    order[d] = order[other];
    order[other] = kept;
  }
  for (int i = 0; i < ndim; i++) {
    const int d = order[i];
    a.layout.shape[d] = shape[d];
    step *= plain || random_below(4) ? 1 : 2;
    const bool back = !plain && random_below(5) == 0;
    a.layout.strides[d] = back ? -step : step;
    first += back && shape[d] > 0 ? step * (shape[d] - 1) : 0;
    step *= shape[d] > 0 ? shape[d] : 1;
  }
  a.memory = malloc((size_t)step + 64);
  memset(a.memory, 0xFF, (size_t)step + 64); /* NaN */
  a.data = a.memory + first;
  return a;
}

/* Item `linear` in C order. */
static char *item_at(const struct array *a, int64_t linear) {
  char *p = a->data;
  for (int d = a->layout.ndim - 1; d >= 0; d--) {
    p += linear % a->layout.shape[d] * a->layout.strides[d];
    linear /= a->layout.shape[d];
  }
  return p;
}

/* ---- Running ---- */

struct outcome {
  int status;
  unsigned flags;
  int n_out;
  struct array out[NUMD_OP_MAX_OUT];
};

struct crew {
  const struct array_run *run;
  const struct array_kernel *kernel;
  int phase;
  atomic_llong next;
  atomic_uint flags;
};

static void *work(void *arg) {
  struct crew *crew = arg;
  const struct array_job *job = crew->run->job;
  char *task = aligned_alloc(64, (size_t)(job->task_bytes + 127) / 64 * 64);
  memset(task, 0xA5, (size_t)job->task_bytes + 64);
  for (int64_t unit; (unit = atomic_fetch_add(&crew->next, 1)) < job->n_units[crew->phase];)
    atomic_fetch_or(&crew->flags, crew->kernel->run(crew->run, crew->phase, unit, task));
  for (int i = 0; i < 64; i++)
    CHECK((unsigned char)task[job->task_bytes + i] == 0xA5, "%s: written beyond the task's scratch",
          op_rows[job->op].name);
  free(task);
  return NULL;
}

static void run_phases(struct crew *crew, int n_threads) {
  for (crew->phase = 0; crew->phase < crew->run->job->n_phases && !atomic_load(&crew->flags); crew->phase++) {
    pthread_t threads[4];
    atomic_store(&crew->next, 0);
    for (int i = 1; i < n_threads; i++)
      pthread_create(&threads[i], NULL, work, crew);
    work(crew);
    for (int i = 1; i < n_threads; i++)
      pthread_join(threads[i], NULL);
  }
}

static struct outcome run_threads(struct array_job job, const struct array in[], int n_threads) {
  const struct array_kernel *kernel = kernel_array((numd_op)job.op);
  struct outcome o = {.n_out = op_rows[job.op].n_out};
  struct errtext err = {""};
  char *ins[2] = {NULL, NULL}, *outs[NUMD_OP_MAX_OUT] = {NULL};
  CHECK(kernel != NULL, "%s has no kernel", op_rows[job.op].name);
  o.status = kernel->plan(&job, &err);
  if (o.status) {
    CHECK(err.text[0], "a status without a sentence");
    return o;
  }
  for (int i = 0; i < job.n_in; i++)
    ins[i] = in[i].data;
  for (int i = 0; i < o.n_out; i++) {
    CHECK(layout_set_c_order(&job.out[i]) == 0, "too large");
    o.out[i].layout = job.out[i];
    const size_t bytes = (size_t)(count_items(&job.out[i]) * dtype_rows[job.out[i].dtype].size);
    outs[i] = o.out[i].memory = o.out[i].data = malloc(bytes + 64);
    memset(outs[i], 0xA5, bytes + 64);
  }
  char *shared = aligned_alloc(64, (size_t)(job.shared_bytes + 127) / 64 * 64);
  memset(shared, 0xA5, (size_t)job.shared_bytes + 64);
  const struct array_run run = {&job, ins, outs, shared};
  struct crew crew = {.run = &run, .kernel = kernel};
  run_phases(&crew, n_threads);
  o.flags = atomic_load(&crew.flags);
  for (int i = 0; i < 64; i++)
    CHECK((unsigned char)shared[job.shared_bytes + i] == 0xA5, "written beyond the shared scratch");
  for (int i = 0; i < o.n_out; i++) {
    const char *end = outs[i] + count_items(&job.out[i]) * dtype_rows[job.out[i].dtype].size;
    for (int b = 0; b < 64; b++)
      CHECK((unsigned char)end[b] == 0xA5, "%s writes beyond output %d", op_rows[job.op].name, i);
  }
  free(shared);
  return o;
}

static void outcome_free(struct outcome *o) {
  for (int i = 0; i < o->n_out; i++)
    free(o->out[i].memory);
}

static struct array_job job_of(numd_op op, numd_dtype dtype, int n_in, const struct array in[],
                               uint32_t given, double rtol) {
  struct array_job job = {.op = (uint8_t)op, .dtype = (uint8_t)dtype, .n_in = n_in};
  job.params.given = given;
  job.params.real = rtol;
  for (int i = 0; i < n_in; i++)
    job.in[i] = in[i].layout;
  return job;
}

/* Runs it twice. The caller frees the outcome. */
static struct outcome run_op(numd_op op, int n_in, const struct array in[], uint32_t given, double rtol) {
  const numd_dtype dtype = (numd_dtype)in[0].layout.dtype;
  const struct array_job job = job_of(op, dtype, n_in, in, given, rtol);
  struct outcome one = run_threads(job, in, 1), two = run_threads(job, in, 2);
  CHECK(one.status == two.status && one.flags == two.flags, "%s: threads matter", op_rows[op].name);
  for (int i = 0; i < one.n_out && !one.status && !one.flags; i++) {
    const struct layout *l = &one.out[i].layout;
    const size_t bytes = (size_t)(count_items(l) * dtype_rows[l->dtype].size);
    CHECK(memcmp(one.out[i].data, two.out[i].data, bytes) == 0, "%s of %s: output %d depends on the threads",
          op_rows[op].name, dtype_rows[dtype].name, i);
  }
  outcome_free(&two);
  return one;
}

#endif
