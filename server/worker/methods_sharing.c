/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods about who holds which block of a shared object, and about published names. The supervisor's broker
 * knows both, so these methods pass the question on to it. */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/worker/methods_impl.h"
#include "shared/memfd.h"

#define RETURNED_MAX 4096 /* blocks asked for at once */

/* Puts the token of the segment that a param names into the message; ESEGMENT if it has none. */
static int shared_segment(struct method_request *r, const msgpack_object *param, struct control_message *m,
                          struct errtext *err) {
  struct segment *segment = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(param, UINT32_MAX, &id, "segment", err);
  if (status == 0)
    status = session_segment(r->session, id, &segment, err);
  if (status == 0 && !segment->has_token)
    status = errtext_set(err, NUMD_ESEGMENT, "segment %u is not shared", (unsigned)id);
  if (status == 0)
    memcpy(m->token, segment->token, CONTROL_TOKEN_BYTES);
  return status;
}

static int shared_block(struct method_request *r, struct control_message *m, struct errtext *err) {
  int status = shared_segment(r, &r->params[0], m, err);
  return status ? status : wire_read_uint(&r->params[1], UINT64_MAX, &m->first, "block", err);
}

/* [segment, block] */
int method_lend(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_LEND};
  int status = shared_block(r, &m, err);
  if (status == 0)
    status = worker_ask(r->worker, &m, NULL, err);
  if (status == 0)
    msgpack_pack_uint64(r->pk, m.ticket);
  return status;
}

/* [segment, block, ticket] */
int method_take(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_TAKE};
  int status = shared_block(r, &m, err);
  if (status == 0)
    status = wire_read_uint(&r->params[2], UINT64_MAX, &m.ticket, "ticket", err);
  if (status == 0)
    status = worker_ask(r->worker, &m, NULL, err);
  if (status == NUMD_ESEGMENT)
    return errtext_set(err, status, "block %llu: nobody holds it any more", (unsigned long long)m.first);
  if (status == 0)
    msgpack_pack_nil(r->pk);
  return status;
}

/* [segment, block] */
int method_give(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_GIVE};
  int status = shared_block(r, &m, err);
  if (status != 0)
    return status;
  worker_give(r->worker, m.token, m.first);
  msgpack_pack_nil(r->pk);
  return 0;
}

/* [segment, [block, ...]] */
int method_returned(struct method_request *r, struct errtext *err) {
  struct control_message m = {0};
  const msgpack_object *list = &r->params[1];
  int status = shared_segment(r, &r->params[0], &m, err);
  if (status == 0 && (list->type != MSGPACK_OBJECT_ARRAY || list->via.array.size > RETURNED_MAX))
    status = errtext_set(err, NUMD_EPROTOCOL, "blocks: an array of at most %d is wanted", RETURNED_MAX);
  if (status != 0)
    return status;
  msgpack_pack_array(r->pk, list->via.array.size);
  for (uint32_t i = 0; status == 0 && i < list->via.array.size; i++) {
    m.type = CONTROL_IS_FREE;
    status = wire_read_uint(&list->via.array.ptr[i], UINT64_MAX, &m.first, "blocks", err);
    if (status == 0)
      status = worker_ask(r->worker, &m, NULL, err);
    if (m.flag)
      msgpack_pack_true(r->pk);
    else
      msgpack_pack_false(r->pk);
  }
  return status;
}

static int read_name(const msgpack_object *o, char name[CONTROL_NAME_BYTES], struct errtext *err) {
  bool good = o->type == MSGPACK_OBJECT_STR && o->via.str.size > 0 && o->via.str.size < CONTROL_NAME_BYTES;
  for (uint32_t i = 0; good && i < o->via.str.size; i++) {
    unsigned char ch = (unsigned char)o->via.str.ptr[i];
    good = ch > 0 && ch < 128 && (isalnum(ch) || strchr("._-/:+@", ch));
  }
  if (!good)
    return errtext_set(err, NUMD_EINVAL, "name: 1 to %d letters, digits and . _ - / : + @ are wanted",
                       CONTROL_NAME_BYTES - 1);
  memcpy(name, o->via.str.ptr, o->via.str.size);
  name[o->via.str.size] = '\0';
  return 0;
}

static int about_name(const char *name, int status, struct errtext *err) {
  return status == NUMD_ESEGMENT ? errtext_set(err, status, "no array is published as %s", name) : status;
}

/* [name, segment, block, note, replace] */
int method_publish(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_PUBLISH};
  const msgpack_object *note = &r->params[3];
  bool replace = false;
  int status = read_name(&r->params[0], m.name, err);
  if (status == 0)
    status = shared_segment(r, &r->params[1], &m, err);
  if (status == 0)
    status = wire_read_uint(&r->params[2], UINT64_MAX, &m.first, "block", err);
  if (status == 0 && (note->type != MSGPACK_OBJECT_BIN || note->via.bin.size > CONTROL_NOTE_BYTES))
    status = errtext_set(err, NUMD_EPROTOCOL, "note: at most %d bytes are wanted", CONTROL_NOTE_BYTES);
  if (status == 0)
    status = wire_read_bool(&r->params[4], &replace, "replace", err);
  if (status != 0)
    return status;
  m.flag = replace;
  m.note_bytes = note->via.bin.size;
  memcpy(m.note, note->via.bin.ptr, m.note_bytes);
  status = worker_ask(r->worker, &m, NULL, err);
  if (status == 0)
    msgpack_pack_nil(r->pk);
  return status;
}

/* [name] */
int method_open(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_OPEN};
  int status = read_name(&r->params[0], m.name, err);
  if (status == 0)
    status = about_name(m.name, worker_ask(r->worker, &m, NULL, err), err);
  if (status != 0)
    return status;
  msgpack_pack_map(r->pk, 4);
  wire_pack_str(r->pk, "token");
  msgpack_pack_bin_with_body(r->pk, m.token, CONTROL_TOKEN_BYTES);
  wire_pack_number(r->pk, "block", m.first);
  wire_pack_number(r->pk, "ticket", m.ticket);
  wire_pack_str(r->pk, "note");
  msgpack_pack_bin_with_body(r->pk, m.note, m.note_bytes);
  return 0;
}

/* [name] */
int method_unpublish(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_UNPUBLISH};
  int status = read_name(&r->params[0], m.name, err);
  if (status == 0)
    status = about_name(m.name, worker_ask(r->worker, &m, NULL, err), err);
  if (status == 0)
    msgpack_pack_nil(r->pk);
  return status;
}

/* [] */
int method_memory(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_MEMORY};
  struct stat st;
  static char text[WIRE_FRAME_MAX];
  int fd = -1, status = worker_ask(r->worker, &m, &fd, err);
  if (status != 0)
    return status;
  ssize_t n = fd >= 0 && memfd_stat(fd, &st) == 0 && st.st_size < WIRE_FRAME_MAX - 4096
                  ? pread(fd, text, (size_t)st.st_size, 0)
                  : -1;
  if (fd >= 0)
    close(fd);
  if (n <= 0)
    return errtext_set(err, NUMD_ELIMIT, "the list of segments is too long for an answer");
  msgpack_pack_str(r->pk, (size_t)n);
  msgpack_pack_str_body(r->pk, text, (size_t)n);
  return 0;
}
