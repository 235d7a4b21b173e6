/* The methods of the socket door: one row a method, one function a row.
 *
 * A function reads its params, does the work through the session, and packs its result behind the response
 * header that is already there; or it returns a status with a sentence, and what it packed is taken back.
 * MEANT_LATER: the answer will be put out when a long call is done. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "server/board.h"
#include "server/door_ring.h"
#include "server/log.h"
#include "server/methods.h"
#include "server/stats.h"
#include "server/version.h"
#include "server/worker.h"

#define MEANT_LATER (-1)
#define NAME_BYTES_MAX 255

struct method_call {
  struct worker *worker;
  struct session *session;
  msgpack_packer *pk;
  size_t mark; /* where the response begins */
  uint32_t msgid;
  const msgpack_object *params;
};

struct method {
  const char *name;
  uint32_t n_params;
  bool may_notify;
  int (*run)(struct method_call *call, struct errtext *err);
};

static void pack_number(msgpack_packer *pk, const char *key, uint64_t value) {
  wire_pack_str(pk, key);
  msgpack_pack_uint64(pk, value);
}

/* [version, {"client": str, "pid": int}] */
static int run_hello(struct method_call *c, struct errtext *err) {
  static const char *const keys[] = {"client", "pid", NULL};
  uint64_t version = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &version, "version", err);
  if (status == 0)
    status = wire_check_keys(&c->params[1], keys, "hello", err);
  if (status != 0)
    return status;
  if (version != WIRE_VERSION)
    return errtext_set(err, NUMD_EVERSION, "this daemon speaks version %d, not %" PRIu64, WIRE_VERSION,
                       version);
  c->worker->door.said_hello = true;
  uv_timer_stop(&c->worker->door.hello_timer);
  msgpack_pack_map(c->pk, 5);
  pack_number(c->pk, "version", WIRE_VERSION);
  wire_pack_str(c->pk, "server");
  wire_pack_str(c->pk, "numd " NUMD_SERVER_VERSION);
  pack_number(c->pk, "pid", (uint64_t)getpid());
  pack_number(c->pk, "cores", c->worker->board->n_cores);
  wire_pack_str(c->pk, "limits");
  msgpack_pack_map(c->pk, 13);
  pack_number(c->pk, "frame_bytes", WIRE_FRAME_MAX);
  pack_number(c->pk, "depth", WIRE_DEPTH_MAX);
  pack_number(c->pk, "items", WIRE_ITEMS_MAX);
  pack_number(c->pk, "segments", MAX_SEGMENTS);
  pack_number(c->pk, "segment_bytes", session_segment_bytes_max());
  pack_number(c->pk, "plans", MAX_PLANS);
  pack_number(c->pk, "channels", MAX_CHANNELS);
  pack_number(c->pk, "dims", MAX_DIMS);
  pack_number(c->pk, "bindings", MAX_BINDINGS);
  pack_number(c->pk, "operands", MAX_OPERANDS);
  pack_number(c->pk, "ops", MAX_OPS);
  pack_number(c->pk, "outputs", MAX_OUTPUTS);
  pack_number(c->pk, "calls", LONG_CALLS_MAX);
  return 0;
}

/* Opens an object by name with this process's rights, which are the client's. The sentence does not tell
 * whether such an object exists. */
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

/* Sends a copy of a token's object beside the response, and remembers the token for the segment. */
static int answer_import(struct method_call *c, uint64_t id, const uint8_t token[CONTROL_TOKEN_BYTES],
                         struct errtext *err) {
  struct segment *segment = NULL;
  int status = session_segment(c->session, id, &segment, err);
  if (status != 0)
    return status;
  segment->has_token = true;
  memcpy(segment->token, token, CONTROL_TOKEN_BYTES);
  int copy = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
  if (copy >= 0 && door_put_fd(&c->worker->door, c->mark, copy) == 0)
    return 0;
  session_detach(c->session, id, err);
  return errtext_set(err, NUMD_ELIMIT, "no descriptor is left to answer with");
}

/* [id, {"name": str} | {"fd": true} | {"token": bin}] */
static int run_attach(struct method_call *c, struct errtext *err) {
  static const char *const keys[] = {"name", "fd", "token", NULL};
  const msgpack_object *how = &c->params[1], *name, *by_fd, *by_token;
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
  /* The descriptor is claimed in any case, so that it is not taken for the next request's. */
  if (yes && (fd = door_take_fd(&c->worker->door)) < 0 && status == 0)
    status = errtext_set(
        err, NUMD_EDESCRIPTOR,
        fd == DOOR_FD_NONE ? "no descriptor came with the request" : "the descriptor is not a file");
  if (status == 0)
    status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0 && name)
    status = open_name(name, &fd, err);
  if (status == 0 && by_token && (status = read_token(by_token, token, err)) == 0)
    status = worker_import(c->worker, token, &fd, err);
  if (status != 0) {
    if (fd >= 0)
      close(fd);
    return status;
  }
  status = session_attach(c->session, id, fd, &bytes, err);
  if (by_token && status == 0)
    status = answer_import(c, id, token, err);
  if (by_token && status != 0)
    worker_drop(c->worker, token);
  if (status != 0)
    return status;
  msgpack_pack_map(c->pk, 1);
  pack_number(c->pk, "bytes", bytes);
  return 0;
}

static int run_detach(struct method_call *c, struct errtext *err) {
  struct segment *segment = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0)
    status = session_segment(c->session, id, &segment, err);
  if (status != 0)
    return status;
  bool had_token = segment->has_token;
  uint8_t token[CONTROL_TOKEN_BYTES];
  memcpy(token, segment->token, sizeof(token));
  status = session_detach(c->session, id, err);
  if (status != 0)
    return status;
  if (had_token)
    worker_drop(c->worker, token);
  worker_reap(c->worker);
  msgpack_pack_nil(c->pk);
  return 0;
}

static int run_share(struct method_call *c, struct errtext *err) {
  struct segment *segment = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "segment", err);
  if (status == 0)
    status = session_segment(c->session, id, &segment, err);
  if (status == 0 && !segment->has_token)
    status = worker_share(c->worker, segment->fd, segment->token, err);
  if (status != 0)
    return status;
  segment->has_token = true;
  msgpack_pack_bin_with_body(c->pk, segment->token, CONTROL_TOKEN_BYTES);
  return 0;
}

static void count_channels(struct method_call *c) {
  atomic_store_explicit(&c->worker->board->entries[c->worker->entry].channels,
                        ring_door_n_channels(c->session->ring), memory_order_relaxed);
}

/* [{"wait": "auto"|"spin"|"handoff"|"sleep"}] */
static int run_open_channel(struct method_call *c, struct errtext *err) {
  static const char *const keys[] = {"wait", NULL};
  static const char *const names[] = {"auto", "spin", "handoff", "sleep"};
  const msgpack_object *wait = wire_get(&c->params[0], "wait");
  unsigned policy = WAIT_AUTO;
  uint32_t id = 0;
  uint64_t bytes = 0;
  int fd = -1, status = wire_check_keys(&c->params[0], keys, "open_channel", err);
  if (status != 0)
    return status;
  if (wait) {
    const char *s = wait->type == MSGPACK_OBJECT_STR ? wait->via.str.ptr : "";
    size_t n = wait->type == MSGPACK_OBJECT_STR ? wait->via.str.size : 0;
    while (policy < 4 && (strlen(names[policy]) != n || memcmp(names[policy], s, n) != 0))
      policy++;
    if (policy == 4)
      return errtext_set(err, NUMD_EINVAL, "wait: auto, spin, handoff or sleep is wanted");
  }
  status = ring_door_open(c->session->ring, (enum wait_policy)policy, &id, &fd, &bytes, err);
  if (status != 0)
    return status;
  if (door_put_fd(&c->worker->door, c->mark, fd) != 0) {
    ring_door_close(c->session->ring, id, err);
    return errtext_set(err, NUMD_ELIMIT, "no descriptor is left to answer with");
  }
  count_channels(c);
  msgpack_pack_map(c->pk, 2);
  pack_number(c->pk, "channel", id);
  pack_number(c->pk, "bytes", bytes);
  return 0;
}

static int run_close_channel(struct method_call *c, struct errtext *err) {
  uint64_t id = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "channel", err);
  if (status == 0)
    status = ring_door_close(c->session->ring, id, err);
  if (status != 0)
    return status;
  count_channels(c);
  worker_reap(c->worker);
  msgpack_pack_nil(c->pk);
  return 0;
}

/* [id, program] */
static int run_prepare(struct method_call *c, struct errtext *err) {
  struct program program;
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "plan", err);
  if (status == 0)
    status = wire_read_program(&c->params[1], &program, err);
  if (status == 0)
    status = session_prepare(c->session, id, &program, &plan, err);
  if (status != 0)
    return status;
  int n = plan_n_outputs(plan);
  msgpack_pack_map(c->pk, 4);
  wire_pack_str(c->pk, "outputs");
  msgpack_pack_array(c->pk, (size_t)n);
  for (int i = 0; i < n; i++)
    wire_pack_layout(c->pk, plan_output(plan, i));
  pack_number(c->pk, "bindings", plan_n_bindings(plan));
  pack_number(c->pk, "cost_ns", plan_cost_ns(plan));
  wire_pack_str(c->pk, "parallel");
  plan_is_parallel(plan) ? msgpack_pack_true(c->pk) : msgpack_pack_false(c->pk);
  return 0;
}

/* The plan that a param names. */
static int find_plan(struct method_call *c, uint64_t *id, struct plan **plan, struct errtext *err) {
  int status = wire_read_uint(&c->params[0], UINT32_MAX, id, "plan", err);
  if (status != 0)
    return status;
  *plan = *id < MAX_PLANS ? atomic_load_explicit(&c->session->plans[*id], memory_order_relaxed) : NULL;
  return *plan ? 0 : errtext_set(err, NUMD_EPLAN, "there is no plan %" PRIu64, *id);
}

static int run_explain(struct method_call *c, struct errtext *err) {
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = find_plan(c, &id, &plan, err);
  if (status != 0)
    return status;
  char *text = plan_explain(plan);
  if (!text)
    return errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  wire_pack_str(c->pk, text);
  free(text);
  return 0;
}

static int run_release(struct method_call *c, struct errtext *err) {
  uint64_t id = 0;
  int status = wire_read_uint(&c->params[0], UINT32_MAX, &id, "plan", err);
  if (status == 0)
    status = session_release(c->session, id, err);
  if (status != 0)
    return status;
  worker_reap(c->worker);
  msgpack_pack_nil(c->pk);
  return 0;
}

/* One binding: [segment, offset], or a native value where the plan wants a scalar. */
static int read_binding(const msgpack_object *o, int scalar_dtype, uint64_t *out, uint32_t i,
                        struct errtext *err) {
  uint64_t segment = 0, offset = 0;
  char where[32];
  snprintf(where, sizeof(where), "bindings[%" PRIu32 "]", i);
  if (scalar_dtype >= 0) {
    *out = 0;
    return wire_read_item(o, (unsigned)scalar_dtype, out, where, err);
  }
  if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 2)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: [segment, offset] is wanted", where);
  int status = wire_read_uint(&o->via.array.ptr[0], UINT32_MAX, &segment, where, err);
  if (status == 0)
    status = wire_read_uint(&o->via.array.ptr[1], UINT64_MAX, &offset, where, err);
  if (status != 0)
    return status;
  if (segment >= MAX_SEGMENTS)
    return errtext_set(err, NUMD_ESEGMENT, "%s: there is no segment %" PRIu64, where, segment);
  if (offset > BINDING_OFFSET_MAX)
    return errtext_set(err, NUMD_EBOUNDS, "%s: offset %" PRIu64 " leaves the segment", where, offset);
  *out = binding_make((uint32_t)segment, offset);
  return 0;
}

static int read_request(struct method_call *c, const struct plan *plan, struct request *request,
                        struct errtext *err) {
  const msgpack_object *list = &c->params[1];
  int status = 0;
  request->n_bindings = plan_n_bindings(plan);
  if (list->type != MSGPACK_OBJECT_ARRAY)
    return errtext_set(err, NUMD_EPROTOCOL, "bindings: an array is wanted");
  if (list->via.array.size != request->n_bindings)
    return errtext_set(err, NUMD_EINVAL, "bindings: the plan wants %" PRIu32 ", not %" PRIu32,
                       request->n_bindings, list->via.array.size);
  for (uint32_t i = 0; i < request->n_bindings && status == 0; i++)
    status = read_binding(&list->via.array.ptr[i], plan_scalar_dtype(plan, i), &request->bindings[i], i, err);
  return status;
}

static int completion_status(const struct completion *completion, struct errtext *err) {
  const char *message = status_message(completion->status);
  if (completion->status == NUMD_OK)
    return 0;
  if (completion->detail == NO_DETAIL)
    return errtext_set(err, completion->status, "%s", message);
  return errtext_set(err, completion->status, "bindings[%" PRIu32 "]: %s", completion->detail, message);
}

static void pack_result(msgpack_packer *pk, int dtype, const struct completion *completion) {
  if (dtype < 0)
    msgpack_pack_nil(pk);
  else
    wire_pack_item(pk, (unsigned)dtype, completion->result);
}

/* [plan, [binding, ...]] */
static int run_call(struct method_call *c, struct errtext *err) {
  struct completion completion;
  struct request request;
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = find_plan(c, &id, &plan, err);
  if (status == 0)
    status = read_request(c, plan, &request, err);
  if (status != 0)
    return status;
  struct board_entry *entry = &c->worker->board->entries[c->worker->entry];
  atomic_fetch_add_explicit(&entry->calls_socket, 1, memory_order_relaxed);
  request.plan_id = (uint32_t)id;
  int dtype = plan_result_dtype(plan);
  if (plan_cost_ns(plan) > LONG_CALL_NS) {
    status = long_call_start(&c->worker->long_calls, c->msgid, dtype, &request);
    return status == 0 ? MEANT_LATER : errtext_set(err, status, "too many calls are under way");
  }
  session_run(c->session, c->worker->runner, &request, &completion);
  status = completion_status(&completion, err);
  if (status == 0)
    pack_result(c->pk, dtype, &completion);
  return status;
}

void methods_long_call_done(void *data, uint32_t msgid, int result_dtype,
                            const struct completion *completion) {
  struct worker *worker = data;
  struct door_socket *door = &worker->door;
  struct errtext err;
  if (door->closing)
    return;
  int status = completion_status(completion, &err);
  if (status == 0) {
    wire_pack_result(&door->pk, msgid);
    pack_result(&door->pk, result_dtype, completion);
  } else {
    methods_count_error(worker);
    wire_pack_error(&door->pk, msgid, status, err.text);
  }
  door_flush(door);
}

/* [{"channel": c, "call": n}] or [{"msgid": n}] */
static int run_cancel(struct method_call *c, struct errtext *err) {
  static const char *const keys[] = {"channel", "call", "msgid", NULL};
  const msgpack_object *map = &c->params[0];
  uint64_t channel = 0, number = 0, msgid = 0;
  int status = wire_check_keys(map, keys, "cancel", err);
  const msgpack_object *ch = wire_get(map, "channel"), *n = wire_get(map, "call"),
                       *id = wire_get(map, "msgid");
  if (status == 0 && !(ch && n && !id) && !(id && !ch && !n))
    status = errtext_set(err, NUMD_EPROTOCOL, "cancel: channel and call, or msgid, are wanted");
  if (status == 0 && id)
    status = wire_read_uint(id, UINT32_MAX, &msgid, "msgid", err);
  if (status == 0 && ch)
    status = wire_read_uint(ch, UINT32_MAX, &channel, "channel", err);
  if (status == 0 && n)
    status = wire_read_uint(n, UINT64_MAX, &number, "call", err);
  if (status == 0 && ch)
    status = ring_door_cancel(c->session->ring, channel, number, err);
  if (status != 0)
    return status;
  if (id)
    long_call_cancel(&c->worker->long_calls, (uint32_t)msgid);
  msgpack_pack_nil(c->pk);
  return 0;
}

static int run_stats(struct method_call *c, struct errtext *err) {
  stats_pack(c->pk, c->worker->board);
  return 0;
}

static int run_ping(struct method_call *c, struct errtext *err) {
  msgpack_pack_nil(c->pk);
  return 0;
}

/* The most frequent first. */
static const struct method methods[] = {
    {"call", 2, false, run_call},
    {"prepare", 2, false, run_prepare},
    {"release", 1, true, run_release},
    {"ping", 0, true, run_ping},
    {"attach", 2, false, run_attach},
    {"detach", 1, true, run_detach},
    {"share", 1, false, run_share},
    {"cancel", 1, true, run_cancel},
    {"explain", 1, false, run_explain},
    {"open_channel", 1, false, run_open_channel},
    {"close_channel", 1, false, run_close_channel},
    {"stats", 0, false, run_stats},
    {"hello", 2, false, run_hello},
};

static const struct method *find_method(const struct wire_message *m) {
  for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
    if (strlen(methods[i].name) == m->method_len && memcmp(methods[i].name, m->method, m->method_len) == 0)
      return &methods[i];
  return NULL;
}

/* Whether the message may be run now, as this method. */
static int check_message(const struct door_socket *door, const struct wire_message *m,
                         const struct method *method, struct errtext *err) {
  bool hello = method && method->run == run_hello;
  if (!method)
    return errtext_set(err, NUMD_EMETHOD, "there is no method '%.*s'", wire_clip((uint32_t)m->method_len),
                       m->method);
  if (!door->said_hello && !hello)
    return errtext_set(err, NUMD_EPROTOCOL, "hello must come first");
  if (door->said_hello && hello)
    return errtext_set(err, NUMD_EPROTOCOL, "hello was said already");
  if (m->params.via.array.size != method->n_params)
    return errtext_set(err, NUMD_EPROTOCOL, "%s: %" PRIu32 " params are wanted, not %" PRIu32, method->name,
                       method->n_params, m->params.via.array.size);
  return 0;
}

void methods_count_error(struct worker *worker) {
  atomic_fetch_add_explicit(&worker->board->entries[worker->entry].errors, 1, memory_order_relaxed);
}

void methods_handle(struct door_socket *door, struct wire_message *m) {
  struct errtext err = {""};
  struct method_call call = {.worker = door->worker,
                             .session = door->worker->session,
                             .pk = &door->pk,
                             .mark = door_mark(door),
                             .msgid = m->msgid};
  bool notify = m->type == WIRE_NOTIFY;
  if (m->type == WIRE_RESPONSE) {
    door_goodbye(door, NUMD_EPROTOCOL, "a client does not send responses");
    return;
  }
  const struct method *method = find_method(m);
  if (notify && (!method || !method->may_notify)) {
    door_goodbye(door, NUMD_EPROTOCOL, "'%.*s' is no notification", wire_clip((uint32_t)m->method_len),
                 m->method);
    return;
  }
  int status = check_message(door, m, method, &err);
  if (status == 0) {
    call.params = m->params.via.array.ptr;
    wire_pack_result(call.pk, call.msgid);
    status = method->run(&call, &err);
  }
  if (status != 0 || notify)
    door_rewind(door, call.mark);
  if (status > 0)
    methods_count_error(door->worker);
  if (status > 0 && !notify)
    wire_pack_error(call.pk, call.msgid, status, err.text);
}
