/* SPDX-License-Identifier: BSD-3-Clause */
/* UNIQUE_VALUES, UNIQUE_COUNTS, UNIQUE_INVERSE, UNIQUE_ALL: the flat array is sorted by the sorter, with
 * indices where the outputs need them; then each chunk of the sorted items finds where a value begins; then,
 * as it is known how many values earlier chunks have, writes what begins in it.
 *
 * -0 and 0 are one value, written as 0 if there is any 0 that is not negative; each NaN is a value of its
 * own. Everything that is read after the first phase is private memory: that the input changes does not
 * matter. */
#include <string.h>

#include "server/kernels/order/sort_keys.h"
#include "server/kernels/size_math.h"

#define BLOCK 256

/* What the plan keeps for the run. */
struct unique_plan {
  int64_t n; /* elements */
};
ARRAY_OWN(unique_plan)

/* The output of each kind, -1: not asked for. */
struct outputs {
  int values, indices, inverse, counts, number;
};

static struct outputs outputs_of(const struct array_job *job) {
  switch (job->op) {
    case NUMD_OP_UNIQUE_COUNTS:
      return (struct outputs){0, -1, -1, 1, 2};
    case NUMD_OP_UNIQUE_INVERSE:
      return (struct outputs){0, -1, 1, -1, 2};
    case NUMD_OP_UNIQUE_ALL:
      return (struct outputs){0, 1, 2, 3, 4};
    default:
      return (struct outputs){0, -1, -1, -1, 1};
  }
}

static void make_sorter(const struct array_job *job, struct sorter *s) {
  const struct outputs to = outputs_of(job);
  sorter_init(s, (numd_dtype)job->dtype, false, to.indices >= 0 || to.inverse >= 0, unique_plan_of(job)->n);
}

/* Behind the sorter's scratch: how many values begin in each chunk, then at which items, by chunk. */
static int64_t *n_begun(const struct sorter *s, char *shared) {
  return (int64_t *)(void *)(shared + sorter_bytes(s));
}

static int64_t *begins(const struct sorter *s, char *shared) {
  return n_begun(s, shared) + s->n_chunks;
}

static void plan_vector(struct array_job *job, int output, uint8_t dtype, int64_t n) {
  if (output >= 0)
    job->out[output] = (struct layout){.dtype = dtype, .ndim = 1, .shape = {n}};
}

static int plan(struct array_job *job, struct errtext *err) {
  const struct outputs to = outputs_of(job);
  int64_t n = 1;
  struct sorter s;
  for (int d = 0; d < job->in[0].ndim; d++)
    n *= job->in[0].shape[d];
  unique_plan_in(job)->n = n;
  plan_vector(job, to.values, job->dtype, n);
  plan_vector(job, to.indices, NUMD_INT64, n);
  plan_vector(job, to.counts, NUMD_INT64, n);
  if (to.inverse >= 0) {
    job->out[to.inverse] = job->in[0];
    job->out[to.inverse].dtype = NUMD_INT64;
  }
  job->out[to.number] = (struct layout){.dtype = NUMD_INT64};
  job->task_bytes = 0;
  make_sorter(job, &s);
  job->shared_bytes = sorter_bytes(&s) + (s.n_chunks + n) * (int64_t)sizeof(int64_t);
  job->n_phases = sorter_phases(&s) + 2;
  for (int p = 0; p < job->n_phases; p++)
    job->n_units[p] = s.n_chunks;
  job->cost_ns = cost_plus(sorter_cost_ns(&s), cost_times((uint64_t)n, 4));
  return 0;
}

static void find_begins(const struct sorter *s, int64_t chunk, char *shared) {
  struct key_facts facts;
  const char *items = sorter_result(s, shared, &facts);
  const int64_t at = chunk * s->chunk;
  n_begun(s, shared)[chunk] =
      sort_loops()->edges[s->item](sorter_chunk_length(s, chunk), items + at * s->item_bytes, at > 0,
                                   facts.n_nan > 0, at, begins(s, shared) + at);
}

/* Where the value after the last one of this chunk begins. */
static int64_t next_begin(const struct sorter *s, int64_t chunk, char *shared) {
  for (int64_t c = chunk + 1; c < s->n_chunks; c++)
    if (n_begun(s, shared)[c] > 0)
      return begins(s, shared)[c * s->chunk];
  return s->n;
}

/* A value: item `item`, number `number` of all, `count` times. */
struct group {
  int64_t item, number, count;
};

static void write_zero(const struct array_job *job, const struct key_facts *facts, char *value) {
  if (facts->n_negative_zero == 0 || facts->n_negative_zero < facts->n_zero)
    return;
  if (job->dtype == NUMD_FLOAT64 && *(const double *)(void *)value == 0)
    *(double *)(void *)value = -0.;
  if (job->dtype == NUMD_FLOAT32 && *(const float *)(void *)value == 0)
    *(float *)(void *)value = -0.f;
}

/* The values of n items that are not neighbours. */
static void write_values(const struct array_job *job, const struct sorter *s, const struct key_facts *facts,
                         const char *items, int64_t n, const int64_t *at, char *values) {
  _Alignas(16) char picked[BLOCK * sizeof(struct sort_pair)];
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t count = n - i < BLOCK ? n - i : BLOCK;
    for (int64_t k = 0; k < count; k++)
      memcpy(picked + k * s->item_bytes, items + at[i + k] * s->item_bytes, s->item_bytes);
    char *const to = values + i * s->key_bytes;
    sort_loops()->store[s->dtype]((enum sort_item)s->item, count, picked, false, to, s->key_bytes);
    for (int64_t k = 0; k < count && facts->n_negative_zero > 0; k++)
      write_zero(job, facts, to + k * s->key_bytes);
  }
}

/* The rest of what one value asks for. */
static void write_group(const struct array_run *run, const struct sorter *s, const char *items,
                        const struct group *group) {
  const struct outputs to = outputs_of(run->job);
  int64_t indices[BLOCK];
  if (to.counts >= 0)
    ((int64_t *)(void *)run->out[to.counts])[group->number] = group->count;
  if (to.inverse < 0)
    return;
  int64_t *const inverse = (int64_t *)(void *)run->out[to.inverse];
  const char *from = items + group->item * s->item_bytes;
  for (int64_t i = 0; i < group->count; i += BLOCK) {
    const int64_t n = group->count - i < BLOCK ? group->count - i : BLOCK;
    sort_loops()->indices[s->item](n, from + i * s->item_bytes, indices, sizeof(*indices));
    for (int64_t k = 0; k < n; k++)
      inverse[indices[k]] = group->number;
    if (i == 0 && to.indices >= 0)
      ((int64_t *)(void *)run->out[to.indices])[group->number] = indices[0];
  }
}

static void write_chunk(const struct array_run *run, const struct sorter *s, int64_t chunk) {
  struct key_facts facts;
  const struct outputs to = outputs_of(run->job);
  const char *items = sorter_result(s, run->shared, &facts);
  const int64_t *counts = n_begun(s, run->shared), *at = begins(s, run->shared) + chunk * s->chunk;
  const int64_t n = counts[chunk];
  int64_t first = 0;
  for (int64_t c = 0; c < chunk; c++)
    first += counts[c];
  write_values(run->job, s, &facts, items, n, at, run->out[to.values] + first * s->key_bytes);
  if (chunk + 1 == s->n_chunks)
    *(int64_t *)(void *)run->out[to.number] = first + n;
  if (n == 0 || (to.counts < 0 && to.inverse < 0))
    return;
  const int64_t end = next_begin(s, chunk, run->shared);
  for (int64_t k = 0; k < n; k++) {
    const struct group group = {at[k], first + k, (k + 1 < n ? at[k + 1] : end) - at[k]};
    write_group(run, s, items, &group);
  }
}

static unsigned run(const struct array_run *run, int phase, int64_t unit, char *task) {
  struct sorter s;
  struct strided_iter source;
  make_sorter(run->job, &s);
  if (phase < sorter_phases(&s)) {
    struct layout in = run->job->in[0];
    in.dtype = run->job->dtype;
    strided_iter_init(&source, &in);
    sorter_run(&s, phase, unit, &source, run->in[0], run->shared);
  } else if (phase == sorter_phases(&s)) {
    find_begins(&s, unit, run->shared);
  } else {
    write_chunk(run, &s, unit);
  }
  return 0;
}

const struct array_kernel unique_kernel = {plan, run, false};
