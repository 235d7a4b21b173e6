/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a step of each group: memories, registers, instructions.
 *
 * A value that only its own group needs lives in a register. Any other lives in memory: in an output, or in
 * the plan's scratch. A step has one memory for each place and strides that its nodes use. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/array_step.h"
#include "server/engine/plan_making.h"
#include "server/engine/product.h"

#define SCRATCH_MAX ((int64_t)1 << 46)

/* ---- Memories ---- */

/* The place and the layout of a value that lives in memory. A value without a place gets one in scratch. */
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
    if (layout_is_c_order(layout)) /* strides along axes of length 1 may be any number, but order loops */
      (void)layout_set_c_order(layout);
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

/* Notes when a binding is read last or written first, for exact_mask in plan.c. */
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

/* While a step is built its registers have the slots from REGISTER on, since the number of its memories is
 * not known; finish_step gives them the slots behind the memories. */
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

/* The slot and the stride by which a node of the step reads a value. */
static int argument(struct building *b, uint32_t value, uint32_t node, uint16_t *arg, int64_t *stride) {
  uint32_t memory = 0;
  *arg = register_of(b, value);
  *stride = dtype_rows[b->m->low.values[value].layout.dtype].size;
  if (*arg != UINT16_MAX)
    return 0;
  int r = memory_of(b, value, node, false, &memory);
  *arg = (uint16_t)memory;
  return r;
}

/* Gives back the registers of those inputs that nobody reads after this node, and whose items are of_bytes
 * long or, if other_bytes, are not. */
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
  if (bytes > b->s->item_bytes) /* blocks of outputs may be computed in the arena too (nontemporal) */
    b->s->item_bytes = bytes;
  in->fn = n->map;
  in->n_args = (uint8_t)(n->n_in + 1);
  in->node = node;
  for (int j = 0; j < n->n_in; j++)
    if ((r = argument(b, n->in[j], node, &in->arg[j], &in->stride[j])))
      return r;
  /* The output may take the register of an input that nobody reads any more, if their items are of one size:
   * writing wider or narrower items would overwrite elements that the kernel has not read yet. */
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

/* Reductions read their sources after all instructions of a block have run, so no instruction may take a
 * source's register. */
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
  return layout_size(shape, &n) < 0 ? COST_MAX : (uint64_t)n;
}

/* Results of a reduction along these axes: each is set to the identity first, also where nothing is added to
 * it. */
static uint64_t kept_of(const struct layout *shape, uint32_t axes) {
  uint64_t n = 1;
  for (int d = 0; d < shape->ndim; d++)
    n = axes >> d & 1 ? n : cost_times(n, (uint64_t)shape->shape[d]);
  return n;
}

#define RESULT_PS 500

/* Picoseconds to move a byte, by how much a step touches in all: what fits the core's own cache, the shared
 * one, or neither. */
static unsigned byte_ps(uint64_t footprint) {
  return footprint < (1 << 20) ? 20 : footprint < (16 << 20) ? 50 : 100;
}

/* Picoseconds an element: what the kernels take, and the bytes that move. */
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
  return cost_plus(ps, bytes * byte_ps(cost_times(bytes, items)));
}

static void finish_step(struct building *b, uint32_t axes) {
  struct step *s = b->s;
  for (uint32_t i = 0; i < s->n_instructions; i++)
    for (int a = 0; a < s->instructions[i].n_args; a++)
      renumber(s, &s->instructions[i].arg[a]);
  for (uint32_t i = 0; i < s->n_reductions; i++)
    renumber(s, &s->reductions[i].source);
  uint64_t items = items_of(b->shape);
  uint64_t identities = s->n_reductions ? kept_of(b->shape, axes) : 0;
  s->cost_ns = cost_times(items, item_cost_ps(b->m, b->group, s, items)) / 1000;
  s->cost_ns = cost_plus(s->cost_ns, cost_times(identities, RESULT_PS) / 1000);
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

int plan_build_steps(struct making *m) {
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
    p->cost_ns = cost_plus(p->cost_ns, (*s)->cost_ns);
    p->parallel |= (*s)->parallel;
  }
  return 0;
}
