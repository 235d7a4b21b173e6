/* One operation at a time: plans found by signature.
 *
 * A signature is the operation, its parameters, and the addresses of its operands' interned layouts, so
 * comparing two is comparing six words. Each thread's channel has a table of its own, found without a
 * lock; behind it is the connection's. An entry holds its plan, and the plan the layouts, so
 * no address in a signature is ever reused while it is in a table. */
#include <stdlib.h>
#include <string.h>

#include "client/internal.h"

struct signature {
  uint64_t head;      /* operation, parameters, number of arguments */
  const void *arg[3]; /* layout; a scalar's dtype as a small number */
  const void *out;    /* layout; NULL: open; RESULT */
};

#define RESULT ((const void *)(uintptr_t)1)
#define SCALAR(dtype) ((const void *)(uintptr_t)(16 + (dtype)))

struct apply_entry {
  struct signature signature;
  numd_plan *plan;
};

#define CACHE_BUCKETS 1024
#define CACHE_MAX 4096 /* signatures; then all are forgotten */

struct cached {
  struct apply_entry entry;
  struct cached *next;
};

struct apply_cache {
  int n;
  struct cached *buckets[CACHE_BUCKETS];
};

static uint64_t hash_of(const struct signature *s) {
  uint64_t h = s->head * 0x9e3779b97f4a7c15u;
  h = (h ^ (uintptr_t)s->arg[0]) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->arg[1]) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->arg[2] ^ h >> 32) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->out) * 0xc4ceb9fe1a85ec53u;
  return h ^ h >> 32;
}

static bool is_same(const struct signature *a, const struct signature *b) {
  return a->head == b->head && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2] &&
         a->out == b->out;
}

static void forget_all(struct apply_cache *c) {
  for (int i = 0; i < CACHE_BUCKETS; i++)
    while (c->buckets[i]) {
      struct cached *e = c->buckets[i];
      c->buckets[i] = e->next;
      numd_plan_unref(e->entry.plan);
      free(e);
    }
  c->n = 0;
}

void apply_cache_free(struct apply_cache *cache) {
  if (cache)
    forget_all(cache);
  free(cache);
}

void apply_entries_free(struct apply_entry *entries) {
  for (int i = 0; entries && i < PLAN_CACHE; i++)
    numd_plan_unref(entries[i].plan);
  free(entries);
}

/* ---- Making a plan for a signature ---- */

static void fill_layout(const numd_layout *from, struct layout *to) {
  to->dtype = (uint8_t)from->dtype;
  to->ndim = (uint8_t)from->ndim;
  memcpy(to->shape, from->shape, sizeof(int64_t) * (size_t)from->ndim);
  memcpy(to->strides, from->strides, sizeof(int64_t) * (size_t)from->ndim);
}

static int prepare(numd_conn *conn, numd_op code, const numd_params *params, int n_args,
                   const numd_arg args[], const struct signature *s, numd_plan **out) {
  struct program *g = calloc(1, sizeof(*g));
  if (!g)
    return error_no_memory();
  g->n_operands = (uint16_t)n_args;
  g->n_ops = g->n_outputs = 1;
  g->ops[0] = (struct op){.code = (uint8_t)code,
                          .n_in = (uint8_t)n_args,
                          .keepdims = params->keepdims != 0,
                          .dtype = (uint8_t)params->dtype,
                          .axes = params->axes,
                          .in = {0, 1, 2}};
  for (int i = 0; i < n_args; i++) {
    struct operand *o = &g->operands[i];
    o->kind = args[i].array ? OPERAND_ARRAY : OPERAND_SCALAR;
    if (args[i].array)
      fill_layout(args[i].array->layout, &o->layout);
    else
      o->layout.dtype = (uint8_t)args[i].scalar.dtype;
  }
  struct output *o = &g->outputs[0];
  o->value = (uint16_t)n_args;
  o->kind = s->out == RESULT ? OUTPUT_RESULT : OUTPUT_ARRAY;
  o->open_dtype = o->open_shape = s->out == RESULT || !s->out;
  if (!o->open_shape)
    fill_layout(s->out, &o->layout);
  int r = plan_prepare(conn, g, out);
  free(g);
  return r;
}

/* The connection's plan for a signature, with a reference; made if there is none. */
static int find_shared(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                       const numd_arg args[], const struct signature *s, uint64_t hash, numd_plan **out) {
  int r = 0;
  pthread_mutex_lock(&conn->lock);
  if (!conn->cache && !(conn->cache = calloc(1, sizeof(*conn->cache)))) {
    r = error_no_memory();
    goto out;
  }
  struct apply_cache *c = conn->cache;
  struct cached *e = c->buckets[hash % CACHE_BUCKETS];
  while (e && !is_same(&e->entry.signature, s))
    e = e->next;
  if (!e) {
    if (c->n == CACHE_MAX)
      forget_all(c);
    if (!(e = calloc(1, sizeof(*e)))) {
      r = error_no_memory();
      goto out;
    }
    if ((r = prepare(conn, op, params, n_args, args, s, &e->entry.plan))) {
      free(e);
      goto out;
    }
    e->entry.signature = *s;
    e->next = c->buckets[hash % CACHE_BUCKETS];
    c->buckets[hash % CACHE_BUCKETS] = e;
    c->n++;
  }
  *out = numd_plan_ref(e->entry.plan);
out:
  pthread_mutex_unlock(&conn->lock);
  return r;
}

/* The plan for a signature, kept by the thread's table. */
static int find(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                const struct signature *s, numd_plan **out) {
  struct channel *ch;
  int r = conn_enter(conn);
  if (r || (r = channel_get(conn, &ch)))
    return r;
  if (!ch->cache && !(ch->cache = calloc(PLAN_CACHE, sizeof(*ch->cache))))
    return error_no_memory();
  uint64_t hash = hash_of(s);
  struct apply_entry *e = &ch->cache[hash % PLAN_CACHE];
  if (!e->plan || !is_same(&e->signature, s)) {
    numd_plan *plan = NULL;
    if ((r = find_shared(conn, op, params, n_args, args, s, hash, &plan)))
      return r;
    numd_plan_unref(e->plan);
    *e = (struct apply_entry){.signature = *s, .plan = plan};
  }
  *out = e->plan;
  return 0;
}

/* ---- Applying ---- */

static int check_args(numd_conn *conn, numd_op op, int n_args, const numd_arg args[], uint64_t words[]) {
  if (!op_known(op))
    return error_set(NUMD_EOP, "no operation has the number %d", (int)op);
  if (n_args != op_rows[op].n_in)
    return error_set(NUMD_EINVAL, "%s takes %d inputs, but %d were given", op_rows[op].name, op_rows[op].n_in,
                     n_args);
  for (int i = 0; i < n_args; i++) {
    const numd_array *a = args[i].array;
    numd_dtype dtype = args[i].scalar.dtype;
    if (a && a->conn != conn)
      return error_set(NUMD_EINVAL, "%s: argument %d belongs to another connection", op_rows[op].name, i);
    if (!a && dtype != NUMD_BOOL && dtype != NUMD_INT64 && dtype != NUMD_FLOAT64)
      return error_set(NUMD_EDTYPE, "%s: argument %d: a scalar is bool, int64 or float64", op_rows[op].name,
                       i);
    words[i] = a ? a->binding : args[i].scalar.bits;
  }
  return 0;
}

/* Finds the plan and makes the output if it is to be made; words and args get it behind the inputs. */
static int set_up(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                  numd_array **out, numd_plan **plan, numd_arg all[4], uint64_t words[4]) {
  static const numd_params defaults = {.axes = NUMD_ALL_AXES, .dtype = NUMD_DTYPE_NONE};
  if (!params)
    params = &defaults;
  int r = check_args(conn, op, n_args, args, words);
  if (r)
    return r;
  struct signature s = {.head = (uint64_t)op | (uint64_t)(params->keepdims != 0) << 8 |
                                (uint64_t)(params->dtype & 0xff) << 16 | (uint64_t)params->axes << 32,
                        .out = !out   ? RESULT
                               : *out ? (*out)->layout
                                      : NULL};
  for (int i = 0; i < n_args; i++) {
    all[i] = args[i];
    s.arg[i] = args[i].array ? (const void *)args[i].array->layout : SCALAR(args[i].scalar.dtype);
  }
  if (out && *out && (*out)->conn != conn)
    return error_set(NUMD_EINVAL, "%s: the output belongs to another connection", op_rows[op].name);
  if ((r = find(conn, op, params, n_args, args, &s, plan)) || !out)
    return r;
  const numd_layout *l = (*plan)->args[n_args].layout;
  if (!*out && (r = array_of_layout(conn, l, out)))
    return r;
  all[n_args] = (numd_arg){.array = *out};
  words[n_args] = (*out)->binding;
  return 0;
}

/* Hands the call over, after which the caller waits or settles. An output made here goes if that fails. */
static int start(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                 numd_array **out, numd_ticket *ticket) {
  bool made = out && !*out;
  numd_plan *plan = NULL;
  numd_arg all[4];
  uint64_t words[4];
  int r = set_up(conn, op, params, n_args, args, out, &plan, all, words);
  if (r == 0)
    r = plan_start_words(plan, n_args + (out != NULL), all, words, ticket);
  if (r && made) {
    numd_array_unref(*out);
    *out = NULL;
  }
  return r;
}

int numd_apply_submit(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                      const numd_arg args[], numd_array **out, numd_ticket *ticket) {
  int r = start(conn, op, params, n_args, args, out, ticket);
  if (r == 0 && ticket->channel)
    channel_settle(ticket->channel);
  return r;
}

int numd_apply_for(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
                   numd_array **out, numd_scalar *result, int64_t timeout_ns, numd_ticket *ticket) {
  bool made = out && !*out;
  int r = start(conn, op, params, n_args, args, out, ticket);
  if (r || (r = numd_wait(ticket, timeout_ns, result)) == 0 || r == NUMD_ETIMEOUT)
    return r;
  if (made) {
    numd_array_unref(*out);
    *out = NULL;
  }
  return r;
}

int numd_apply(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
               numd_array **out, numd_scalar *result) {
  numd_ticket ticket;
  return numd_apply_for(conn, op, params, n_args, args, out, result, NUMD_FOREVER, &ticket);
}
