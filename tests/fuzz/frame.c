/* SPDX-License-Identifier: BSD-3-Clause */
/* The frame decoder: bytes to messages, programs, layouts and params. What is found in a frame stays within
 * the limits, a frame that is cut is not whole, and a program that was understood is understood again when it
 * is packed. */
#include "protocol/wire.h"
#include "tests/fuzz/fuzz.h"

static size_t count_items(const msgpack_object *o, int depth) {
  size_t n = 1;
  MUST(depth <= WIRE_DEPTH_MAX);
  if (o->type == MSGPACK_OBJECT_ARRAY)
    for (uint32_t i = 0; i < o->via.array.size; i++)
      n += count_items(&o->via.array.ptr[i], depth + 1);
  if (o->type == MSGPACK_OBJECT_MAP)
    for (uint32_t i = 0; i < o->via.map.size; i++)
      n += count_items(&o->via.map.ptr[i].key, depth + 1) + count_items(&o->via.map.ptr[i].val, depth + 1);
  return n;
}

/* Cut anywhere, it is unfinished, and what is said to be wanted is no more than the whole. */
static void check_cuts(const uint8_t *data, size_t bytes) {
  struct errtext err = {""};
  size_t wanted = 0;
  size_t step = bytes / 64 + 1;
  for (size_t cut = 0; cut < bytes; cut += step) {
    MUST(wire_scan(data, cut, &wanted, &err) == 0);
    MUST(wanted > cut && wanted <= bytes);
  }
}

static void check_program(const msgpack_object *object) {
  static struct program program, again;
  struct errtext err = {""};
  if (wire_read_program(object, &program, &err) != 0) {
    MUST(err.text[0] && strlen(err.text) < sizeof(err.text));
    return;
  }
  MUST(program.n_operands <= MAX_OPERANDS && program.n_ops <= MAX_OPS && program.n_outputs <= MAX_OUTPUTS);
  msgpack_sbuffer bytes;
  msgpack_packer pk;
  msgpack_sbuffer_init(&bytes);
  msgpack_packer_init(&pk, &bytes, msgpack_sbuffer_write);
  wire_pack_program(&pk, program_lists(&program));
  size_t whole = 0;
  msgpack_unpacked unpacked;
  msgpack_unpacked_init(&unpacked);
  size_t at = 0;
  /* Longer than a frame it may be: many strides that were left out are written now. */
  if (wire_scan(bytes.data, bytes.size, &whole, &err) == 1) {
    MUST(whole == bytes.size);
    MUST(msgpack_unpack_next(&unpacked, bytes.data, bytes.size, &at) == MSGPACK_UNPACK_SUCCESS);
    MUST(wire_read_program(&unpacked.data, &again, &err) == 0);
    MUST(again.n_operands == program.n_operands && again.n_ops == program.n_ops &&
         again.n_outputs == program.n_outputs);
  }
  msgpack_unpacked_destroy(&unpacked);
  msgpack_sbuffer_destroy(&bytes);
}

static void check_params(const msgpack_object *params) {
  struct errtext err = {""};
  struct layout layout;
  struct op op = {.code = NUMD_OP_SUM};
  _Alignas(16) char item[MAX_ITEM_BYTES];
  const msgpack_object *first = params->via.array.ptr;
  for (uint32_t i = 0; i < params->via.array.size; i++) {
    check_program(&first[i]);
    (void)wire_read_layout(&first[i], &layout, "layout", &err);
    for (unsigned code = 0; code < NUMD_OP_CODES; code += 7)
      if (op_known(code)) {
        op.code = (uint8_t)code;
        (void)wire_read_params(&first[i], &op, "params", &err);
      }
    for (unsigned dtype = 0; dtype < NUMD_DTYPE_CODES; dtype++)
      if (dtype_known(dtype))
        (void)wire_read_item(&first[i], dtype, item, "item", &err);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct errtext err = {""};
  struct wire_message message;
  size_t bytes = 0;
  int rc = wire_scan(data, size, &bytes, &err);
  if (rc <= 0) {
    MUST(rc < 0 ? err.text[0] != 0 : bytes > size && bytes <= WIRE_FRAME_MAX);
    return 0;
  }
  MUST(bytes > 0 && bytes <= size && bytes <= WIRE_FRAME_MAX);
  check_cuts(data, bytes);
  if (wire_parse(data, bytes, &message, &err) != 0) {
    MUST(err.text[0]);
    return 0;
  }
  MUST(count_items(&message.unpacked.data, 0) <= WIRE_ITEMS_MAX);
  if (message.type != WIRE_RESPONSE)
    check_params(&message.params);
  wire_free(&message);
  return 0;
}
