/* Running a plan on checked addresses. Nothing here can fail but for memory; a call can be cancelled
 * between blocks. */
#ifndef NUMD_SERVER_ENGINE_EXEC_H
#define NUMD_SERVER_ENGINE_EXEC_H

#include <stdatomic.h>

#include "server/engine/plan_impl.h"

struct pool;

/* One run of a plan. */
struct call {
  const struct plan *plan;
  char *bases[N_BASES];
  const _Atomic uint64_t *cancel; /* given up when this is call_id or UINT64_MAX */
  uint64_t call_id;
  struct pool *pool;
  atomic_uint flags; /* KERNEL_* and CALL_* */
};

enum { CALL_CANCELLED = 1u << 30, CALL_NO_MEMORY = 1u << 31 };

/* Runs all steps; 0 or a status. bases must be complete: bindings, scratch, constants, scalars, result. */
int exec_run(struct call *call);

/* The same for a plan that is one kernel (plan->one.n > 0), which needs no call. */
int exec_one_kernel(const struct one_kernel *one, char *const bases[], char *result);

/* Runs one step; for copying back. */
void exec_step(struct call *call, const struct step *step);

/* Reductions (exec_reduce.c). */
void exec_reduce(struct call *call, const struct step *step);

/* ---- For the exec files ---- */

/* Where each memory of a step stands, while loops first .. last-1 go round. */
struct cursor {
  const struct step *step;
  int first, last;
  int64_t index[MAX_LOOPS];
  char *at[MAX_MEMORIES];
};

/* Stands at iteration `linear` of the loops. */
void cursor_seek(struct cursor *c, const struct call *call, const struct step *step, int first, int last,
                 int64_t linear);
/* As cursor_seek, from where another cursor stands in outer loops. */
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

/* The calling thread's registers and rows. */
#define ARENA_BYTES (384 * 1024)
char *exec_arena(void);

/* Runs the instructions of a step on n elements; slot[0 .. n_memories-1] are set, registers are added. If
 * another block follows in memory, its lines are fetched meanwhile, a part of them before each instruction:
 * the processor's own prefetcher follows a stream only while it is read, and not across pages. */
unsigned exec_block(const struct step *step, char *slot[], char *arena, int64_t n, bool another);

static inline bool call_is_given_up(const struct call *call) {
  uint64_t id = atomic_load_explicit(call->cancel, memory_order_relaxed);
  return id == call->call_id || id == UINT64_MAX;
}

/* The same, remembered for the call's completion. */
static inline bool call_given_up(struct call *call) {
  if (!call_is_given_up(call))
    return false;
  atomic_fetch_or_explicit(&call->flags, CALL_CANCELLED, memory_order_relaxed);
  return true;
}

#endif
