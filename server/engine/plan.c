/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a plan. lower.c makes nodes of the program, plan_groups.c gathers nodes into groups, plan_steps.c
 * makes a step of each group; this file works out what a call's bindings are checked against.
 *
 * A group reads each of its inputs once and writes each of its outputs once. Products and array kernels are
 * steps of their own, from memory to memory. */
#include "server/engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/plan_making.h"
#include "server/engine/plan_text.h"

/* ---- Bindings ---- */

/* The step that copies an output from private memory to its binding, for calls in which the output overlaps
 * an input. */
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

/* As exact_mask, for an output of an array kernel: one that works in place may have its first output exactly
 * where its first input is. */
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

/* The inputs that may be the very same array as the output, without a copy: those whose last read is in a
 * step before the output's first write, or in the same step no later than in the instruction that writes the
 * output element by element. Any other input would be overwritten before it has been read. */
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
      if (l->shape[d] > 1 && b->lo < b->hi && l->strides[d] % align != 0)
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

/* Whether slot i of the step is a memory that starts at a binding; that binding becomes argument a. */
static bool is_bound(const struct step *s, uint16_t i, struct one_kernel *one, int a) {
  const struct place *place = &s->memories[i].place;
  one->binding[a] = (uint8_t)place->base;
  return i < s->n_memories && place->base < MAX_BINDINGS && place->offset == 0;
}

/* Fills in plan->one if the plan is one kernel, run once over bindings. */
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
  plan_form_groups(m);
  if ((r = plan_build_steps(m)) || (r = set_bindings(m, err)) || (r = set_outputs(m)))
    goto out;
  note_one_kernel(m->plan);
  if (!(m->plan->text = plan_text(m->plan, &m->low, m->group, m->in_memory))) {
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
