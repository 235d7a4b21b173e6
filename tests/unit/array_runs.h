/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of array kernels share: arrays with any strides, and running a job's units in order, in
 * random order, or on two threads, which must all give the same bytes. */
#ifndef NUMD_TESTS_ARRAY_RUNS_H
#define NUMD_TESTS_ARRAY_RUNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/kernels/array.h"
#include "tests/unit/items.h"
#include "tests/unit/scribble.h"

#define GUARD_BYTES 64
#define GUARD_BYTE 0xA5

/* An array, its memory, and the same elements in C order. */
struct array {
  struct layout layout;
  char *memory, *data, *flat;
  int64_t size, item;
};

enum arrangement { C_ORDER, REVERSED_AXES, SPREAD, BACKWARDS, ARRANGEMENTS };

static inline void array_deinit(struct array *a) {
  free(a->memory);
  free(a->flat);
}

/* Copies all elements between where they lie and C order. */
static inline void array_copy(const struct array *a, bool from_flat) {
  for (int64_t i = 0; i < a->size; i++) {
    char *at = a->data;
    int64_t rest = i;
    for (int d = a->layout.ndim - 1; d >= 0; d--) {
      at += rest % a->layout.shape[d] * a->layout.strides[d];
      rest /= a->layout.shape[d];
    }
    if (from_flat)
      memcpy(at, a->flat + i * a->item, (size_t)a->item);
    else
      memcpy(a->flat + i * a->item, at, (size_t)a->item);
  }
}

/* Elements are random; change `flat` and call array_copy(a, true) for others. */
static inline void array_init(struct array *a, numd_dtype dtype, int ndim, const int64_t shape[],
                              enum arrangement how) {
  int64_t step = a->item = dtype_rows[dtype].size, back = 0;
  a->layout = (struct layout){.dtype = (uint8_t)dtype, .ndim = (uint8_t)ndim};
  a->size = 1;
  if (how == SPREAD)
    step *= 2;
  for (int i = ndim - 1; i >= 0; i--) {
    const int d = how == REVERSED_AXES ? ndim - 1 - i : i;
    a->layout.shape[d] = shape[d];
    a->layout.strides[d] = how == BACKWARDS ? -step : step;
    if (how == BACKWARDS && shape[d] > 0)
      back += (shape[d] - 1) * step;
    step *= (shape[d] ? shape[d] : 1) + (how == SPREAD);
    a->size *= shape[d];
  }
  a->memory = calloc(1, (size_t)step + 64);
  a->data = a->memory + back;
  a->flat = malloc((size_t)(a->size * a->item) + 64);
  for (int64_t i = 0; i < a->size; i++)
    item_random(dtype, a->flat + i * a->item);
  array_copy(a, true);
}

/* Instruction sets that were built in, for tests that loop over them. */
static inline int count_isas(void) {
  int n = 0;
  while (kernels_isa_names[n])
    n++;
  return n;
}

struct unit_queue {
  const struct array_kernel *kernel;
  const struct array_run *run;
  int phase;
  const int64_t *order;
  int64_t n;
  _Atomic int64_t next;
  _Atomic unsigned flags;
};

static inline void *take_units(void *arg) {
  struct unit_queue *q = arg;
  char *task = NULL;
  if (posix_memalign((void **)&task, 64, (size_t)q->run->job->task_bytes + 64))
    abort();
  memset(task, 0x5A, (size_t)q->run->job->task_bytes);
  for (int64_t i; (i = atomic_fetch_add(&q->next, 1)) < q->n;)
    atomic_fetch_or(&q->flags, q->kernel->run(q->run, q->phase, q->order[i], task));
  free(task);
  return NULL;
}

enum run_way { IN_ORDER, SHUFFLED, TWO_THREADS, RUN_WAYS };

static inline int64_t *unit_order(int64_t n, bool shuffled) {
  int64_t *order = malloc(sizeof(int64_t) * (size_t)(n + 1));
  for (int64_t i = 0; i < n; i++)
    order[i] = i;
  for (int64_t i = n - 1; shuffled && i > 0; i--) {
    const int64_t j = (int64_t)(random_bits() % (uint64_t)(i + 1)), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  return order;
}

static inline unsigned run_phases(const struct array_run *run, enum run_way way) {
  unsigned flags = 0;
  for (int p = 0; p < run->job->n_phases && !flags; p++) {
    const int64_t n = run->job->n_units[p];
    int64_t *order = unit_order(n, way != IN_ORDER);
    struct unit_queue q = {
        .kernel = kernel_array(run->job->op), .run = run, .phase = p, .order = order, .n = n};
    pthread_t other;
    if (way == TWO_THREADS && pthread_create(&other, NULL, take_units, &q))
      abort();
    take_units(&q);
    if (way == TWO_THREADS)
      pthread_join(other, NULL);
    flags = q.flags;
    free(order);
  }
  return flags;
}

static inline int64_t output_bytes(const struct array_job *job, int i) {
  int64_t n = 0;
  CHECK(layout_size(&job->out[i], &n) == 0, "size of output %d", i);
  return n * dtype_rows[job->out[i].dtype].size;
}

/* Runs a planned job; the outputs, which the caller frees, lie before guards that are checked. */
static inline unsigned run_job(const struct array_job *job, char *const in[], char *out[], enum run_way way) {
  char *shared = NULL;
  if (posix_memalign((void **)&shared, 64, (size_t)job->shared_bytes + 64))
    abort();
  memset(shared, 0x5A, (size_t)job->shared_bytes);
  for (int i = 0; i < job->n_out; i++) {
    const size_t bytes = (size_t)output_bytes(job, i);
    if (posix_memalign((void **)&out[i], 64, bytes + GUARD_BYTES))
      abort();
    memset(out[i], GUARD_BYTE, bytes + GUARD_BYTES);
  }
  const struct array_run run = {.job = job, .in = in, .out = out, .shared = shared};
  const unsigned flags = run_phases(&run, way);
  for (int i = 0; i < job->n_out; i++)
    for (int j = 0; j < GUARD_BYTES; j++)
      CHECK((unsigned char)out[i][output_bytes(job, i) + j] == GUARD_BYTE, "%s wrote too much",
            op_rows[job->op].name);
  free(shared);
  return flags;
}

/* A job over these arrays; parameters are set afterwards, before its plan. */
static inline struct array_job job_of(numd_op op, numd_dtype dtype, int n_in, struct array *const in[]) {
  struct array_job job = {
      .op = (uint8_t)op, .dtype = (uint8_t)dtype, .n_in = n_in, .n_out = op_rows[op].n_out};
  for (int i = 0; i < n_in; i++)
    job.in[i] = in[i]->layout;
  return job;
}

static inline void plan_job(struct array_job *job) {
  struct errtext err = {""};
  const int r = kernel_array(job->op)->plan(job, &err);
  CHECK(r == 0, "%s: status %d, %s", op_rows[job->op].name, r, err.text);
}

static inline int plan_status(struct array_job *job) {
  struct errtext err = {""};
  const int r = kernel_array(job->op)->plan(job, &err);
  CHECK(r == 0 || err.text[0], "%s: status %d without a sentence", op_rows[job->op].name, r);
  return r;
}

/* Runs it in every way; the outputs of the first, after all were found the same. */
static inline unsigned run_all_ways(const struct array_job *job, char *const in[], char *out[]) {
  const unsigned flags = run_job(job, in, out, IN_ORDER);
  for (int way = SHUFFLED; way < RUN_WAYS && !flags; way++) {
    char *other[NUMD_OP_MAX_OUT];
    run_job(job, in, other, (enum run_way)way);
    for (int i = 0; i < job->n_out; i++) {
      CHECK(memcmp(out[i], other[i], (size_t)output_bytes(job, i)) == 0, "%s of %s depends on who runs it",
            op_rows[job->op].name, dtype_rows[job->dtype].name);
      free(other[i]);
    }
  }
  return flags;
}

/* ---- Memory that changes under a kernel ---- */

/* Runs a job many times while another thread writes into `victim`: guards are checked, results are not. */
static inline void run_while_scribbling(const struct array_job *job, char *const in[],
                                        const struct array *victim) {
  struct scribbler s;
  scribbler_start(&s, victim->memory, victim->size * victim->item);
  for (int i = 0; i < 30; i++) {
    char *out[NUMD_OP_MAX_OUT];
    run_job(job, in, out, TWO_THREADS);
    for (int o = 0; o < job->n_out; o++)
      free(out[o]);
  }
  scribbler_stop(&s);
}

#endif
