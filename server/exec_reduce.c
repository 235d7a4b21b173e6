/* Reductions at the end of a group.
 *
 * Partial results are combined in a tree of fixed shape: a cascade whose level l holds the sum of up to
 * FAN results of level l - 1. So rounding errors grow with the logarithm of the count, as in pairwise
 * summation (Higham, Accuracy and Stability of Numerical Algorithms, 4.2), and the tree depends on
 * the plan alone, not on how many threads walk it.
 *
 * INNER steps reduce along the innermost loop: a block gives one number. ROWS steps keep it: a block is
 * a row, and rows are added up. Both put chunks of the work into partial results, and combine these
 * in order at the end. */
#include <string.h>

#include "server/exec.h"
#include "server/pool.h"

#define FAN 16
#define LEVELS 11 /* FAN^LEVELS is beyond any count of blocks */

/* A cascade of items that are `bytes` long, in caller's memory of LEVELS * bytes. */
struct cascade {
  const struct reduction *red;
  int64_t items; /* accumulators side by side */
  char *level;
  int64_t bytes;
  int count[LEVELS];
  int top; /* levels ever used */
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
  if (c->count[l] == FAN && l + 1 < LEVELS)
    carry(c, l);
}

/* The whole sum, at level 0 of what it returns; at least one item was added. */
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

struct job {
  struct call *call;
  const struct step *step;
  int64_t kept_a_task; /* INNER without chunks */
  int64_t tiles;       /* ROWS */
};

static char *partial(const struct job *j, const struct reduction *red, int64_t number) {
  return j->call->bases[BASE_SCRATCH] + red->partials + number * red->acc_bytes;
}

/* Reduces blocks first .. last-1 of one kept element into sums[r] (level memory of LEVELS * 16 each). */
static unsigned reduce_blocks(struct call *call, const struct step *s, const struct cursor *kept,
                              int64_t first, int64_t last, struct cascade sums[]) {
  int inner_loop = s->ndim - 1;
  int64_t inner = s->shape[inner_loop], blocks = (inner + s->block - 1) / s->block;
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  struct cursor c;
  unsigned flags = 0;
  cursor_seek_from(&c, kept, s->n_kept, inner_loop, first / blocks);
  for (int64_t u = first, b = first % blocks; u < last; b = 0) {
    for (; b < blocks && u < last; b++, u++) {
      int64_t at = b * s->block, n = inner - at < s->block ? inner - at : s->block;
      for (uint32_t i = 0; i < s->n_memories; i++)
        slot[i] = c.at[i] + at * s->memories[i].stride[inner_loop];
      flags |= exec_block(s, slot, exec_arena(), n);
      for (uint32_t r = 0; r < s->n_reductions; r++) {
        char acc[MAX_ITEM_BYTES] __attribute__((aligned(16)));
        s->reductions[r].fn(n, slot[s->reductions[r].source], s->reductions[r].source_stride, acc);
        cascade_add(&sums[r], 0, acc, 0);
      }
    }
    if (call_given_up(call))
      break;
    if (u < last)
      cursor_next(&c);
  }
  return flags;
}

/* One block to a kept element: no cascade needed. */
static unsigned reduce_single(const struct step *s, const struct cursor *kept) {
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  memcpy(slot, kept->at, sizeof(char *) * s->n_memories);
  unsigned flags = exec_block(s, slot, exec_arena(), s->shape[s->ndim - 1]);
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const struct reduction *red = &s->reductions[r];
    char acc[MAX_ITEM_BYTES] __attribute__((aligned(16)));
    red->fn(s->shape[s->ndim - 1], slot[red->source], red->source_stride, acc);
    store(red, 1, acc, kept->at[red->target], 0);
  }
  return flags;
}

#define MAX_REDUCTIONS 4

static void init_sums(const struct step *s, int64_t items, struct cascade sums[], char *memory) {
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    cascade_init(&sums[r], &s->reductions[r], items, memory);
    memory += LEVELS * sums[r].bytes;
  }
}

static void inner_task(void *arg, int64_t task) {
  const struct job *j = arg;
  const struct step *s = j->step;
  char memory[MAX_REDUCTIONS * LEVELS * MAX_ITEM_BYTES] __attribute__((aligned(64)));
  struct cascade sums[MAX_REDUCTIONS];
  struct cursor kept;
  unsigned flags = 0;
  int64_t k = s->n_chunks > 1 ? task / s->n_chunks : task * j->kept_a_task;
  int64_t last_k = s->n_chunks > 1 ? k + 1 : k + j->kept_a_task,
          chunk = s->n_chunks > 1 ? task % s->n_chunks : 0;
  if (last_k > s->n_kept_items)
    last_k = s->n_kept_items;
  cursor_seek(&kept, j->call, s, 0, s->n_kept, k);
  for (; k < last_k && !call_given_up(j->call); k++, cursor_next(&kept)) {
    if (s->n_units == 1) {
      flags |= reduce_single(s, &kept);
      continue;
    }
    int64_t first = chunk * s->chunk, last = first + s->chunk < s->n_units ? first + s->chunk : s->n_units;
    init_sums(s, 1, sums, memory);
    flags |= reduce_blocks(j->call, s, &kept, first, last, sums);
    for (uint32_t r = 0; r < s->n_reductions; r++) {
      char *to = s->n_chunks > 1 ? partial(j, &s->reductions[r], k * s->n_chunks + chunk)
                                 : kept.at[s->reductions[r].target];
      store(&s->reductions[r], 1, cascade_finish(&sums[r]), to, 0);
    }
  }
  if (flags)
    atomic_fetch_or_explicit(&j->call->flags, flags, memory_order_relaxed);
}

static void combine_inner(const struct job *j) {
  const struct step *s = j->step;
  char memory[LEVELS * MAX_ITEM_BYTES] __attribute__((aligned(64)));
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

/* Adds up rows first .. last-1 of one tile: n elements from `at` along the innermost loop. */
static unsigned add_rows(struct call *call, const struct step *s, const struct cursor *kept, int64_t at,
                         int64_t n, int64_t first, int64_t last, struct cascade sums[]) {
  int inner_loop = s->ndim - 1;
  char *slot[MAX_MEMORIES + MAX_REGISTERS];
  struct cursor c;
  unsigned flags = 0;
  cursor_seek_from(&c, kept, s->n_kept - 1, inner_loop, first);
  for (int64_t row = first; row < last && !call_given_up(call); row++, cursor_next(&c)) {
    for (uint32_t i = 0; i < s->n_memories; i++)
      slot[i] = c.at[i] + at * s->memories[i].stride[inner_loop];
    flags |= exec_block(s, slot, exec_arena(), n);
    for (uint32_t r = 0; r < s->n_reductions; r++)
      cascade_add(&sums[r], 0, slot[s->reductions[r].source], s->reductions[r].source_stride);
  }
  return flags;
}

static void rows_task(void *arg, int64_t task) {
  const struct job *j = arg;
  const struct step *s = j->step;
  int inner_loop = s->ndim - 1;
  int64_t chunk = task % s->n_chunks, tile = task / s->n_chunks % j->tiles, k = task / s->n_chunks / j->tiles;
  int64_t inner = s->shape[inner_loop], at = tile * s->block,
          n = inner - at < s->block ? inner - at : s->block;
  int64_t first = chunk * s->chunk, last = first + s->chunk < s->n_units ? first + s->chunk : s->n_units;
  struct cascade sums[MAX_REDUCTIONS];
  struct cursor kept;
  cursor_seek(&kept, j->call, s, 0, s->n_kept - 1, k);
  init_sums(s, n, sums, exec_arena() + ARENA_BYTES / 2);
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

static void combine_rows(const struct job *j) {
  const struct step *s = j->step;
  int inner_loop = s->ndim - 1;
  int64_t inner = s->shape[inner_loop];
  struct cursor kept;
  cursor_seek(&kept, j->call, s, 0, s->n_kept - 1, 0);
  for (int64_t k = 0; k < s->n_kept_items / inner && !call_given_up(j->call); k++, cursor_next(&kept))
    for (int64_t at = 0; at < inner; at += s->block) {
      int64_t n = inner - at < s->block ? inner - at : s->block;
      for (uint32_t r = 0; r < s->n_reductions; r++) {
        const struct reduction *red = &s->reductions[r];
        int64_t to_stride = s->memories[red->target].stride[inner_loop];
        struct cascade sum;
        cascade_init(&sum, red, n, exec_arena() + ARENA_BYTES / 2);
        for (int64_t c = 0; c < s->n_chunks; c++)
          cascade_add(&sum, 0, partial(j, red, c * s->n_kept_items + k * inner + at), red->acc_bytes);
        store(red, n, cascade_finish(&sum), kept.at[red->target] + at * to_stride, to_stride);
      }
    }
}

/* ---- The whole ---- */

/* Nothing to reduce: the identity everywhere. The step's loops are still the program's. */
static void store_identities(struct call *call, const struct step *s) {
  struct cursor kept;
  if (s->n_kept_items == 0)
    return;
  cursor_seek(&kept, call, s, 0, s->n_kept, 0);
  for (int64_t k = 0; k < s->n_kept_items && !call_given_up(call); k++, cursor_next(&kept))
    for (uint32_t r = 0; r < s->n_reductions; r++)
      memcpy(kept.at[s->reductions[r].target], s->reductions[r].identity, s->reductions[r].identity_bytes);
}

#define KEPT_ITEMS_A_TASK 16384 /* elements that one task of many small reductions reads, about */

void exec_reduce(struct call *call, const struct step *s) {
  struct job j = {.call = call, .step = s};
  struct pool *pool = s->parallel ? call->pool : NULL;
  if (s->empty) {
    store_identities(call, s);
  } else if (s->kind == STEP_REDUCE_INNER) {
    j.kept_a_task = s->parallel ? 1 + KEPT_ITEMS_A_TASK / s->n_reduced_items : s->n_kept_items;
    int64_t tasks = (s->n_kept_items + j.kept_a_task - 1) / j.kept_a_task;
    pool_run(pool, s->n_chunks > 1 ? s->n_kept_items * s->n_chunks : tasks, inner_task, &j);
    if (s->n_chunks > 1 && !call_given_up(call))
      combine_inner(&j);
  } else {
    int64_t inner = s->shape[s->ndim - 1];
    j.tiles = (inner + s->block - 1) / s->block;
    pool_run(pool, s->n_kept_items / inner * j.tiles * s->n_chunks, rows_task, &j);
    if (s->n_chunks > 1 && !call_given_up(call))
      combine_rows(&j);
  }
}
