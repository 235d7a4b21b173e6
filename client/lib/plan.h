/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans: what the daemon makes of programs. */
#ifndef NUMD_CLIENT_LIB_PLAN_H
#define NUMD_CLIENT_LIB_PLAN_H

#include "client/lib/conn.h"
#include "protocol/program.h"

/* What each call gives for one input or output of a plan. */
struct plan_operand {
  const numd_layout *layout; /* of an array; NULL: a scalar, weak */
  uint8_t dtype;
};

struct numd_plan {
  numd_conn *conn;
  atomic_int refs;
  uint32_t id;
  _Atomic uint64_t epoch; /* of the session that knows it */
  const char *program;    /* as `prepare` carries it, to be sent again in another session */
  size_t program_bytes;
  int n_inputs, n_outputs;
  numd_dtype result_dtype;
  uint32_t spin_ns; /* for how long a caller spins; 0: it sleeps at once */
  bool holds_conn;  /* it has a reference to the connection: the user made it, not the plan cache */
  struct numd_plan *next_dead;
  struct plan_operand operands[]; /* inputs, then outputs; the program's bytes lie behind them */
};

extern const struct conn_part plan_part;

int plan_prepare(numd_conn *conn, struct program_lists program, numd_plan **out);

/* Makes sure that the current session knows the plan. */
int plan_enter_slow(numd_plan *plan);
static inline int plan_enter(numd_plan *plan) {
  int r = conn_enter(plan->conn);
  if (r || atomic_load_explicit(&plan->epoch, memory_order_acquire) ==
               atomic_load_explicit(&plan->conn->epoch, memory_order_acquire))
    return r;
  return plan_enter_slow(plan);
}

#endif
