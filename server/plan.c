/* Making a plan: nodes are gathered into groups, groups become steps.
 *
 * A group is a run of elementwise nodes over one shape, with reductions of that shape at its end; it
 * reads each of its inputs once and writes each of its outputs once. A value lives in a register while
 * only its own group needs it; else in the output that claimed it, or in scratch. Products and array kernels
 * are steps of their own, from memory to memory. */
#include "server/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/array_step.h"
#include "server/plan_impl.h"
#include "server/plan_text.h"
#include "server/product.h"

#define NONE UINT32_MAX
#define SCRATCH_MAX ((int64_t)1 << 46)

struct making {
  struct lowered low;
  struct plan *plan;
  uint32_t *group; /* of each node; NONE: dead */
  uint32_t *first,
      *end;           /* of each group: its nodes are first .. end-1, with those of no other between them */
  uint32_t *last_use; /* of each value: the last node of its own group that reads it */
  bool *in_memory;    /* of each value of a node: needed outside its group */
  int64_t *scratch;   /* of each value: its place in scratch, or -1 */
  uint32_t n_groups;
  uint32_t read_step[MAX_BINDINGS], read_at[MAX_BINDINGS]; /* inputs: the last read */
  uint32_t view_step[MAX_BINDINGS]; /* inputs: the last step that reads elements of it in another order */
  uint32_t written_step[MAX_BINDINGS], written_at[MAX_BINDINGS]; /* outputs: the first write */
};

/* ---- Groups ---- */

static const struct layout *group_shape(const struct making *m, const struct node *n) {
  return &m->low.values[n->kind == NODE_REDUCE ? n->in[0] : n->out].layout;
}

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

/* ---- Memories ---- */

static int value_place(struct making *m, uint32_t number, struct place *out, struct layout *layout) {
  const struct value *v = &m->low.values[number];
  if (v->kind == VALUE_VIEW) {
    int r = value_place(m, v->index, out, layout);
    *layout = v->layout;
    out->offset += v->offset;
    return r;
  }
  *layout = v->layout;
  *out = (struct place){.offset = v->index};
  switch (v->kind) {
    case VALUE_BINDING:
      *out = (struct place){.base = (uint16_t)v->index};
      return 0;
    case VALUE_SCALAR:
      out->base = BASE_SCALARS;
      return 0;
    case VALUE_CONSTANT:
      out->base = BASE_CONSTANTS;
      return 0;
    default:
      break;
  }
  if (v->is_output) {
    *layout = m->low.outputs[v->output];
    bool result = m->low.output_kinds[v->output] == OUTPUT_RESULT;
    *out = (struct place){.base = result ? BASE_RESULT : (uint16_t)m->low.output_bindings[v->output]};
    return 0;
  }
  int64_t size;
  if (layout_set_c_order(layout) < 0 || layout_size(layout, &size) < 0)
    return NUMD_ESHAPE;
  if (m->scratch[number] < 0) {
    m->scratch[number] = m->plan->scratch_bytes;
    m->plan->scratch_bytes += align_up(size * dtype_rows[layout->dtype].size, 64);
    if (m->plan->scratch_bytes > SCRATCH_MAX)
      return NUMD_ESHAPE;
  }
  *out = (struct place){.base = BASE_SCRATCH, .offset = m->scratch[number]};
  return 0;
}

/* The strides of a value along the axes of the group's shape: 0 where it is broadcast. */
static void broadcast_strides(const struct layout *v, const struct layout *shape, int64_t out[MAX_DIMS]) {
  int lead = shape->ndim - v->ndim;
  for (int d = 0; d < shape->ndim; d++)
    out[d] = d < lead || (v->shape[d - lead] == 1 && shape->shape[d] != 1) ? 0 : v->strides[d - lead];
}

/* The strides of a reduction's result along the axes of what it reduces. */
static void reduced_strides(const struct layout *v, const struct layout *shape, uint32_t axes,
                            int64_t out[MAX_DIMS]) {
  bool keepdims = v->ndim == shape->ndim;
  for (int d = 0, e = 0; d < shape->ndim; d++) {
    bool reduced = axes >> d & 1;
    out[d] = reduced ? 0 : v->strides[e];
    e += keepdims || !reduced;
  }
}

/* ---- Building a group's step ---- */

struct building {
  struct making *m;
  struct step *s;
  const struct layout *shape;
  uint32_t group;
  uint32_t value_register[MAX_REGISTERS]; /* which value it holds; NONE: free */
  uint8_t register_bytes[MAX_REGISTERS];
};

static void note_use(struct building *b, const struct place *place, uint32_t number, uint32_t node,
                     bool written) {
  struct making *m = b->m;
  if (place->base >= MAX_BINDINGS)
    return;
  if (!written && m->low.values[number].kind == VALUE_VIEW)
    m->view_step[place->base] = m->plan->n_steps;
  if (written && m->written_step[place->base] == NONE) {
    m->written_step[place->base] = m->plan->n_steps;
    m->written_at[place->base] = node;
  } else if (!written) {
    m->read_step[place->base] = m->plan->n_steps;
    m->read_at[place->base] = node;
  }
}

/* The number of the memory with this place and these strides; adds it if it is new. */
static uint16_t use_memory(struct building *b, const struct place *place, uint8_t dtype,
                           const int64_t stride[MAX_DIMS], bool written) {
  struct step *s = b->s;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    struct memory *have = &s->memories[i];
    if (have->place.base == place->base && have->place.offset == place->offset &&
        memcmp(have->stride, stride, sizeof(int64_t) * b->shape->ndim) == 0) {
      have->written |= written;
      return (uint16_t)i;
    }
  }
  struct memory *fresh = &s->memories[s->n_memories];
  fresh->place = *place;
  fresh->written = written;
  fresh->item_bytes = dtype_rows[dtype].size;
  memcpy(fresh->stride, stride, sizeof(int64_t) * b->shape->ndim);
  return (uint16_t)s->n_memories++;
}

static int memory_of(struct building *b, uint32_t number, uint32_t node, bool written, uint32_t *out) {
  struct place place;
  struct layout layout;
  int64_t stride[MAX_DIMS] = {0};
  int r = value_place(b->m, number, &place, &layout);
  if (r)
    return r;
  const struct node *n = &b->m->low.nodes[node];
  if (written && n->kind == NODE_REDUCE)
    reduced_strides(&layout, b->shape, n->axes, stride);
  else
    broadcast_strides(&layout, b->shape, stride);
  note_use(b, &place, number, node, written);
  *out = use_memory(b, &place, layout.dtype, stride, written);
  return 0;
}

/* Registers are numbered from REGISTER up while a step is built, and behind its memories at the end. */
#define REGISTER 1024

static uint16_t register_of(const struct building *b, uint32_t value) {
  for (uint32_t i = 0; i < MAX_REGISTERS; i++)
    if (b->value_register[i] == value)
      return (uint16_t)(REGISTER + i);
  return UINT16_MAX;
}

static uint16_t take_register(struct building *b, uint32_t value, uint8_t bytes) {
  uint32_t i = 0;
  while (i < MAX_REGISTERS - 1 && b->value_register[i] != NONE)
    i++;
  b->value_register[i] = value;
  b->register_bytes[i] = bytes;
  if (bytes > b->s->item_bytes)
    b->s->item_bytes = bytes;
  if (i >= b->s->n_registers)
    b->s->n_registers = i + 1;
  return (uint16_t)(REGISTER + i);
}

static int argument(struct building *b, uint32_t value, uint32_t node, uint16_t *arg, int64_t *stride) {
  uint32_t memory;
  *arg = register_of(b, value);
  *stride = dtype_rows[b->m->low.values[value].layout.dtype].size;
  if (*arg != UINT16_MAX)
    return 0;
  int r = memory_of(b, value, node, false, &memory);
  *arg = (uint16_t)memory;
  return r;
}

/* Gives back the registers of inputs that nobody reads after this node. */
static void free_registers(struct building *b, uint32_t node, uint8_t of_bytes, bool other_bytes) {
  const struct node *n = &b->m->low.nodes[node];
  for (int j = 0; j < n->n_in; j++) {
    uint16_t arg = register_of(b, n->in[j]);
    if (arg != UINT16_MAX && b->m->last_use[n->in[j]] == node &&
        ((b->register_bytes[arg - REGISTER] == of_bytes) != other_bytes))
      b->value_register[arg - REGISTER] = NONE;
  }
}

static int add_instruction(struct building *b, uint32_t node) {
  const struct node *n = &b->m->low.nodes[node];
  struct instruction *in = &b->s->instructions[b->s->n_instructions++];
  uint8_t bytes = dtype_rows[b->m->low.values[n->out].layout.dtype].size;
  int r;
  if (bytes > b->s->item_bytes) /* streamed outputs are made in the arena too */
    b->s->item_bytes = bytes;
  in->fn = n->map;
  in->n_args = (uint8_t)(n->n_in + 1);
  in->node = node;
  for (int j = 0; j < n->n_in; j++)
    if ((r = argument(b, n->in[j], node, &in->arg[j], &in->stride[j])))
      return r;
  /* The output may take the register of an input that ends here, if items are of one size. */
  free_registers(b, node, bytes, false);
  in->stride[n->n_in] = bytes;
  if (b->m->in_memory[n->out]) {
    uint32_t memory;
    if ((r = memory_of(b, n->out, node, true, &memory)))
      return r;
    in->arg[n->n_in] = (uint16_t)memory;
  } else {
    in->arg[n->n_in] = take_register(b, n->out, bytes);
  }
  free_registers(b, node, bytes, true);
  return 0;
}

static int add_reduction(struct building *b, uint32_t node) {
  const struct node *n = &b->m->low.nodes[node];
  struct reduction *red = &b->s->reductions[b->s->n_reductions++];
  uint32_t target;
  int r = argument(b, n->in[0], node, &red->source, &red->source_stride);
  if (r || (r = memory_of(b, n->out, node, true, &target)))
    return r;
  red->fn = n->reduce;
  red->combine = kernel_map(kernel_reduce_combine(n->op), n->acc);
  red->copy = kernel_map(NUMD_OP_COPY, n->acc);
  red->rows = kernel_reduce_rows(n->op, n->dtype);
  red->stops = n->op == NUMD_OP_ANY || n->op == NUMD_OP_ALL;
  red->acc_bytes = dtype_rows[n->acc].size;
  red->identity_bytes = kernel_reduce_identity(n->op, n->acc, red->identity) ? red->acc_bytes : 0;
  red->target = (uint16_t)target;
  return 0;
}

/* A reduction reads its source after all instructions of the block, so the source's register must
 * outlive them. */
static void keep_sources(struct making *m, uint32_t group) {
  for (uint32_t i = m->first[group]; i < m->end[group]; i++)
    if (m->group[i] == group && m->low.nodes[i].kind == NODE_REDUCE)
      m->last_use[m->low.nodes[i].in[0]] = NONE - 1;
}

static void renumber(struct step *s, uint16_t *arg) {
  if (*arg >= REGISTER)
    *arg = (uint16_t)(*arg - REGISTER + s->n_memories);
}

static uint64_t items_of(const struct layout *shape) {
  int64_t n = 0;
  return layout_size(shape, &n) < 0 ? 0 : (uint64_t)n;
}

/* Picoseconds for a byte that comes from the core's own cache, from the shared one, or from beyond. */
static unsigned byte_ps(uint64_t footprint) {
  return footprint < (1 << 20) ? 20 : footprint < (16 << 20) ? 50 : 100;
}

/* Picoseconds an element: computing, and bytes that move. */
static uint64_t item_cost_ps(const struct making *m, uint32_t group, const struct step *s, uint64_t items) {
  uint64_t ps = 0, bytes = 0;
  for (uint32_t i = m->first[group]; i < m->end[group]; i++)
    if (m->group[i] == group)
      ps += m->low.nodes[i].cost_ps;
  for (uint32_t i = 0; i < s->n_memories; i++) {
    bool moves = false;
    for (int d = 0; d < MAX_DIMS; d++)
      moves |= s->memories[i].stride[d] != 0;
    bytes += moves ? s->memories[i].item_bytes : 0;
  }
  return ps + bytes * byte_ps(bytes * items);
}

static void finish_step(struct building *b, uint32_t axes) {
  struct step *s = b->s;
  for (uint32_t i = 0; i < s->n_instructions; i++)
    for (int a = 0; a < s->instructions[i].n_args; a++)
      renumber(s, &s->instructions[i].arg[a]);
  for (uint32_t i = 0; i < s->n_reductions; i++)
    renumber(s, &s->reductions[i].source);
  uint64_t items = items_of(b->shape);
  s->cost_ns = items * item_cost_ps(b->m, b->group, s, items) / 1000;
  s->parallel = s->cost_ns >= PARALLEL_MIN_NS;
  s->kind = s->n_reductions ? STEP_REDUCE_INNER : STEP_MAP;
  loops_arrange(s, b->shape->ndim, b->shape->shape, axes, &b->m->plan->scratch_bytes);
}

static int build_group(struct making *m, uint32_t group, struct step **out) {
  uint32_t n_nodes = 0, n_reductions = 0, axes = 0, first = m->first[group];
  int r = 0;
  for (uint32_t i = first; i < m->end[group]; i++)
    if (m->group[i] == group) {
      n_nodes++;
      n_reductions += m->low.nodes[i].kind == NODE_REDUCE;
      if (m->low.nodes[i].kind == NODE_REDUCE)
        axes = m->low.nodes[i].axes;
    }
  struct layout shape = *group_shape(m, &m->low.nodes[first]);
  struct building b = {.m = m, .shape = &shape, .group = group};
  memset(b.value_register, 0xff, sizeof(b.value_register));
  if (!(b.s = *out = step_new(4 * n_nodes, n_nodes, n_reductions)))
    return -ENOMEM;
  keep_sources(m, group);
  for (uint32_t i = first; i < m->end[group] && !r; i++)
    if (m->group[i] == group)
      r = m->low.nodes[i].kind == NODE_MAP ? add_instruction(&b, i) : add_reduction(&b, i);
  if (!r)
    finish_step(&b, axes);
  return r;
}

static int build_product(struct making *m, uint32_t node, struct step **out) {
  const struct node *n = &m->low.nodes[node];
  const uint32_t numbers[3] = {n->in[0], n->in[1], n->out};
  struct layout layouts[3];
  struct building b = {.m = m};
  int r;
  if (!(b.s = *out = step_new(3, 0, 0)))
    return -ENOMEM;
  for (int i = 0; i < 3; i++) {
    struct memory *mem = &b.s->memories[i];
    if ((r = value_place(m, numbers[i], &mem->place, &layouts[i])))
      return r;
    mem->written = i == 2;
    note_use(&b, &mem->place, numbers[i], node, i == 2);
  }
  b.s->n_memories = 3;
  product_arrange(b.s, n->op, n->dtype, layouts);
  return 0;
}

static int build_array(struct making *m, uint32_t node, struct step **out) {
  struct node *n = &m->low.nodes[node];
  struct building b = {.m = m};
  struct layout layout;
  uint32_t n_out = op_rows[n->op].n_out;
  int r;
  if (!(b.s = *out = step_new(n->n_in + n_out, 0, 0)))
    return -ENOMEM;
  for (uint32_t i = 0; i < n->n_in + n_out; i++) {
    struct memory *mem = &b.s->memories[b.s->n_memories++];
    uint32_t number = i < n->n_in ? n->in[i] : n->out + i - n->n_in;
    if ((r = value_place(m, number, &mem->place, &layout)))
      return r;
    mem->written = i >= n->n_in;
    note_use(&b, &mem->place, number, node, mem->written);
  }
  array_step_arrange(b.s, n->job, &m->plan->scratch_bytes);
  n->job = NULL;
  return 0;
}

static int build_steps(struct making *m) {
  struct plan *p = m->plan;
  p->steps = calloc(m->n_groups ? m->n_groups : 1, sizeof(*p->steps));
  if (!p->steps)
    return -ENOMEM;
  for (uint32_t g = 0; g < m->n_groups; g++) {
    uint32_t first = m->first[g];
    struct step **s = &p->steps[g];
    int kind = m->low.nodes[first].kind;
    int r = kind == NODE_PRODUCT ? build_product(m, first, s)
            : kind == NODE_ARRAY ? build_array(m, first, s)
                                 : build_group(m, g, s);
    p->n_steps++;
    if (r)
      return r;
    if (p->scratch_bytes < 0 || p->scratch_bytes > SCRATCH_MAX)
      return NUMD_ESHAPE;
    p->cost_ns += (*s)->cost_ns;
    p->parallel |= (*s)->parallel;
  }
  return 0;
}

/* ---- Bindings ---- */

/* The step that copies an output from private memory, for calls in which it overlaps an input. */
static struct step *copy_back_step(const struct layout *layout, uint16_t binding) {
  struct step *s = step_new(2, 1, 0);
  int64_t unused = 0;
  if (!s)
    return NULL;
  s->kind = STEP_MAP;
  s->n_memories = 2;
  s->n_instructions = 1;
  s->memories[0].place.base = BASE_REDIRECT;
  s->memories[1].place.base = binding;
  s->memories[1].written = true;
  for (int i = 0; i < 2; i++) {
    s->memories[i].item_bytes = dtype_rows[layout->dtype].size;
    memcpy(s->memories[i].stride, layout->strides, sizeof(int64_t) * layout->ndim);
  }
  s->instructions[0] =
      (struct instruction){.fn = kernel_map(NUMD_OP_COPY, layout->dtype), .n_args = 2, .arg = {0, 1}};
  loops_arrange(s, layout->ndim, layout->shape, 0, &unused);
  return s;
}

static bool same_layout(const struct layout *a, const struct layout *b) {
  return dtype_rows[a->dtype].size == dtype_rows[b->dtype].size && layout_same_shape(a, b) &&
         memcmp(a->strides, b->strides, sizeof(int64_t) * a->ndim) == 0;
}

/* An array kernel that works in place may have its first output exactly where its first input is. */
static uint64_t exact_array_mask(const struct making *m, uint32_t step, uint32_t output) {
  const struct step *s = m->plan->steps[step];
  uint32_t in = s->memories[0].place.base, n_in = (uint32_t)s->job->n_in;
  if (!s->kernel->in_place || s->memories[n_in].place.base != output || in >= MAX_BINDINGS ||
      m->low.binding_kinds[in] != BIND_INPUT || m->read_step[in] != step || m->view_step[in] == step ||
      !same_layout(&m->low.bindings[in], &m->low.bindings[output]))
    return 0;
  for (uint32_t i = 1; i < n_in; i++)
    if (s->memories[i].place.base == in)
      return 0;
  return 1ull << in;
}

/* An output may be exactly an input if that is read for the last time no later than the output is
 * first written, element by element in one instruction or in an earlier one. */
static uint64_t exact_mask(const struct making *m, uint32_t output) {
  uint64_t mask = 0;
  uint32_t step = m->written_step[output];
  if (step == NONE)
    return 0;
  if (m->plan->steps[step]->kind == STEP_ARRAY)
    return exact_array_mask(m, step, output);
  if (m->plan->steps[step]->kind != STEP_MAP)
    return 0;
  for (uint32_t i = 0; i < m->low.n_bindings; i++) {
    if (m->low.binding_kinds[i] != BIND_INPUT || !same_layout(&m->low.bindings[i], &m->low.bindings[output]))
      continue;
    bool before =
        m->read_step[i] == NONE || m->read_step[i] < step ||
        (m->read_step[i] == step && m->view_step[i] != step && m->read_at[i] <= m->written_at[output]);
    if (before)
      mask |= 1ull << i;
  }
  return mask;
}

static int set_bindings(struct making *m, struct errtext *err) {
  struct plan *p = m->plan;
  const struct lowered *low = &m->low;
  p->n_bindings = low->n_bindings;
  for (uint32_t i = 0; i < low->n_bindings; i++) {
    const struct layout *l = &low->bindings[i];
    uint8_t align = dtype_rows[l->dtype].align;
    struct bound *b = &p->bounds[i];
    b->kind = low->binding_kinds[i];
    b->align_mask = (uint8_t)(align - 1);
    b->scalar_dtype = l->dtype;
    if (low->binding_kinds[i] == BIND_SCALAR)
      continue;
    if (layout_extent(l, &b->lo, &b->hi) < 0)
      return errtext_set(err, NUMD_EBOUNDS, "binding %u: its shape and strides overflow", i);
    for (int d = 0; d < l->ndim; d++)
      if (l->shape[d] > 1 && l->strides[d] % align != 0)
        return errtext_set(err, NUMD_EALIGN, "binding %u: stride %lld is not a multiple of %d", i,
                           (long long)l->strides[d], align);
    if (low->binding_kinds[i] != BIND_OUTPUT)
      continue;
    p->outputs_mask |= 1ull << i;
    b->exact_ok = exact_mask(m, i);
    if (!(p->copy_back[i] = copy_back_step(l, (uint16_t)i)))
      return -ENOMEM;
  }
  return 0;
}

static int set_outputs(struct making *m) {
  struct plan *p = m->plan;
  const struct lowered *low = &m->low;
  p->n_outputs = low->n_outputs;
  p->result_dtype = -1;
  memcpy(p->outputs, low->outputs, sizeof(p->outputs));
  memcpy(p->output_kinds, low->output_kinds, sizeof(p->output_kinds));
  for (uint32_t i = 0; i < p->n_outputs; i++)
    if (p->output_kinds[i] == OUTPUT_RESULT)
      p->result_dtype = p->outputs[i].dtype;
  p->n_scalars = low->n_scalars;
  p->scalars = malloc(sizeof(low->scalars[0]) * (low->n_scalars + 1));
  p->constants = malloc(low->constants_used + 64);
  p->n_constant_bytes = low->constants_used;
  if (!p->scalars || !p->constants)
    return -ENOMEM;
  memcpy(p->scalars, low->scalars, sizeof(low->scalars[0]) * low->n_scalars);
  memcpy(p->constants, low->constants, low->constants_used);
  return 0;
}

/* Whether memory i of the step is a binding itself; notes it as argument a. */
static bool is_bound(const struct step *s, uint16_t i, struct one_kernel *one, int a) {
  const struct place *place = &s->memories[i].place;
  one->binding[a] = (uint8_t)place->base;
  return i < s->n_memories && place->base < MAX_BINDINGS && place->offset == 0;
}

static void note_one_kernel(struct plan *p) {
  const struct step *s = p->n_steps == 1 ? p->steps[0] : NULL;
  struct one_kernel one = {.n = s ? s->shape[0] : 0};
  if (!s || p->n_bindings > ONE_KERNEL_BINDINGS || p->n_bindings == 0 || s->empty || s->ndim != 1 ||
      s->n_units != 1 || s->n_instructions + s->n_reductions != 1)
    return;
  if (s->kind == STEP_MAP) {
    const struct instruction *in = &s->instructions[0];
    one.n_args = in->n_args;
    for (int a = 0; a < in->n_args; a++) {
      one.stride[a] = in->stride[a];
      if (!is_bound(s, in->arg[a], &one, a))
        return;
    }
    one.fn = in->fn;
  } else if (s->kind == STEP_REDUCE_INNER) {
    const struct reduction *r = &s->reductions[0];
    one.stride[0] = r->source_stride;
    if (!is_bound(s, r->source, &one, 0) || s->memories[r->target].place.base != BASE_RESULT)
      return;
    one.reduce = r->fn;
  }
  p->one = one;
}

/* ---- The whole ---- */

static int making_init(struct making *m) {
  uint32_t nv = m->low.n_values + 1, nn = m->low.n_nodes + 1;
  m->group = calloc(nn, sizeof(*m->group));
  m->first = calloc(nn, sizeof(*m->first));
  m->end = calloc(nn, sizeof(*m->end));
  m->last_use = calloc(nv, sizeof(*m->last_use));
  m->in_memory = calloc(nv, sizeof(*m->in_memory));
  m->scratch = malloc(nv * sizeof(*m->scratch));
  m->plan = calloc(1, sizeof(*m->plan));
  if (!m->group || !m->first || !m->end || !m->last_use || !m->in_memory || !m->scratch || !m->plan)
    return -ENOMEM;
  for (uint32_t i = 0; i < nv; i++)
    m->scratch[i] = -1;
  memset(m->read_step, 0xff, sizeof(m->read_step));
  memset(m->view_step, 0xff, sizeof(m->view_step));
  memset(m->written_step, 0xff, sizeof(m->written_step));
  return 0;
}

int plan_compile(const struct program *program, struct plan **out, struct errtext *err) {
  struct making *m = calloc(1, sizeof(*m));
  int r = -ENOMEM;
  if (!m)
    return r;
  if ((r = lower_program(program, &m->low, err)) || (r = making_init(m)))
    goto out;
  mark_live(m);
  form_groups(m);
  find_uses(m);
  if ((r = build_steps(m)) || (r = set_bindings(m, err)) || (r = set_outputs(m)))
    goto out;
  note_one_kernel(m->plan);
  if (!(m->plan->text = plan_text(m->plan, &m->low, m->group))) {
    r = -ENOMEM;
    goto out;
  }
  *out = m->plan;
  m->plan = NULL;
out:
  if (r == NUMD_ESHAPE && !err->text[0])
    errtext_set(err, r, "temporaries of this program are too large");
  plan_free(m->plan);
  lowered_deinit(&m->low);
  free(m->group);
  free(m->first);
  free(m->end);
  free(m->last_use);
  free(m->in_memory);
  free(m->scratch);
  free(m);
  return r;
}

struct step *step_new(uint32_t n_memories, uint32_t n_instructions, uint32_t n_reductions) {
  struct step *s = calloc(1, sizeof(*s));
  if (!s)
    return NULL;
  s->memories = calloc(n_memories + 1, sizeof(*s->memories));
  s->instructions = calloc(n_instructions + 1, sizeof(*s->instructions));
  s->reductions = calloc(n_reductions + 1, sizeof(*s->reductions));
  s->item_bytes = 8;
  if (!s->memories || !s->instructions || !s->reductions) {
    step_free(s);
    return NULL;
  }
  return s;
}

void step_free(struct step *s) {
  if (!s)
    return;
  free(s->memories);
  free(s->instructions);
  free(s->reductions);
  free(s->job);
  free(s);
}

void plan_free(struct plan *p) {
  if (!p)
    return;
  for (uint32_t i = 0; i < p->n_steps; i++)
    step_free(p->steps[i]);
  for (uint32_t i = 0; i < MAX_BINDINGS; i++)
    step_free(p->copy_back[i]);
  free(p->steps);
  free(p->scalars);
  free(p->constants);
  free(p->text);
  free(p);
}

int plan_n_outputs(const struct plan *p) {
  return (int)p->n_outputs;
}

const struct layout *plan_output(const struct plan *p, int i) {
  return &p->outputs[i];
}

uint32_t plan_n_bindings(const struct plan *p) {
  return p->n_bindings;
}

int plan_scalar_dtype(const struct plan *p, uint32_t i) {
  return p->bounds[i].kind == BIND_SCALAR ? p->bounds[i].scalar_dtype : -1;
}

int plan_result_dtype(const struct plan *p) {
  return p->result_dtype;
}

uint64_t plan_cost_ns(const struct plan *p) {
  return p->cost_ns;
}

int plan_is_parallel(const struct plan *p) {
  return p->parallel;
}

static uint64_t step_bytes(const struct step *s) {
  if (!s)
    return 0;
  return sizeof(*s) + s->n_memories * sizeof(*s->memories) + s->n_instructions * sizeof(*s->instructions) +
         s->n_reductions * sizeof(*s->reductions) + (s->job ? sizeof(*s->job) : 0);
}

uint64_t plan_bytes(const struct plan *p) {
  uint64_t n = sizeof(*p) + strlen(p->text) + p->n_scalars * sizeof(*p->scalars) + p->n_constant_bytes;
  for (uint32_t i = 0; i < p->n_steps; i++)
    n += sizeof(p->steps[i]) + step_bytes(p->steps[i]);
  for (uint32_t i = 0; i < MAX_BINDINGS; i++)
    n += step_bytes(p->copy_back[i]);
  return n;
}

char *plan_explain(const struct plan *p) {
  return strdup(p->text);
}
