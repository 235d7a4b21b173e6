/* SPDX-License-Identifier: BSD-3-Clause */
/* Running an array kernel: phase after phase, the units of each phase shared out by the pool.
 *
 * A call that is cancelled skips the units that have not begun, and ends with the phase. A call in which a
 * unit raised a flag ends with the phase too. A unit's scratch is the thread's arena or, where the kernel
 * wants more, memory allocated for as long as the unit runs. The plan's scratch has only what all units
 * share, since how many units run at once depends on the cores. */
#include "server/engine/array_step.h"

#include <stdlib.h>

#include "server/engine/pool.h"

#define UNIT_NS 10

/* The kernel's estimate, or what its units take even if they have nothing to do, whichever is more. */
static uint64_t array_cost_ns(const struct array_job *job) {
  uint64_t units = 0;
  for (int p = 0; p < job->n_phases; p++)
    units = cost_plus(units, (uint64_t)job->n_units[p]);
  const uint64_t least = cost_times(units, UNIT_NS);
  return job->cost_ns > least ? job->cost_ns : least;
}

void array_step_arrange(struct step *s, struct array_job *job, int64_t *scratch_bytes) {
  s->kind = STEP_ARRAY;
  s->job = job;
  s->kernel = kernel_array(job->op);
  s->cost_ns = array_cost_ns(job);
  s->parallel = s->cost_ns >= PARALLEL_MIN_NS;
  s->shared = *scratch_bytes;
  *scratch_bytes += align_up(job->shared_bytes, 64);
}

struct array_task {
  struct call *call;
  const struct step *step;
  struct array_run run;
  int phase;
};

static void run_unit(void *arg, int64_t unit) {
  const struct array_task *t = arg;
  size_t bytes = (size_t)t->step->job->task_bytes;
  void *scratch = exec_arena();
  unsigned flags = 0;
  if (call_given_up(t->call))
    return;
  if (bytes > ARENA_BYTES && posix_memalign(&scratch, 64, bytes) != 0)
    flags = CALL_NO_MEMORY;
  else
    flags = t->step->kernel->run(&t->run, t->phase, unit, scratch);
  if (bytes > ARENA_BYTES && !(flags & CALL_NO_MEMORY))
    free(scratch);
  if (flags)
    atomic_fetch_or_explicit(&t->call->flags, flags, memory_order_relaxed);
}

void array_step_run(struct call *call, const struct step *s) {
  char *at[NUMD_OP_MAX_IN + NUMD_OP_MAX_OUT];
  const struct array_job *job = s->job;
  struct array_task t = {.call = call, .step = s};
  for (uint32_t i = 0; i < s->n_memories; i++)
    at[i] = call->bases[s->memories[i].place.base] + s->memories[i].place.offset;
  t.run = (struct array_run){
      .job = job, .in = at, .out = at + job->n_in, .shared = call->bases[BASE_SCRATCH] + s->shared};
  for (; t.phase < job->n_phases; t.phase++) {
    pool_run(s->parallel ? call->pool : NULL, call, job->n_units[t.phase], run_unit, &t);
    if (atomic_load_explicit(&call->flags, memory_order_relaxed))
      return;
  }
}
