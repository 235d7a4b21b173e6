/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/engine/exec.h"

#include <string.h>

#include "server/engine/array_step.h"
#include "server/engine/pool.h"
#include "server/engine/product.h"
#include "server/engine/scalar.h"

/* A task of a map step: long enough to be worth handing to a helper, short enough to share out evenly. */
#define TASK_NS 25000

/* Rows of a transposing step that are copied between two looks at whether the call is given up. */
#define TRANSPOSE_ROWS 2048

static __thread char arena[ARENA_BYTES] __attribute__((aligned(64)));

char *exec_arena(void) {
  return arena;
}

static char *address(const struct call *call, const struct memory *m) {
  return call->bases[m->place.base] + m->place.offset;
}

static void seek(struct cursor *c, int64_t linear) {
  const struct step *s = c->step;
  for (int d = c->last - 1; d >= c->first; d--) {
    c->index[d] = linear % s->shape[d];
    linear /= s->shape[d];
    for (uint32_t i = 0; c->index[d] && i < s->n_memories; i++)
      c->at[i] += c->index[d] * s->memories[i].stride[d];
  }
}

void cursor_seek(struct cursor *c, const struct call *call, const struct step *step, int first, int last,
                 int64_t linear) {
  c->step = step;
  c->first = first;
  c->last = last;
  for (uint32_t i = 0; i < step->n_memories; i++)
    c->at[i] = address(call, &step->memories[i]);
  seek(c, linear);
}

void cursor_seek_from(struct cursor *c, const struct cursor *outer, int first, int last, int64_t linear) {
  c->step = outer->step;
  c->first = first;
  c->last = last;
  memcpy(c->at, outer->at, sizeof(char *) * outer->step->n_memories);
  seek(c, linear);
}

#define LINE 64 /* bytes of a cache line */

/* Prefetches part i of the block that follows in memory; it has as many parts as the step instructions. */
static void prefetch_part(const struct step *s, char *const slot[], int64_t n, uint32_t i) {
  for (uint32_t m = 0; m < s->n_memories; m++) {
    const int64_t bytes = n * s->memories[m].item_bytes;
    if (s->memories[m].stride[s->ndim - 1] != s->memories[m].item_bytes)
      continue;
    const char *next = slot[m] + bytes;
    for (int64_t at = bytes * i / s->n_instructions, end = bytes * (i + 1) / s->n_instructions; at < end;
         at += LINE)
      __builtin_prefetch(next + at, 0, 2);
  }
}

unsigned exec_block(const struct step *step, char *slot[], char *registers, int64_t n, bool another) {
  const bool prefetch = another && step->n_instructions > 1;
  unsigned flags = 0;
  for (uint32_t i = 0; i < step->n_registers; i++)
    slot[step->n_memories + i] = registers + (size_t)i * (size_t)step->block * step->item_bytes;
  for (uint32_t i = 0; i < step->n_instructions; i++) {
    const struct instruction *in = &step->instructions[i];
    char *ptr[4];
    for (int a = 0; a < in->n_args; a++)
      ptr[a] = slot[in->arg[a]];
    if (prefetch)
      prefetch_part(step, slot, n, i);
    flags |= in->fn(n, ptr, in->stride);
  }
  return flags;
}

/* ---- Map steps ---- */

struct map_job {
  struct call *call;
  const struct step *step;
  int64_t units_a_task;
};

/* The memories that the step writes with non-temporal stores: each block is computed in the arena, then
 * copied out past the caches. None if the call has an input in the place of an output: reading it has brought
 * its lines into the cache already. */
static uint32_t nontemporal(const struct step *s, const struct cursor *c, uint16_t out[MAX_MEMORIES]) {
  uint32_t n = 0;
  for (uint32_t i = 0; s->nontemporal && i < s->n_memories; i++) {
    if (!s->memories[i].written)
      continue;
    for (uint32_t j = 0; j < s->n_memories; j++)
      if (j != i && c->at[i] == c->at[j])
        return 0;
    out[n++] = (uint16_t)i;
  }
  return n;
}

struct map_run {
  const struct step *step;
  struct cursor cursor;
  uint16_t nontemporal[MAX_MEMORIES];
  uint32_t n_nontemporal;
  unsigned flags;
};

/* Computes block b of the innermost loop, where the cursor stands in the other loops. */
static void map_block(struct map_run *m, int64_t b) {
  const struct step *s = m->step;
  int inner_loop = s->ndim - 1;
  int64_t at = b * s->block, n = smaller(s->shape[inner_loop] - at, s->block);
  char *slot[MAX_MEMORIES + MAX_REGISTERS], *to[MAX_MEMORIES], *free_arena = arena;
  for (uint32_t i = 0; i < s->n_memories; i++)
    slot[i] = m->cursor.at[i] + at * s->memories[i].stride[inner_loop];
  for (uint32_t i = 0; i < m->n_nontemporal; i++, free_arena += s->block * s->item_bytes) {
    to[i] = slot[m->nontemporal[i]];
    slot[m->nontemporal[i]] = free_arena;
  }
  m->flags |= exec_block(s, slot, free_arena, n, at + 2 * n <= s->shape[inner_loop]);
  for (uint32_t i = 0; i < m->n_nontemporal; i++)
    kernel_nontemporal_copy(n, s->memories[m->nontemporal[i]].item_bytes, slot[m->nontemporal[i]], to[i]);
}

/* Computes units first .. last-1. A unit is a block; blocks are counted along the innermost loop first, in
 * tiled steps along it last. */
static void map_units(struct call *call, const struct step *s, int64_t first, int64_t last) {
  int inner_loop = s->ndim - 1;
  int64_t blocks = parts_of(s->shape[inner_loop], s->block), rows = s->n_units / blocks;
  int64_t b = s->tiled ? first / rows : first % blocks, row = s->tiled ? first % rows : first / blocks;
  struct map_run m = {.step = s};
  cursor_seek(&m.cursor, call, s, 0, inner_loop, row);
  m.n_nontemporal = nontemporal(s, &m.cursor, m.nontemporal);
  for (int64_t u = first; u < last && !call_given_up(call); u++) {
    map_block(&m, b);
    if (s->tiled) {
      cursor_next(&m.cursor);
      if (++row == rows) {
        row = 0;
        b++;
      }
    } else if (++b == blocks) {
      b = 0;
      cursor_next(&m.cursor);
    }
  }
  if (m.flags)
    atomic_fetch_or_explicit(&call->flags, m.flags, memory_order_relaxed);
}

/* As map_units, for a transposing step: the kernel copies as many rows at once as follow each other in the
 * loop before the innermost one. It copies bytes as they are; a copy of bools makes them 0 or 1, which is
 * done in the output afterwards. */
static void transpose_units(struct call *call, const struct step *s, int64_t first, int64_t last) {
  const int inner = s->ndim - 1, out = s->memories[1].written;
  const struct memory *to = &s->memories[out], *from = &s->memories[!out];
  const int item = to->item_bytes;
  const int64_t blocks = parts_of(s->shape[inner], s->block), rows = s->n_units / blocks;
  const bool truth = s->instructions[0].fn == kernel_map(NUMD_OP_COPY, NUMD_BOOL);
  struct cursor c;
  cursor_seek(&c, call, s, 0, inner, first % rows);
  for (int64_t u = first, n; u < last && !call_given_up(call); u += n) {
    const int64_t at = u / rows * s->block, left = s->shape[inner] - at;
    const int64_t columns = smaller(left, s->block), follow = s->shape[inner - 1] - c.index[inner - 1];
    char *const data = c.at[out] + at * item;
    n = smaller(last - u, follow);
    n = smaller(n, TRANSPOSE_ROWS);
    kernel_transpose_copy(item, n, columns, c.at[!out] + at * from->stride[inner], from->stride[inner], data,
                          to->stride[inner - 1]);
    for (int64_t r = 0; truth && r < n; r++) {
      char *const row = data + r * to->stride[inner - 1], *const ptr[] = {row, row};
      static const int64_t ones[] = {1, 1};
      s->instructions[0].fn(columns, ptr, ones);
    }
    c.index[inner - 1] += n - 1;
    for (int i = 0; i < 2; i++)
      c.at[i] += (n - 1) * s->memories[i].stride[inner - 1];
    cursor_next(&c);
  }
}

static void run_units(struct call *call, const struct step *s, int64_t first, int64_t last) {
  if (s->transposing)
    transpose_units(call, s, first, last);
  else
    map_units(call, s, first, last);
}

static void map_task(void *arg, int64_t task) {
  const struct map_job *job = arg;
  int64_t first = task * job->units_a_task, last = first + job->units_a_task;
  run_units(job->call, job->step, first, smaller(last, job->step->n_units));
}

static void exec_map(struct call *call, const struct step *s) {
  if (!s->parallel) {
    run_units(call, s, 0, s->n_units);
  } else {
    int64_t tasks = (int64_t)(s->cost_ns / TASK_NS) + 1;
    struct map_job job = {.call = call, .step = s, .units_a_task = parts_of(s->n_units, tasks)};
    pool_run(call->pool, call, parts_of(s->n_units, job.units_a_task), map_task, &job);
  }
}

/* ---- The whole ---- */

void exec_step(struct call *call, const struct step *s) {
  switch (s->kind) {
    case STEP_MAP:
      if (!s->empty)
        exec_map(call, s);
      break;
    case STEP_ARRAY:
      array_step_run(call, s);
      break;
    case STEP_PRODUCT:
      product_run(call, s);
      break;
    default:
      exec_reduce(call, s);
  }
}

int exec_one_kernel(const struct one_kernel *one, char *const bases[], char *result) {
  char *ptr[4];
  if (one->reduce) {
    one->reduce(one->n, bases[one->binding[0]], one->stride[0], result);
    return 0;
  }
  for (int a = 0; a < one->n_args; a++)
    ptr[a] = bases[one->binding[a]];
  return kernel_flags_status(one->fn(one->n, ptr, one->stride));
}

#define RENEW_NS 1000000 /* estimate of the steps between two looks at the call's turn */

int exec_run(struct call *call) {
  const struct plan *p = call->plan;
  uint64_t since_look_ns = 0;
  for (uint32_t i = 0; i < p->n_steps; i++) {
    if (since_look_ns > RENEW_NS) {
      pool_renew_turn(call->pool, call);
      since_look_ns = 0;
    }
    exec_step(call, p->steps[i]);
    since_look_ns += p->steps[i]->cost_ns; /* if this wraps, the next look is later */
    unsigned flags = atomic_load_explicit(&call->flags, memory_order_relaxed);
    if (flags == 0)
      continue;
    return flags & CALL_CANCELLED   ? NUMD_ECANCELLED
           : flags & CALL_NO_MEMORY ? NUMD_ENOMEMORY
                                    : kernel_flags_status(flags);
  }
  return 0;
}
