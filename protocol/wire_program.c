/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs on the wire: struct program to and from the map that `prepare` takes.
 *
 * Reading checks what can be said without dtypes and shapes: types of values, names, counts, and that every
 * value is defined before it is used. Which dtypes and shapes an operation takes is checked when the plan is
 * made. Every refusal names the place at fault as the client wrote it. */
#include <inttypes.h>
#include <string.h>

#include "protocol/wire.h"
#include "shared/text.h"

static bool is_array(const msgpack_object *o, uint32_t size) {
  return o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size == size;
}

static bool is_text(const msgpack_object *o, const char *text) {
  return o->type == MSGPACK_OBJECT_STR && text_is(o->via.str.ptr, o->via.str.size, text);
}

static int read_shape(const msgpack_object *o, struct layout *out, const char *where, struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: a shape must be an array", where);
  if (o->via.array.size > MAX_DIMS)
    return errtext_set(err, NUMD_ELIMIT, "%s: more than %d dimensions", where, MAX_DIMS);
  out->ndim = (uint8_t)o->via.array.size;
  for (int d = 0; d < out->ndim; d++) {
    int status = wire_read_int(&o->via.array.ptr[d], &out->shape[d], where, err);
    if (status != 0)
      return status;
    if (out->shape[d] < 0)
      return errtext_set(err, NUMD_EINVAL, "%s: dimension %d is negative", where, d);
  }
  return 0;
}

/* C order if o is NULL or nil. */
static int read_strides(const msgpack_object *o, struct layout *out, const char *where, struct errtext *err) {
  int status = 0;
  if (!o || o->type == MSGPACK_OBJECT_NIL)
    return layout_set_c_order(out) < 0
               ? errtext_set(err, NUMD_EINVAL, "%s: the array is larger than 2^62 bytes", where)
               : 0;
  if (!is_array(o, out->ndim))
    return errtext_set(err, NUMD_EPROTOCOL, "%s: strides must be nil or an array as long as the shape",
                       where);
  for (int d = 0; d < out->ndim && status == 0; d++)
    status = wire_read_int(&o->via.array.ptr[d], &out->strides[d], where, err);
  return status;
}

/* Reads shape and strides; out->dtype is set before. */
static int read_extent(const msgpack_object *shape, const msgpack_object *strides, struct layout *out,
                       const char *where, struct errtext *err) {
  int64_t size, lo, hi;
  int status = read_shape(shape, out, where, err);
  if (status == 0)
    status = read_strides(strides, out, where, err);
  if (status == 0 && (layout_size(out, &size) < 0 || layout_extent(out, &lo, &hi) < 0))
    return errtext_set(err, NUMD_EINVAL, "%s: shape and strides reach beyond 2^62 bytes", where);
  return status;
}

int wire_read_layout(const msgpack_object *object, struct layout *out, const char *where,
                     struct errtext *err) {
  memset(out, 0, sizeof(*out));
  if (!is_array(object, 3))
    return errtext_set(err, NUMD_EPROTOCOL, "%s: [dtype, shape, strides] is wanted", where);
  const msgpack_object *v = object->via.array.ptr;
  int status = wire_read_dtype(&v[0], &out->dtype, where, err);
  return status != 0 ? status : read_extent(&v[1], &v[2], out, where, err);
}

static const char *const operand_kinds[] = {
    [OPERAND_ARRAY] = "array",
    [OPERAND_WEAK] = "weak",
    [OPERAND_SCALAR] = "scalar",
    [OPERAND_CONSTANT] = "constant",
};

static int operand_kind(const msgpack_object *o) {
  const msgpack_object *v = o->via.array.ptr;
  for (int kind = OPERAND_ARRAY; kind <= OPERAND_CONSTANT; kind++)
    if (is_text(&v[0], operand_kinds[kind]) && is_array(o, kind == OPERAND_CONSTANT ? 3 : 2))
      return kind;
  return -1;
}

static int read_operand(const msgpack_object *o, struct operand *out, uint32_t i, struct errtext *err) {
  static const char form[] =
      "%s: [\"array\", layout], [\"scalar\", dtype], [\"weak\", dtype] or "
      "[\"constant\", dtype, value] is wanted";
  struct wire_place place = wire_place_item("operands", i, "");
  const char *where = place.text;
  int kind = o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size >= 2 ? operand_kind(o) : -1;
  if (kind < 0)
    return errtext_set(err, NUMD_EPROTOCOL, form, where);
  const msgpack_object *v = o->via.array.ptr;
  *out = (struct operand){.kind = (uint8_t)kind};
  if (kind == OPERAND_ARRAY)
    return wire_read_layout(&v[1], &out->layout, where, err);
  int status = wire_read_dtype(&v[1], &out->layout.dtype, where, err);
  uint8_t dtype = out->layout.dtype;
  if (status == 0 && kind != OPERAND_WEAK && !binding_holds(dtype))
    return errtext_set(err, NUMD_EDTYPE, "%s: a scalar is bool, int64, uint64 or float64", where);
  if (status != 0 || kind != OPERAND_CONSTANT)
    return status;
  return wire_read_item(&v[2], dtype, &out->bits, where, err);
}

static int refuse_count(const struct op *op, uint32_t n, const char *where, struct errtext *err) {
  const struct numd_op_info *row = &op_rows[op->code];
  if (row->n_in < 0)
    return errtext_set(err, NUMD_EINVAL, "%s: '%s' takes 1 to %d inputs, not %" PRIu32, where, row->name,
                       NUMD_OP_MAX_IN, n);
  return errtext_set(err, NUMD_EINVAL, "%s: '%s' takes %d inputs, not %" PRIu32, where, row->name, row->n_in,
                     n);
}

/* n_values: how many values are defined before this operation. */
static int read_inputs(const msgpack_object *o, struct op *out, uint32_t n_values, const char *where,
                       struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: inputs must be an array", where);
  const struct numd_op_info *row = &op_rows[out->code];
  uint32_t n = o->via.array.size;
  if (row->n_in < 0 ? n < 1 || n > NUMD_OP_MAX_IN : n != (uint8_t)row->n_in)
    return refuse_count(out, n, where, err);
  out->n_in = (uint8_t)n;
  for (uint32_t i = 0; i < out->n_in; i++) {
    const msgpack_object *v = &o->via.array.ptr[i];
    if (v->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
      return errtext_set(err, NUMD_EPROTOCOL, "%s.inputs[%" PRIu32 "]: the number of a value is wanted",
                         where, i);
    if (v->via.u64 >= n_values)
      return errtext_set(err, NUMD_EINVAL,
                         "%s.inputs[%" PRIu32 "]: value %" PRIu64 " is not defined before it", where, i,
                         v->via.u64);
    out->in[i] = (uint16_t)v->via.u64;
  }
  return 0;
}

static int read_op(const msgpack_object *o, struct op *out, uint32_t i, uint32_t n_values,
                   struct errtext *err) {
  struct wire_place place = wire_place_item("ops", i, "");
  const char *where = place.text;
  if (!is_array(o, 3) && !is_array(o, 2))
    return errtext_set(err, NUMD_EPROTOCOL, "%s: [name, inputs, params] is wanted", where);
  const msgpack_object *v = o->via.array.ptr;
  if (v[0].type != MSGPACK_OBJECT_STR)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: the name of an operation is wanted", where);
  int code = op_find(v[0].via.str.ptr, v[0].via.str.size);
  if (code < 0)
    return errtext_set(err, NUMD_EOP, "%s: unknown operation '%.*s'", where, wire_clip(v[0].via.str.size),
                       v[0].via.str.ptr);
  *out = (struct op){.code = (uint8_t)code};
  int status = read_inputs(&v[1], out, n_values, where, err);
  if (status != 0 || o->via.array.size == 2)
    return status;
  place = wire_place_item("ops", i, ".params");
  return wire_read_params(&v[2], out, place.text, err);
}

static bool is_given(const msgpack_object *o) {
  return o && o->type != MSGPACK_OBJECT_NIL;
}

static int read_output_layout(const msgpack_object *o, struct output *out, const char *where,
                              struct errtext *err) {
  const msgpack_object *dtype = wire_get(o, "dtype"), *shape = wire_get(o, "shape"),
                       *strides = wire_get(o, "strides");
  int status = 0;
  out->open_dtype = !is_given(dtype);
  out->open_shape = !is_given(shape);
  out->layout.dtype = NUMD_DTYPE_NONE;
  if (!out->open_dtype)
    status = wire_read_dtype(dtype, &out->layout.dtype, where, err);
  if (status != 0)
    return status;
  if (out->open_shape)
    return is_given(strides) ? errtext_set(err, NUMD_EINVAL, "%s: strides without a shape", where) : 0;
  if (out->open_dtype)
    return errtext_set(err, NUMD_EINVAL, "%s: a shape without a dtype", where);
  return read_extent(shape, strides, &out->layout, where, err);
}

static int read_output(const msgpack_object *o, struct output *out, uint32_t i, uint32_t n_values,
                       bool *result_seen, struct errtext *err) {
  static const char *const keys[] = {"dtype", "shape", "strides", "result", NULL};
  struct wire_place place = wire_place_item("outputs", i, "");
  const char *where = place.text;
  uint64_t value = 0;
  bool result = false;
  memset(out, 0, sizeof(*out));
  if (!is_array(o, 2))
    return errtext_set(err, NUMD_EPROTOCOL, "%s: [value, {...}] is wanted", where);
  const msgpack_object *v = o->via.array.ptr;
  int status = wire_read_uint(&v[0], UINT16_MAX, &value, where, err);
  if (status == 0)
    status = wire_check_keys(&v[1], keys, where, err);
  if (status == 0 && wire_get(&v[1], "result"))
    status = wire_read_bool(wire_get(&v[1], "result"), &result, where, err);
  if (status == 0)
    status = read_output_layout(&v[1], out, where, err);
  if (status != 0)
    return status;
  if (value >= n_values)
    return errtext_set(err, NUMD_EINVAL, "%s: there is no value %" PRIu64, where, value);
  if (result && (!out->open_shape || *result_seen))
    return errtext_set(err, NUMD_EINVAL, "%s: one result a program, and it has no shape", where);
  *result_seen = *result_seen || result;
  out->value = (uint16_t)value;
  out->kind = result ? OUTPUT_RESULT : OUTPUT_ARRAY;
  return 0;
}

/* The list under `key`, with from `min` to `max` entries. */
static int read_list(const msgpack_object *map, const char *key, uint32_t min, uint32_t max,
                     const msgpack_object **out, uint16_t *n, struct errtext *err) {
  const msgpack_object *o = wire_get(map, key);
  if (!o || o->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: an array is wanted", key);
  if (o->via.array.size > max)
    return errtext_set(err, NUMD_ELIMIT, "%s: more than %" PRIu32 " entries", key, max);
  if (o->via.array.size < min)
    return errtext_set(err, NUMD_EINVAL, "%s: at least one is needed", key);
  *out = o->via.array.ptr;
  *n = (uint16_t)o->via.array.size;
  return 0;
}

static uint32_t count_bindings(const struct program *p) {
  uint32_t n = 0;
  for (int i = 0; i < p->n_operands; i++)
    n += p->operands[i].kind != OPERAND_CONSTANT;
  for (int i = 0; i < p->n_outputs; i++)
    n += p->outputs[i].kind == OUTPUT_ARRAY;
  return n;
}

int wire_read_program(const msgpack_object *object, struct program *out, struct errtext *err) {
  static const char *const keys[] = {"operands", "ops", "outputs", NULL};
  const msgpack_object *operands = NULL, *ops = NULL, *outputs = NULL;
  bool result_seen = false;
  out->n_operands = out->n_ops = out->n_outputs = 0; /* not all 141 KB: readers set each entry as a whole */
  int status = wire_check_keys(object, keys, "program", err);
  if (status == 0)
    status = read_list(object, "operands", 0, MAX_OPERANDS, &operands, &out->n_operands, err);
  if (status == 0)
    status = read_list(object, "ops", 0, MAX_OPS, &ops, &out->n_ops, err);
  if (status == 0)
    status = read_list(object, "outputs", 1, MAX_OUTPUTS, &outputs, &out->n_outputs, err);
  for (uint32_t i = 0; status == 0 && i < out->n_operands; i++)
    status = read_operand(&operands[i], &out->operands[i], i, err);
  uint32_t n_values = out->n_operands;
  for (uint32_t i = 0; status == 0 && i < out->n_ops; i++) {
    status = read_op(&ops[i], &out->ops[i], i, n_values, err);
    n_values += op_rows[out->ops[i].code].n_out;
  }
  for (uint32_t i = 0; status == 0 && i < out->n_outputs; i++)
    status = read_output(&outputs[i], &out->outputs[i], i, n_values, &result_seen, err);
  if (status == 0 && count_bindings(out) > MAX_BINDINGS)
    return errtext_set(err, NUMD_ELIMIT, "program: more than %d bindings", MAX_BINDINGS);
  return status;
}

static void pack_ints(msgpack_packer *pk, const int64_t v[], int n) {
  msgpack_pack_array(pk, (size_t)n);
  for (int i = 0; i < n; i++)
    msgpack_pack_int64(pk, v[i]);
}

void wire_pack_layout(msgpack_packer *pk, const struct layout *layout) {
  msgpack_pack_array(pk, 3);
  wire_pack_str(pk, dtype_rows[layout->dtype].name);
  pack_ints(pk, layout->shape, layout->ndim);
  pack_ints(pk, layout->strides, layout->ndim);
}

static void pack_operand(msgpack_packer *pk, const struct operand *operand) {
  msgpack_pack_array(pk, operand->kind == OPERAND_CONSTANT ? 3 : 2);
  wire_pack_str(pk, operand_kinds[operand->kind]);
  if (operand->kind == OPERAND_ARRAY)
    wire_pack_layout(pk, &operand->layout);
  else
    wire_pack_str(pk, dtype_rows[operand->layout.dtype].name);
  if (operand->kind == OPERAND_CONSTANT)
    wire_pack_item(pk, operand->layout.dtype, &operand->bits);
}

static void pack_op(msgpack_packer *pk, const struct op *op) {
  msgpack_pack_array(pk, 3);
  wire_pack_str(pk, op_rows[op->code].name);
  msgpack_pack_array(pk, op->n_in);
  for (int i = 0; i < op->n_in; i++)
    msgpack_pack_uint16(pk, op->in[i]);
  wire_pack_params(pk, op);
}

static void pack_output(msgpack_packer *pk, const struct output *output) {
  bool result = output->kind == OUTPUT_RESULT, dtype = !output->open_dtype;
  bool shape = !result && !output->open_shape;
  msgpack_pack_array(pk, 2);
  msgpack_pack_uint16(pk, output->value);
  msgpack_pack_map(pk, (size_t)result + dtype + 2 * shape);
  if (dtype) {
    wire_pack_str(pk, "dtype");
    wire_pack_str(pk, dtype_rows[output->layout.dtype].name);
  }
  if (shape) {
    wire_pack_str(pk, "shape");
    pack_ints(pk, output->layout.shape, output->layout.ndim);
    wire_pack_str(pk, "strides");
    pack_ints(pk, output->layout.strides, output->layout.ndim);
  }
  if (result) {
    wire_pack_str(pk, "result");
    msgpack_pack_true(pk);
  }
}

void wire_pack_program(msgpack_packer *pk, struct program_lists program) {
  msgpack_pack_map(pk, 3);
  wire_pack_str(pk, "operands");
  msgpack_pack_array(pk, program.n_operands);
  for (int i = 0; i < program.n_operands; i++)
    pack_operand(pk, &program.operands[i]);
  wire_pack_str(pk, "ops");
  msgpack_pack_array(pk, program.n_ops);
  for (int i = 0; i < program.n_ops; i++)
    pack_op(pk, &program.ops[i]);
  wire_pack_str(pk, "outputs");
  msgpack_pack_array(pk, program.n_outputs);
  for (int i = 0; i < program.n_outputs; i++)
    pack_output(pk, &program.outputs[i]);
}
