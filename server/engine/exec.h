/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a plan on checked addresses. A call can fail for the values in its data (integer powers, indices,
 * matrices) or for lack of memory, and can be cancelled between blocks. */
#ifndef NUMD_SERVER_ENGINE_EXEC_H
#define NUMD_SERVER_ENGINE_EXEC_H

#include <stdatomic.h>

#include "server/engine/plan_impl.h"
#include "shared/turns.h"

struct pool;

/* A call that is being run: a plan and the addresses of its bindings, checked. */
struct call {
  const struct plan *plan;
  char *bases[N_BASES];
  const _Atomic uint64_t *cancel; /* the call is given up once *cancel is call_id or UINT64_MAX */
  uint64_t call_id;
  struct pool *pool;
  struct turn turn;  /* between pool_begin_call and pool_end_call */
  atomic_uint flags; /* KERNEL_* and CALL_* */
};

enum { CALL_CANCELLED = 1u << 30, CALL_NO_MEMORY = 1u << 31 };

/* Runs all steps; 0 or a status. All bases that the plan uses are set: bindings, scratch, constants, scalars,
 * result. */
int exec_run(struct call *call);

/* Runs a plan that is one kernel (plan->one.n > 0), which takes no struct call. */
int exec_one_kernel(const struct one_kernel *one, char *const bases[], char *result);

/* Runs one step; bind.c has it copy outputs back from private memory. */
void exec_step(struct call *call, const struct step *step);

/* Reductions (exec_reduce.c). */
void exec_reduce(struct call *call, const struct step *step);

/* ---- For the exec files ---- */

/* An iteration of a step's loops first .. last-1, and the address of each memory in it. */
struct cursor {
  const struct step *step;
  int first, last;
  int64_t index[MAX_LOOPS];
  char *at[MAX_MEMORIES];
};

/* Sets the cursor to iteration `linear` of the loops, counted with the last loop innermost. */
void cursor_seek(struct cursor *c, const struct call *call, const struct step *step, int first, int last,
                 int64_t linear);
/* As cursor_seek, within the iteration of outer loops that another cursor is at. */
void cursor_seek_from(struct cursor *c, const struct cursor *outer, int first, int last, int64_t linear);

static inline void cursor_next(struct cursor *c) {
  const struct step *s = c->step;
  for (int d = c->last - 1; d >= c->first; d--) {
    int64_t back = 0;
    if (++c->index[d] == s->shape[d]) {
      c->index[d] = 0;
      back = s->shape[d];
    }
    for (uint32_t i = 0; i < s->n_memories; i++)
      c->at[i] += s->memories[i].stride[d] * (1 - back);
    if (!back)
      return;
  }
}

/* The calling thread's own memory for registers, cascades and kernels' scratch. */
#define ARENA_BYTES (384 * 1024)
char *exec_arena(void);

/* Runs the instructions of a step on n elements. slot[0 .. n_memories-1] are their addresses in the memories;
 * the function sets the slots of the registers, in `arena`. If another block follows in memory, its lines are
 * fetched meanwhile, a part of them before each instruction: the processor's own prefetcher follows a stream
 * only while it is read, and not across pages. Gives the kernels' flags. */
unsigned exec_block(const struct step *step, char *slot[], char *arena, int64_t n, bool another);

static inline bool call_is_given_up(const struct call *call) {
  uint64_t id = atomic_load_explicit(call->cancel, memory_order_relaxed);
  return id == call->call_id || id == UINT64_MAX;
}

/* As call_is_given_up, and has the call complete as cancelled. */
static inline bool call_given_up(struct call *call) {
  if (!call_is_given_up(call))
    return false;
  atomic_fetch_or_explicit(&call->flags, CALL_CANCELLED, memory_order_relaxed);
  return true;
}

#endif
