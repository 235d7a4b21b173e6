/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the socket door: their table, and the small ones. What methods take and give is written down
 * in protocol/PROTOCOL.md. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "protocol/version.h"
#include "server/engine/pool.h"
#include "server/host/machine.h"
#include "server/host/scoreboard.h"
#include "server/worker/door_ring.h"
#include "server/worker/methods_impl.h"
#include "server/worker/stats.h"
#include "shared/text.h"

struct method {
  const char *name;
  uint32_t n_params;
  bool may_notify;
  int (*run)(struct method_request *r, struct errtext *err);
};

/* [version, {"client": str, "pid": int}] */
static int run_hello(struct method_request *r, struct errtext *err) {
  static const char *const keys[] = {"client", "pid", NULL};
  uint64_t version = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &version, "version", err);
  if (status == 0)
    status = wire_check_keys(&r->params[1], keys, "hello", err);
  if (status != 0)
    return status;
  if (version != WIRE_VERSION)
    return errtext_set(err, NUMD_EVERSION, "this daemon speaks version %d, not %" PRIu64, WIRE_VERSION,
                       version);
  r->worker->door.said_hello = true;
  uv_timer_stop(&r->worker->door.hello_timer);
  msgpack_pack_map(r->pk, 5);
  wire_pack_number(r->pk, "version", WIRE_VERSION);
  wire_pack_str(r->pk, "server");
  wire_pack_str(r->pk, "numd " NUMD_VERSION);
  wire_pack_number(r->pk, "pid", (uint64_t)getpid());
  wire_pack_number(r->pk, "cores", r->worker->place.notices->n_cores);
  wire_pack_str(r->pk, "limits");
  msgpack_pack_map(r->pk, 13);
  wire_pack_number(r->pk, "frame_bytes", WIRE_FRAME_MAX);
  wire_pack_number(r->pk, "depth", WIRE_DEPTH_MAX);
  wire_pack_number(r->pk, "items", WIRE_ITEMS_MAX);
  wire_pack_number(r->pk, "segments", MAX_SEGMENTS);
  wire_pack_number(r->pk, "segment_bytes", machine_memory_bytes());
  wire_pack_number(r->pk, "plans", MAX_PLANS);
  wire_pack_number(r->pk, "channels", MAX_CHANNELS);
  wire_pack_number(r->pk, "dims", MAX_DIMS);
  wire_pack_number(r->pk, "bindings", MAX_BINDINGS);
  wire_pack_number(r->pk, "operands", MAX_OPERANDS);
  wire_pack_number(r->pk, "ops", MAX_OPS);
  wire_pack_number(r->pk, "outputs", MAX_OUTPUTS);
  wire_pack_number(r->pk, "calls", LONG_CALLS_MAX);
  return 0;
}

static int read_wait(const msgpack_object *object, enum numd_wait *out, struct errtext *err) {
  static const char *const names[] = {
#define X(NAME, name) #name,
      NUMD_WAIT_LIST(X)
#undef X
  };
  const char *s = object->type == MSGPACK_OBJECT_STR ? object->via.str.ptr : "";
  size_t n = object->type == MSGPACK_OBJECT_STR ? object->via.str.size : 0;
  for (int i = 0; i < NUMD_N_WAITS; i++)
    if (text_is(s, n, names[i])) {
      *out = (enum numd_wait)i;
      return 0;
    }
  return errtext_set(err, NUMD_EINVAL, "wait: auto, spin, handoff or sleep is wanted");
}

/* [{"wait": "auto"|"spin"|"handoff"|"sleep"}] */
static int run_open_channel(struct method_request *r, struct errtext *err) {
  static const char *const keys[] = {"wait", NULL};
  const msgpack_object *wait = wire_get(&r->params[0], "wait");
  enum numd_wait policy = NUMD_WAIT_AUTO;
  uint32_t id = 0;
  uint64_t bytes = 0;
  int fd = -1, status = wire_check_keys(&r->params[0], keys, "open_channel", err);
  if (status == 0 && wait)
    status = read_wait(wait, &policy, err);
  if (status != 0)
    return status;
  status = allowance_charge(r->session->allowance, QUOTA_CHANNELS, 1, err);
  if (status != 0)
    return status;
  status = ring_door_open(r->session->ring, policy, &id, &fd, &bytes, err);
  if (status == 0 && door_put_fd(&r->worker->door, r->mark, fd) != 0) {
    ring_door_close(r->session->ring, id, err);
    status = errtext_set(err, NUMD_ELIMIT, "no descriptor is left to answer with");
  }
  if (status != 0) {
    allowance_give(r->session->allowance, QUOTA_CHANNELS, 1);
    return status;
  }
  msgpack_pack_map(r->pk, 2);
  wire_pack_number(r->pk, "channel", id);
  wire_pack_number(r->pk, "bytes", bytes);
  return 0;
}

static int run_close_channel(struct method_request *r, struct errtext *err) {
  uint64_t id = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "channel", err);
  if (status == 0)
    status = ring_door_close(r->session->ring, id, err);
  if (status != 0)
    return status;
  allowance_give(r->session->allowance, QUOTA_CHANNELS, 1);
  worker_reap(r->worker);
  msgpack_pack_nil(r->pk);
  return 0;
}

static int run_notify(struct method_request *r, struct errtext *err) {
  uint64_t id = 0;
  int fd = -1, status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "channel", err);
  if (status == 0)
    status = ring_door_notify(r->session->ring, id, &fd, err);
  if (status != 0)
    return status;
  if (door_put_fd(&r->worker->door, r->mark, fd) != 0)
    return errtext_set(err, NUMD_ELIMIT, "no descriptor is left to answer with");
  msgpack_pack_nil(r->pk);
  return 0;
}

/* [{"channel": c, "call": n}] or [{"msgid": n}] */
static int run_cancel(struct method_request *r, struct errtext *err) {
  static const char *const keys[] = {"channel", "call", "msgid", NULL};
  const msgpack_object *map = &r->params[0];
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
    status = ring_door_cancel(r->session->ring, channel, number, err);
  if (status != 0)
    return status;
  if (id)
    long_call_cancel(&r->worker->long_calls, (uint32_t)msgid);
  msgpack_pack_nil(r->pk);
  return 0;
}

static int run_stats(struct method_request *r, struct errtext *err) {
  struct control_message m = {.type = CONTROL_HELD};
  uint64_t used[N_QUOTAS];
  int status = worker_ask(r->worker, &m, NULL, err);
  if (status != 0)
    return status;
  memcpy(used, m.note, sizeof(used));
  used[QUOTA_DESCRIPTORS] = m.ticket;
  stats_pack(r->pk, r->worker->scoreboard, r->worker->place.notices, r->worker->uid, used);
  return 0;
}

static int run_ping(struct method_request *r, struct errtext *err) {
  msgpack_pack_nil(r->pk);
  return 0;
}

/* A name is looked up from the first row on, so the most frequent methods come first. */
static const struct method methods[] = {
    {"call", 2, false, method_call},
    {"prepare", 2, false, method_prepare},
    {"release", 1, true, method_release},
    {"ping", 0, true, run_ping},
    {"attach", 2, false, method_attach},
    {"detach", 1, true, method_detach},
    {"share", 1, false, method_share},
    {"cancel", 1, true, run_cancel},
    {"lend", 2, false, method_lend},
    {"take", 3, false, method_take},
    {"give", 2, true, method_give},
    {"returned", 2, false, method_returned},
    {"publish", 5, false, method_publish},
    {"open", 1, false, method_open},
    {"unpublish", 1, false, method_unpublish},
    {"memory", 0, false, method_memory},
    {"explain", 1, false, method_explain},
    {"open_channel", 1, false, run_open_channel},
    {"close_channel", 1, false, run_close_channel},
    {"notify", 1, false, run_notify},
    {"stats", 0, false, run_stats},
    {"hello", 2, false, run_hello},
};

static const struct method *find_method(const struct wire_message *m) {
  for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
    if (text_is(m->method, m->method_len, methods[i].name))
      return &methods[i];
  return NULL;
}

/* Whether the message is a request that this method can take now. 0, or a status with a sentence. */
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
  atomic_fetch_add_explicit(&worker->scoreboard->entries[worker->entry].errors, 1, memory_order_relaxed);
}

void methods_handle(struct door_socket *door, struct wire_message *m) {
  struct errtext err = {""};
  struct method_request request = {.worker = door->worker,
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
    request.params = m->params.via.array.ptr;
    wire_pack_result(request.pk, request.msgid);
    pool_place_thread(request.session->pool);
    status = method->run(&request, &err);
  }
  if (status != 0 || notify)
    door_rewind(door, request.mark);
  if (status > 0)
    methods_count_error(door->worker);
  if (status > 0 && !notify)
    wire_pack_error(request.pk, request.msgid, status, err.text);
}
