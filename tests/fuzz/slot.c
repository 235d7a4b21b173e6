/* SPDX-License-Identifier: BSD-3-Clause */
/* Slot decoding: any 128 bytes and any spill are copied or refused, and what was copied runs or fails like
 * any request. */
#include "server/worker/door_ring.c" /* for take_request */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

#define MANY 40 /* bindings of the plan that needs the spill area */

static void prepare(struct target *t, uint32_t id, int n_operands, numd_op code) {
  static struct program p;
  struct errtext err = {""};
  struct plan *plan = NULL;
  memset(&p, 0, sizeof(p));
  p.n_operands = (uint16_t)n_operands;
  p.n_ops = (uint16_t)(n_operands > 1 ? n_operands - 1 : 1);
  p.n_outputs = 1;
  for (int i = 0; i < n_operands; i++)
    p.operands[i] = (struct operand){
        .kind = OPERAND_ARRAY, .layout = {.dtype = NUMD_FLOAT64, .ndim = 1, .shape = {100}, .strides = {8}}};
  for (int i = 0; i < p.n_ops; i++) {
    p.ops[i] = (struct op){.code = (uint8_t)code, .n_in = n_operands > 1 ? 2 : 1};
    p.ops[i].in[0] = (uint16_t)(i == 0 ? 0 : n_operands + i - 1);
    p.ops[i].in[1] = (uint16_t)(i + 1);
  }
  p.outputs[0] = (struct output){.value = (uint16_t)(n_operands + p.n_ops - 1),
                                 .kind = n_operands > 1 ? OUTPUT_ARRAY : OUTPUT_RESULT,
                                 .open_dtype = true,
                                 .open_shape = true};
  MUST(session_prepare(&t->session, id, &p, &plan, &err) == 0);
}

static void check_copy(const struct slot *slot, const uint64_t *spill, const struct request *r,
                       uint16_t flags, uint16_t known) {
  MUST(r->n_bindings <= MAX_BINDINGS && !(flags & ~known) && slot->reserved == 0);
  MUST(r->plan_id == slot->plan && r->n_bindings == slot->n_bindings);
  for (uint32_t i = 0; i < r->n_bindings; i++)
    MUST(r->bindings[i] == (i < 3             ? slot->bindings[i]
                            : i < SLOT_INLINE ? slot->more_bindings[i - 3]
                                              : spill[i - SLOT_INLINE]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct target *t = target_get();
  struct slot slot = {0};
  uint64_t spill[SLOT_SPILL] = {0};
  struct request request;
  struct completion done = {.status = -1};
  uint16_t flags = 0;
  if (!atomic_load(&t->session.plans[0])) {
    prepare(t, 0, 1, NUMD_OP_SUM);
    prepare(t, 1, 2, NUMD_OP_ADD);
    prepare(t, 2, MANY, NUMD_OP_ADD);
  }
  memcpy(&slot, data, size < sizeof(slot) ? size : sizeof(slot));
  if (size > sizeof(slot))
    memcpy(spill, data + sizeof(slot),
           size - sizeof(slot) < sizeof(spill) ? size - sizeof(slot) : sizeof(spill));
  for (int single = 0; single < 2; single++) {
    uint16_t known = single ? SLOT_PING | (SINGLE_SLOTS - 1) : 0;
    int status = take_request(&slot, spill, known, &request, &flags);
    if (status != 0) {
      MUST(status == NUMD_EPROTOCOL);
      continue;
    }
    check_copy(&slot, spill, &request, flags, known);
    session_run(&t->session, t->runner, &request, &done);
    MUST(done.status >= 0 && strcmp(status_name(done.status), "?") != 0);
    MUST(done.status != NUMD_OK || request.plan_id < 3);
  }
  return 0;
}
