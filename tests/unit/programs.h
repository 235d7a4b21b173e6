/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of plans share: a program that is put together operation by operation, compiled, and run
 * without a daemon. */
#ifndef NUMD_TESTS_PROGRAMS_H
#define NUMD_TESTS_PROGRAMS_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/exec.h"
#include "server/engine/plan_impl.h"
#include "tests/unit/suite.h"

static struct program *program;
static struct errtext err;

static inline void setup(void) {
  kernels_init(NULL);
  program = calloc(1, sizeof(*program));
  err.text[0] = 0;
}

static inline void teardown(void) {
  free(program);
}

static inline uint16_t input(uint8_t dtype, int ndim, const int64_t shape[]) {
  struct operand *o = &program->operands[program->n_operands];
  o->kind = OPERAND_ARRAY;
  o->layout.dtype = dtype;
  o->layout.ndim = (uint8_t)ndim;
  memcpy(o->layout.shape, shape, sizeof(int64_t) * (size_t)ndim);
  ck_assert_int_eq(layout_set_c_order(&o->layout), 0);
  return program->n_operands++;
}

static inline uint16_t op(uint8_t code, uint16_t a, uint16_t b) {
  struct op *o = &program->ops[program->n_ops++];
  *o = (struct op){
      .code = code, .n_in = (uint8_t)(op_rows[code].n_in < 0 ? 2 : op_rows[code].n_in), .in = {a, b}};
  return (uint16_t)program_op_value(program, program->n_ops - 1);
}

static inline void output(uint16_t value, uint8_t kind) {
  program->outputs[program->n_outputs++] =
      (struct output){.value = value, .kind = kind, .open_dtype = true, .open_shape = true};
}

static inline struct plan *compile(void) {
  struct plan *plan = NULL;
  int r = plan_compile(program, &plan, &err);
  ck_assert_msg(r == 0, "status %d: %s", r, err.text);
  return plan;
}

/* Of the operation that was added last. */
static inline struct op_params *params(uint32_t given) {
  struct op_params *p = &program->ops[program->n_ops - 1].params;
  p->given = given;
  return p;
}

/* Runs a plan with its bindings in order; `result` as for BASE_RESULT. */
static inline void run_plan(struct plan *plan, int n, void *const bindings[], void *result) {
  static const atomic_ullong never;
  void *scratch = NULL;
  ck_assert_int_eq(posix_memalign(&scratch, 64, (size_t)plan->scratch_bytes + 64), 0);
  struct call call = {.plan = plan, .cancel = (const _Atomic uint64_t *)&never, .call_id = 1};
  for (int i = 0; i < n; i++)
    call.bases[i] = bindings[i];
  call.bases[BASE_SCRATCH] = scratch;
  call.bases[BASE_CONSTANTS] = plan->constants;
  call.bases[BASE_RESULT] = result;
  ck_assert_int_eq(exec_run(&call), 0);
  free(scratch);
}

#endif
