/* SPDX-License-Identifier: BSD-3-Clause */
/* Single elements on the wire: a bool, an integer, a float, or [re, im], to and from the bytes of an element
 * in an array. */
#include <inttypes.h>
#include <string.h>

#include "protocol/wire.h"

/* The parts of a complex item as doubles. */
static void load_complex(unsigned dtype, const void *item, double out[2]) {
  float narrow[2];
  if (dtype == NUMD_COMPLEX128) {
    memcpy(out, item, 2 * sizeof(double));
    return;
  }
  memcpy(narrow, item, sizeof(narrow));
  out[0] = narrow[0];
  out[1] = narrow[1];
}

/* Packs the item, a `ctype` of this kind of dtype, as an integer or a float. */
#define PACK(ctype, kind)                                                 \
  do {                                                                    \
    ctype v_;                                                             \
    memcpy(&v_, item, sizeof(v_));                                        \
    (kind) == 'i'                 ? msgpack_pack_int64(pk, (int64_t)v_)   \
    : (kind) == 'u'               ? msgpack_pack_uint64(pk, (uint64_t)v_) \
    : sizeof(v_) == sizeof(float) ? msgpack_pack_float(pk, (float)v_)     \
                                  : msgpack_pack_double(pk, (double)v_);  \
  } while (0)

void wire_pack_item(msgpack_packer *pk, unsigned dtype, const void *item) {
  double parts[2];
  switch (dtype) {
    case NUMD_BOOL:
      *(const uint8_t *)item ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
      break;
    case NUMD_INT8:
      PACK(int8_t, 'i');
      break;
    case NUMD_INT16:
      PACK(int16_t, 'i');
      break;
    case NUMD_INT32:
      PACK(int32_t, 'i');
      break;
    case NUMD_INT64:
      PACK(int64_t, 'i');
      break;
    case NUMD_UINT8:
      PACK(uint8_t, 'u');
      break;
    case NUMD_UINT16:
      PACK(uint16_t, 'u');
      break;
    case NUMD_UINT32:
      PACK(uint32_t, 'u');
      break;
    case NUMD_UINT64:
      PACK(uint64_t, 'u');
      break;
    case NUMD_FLOAT32:
      PACK(float, 'f');
      break;
    case NUMD_FLOAT64:
      PACK(double, 'f');
      break;
    case NUMD_COMPLEX64:
    case NUMD_COMPLEX128:
      load_complex(dtype, item, parts);
      msgpack_pack_array(pk, 2);
      msgpack_pack_double(pk, parts[0]);
      msgpack_pack_double(pk, parts[1]);
      break;
    default:
      msgpack_pack_nil(pk);
  }
}

int wire_read_real(const msgpack_object *object, double *out, const char *where, struct errtext *err) {
  if (object->type == MSGPACK_OBJECT_FLOAT64 || object->type == MSGPACK_OBJECT_FLOAT32)
    *out = object->via.f64;
  else if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
    *out = (double)object->via.u64;
  else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
    *out = (double)object->via.i64;
  else
    return errtext_set(err, NUMD_EPROTOCOL, "%s: a number is wanted", where);
  return 0;
}

static int read_bool(const msgpack_object *object, void *item, const char *where, struct errtext *err) {
  bool b = false;
  int status = wire_read_bool(object, &b, where, err);
  uint8_t byte = b;
  if (status == 0)
    memcpy(item, &byte, 1);
  return status;
}

static int unfit(const msgpack_object *object, unsigned dtype, const char *where, struct errtext *err) {
  if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
    return errtext_set(err, NUMD_ERANGE, "%s: %" PRId64 " does not fit %s", where, object->via.i64,
                       dtype_rows[dtype].name);
  return errtext_set(err, NUMD_ERANGE, "%s: %" PRIu64 " does not fit %s", where, object->via.u64,
                     dtype_rows[dtype].name);
}

/* A signed or unsigned integer of any width: the low bytes of the 64-bit value, which a little-endian machine
 * has first. */
static int read_integer(const msgpack_object *object, unsigned dtype, void *item, const char *where,
                        struct errtext *err) {
  const struct numd_dtype_info *row = &dtype_rows[dtype];
  int bits = 8 * row->size - (row->kind == 'i');
  bool negative = object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
  if (!negative && object->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: an integer is wanted", where);
  /* In two's complement a negative v fits if -1 - v, which is ~v, does. */
  uint64_t v = object->via.u64, magnitude = negative ? ~v : v;
  if ((negative && row->kind == 'u') || (bits < 64 && magnitude >> bits != 0))
    return unfit(object, dtype, where, err);
  memcpy(item, &v, row->size);
  return 0;
}

static int read_float(const msgpack_object *object, unsigned dtype, void *item, const char *where,
                      struct errtext *err) {
  double f = 0;
  int status = wire_read_real(object, &f, where, err);
  float f32 = (float)f;
  if (status == 0)
    memcpy(item, dtype == NUMD_FLOAT32 ? (const void *)&f32 : (const void *)&f, dtype_rows[dtype].size);
  return status;
}

/* [re, im], or the real part alone. */
static int read_complex(const msgpack_object *object, unsigned dtype, void *item, const char *where,
                        struct errtext *err) {
  unsigned part = dtype_part((numd_dtype)dtype);
  size_t size = dtype_rows[part].size;
  if (object->type != MSGPACK_OBJECT_ARRAY) {
    memset(item, 0, 2 * size);
    return read_float(object, part, item, where, err);
  }
  if (object->via.array.size != 2)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: a number or [re, im] is wanted", where);
  int status = read_float(&object->via.array.ptr[0], part, item, where, err);
  return status != 0 ? status : read_float(&object->via.array.ptr[1], part, (char *)item + size, where, err);
}

int wire_read_item(const msgpack_object *object, unsigned dtype, void *item, const char *where,
                   struct errtext *err) {
  switch (dtype_known(dtype) ? dtype_rows[dtype].kind : 0) {
    case 'b':
      return read_bool(object, item, where, err);
    case 'i':
    case 'u':
      return read_integer(object, dtype, item, where, err);
    case 'f':
      return read_float(object, dtype, item, where, err);
    case 'c':
      return read_complex(object, dtype, item, where, err);
    default:
      return errtext_set(err, NUMD_EDTYPE, "%s: no such dtype", where);
  }
}
