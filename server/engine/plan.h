/* SPDX-License-Identifier: BSD-3-Clause */
/* A plan: a program that was checked and compiled once. It is trusted, complete, private to the worker, and
 * never changes, so any number of threads may run it at once. */
#ifndef NUMD_SERVER_ENGINE_PLAN_H
#define NUMD_SERVER_ENGINE_PLAN_H

#include <stdint.h>

#include "protocol/program.h"
#include "shared/errtext.h"

struct plan;

/* Checks the program and compiles it. 0; a positive status with a sentence that names the operand, operation
 * or output at fault; or -ENOMEM. The plan has no pointer into `program`, which may be freed afterwards. */
int plan_compile(const struct program *program, struct plan **out, struct errtext *err);
void plan_free(struct plan *plan);

/* The layouts of the program's outputs, in their order, with what the program left open decided
 * (OUTPUT_RESULT: ndim 0). */
int plan_n_outputs(const struct plan *plan);
const struct layout *plan_output(const struct plan *plan, int i);

uint32_t plan_n_bindings(const struct plan *plan);
/* The dtype of binding i if it is a scalar (bool, int64, uint64 or float64); -1 if it is an array. */
int plan_scalar_dtype(const struct plan *plan, uint32_t i);
/* The dtype of the scalar result; -1 if there is none. */
int plan_result_dtype(const struct plan *plan);
/* A rough estimate of the time that one call takes on one core. */
uint64_t plan_cost_ns(const struct plan *plan);
/* Whether a call may be shared out over several cores. */
int plan_is_parallel(const struct plan *plan);
/* Bytes of memory held by the plan itself. */
uint64_t plan_bytes(const struct plan *plan);
/* The description of plan_text.h; malloc'ed, NULL if out of memory. */
char *plan_explain(const struct plan *plan);

#endif
