/* SPDX-License-Identifier: BSD-3-Clause */
/* The control plane's codec: msgpack-RPC frames to and from structs, for both sides.
 *
 * Untrusted bytes go through wire_scan first, which bounds size, depth and element counts before
 * msgpack-c allocates anything for them. */
#ifndef NUMD_PROTOCOL_WIRE_H
#define NUMD_PROTOCOL_WIRE_H

#include <msgpack.h>
#include <stdint.h>

#include "protocol/program.h"
#include "protocol/request.h"
#include "shared/errtext.h"

#define WIRE_VERSION 1
#define WIRE_FRAME_MAX (1u << 20) /* bytes of a frame */
#define WIRE_DEPTH_MAX 8
#define WIRE_ITEMS_MAX 65536 /* values in a frame, containers and their contents */

/* Looks for one whole frame at the start of buf. 1: there is one, *frame_bytes long; 0: more bytes are
 * needed, *frame_bytes altogether at least; -EPROTO: not msgpack, too large, too deep or too many values,
 * with a sentence. Allocates nothing. */
int wire_scan(const void *buf, size_t len, size_t *frame_bytes, struct errtext *err);

enum wire_type { WIRE_REQUEST = 0, WIRE_RESPONSE = 1, WIRE_NOTIFY = 2 };

/* A decoded frame. Its objects point into `unpacked` and `copy`, which wire_free releases; the buffer that
 * was parsed may be used again. */
struct wire_message {
  enum wire_type type;
  uint32_t msgid;
  const char *method; /* requests and notifications; not terminated */
  size_t method_len;
  msgpack_object params; /* requests and notifications: an array */
  msgpack_object error;  /* responses: nil, or [number, name, sentence] */
  msgpack_object result;
  msgpack_unpacked unpacked;
  char *copy;
};

/* Decodes a frame that wire_scan found. 0, EPROTOCOL or ENOMEMORY with a sentence. */
int wire_parse(const void *frame, size_t len, struct wire_message *out, struct errtext *err);
void wire_free(struct wire_message *message);

void wire_pack_request(msgpack_packer *pk, uint32_t msgid, const char *method); /* then params */
void wire_pack_error(msgpack_packer *pk, uint32_t msgid, int status, const char *sentence);
/* The notification with which a server ends a connection for a reason: goodbye [number, name, sentence]. */
void wire_pack_goodbye(msgpack_packer *pk, int status, const char *sentence);
void wire_pack_result(msgpack_packer *pk, uint32_t msgid); /* then the result */
void wire_pack_str(msgpack_packer *pk, const char *s);
void wire_pack_number(msgpack_packer *pk, const char *key, uint64_t value); /* a member of a map */

/* A program as `prepare` takes it; a layout as [dtype, shape, strides]. */
void wire_pack_program(msgpack_packer *pk, struct program_lists program);
/* 0, EPROTOCOL, EOP, EDTYPE, EINVAL or ELIMIT, with a sentence that names the place at fault, as
 * "ops[3].inputs[1]". */
int wire_read_program(const msgpack_object *object, struct program *out, struct errtext *err);
void wire_pack_layout(msgpack_packer *pk, const struct layout *layout);
int wire_read_layout(const msgpack_object *object, struct layout *out, const char *where,
                     struct errtext *err);

/* The value of a key of a map; NULL if there is none. */
const msgpack_object *wire_get(const msgpack_object *map, const char *key);

/* EPROTOCOL if the object is not a map, or has a key that is not in the NULL-terminated list. */
int wire_check_keys(const msgpack_object *map, const char *const keys[], const char *where,
                    struct errtext *err);
/* How many bytes of a peer's text of `size` bytes a sentence quotes, for "%.*s". */
int wire_clip(uint32_t size);

/* The place in a message at which something is wrong, as its sender would write it: "ops[3].params.axis".
 * Bounded, so that every sentence has room for it. */
struct wire_place {
  char text[64];
};
struct wire_place wire_place_item(const char *list, uint32_t i, const char *rest);
struct wire_place wire_place_member(const char *where, const char *member);

/* The parameters of an operation as a map, by the names in NUMD_PARAM_LIST: what is not given is absent or
 * nil. op->code is set before. EPROTOCOL, EDTYPE, ELIMIT, or EINVAL: the operation does not take the
 * parameter, or no shape could make sense of the value. */
void wire_pack_params(msgpack_packer *pk, const struct op *op);
int wire_read_params(const msgpack_object *object, struct op *op, const char *where, struct errtext *err);
int wire_read_dtype(const msgpack_object *object, uint8_t *out, const char *where, struct errtext *err);

/* One element of a dtype as a native msgpack value, a complex one as [re, im]; `item` is the element as it
 * lies in an array. A float is also read from an integer, and a complex number from a real one; any other
 * difference of kinds is EPROTOCOL. ERANGE: the value does not fit. */
void wire_pack_item(msgpack_packer *pk, unsigned dtype, const void *item);
int wire_read_item(const msgpack_object *object, unsigned dtype, void *item, const char *where,
                   struct errtext *err);

/* Read one value of a type from an object: 0, or EPROTOCOL with a sentence that names `where`. */
int wire_read_int(const msgpack_object *object, int64_t *out, const char *where, struct errtext *err);
int wire_read_bool(const msgpack_object *object, bool *out, const char *where, struct errtext *err);
int wire_read_real(const msgpack_object *object, double *out, const char *where, struct errtext *err);
int wire_read_uint(const msgpack_object *object, uint64_t max, uint64_t *out, const char *where,
                   struct errtext *err);

#endif
