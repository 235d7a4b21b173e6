/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods about plans: prepare, explain, release, and call. */
#include <inttypes.h>
#include <stdlib.h>

#include "server/engine/pool.h"
#include "server/host/scoreboard.h"
#include "server/worker/methods_impl.h"
#include "shared/trace.h"

/* [id, program] */
int method_prepare(struct method_request *r, struct errtext *err) {
  struct program *program = &r->worker->program;
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "plan", err);
  if (status == 0)
    status = wire_read_program(&r->params[1], program, err);
  if (status == 0)
    status = session_prepare(r->session, id, program, &plan, err);
  if (status != 0)
    return status;
  int n = plan_n_outputs(plan);
  msgpack_pack_map(r->pk, 4);
  wire_pack_str(r->pk, "outputs");
  msgpack_pack_array(r->pk, (size_t)n);
  for (int i = 0; i < n; i++)
    wire_pack_layout(r->pk, plan_output(plan, i));
  wire_pack_number(r->pk, "bindings", plan_n_bindings(plan));
  wire_pack_number(r->pk, "cost_ns", plan_cost_ns(plan));
  wire_pack_str(r->pk, "parallel");
  plan_is_parallel(plan) ? msgpack_pack_true(r->pk) : msgpack_pack_false(r->pk);
  return 0;
}

/* The plan that the first param names, and its id. */
static int find_plan(struct method_request *r, uint64_t *id, struct plan **plan, struct errtext *err) {
  int status = wire_read_uint(&r->params[0], UINT32_MAX, id, "plan", err);
  return status != 0 ? status : session_plan(r->session, *id, plan, err);
}

int method_explain(struct method_request *r, struct errtext *err) {
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = find_plan(r, &id, &plan, err);
  if (status != 0)
    return status;
  char *text = plan_explain(plan);
  if (!text)
    return errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  wire_pack_str(r->pk, text);
  free(text);
  return 0;
}

int method_release(struct method_request *r, struct errtext *err) {
  uint64_t id = 0;
  int status = wire_read_uint(&r->params[0], UINT32_MAX, &id, "plan", err);
  if (status == 0)
    status = session_release(r->session, id, err);
  if (status != 0)
    return status;
  worker_reap(r->worker);
  msgpack_pack_nil(r->pk);
  return 0;
}

/* One binding: [segment, offset], or a native value where the plan wants a scalar. */
static int read_binding(const msgpack_object *o, int scalar_dtype, uint64_t *out, uint32_t i,
                        struct errtext *err) {
  uint64_t segment = 0, offset = 0;
  const struct wire_place place = wire_place_item("bindings", i, "");
  const char *where = place.text;
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

static int read_request(struct method_request *r, const struct plan *plan, struct request *request,
                        struct errtext *err) {
  const msgpack_object *list = &r->params[1];
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
int method_call(struct method_request *r, struct errtext *err) {
  struct completion completion;
  struct request request;
  struct plan *plan = NULL;
  uint64_t id = 0;
  int status = find_plan(r, &id, &plan, err);
  if (status == 0)
    status = read_request(r, plan, &request, err);
  if (status != 0)
    return status;
  struct scoreboard *scoreboard = r->worker->scoreboard;
  cores_count_call(&scoreboard->cores, r->worker->entry);
  atomic_fetch_add_explicit(&scoreboard->entries[r->worker->entry].calls_socket, 1, memory_order_relaxed);
  request.plan_id = (uint32_t)id;
  int dtype = plan_result_dtype(plan);
  /* A call that takes a turn may have to wait for it, which the main thread never does. */
  if (plan_cost_ns(plan) > LONG_CALL_NS || pool_takes_turns(r->session->pool, plan_cost_ns(plan))) {
    status = long_call_start(&r->worker->long_calls, r->msgid, dtype, &request, err);
    return status == 0 ? MEANT_LATER : status;
  }
  trace_stamp(TRACE_DECODED);
  session_run(r->session, r->worker->runner, &request, &completion);
  status = completion_status(&completion, err);
  if (status == 0)
    pack_result(r->pk, dtype, &completion);
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
