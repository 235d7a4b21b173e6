/* SPDX-License-Identifier: BSD-3-Clause */
/* The client chooses the ids of plans. Pending calls in the rings may name a plan that nobody uses any more,
 * so its id is used again only after no call was pending. */
#include "client/lib/plan.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/channel.h"
#include "client/lib/error.h"
#include "client/lib/layout.h"
#include "client/lib/program.h"
#include "client/lib/rpc.h"

struct plan_table {
  numd_plan *by_id[MAX_PLANS];
  uint32_t next;   /* the id to be tried first */
  numd_plan *dead; /* to be released when no call is pending */
};

#define SPIN_COST_MAX_NS 200000 /* a caller sleeps through calls that take longer */

static uint64_t read_number(const msgpack_object *map, const char *key) {
  struct errtext err;
  uint64_t n = 0;
  const msgpack_object *o = wire_get(map, key);
  return o && wire_read_uint(o, UINT64_MAX, &n, key, &err) == 0 ? n : 0;
}

/* ---- Preparing ---- */

/* Sends the program under the plan's id, with conn->lock held through the rpc. */
static int send_program(numd_plan *plan, struct rpc *rpc) {
  rpc_begin(rpc, plan->conn, "prepare");
  msgpack_pack_array(&rpc->pk, 2);
  msgpack_pack_uint32(&rpc->pk, plan->id);
  return msgpack_sbuffer_write(&rpc->out, plan->program, plan->program_bytes)
             ? error_no_memory()
             : rpc_run(rpc, -1, RPC_TIMEOUT_NS);
}

static int malformed(void) {
  return error_set(NUMD_EPROTOCOL, "the daemon's answer to prepare is malformed");
}

static int read_inputs(numd_plan *plan, const struct program_lists *program) {
  for (int i = 0; i < program->n_operands; i++) {
    const struct operand *o = &program->operands[i];
    struct plan_operand *in = &plan->operands[plan->n_inputs];
    const struct layout *l = &o->layout;
    if (o->kind == OPERAND_CONSTANT)
      continue;
    in->dtype = l->dtype;
    int r = o->kind == OPERAND_ARRAY
                ? layout_get((numd_dtype)l->dtype, l->ndim, l->shape, l->strides, &in->layout)
                : 0;
    if (r)
      return r;
    plan->n_inputs++;
  }
  return 0;
}

/* Reads the layout of an output from the daemon's answer. If the program has a layout for the output, the
 * plan keeps that one, with its own strides: its address is in the plan's signature, where it is valid only
 * as long as the plan has a reference to it. */
static int read_output(numd_plan *plan, const struct output *o, const msgpack_object *answer) {
  struct layout l;
  struct errtext err = {""};
  if (wire_read_layout(answer, &l, "output", &err) ||
      (!o->open_shape && (l.dtype != o->layout.dtype || !layout_same_shape(&l, &o->layout))))
    return malformed();
  if (!o->open_shape)
    l = o->layout;
  if (o->kind == OUTPUT_RESULT) {
    plan->result_dtype = (numd_dtype)l.dtype;
    return 0;
  }
  struct plan_operand *out = &plan->operands[plan->n_inputs + plan->n_outputs];
  int r = layout_get((numd_dtype)l.dtype, l.ndim, l.shape, l.strides, &out->layout);
  plan->n_outputs += r == 0;
  return r;
}

static uint32_t spin_of(const msgpack_object *answer) {
  uint64_t cost = read_number(answer, "cost_ns");
  const msgpack_object *parallel = wire_get(answer, "parallel");
  bool sleeps = cost > SPIN_COST_MAX_NS ||
                (parallel && parallel->type == MSGPACK_OBJECT_BOOLEAN && parallel->via.boolean);
  return sleeps ? 0 : (uint32_t)(WAKE_SPIN_MAX_NS + 2 * cost);
}

static int read_answer(numd_plan *plan, const struct program_lists *program, const msgpack_object *answer) {
  const msgpack_object *outputs = wire_get(answer, "outputs");
  if (!outputs || outputs->type != MSGPACK_OBJECT_ARRAY || outputs->via.array.size != program->n_outputs)
    return malformed();
  int r = read_inputs(plan, program);
  for (int i = 0; r == 0 && i < program->n_outputs; i++)
    r = read_output(plan, &program->outputs[i], &outputs->via.array.ptr[i]);
  plan->spin_ns = spin_of(answer);
  return r;
}

/* ---- Life ---- */

static int take_id(struct plan_table *t, uint32_t *id) {
  for (uint32_t i = 0; i < MAX_PLANS; i++) {
    uint32_t n = (t->next + i) % MAX_PLANS;
    if (!t->by_id[n]) {
      t->next = n + 1;
      *id = n;
      return 0;
    }
  }
  return error_set(NUMD_ELIMIT, "a session has at most %d plans", MAX_PLANS);
}

static void destroy(numd_plan *plan) {
  for (int i = 0; i < plan->n_inputs + plan->n_outputs; i++)
    layout_unref(plan->operands[i].layout);
  free(plan);
}

static void release(numd_plan *plan) {
  numd_conn *conn = plan->conn;
  struct rpc rpc;
  conn->plans->by_id[plan->id] = NULL;
  if (plan->epoch == conn->epoch && !conn->broken) {
    rpc_begin(&rpc, conn, "release");
    msgpack_pack_array(&rpc.pk, 1);
    msgpack_pack_uint32(&rpc.pk, plan->id);
    (void)rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
    rpc_end(&rpc);
  }
  destroy(plan);
}

/* conn->lock held. */
static void release_dead(numd_conn *conn) {
  struct plan_table *t = conn->plans;
  if (!channel_all_idle(conn))
    return;
  while (t->dead) {
    numd_plan *plan = t->dead;
    t->dead = plan->next_dead;
    release(plan);
  }
}

static int count_operands(const struct program_lists *program) {
  int n = 0;
  for (int i = 0; i < program->n_operands; i++)
    n += program->operands[i].kind != OPERAND_CONSTANT;
  for (int i = 0; i < program->n_outputs; i++)
    n += program->outputs[i].kind != OUTPUT_RESULT;
  return n;
}

/* A plan that is not yet prepared. It has room for its operands and the program's bytes and nothing else,
 * since thousands of plans may be cached. */
static int make(numd_conn *conn, const struct program_lists *program, numd_plan **out) {
  int n = count_operands(program);
  if (n > MAX_BINDINGS)
    return error_set(NUMD_ELIMIT, "program: more than %d bindings", MAX_BINDINGS);
  msgpack_sbuffer bytes;
  msgpack_packer pk;
  msgpack_sbuffer_init(&bytes);
  msgpack_packer_init(&pk, &bytes, msgpack_sbuffer_write);
  wire_pack_program(&pk, *program);
  size_t head = sizeof(numd_plan) + (size_t)n * sizeof(struct plan_operand);
  numd_plan *plan = calloc(1, head + bytes.size);
  if (plan) {
    plan->conn = conn;
    plan->result_dtype = NUMD_DTYPE_NONE;
    plan->program = memcpy((char *)plan + head, bytes.data, bytes.size);
    plan->program_bytes = bytes.size;
    atomic_init(&plan->refs, 1);
  }
  msgpack_sbuffer_destroy(&bytes);
  *out = plan;
  return plan ? 0 : error_no_memory();
}

int plan_prepare(numd_conn *conn, struct program_lists program, numd_plan **out) {
  numd_plan *plan;
  struct rpc rpc;
  int r = make(conn, &program, &plan);
  if (r)
    return r;
  pthread_mutex_lock(&conn->lock);
  release_dead(conn);
  if ((r = take_id(conn->plans, &plan->id)) == 0) {
    r = send_program(plan, &rpc);
    if (r == 0)
      r = read_answer(plan, &program, &rpc.reply.result);
    rpc_end(&rpc);
  }
  if (r == 0) {
    plan->epoch = conn->epoch;
    conn->plans->by_id[plan->id] = plan;
  }
  pthread_mutex_unlock(&conn->lock);
  if (r) {
    destroy(plan);
    return r;
  }
  *out = plan;
  return 0;
}

int plan_enter_slow(numd_plan *plan) {
  numd_conn *conn = plan->conn;
  int r = 0;
  struct rpc rpc;
  pthread_mutex_lock(&conn->lock);
  if (plan->epoch != conn->epoch) {
    r = send_program(plan, &rpc);
    rpc_end(&rpc);
    if (r == 0)
      atomic_store_explicit(&plan->epoch, conn->epoch, memory_order_release);
  }
  pthread_mutex_unlock(&conn->lock);
  return r;
}

int numd_prepare(numd_conn *conn, const numd_program *program, numd_plan **out) {
  if (program->error)
    return error_set(program->error, "%s", program->sentence);
  int r = conn_enter(conn);
  if (r || (r = plan_prepare(conn, program_lists_of(program), out)))
    return r;
  (*out)->holds_conn = true;
  numd_conn_ref(conn);
  return 0;
}

numd_plan *numd_plan_ref(numd_plan *plan) {
  atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
  return plan;
}

void numd_plan_unref(numd_plan *plan) {
  if (!plan || atomic_fetch_sub_explicit(&plan->refs, 1, memory_order_acq_rel) != 1)
    return;
  numd_conn *conn = plan->conn;
  bool held = plan->holds_conn;
  pthread_mutex_lock(&conn->lock);
  plan->next_dead = conn->plans->dead;
  conn->plans->dead = plan;
  if (held && !conn_is_inherited(conn))
    release_dead(conn);
  pthread_mutex_unlock(&conn->lock);
  if (held)
    numd_conn_unref(conn);
}

int numd_plan_n_inputs(const numd_plan *plan) {
  return plan->n_inputs;
}

int numd_plan_n_outputs(const numd_plan *plan) {
  return plan->n_outputs;
}

const numd_layout *numd_plan_output(const numd_plan *plan, int i) {
  return i >= 0 && i < plan->n_outputs ? plan->operands[plan->n_inputs + i].layout : NULL;
}

int numd_plan_explain(numd_plan *plan, char **text) {
  struct rpc rpc;
  int r = plan_enter(plan);
  if (r)
    return r;
  rpc_begin(&rpc, plan->conn, "explain");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, plan->id);
  r = rpc_run_for_text(&rpc, text);
  rpc_end(&rpc);
  return r;
}

/* ---- As a part of a connection ---- */

static int init(numd_conn *conn) {
  conn->plans = calloc(1, sizeof(*conn->plans));
  return conn->plans ? 0 : error_no_memory();
}

static void deinit(numd_conn *conn) {
  struct plan_table *t = conn->plans;
  while (t && t->dead) {
    numd_plan *plan = t->dead;
    t->dead = plan->next_dead;
    destroy(plan);
  }
  free(t);
}

const struct conn_part plan_part = {.init = init, .deinit = deinit};
