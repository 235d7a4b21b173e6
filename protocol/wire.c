/* SPDX-License-Identifier: BSD-3-Clause */
/* The frame codec: finding frames in untrusted bytes, and the msgpack-RPC envelope.
 *
 * wire_scan walks the bytes with a fixed stack of counters, allocating nothing. It judges every header before
 * it looks at anything after it: a container may not announce more values than the frame may still have, nor
 * a string more bytes. So a frame that would make msgpack-c allocate too much is refused at the header that
 * announces it, however the bytes are cut into pieces. Only frames that passed reach msgpack-c. */
#include "protocol/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/text.h"

/* What one msgpack header announces. */
struct header {
  size_t bytes;   /* of the header alone */
  uint64_t body;  /* bytes of text or data that belong to it */
  uint64_t items; /* values that belong to a container */
  bool container;
};

static uint64_t read_be(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++)
    v = v << 8 | p[i];
  return v;
}

/* Headers 0xc0 .. 0xdf: the width of a length field, the fixed body, and what the length counts. */
static const struct {
  uint8_t width, body;
  char kind; /* 'v' value, 'b' bytes, 'e' extension (one byte more), 'a' array, 'm' map, 0 never used */
} wide[32] = {
    {0, 0, 'v'},  {0, 0, 0},   {0, 0, 'v'}, {0, 0, 'v'}, {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'}, {1, 0, 'e'},
    {2, 0, 'e'},  {4, 0, 'e'}, {0, 4, 'v'}, {0, 8, 'v'}, {0, 1, 'v'}, {0, 2, 'v'}, {0, 4, 'v'}, {0, 8, 'v'},
    {0, 1, 'v'},  {0, 2, 'v'}, {0, 4, 'v'}, {0, 8, 'v'}, {0, 2, 'v'}, {0, 3, 'v'}, {0, 5, 'v'}, {0, 9, 'v'},
    {0, 17, 'v'}, {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'}, {2, 0, 'a'}, {4, 0, 'a'}, {2, 0, 'm'}, {4, 0, 'm'},
};

static int read_wide(const uint8_t *p, size_t left, struct header *h) {
  uint8_t width = wide[*p - 0xc0].width;
  char kind = wide[*p - 0xc0].kind;
  if (kind == 0)
    return -EPROTO;
  h->bytes = 1 + (size_t)width;
  if (left < h->bytes)
    return 0;
  uint64_t n = read_be(p + 1, width);
  h->container = kind == 'a' || kind == 'm';
  h->items = kind == 'a' ? n : kind == 'm' ? 2 * n : 0;
  h->body = kind == 'b' ? n : kind == 'e' ? n + 1 : wide[*p - 0xc0].body;
  return 1;
}

/* 1: *h is filled; 0: the header is not complete; -EPROTO: a byte that msgpack never uses. */
static int read_header(const uint8_t *p, size_t left, struct header *h) {
  memset(h, 0, sizeof(*h));
  if (left == 0)
    return 0;
  if (*p >= 0xc0 && *p <= 0xdf)
    return read_wide(p, left, h);
  h->bytes = 1;
  if (*p >= 0xa0 && *p <= 0xbf) {
    h->body = *p & 0x1f;
  } else if (*p >= 0x80 && *p <= 0x9f) {
    h->container = true;
    h->items = *p >= 0x90 ? *p & 0x0fu : 2 * (*p & 0x0fu);
  }
  return 1;
}

/* Where a walk over a frame stands. */
struct scan {
  size_t pos;
  uint64_t total; /* values announced so far, this frame's outermost included */
  uint64_t owed;  /* values announced and not yet met; each takes a byte at least */
  int depth;
  uint64_t left[WIRE_DEPTH_MAX + 1]; /* owed values at each depth */
};

/* Steps over one header and the text after it. 0, or -EPROTO. */
static int scan_step(struct scan *w, const struct header *h, struct errtext *err) {
  while (w->left[w->depth] == 0)
    w->depth--;
  w->left[w->depth]--;
  w->owed--;
  w->total += h->items;
  if (w->total > WIRE_ITEMS_MAX)
    return errtext_set(err, -EPROTO, "more than %d values in a frame", WIRE_ITEMS_MAX);
  if (h->container && w->depth == WIRE_DEPTH_MAX)
    return errtext_set(err, -EPROTO, "containers nested deeper than %d", WIRE_DEPTH_MAX);
  if (h->items > 0)
    w->left[++w->depth] = h->items;
  w->owed += h->items;
  if (w->pos + h->bytes + h->body + w->owed > WIRE_FRAME_MAX)
    return errtext_set(err, -EPROTO, "a frame longer than %u bytes", WIRE_FRAME_MAX);
  w->pos += h->bytes + (size_t)h->body;
  return 0;
}

int wire_scan(const void *buf, size_t len, size_t *frame_bytes, struct errtext *err) {
  struct scan w = {.total = 1, .owed = 1, .left = {1}};
  while (w.owed > 0 && w.pos < len) {
    struct header h;
    int got = read_header((const uint8_t *)buf + w.pos, len - w.pos, &h);
    if (got < 0)
      return errtext_set(err, got, "byte %zu of the frame is not msgpack", w.pos);
    if (got == 0)
      break;
    int rc = scan_step(&w, &h, err);
    if (rc < 0)
      return rc;
  }
  size_t need = w.pos + (size_t)w.owed;
  if (w.owed == 0 && w.pos <= len) {
    *frame_bytes = w.pos;
    return 1;
  }
  *frame_bytes = need > len ? need : len + 1;
  return 0;
}

static int parse_msgid(struct wire_message *out, const msgpack_object *o, struct errtext *err) {
  uint64_t id = 0;
  int status = wire_read_uint(o, UINT32_MAX, &id, "msgid", err);
  if (status == 0)
    out->msgid = (uint32_t)id;
  return status;
}

/* v: method and params; msgid is NULL for a notification. */
static int parse_call(struct wire_message *out, const msgpack_object *msgid, const msgpack_object *v,
                      struct errtext *err) {
  if (msgid && parse_msgid(out, msgid, err) != 0)
    return NUMD_EPROTOCOL;
  if (v[0].type != MSGPACK_OBJECT_STR)
    return errtext_set(err, NUMD_EPROTOCOL, "method: a string is wanted");
  if (v[1].type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "params: an array is wanted");
  out->method = v[0].via.str.ptr;
  out->method_len = v[0].via.str.size;
  out->params = v[1];
  return 0;
}

static int parse_response(struct wire_message *out, const msgpack_object *v, struct errtext *err) {
  const msgpack_object *e = &v[2];
  if (parse_msgid(out, &v[1], err) != 0)
    return NUMD_EPROTOCOL;
  if (e->type != MSGPACK_OBJECT_NIL &&
      (e->type != MSGPACK_OBJECT_ARRAY || e->via.array.size != 3 ||
       e->via.array.ptr[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER ||
       e->via.array.ptr[1].type != MSGPACK_OBJECT_STR || e->via.array.ptr[2].type != MSGPACK_OBJECT_STR))
    return errtext_set(err, NUMD_EPROTOCOL, "error: nil or [number, name, sentence] is wanted");
  out->error = *e;
  out->result = v[3];
  return 0;
}

int wire_parse(const void *frame, size_t len, struct wire_message *out, struct errtext *err) {
  size_t used = 0;
  msgpack_unpacked_init(&out->unpacked);
  out->copy = malloc(len); /* msgpack-c's strings point into the bytes that it parsed */
  if (!out->copy)
    return errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  memcpy(out->copy, frame, len);
  msgpack_unpack_return rc = msgpack_unpack_next(&out->unpacked, out->copy, len, &used);
  if (rc != MSGPACK_UNPACK_SUCCESS || used != len) {
    wire_free(out);
    return errtext_set(err, NUMD_EPROTOCOL, "not one msgpack value");
  }
  const msgpack_object *o = &out->unpacked.data;
  const msgpack_object *v = o->type == MSGPACK_OBJECT_ARRAY ? o->via.array.ptr : NULL;
  uint32_t n = v ? o->via.array.size : 0;
  uint64_t type = n && v[0].type == MSGPACK_OBJECT_POSITIVE_INTEGER ? v[0].via.u64 : UINT64_MAX;
  int status = NUMD_EPROTOCOL;
  if (type == WIRE_NOTIFY && n == 3)
    status = parse_call(out, NULL, &v[1], err);
  else if (type == WIRE_REQUEST && n == 4)
    status = parse_call(out, &v[1], &v[2], err);
  else if (type == WIRE_RESPONSE && n == 4)
    status = parse_response(out, v, err);
  else
    errtext_set(err, status,
                "a frame must be [0, msgid, method, params], [1, msgid, error, result] or "
                "[2, method, params]");
  out->type = (enum wire_type)type;
  if (status != 0)
    wire_free(out);
  return status;
}

void wire_free(struct wire_message *message) {
  msgpack_unpacked_destroy(&message->unpacked);
  free(message->copy);
  message->copy = NULL;
}

void wire_pack_str(msgpack_packer *pk, const char *s) {
  msgpack_pack_str_with_body(pk, s, strlen(s));
}

void wire_pack_number(msgpack_packer *pk, const char *key, uint64_t value) {
  wire_pack_str(pk, key);
  msgpack_pack_uint64(pk, value);
}

void wire_pack_request(msgpack_packer *pk, uint32_t msgid, const char *method) {
  msgpack_pack_array(pk, 4);
  msgpack_pack_uint8(pk, WIRE_REQUEST);
  msgpack_pack_uint32(pk, msgid);
  wire_pack_str(pk, method);
}

/* A sentence may quote a peer's bytes, so everything in it but printable ASCII is replaced: what goes out
 * must be valid UTF-8 and one line. */
static void pack_sentence(msgpack_packer *pk, const char *sentence) {
  struct errtext plain;
  size_t n = 0;
  for (; sentence[n] && n < sizeof(plain.text); n++)
    plain.text[n] = sentence[n] >= ' ' && sentence[n] <= '~' ? sentence[n] : '?';
  msgpack_pack_str_with_body(pk, plain.text, n);
}

static void pack_status(msgpack_packer *pk, int status, const char *sentence) {
  msgpack_pack_array(pk, 3);
  msgpack_pack_int(pk, status);
  wire_pack_str(pk, status_name(status));
  pack_sentence(pk, sentence);
}

void wire_pack_goodbye(msgpack_packer *pk, int status, const char *sentence) {
  msgpack_pack_array(pk, 3);
  msgpack_pack_uint8(pk, WIRE_NOTIFY);
  wire_pack_str(pk, "goodbye");
  pack_status(pk, status, sentence);
}

void wire_pack_error(msgpack_packer *pk, uint32_t msgid, int status, const char *sentence) {
  msgpack_pack_array(pk, 4);
  msgpack_pack_uint8(pk, WIRE_RESPONSE);
  msgpack_pack_uint32(pk, msgid);
  pack_status(pk, status, sentence);
  msgpack_pack_nil(pk);
}

void wire_pack_result(msgpack_packer *pk, uint32_t msgid) {
  msgpack_pack_array(pk, 4);
  msgpack_pack_uint8(pk, WIRE_RESPONSE);
  msgpack_pack_uint32(pk, msgid);
  msgpack_pack_nil(pk);
}

const msgpack_object *wire_get(const msgpack_object *map, const char *key) {
  if (map->type != MSGPACK_OBJECT_MAP)
    return NULL;
  for (uint32_t i = 0; i < map->via.map.size; i++) {
    const msgpack_object_kv *kv = &map->via.map.ptr[i];
    if (kv->key.type == MSGPACK_OBJECT_STR && text_is(kv->key.via.str.ptr, kv->key.via.str.size, key))
      return &kv->val;
  }
  return NULL;
}

int wire_read_uint(const msgpack_object *object, uint64_t max, uint64_t *out, const char *where,
                   struct errtext *err) {
  if (object->type != MSGPACK_OBJECT_POSITIVE_INTEGER || object->via.u64 > max)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: an integer from 0 to %" PRIu64 " is wanted", where, max);
  *out = object->via.u64;
  return 0;
}

int wire_read_bool(const msgpack_object *o, bool *out, const char *where, struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_BOOLEAN)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: true or false is wanted", where);
  *out = o->via.boolean;
  return 0;
}

int wire_read_int(const msgpack_object *o, int64_t *out, const char *where, struct errtext *err) {
  if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
    *out = o->via.i64;
  else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
    *out = (int64_t)o->via.u64;
  else
    return errtext_set(err, NUMD_EPROTOCOL, "%s: an integer of 64 bits is wanted", where);
  return 0;
}

int wire_check_keys(const msgpack_object *map, const char *const keys[], const char *where,
                    struct errtext *err) {
  if (map->type != MSGPACK_OBJECT_MAP)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: a map is wanted", where);
  for (uint32_t i = 0; i < map->via.map.size; i++) {
    const msgpack_object *key = &map->via.map.ptr[i].key;
    if (key->type != MSGPACK_OBJECT_STR)
      return errtext_set(err, NUMD_EPROTOCOL, "%s: keys must be strings", where);
    const char *const *k = keys;
    while (*k && !text_is(key->via.str.ptr, key->via.str.size, *k))
      k++;
    if (!*k)
      return errtext_set(err, NUMD_EPROTOCOL, "%s: unknown key '%.*s'", where, wire_clip(key->via.str.size),
                         key->via.str.ptr);
  }
  return 0;
}

struct wire_place wire_place_item(const char *list, uint32_t i, const char *rest) {
  struct wire_place p;
  snprintf(p.text, sizeof(p.text), "%s[%" PRIu32 "]%s", list, i, rest);
  return p;
}

struct wire_place wire_place_member(const char *where, const char *member) {
  struct wire_place p;
  snprintf(p.text, sizeof(p.text), "%s.%s", where, member);
  return p;
}

int wire_clip(uint32_t size) {
  return size < 40 ? (int)size : 40;
}
