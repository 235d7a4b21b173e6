/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions at the end of a group.
 *
 * Partial results are combined in a tree of fixed shape: a cascade whose level l holds the sum of up to
 * FAN results of level l - 1. So rounding errors grow with the logarithm of the count, as in pairwise
 * summation (Higham, Accuracy and Stability of Numerical Algorithms, 4.2). The tree depends on the plan
 * alone, not on how many threads compute it.
 *
 * INNER steps reduce along the innermost loop: a block gives one accumulator. ROWS steps keep the innermost
 * loop: a block is a row, and rows are added up element by element, FAN at a time where they lie in memory.
 * Short rows that lie end to end are added up as if `wide` of them were one row, whose parts are added to
 * each other at the end. Both kinds may cut what is reduced into chunks, each with a partial result, and
 * combine the partial results in order. */
#include <string.h>

#include "server/engine/exec.h"
#include "server/engine/pool.h"

#define FAN 16 /* FAN^CASCADE_LEVELS is beyond any count of blocks */

/* A cascade of `items` accumulators side by side. A level has `bytes` bytes, in the caller's memory. */
struct cascade {
  const struct reduction *red;
  int64_t items;
  char *level; /* level 0; the others follow it */
  int64_t bytes;
  int count[CASCADE_LEVELS]; /* how many results the level's sum has; 0: none */
  int top;                   /* one past the highest level ever used */
};

static void cascade_init(struct cascade *c, const struct reduction *red, int64_t items, char *memory) {
  c->red = red;
  c->items = items;
  c->bytes = align_up(items * red->acc_bytes, 16);
  c->level = memory;
  c->top = 0;
  memset(c->count, 0, sizeof(c->count));
}

static void combine(const struct cascade *c, char *acc, char *more, int64_t more_stride) {
  char *const ptr[3] = {acc, more, acc};
  const int64_t stride[3] = {c->red->acc_bytes, more_stride, c->red->acc_bytes};
  c->red->combine(c->items, ptr, stride);
}

static void cascade_add(struct cascade *c, int l, char *more, int64_t more_stride);

/* Moves a level's sum one level up. */
static void carry(struct cascade *c, int l) {
  c->count[l] = 0;
  cascade_add(c, l + 1, c->level + l * c->bytes, c->red->acc_bytes);
}

static void cascade_add(struct cascade *c, int l, char *more, int64_t more_stride) {
  char *acc = c->level + l * c->bytes;
  if (c->count[l]++ == 0) {
    char *const ptr[2] = {more, acc};
    const int64_t stride[2] = {more_stride, c->red->acc_bytes};
    c->red->copy(c->items, ptr, stride);
  } else {
    combine(c, acc, more, more_stride);
  }
  if (l >= c->top)
    c->top = l + 1;
  if (c->count[l] == FAN && l + 1 < CASCADE_LEVELS)
    carry(c, l);
}

/* Adds rows that are `row_stride` apart to level 0: no more than FAN less what that level has. */
static void cascade_add_rows(struct cascade *c, int64_t rows, const char *from, int64_t row_stride,
                             int64_t stride) {
  c->red->rows(rows, c->items, from, row_stride, stride, c->level, c->count[0] > 0);
  c->count[0] += (int)rows;
  if (c->top == 0)
    c->top = 1;
  if (c->count[0] == FAN)
    carry(c, 0);
}

/* The whole sum, in the memory of one of the levels; NULL if nothing was added. */
static char *cascade_finish(struct cascade *c) {
  char *sum = NULL;
  for (int l = 0; l < c->top; l++) {
    if (c->count[l] == 0)
      continue;
    char *acc = c->level + l * c->bytes;
    if (sum)
      combine(c, acc, sum, c->red->acc_bytes);
    sum = acc;
  }
  return sum;
}

static void store(const struct reduction *red, int64_t items, char *from, char *to, int64_t to_stride) {
  char *const ptr[2] = {from, to};
  const int64_t stride[2] = {red->acc_bytes, to_stride};
  red->copy(items, ptr, stride);
}

/* ---- INNER ---- */

struct reduction_run {
  struct call *call;
  const struct step *step;
  int64_t kept_a_task; /* INNER without chunks: kept elements to a task */
  int64_t tiles;       /* ROWS: blocks of the innermost loop */
  atomic_bool decided; /* `any` or `all` to a single element: a chunk has decided the result */
};

static char *partial(const struct reduction_run *j, const struct reduction *red, int64_t number) {
  return j->call->bases[BASE_SCRATCH] + red->partials + number * red->acc_bytes;
}

/* Whether the step may stop reading once its result is decided: it does nothing but one `any` or `all`. */
static bool can_stop(const struct step *s) {
  return s->n_instructions == 0 && s->n_reductions == 1 && s->reductions[0].stops;
}

static bool is_decided(const struct reduction *red, const char *acc) {
  return memcmp(acc, red->identity, red->identity_bytes) != 0;
}

/* Reduces blocks first .. last-1 of one kept element into a cascade for each reduction. */
static unsigned reduce_blocks(struct call *call, const struct step *s, const struct cursor *kept,
                              int64_t first, int64_t last, struct cascade sums[]) {
  int inner_loop = s->ndim - 1;
  int64_t inner = s->shape[inner_loop], blocks = parts_of(inner, s->block);
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  struct cursor c;
  unsigned flags = 0;
  cursor_seek_from(&c, kept, s->n_kept, inner_loop, first / blocks);
  for (int64_t u = first, b = first % blocks; u < last; b = 0) {
    for (; b < blocks && u < last; b++, u++) {
      int64_t at = b * s->block, n = smaller(inner - at, s->block);
      for (uint32_t i = 0; i < s->n_memories; i++)
        slot[i] = c.at[i] + at * s->memories[i].stride[inner_loop];
      flags |= exec_block(s, slot, exec_arena(), n, u + 1 < last && at + 2 * n <= inner);
      for (uint32_t r = 0; r < s->n_reductions; r++) {
        char acc[MAX_ITEM_BYTES] __attribute__((aligned(16)));
        s->reductions[r].fn(n, slot[s->reductions[r].source], s->reductions[r].source_stride, acc);
        cascade_add(&sums[r], 0, acc, 0);
        if (can_stop(s) && is_decided(&s->reductions[r], acc))
          return flags;
      }
    }
    if (call_given_up(call))
      break;
    if (u < last)
      cursor_next(&c);
  }
  return flags;
}

/* Reduces a kept element that has one block, which needs no cascade. */
static unsigned reduce_single(const struct step *s, const struct cursor *kept) {
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  unsigned flags = 0;
  memcpy(slot, kept->at, sizeof(char *) * s->n_memories);
  if (s->n_instructions > 0)
    flags = exec_block(s, slot, exec_arena(), s->shape[s->ndim - 1], false);
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const struct reduction *red = &s->reductions[r];
    red->fn(s->shape[s->ndim - 1], slot[red->source], red->source_stride, kept->at[red->target]);
  }
  return flags;
}

static void init_sums(const struct step *s, int64_t items, struct cascade sums[], char *memory) {
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    cascade_init(&sums[r], &s->reductions[r], items, memory);
    memory += CASCADE_LEVELS * sums[r].bytes;
  }
}

/* Reduces one chunk of kept element number k into a partial result of each reduction; if there is but one
 * chunk, into the result itself. */
static unsigned reduce_chunk(struct reduction_run *j, const struct cursor *kept, int64_t k, int64_t chunk) {
  const struct step *s = j->step;
  char memory[MAX_REDUCTIONS * CASCADE_LEVELS * MAX_ITEM_BYTES] __attribute__((aligned(64)));
  struct cascade sums[MAX_REDUCTIONS];
  const int64_t first = chunk * s->chunk, last = smaller(first + s->chunk, s->n_units);
  const bool alone = can_stop(s) && s->n_kept_items == 1 && s->n_chunks > 1;
  if (alone && atomic_load_explicit(&j->decided, memory_order_relaxed)) {
    memcpy(partial(j, &s->reductions[0], chunk), s->reductions[0].identity, s->reductions[0].identity_bytes);
    return 0;
  }
  init_sums(s, 1, sums, memory);
  const unsigned flags = reduce_blocks(j->call, s, kept, first, last, sums);
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const struct reduction *red = &s->reductions[r];
    char *to = s->n_chunks > 1 ? partial(j, red, k * s->n_chunks + chunk) : kept->at[red->target];
    char *sum = cascade_finish(&sums[r]);
    store(red, 1, sum, to, 0);
    if (alone && is_decided(red, sum))
      atomic_store_explicit(&j->decided, true, memory_order_relaxed);
  }
  return flags;
}

static void inner_task(void *arg, int64_t task) {
  struct reduction_run *j = arg;
  const struct step *s = j->step;
  struct cursor kept;
  unsigned flags = 0;
  int64_t k = s->n_chunks > 1 ? task / s->n_chunks : task * j->kept_a_task;
  int64_t last_k = s->n_chunks > 1 ? k + 1 : k + j->kept_a_task,
          chunk = s->n_chunks > 1 ? task % s->n_chunks : 0;
  if (last_k > s->n_kept_items)
    last_k = s->n_kept_items;
  cursor_seek(&kept, j->call, s, 0, s->n_kept, k);
  for (; k < last_k && !call_given_up(j->call); k++, cursor_next(&kept))
    flags |= s->n_units == 1 ? reduce_single(s, &kept) : reduce_chunk(j, &kept, k, chunk);
  if (flags)
    atomic_fetch_or_explicit(&j->call->flags, flags, memory_order_relaxed);
}

static void combine_inner(const struct reduction_run *j) {
  const struct step *s = j->step;
  char memory[CASCADE_LEVELS * MAX_ITEM_BYTES] __attribute__((aligned(64)));
  struct cursor kept;
  cursor_seek(&kept, j->call, s, 0, s->n_kept, 0);
  for (int64_t k = 0; k < s->n_kept_items && !call_given_up(j->call); k++, cursor_next(&kept))
    for (uint32_t r = 0; r < s->n_reductions; r++) {
      struct cascade sum;
      cascade_init(&sum, &s->reductions[r], 1, memory);
      for (int64_t c = 0; c < s->n_chunks; c++)
        cascade_add(&sum, 0, partial(j, &s->reductions[r], k * s->n_chunks + c), 0);
      store(&s->reductions[r], 1, cascade_finish(&sum), kept.at[s->reductions[r].target], 0);
    }
}

/* ---- ROWS ---- */

/* Moves the cursor on by n rows, at most to the end of the innermost reduced loop. */
static void skip_rows(struct cursor *c, int64_t n) {
  const struct step *s = c->step;
  const int d = c->last - 1;
  c->index[d] += n - 1;
  for (uint32_t i = 0; i < s->n_memories; i++)
    c->at[i] += s->memories[i].stride[d] * (n - 1);
  cursor_next(c);
}

/* Adds up rows first .. last-1 of one tile, which starts at element `at` of the innermost loop, where the
 * rows lie in memory. */
static void add_dense_rows(struct call *call, const struct step *s, struct cursor *c, int64_t at,
                           int64_t first, int64_t last, struct cascade sums[]) {
  const int d = c->last - 1;
  for (int64_t row = first; row < last && !call_given_up(call);) {
    int64_t rows = s->shape[d] - c->index[d];
    const int64_t room = FAN - (row - first) % FAN;
    if (rows > room)
      rows = room;
    if (rows > last - row)
      rows = last - row;
    for (uint32_t r = 0; r < s->n_reductions; r++) {
      const struct reduction *red = &s->reductions[r];
      cascade_add_rows(&sums[r], rows, c->at[red->source] + at * red->source_stride,
                       s->memories[red->source].stride[d], red->source_stride);
    }
    row += rows;
    skip_rows(c, rows);
  }
}

/* As add_dense_rows, for rows that instructions compute; the tile has n elements. */
static unsigned add_computed_rows(struct call *call, const struct step *s, struct cursor *c, int64_t at,
                                  int64_t n, int64_t first, int64_t last, struct cascade sums[]) {
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  unsigned flags = 0;
  for (int64_t row = first; row < last && !call_given_up(call); row++, cursor_next(c)) {
    for (uint32_t i = 0; i < s->n_memories; i++)
      slot[i] = c->at[i] + at * s->memories[i].stride[s->ndim - 1];
    flags |= exec_block(s, slot, exec_arena(), n, false);
    for (uint32_t r = 0; r < s->n_reductions; r++)
      cascade_add_rows(&sums[r], 1, slot[s->reductions[r].source], 0, s->reductions[r].source_stride);
  }
  return flags;
}

/* Leaves the whole sum at level 0 and nothing else, with its parts of n items added up in the first one. */
static void cascade_narrow(struct cascade *c, int64_t n) {
  char *sum = cascade_finish(c);
  const int64_t wide = c->items / n;
  c->items = n;
  if (!sum)
    return;
  for (int64_t i = 1; i < wide; i++)
    combine(c, sum, sum + i * n * c->red->acc_bytes, c->red->acc_bytes);
  memmove(c->level, sum, (size_t)(n * c->red->acc_bytes));
  memset(c->count, 0, sizeof(c->count));
  c->count[0] = c->top = 1;
}

/* Adds up rows first .. last-1 of a tile, `wide` of them as if they were one row; the rows left over are
 * added at the end. There is one reduced loop. */
static void add_wide_rows(struct call *call, const struct step *s, const struct cursor *kept, int64_t n,
                          int64_t first, int64_t last, struct cascade sums[]) {
  const int d = s->ndim - 2;
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const struct reduction *red = &s->reductions[r];
    const int64_t row_stride = s->memories[red->source].stride[d];
    const char *from = kept->at[red->source] + first * row_stride;
    int64_t left = last - first;
    for (int64_t rows; left >= s->wide && !call_given_up(call); left -= rows * s->wide) {
      rows = left / s->wide < FAN ? left / s->wide : FAN;
      cascade_add_rows(&sums[r], rows, from, s->wide * row_stride, red->source_stride);
      from += rows * s->wide * row_stride;
    }
    cascade_narrow(&sums[r], n);
    if (left > 0 && left < s->wide) {
      red->rows(left, n, from, row_stride, red->source_stride, sums[r].level, sums[r].count[0] > 0);
      sums[r].count[0] = sums[r].top = 1;
    }
  }
}

/* Adds up rows first .. last-1 of one tile: n elements from `at` along the innermost loop. */
static unsigned add_rows(struct call *call, const struct step *s, const struct cursor *kept, int64_t at,
                         int64_t n, int64_t first, int64_t last, struct cascade sums[]) {
  struct cursor c;
  if (s->wide > 1) {
    add_wide_rows(call, s, kept, n, first, last, sums);
    return 0;
  }
  cursor_seek_from(&c, kept, s->n_kept - 1, s->ndim - 1, first);
  if (s->n_instructions > 0)
    return add_computed_rows(call, s, &c, at, n, first, last, sums);
  add_dense_rows(call, s, &c, at, first, last, sums);
  return 0;
}

static void rows_task(void *arg, int64_t task) {
  const struct reduction_run *j = arg;
  const struct step *s = j->step;
  int inner_loop = s->ndim - 1;
  int64_t chunk = task % s->n_chunks, tile = task / s->n_chunks % j->tiles, k = task / s->n_chunks / j->tiles;
  int64_t inner = s->shape[inner_loop], at = tile * s->block, n = smaller(inner - at, s->block);
  int64_t first = chunk * s->chunk, last = smaller(first + s->chunk, s->n_units);
  struct cascade sums[MAX_REDUCTIONS];
  struct cursor kept;
  cursor_seek(&kept, j->call, s, 0, s->n_kept - 1, k);
  init_sums(s, n * s->wide, sums, exec_arena() + ARENA_BYTES - CASCADE_BYTES);
  unsigned flags = add_rows(j->call, s, &kept, at, n, first, last, sums);
  if (flags)
    atomic_fetch_or_explicit(&j->call->flags, flags, memory_order_relaxed);
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const struct reduction *red = &s->reductions[r];
    int64_t to_stride = s->memories[red->target].stride[inner_loop];
    char *sum = cascade_finish(&sums[r]);
    if (!sum)
      continue;
    if (s->n_chunks > 1)
      store(red, n, sum, partial(j, red, (chunk * s->n_kept_items) + k * inner + at), red->acc_bytes);
    else
      store(red, n, sum, kept.at[red->target] + at * to_stride, to_stride);
  }
}

static void combine_rows(const struct reduction_run *j) {
  const struct step *s = j->step;
  int inner_loop = s->ndim - 1;
  int64_t inner = s->shape[inner_loop];
  struct cursor kept;
  cursor_seek(&kept, j->call, s, 0, s->n_kept - 1, 0);
  for (int64_t k = 0; k < s->n_kept_items / inner && !call_given_up(j->call); k++, cursor_next(&kept))
    for (int64_t at = 0; at < inner; at += s->block) {
      int64_t n = smaller(inner - at, s->block);
      for (uint32_t r = 0; r < s->n_reductions; r++) {
        const struct reduction *red = &s->reductions[r];
        int64_t to_stride = s->memories[red->target].stride[inner_loop];
        struct cascade sum;
        cascade_init(&sum, red, n, exec_arena() + ARENA_BYTES - CASCADE_BYTES);
        for (int64_t c = 0; c < s->n_chunks; c++)
          cascade_add(&sum, 0, partial(j, red, c * s->n_kept_items + k * inner + at), red->acc_bytes);
        store(red, n, cascade_finish(&sum), kept.at[red->target] + at * to_stride, to_stride);
      }
    }
}

/* ---- The whole ---- */

/* Stores the identity in every result, since there is nothing to reduce. The step's loops are still in the
 * order of the program. */
static void store_identities(struct call *call, const struct step *s) {
  struct cursor kept;
  if (s->n_kept_items == 0)
    return;
  cursor_seek(&kept, call, s, 0, s->n_kept, 0);
  for (int64_t k = 0; k < s->n_kept_items && !call_given_up(call); k++, cursor_next(&kept))
    for (uint32_t r = 0; r < s->n_reductions; r++)
      memcpy(kept.at[s->reductions[r].target], s->reductions[r].identity, s->reductions[r].identity_bytes);
}

#define KEPT_ITEMS_A_TASK 16384 /* about how many elements one task of many small reductions reads */

void exec_reduce(struct call *call, const struct step *s) {
  struct reduction_run j = {.call = call, .step = s, .decided = false};
  struct pool *pool = s->parallel ? call->pool : NULL;
  if (s->empty) {
    store_identities(call, s);
  } else if (s->kind == STEP_REDUCE_INNER) {
    j.kept_a_task = s->parallel ? 1 + KEPT_ITEMS_A_TASK / s->n_reduced_items : s->n_kept_items;
    int64_t tasks = parts_of(s->n_kept_items, j.kept_a_task);
    pool_run(pool, call, s->n_chunks > 1 ? s->n_kept_items * s->n_chunks : tasks, inner_task, &j);
    if (s->n_chunks > 1 && !call_given_up(call))
      combine_inner(&j);
  } else {
    int64_t inner = s->shape[s->ndim - 1];
    j.tiles = parts_of(inner, s->block);
    pool_run(pool, call, s->n_kept_items / inner * j.tiles * s->n_chunks, rows_task, &j);
    if (s->n_chunks > 1 && !call_given_up(call))
      combine_rows(&j);
  }
}
