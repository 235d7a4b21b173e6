/* SPDX-License-Identifier: BSD-3-Clause */
/* Parameters of operations on the wire: a map from a parameter's name to a value of its type, both as
 * NUMD_PARAM_LIST says. Reading checks what needs no shapes: that the operation takes the parameter, the type
 * of the value, and the range outside which no shape could make sense of it. */
#include <inttypes.h>
#include <math.h>

#include "protocol/wire.h"
#include "shared/text.h"

int wire_read_dtype(const msgpack_object *o, uint8_t *out, const char *where, struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_STR)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: the name of a dtype is wanted", where);
  int dtype = dtype_find(o->via.str.ptr, o->via.str.size);
  if (dtype < 0)
    return errtext_set(err, NUMD_EDTYPE, "%s: unknown dtype '%.*s'", where, wire_clip(o->via.str.size),
                       o->via.str.ptr);
  *out = (uint8_t)dtype;
  return 0;
}

static int read_mask(const msgpack_object *o, uint32_t *out, const char *where, struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: nil or an array is wanted", where);
  *out = 0;
  for (uint32_t i = 0; i < o->via.array.size; i++) {
    int64_t axis = 0;
    int status = wire_read_int(&o->via.array.ptr[i], &axis, where, err);
    if (status != 0)
      return status;
    if (axis < 0 || axis >= MAX_DIMS || *out >> axis & 1)
      return errtext_set(err, NUMD_EINVAL, "%s: each axis must be given once, from 0 to %d", where,
                         MAX_DIMS - 1);
    *out |= 1u << axis;
  }
  return 0;
}

/* The smallest and the greatest value that a parameter of integers may have. */
static void bounds_of(unsigned bit, int64_t *min, int64_t *max) {
  *min = INT64_MIN;
  *max = INT64_MAX;
  switch (1u << bit) {
    case NUMD_PARAM_AXIS:
    case NUMD_PARAM_ORDER:
    case NUMD_PARAM_AGAINST:
      *min = -MAX_DIMS;
      *max = MAX_DIMS - 1;
      break;
    case NUMD_PARAM_SHAPE:
      *min = -1;
      break;
    case NUMD_PARAM_REPETITIONS:
      *min = 0;
      break;
    default:
      break;
  }
}

static int read_bounded(const msgpack_object *o, unsigned bit, int64_t *out, const char *where,
                        struct errtext *err) {
  int64_t min, max;
  int status = wire_read_int(o, out, where, err);
  bounds_of(bit, &min, &max);
  if (status == 0 && (*out < min || *out > max))
    return errtext_set(err, NUMD_EINVAL, "%s: %" PRId64 " is out of range", where, *out);
  return status;
}

static int read_ints(const msgpack_object *o, unsigned bit, struct op_params *out, const char *where,
                     struct errtext *err) {
  int list = param_rows[bit].type - NUMD_TYPE_LIST0;
  if (o->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: an array of integers is wanted", where);
  if (o->via.array.size > MAX_DIMS)
    return errtext_set(err, NUMD_ELIMIT, "%s: more than %d integers", where, MAX_DIMS);
  out->n_ints[list] = (uint8_t)o->via.array.size;
  for (uint32_t i = 0; i < o->via.array.size; i++) {
    int status = read_bounded(&o->via.array.ptr[i], bit, &out->ints[list][i], where, err);
    if (status != 0)
      return status;
  }
  return 0;
}

static int read_axis(const msgpack_object *o, unsigned bit, int32_t *out, const char *where,
                     struct errtext *err) {
  int64_t axis = 0;
  int status = read_bounded(o, bit, &axis, where, err);
  *out = (int32_t)axis;
  return status;
}

/* Any real number but NaN, which is no order of a norm, no tolerance and no correction. */
static int read_number(const msgpack_object *o, double *out, const char *where, struct errtext *err) {
  int status = wire_read_real(o, out, where, err);
  if (status == 0 && isnan(*out))
    return errtext_set(err, NUMD_EINVAL, "%s: not a number", where);
  return status;
}

/* read_value has set the flag's bit; a flag that is false clears it again. */
static int read_flag(const msgpack_object *o, unsigned bit, struct op_params *out, const char *where,
                     struct errtext *err) {
  bool flag = false;
  int status = wire_read_bool(o, &flag, where, err);
  if (!flag)
    out->given &= ~(1u << bit);
  return status;
}

static int read_value(const msgpack_object *o, unsigned bit, struct op_params *out, const char *where,
                      struct errtext *err) {
  out->given |= 1u << bit;
  switch (param_rows[bit].type) {
    case NUMD_TYPE_MASK:
      return read_mask(o, &out->axes, where, err);
    case NUMD_TYPE_FLAG:
      return read_flag(o, bit, out, where, err);
    case NUMD_TYPE_DTYPE:
      return wire_read_dtype(o, &out->dtype, where, err);
    case NUMD_TYPE_AXIS:
      return read_axis(o, bit, &out->axis, where, err);
    case NUMD_TYPE_N:
      return read_bounded(o, bit, &out->n, where, err);
    case NUMD_TYPE_K:
      return read_bounded(o, bit, &out->k, where, err);
    case NUMD_TYPE_REAL:
      return read_number(o, &out->real, where, err);
    default:
      return read_ints(o, bit, out, where, err);
  }
}

/* The bit of the parameter with this name; -1 if there is none. */
static int find_param(const msgpack_object_str *name) {
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++)
    if (text_is(name->ptr, name->size, param_rows[bit].name))
      return bit;
  return -1;
}

int wire_read_params(const msgpack_object *o, struct op *op, const char *where, struct errtext *err) {
  const struct numd_op_info *row = &op_rows[op->code];
  uint32_t seen = 0;
  if (o->type != MSGPACK_OBJECT_MAP)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: a map is wanted", where);
  for (uint32_t i = 0; i < o->via.map.size; i++) {
    const msgpack_object_kv *kv = &o->via.map.ptr[i];
    if (kv->key.type != MSGPACK_OBJECT_STR)
      return errtext_set(err, NUMD_EPROTOCOL, "%s: keys must be strings", where);
    const msgpack_object_str *key = &kv->key.via.str;
    int bit = find_param(key);
    if (bit < 0)
      return errtext_set(err, NUMD_EPROTOCOL, "%s: unknown key '%.*s'", where, wire_clip(key->size),
                         key->ptr);
    if (!(row->params >> bit & 1))
      return errtext_set(err, NUMD_EINVAL, "%s: '%s' takes no %s", where, row->name, param_rows[bit].name);
    if (seen >> bit & 1)
      return errtext_set(err, NUMD_EPROTOCOL, "%s: %s is given twice", where, param_rows[bit].name);
    seen |= 1u << bit;
    struct wire_place place = wire_place_member(where, param_rows[bit].name);
    int status = kv->val.type == MSGPACK_OBJECT_NIL
                     ? 0
                     : read_value(&kv->val, (unsigned)bit, &op->params, place.text, err);
    if (status != 0)
      return status;
  }
  return 0;
}

static void pack_mask(msgpack_packer *pk, uint32_t axes) {
  msgpack_pack_array(pk, (size_t)__builtin_popcount(axes));
  for (unsigned i = 0; i < 32; i++)
    if (axes >> i & 1)
      msgpack_pack_uint32(pk, i);
}

static void pack_value(msgpack_packer *pk, unsigned bit, const struct op_params *params) {
  int list = param_rows[bit].type - NUMD_TYPE_LIST0;
  switch (param_rows[bit].type) {
    case NUMD_TYPE_MASK:
      pack_mask(pk, params->axes);
      break;
    case NUMD_TYPE_FLAG:
      msgpack_pack_true(pk);
      break;
    case NUMD_TYPE_DTYPE:
      wire_pack_str(pk, dtype_rows[params->dtype].name);
      break;
    case NUMD_TYPE_AXIS:
      msgpack_pack_int32(pk, params->axis);
      break;
    case NUMD_TYPE_N:
      msgpack_pack_int64(pk, params->n);
      break;
    case NUMD_TYPE_K:
      msgpack_pack_int64(pk, params->k);
      break;
    case NUMD_TYPE_REAL:
      msgpack_pack_double(pk, params->real);
      break;
    default:
      msgpack_pack_array(pk, params->n_ints[list]);
      for (int i = 0; i < params->n_ints[list]; i++)
        msgpack_pack_int64(pk, params->ints[list][i]);
  }
}

void wire_pack_params(msgpack_packer *pk, const struct op *op) {
  msgpack_pack_map(pk, (size_t)__builtin_popcount(op->params.given));
  for (unsigned bit = 0; bit < NUMD_N_PARAMS; bit++)
    if (op->params.given >> bit & 1) {
      wire_pack_str(pk, param_rows[bit].name);
      pack_value(pk, bit, &op->params);
    }
}
