/* Which nodes make a step together.
 *
 * A group is a run of elementwise nodes over one shape, with reductions of that shape at its end; a product
 * or an array kernel is alone. A node joins the group at work unless it needs, in memory, what that only
 * makes. Nodes whose values nobody needs are in none. */
#include "server/plan_making.h"

/* The value that a view, of whatever kind, is of. */
static uint32_t base_of(const struct making *m, uint32_t v) {
  return m->low.values[v].kind == VALUE_VIEW ? m->low.values[v].index : v;
}

static void mark_value(struct making *m, uint32_t v) {
  const struct value *value = &m->low.values[v = base_of(m, v)];
  if (value->kind == VALUE_NODE)
    m->group[value->index] = 0;
  for (uint32_t i = value->index; value->kind == VALUE_BUFFER && i < value->last; i++)
    if (m->low.values[m->low.nodes[i].out].kind == VALUE_VIEW && base_of(m, m->low.nodes[i].out) == v)
      m->group[i] = 0;
}

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

/* What the group at work looks like. */
struct open_group {
  bool open, has_reduction;
  uint32_t axes, n_memories, n_nodes, n_reductions;
  const struct layout *shape;
};

static bool is_alone(const struct node *n) {
  return n->kind == NODE_PRODUCT || n->kind == NODE_ARRAY;
}

/* Whether the value only comes to be in memory by the group at work: a reduction, a part of a buffer, or what
 * is looked at through a view. */
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
  if (n->kind == NODE_REDUCE && ((g->has_reduction && g->axes != n->axes) || g->n_reductions == 4))
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
      m->in_memory[n->out] = true;
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
