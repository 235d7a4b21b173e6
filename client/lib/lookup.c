/* Plans found by signature.
 *
 * A signature is the operation, its parameters, and the addresses of its operands' interned layouts, so
 * comparing two is comparing six words; operations with long parameters, many inputs or several outputs have
 * the rest behind a pointer and compare that by content. Each thread's channel has a table of its own, found
 * without a lock; behind it is the connection's. An entry holds its plan, and the plan the layouts, so no
 * address in a signature is ever reused while it is in a table. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/internal.h"

struct lookup_entry {
  struct signature signature; /* its rest is the entry's own copy */
  numd_plan *plan;
};

#define CACHE_BUCKETS 1024
#define CACHE_MAX 4096 /* signatures; then all are forgotten */

struct cached {
  struct lookup_entry entry;
  struct cached *next;
};

struct plan_cache {
  int n;
  struct cached *buckets[CACHE_BUCKETS];
};

static uint64_t mix(uint64_t h, uint64_t word) {
  return (h ^ word ^ h >> 32) * 0xff51afd7ed558ccdu;
}

#define REST_WORDS (sizeof(struct signature_rest) / sizeof(uint64_t))
_Static_assert(sizeof(struct signature_rest) % sizeof(uint64_t) == 0, "looked at by words");

static uint64_t word_of(const struct signature_rest *rest, size_t i) {
  uint64_t word;
  memcpy(&word, (const char *)rest + i * sizeof(word), sizeof(word));
  return word;
}

static uint64_t hash_of_rest(const struct signature_rest *rest) {
  uint64_t h = 0;
  for (size_t i = 0; i < REST_WORDS; i++)
    h = mix(h, word_of(rest, i));
  return h;
}

static uint64_t hash_of(const struct signature *s) {
  uint64_t h = s->head * 0x9e3779b97f4a7c15u;
  h = (h ^ (uintptr_t)s->arg[0]) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->arg[1]) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->arg[2] ^ h >> 32) * 0xff51afd7ed558ccdu;
  h = (h ^ (uintptr_t)s->out) * 0xc4ceb9fe1a85ec53u;
  if (__builtin_expect(s->rest != NULL, 0))
    h = mix(h, hash_of_rest(s->rest));
  return h ^ h >> 32;
}

static bool same_rest(const struct signature_rest *a, const struct signature_rest *b) {
  bool same = a && b;
  for (size_t i = 0; same && i < REST_WORDS; i++)
    same = word_of(a, i) == word_of(b, i);
  return same;
}

static bool is_same(const struct signature *a, const struct signature *b) {
  return a->head == b->head && a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2] &&
         a->out == b->out && (a->rest == b->rest || same_rest(a->rest, b->rest));
}

/* Takes the plan's reference over, if it succeeds. */
static int entry_set(struct lookup_entry *entry, const struct signature *s, numd_plan *plan) {
  struct signature_rest *rest = NULL;
  if (s->rest) {
    if (!(rest = malloc(sizeof(*rest))))
      return error_no_memory();
    memcpy(rest, s->rest, sizeof(*rest));
  }
  *entry = (struct lookup_entry){.signature = *s, .plan = plan};
  entry->signature.rest = rest;
  return 0;
}

static void entry_clear(struct lookup_entry *entry) {
  numd_plan_unref(entry->plan);
  free((void *)entry->signature.rest);
  *entry = (struct lookup_entry){.plan = NULL};
}

static void forget_all(struct plan_cache *c) {
  for (int i = 0; i < CACHE_BUCKETS; i++)
    while (c->buckets[i]) {
      struct cached *e = c->buckets[i];
      c->buckets[i] = e->next;
      entry_clear(&e->entry);
      free(e);
    }
  c->n = 0;
}

void plan_cache_free(struct plan_cache *cache) {
  if (cache)
    forget_all(cache);
  free(cache);
}

void lookup_entries_free(struct lookup_entry *entries) {
  for (int i = 0; entries && i < PLAN_CACHE; i++)
    entry_clear(&entries[i]);
  free(entries);
}

/* ---- Making a plan for a signature ---- */

static void fill_operand(const numd_arg *arg, struct operand *o) {
  if (arg->array) {
    o->kind = OPERAND_ARRAY;
    layout_fill(arg->array->layout, &o->layout);
    return;
  }
  o->kind = arg->scalar.dtype == NUMD_COMPLEX128 ? OPERAND_WEAK : OPERAND_SCALAR;
  o->layout.dtype = (uint8_t)arg->scalar.dtype;
}

/* A layout, NULL or SIGNATURE_RESULT. */
static void fill_output(const void *layout, int value, struct output *o) {
  o->value = (uint16_t)value;
  o->kind = layout == SIGNATURE_RESULT ? OUTPUT_RESULT : OUTPUT_ARRAY;
  o->open_dtype = o->open_shape = layout == SIGNATURE_RESULT || !layout;
  if (!o->open_shape)
    layout_fill(layout, &o->layout);
}

static int prepare(numd_conn *conn, numd_op code, const numd_params *params, int n_args,
                   const numd_arg args[], const struct signature *s, numd_plan **out) {
  struct program *g = calloc(1, sizeof(*g));
  if (!g)
    return error_no_memory();
  struct op *op = &g->ops[0];
  g->n_operands = (uint16_t)n_args;
  g->n_ops = 1;
  g->n_outputs = op_rows[code].n_out;
  op->code = (uint8_t)code;
  op->n_in = (uint8_t)n_args;
  for (int i = 0; i < n_args; i++) {
    op->in[i] = (uint16_t)i;
    fill_operand(&args[i], &g->operands[i]);
  }
  fill_output(s->out, n_args, &g->outputs[0]);
  for (int i = 1; i < g->n_outputs; i++)
    fill_output(s->rest->out[i], n_args + i, &g->outputs[i]);
  int r = params_read(code, params, &op->params);
  if (r == 0)
    r = plan_prepare(conn, g, out);
  free(g);
  return r;
}

/* Adds the plan of a signature to the connection's table. conn->lock held. */
static int add_shared(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                      const numd_arg args[], const struct signature *s, struct cached **bucket) {
  struct cached *e = calloc(1, sizeof(*e));
  numd_plan *plan = NULL;
  if (!e)
    return error_no_memory();
  int r = prepare(conn, op, params, n_args, args, s, &plan);
  if (r || (r = entry_set(&e->entry, s, plan))) {
    numd_plan_unref(plan);
    free(e);
    return r;
  }
  e->next = *bucket;
  *bucket = e;
  conn->cache->n++;
  return 0;
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
  struct cached **bucket = &conn->cache->buckets[hash % CACHE_BUCKETS];
  struct cached *e = *bucket;
  while (e && !is_same(&e->entry.signature, s))
    e = e->next;
  if (!e) {
    if (conn->cache->n == CACHE_MAX)
      forget_all(conn->cache);
    if ((r = add_shared(conn, op, params, n_args, args, s, bucket)))
      goto out;
    e = *bucket;
  }
  *out = numd_plan_ref(e->entry.plan);
out:
  pthread_mutex_unlock(&conn->lock);
  return r;
}

int lookup(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
           const struct signature *s, numd_plan **out) {
  struct channel *ch;
  int r = conn_enter(conn);
  if (r || (r = channel_get(conn, &ch)))
    return r;
  if (!ch->cache && !(ch->cache = calloc(PLAN_CACHE, sizeof(*ch->cache))))
    return error_no_memory();
  uint64_t hash = hash_of(s);
  struct lookup_entry *e = &ch->cache[hash % PLAN_CACHE];
  if (!e->plan || !is_same(&e->signature, s)) {
    numd_plan *plan = NULL;
    if ((r = find_shared(conn, op, params, n_args, args, s, hash, &plan)))
      return r;
    entry_clear(e);
    if ((r = entry_set(e, s, plan))) {
      numd_plan_unref(plan);
      return r;
    }
  }
  *out = e->plan;
  return 0;
}
