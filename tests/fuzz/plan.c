/* SPDX-License-Identifier: BSD-3-Clause */
/* From a request to a plan to its call: any program is compiled or refused with a sentence, and a call writes
 * nothing but the bytes that its outputs bind. */
#include "protocol/wire.h"
#include "server/engine/plan_impl.h"
#include "tests/fuzz/bounded.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/target.h"

static const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 64, 100, 127};

static uint8_t read_dtype(struct input *in) {
  unsigned dtype = input_below(in, NUMD_DTYPE_CODES);
  return (uint8_t)(dtype_known(dtype) ? dtype : NUMD_FLOAT64);
}

/* Mostly small and in C order; sometimes anything. */
static void read_layout(struct input *in, struct layout *layout) {
  uint8_t how = input_byte(in);
  layout->dtype = read_dtype(in);
  layout->ndim = (uint8_t)(how & 64 ? input_below(in, MAX_DIMS + 1) : input_below(in, 4));
  for (int d = 0; d < layout->ndim; d++)
    layout->shape[d] = how & 128 ? (int64_t)(input_word(in) >> (1 + input_below(in, 63)))
                                 : lengths[input_below(in, sizeof(lengths) / sizeof(lengths[0]))];
  (void)layout_set_c_order(layout);
  for (int d = 0; d < layout->ndim && how & 32; d++) {
    uint8_t kind = input_byte(in);
    uint64_t stride = (uint64_t)layout->strides[d];
    layout->strides[d] = (int64_t)(kind < 64    ? 0
                                   : kind < 128 ? -stride
                                   : kind < 192 ? 2 * stride
                                                : input_word(in));
  }
}

static void read_operand(struct input *in, struct operand *o) {
  o->kind = (uint8_t)input_below(in, OPERAND_CONSTANT + 1);
  read_layout(in, &o->layout);
  if (o->kind != OPERAND_ARRAY)
    o->layout.ndim = 0;
  o->bits = o->kind == OPERAND_CONSTANT ? input_word(in) : 0;
}

static void read_params(struct input *in, struct op *op) {
  struct op_params *p = &op->params;
  uint8_t how = input_byte(in);
  if (how == 0)
    return;
  p->given = op_rows[op->code].params & (how & 128 ? (uint32_t)input_word(in) : UINT32_MAX);
  p->axes = how & 1 ? input_below(in, 1 << 16) : input_below(in, 8);
  p->dtype = read_dtype(in);
  p->axis = (int32_t)(int8_t)input_byte(in) % 4;
  p->n = how & 2 ? (int64_t)input_word(in) : (int64_t)input_below(in, 9);
  p->k = how & 4 ? (int64_t)input_word(in) : (int64_t)input_below(in, 9) - 4;
  p->real = (double)(int8_t)input_byte(in) / 2;
  for (int list = 0; list < NUMD_N_LISTS; list++) {
    p->n_ints[list] = (uint8_t)input_below(in, how & 8 ? MAX_DIMS + 1 : 4);
    for (int i = 0; i < p->n_ints[list]; i++)
      p->ints[list][i] = how & 16 ? (int64_t)input_word(in) : (int8_t)input_byte(in);
  }
}

static void read_op(struct input *in, struct op *op, uint32_t n_values) {
  unsigned code = input_below(in, NUMD_OP_CODES);
  op->code = (uint8_t)(op_known(code) ? code : NUMD_OP_ADD);
  int wanted = op_rows[op->code].n_in;
  op->n_in = (uint8_t)(wanted >= 0 ? wanted : 1 + (int)input_below(in, 4));
  for (int i = 0; i < op->n_in; i++)
    op->in[i] = (uint16_t)(n_values ? input_below(in, n_values) : 0);
  read_params(in, op);
}

static void read_output(struct input *in, struct output *o, uint32_t n_values) {
  uint8_t how = input_byte(in);
  o->value = (uint16_t)(how & 1 && n_values ? n_values - 1 : input_below(in, n_values ? n_values : 1));
  o->kind = (uint8_t)(how >> 1 & 1);
  o->open_dtype = !(how & 4);
  o->open_shape = !(how & 8);
  if (how & 12)
    read_layout(in, &o->layout);
}

static void read_program(struct input *in, struct program *p) {
  memset(p, 0, sizeof(*p));
  p->n_operands =
      (uint16_t)(1 + input_below(in, 4)); /* inputs must be earlier values: the codec checks that */
  p->n_ops = (uint16_t)(1 + input_below(in, 6));
  p->n_outputs = (uint16_t)(1 + input_below(in, 3));
  for (int i = 0; i < p->n_operands; i++)
    read_operand(in, &p->operands[i]);
  for (int i = 0; i < p->n_ops; i++) {
    uint16_t n_ops = p->n_ops;
    p->n_ops = (uint16_t)i;
    uint32_t n_values = program_n_values(p);
    p->n_ops = n_ops;
    read_op(in, &p->ops[i], n_values);
  }
  for (int i = 0; i < p->n_outputs; i++)
    read_output(in, &p->outputs[i], program_n_values(p));
}

/* What a client's words would be: mostly a place where the array fits, in a segment of its own if it is
 * written. */
static uint64_t read_binding(struct input *in, const struct plan *plan, uint32_t i) {
  const struct bound *b = &plan->bounds[i];
  uint8_t how = input_byte(in);
  if (b->kind == BIND_SCALAR || how >= 240)
    return input_word(in);
  uint32_t segment = b->kind == BIND_OUTPUT ? 1 : how & 1 ? 0 : 2;
  return binding_make(segment, (uint64_t)(-b->lo + 64 * (how >> 2)) & BINDING_OFFSET_MAX);
}

/* Whether only the outputs of the call were written. */
static bool kept_to_its_outputs(const struct target *t, const struct plan *plan,
                                const struct request *request, uint8_t with) {
  int64_t from = TARGET_BYTES, to = 0;
  for (uint32_t i = 0; i < plan->n_bindings; i++) {
    const struct bound *b = &plan->bounds[i];
    if (b->kind != BIND_OUTPUT)
      continue;
    if (binding_segment(request->bindings[i]) != 1)
      return true; /* an odd choice, which may be all over what is read */
    int64_t offset = (int64_t)binding_offset(request->bindings[i]);
    from = offset + b->lo < from ? offset + b->lo : from;
    to = offset + b->hi > to ? offset + b->hi : to;
  }
  return target_is_filled(t, with, 1, from, to);
}

static void call(struct input *in, struct target *t, const struct plan *plan) {
  struct request request = {.plan_id = 0, .n_bindings = plan_n_bindings(plan)};
  struct completion done = {.status = -1};
  uint8_t with = input_byte(in);
  for (uint32_t i = 0; i < request.n_bindings; i++)
    request.bindings[i] = read_binding(in, plan, i);
  target_fill(t, with);
  session_run(&t->session, t->runner, &request, &done);
  MUST(done.status >= 0 && strcmp(status_name(done.status), "?") != 0);
  MUST(done.detail == NO_DETAIL || done.detail < request.n_bindings);
  if (done.status == NUMD_OK)
    MUST(kept_to_its_outputs(t, plan, &request, with));
  else if (done.status == NUMD_EBOUNDS || done.status == NUMD_ESEGMENT || done.status == NUMD_EALIGN)
    MUST(target_is_filled(t, with, 0, 0, 0));
}

/* As a client's program comes: through the codec, which checks it on its own. */
static bool send_program(const struct program *p, struct program *received) {
  struct errtext err = {""};
  msgpack_sbuffer bytes;
  msgpack_packer pk;
  msgpack_unpacked unpacked;
  size_t at = 0;
  msgpack_sbuffer_init(&bytes);
  msgpack_packer_init(&pk, &bytes, msgpack_sbuffer_write);
  wire_pack_program(&pk, program_lists(p));
  msgpack_unpacked_init(&unpacked);
  MUST(msgpack_unpack_next(&unpacked, bytes.data, bytes.size, &at) == MSGPACK_UNPACK_SUCCESS);
  bool ok = wire_read_program(&unpacked.data, received, &err) == 0;
  msgpack_unpacked_destroy(&unpacked);
  msgpack_sbuffer_destroy(&bytes);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct program made, program;
  struct input in = {data, size};
  struct target *t = target_get();
  struct errtext err = {""};
  struct plan *plan = NULL;
  read_program(&in, &made);
  if (!send_program(&made, &program))
    return 0;
  int status = session_prepare(&t->session, 0, &program, &plan, &err);
  if (status != 0) {
    MUST(status > 0 && err.text[0]);
    return 0;
  }
  char *text = plan_explain(plan);
  MUST(text);
  free(text);
  for (int i = 0; i < 2; i++)
    call(&in, t, plan);
  MUST(session_release(&t->session, 0, &err) == 0);
  MUST(session_reap(&t->session) == 0 && t->session.plan_bytes == 0);
  return 0;
}
