/* SPDX-License-Identifier: BSD-3-Clause */
/* The codec: frames cut at every byte, bombs refused with their header, and random programs and messages
 * that come back as they went. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "protocol/wire.h"
#include "tests/unit/random.h"

struct frame {
  msgpack_sbuffer bytes;
  msgpack_packer pk;
};

static void begin(struct frame *f) {
  msgpack_sbuffer_init(&f->bytes);
  msgpack_packer_init(&f->pk, &f->bytes, msgpack_sbuffer_write);
}

static void end(struct frame *f) {
  msgpack_sbuffer_destroy(&f->bytes);
}

/* Scans a private copy of exactly len bytes, so that reading beyond them is noticed by a sanitizer. */
static int scan(const void *bytes, size_t len, size_t *frame_bytes, struct errtext *err) {
  void *copy = malloc(len ? len : 1);
  memcpy(copy, bytes, len);
  int rc = wire_scan(copy, len, frame_bytes, err);
  free(copy);
  return rc;
}

/* Packs a random value; containers at most `depth` deep and `budget` values altogether. */
static void pack_random(msgpack_packer *pk, int depth, int *budget) {
  static const char text[70000];
  uint32_t n;
  --*budget;
  switch (random_below(depth > 0 ? 10 : 8)) {
    case 0:
      msgpack_pack_nil(pk);
      break;
    case 1:
      msgpack_pack_true(pk);
      break;
    case 2:
      msgpack_pack_int64(pk, random_int());
      break;
    case 3:
      msgpack_pack_uint64(pk, random_bits() >> random_below(64));
      break;
    case 4:
      random_below(2) ? msgpack_pack_double(pk, 0.1) : msgpack_pack_float(pk, 0.5f);
      break;
    case 5:
      msgpack_pack_str_with_body(pk, text,
                                 (size_t)(random_below(50) ? random_below(40) : random_below(70000)));
      break;
    case 6:
      msgpack_pack_bin_with_body(pk, text,
                                 (size_t)(random_below(50) ? random_below(300) : random_below(70000)));
      break;
    case 7:
      msgpack_pack_ext_with_body(pk, text, (size_t)random_below(20), 7);
      break;
    case 8:
      n = (uint32_t)random_below(*budget > 20 ? 20 : *budget > 0 ? *budget + 1 : 1);
      msgpack_pack_array(pk, n);
      while (n-- > 0)
        pack_random(pk, depth - 1, budget);
      break;
    default:
      n = (uint32_t)random_below(*budget > 20 ? 10 : 1);
      msgpack_pack_map(pk, n);
      for (n *= 2; n > 0; n--)
        pack_random(pk, depth - 1, budget);
  }
}

START_TEST(test_scan_every_cut) {
  for (int i = 0; i < 400; i++) {
    struct frame f;
    struct errtext err;
    size_t got = 0, want = 0;
    int budget = 200;
    begin(&f);
    pack_random(&f.pk, WIRE_DEPTH_MAX, &budget);
    size_t step = f.bytes.size > 2000 ? f.bytes.size / 1000 : 1;
    for (size_t cut = 0; cut < f.bytes.size; cut += step) {
      CHECK(scan(f.bytes.data, cut, &want, &err) == 0, "case %d, cut %zu: %s", i, cut, err.text);
      CHECK(want > cut && want <= f.bytes.size, "case %d, cut %zu: %zu of %zu wanted", i, cut, want,
            f.bytes.size);
    }
    CHECK(scan(f.bytes.data, f.bytes.size, &got, &err) == 1, "case %d: %s", i, err.text);
    CHECK(got == f.bytes.size, "case %d: %zu of %zu", i, got, f.bytes.size);
    msgpack_pack_nil(&f.pk); /* what follows is another frame */
    CHECK(scan(f.bytes.data, f.bytes.size, &got, &err) == 1, "case %d: %s", i, err.text);
    CHECK(got == f.bytes.size - 1, "case %d: %zu of %zu", i, got, f.bytes.size - 1);
    end(&f);
  }
}
END_TEST

static const struct {
  const char *bytes;
  size_t len;
  const char *sentence;
} bombs[] = {
    {"\xdd\xff\xff\xff\xff", 5, "more than 65536 values in a frame"},
    {"\xdf\xff\xff\xff\xff", 5, "more than 65536 values in a frame"},
    {"\xdd\x00\x01\x00\x00", 5, "more than 65536 values in a frame"},
    {"\xde\x80\x00", 3, "more than 65536 values in a frame"},
    {"\x93\xdc\x80\x00\x93\xdc\x80\x00", 8, "more than 65536 values in a frame"},
    {"\xdb\xff\xff\xff\xff", 5, "a frame longer than 1048576 bytes"},
    {"\xc6\xff\xff\xff\xff", 5, "a frame longer than 1048576 bytes"},
    {"\xc9\xff\xff\xff\xff", 5, "a frame longer than 1048576 bytes"},
    {"\xc9\x00\x10\x00\x00", 5, "a frame longer than 1048576 bytes"},
    {"\xdb\x00\x0f\xff\xfc", 5, "a frame longer than 1048576 bytes"},
    {"\x91\x91\x91\x91\x91\x91\x91\x91\x91", 9, "containers nested deeper than 8"},
    {"\x91\x91\x91\x91\x91\x91\x91\x91\x80", 9, "containers nested deeper than 8"},
    {"\xc1", 1, "byte 0 of the frame is not msgpack"},
    {"\x92\x01\xc1", 3, "byte 2 of the frame is not msgpack"},
};

START_TEST(test_scan_bomb) {
  struct errtext err;
  size_t bytes;
  int rc = scan(bombs[_i].bytes, bombs[_i].len, &bytes, &err);
  ck_assert_int_eq(rc, -EPROTO);
  ck_assert_str_eq(err.text, bombs[_i].sentence);
  for (size_t cut = 0; cut < bombs[_i].len; cut++)
    ck_assert_int_eq(scan(bombs[_i].bytes, cut, &bytes, &err), 0);
}
END_TEST

START_TEST(test_scan_limits) {
  struct errtext err;
  size_t bytes;
  ck_assert_int_eq(scan("\xdb\x00\x0f\xff\xfb", 5, &bytes, &err), 0); /* a string that just fits a frame */
  ck_assert_uint_eq(bytes, WIRE_FRAME_MAX);
  ck_assert_int_eq(scan("\xdc\xff\xff", 3, &bytes, &err), 0); /* 65536 values */
  ck_assert_uint_eq(bytes, 3 + 65535);
  ck_assert_int_eq(scan("\x91\x91\x91\x91\x91\x91\x91\x91\x01", 9, &bytes, &err), 1);
  ck_assert_int_eq(scan("", 0, &bytes, &err), 0);
  ck_assert_uint_eq(bytes, 1);
}
END_TEST

/* Noise never crashes, and what scan calls a frame is one for msgpack too. */
START_TEST(test_scan_noise) {
  char noise[64];
  for (int i = 0; i < 300000; i++) {
    struct errtext err;
    struct wire_message message;
    size_t len = (size_t)random_below(64), bytes = 0;
    for (size_t k = 0; k < len; k++)
      noise[k] = (char)(random_below(2) ? (int)(random_bits() & 0xff) : 0x90 + random_below(8));
    if (scan(noise, len, &bytes, &err) != 1)
      continue;
    CHECK(bytes <= len, "case %d", i);
    msgpack_unpacked u;
    size_t used = 0;
    msgpack_unpacked_init(&u);
    CHECK(msgpack_unpack_next(&u, noise, bytes, &used) == MSGPACK_UNPACK_SUCCESS, "case %d", i);
    CHECK(used == bytes, "case %d: %zu of %zu", i, used, bytes);
    msgpack_unpacked_destroy(&u);
    if (wire_parse(noise, bytes, &message, &err) == 0)
      wire_free(&message);
  }
}
END_TEST

START_TEST(test_messages) {
  struct frame f;
  struct errtext err;
  struct wire_message m;
  begin(&f);
  wire_pack_request(&f.pk, 4000000000u, "ping");
  msgpack_pack_array(&f.pk, 0);
  ck_assert_int_eq(wire_parse(f.bytes.data, f.bytes.size, &m, &err), 0);
  ck_assert_int_eq(m.type, WIRE_REQUEST);
  ck_assert_uint_eq(m.msgid, 4000000000u);
  ck_assert_uint_eq(m.method_len, 4);
  ck_assert_mem_eq(m.method, "ping", 4);
  wire_free(&m);
  end(&f);
  begin(&f);
  wire_pack_error(&f.pk, 7, NUMD_ESEGMENT, "no\xff\n segment");
  ck_assert_int_eq(wire_parse(f.bytes.data, f.bytes.size, &m, &err), 0);
  ck_assert_int_eq(m.type, WIRE_RESPONSE);
  ck_assert_uint_eq(m.error.via.array.ptr[0].via.u64, NUMD_ESEGMENT);
  ck_assert_uint_eq(m.error.via.array.ptr[2].via.str.size, strlen("no?? segment"));
  ck_assert_mem_eq(m.error.via.array.ptr[2].via.str.ptr, "no?? segment", 12);
  wire_free(&m);
  end(&f);
  begin(&f);
  wire_pack_goodbye(&f.pk, NUMD_ELIMIT, "too many");
  ck_assert_int_eq(wire_parse(f.bytes.data, f.bytes.size, &m, &err), 0);
  ck_assert_int_eq(m.type, WIRE_NOTIFY);
  ck_assert_uint_eq(m.params.via.array.size, 3);
  wire_free(&m);
  end(&f);
}
END_TEST

static const struct {
  const char *bytes;
  size_t len;
  const char *sentence;
} bad_messages[] = {
    {"\x90", 1,
     "a frame must be [0, msgid, method, params], [1, msgid, error, result] or [2, method, params]"},
    {"\xc0", 1,
     "a frame must be [0, msgid, method, params], [1, msgid, error, result] or [2, method, params]"},
    {"\x94\x03\x01\xa1x\x90", 6,
     "a frame must be [0, msgid, method, params], [1, msgid, error, result] or [2, method, params]"},
    {"\x94\x00\xff\xa1x\x90", 6, "msgid: an integer from 0 to 4294967295 is wanted"},
    {"\x94\x00\x01\x01\x90", 5, "method: a string is wanted"},
    {"\x94\x00\x01\xa1x\x80", 6, "params: an array is wanted"},
    {"\x93\x02\xa1x\xc0", 5, "params: an array is wanted"},
    {"\x94\x01\x01\x01\xc0", 5, "error: nil or [number, name, sentence] is wanted"},
    {"\x94\x01\x01", 3, "not one msgpack value"},
};

START_TEST(test_bad_message) {
  struct errtext err;
  struct wire_message m;
  ck_assert_int_eq(wire_parse(bad_messages[_i].bytes, bad_messages[_i].len, &m, &err), NUMD_EPROTOCOL);
  ck_assert_str_eq(err.text, bad_messages[_i].sentence);
}
END_TEST

static uint8_t random_dtype(void) {
  unsigned dtype;
  do
    dtype = (unsigned)random_below(NUMD_DTYPE_CODES);
  while (!dtype_known(dtype));
  return (uint8_t)dtype;
}

static void random_layout(struct layout *l) {
  memset(l, 0, sizeof(*l));
  l->dtype = random_dtype();
  l->ndim = (uint8_t)random_below(random_below(4) ? 4 : MAX_DIMS + 1);
  for (int d = 0; d < l->ndim; d++) {
    l->shape[d] = random_below(12);
    l->strides[d] = random_below(3) ? random_below(2000) - 1000 : (random_int() >> 16);
  }
}

static void random_operand(struct operand *o) {
  static const uint8_t weak[] = {NUMD_BOOL, NUMD_INT64, NUMD_UINT64, NUMD_FLOAT64};
  o->kind = (uint8_t)random_below(4);
  if (o->kind == OPERAND_ARRAY) {
    random_layout(&o->layout);
    return;
  }
  o->layout.dtype = o->kind == OPERAND_WEAK ? random_dtype() : weak[random_below(4)];
  if (o->kind == OPERAND_CONSTANT)
    o->bits = o->layout.dtype == NUMD_BOOL ? (uint64_t)random_below(2) : random_bits();
}

static void random_list(unsigned bit, struct op_params *p) {
  int list = param_rows[bit].type - NUMD_TYPE_LIST0;
  p->n_ints[list] = (uint8_t)random_below(MAX_DIMS + 1);
  for (int i = 0; i < p->n_ints[list]; i++)
    p->ints[list][i] = (1u << bit) & (NUMD_PARAM_ORDER | NUMD_PARAM_AGAINST)
                           ? random_below(2 * MAX_DIMS) - MAX_DIMS
                       : random_below(4) ? random_below(1000)
                                         : random_int() & INT64_MAX;
}

static void random_param(unsigned bit, struct op_params *p) {
  p->given |= 1u << bit;
  switch (param_rows[bit].type) {
    case NUMD_TYPE_MASK:
      p->axes = (uint32_t)random_below(65536);
      break;
    case NUMD_TYPE_FLAG:
      break;
    case NUMD_TYPE_DTYPE:
      p->dtype = random_dtype();
      break;
    case NUMD_TYPE_AXIS:
      p->axis = random_below(2 * MAX_DIMS) - MAX_DIMS;
      break;
    case NUMD_TYPE_N:
      p->n = random_int();
      break;
    case NUMD_TYPE_K:
      p->k = random_int();
      break;
    case NUMD_TYPE_REAL:
      p->real = random_below(4) ? (double)random_below(9) / 4 : (double)-INFINITY;
      break;
    default:
      random_list(bit, p);
  }
}

static void random_op(struct op *op, int n_values) {
  do
    op->code = (uint8_t)random_below(NUMD_OP_CODES);
  while (!op_known(op->code));
  const struct numd_op_info *row = &op_rows[op->code];
  op->n_in = (uint8_t)(row->n_in < 0 ? 1 + random_below(NUMD_OP_MAX_IN) : row->n_in);
  for (unsigned bit = 0; bit < NUMD_N_PARAMS; bit++)
    if (row->params >> bit & 1 && random_below(2))
      random_param(bit, &op->params);
  for (int i = 0; i < op->n_in; i++)
    op->in[i] = (uint16_t)random_below(n_values);
}

static void random_output(struct output *o, int n_values, bool *result) {
  o->value = (uint16_t)random_below(n_values);
  o->kind = !*result && random_below(4) == 0 ? OUTPUT_RESULT : OUTPUT_ARRAY;
  *result = *result || o->kind == OUTPUT_RESULT;
  random_layout(&o->layout);
  o->open_shape = o->kind == OUTPUT_RESULT || random_below(2);
  o->open_dtype = o->open_shape && random_below(2);
  uint8_t dtype = o->open_dtype ? NUMD_DTYPE_NONE : o->layout.dtype;
  if (o->open_shape)
    memset(&o->layout, 0, sizeof(o->layout));
  o->layout.dtype = dtype;
}

static void random_program(struct program *p) {
  bool result = false;
  memset(p, 0, sizeof(*p));
  p->n_operands = (uint16_t)(1 + random_below(random_below(8) ? 6 : 48));
  p->n_ops = (uint16_t)random_below(random_below(8) ? 8 : MAX_OPS + 1);
  p->n_outputs = (uint16_t)(1 + random_below(random_below(8) ? 2 : MAX_OUTPUTS));
  for (int i = 0; i < p->n_operands; i++)
    random_operand(&p->operands[i]);
  for (int i = 0; i < p->n_ops; i++)
    random_op(&p->ops[i], (int)program_op_value(p, i));
  for (int i = 0; i < p->n_outputs; i++)
    random_output(&p->outputs[i], (int)program_n_values(p), &result);
}

static bool same_layout(const struct layout *a, const struct layout *b) {
  return a->dtype == b->dtype && layout_same_shape(a, b) &&
         memcmp(a->strides, b->strides, sizeof(a->strides)) == 0;
}

static bool same_params(const struct op_params *a, const struct op_params *b) {
  return a->given == b->given && a->axes == b->axes && a->dtype == b->dtype && a->axis == b->axis &&
         a->n == b->n && a->k == b->k && a->real == b->real &&
         memcmp(a->n_ints, b->n_ints, sizeof(a->n_ints)) == 0 &&
         memcmp(a->ints, b->ints, sizeof(a->ints)) == 0;
}

static bool same_op(const struct op *a, const struct op *b) {
  return a->code == b->code && a->n_in == b->n_in && memcmp(a->in, b->in, sizeof(a->in)) == 0 &&
         same_params(&a->params, &b->params);
}

static bool same_program(const struct program *a, const struct program *b) {
  bool same = a->n_operands == b->n_operands && a->n_ops == b->n_ops && a->n_outputs == b->n_outputs;
  for (int i = 0; same && i < a->n_operands; i++)
    same = a->operands[i].kind == b->operands[i].kind && a->operands[i].bits == b->operands[i].bits &&
           same_layout(&a->operands[i].layout, &b->operands[i].layout);
  for (int i = 0; same && i < a->n_ops; i++)
    same = same_op(&a->ops[i], &b->ops[i]);
  for (int i = 0; same && i < a->n_outputs; i++) {
    const struct output *x = &a->outputs[i], *y = &b->outputs[i];
    same = x->value == y->value && x->kind == y->kind && x->open_dtype == y->open_dtype &&
           x->open_shape == y->open_shape && same_layout(&x->layout, &y->layout);
  }
  return same;
}

static int read_back(const struct frame *f, struct program *out, struct errtext *err) {
  msgpack_unpacked u;
  msgpack_unpacked_init(&u);
  ck_assert_int_eq(msgpack_unpack_next(&u, f->bytes.data, f->bytes.size, NULL), MSGPACK_UNPACK_SUCCESS);
  int status = wire_read_program(&u.data, out, err);
  msgpack_unpacked_destroy(&u);
  return status;
}

START_TEST(test_program_round_trip) {
  static struct program in, out;
  for (int i = 0; i < 5000; i++) {
    struct frame f;
    struct errtext err;
    size_t bytes;
    random_program(&in);
    begin(&f);
    wire_pack_program(&f.pk, program_lists(&in));
    CHECK(wire_scan(f.bytes.data, f.bytes.size, &bytes, &err) == 1, "case %d: %s", i, err.text);
    int status = read_back(&f, &out, &err);
    CHECK(status == 0, "case %d: %d %s", i, status, err.text);
    CHECK(same_program(&in, &out), "case %d: another program came back", i);
    end(&f);
  }
}
END_TEST

/* A program of which a random byte was changed is refused or is another, but nothing worse. */
START_TEST(test_program_damaged) {
  static struct program in, out;
  for (int i = 0; i < 30000; i++) {
    struct frame f;
    struct errtext err;
    size_t bytes;
    random_program(&in);
    begin(&f);
    wire_pack_program(&f.pk, program_lists(&in));
    for (int k = random_below(3); k >= 0; k--)
      f.bytes.data[random_below((int)f.bytes.size)] = (char)random_bits();
    if (wire_scan(f.bytes.data, f.bytes.size, &bytes, &err) == 1 && bytes == f.bytes.size)
      read_back(&f, &out, &err);
    end(&f);
  }
}
END_TEST

/* Whether items are the same; which NaN a float32 is may change by way of double. */
static bool same_item(unsigned dtype, const void *a, const void *b) {
  size_t n = dtype_rows[dtype].size;
  if (dtype_part((numd_dtype)dtype) != NUMD_FLOAT32)
    return memcmp(a, b, n) == 0;
  for (size_t i = 0; i < n; i += sizeof(float)) {
    float x, y;
    memcpy(&x, (const char *)a + i, sizeof(x));
    memcpy(&y, (const char *)b + i, sizeof(y));
    if (memcmp(&x, &y, sizeof(x)) != 0 && !(isnan(x) && isnan(y)))
      return false;
  }
  return true;
}

START_TEST(test_items) {
  for (int i = 0; i < 30000; i++) {
    uint8_t dtype = random_dtype();
    struct errtext err;
    uint64_t bits[2] = {random_bits(), random_bits()}, back[2] = {0, 0};
    struct frame f;
    msgpack_unpacked u;
    if (dtype == NUMD_BOOL)
      bits[0] &= 1;
    begin(&f);
    wire_pack_item(&f.pk, dtype, bits);
    msgpack_unpacked_init(&u);
    msgpack_unpack_next(&u, f.bytes.data, f.bytes.size, NULL);
    CHECK(wire_read_item(&u.data, dtype, back, "here", &err) == 0, "case %d: %s", i, err.text);
    CHECK(same_item(dtype, bits, back), "case %d: %s", i, dtype_rows[dtype].name);
    msgpack_unpacked_destroy(&u);
    end(&f);
  }
}
END_TEST

/* The last value of each integer dtype that fits, and the first that does not. */
START_TEST(test_item_limits) {
  for (unsigned dtype = 0; dtype < NUMD_DTYPE_CODES; dtype++) {
    char kind = dtype_known(dtype) ? dtype_rows[dtype].kind : 0;
    struct errtext err;
    uint64_t item = 0;
    if (kind != 'i' && kind != 'u')
      continue;
    int bits = 8 * dtype_rows[dtype].size - (kind == 'i');
    uint64_t max = UINT64_MAX >> (64 - bits);
    msgpack_object top = {.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = max};
    msgpack_object low = {.type = MSGPACK_OBJECT_NEGATIVE_INTEGER,
                          .via.i64 = kind == 'u' ? -1 : (int64_t)~max};
    CHECK(wire_read_item(&top, dtype, &item, "x", &err) == 0 && item == max, "%s", dtype_rows[dtype].name);
    top.via.u64++;
    int status = wire_read_item(&top, dtype, &item, "x", &err);
    CHECK(bits == 64 || status == NUMD_ERANGE, "%s: %d", dtype_rows[dtype].name, status);
    status = wire_read_item(&low, dtype, &item, "x", &err);
    CHECK(status == (kind == 'u' ? NUMD_ERANGE : 0), "%s: %d", dtype_rows[dtype].name, status);
    if (bits < 63)
      low.via.i64--;
    status = wire_read_item(&low, dtype, &item, "x", &err);
    CHECK(status == (bits >= 63 && kind == 'i' ? 0 : NUMD_ERANGE), "%s: %d", dtype_rows[dtype].name, status);
  }
}
END_TEST

START_TEST(test_bad_items) {
  struct errtext err;
  uint64_t item[2];
  msgpack_object big = {.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = (uint64_t)1 << 63}, text, pair;
  text.type = MSGPACK_OBJECT_STR;
  pair.type = MSGPACK_OBJECT_ARRAY;
  pair.via.array.size = 1;
  pair.via.array.ptr = &big;
  ck_assert_int_eq(wire_read_item(&big, NUMD_INT64, item, "x", &err), NUMD_ERANGE);
  ck_assert_str_eq(err.text, "x: 9223372036854775808 does not fit int64");
  ck_assert_int_eq(wire_read_item(&big, NUMD_BOOL, item, "x", &err), NUMD_EPROTOCOL);
  ck_assert_int_eq(wire_read_item(&text, NUMD_FLOAT64, item, "x", &err), NUMD_EPROTOCOL);
  ck_assert_int_eq(wire_read_item(&text, NUMD_UINT8, item, "x", &err), NUMD_EPROTOCOL);
  ck_assert_int_eq(wire_read_item(&pair, NUMD_COMPLEX64, item, "x", &err), NUMD_EPROTOCOL);
  ck_assert_int_eq(wire_read_item(&big, NUMD_COMPLEX128, item, "x", &err), 0);
  double parts[2];
  memcpy(parts, item, sizeof(parts));
  ck_assert(parts[0] == 0x1p63 && parts[1] == 0);
  ck_assert_int_eq(wire_read_item(&big, NUMD_DTYPE_NONE, item, "x", &err), NUMD_EDTYPE);
}
END_TEST

/* Parameters as a client might write them, after {"operands": [["scalar", "int64"]], "ops": [[name, [0], ...:
 * the status and what the sentence has in it. */
static const struct {
  const char *op, *key, *value; /* n, t, f, an integer, s and text, [ and integers */
  int status;
  const char *sentence;
} bad_params[] = {
    {"negative", "axis", "1", NUMD_EINVAL, "ops[0].params: 'negative' takes no axis"},
    {"sum", "axis", "1", NUMD_EINVAL, "ops[0].params: 'sum' takes no axis"},
    {"sum", "axes", "[3,3", NUMD_EINVAL, "ops[0].params.axes: each axis must be given once, from 0 to 15"},
    {"sum", "axes", "[16", NUMD_EINVAL, "ops[0].params.axes: each axis must be given once, from 0 to 15"},
    {"sum", "axes", "[-1", NUMD_EINVAL, "ops[0].params.axes: each axis must be given once, from 0 to 15"},
    {"sum", "axes", "4", NUMD_EPROTOCOL, "ops[0].params.axes: nil or an array is wanted"},
    {"sum", "axes", "[", 0, ""},
    {"sum", "axes", "n", 0, ""},
    {"sum", "keepdims", "1", NUMD_EPROTOCOL, "ops[0].params.keepdims: true or false is wanted"},
    {"sum", "keepdims", "f", 0, ""},
    {"sum", "dtype", "sint9", NUMD_EDTYPE, "ops[0].params.dtype: unknown dtype 'int9'"},
    {"sum", "dtype", "suint16", 0, ""},
    {"sum", "colour", "1", NUMD_EPROTOCOL, "ops[0].params: unknown key 'colour'"},
    {"sort", "axis", "-16", 0, ""},
    {"sort", "axis", "-17", NUMD_EINVAL, "ops[0].params.axis: -17 is out of range"},
    {"sort", "axis", "16", NUMD_EINVAL, "ops[0].params.axis: 16 is out of range"},
    {"var", "correction", "1", 0, ""},
    {"var", "correction", "sx", NUMD_EPROTOCOL, "ops[0].params.correction: a number is wanted"},
    {"reshape", "shape", "[-1,4", 0, ""},
    {"reshape", "shape", "[-2", NUMD_EINVAL, "ops[0].params.shape: -2 is out of range"},
    {"reshape", "shape", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", NUMD_ELIMIT,
     "ops[0].params.shape: more than 16 integers"},
    {"permute_dims", "order", "[16", NUMD_EINVAL, "ops[0].params.order: 16 is out of range"},
    {"tile", "repetitions", "[-1", NUMD_EINVAL, "ops[0].params.repetitions: -1 is out of range"},
    {"repeat", "n", "t", NUMD_EPROTOCOL, "ops[0].params.n: an integer of 64 bits is wanted"},
};

static void pack_text(msgpack_packer *pk, const char *text) {
  char *rest;
  uint32_t n = 0;
  switch (*text) {
    case 'n':
      msgpack_pack_nil(pk);
      break;
    case 't':
      msgpack_pack_true(pk);
      break;
    case 'f':
      msgpack_pack_false(pk);
      break;
    case 's':
      wire_pack_str(pk, text + 1);
      break;
    case '[':
      for (const char *p = text + 1; *p; p++)
        n += *p == ',' || p == text + 1;
      msgpack_pack_array(pk, n);
      for (rest = (char *)text + 1; n > 0; n--)
        msgpack_pack_int64(pk, strtoll(rest, &rest, 10)), rest++;
      break;
    default:
      msgpack_pack_int64(pk, strtoll(text, NULL, 10));
  }
}

START_TEST(test_params) {
  struct frame f;
  struct errtext err = {""};
  static struct program out;
  begin(&f);
  msgpack_pack_map(&f.pk, 3);
  wire_pack_str(&f.pk, "operands");
  msgpack_pack_array(&f.pk, 1);
  msgpack_pack_array(&f.pk, 2);
  wire_pack_str(&f.pk, "scalar");
  wire_pack_str(&f.pk, "int64");
  wire_pack_str(&f.pk, "ops");
  msgpack_pack_array(&f.pk, 1);
  msgpack_pack_array(&f.pk, 3);
  wire_pack_str(&f.pk, bad_params[_i].op);
  msgpack_pack_array(&f.pk, 1);
  msgpack_pack_uint8(&f.pk, 0);
  msgpack_pack_map(&f.pk, 1);
  wire_pack_str(&f.pk, bad_params[_i].key);
  pack_text(&f.pk, bad_params[_i].value);
  wire_pack_str(&f.pk, "outputs");
  msgpack_pack_array(&f.pk, 1);
  msgpack_pack_array(&f.pk, 2);
  msgpack_pack_uint8(&f.pk, 1);
  msgpack_pack_map(&f.pk, 0);
  int status = read_back(&f, &out, &err);
  CHECK(status == bad_params[_i].status, "%s %s: %d %s", bad_params[_i].op, bad_params[_i].value, status,
        err.text);
  if (status)
    ck_assert_str_eq(err.text, bad_params[_i].sentence);
  end(&f);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("wire");
  TCase *tcase = tcase_create("wire");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, test_scan_every_cut);
  tcase_add_loop_test(tcase, test_scan_bomb, 0, (int)(sizeof(bombs) / sizeof(bombs[0])));
  tcase_add_test(tcase, test_scan_limits);
  tcase_add_test(tcase, test_scan_noise);
  tcase_add_test(tcase, test_messages);
  tcase_add_loop_test(tcase, test_bad_message, 0, (int)(sizeof(bad_messages) / sizeof(bad_messages[0])));
  tcase_add_test(tcase, test_program_round_trip);
  tcase_add_test(tcase, test_program_damaged);
  tcase_add_test(tcase, test_items);
  tcase_add_test(tcase, test_item_limits);
  tcase_add_test(tcase, test_bad_items);
  tcase_add_loop_test(tcase, test_params, 0, (int)(sizeof(bad_params) / sizeof(bad_params[0])));
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
