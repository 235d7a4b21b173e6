/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods about memory: attach, detach, share. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/worker/methods_impl.h"

#define NAME_BYTES_MAX 255

/* Opens an object by name with this process's rights, which are the client's. The sentence of a refusal does
 * not tell whether there is such an object. */
static int open_name(const msgpack_object *o, int *fd, struct errtext *err) {
  char name[NAME_BYTES_MAX + 2] = "/";
  if (o->type != MSGPACK_OBJECT_STR)
    return errtext_set(err, NUMD_EPROTOCOL, "name: a string is wanted");
  const char *s = o->via.str.ptr;
  size_t n = o->via.str.size;
  if (n > 0 && s[0] == '/') {
    s++;
    n--;
  }
  bool dots = (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.');
  if (n == 0 || n > NAME_BYTES_MAX || dots || memchr(s, '/', n) || memchr(s, '\0', n))
    return errtext_set(err, NUMD_EINVAL, "name: 1 to %d bytes without a slash are wanted", NAME_BYTES_MAX);
  memcpy(name + 1, s, n);
  *fd = shm_open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
  if (*fd < 0)
    return errtext_set(err, NUMD_EACCESS, "there is no such object, or it may not be opened");
  return 0;
}

static int read_token(const msgpack_object *o, uint8_t token[CONTROL_TOKEN_BYTES], struct errtext *err) {
  if (o->type != MSGPACK_OBJECT_BIN || o->via.bin.size != CONTROL_TOKEN_BYTES)
    return errtext_set(err, NUMD_EPROTOCOL, "token: %d bytes are wanted", CONTROL_TOKEN_BYTES);
  memcpy(token, o->via.bin.ptr, CONTROL_TOKEN_BYTES);
  return 0;
}

/* Sends a copy of the descriptor of an imported object beside the response, and remembers the token in the
 * segment. */
static int answer_import(struct method_request *r, uint64_t id, const uint8_t token[CONTROL_TOKEN_BYTES],
                         struct errtext *err) {
  struct segment *segment = NULL;
  int status = session_segment(r->session, id, &segment, err);
  if (status != 0)
    return status;
  segment->has_token = true;
  memcpy(segment->token, token, CONTROL_TOKEN_BYTES);
  int copy = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0 && door_put_fd(&r->worker->door, r->mark, copy) == 0)
    return 0;
  session_detach(r->session, id, err);
  return errtext_set(err, NUMD_ELIMIT, "no descriptor is left to answer with");
}

/* [id, {"name": str} | {"fd": true} | {"token": bin}] */
int method_attach(struct method_request *r, struct errtext *err) {
  static const char *const keys[] = {"name", "fd", "token", NULL};
  const msgpack_object *how = &r->params[1], *name, *by_fd, *by_token;
  uint8_t token[CONTROL_TOKEN_BYTES];
  uint64_t id = 0, bytes = 0;
  bool yes = false;
  int fd = -1, status = wire_check_keys(how, keys, "attach", err);
  name = wire_get(how, "name");
  by_fd = wire_get(how, "fd");
  by_token = wire_get(how, "token");
  if (by_fd && status == 0)
    status = wire_read_bool(by_fd, &yes, "fd", err);
  if (status == 0 && (!!name + yes + !!by_token != 1 || how->via.map.size != 1))
    status = errtext_set(err, NUMD_EPROTOCOL, "attach: one of name, fd and token is wanted");
  /* The descriptor is claimed even if the request is refused, or the next request would get it as its own. */
  if (yes && (fd = door_take_fd(&r->worker->door)) < 0 && status == 0)
    status = errtext_set(err, NUMD_EDESCRIPTOR,
                         fd == DOOR_FD_NONE ? "no descriptor came with the request" : SESSION_NOT_MEMORY);
  if (status == 0)
    status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0 && name)
    status = r->worker->guest ? errtext_set(err, NUMD_EACCESS,
                                            "name: the worker has rights that the client does not "
                                            "have; send a descriptor instead")
                              : open_name(name, &fd, err);
  if (status == 0 && by_token && (status = read_token(by_token, token, err)) == 0)
    status = worker_import(r->worker, token, &fd, err);
  if (status != 0) {
    if (fd >= 0)
      close(fd);
    return status;
  }
  status = session_attach(r->session, id, fd, &bytes, err);
  if (by_token && status == 0)
    status = answer_import(r, id, token, err);
  if (by_token && status != 0)
    worker_drop(r->worker, token);
  if (status != 0)
    return status;
  msgpack_pack_map(r->pk, 1);
  wire_pack_number(r->pk, "bytes", bytes);
  return 0;
}

int method_detach(struct method_request *r, struct errtext *err) {
  struct segment *segment = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0)
    status = session_segment(r->session, id, &segment, err);
  if (status != 0)
    return status;
  bool had_token = segment->has_token;
  uint8_t token[CONTROL_TOKEN_BYTES];
  memcpy(token, segment->token, sizeof(token));
  status = session_detach(r->session, id, err);
  if (status != 0)
    return status;
  if (had_token)
    worker_drop(r->worker, token);
  worker_reap(r->worker);
  msgpack_pack_nil(r->pk);
  return 0;
}

int method_share(struct method_request *r, struct errtext *err) {
  struct segment *segment = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0)
    status = session_segment(r->session, id, &segment, err);
  if (status == 0 && !segment->has_token)
    status = worker_share(r->worker, segment->fd, segment->token, err);
  if (status != 0)
    return status;
  segment->has_token = true;
  msgpack_pack_bin_with_body(r->pk, segment->token, CONTROL_TOKEN_BYTES);
  return 0;
}
