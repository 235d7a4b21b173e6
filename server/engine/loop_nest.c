/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop nest of a step: the order of its loops, which neighbours can be joined into one loop, and how the
 * loops are cut into blocks and chunks.
 *
 * The chunks of a reduction depend on its shape alone, never on the number of cores, so that its result is
 * the same, bit by bit, however many threads compute it. */
#include <assert.h>
#include <string.h>

#include "server/engine/plan_impl.h"

#define INNER_CHUNK 131072 /* elements to a partial result */
#define ROWS_TASKS 16      /* with fewer tiles than this, rows are cut into as many chunks */
#define ROWS_MIN 64        /* rows of a chunk, at least */
#define ROWS_BLOCK 2048    /* elements of a tile of rows, at most */
#define ROWS_BYTES \
  32768 /* bytes of cache lines that a row of a tile may touch, where its elements are apart */
#define SHORT_REDUCED 32 /* loops of up to so many elements are reduced as rows, many side by side */
#define WIDE_ROW 256     /* elements of the wide row that shorter rows are joined to */

static void swap_loops(struct step *s, int a, int b) {
  int64_t t = s->shape[a];
  s->shape[a] = s->shape[b];
  s->shape[b] = t;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    int64_t *stride = s->memories[i].stride;
    t = stride[a];
    stride[a] = stride[b];
    stride[b] = t;
  }
}

/* Whether loop a should be inside loop b: it takes smaller steps through the memory that is written or, if
 * the two take the same steps there, through the first memory where their steps differ. */
static bool belongs_inside(const struct step *s, int a, int b) {
  for (int written = 1; written >= 0; written--)
    for (uint32_t i = 0; i < s->n_memories; i++) {
      const struct memory *m = &s->memories[i];
      int64_t x = magnitude(m->stride[a]), y = magnitude(m->stride[b]);
      if (m->written == (written != 0) && x != y)
        return x < y && (x != 0 || !written);
    }
  return false;
}

/* Sorts loops first .. last-1 so that the smallest steps are innermost. Stable. */
static void sort_loops(struct step *s, int first, int last) {
  for (int i = first + 1; i < last; i++)
    for (int j = i; j > first && belongs_inside(s, j - 1, j); j--)
      swap_loops(s, j - 1, j);
}

static void remove_loop(struct step *s, int d) {
  for (int e = d; e + 1 < s->ndim; e++) {
    s->shape[e] = s->shape[e + 1];
    for (uint32_t i = 0; i < s->n_memories; i++)
      s->memories[i].stride[e] = s->memories[i].stride[e + 1];
  }
  s->ndim--;
}

/* Whether loops d and d+1 step through all memories as one loop would. */
static bool joins_next(const struct step *s, int d) {
  for (uint32_t i = 0; i < s->n_memories; i++)
    if (s->memories[i].stride[d] != s->memories[i].stride[d + 1] * s->shape[d + 1])
      return false;
  return true;
}

/* Drops loops of length 1 among first .. last-1 and joins those neighbours that make one loop; gives the new
 * last. */
static int join_loops(struct step *s, int first, int last) {
  for (int d = last - 1; d >= first; d--)
    if (s->shape[d] == 1) {
      remove_loop(s, d);
      last--;
    }
  for (int d = last - 2; d >= first; d--)
    if (joins_next(s, d)) {
      s->shape[d + 1] *= s->shape[d];
      remove_loop(s, d);
      last--;
    }
  return last;
}

/* Puts a loop of length 1 at d. */
static void insert_loop(struct step *s, int d) {
  for (int e = s->ndim; e > d; e--) {
    s->shape[e] = s->shape[e - 1];
    for (uint32_t i = 0; i < s->n_memories; i++)
      s->memories[i].stride[e] = s->memories[i].stride[e - 1];
  }
  s->shape[d] = 1;
  for (uint32_t i = 0; i < s->n_memories; i++)
    s->memories[i].stride[d] = 0;
  s->ndim++;
}

static int64_t product(const int64_t *shape, int first, int last) {
  int64_t n = 1;
  for (int d = first; d < last; d++)
    n *= shape[d];
  return n;
}

/* Moves the loops over `axes`, which are reduced, behind the others, which are kept; within both, the order
 * stays. */
static void split_loops(struct step *s, int ndim, uint32_t axes) {
  uint8_t reduced[MAX_DIMS];
  int n = 0;
  for (int d = 0; d < ndim; d++)
    reduced[d] = axes >> d & 1;
  for (int d = 0; d < ndim; d++) {
    if (reduced[d])
      continue;
    for (int e = d; e > n; e--) {
      swap_loops(s, e, e - 1);
      uint8_t t = reduced[e];
      reduced[e] = reduced[e - 1];
      reduced[e - 1] = t;
    }
    n++;
  }
  s->n_kept = (uint8_t)n;
}

/* Whether the reduction should be one of ROWS: the smallest steps through the inputs are along a kept loop,
 * or the reduced loop is so short that each reduction would cost more to start than to do. */
static bool rows_are_kept(const struct step *s) {
  if (s->n_kept == 0 || s->n_reduced == 0)
    return false;
  int kept = s->n_kept - 1, reduced = s->ndim - 1;
  if (s->n_reduced == 1 && s->shape[reduced] <= SHORT_REDUCED && s->shape[kept] >= 2 * s->shape[reduced])
    return true;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    const struct memory *m = &s->memories[i];
    int64_t x = magnitude(m->stride[kept]), y = magnitude(m->stride[reduced]);
    if (!m->written && x != y && x != 0)
      return x < y || y == 0;
  }
  return false;
}

/* Elements of a tile of rows: as many as the cascades have room for, but few enough that the cache keeps the
 * lines of a row whose elements are apart until the next row uses their other elements. */
static int64_t choose_rows_block(const struct step *s) {
  int64_t acc_bytes = 0, block = ROWS_BLOCK;
  for (uint32_t r = 0; r < s->n_reductions; r++)
    acc_bytes += align_up(s->reductions[r].acc_bytes, 8);
  for (uint32_t i = 0; i < s->n_memories; i++) {
    const struct memory *m = &s->memories[i];
    const int64_t stride = magnitude(m->stride[s->ndim - 1]);
    if (!m->written && stride > m->item_bytes)
      block = smaller(block, ROWS_BYTES / smaller(stride, 64));
  }
  assert(acc_bytes > 0); /* a reduction reduces something */
  block = smaller(block, CASCADE_BYTES / CASCADE_LEVELS / acc_bytes);
  return block < 64 ? 64 : block / 64 * 64;
}

static int64_t choose_block(const struct step *s, int64_t inner) {
  uint32_t held = s->n_registers + s->n_memories;
  bool direct = s->n_registers == 0 && s->n_instructions <= 1 && !s->nontemporal;
  assert(held > 0); /* what a step computes goes somewhere */
  int64_t block = direct ? 2 * BLOCK_MAX : BLOCK_BUDGET / (s->item_bytes * (int64_t)held) / 64 * 64;
  if (s->kind != STEP_MAP && s->n_instructions > 0 && block > BLOCK_MAX)
    block = BLOCK_MAX;
  if (s->kind == STEP_REDUCE_ROWS)
    block = smaller(block, smaller(choose_rows_block(s), s->n_instructions > 0 ? 512 : ROWS_BLOCK));
  if (block < 128)
    block = 128;
  return inner < block ? (inner > 0 ? inner : 1) : block;
}

static void plan_partials(struct step *s, int64_t *scratch_bytes) {
  if (s->n_chunks <= 1)
    return;
  for (uint32_t i = 0; i < s->n_reductions; i++) {
    s->reductions[i].partials = *scratch_bytes;
    *scratch_bytes += align_up(s->n_chunks * s->n_kept_items * s->reductions[i].acc_bytes, 64);
  }
}

static int64_t round_up_pow2(int64_t n) {
  int64_t p = 1;
  while (p < n)
    p *= 2;
  return p;
}

/* How many rows are added up as one wide row; 1 unless rows lie end to end in memory. */
static int64_t choose_wide(const struct step *s) {
  int row = s->ndim - 2, inner = s->ndim - 1;
  if (s->n_reduced != 1 || s->n_instructions > 0 || s->shape[inner] > WIDE_ROW / 4)
    return 1;
  for (uint32_t r = 0; r < s->n_reductions; r++) {
    const int64_t *stride = s->memories[s->reductions[r].source].stride;
    if (stride[row] != stride[inner] * s->shape[inner])
      return 1;
  }
  return WIDE_ROW / s->shape[inner];
}

static void arrange_reduction(struct step *s, int ndim, uint32_t axes, int64_t *scratch_bytes) {
  split_loops(s, ndim, axes);
  s->n_kept_items = product(s->shape, 0, s->n_kept);
  s->n_reduced_items = product(s->shape, s->n_kept, ndim);
  s->empty = s->n_kept_items == 0 || s->n_reduced_items == 0;
  if (s->empty)
    return;
  sort_loops(s, 0, s->n_kept);
  sort_loops(s, s->n_kept, s->ndim);
  (void)join_loops(s, s->n_kept, s->ndim);
  uint8_t reduced_loops = (uint8_t)(s->ndim - s->n_kept);
  s->n_kept = (uint8_t)join_loops(s, 0, s->n_kept);
  s->ndim = (uint8_t)(s->n_kept + reduced_loops);
  s->n_reduced = reduced_loops;
  if (rows_are_kept(s)) {
    s->kind = STEP_REDUCE_ROWS;
    for (int d = s->n_kept - 1; d + 1 < s->ndim; d++)
      swap_loops(s, d, d + 1);
    int64_t inner = s->shape[s->ndim - 1];
    s->block = choose_block(s, inner);
    s->wide = choose_wide(s);
    s->n_units = s->n_reduced_items;
    int64_t tiles = product(s->shape, 0, s->n_kept - 1) * parts_of(inner, s->block);
    s->chunk = tiles >= ROWS_TASKS ? s->n_units : round_up_pow2(parts_of(s->n_units, ROWS_TASKS));
    if (s->chunk < ROWS_MIN)
      s->chunk = ROWS_MIN;
  } else {
    s->kind = STEP_REDUCE_INNER;
    if (s->n_reduced == 0) {
      insert_loop(s, s->n_kept);
      s->n_reduced = 1;
    }
    int64_t inner = s->shape[s->ndim - 1];
    s->block = choose_block(s, inner);
    s->n_units = s->n_reduced_items / inner * parts_of(inner, s->block);
    s->chunk = parts_of(INNER_CHUNK, s->block);
  }
  s->n_chunks = parts_of(s->n_units, s->chunk);
  plan_partials(s, scratch_bytes);
}

/* Gives every argument that is a memory its stride along the innermost loop. */
static void set_inner_strides(struct step *s) {
  for (uint32_t i = 0; i < s->n_instructions; i++) {
    struct instruction *in = &s->instructions[i];
    for (int a = 0; a < in->n_args; a++)
      if (in->arg[a] < s->n_memories)
        in->stride[a] = s->memories[in->arg[a]].stride[s->ndim - 1];
  }
  for (uint32_t i = 0; i < s->n_reductions; i++)
    if (s->reductions[i].source < s->n_memories)
      s->reductions[i].source_stride = s->memories[s->reductions[i].source].stride[s->ndim - 1];
}

#define SHORT_LOOP 16 /* a block of fewer elements costs more in calls of kernels than in their work */
#define LONG_LOOP 64
#define TILE_BLOCK 128 /* elements of a block in tiled steps: so few that their lines stay in the cache */
#define NONTEMPORAL_BYTES ((int64_t)16 << 20) /* outputs from this size on go past the caches */

/* Whether the kernel copies items of this size as they are. */
static bool is_copy(kernel_map_fn fn, int item_bytes) {
  for (int t = 0; t < NUMD_DTYPE_CODES; t++)
    if (dtype_known(t) && dtype_rows[t].size == item_bytes && fn == kernel_map(NUMD_OP_COPY, (numd_dtype)t))
      return true;
  return false;
}

/* The longest loop, to be made the innermost one because that one is short; -1 if it is not, or no other is
 * long. */
static int longer_loop(const struct step *s) {
  int last = s->ndim - 1, best = -1;
  for (int d = 0; d < last; d++)
    if (s->shape[d] >= LONG_LOOP && (best < 0 || s->shape[d] >= s->shape[best]))
      best = d;
  return s->shape[last] < SHORT_LOOP ? best : -1;
}

/* Whether the innermost loop touches another cache line of some memory with each step, while another loop
 * takes smaller steps through that memory: tiling lets that loop use the other elements of the lines. */
static bool walks_across(const struct step *s) {
  int last = s->ndim - 1;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    const struct memory *m = &s->memories[i];
    for (int d = 0; d < last; d++)
      if (m->stride[d] != 0 && magnitude(m->stride[last]) > magnitude(m->stride[d]) &&
          magnitude(m->stride[last]) >= 64)
        return true;
  }
  return false;
}

/* Items of up to TRANSPOSE_NARROW bytes are worth a transposing copy at any size, wider ones only while the
 * second-level cache holds the array. */
#define TRANSPOSE_NARROW 2
#define TRANSPOSE_BYTES ((int64_t)2 << 20)

/* Whether the step is a copy whose output is contiguous along the innermost loop and its input along another,
 * which a kernel copies by transposing squares. Makes that other loop the last but one. */
static bool arrange_transposing(struct step *s) {
  const int last = s->ndim - 1;
  if (s->n_memories != 2 || s->n_instructions != 1 || s->n_registers > 0 || last < 1)
    return false;
  const int out = s->memories[1].written;
  const struct memory *to = &s->memories[out], *from = &s->memories[!out];
  if (from->written || from->item_bytes != to->item_bytes || to->stride[last] != to->item_bytes ||
      !is_copy(s->instructions[0].fn, to->item_bytes))
    return false;
  if (to->item_bytes > TRANSPOSE_NARROW && product(s->shape, 0, s->ndim) * to->item_bytes > TRANSPOSE_BYTES)
    return false;
  for (int d = 0; d < last; d++)
    if (from->stride[d] == from->item_bytes && s->shape[d] > 1) {
      swap_loops(s, d, last - 1);
      return true;
    }
  return false;
}

/* Whether the outputs are so large that keeping them in the caches would only push other data out. */
static bool worth_nontemporal(const struct step *s, int64_t items) {
  bool any = false;
  if (s->tiled || s->shape[s->ndim - 1] < LONG_LOOP)
    return false;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    const struct memory *m = &s->memories[i];
    if (!m->written)
      continue;
    if (m->stride[s->ndim - 1] != m->item_bytes || items * m->item_bytes < NONTEMPORAL_BYTES)
      return false;
    any = true;
  }
  return any;
}

static void arrange_map(struct step *s) {
  sort_loops(s, 0, s->ndim);
  (void)join_loops(s, 0, s->ndim);
  if (s->ndim == 0)
    insert_loop(s, 0);
  int longer = longer_loop(s);
  if (longer >= 0)
    swap_loops(s, longer, s->ndim - 1);
  s->tiled = longer >= 0 || walks_across(s);
  s->transposing = s->tiled && arrange_transposing(s);
  s->nontemporal = worth_nontemporal(s, product(s->shape, 0, s->ndim));
  int64_t inner = s->shape[s->ndim - 1];
  s->block = choose_block(s, inner);
  if (s->tiled && s->block > TILE_BLOCK)
    s->block = TILE_BLOCK;
  s->n_units = product(s->shape, 0, s->ndim - 1) * parts_of(inner, s->block);
}

void loops_arrange(struct step *s, int ndim, const int64_t shape[], uint32_t axes, int64_t *scratch_bytes) {
  s->ndim = (uint8_t)ndim;
  memcpy(s->shape, shape, sizeof(int64_t) * (size_t)ndim);
  if (s->kind == STEP_MAP) {
    s->empty = product(shape, 0, ndim) == 0;
    if (s->empty)
      return;
    arrange_map(s);
  } else {
    arrange_reduction(s, ndim, axes, scratch_bytes);
    if (s->empty)
      return;
  }
  set_inner_strides(s);
}
