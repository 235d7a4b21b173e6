/* SPDX-License-Identifier: BSD-3-Clause */
/* Which nodes make a step together.
 *
 * A group is a run of elementwise nodes over one shape, with reductions of that shape; a product or an array
 * kernel is a group of its own. A node joins the open group, the one that the nodes before it make, unless it
 * reads from memory what that group only computes. Nodes whose values nobody needs are in no group. */
#include "server/engine/plan_making.h"

/* The value of which v is a view, or v itself. */
static uint32_t base_of(const struct making *m, uint32_t v) {
  return m->low.values[v].kind == VALUE_VIEW ? m->low.values[v].index : v;
}

/* Marks the nodes that compute a value as live: their group is 0 until form_groups chooses it. */
static void mark_value(struct making *m, uint32_t v) {
  const struct value *value = &m->low.values[v = base_of(m, v)];
  if (value->kind == VALUE_NODE)
    m->group[value->index] = 0;
  for (uint32_t i = value->index; value->kind == VALUE_BUFFER && i < value->last; i++)
    if (m->low.values[m->low.nodes[i].out].kind == VALUE_VIEW && base_of(m, m->low.nodes[i].out) == v)
      m->group[i] = 0;
}

/* Marks the nodes on which the outputs depend, from the last to the first; all others stay in no group. */
static void mark_live(struct making *m) {
  const struct lowered *low = &m->low;
  for (uint32_t i = 0; i < low->n_nodes; i++)
    m->group[i] = NONE;
  for (uint32_t i = 0; i < low->n_outputs; i++)
    mark_value(m, low->output_values[i]);
  for (uint32_t i = low->n_nodes; i-- > 0;)
    for (int j = 0; m->group[i] != NONE && j < low->nodes[i].n_in; j++)
      mark_value(m, low->nodes[i].in[j]);
}

/* The open group: what its nodes have in common, and how many there are. */
struct open_group {
  bool open, has_reduction;
  uint32_t axes, n_memories, n_nodes, n_reductions;
  const struct layout *shape;
};

static bool is_alone(const struct node *n) {
  return n->kind == NODE_PRODUCT || n->kind == NODE_ARRAY;
}

/* Whether the value is in memory only when the open group has run: a reduction of that group, a buffer that
 * it writes, or one of its values seen through a view. */
static bool is_made_here(const struct making *m, uint32_t v) {
  const struct value *base = &m->low.values[base_of(m, v)];
  if (base->kind == VALUE_BUFFER)
    return base->last > base->index && m->group[base->last - 1] == m->n_groups - 1;
  if (base->kind != VALUE_NODE || m->group[base->index] != m->n_groups - 1)
    return false;
  return m->low.values[v].kind == VALUE_VIEW || m->low.nodes[base->index].kind != NODE_MAP;
}

static bool can_join(const struct making *m, const struct open_group *g, const struct node *n) {
  if (!g->open || is_alone(n) || !layout_same_shape(g->shape, group_shape(m, n)))
    return false;
  if (n->is_laying_out && g->has_reduction)
    return false;
  if (n->kind == NODE_REDUCE &&
      ((g->has_reduction && g->axes != n->axes) || g->n_reductions == MAX_REDUCTIONS))
    return false;
  if (g->n_memories + 4 > MAX_MEMORIES || g->n_nodes + 1 > MAX_REGISTERS)
    return false;
  for (int j = 0; j < n->n_in; j++)
    if (is_made_here(m, n->in[j]))
      return false;
  return true;
}

static void form_groups(struct making *m) {
  struct open_group g = {0};
  for (uint32_t i = 0; i < m->low.n_nodes; i++) {
    const struct node *n = &m->low.nodes[i];
    if (m->group[i] == NONE)
      continue;
    if (!can_join(m, &g, n)) {
      g = (struct open_group){.open = !is_alone(n), .shape = group_shape(m, n)};
      m->first[m->n_groups++] = i;
    }
    m->group[i] = m->n_groups - 1;
    m->end[m->group[i]] = i + 1;
    g.n_nodes++;
    g.n_memories += n->n_in + 1u;
    if (n->kind == NODE_REDUCE) {
      g.has_reduction = true;
      g.axes = n->axes;
      g.n_reductions++;
    }
  }
}

static void find_uses(struct making *m) {
  for (uint32_t i = 0; i < m->low.n_nodes; i++) {
    const struct node *n = &m->low.nodes[i];
    if (m->group[i] == NONE)
      continue;
    const struct value *out = &m->low.values[n->out];
    if (n->kind != NODE_MAP || out->is_output || out->kind == VALUE_VIEW)
      for (uint32_t k = 0; k < node_n_results(n); k++)
        m->in_memory[n->out + k] = true;
    for (int j = 0; j < n->n_in; j++) {
      uint32_t base = base_of(m, n->in[j]);
      const struct value *v = &m->low.values[base];
      m->last_use[n->in[j]] = i;
      if (v->kind == VALUE_NODE && (base != n->in[j] || m->group[v->index] != m->group[i]))
        m->in_memory[base] = true;
    }
  }
}

void plan_form_groups(struct making *m) {
  mark_live(m);
  form_groups(m);
  find_uses(m);
}
