/* Plans: what the daemon makes of programs, under ids that we choose. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/internal.h"

#define SPIN_COST_MAX_NS 200000 /* calls that take longer are slept through */

static uint64_t read_number(const msgpack_object *map, const char *key) {
  struct errtext err;
  uint64_t n = 0;
  const msgpack_object *o = wire_get(map, key);
  return o && wire_read_uint(o, UINT64_MAX, &n, key, &err) == 0 ? n : 0;
}

/* Sends the program under the plan's id, with conn->lock held through the rpc. */
static int send_program(numd_plan *plan, struct rpc *rpc) {
  rpc_begin(rpc, plan->conn, "prepare");
  msgpack_pack_array(&rpc->pk, 2);
  msgpack_pack_uint32(&rpc->pk, plan->id);
  wire_pack_program(&rpc->pk, plan->program);
  return rpc_run(rpc, -1, RPC_TIMEOUT_NS);
}

static int malformed(void) {
  return error_set(NUMD_EPROTOCOL, "the daemon's answer to prepare is malformed");
}

/* Fills in inputs, from the program, and outputs, from the answer. */
static int read_answer(numd_plan *plan, const msgpack_object *answer) {
  const struct program *g = plan->program;
  const msgpack_object *outputs = wire_get(answer, "outputs");
  struct errtext err = {""};
  if (!outputs || outputs->type != MSGPACK_OBJECT_ARRAY || outputs->via.array.size != g->n_outputs)
    return malformed();
  for (int i = 0; i < g->n_operands; i++) {
    const struct operand *o = &g->operands[i];
    struct plan_input *in = &plan->args[plan->n_inputs];
    if (o->kind == OPERAND_CONSTANT)
      continue;
    in->dtype = o->layout.dtype;
    if (o->kind == OPERAND_ARRAY) {
      int r =
          layout_get((numd_dtype)in->dtype, o->layout.ndim, o->layout.shape, o->layout.strides, &in->layout);
      if (r)
        return r;
    }
    plan->n_inputs++;
  }
  for (int i = 0; i < g->n_outputs; i++) {
    struct layout l;
    const struct layout *given = g->outputs[i].open_shape ? NULL : &g->outputs[i].layout;
    if (wire_read_layout(&outputs->via.array.ptr[i], &l, "output", &err) ||
        (given && (l.dtype != given->dtype || !layout_same_shape(&l, given))))
      return malformed();
    if (given) /* with the same strides, or a signature would name a layout that no plan keeps (lookup.c) */
      l = *given;
    if (g->outputs[i].kind == OUTPUT_RESULT) {
      plan->result_dtype = (numd_dtype)l.dtype;
      continue;
    }
    struct plan_input *out = &plan->args[plan->n_inputs + plan->n_outputs];
    int r = layout_get((numd_dtype)l.dtype, l.ndim, l.shape, l.strides, &out->layout);
    if (r)
      return r;
    plan->n_outputs++;
  }
  uint64_t cost = read_number(answer, "cost_ns");
  const msgpack_object *parallel = wire_get(answer, "parallel");
  bool sleeps = cost > SPIN_COST_MAX_NS ||
                (parallel && parallel->type == MSGPACK_OBJECT_BOOLEAN && parallel->via.boolean);
  plan->spin_ns = sleeps ? 0 : (uint32_t)(WAKE_SPIN_MAX_NS + 2 * cost);
  return 0;
}

static int take_id(numd_conn *conn, uint32_t *id) {
  for (uint32_t i = 0; i < MAX_PLANS; i++) {
    uint32_t n = (conn->next_plan + i) % MAX_PLANS;
    if (!conn->plans[n]) {
      conn->next_plan = n + 1;
      *id = n;
      return 0;
    }
  }
  return error_set(NUMD_ELIMIT, "a session has at most %d plans", MAX_PLANS);
}

static void destroy(numd_plan *plan) {
  for (int i = 0; i < plan->n_inputs + plan->n_outputs; i++)
    layout_unref(plan->args[i].layout);
  free(plan->program);
  free(plan);
}

/* Only the part of a program that is in use is worth keeping: most have one operation. */
static struct program *copy_program(const struct program *program) {
  struct program *copy = malloc(sizeof(*copy));
  if (copy)
    *copy = *program;
  return copy;
}

int plan_prepare(numd_conn *conn, const struct program *program, numd_plan **out) {
  numd_plan *plan = calloc(1, sizeof(*plan));
  struct rpc rpc;
  int r;
  if (!plan || !(plan->program = copy_program(program))) {
    free(plan);
    return error_no_memory();
  }
  plan->conn = conn;
  plan->result_dtype = NUMD_DTYPE_NONE;
  atomic_init(&plan->refs, 1);
  pthread_mutex_lock(&conn->lock);
  plan_release_dead(conn);
  if ((r = take_id(conn, &plan->id)) == 0) {
    r = send_program(plan, &rpc);
    if (r == 0)
      r = read_answer(plan, &rpc.reply.result);
    rpc_end(&rpc);
  }
  if (r == 0) {
    plan->epoch = conn->epoch;
    conn->plans[plan->id] = plan;
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
  if (r || (r = plan_prepare(conn, &program->program, out)))
    return r;
  (*out)->holds_conn = true;
  numd_conn_ref(conn);
  return 0;
}

numd_plan *numd_plan_ref(numd_plan *plan) {
  atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
  return plan;
}

/* A plan may still be named by calls in the rings, so its id is given up only when nothing flies. */
void plan_release_dead(numd_conn *conn) {
  for (int i = 0; i < conn->n_channels; i++)
    if (conn->channels[i]->epoch == conn->epoch &&
        (conn->channels[i]->n_flying > 0 || conn->channels[i]->single_state != FLIGHT_NONE))
      return;
  while (conn->dead_plans) {
    numd_plan *plan = conn->dead_plans;
    struct rpc rpc;
    conn->dead_plans = plan->next_dead;
    conn->plans[plan->id] = NULL;
    if (plan->epoch == conn->epoch && !conn->broken) {
      rpc_begin(&rpc, conn, "release");
      msgpack_pack_array(&rpc.pk, 1);
      msgpack_pack_uint32(&rpc.pk, plan->id);
      (void)rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
      rpc_end(&rpc);
    }
    destroy(plan);
  }
}

void numd_plan_unref(numd_plan *plan) {
  if (!plan || atomic_fetch_sub_explicit(&plan->refs, 1, memory_order_acq_rel) != 1)
    return;
  numd_conn *conn = plan->conn;
  bool held = plan->holds_conn;
  pthread_mutex_lock(&conn->lock);
  plan->next_dead = conn->dead_plans;
  conn->dead_plans = plan;
  if (held && conn->fork_generation == atomic_load(&fork_generation))
    plan_release_dead(conn);
  pthread_mutex_unlock(&conn->lock);
  if (held)
    numd_conn_unref(conn);
}

void plan_free_dead(numd_conn *conn) {
  while (conn->dead_plans) {
    numd_plan *plan = conn->dead_plans;
    conn->dead_plans = plan->next_dead;
    destroy(plan);
  }
}

int numd_plan_n_inputs(const numd_plan *plan) {
  return plan->n_inputs;
}

int numd_plan_n_outputs(const numd_plan *plan) {
  return plan->n_outputs;
}

const numd_layout *numd_plan_output(const numd_plan *plan, int i) {
  return i >= 0 && i < plan->n_outputs ? plan->args[plan->n_inputs + i].layout : NULL;
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
