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

static const uint8_t dtypes[] = {NUMD_BOOL, NUMD_INT32, NUMD_INT64, NUMD_FLOAT32, NUMD_FLOAT64};

static void random_layout(struct layout *l) {
  memset(l, 0, sizeof(*l));
  l->dtype = dtypes[random_below(5)];
  l->ndim = (uint8_t)random_below(random_below(4) ? 4 : MAX_DIMS + 1);
  for (int d = 0; d < l->ndim; d++) {
    l->shape[d] = random_below(12);
    l->strides[d] = random_below(3) ? random_below(2000) - 1000 : (random_int() >> 16);
  }
}

static void random_operand(struct operand *o) {
  static const uint8_t weak[] = {NUMD_BOOL, NUMD_INT64, NUMD_FLOAT64};
  o->kind = (uint8_t)random_below(3);
  if (o->kind == OPERAND_ARRAY) {
    random_layout(&o->layout);
    return;
  }
  o->layout.dtype = weak[random_below(3)];
  if (o->kind == OPERAND_CONSTANT)
    o->bits = o->layout.dtype == NUMD_BOOL ? (uint64_t)random_below(2) : random_bits();
}

static void random_op(struct op *op, int n_values) {
  do
    op->code = (uint8_t)random_below(NUMD_OP_CODES);
  while (!op_known(op->code));
  const struct op_row *row = &op_rows[op->code];
  op->n_in = row->n_in;
  op->axes = row->class == OP_REDUCE && random_below(2) ? (uint32_t)random_below(65536) : ALL_AXES;
  op->keepdims = row->class == OP_REDUCE && random_below(2);
  op->dtype = NUMD_DTYPE_NONE;
  if ((row->typing == TYPING_ASTYPE || row->typing == TYPING_SUM) && random_below(2))
    op->dtype = dtypes[random_below(5)];
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
    random_op(&p->ops[i], p->n_operands + i);
  for (int i = 0; i < p->n_outputs; i++)
    random_output(&p->outputs[i], p->n_operands + p->n_ops, &result);
}

static bool same_layout(const struct layout *a, const struct layout *b) {
  return a->dtype == b->dtype && layout_same_shape(a, b) &&
         memcmp(a->strides, b->strides, sizeof(a->strides)) == 0;
}

static bool same_op(const struct op *a, const struct op *b) {
  return a->code == b->code && a->n_in == b->n_in && a->keepdims == b->keepdims && a->dtype == b->dtype &&
         a->axes == b->axes && memcmp(a->in, b->in, sizeof(a->in)) == 0;
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
    wire_pack_program(&f.pk, &in);
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
    wire_pack_program(&f.pk, &in);
    for (int k = random_below(3); k >= 0; k--)
      f.bytes.data[random_below((int)f.bytes.size)] = (char)random_bits();
    if (wire_scan(f.bytes.data, f.bytes.size, &bytes, &err) == 1 && bytes == f.bytes.size)
      read_back(&f, &out, &err);
    end(&f);
  }
}
END_TEST

START_TEST(test_items) {
  struct errtext err;
  for (int i = 0; i < 20000; i++) {
    uint8_t dtype = dtypes[random_below(5)];
    uint64_t bits = random_bits(), back = 0;
    struct frame f;
    msgpack_unpacked u;
    if (dtype == NUMD_BOOL)
      bits &= 1;
    begin(&f);
    wire_pack_item(&f.pk, dtype, &bits);
    msgpack_unpacked_init(&u);
    msgpack_unpack_next(&u, f.bytes.data, f.bytes.size, NULL);
    CHECK(wire_read_item(&u.data, dtype, &back, "here", &err) == 0, "case %d: %s", i, err.text);
    float f32, b32;
    memcpy(&f32, &bits, 4);
    memcpy(&b32, &back, 4);
    bool nan = dtype == NUMD_FLOAT32 && isnan(f32) && isnan(b32); /* which NaN may change by way of double */
    CHECK(nan || memcmp(&bits, &back, dtype_rows[dtype].size) == 0, "case %d", i);
    msgpack_unpacked_destroy(&u);
    end(&f);
  }
  msgpack_object big = {.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = (uint64_t)1 << 63}, text;
  uint64_t item;
  text.type = MSGPACK_OBJECT_STR;
  ck_assert_int_eq(wire_read_item(&big, NUMD_INT64, &item, "x", &err), NUMD_ERANGE);
  ck_assert_str_eq(err.text, "x: 9223372036854775808 does not fit int64");
  ck_assert_int_eq(wire_read_item(&big, NUMD_BOOL, &item, "x", &err), NUMD_EPROTOCOL);
  ck_assert_int_eq(wire_read_item(&text, NUMD_FLOAT64, &item, "x", &err), NUMD_EPROTOCOL);
  big.via.u64 = 1u << 31;
  ck_assert_int_eq(wire_read_item(&big, NUMD_INT32, &item, "x", &err), NUMD_ERANGE);
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
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
