/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds on what an input can cost a fuzz target that is linked with --wrap: a plan whose calls would take
 * long or much memory is refused, and a sleep that a peer can make long ends soon. */
#include "tests/fuzz/bounded.h"
#include "server/engine/plan_impl.h"
#include "server/worker/session.h"
#include "shared/clock.h"

#define COST_NS 2000000
#define SCRATCH ((int64_t)32 << 20)
#define SLEEP_NS 1000000

bool bounded_plan(const struct plan *plan) {
  return plan_cost_ns(plan) <= COST_NS && plan->scratch_bytes <= SCRATCH;
}

int __wrap_session_prepare(struct session *session, uint64_t id, const struct program *program,
                           struct plan **plan, struct errtext *err) {
  int status = __real_session_prepare(session, id, program, plan, err);
  if (status != 0 || bounded_plan(*plan))
    return status;
  session_release(session, id, err);
  return errtext_set(err, NUMD_ELIMIT, "a call would cost a fuzzer too much");
}

void __wrap_sem_await_hint(sem_t *sem, int64_t deadline) {
  int64_t soon = clock_deadline(SLEEP_NS);
  __real_sem_await_hint(sem, deadline < soon ? deadline : soon);
}
