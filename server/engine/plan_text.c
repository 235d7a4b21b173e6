/* SPDX-License-Identifier: BSD-3-Clause */
/* The description of a plan. The bytes that move are counted by values: a step reads each value that it takes
 * from memory once, and writes each value that is needed outside of it; an element that is broadcast moves
 * once. Beside it stands what would move if operations ran one at a time, each reading its operands and
 * writing its result. Views cost nothing there either, and nor do casts: NumPy has a buffer for them. */
#include "server/engine/plan_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"elementwise", "reduction", "reduction by rows", "product",
                                    "array kernel"};

struct traffic {
  uint64_t read, written;
};

struct text {
  FILE *f;
  const struct plan *plan;
  const struct lowered *low;
  const uint32_t *group;
  const bool *in_memory;
  uint32_t *last_read; /* of each value: the last step, plus 1, that read it */
};

/* ---- Values ---- */

static const struct value *value_of(const struct text *t, uint32_t v) {
  return &t->low->values[v];
}

/* Bytes of a value's elements in memory, repeated ones counted once; 0 for scalars and constants. */
static uint64_t bytes_of(const struct text *t, uint32_t number) {
  const struct value *v = value_of(t, number);
  uint64_t bytes = dtype_rows[v->layout.dtype].size;
  if (v->kind == VALUE_SCALAR || v->kind == VALUE_CONSTANT)
    return 0;
  for (int d = 0; d < v->layout.ndim; d++)
    if ((v->kind != VALUE_VIEW && v->kind != VALUE_BINDING) || v->layout.strides[d] != 0)
      bytes *= (uint64_t)v->layout.shape[d];
  return bytes;
}

/* ---- What moves ---- */

static bool is_made_in(const struct text *t, uint32_t v, uint32_t step) {
  const struct value *value = value_of(t, v);
  return value->kind == VALUE_NODE && t->group[value->index] == step;
}

static void add_node(struct text *t, uint32_t step, const struct node *n, struct traffic *sum) {
  for (int j = 0; j < n->n_in; j++) {
    uint32_t v = n->in[j];
    if (is_made_in(t, v, step) || t->last_read[v] == step + 1)
      continue;
    t->last_read[v] = step + 1;
    sum->read += bytes_of(t, v);
  }
  for (uint32_t k = 0; k < node_n_results(n); k++)
    if (t->in_memory[n->out + k])
      sum->written += bytes_of(t, n->out + k);
}

static struct traffic step_traffic(struct text *t, uint32_t step) {
  struct traffic sum = {0};
  for (uint32_t i = 0; i < t->low->n_nodes; i++)
    if (t->group[i] == step)
      add_node(t, step, &t->low->nodes[i], &sum);
  return sum;
}

/* Whether the node only converts a value to the dtype that an operation wants. */
static bool is_cast(const struct text *t, const struct node *n) {
  return n->kind == NODE_MAP && n->op == NUMD_OP_ASTYPE && !value_of(t, n->out)->is_output;
}

static uint32_t before_cast(const struct text *t, uint32_t v) {
  while (value_of(t, v)->kind == VALUE_NODE && is_cast(t, &t->low->nodes[value_of(t, v)->index]))
    v = t->low->nodes[value_of(t, v)->index].in[0];
  return v;
}

static struct traffic one_at_a_time(const struct text *t) {
  struct traffic sum = {0};
  for (uint32_t i = 0; i < t->low->n_nodes; i++) {
    const struct node *n = &t->low->nodes[i];
    if (t->group[i] >= t->plan->n_steps || is_cast(t, n))
      continue;
    for (int j = 0; j < n->n_in; j++)
      sum.read += bytes_of(t, before_cast(t, n->in[j]));
    for (uint32_t k = 0; k < node_n_results(n); k++)
      sum.written += bytes_of(t, n->out + k);
  }
  return sum;
}

/* ---- Words ---- */

static void print_shape(FILE *f, int ndim, const int64_t shape[]) {
  fputs("(", f);
  for (int d = 0; d < ndim; d++)
    fprintf(f, "%s%" PRId64, d ? ", " : "", shape[d]);
  fputs(ndim == 1 ? ",)" : ")", f);
}

static void print_layout(FILE *f, const struct layout *a) {
  fprintf(f, "%s ", dtype_rows[a->dtype].name);
  print_shape(f, a->ndim, a->shape);
}

static void print_constant(FILE *f, const struct value *v) {
  union {
    uint64_t bits;
    double real;
  } given = {.bits = v->bits};
  if (v->from == NUMD_FLOAT64)
    fprintf(f, "%.17g", given.real);
  else if (v->from == NUMD_BOOL)
    fputs(given.bits ? "True" : "False", f);
  else if (v->from == NUMD_UINT64)
    fprintf(f, "%" PRIu64, given.bits);
  else
    fprintf(f, "%" PRId64, (int64_t)given.bits);
}

static void print_value(const struct text *t, uint32_t number) {
  const struct value *v = value_of(t, number);
  if (v->kind == VALUE_VIEW) {
    print_value(t, v->index);
    fputs(" as ", t->f);
    print_shape(t->f, v->layout.ndim, v->layout.shape);
  } else if (v->kind == VALUE_CONSTANT) {
    print_constant(t->f, v);
  } else if (v->kind == VALUE_BINDING) {
    fprintf(t->f, "in%" PRIu32, v->index);
  } else if (v->kind == VALUE_SCALAR) {
    fprintf(t->f, "in%" PRIu32, v->weak ? v->index : t->low->scalars[v->index / MAX_ITEM_BYTES].binding);
  } else if (v->is_output) {
    fprintf(t->f, "out%" PRIu32, v->output);
  } else {
    fprintf(t->f, "v%" PRIu32, number);
  }
}

static void print_node(const struct text *t, const struct node *n) {
  fputs("  ", t->f);
  for (uint32_t k = 0; k < node_n_results(n); k++) {
    fputs(k ? ", " : "", t->f);
    print_value(t, n->out + k);
  }
  fprintf(t->f, " = %s[%s](", op_rows[n->op].name, dtype_rows[n->dtype].name);
  for (int j = 0; j < n->n_in; j++) {
    fputs(j ? ", " : "", t->f);
    print_value(t, n->in[j]);
  }
  fputs("):", t->f);
  for (uint32_t k = 0; k < node_n_results(n); k++) {
    fputs(k ? ", " : " ", t->f);
    print_layout(t->f, &value_of(t, n->out + k)->layout);
  }
  fputs("\n", t->f);
}

static void print_step(struct text *t, uint32_t i, const struct traffic *moved) {
  const struct step *s = t->plan->steps[i];
  fprintf(t->f, "step %u: %s", i, kinds[s->kind]);
  if (s->kind == STEP_PRODUCT) {
    fprintf(t->f, " (%" PRId64 " x %" PRId64 ") @ (%" PRId64 " x %" PRId64 ")", s->m, s->k, s->k, s->n);
  } else if (s->kind != STEP_ARRAY) {
    fputs(" over ", t->f);
    print_shape(t->f, s->ndim, s->shape);
  }
  if (s->block)
    fprintf(t->f, " in blocks of %" PRId64 ", %u registers", s->block, s->n_registers);
  if (s->parallel)
    fputs(", on all free cores", t->f);
  fprintf(t->f, "; reads %" PRIu64 " bytes, writes %" PRIu64 "\n", moved->read, moved->written);
  for (uint32_t n = 0; n < t->low->n_nodes; n++)
    if (t->group[n] == i)
      print_node(t, &t->low->nodes[n]);
}

static void print_inputs(const struct text *t) {
  for (uint32_t i = 0; i < t->low->n_bindings; i++) {
    if (t->low->binding_kinds[i] == BIND_OUTPUT)
      continue;
    fprintf(t->f, "in%" PRIu32 ": ", i);
    print_layout(t->f, &t->low->bindings[i]);
    fputs(t->low->binding_kinds[i] == BIND_SCALAR ? ", a number\n" : "\n", t->f);
  }
}

static void print_all(struct text *t) {
  struct traffic sum = {0}, plain = one_at_a_time(t);
  uint32_t n_steps = t->plan->n_steps;
  print_inputs(t);
  for (uint32_t i = 0; i < n_steps; i++) {
    struct traffic moved = step_traffic(t, i);
    print_step(t, i, &moved);
    sum.read += moved.read;
    sum.written += moved.written;
  }
  fprintf(t->f,
          "total: %u step%s, reads %" PRIu64 " bytes, writes %" PRIu64 ", holds %" PRId64 " in temporaries\n",
          n_steps, n_steps == 1 ? "" : "s", sum.read, sum.written, t->plan->scratch_bytes);
  fprintf(t->f, "one operation at a time, as NumPy does it: reads %" PRIu64 " bytes, writes %" PRIu64,
          plain.read, plain.written);
  if (sum.read + sum.written > 0)
    fprintf(t->f, " (%.1f times as much)",
            (double)(plain.read + plain.written) / (double)(sum.read + sum.written));
  fputs("\n", t->f);
}

char *plan_text(const struct plan *p, const struct lowered *low, const uint32_t group[],
                const bool in_memory[]) {
  char *text = NULL;
  size_t len;
  struct text t = {
      .f = open_memstream(&text, &len), .plan = p, .low = low, .group = group, .in_memory = in_memory};
  t.last_read = calloc(low->n_values + 1, sizeof(*t.last_read));
  bool failed = !t.f || !t.last_read;
  if (!failed)
    print_all(&t);
  if (t.f && fclose(t.f) != 0)
    failed = true;
  free(t.last_read);
  if (!failed)
    return text;
  free(text);
  return NULL;
}
