/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans found by signature.
 *
 * A signature is the operation, its parameters, and the addresses of its operands' interned layouts, so two
 * of them are compared by six words. An operation with long parameters, many inputs or several outputs has a
 * rest behind a pointer, which is compared by content. Each thread's channel has a table of its own, used
 * without a lock; behind it is the connection's. An entry has a reference to its plan, and the plan to the
 * layouts, so an address in a signature is not used for another layout while the signature is in a table. */
#include "client/lib/plan_cache.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/layout.h"
#include "client/lib/params.h"
#include "client/lib/thread_channel.h"

#define BUCKETS 1024

struct entry {
  struct signature signature; /* its rest is the entry's own copy */
  numd_plan *plan;
};

/* An entry of the connection's table. */
struct node {
  struct entry entry;
  struct node *next;
};

struct plan_cache {
  int n;
  struct node *buckets[BUCKETS];
};

/* The table of a thread: a signature can be in one place only, which its hash tells. */
struct thread_cache {
  struct entry entries[PLAN_CACHE_THREAD];
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

/* If it succeeds, the caller's reference to the plan becomes the entry's. */
static int entry_set(struct entry *entry, const struct signature *s, numd_plan *plan) {
  struct signature_rest *rest = NULL;
  if (s->rest) {
    if (!(rest = malloc(sizeof(*rest))))
      return error_no_memory();
    memcpy(rest, s->rest, sizeof(*rest));
  }
  *entry = (struct entry){.signature = *s, .plan = plan};
  entry->signature.rest = rest;
  return 0;
}

static void entry_clear(struct entry *entry) {
  numd_plan_unref(entry->plan);
  free((void *)entry->signature.rest);
  *entry = (struct entry){.plan = NULL};
}

static void forget_all(struct plan_cache *c) {
  for (int i = 0; i < BUCKETS; i++)
    while (c->buckets[i]) {
      struct node *e = c->buckets[i];
      c->buckets[i] = e->next;
      entry_clear(&e->entry);
      free(e);
    }
  c->n = 0;
}

static void free_thread_cache(void *cache) {
  struct thread_cache *t = cache;
  for (int i = 0; i < PLAN_CACHE_THREAD; i++)
    entry_clear(&t->entries[i]);
  free(t);
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

static int prepare(const struct op_call *call, const struct signature *s, numd_plan **out) {
  struct operand operands[NUMD_OP_MAX_IN] = {0};
  struct output outputs[NUMD_OP_MAX_OUT] = {0};
  struct op op = {.code = (uint8_t)call->op, .n_in = (uint8_t)call->n_args};
  uint8_t n_outputs = op_rows[call->op].n_out;
  int r = params_read(call->op, call->params, &op.params);
  if (r)
    return r;
  for (int i = 0; i < call->n_args; i++) {
    op.in[i] = (uint16_t)i;
    fill_operand(&call->args[i], &operands[i]);
  }
  for (int i = 0; i < n_outputs; i++)
    fill_output(i ? s->rest->out[i] : s->out, call->n_args + i, &outputs[i]);
  return plan_prepare(
      call->conn, (struct program_lists){(uint16_t)call->n_args, 1, n_outputs, operands, &op, outputs}, out);
}

/* ---- The connection's table ---- */

/* Adds the plan of a signature. conn->lock held. */
static int add_shared(const struct op_call *call, const struct signature *s, struct node **bucket) {
  struct node *e = calloc(1, sizeof(*e));
  numd_plan *plan = NULL;
  if (!e)
    return error_no_memory();
  int r = prepare(call, s, &plan);
  if (r || (r = entry_set(&e->entry, s, plan))) {
    numd_plan_unref(plan);
    free(e);
    return r;
  }
  e->next = *bucket;
  *bucket = e;
  call->conn->plan_cache->n++;
  return 0;
}

/* The plan for a signature, with a reference; made if there is none. */
static int get_shared(const struct op_call *call, const struct signature *s, uint64_t hash, numd_plan **out) {
  struct plan_cache *cache = call->conn->plan_cache;
  struct node **bucket = &cache->buckets[hash % BUCKETS];
  int r = 0;
  pthread_mutex_lock(&call->conn->lock);
  struct node *e = *bucket;
  while (e && !is_same(&e->entry.signature, s))
    e = e->next;
  if (!e) {
    if (cache->n == PLAN_CACHE_MAX)
      forget_all(cache);
    if ((r = add_shared(call, s, bucket)) == 0)
      e = *bucket;
  }
  if (e)
    *out = numd_plan_ref(e->entry.plan);
  pthread_mutex_unlock(&call->conn->lock);
  return r;
}

/* ---- The thread's table ---- */

static int make_thread_cache(struct channel *ch) {
  if (!(ch->kept = calloc(1, sizeof(struct thread_cache))))
    return error_no_memory();
  ch->free_kept = free_thread_cache;
  return 0;
}

/* Puts the plan of the signature into the entry, in which there may be another one. */
__attribute__((noinline)) static int replace(struct entry *e, const struct op_call *call,
                                             const struct signature *s, uint64_t hash) {
  numd_plan *plan = NULL;
  int r = get_shared(call, s, hash, &plan);
  if (r)
    return r;
  entry_clear(e);
  if ((r = entry_set(e, s, plan)))
    numd_plan_unref(plan);
  return r;
}

int plan_cache_get(const struct op_call *call, const struct signature *s, numd_plan **out) {
  struct channel *ch;
  int r = conn_enter(call->conn);
  if (r || (r = thread_channel_get(call->conn, &ch)) || (!ch->kept && (r = make_thread_cache(ch))))
    return r;
  uint64_t hash = hash_of(s);
  struct entry *e = &((struct thread_cache *)ch->kept)->entries[hash % PLAN_CACHE_THREAD];
  if ((!e->plan || !is_same(&e->signature, s)) && (r = replace(e, call, s, hash)))
    return r;
  *out = e->plan;
  return 0;
}

/* ---- As a part of a connection ---- */

static int init(numd_conn *conn) {
  conn->plan_cache = calloc(1, sizeof(*conn->plan_cache));
  return conn->plan_cache ? 0 : error_no_memory();
}

static void deinit(numd_conn *conn) {
  if (conn->plan_cache)
    forget_all(conn->plan_cache);
  free(conn->plan_cache);
}

const struct conn_part plan_cache_part = {.init = init, .deinit = deinit};
