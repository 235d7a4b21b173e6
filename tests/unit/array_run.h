/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of array kernels share: planning one, running its units in any order on one thread or two,
 * and seeing that it wrote nothing beyond its outputs and its scratch. */
#ifndef NUMD_TESTS_ARRAY_RUN_H
#define NUMD_TESTS_ARRAY_RUN_H

#include <pthread.h>

#include "server/kernels/array.h"
#include "tests/unit/kernels.h"
#include "tests/unit/scribble.h"

#define GUARD_BYTES 64

/* Memory with guards on both sides. */
struct guarded {
  char *memory, *data;
  int64_t bytes;
};

static inline struct guarded guarded_new(int64_t bytes) {
  const size_t all = (size_t)(bytes + 63) / 64 * 64 + 2 * GUARD_BYTES;
  struct guarded g = {aligned_alloc(64, all), NULL, bytes};
  memset(g.memory, GUARD, all);
  g.data = g.memory + GUARD_BYTES;
  return g;
}

static inline void guarded_check(const struct guarded *g, const char *what) {
  for (int i = 0; i < GUARD_BYTES; i++)
    CHECK((uint8_t)g->memory[i] == GUARD && (uint8_t)g->data[g->bytes + i] == GUARD, "written beyond %s",
          what);
}

struct trial {
  const struct array_kernel *kernel;
  struct array_job job;
  struct errtext err;
  char *in[NUMD_OP_MAX_IN];
  struct guarded out[NUMD_OP_MAX_OUT], shared, task[2];
  /* of a run on two threads */
  struct array_run run;
  int64_t *order;
  unsigned flags[2];
  pthread_barrier_t barrier;
};

/* A vector, for trial_plan. */
static inline struct layout vector(numd_dtype dtype, int64_t n, int64_t stride) {
  return (struct layout){.dtype = (uint8_t)dtype, .ndim = 1, .shape = {n}, .strides = {stride}};
}

/* The kernel's plan for t->job, whose inputs and parameters are set. 0: also makes the memory. */
static inline int trial_plan(struct trial *t, numd_op op, numd_dtype dtype) {
  struct array_job *job = &t->job;
  t->kernel = kernel_array(op);
  CHECK(t->kernel != NULL, "%s has no kernel", op_rows[op].name);
  job->op = (uint8_t)op;
  job->dtype = (uint8_t)dtype;
  job->n_in = op_rows[op].n_in;
  job->n_out = op_rows[op].n_out;
  const int status = t->kernel->plan(job, &t->err);
  if (status != 0)
    return status;
  for (int o = 0; o < job->n_out; o++) {
    int64_t n;
    CHECK(layout_set_c_order(&job->out[o]) == 0 && layout_size(&job->out[o], &n) == 0, "output %d", o);
    t->out[o] = guarded_new(n * dtype_rows[job->out[o].dtype].size);
  }
  t->shared = guarded_new(job->shared_bytes);
  for (int i = 0; i < 2; i++)
    t->task[i] = guarded_new(job->task_bytes);
  return 0;
}

static inline void shuffle(int64_t *items, int64_t n) {
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t k = (int64_t)(random_bits() % (uint64_t)(i + 1)), swap = items[i];
    items[i] = items[k];
    items[k] = swap;
  }
}

static inline void trial_units(struct trial *t, int me, int n_threads) {
  for (int phase = 0; phase < t->job.n_phases; phase++) {
    const int64_t n = t->job.n_units[phase];
    if (me == 0) {
      t->order = malloc((size_t)(n + 1) * sizeof(*t->order));
      for (int64_t i = 0; i < n; i++)
        t->order[i] = i;
      if (n_threads > 1)
        shuffle(t->order, n);
    }
    if (n_threads > 1)
      pthread_barrier_wait(&t->barrier);
    for (int64_t i = me; i < n; i += n_threads)
      t->flags[me] |= t->kernel->run(&t->run, phase, t->order[i], t->task[me].data);
    if (n_threads > 1)
      pthread_barrier_wait(&t->barrier);
    if (me == 0)
      free(t->order);
    if (t->flags[0] | t->flags[n_threads - 1])
      return;
  }
}

static inline void *trial_second(void *arg) {
  trial_units(arg, 1, 2);
  return NULL;
}

/* On two threads: units in random order. Returns KERNEL_* flags. */
static inline unsigned trial_run(struct trial *t, int n_threads) {
  char *out[NUMD_OP_MAX_OUT];
  pthread_t second;
  for (int o = 0; o < t->job.n_out; o++)
    out[o] = t->out[o].data;
  t->run = (struct array_run){&t->job, t->in, out, t->shared.data};
  t->flags[0] = t->flags[1] = 0;
  if (n_threads > 1) {
    pthread_barrier_init(&t->barrier, NULL, 2);
    ck_assert(pthread_create(&second, NULL, trial_second, t) == 0);
  }
  trial_units(t, 0, n_threads);
  if (n_threads > 1) {
    pthread_join(second, NULL);
    pthread_barrier_destroy(&t->barrier);
  }
  for (int o = 0; o < t->job.n_out; o++)
    guarded_check(&t->out[o], "an output");
  guarded_check(&t->shared, "shared scratch");
  for (int i = 0; i < 2; i++)
    guarded_check(&t->task[i], "a unit's scratch");
  return t->flags[0] | t->flags[1];
}

/* Runs on one thread, then on two in random order: the same bytes. */
static inline unsigned trial_run_both(struct trial *t) {
  const unsigned flags = trial_run(t, 1);
  char *first[NUMD_OP_MAX_OUT];
  for (int o = 0; o < t->job.n_out; o++) {
    first[o] = malloc((size_t)t->out[o].bytes + 1);
    memcpy(first[o], t->out[o].data, (size_t)t->out[o].bytes);
  }
  memset(t->shared.data, random_below(256), (size_t)t->shared.bytes);
  CHECK(trial_run(t, 2) == flags, "%s: flags differ on two threads", op_rows[t->job.op].name);
  for (int o = 0; o < t->job.n_out; o++) {
    CHECK(memcmp(first[o], t->out[o].data, (size_t)t->out[o].bytes) == 0, "%s: two threads differ",
          op_rows[t->job.op].name);
    free(first[o]);
  }
  return flags;
}

static inline void trial_free(struct trial *t) {
  for (int o = 0; o < t->job.n_out; o++)
    free(t->out[o].memory);
  free(t->shared.memory);
  for (int i = 0; i < 2; i++)
    free(t->task[i].memory);
}

static inline int64_t out_int(const struct trial *t, int o, int64_t i) {
  return ((const int64_t *)(const void *)t->out[o].data)[i];
}

#endif
