/* Programs, and the plans that the daemon makes of them. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"
#include "shared/clock.h"

/* ---- Building programs ---- */

numd_program *numd_program_new(void) {
  return calloc(1, sizeof(numd_program));
}

void numd_program_free(numd_program *program) {
  free(program);
}

/* Remembers the first mistake, so that numd_prepare can tell it again. */
__attribute__((format(printf, 3, 4))) static int mistake(numd_program *p, int status, const char *format,
                                                         ...) {
  va_list args;
  if (!p->error) {
    va_start(args, format);
    vsnprintf(p->sentence, sizeof(p->sentence), format, args);
    va_end(args);
    p->error = status;
  }
  return -error_set(p->error, "%s", p->sentence);
}

static int fill_layout(numd_program *p, numd_dtype dtype, int ndim, const int64_t shape[],
                       const int64_t strides[], struct layout *out) {
  const numd_layout *l;
  int r = layout_get(dtype, ndim, shape, strides, &l);
  if (r)
    return mistake(p, r, "%s", numd_error());
  out->dtype = (uint8_t)dtype;
  out->ndim = (uint8_t)ndim;
  memcpy(out->shape, l->shape, sizeof(int64_t) * (size_t)ndim);
  memcpy(out->strides, l->strides, sizeof(int64_t) * (size_t)ndim);
  layout_unref(l);
  return 0;
}

static struct operand *new_operand(numd_program *p, uint8_t kind) {
  struct program *g = &p->program;
  if (g->n_ops > 0) {
    mistake(p, NUMD_EINVAL, "inputs, scalars and constants come before operations");
    return NULL;
  }
  if (g->n_operands == MAX_OPERANDS) {
    mistake(p, NUMD_ELIMIT, "more than %d inputs, scalars and constants", MAX_OPERANDS);
    return NULL;
  }
  struct operand *o = &g->operands[g->n_operands++];
  o->kind = kind;
  return o;
}

int numd_program_input(numd_program *p, numd_dtype dtype, int ndim, const int64_t shape[],
                       const int64_t strides[]) {
  struct operand *o = new_operand(p, OPERAND_ARRAY);
  int r = o ? fill_layout(p, dtype, ndim, shape, strides, &o->layout) : -p->error;
  return r ? r : p->program.n_operands - 1;
}

static int weak_operand(numd_program *p, uint8_t kind, numd_dtype dtype, uint64_t bits) {
  if (dtype != NUMD_BOOL && dtype != NUMD_INT64 && dtype != NUMD_FLOAT64)
    return mistake(p, NUMD_EDTYPE, "a scalar is bool, int64 or float64");
  struct operand *o = new_operand(p, kind);
  if (!o)
    return -p->error;
  o->layout.dtype = (uint8_t)dtype;
  o->bits = bits;
  return p->program.n_operands - 1;
}

int numd_program_scalar(numd_program *program, numd_dtype dtype) {
  return weak_operand(program, OPERAND_SCALAR, dtype, 0);
}

int numd_program_constant(numd_program *program, numd_scalar value) {
  return weak_operand(program, OPERAND_CONSTANT, value.dtype, value.bits);
}

static bool has_value(const struct program *g, int value) {
  return value >= 0 && value < g->n_operands + g->n_ops;
}

int numd_program_op(numd_program *p, numd_op code, const int inputs[], const numd_params *params) {
  struct program *g = &p->program;
  if (!op_known(code))
    return mistake(p, NUMD_EOP, "no operation has the number %d", (int)code);
  if (g->n_ops == MAX_OPS)
    return mistake(p, NUMD_ELIMIT, "more than %d operations", MAX_OPS);
  struct op op = {.code = (uint8_t)code,
                  .n_in = op_rows[code].n_in,
                  .keepdims = params && params->keepdims,
                  .dtype = params ? (uint8_t)params->dtype : NUMD_DTYPE_NONE,
                  .axes = params ? params->axes : NUMD_ALL_AXES};
  for (int i = 0; i < op.n_in; i++) {
    if (!has_value(g, inputs[i]))
      return mistake(p, NUMD_EINVAL, "%s: input %d is value %d, which does not exist yet", op_rows[code].name,
                     i, inputs[i]);
    op.in[i] = (uint16_t)inputs[i];
  }
  g->ops[g->n_ops++] = op;
  return g->n_operands + g->n_ops - 1;
}

static struct output *new_output(numd_program *p, int value, uint8_t kind) {
  struct program *g = &p->program;
  if (!has_value(g, value)) {
    mistake(p, NUMD_EINVAL, "output of value %d, which does not exist", value);
    return NULL;
  }
  if (g->n_outputs == MAX_OUTPUTS) {
    mistake(p, NUMD_ELIMIT, "more than %d outputs", MAX_OUTPUTS);
    return NULL;
  }
  struct output *o = &g->outputs[g->n_outputs++];
  *o = (struct output){.value = (uint16_t)value, .kind = kind, .open_dtype = true, .open_shape = true};
  return o;
}

int numd_program_output(numd_program *p, int value, numd_dtype dtype, int ndim, const int64_t shape[],
                        const int64_t strides[]) {
  struct output *o = new_output(p, value, OUTPUT_ARRAY);
  if (!o)
    return -p->error;
  o->open_dtype = dtype == NUMD_DTYPE_NONE;
  o->open_shape = ndim < 0;
  o->layout.dtype = (uint8_t)dtype;
  if (!o->open_shape) {
    if (o->open_dtype)
      return mistake(p, NUMD_EDTYPE, "an output with a shape needs a dtype");
    int r = fill_layout(p, dtype, ndim, shape, strides, &o->layout);
    if (r)
      return r;
  }
  return p->program.n_outputs - 1;
}

int numd_program_result(numd_program *p, int value) {
  for (int i = 0; i < p->program.n_outputs; i++)
    if (p->program.outputs[i].kind == OUTPUT_RESULT)
      return mistake(p, NUMD_ELIMIT, "a program has one scalar result at most");
  return new_output(p, value, OUTPUT_RESULT) ? 0 : -p->error;
}

/* ---- Preparing ---- */

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
    if (wire_read_layout(&outputs->via.array.ptr[i], &l, "output", &err))
      return malformed();
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
  r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0) {
    const msgpack_object *s = &rpc.reply.result;
    *text = s->type == MSGPACK_OBJECT_STR ? strndup(s->via.str.ptr, s->via.str.size) : NULL;
    r = *text ? 0 : error_no_memory();
  }
  rpc_end(&rpc);
  return r;
}

/* ---- Calling ---- */

/* The words of a call: each argument is checked to be what the plan was prepared for. */
int plan_words(const numd_plan *plan, int n_args, const numd_arg args[], uint64_t words[MAX_BINDINGS]) {
  int n = plan->n_inputs + plan->n_outputs;
  if (n_args != n)
    return error_set(NUMD_EINVAL, "the plan takes %d inputs and %d outputs, but %d arguments were given",
                     plan->n_inputs, plan->n_outputs, n_args);
  for (int i = 0; i < n; i++) {
    const numd_array *a = args[i].array;
    if (!plan->args[i].layout) {
      if (a || args[i].scalar.dtype != plan->args[i].dtype)
        return error_set(NUMD_EDTYPE, "argument %d must be a scalar of %s", i,
                         dtype_rows[plan->args[i].dtype].name);
      words[i] = args[i].scalar.bits;
      continue;
    }
    if (!a || a->layout != plan->args[i].layout)
      return error_set(NUMD_ESHAPE, "argument %d has not the dtype, shape and strides that were prepared", i);
    if (a->conn != plan->conn)
      return error_set(NUMD_EINVAL, "argument %d belongs to another connection", i);
    words[i] = a->binding;
  }
  return 0;
}

/* Asks that a call through the socket be given up; conn->lock held. */
static void cancel_msgid(numd_conn *conn, uint32_t msgid) {
  struct rpc rpc;
  rpc_begin(&rpc, conn, "cancel");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "msgid");
  msgpack_pack_uint32(&rpc.pk, msgid);
  (void)rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
}

/* A call through the socket. */
static int call_rpc(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[], uint64_t *result,
                    int64_t timeout_ns) {
  struct rpc rpc;
  struct errtext err = {""};
  rpc_begin(&rpc, plan->conn, "call");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, plan->id);
  msgpack_pack_array(&rpc.pk, (size_t)n);
  for (int i = 0; i < n; i++) {
    if (args[i].array) {
      msgpack_pack_array(&rpc.pk, 2);
      msgpack_pack_uint32(&rpc.pk, binding_segment(words[i]));
      msgpack_pack_uint64(&rpc.pk, binding_offset(words[i]));
    } else {
      wire_pack_item(&rpc.pk, args[i].scalar.dtype, &words[i]);
    }
  }
  int r = rpc_run(&rpc, -1, timeout_ns);
  *result = 0;
  if (r == NUMD_ETIMEOUT) {
    cancel_msgid(plan->conn, rpc.msgid);
    r = error_set(r, "the call was not done within the time limit and was cancelled");
  }
  if (r == 0 && plan->result_dtype != NUMD_DTYPE_NONE &&
      wire_read_item(&rpc.reply.result, plan->result_dtype, result, "result", &err))
    r = error_set(NUMD_EPROTOCOL, "%s", err.text);
  rpc_end(&rpc);
  return r;
}

static void give_result(numd_dtype dtype, uint64_t bits, numd_scalar *result) {
  if (!result)
    return;
  result->dtype = dtype;
  result->bits = bits;
}

/* The answer of a call through the socket, which was waited for when it was submitted. */
struct answer {
  int status;
  uint64_t result;
  char sentence[256];
};

static int submit_rpc(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[],
                      numd_ticket *ticket) {
  struct answer *a = calloc(1, sizeof(*a));
  if (!a)
    return error_no_memory();
  a->status = call_rpc(plan, n, args, words, &a->result, NUMD_FOREVER);
  if (a->status)
    snprintf(a->sentence, sizeof(a->sentence), "%s", numd_error());
  *ticket = (numd_ticket){.number = (uintptr_t)a, .result_dtype = plan->result_dtype};
  return 0;
}

int plan_start_words(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[],
                     numd_ticket *ticket) {
  struct channel *ch;
  int r = plan_enter(plan);
  if (r)
    return r;
  if (plan->conn->door == NUMD_DOOR_SOCKET)
    return submit_rpc(plan, n, args, words, ticket);
  if ((r = channel_get(plan->conn, &ch)) || (r = channel_submit(ch, plan->id, n, words, &ticket->number)))
    return r;
  ticket->channel = ch;
  ticket->result_dtype = plan->result_dtype;
  ticket->spin_ns = plan->spin_ns;
  return 0;
}

int plan_call_words(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[],
                    numd_scalar *result, int64_t timeout_ns) {
  numd_ticket t;
  uint64_t bits;
  int r;
  if (plan->conn->door == NUMD_DOOR_SOCKET) {
    if ((r = plan_enter(plan)) == 0 && (r = call_rpc(plan, n, args, words, &bits, timeout_ns)) == 0)
      give_result(plan->result_dtype, bits, result);
    return r;
  }
  r = plan_start_words(plan, n, args, words, &t);
  if (r || (r = numd_wait(&t, timeout_ns, result)) != NUMD_ETIMEOUT)
    return r;
  numd_cancel(&t);
  r = numd_wait(&t, NUMD_FOREVER, result); /* it may have been done after all */
  return r == NUMD_ECANCELLED
             ? error_set(NUMD_ETIMEOUT, "the call was not done within the time limit and was cancelled")
             : r;
}

int numd_plan_call(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                   int64_t timeout_ns) {
  uint64_t words[MAX_BINDINGS];
  int r = plan_words(plan, n_args, args, words);
  return r ? r : plan_call_words(plan, n_args, args, words, result, timeout_ns);
}

int numd_plan_submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket) {
  uint64_t words[MAX_BINDINGS];
  int r = plan_words(plan, n_args, args, words);
  if (r || (r = plan_start_words(plan, n_args, args, words, ticket)))
    return r;
  if (ticket->channel)
    channel_settle(ticket->channel);
  return 0;
}

int numd_plan_call_for(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                       int64_t timeout_ns, numd_ticket *ticket) {
  uint64_t words[MAX_BINDINGS];
  int r = plan_words(plan, n_args, args, words);
  if (r || (r = plan_start_words(plan, n_args, args, words, ticket)))
    return r;
  return numd_wait(ticket, timeout_ns, result);
}

int numd_wait(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result) {
  uint64_t bits;
  int r;
  if (ticket->channel) {
    r = channel_wait(ticket->channel, ticket->number, ticket->spin_ns, timeout_ns, &bits);
  } else if (ticket->number) {
    struct answer *a = (struct answer *)(uintptr_t)ticket->number;
    bits = a->result;
    r = a->status ? error_set(a->status, "%s", a->sentence) : 0;
    ticket->number = 0;
    free(a);
  } else {
    return error_set(NUMD_EINVAL, "this ticket was finished before");
  }
  if (r == 0)
    give_result(ticket->result_dtype, bits, result);
  return r;
}

int numd_cancel(numd_ticket *ticket) {
  struct channel *ch = ticket->channel;
  struct rpc rpc;
  if (!ch)
    return 0;
  if (ch->epoch != ch->conn->epoch || ch->conn->fork_generation != atomic_load(&fork_generation))
    return error_set(NUMD_EDISCONNECTED, "the session of this call is gone");
  rpc_begin(&rpc, ch->conn, "cancel");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_map(&rpc.pk, 2);
  wire_pack_str(&rpc.pk, "channel");
  msgpack_pack_uint32(&rpc.pk, ch->id);
  wire_pack_str(&rpc.pk, "call");
  msgpack_pack_uint64(&rpc.pk, ticket->number);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}
