/* SPDX-License-Identifier: BSD-3-Clause */
/* SEARCHSORTED, and ISIN, which sorts what it searches.
 *
 * Elements are searched a block at a time: each step of the binary search is made for all of the block before
 * the next one, so that their loads overlap. SEARCHSORTED reads the sorted vector where it is, though others
 * may change it: the positions that it looks at are bounded by the way that they are halved, not by what is
 * found there. */
#include <string.h>

#include "server/kernels/isa.h"
#include "server/kernels/order/sort_keys.h"
#include "server/kernels/size_math.h"

#define UNIT_ELEMENTS 16384
#define FILL_ELEMENTS 262144

/* What the plans keep for the runs. */
struct search_plan {
  int64_t n;     /* elements that are looked for */
  int64_t n_set; /* elements among which ISIN looks */
};
ARRAY_OWN(search_plan)

static int64_t elements(const struct layout *a) {
  int64_t n = 1;
  for (int d = 0; d < a->ndim; d++)
    n *= a->shape[d];
  return n;
}

static uint64_t search_cost_ns(int64_t n, int64_t n_hay) {
  uint64_t steps = 1;
  while (n_hay > 1 && (n_hay >>= 1) > 0)
    steps++;
  return cost_times((uint64_t)n, 2 + 2 * steps);
}

/* Keys of elements first .. first+n-1, n <= SORT_BLOCK. */
static void load_keys(const struct array_job *job, const struct strided_iter *iter, const char *data,
                      int64_t first, int64_t n, char *keys) {
  _Alignas(64) char values[SORT_BLOCK * 8];
  struct key_facts ignored = {.n = 0};
  strided_iter_read(iter, data, first, n, values);
  sort_loops()->load[job->dtype](n, values, iter->item, false, keys, &ignored);
}

static int plan_searchsorted(struct array_job *job, struct errtext *err) {
  const int64_t n = elements(&job->in[1]);
  char text[96];
  if (job->in[0].ndim != 1)
    return errtext_set(err, NUMD_ESHAPE, "searchsorted: x1 must be a vector, not of shape %s",
                       array_shape_text(&job->in[0], text));
  job->out[0] = job->in[1];
  job->out[0].dtype = NUMD_INT64;
  job->shared_bytes = job->task_bytes = 0;
  job->n_phases = 1;
  job->n_units[0] = parts_of(n, UNIT_ELEMENTS);
  job->cost_ns = search_cost_ns(n, job->in[0].shape[0]);
  *search_plan_in(job) = (struct search_plan){.n = n};
  return 0;
}

static unsigned run_searchsorted(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  const int64_t end = smaller((unit + 1) * UNIT_ELEMENTS, search_plan_of(job)->n);
  int64_t *const out = (int64_t *)(void *)run->out[0];
  _Alignas(64) char keys[SORT_BLOCK * 8];
  struct strided_iter iter;
  strided_iter_init(&iter, &job->in[1]);
  for (int64_t i = unit * UNIT_ELEMENTS; i < end; i += SORT_BLOCK) {
    const int64_t n = smaller(end - i, SORT_BLOCK);
    load_keys(job, &iter, run->in[1], i, n, keys);
    sort_loops()->search[job->dtype](n, keys, run->in[0], job->in[0].shape[0], job->in[0].strides[0],
                                     job->params.given & NUMD_PARAM_RIGHT, out + i);
  }
  return 0;
}

const struct array_kernel searchsorted_kernel = {plan_searchsorted, run_searchsorted, false};

/* Keys of 8 or 16 bits: a byte for each says whether it is there; one unit clears them, then many set them.
 * Wider ones: x2 is sorted, and each element of x1 is searched; or, if these are integers that lie close
 * together, such a table is made of what is sorted. */
static bool by_table(const struct array_job *job) {
  return dtype_rows[job->dtype].size <= 2;
}

static void make_sorter(const struct array_job *job, struct sorter *s) {
  sorter_init(s, (numd_dtype)job->dtype, false, false, search_plan_of(job)->n_set);
}

/* Behind the sorter's scratch: how many keys from the lowest to the highest have a byte in the table, 0:
 * there is no table; the lowest; the table. */
struct range {
  uint64_t n, lowest;
  uint8_t there[];
};

static int64_t range_most(const struct array_job *job) {
  const struct search_plan *const p = search_plan_of(job);
  return dtype_rows[job->dtype].kind == 'f' ? 0 : 8 * smaller(p->n + p->n_set, (int64_t)1 << 24);
}

static struct range *range_of(const struct sorter *s, char *shared) {
  return (struct range *)(void *)(shared + sorter_bytes(s));
}

#define FILL_RANGE(type)                                         \
  {                                                              \
    const type *const keys = (const type *)(const void *)sorted; \
    range->lowest = keys[0];                                     \
    if (keys[s->n - 1] - range->lowest >= (uint64_t)most)        \
      return;                                                    \
    range->n = keys[s->n - 1] - range->lowest + 1;               \
    memset(range->there, 0, range->n);                           \
    for (int64_t i = 0; i < s->n; i++)                           \
      range->there[keys[i] - range->lowest] = 1;                 \
  }

static void fill_range(const struct sorter *s, int64_t most, char *shared) {
  struct key_facts facts;
  struct range *range = range_of(s, shared);
  const char *sorted = sorter_result(s, shared, &facts);
  range->n = 0;
  if (s->n == 0 || most == 0)
    return;
  if (s->key_bytes == 4)
    FILL_RANGE(uint32_t)
  else
    FILL_RANGE(uint64_t)
}

static void search_range(const struct range *range, int key_bytes, int64_t n, const char *keys,
                         uint8_t *found) {
  for (int64_t k = 0; k < n; k++) {
    const uint64_t key = key_bytes == 4 ? ((const uint32_t *)(const void *)keys)[k]
                                        : ((const uint64_t *)(const void *)keys)[k];
    const uint64_t at = key - range->lowest;
    found[k] = at < range->n && range->there[at];
  }
}

static int plan_isin(struct array_job *job, struct errtext *err) {
  const int64_t n = elements(&job->in[0]), n_set = elements(&job->in[1]);
  struct sorter s;
  *search_plan_in(job) = (struct search_plan){n, n_set};
  job->out[0] = job->in[0];
  job->out[0].dtype = NUMD_BOOL;
  job->task_bytes = 0;
  int phases = 0;
  if (by_table(job)) {
    job->shared_bytes = (int64_t)1 << (8 * dtype_rows[job->dtype].size);
    job->n_units[phases++] = 1;
    job->n_units[phases++] = parts_of(n_set, FILL_ELEMENTS);
    job->cost_ns = cost_times(cost_plus((uint64_t)n, (uint64_t)n_set), 2);
  } else {
    make_sorter(job, &s);
    job->shared_bytes = sorter_bytes(&s) + (int64_t)sizeof(struct range) + range_most(job);
    while (phases < sorter_phases(&s))
      job->n_units[phases++] = s.n_chunks;
    job->n_units[phases++] = 1;
    job->cost_ns = cost_plus(sorter_cost_ns(&s), search_cost_ns(n, n_set));
  }
  job->n_units[phases++] = parts_of(n, UNIT_ELEMENTS);
  job->n_phases = phases;
  return 0;
}

static unsigned key_of(int item, const char *keys, int64_t i) {
  return item == 1 ? ((const uint8_t *)keys)[i] : ((const uint16_t *)(const void *)keys)[i];
}

/* Units set the same bytes; one that is set is not written again, which would take its cache line from the
 * other cores. */
static void fill_table(const struct array_run *run, const struct strided_iter *set, int64_t unit) {
  const struct array_job *job = run->job;
  const int64_t end = smaller((unit + 1) * FILL_ELEMENTS, search_plan_of(job)->n_set);
  _Alignas(64) char keys[SORT_BLOCK * 8];
  for (int64_t i = unit * FILL_ELEMENTS; i < end; i += SORT_BLOCK) {
    const int64_t n = smaller(end - i, SORT_BLOCK);
    load_keys(job, set, run->in[1], i, n, keys);
    for (int64_t k = 0; k < n; k++) {
      char *there = run->shared + key_of(set->item, keys, k);
      if (!__atomic_load_n(there, __ATOMIC_RELAXED))
        __atomic_store_n(there, 1, __ATOMIC_RELAXED);
    }
  }
}

static void look_up(const struct array_run *run, int64_t n, const char *keys, int item, uint8_t *found) {
  for (int64_t k = 0; k < n; k++)
    found[k] = (uint8_t)run->shared[key_of(item, keys, k)];
}

/* Whether each key is in the sorted ones; a NaN, whose key is the largest, is equal to none. */
#define SEARCH_SORTED(type)                                                                       \
  {                                                                                               \
    const type *const x = (const type *)(const void *)keys, *const y = (const type *)sorted;      \
    const type nan = nans ? (type) ~(type)0 : 0;                                                  \
    for (int64_t k = 0; k < n; k++)                                                               \
      found[k] = at[k] < n_set && y[at[k] < n_set ? at[k] : 0] == x[k] && !(nans && x[k] == nan); \
  }

static void search_sorted(const struct sorter *s, const void *sorted, int64_t n, const char *keys,
                          uint8_t *found) {
  const numd_dtype dtype = s->key_bytes == 4 ? NUMD_UINT32 : NUMD_UINT64;
  const bool nans = dtype_rows[s->dtype].kind == 'f';
  const int64_t n_set = s->n;
  int64_t at[SORT_BLOCK];
  sort_loops()->search[dtype](n, keys, sorted, n_set, s->key_bytes, false, at);
  if (s->key_bytes == 4)
    SEARCH_SORTED(uint32_t)
  else
    SEARCH_SORTED(uint64_t)
}

static void find_all(const struct array_run *run, int64_t unit) {
  const struct array_job *job = run->job;
  const int64_t end = smaller((unit + 1) * UNIT_ELEMENTS, search_plan_of(job)->n);
  const uint8_t invert = (job->params.given & NUMD_PARAM_INVERT) != 0;
  uint8_t *const out = (uint8_t *)run->out[0];
  _Alignas(64) char keys[SORT_BLOCK * 8];
  struct strided_iter iter;
  struct sorter s;
  struct key_facts facts;
  strided_iter_init(&iter, &job->in[0]);
  make_sorter(job, &s);
  const struct range *range = by_table(job) ? NULL : range_of(&s, run->shared);
  for (int64_t i = unit * UNIT_ELEMENTS; i < end; i += SORT_BLOCK) {
    const int64_t n = smaller(end - i, SORT_BLOCK);
    load_keys(job, &iter, run->in[0], i, n, keys);
    if (by_table(job))
      look_up(run, n, keys, iter.item, out + i);
    else if (s.n == 0)
      memset(out + i, 0, (size_t)n);
    else if (range->n > 0)
      search_range(range, s.key_bytes, n, keys, out + i);
    else
      search_sorted(&s, sorter_result(&s, run->shared, &facts), n, keys, out + i);
    for (int64_t k = i; k < i + n; k++)
      out[k] ^= invert;
  }
}

static unsigned run_isin(const struct array_run *run, int phase, int64_t unit, char *task) {
  const struct array_job *job = run->job;
  struct strided_iter set;
  struct sorter s;
  if (phase + 1 == job->n_phases) {
    find_all(run, unit);
    return 0;
  }
  strided_iter_init(&set, &job->in[1]);
  if (by_table(job)) {
    if (phase == 0)
      memset(run->shared, 0, (size_t)job->shared_bytes);
    else
      fill_table(run, &set, unit);
  } else {
    make_sorter(job, &s);
    if (phase < sorter_phases(&s))
      sorter_run(&s, phase, unit, &set, run->in[1], run->shared);
    else
      fill_range(&s, range_most(job), run->shared);
  }
  return 0;
}

const struct array_kernel isin_kernel = {plan_isin, run_isin, false};
