/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering: from a program as a client wrote it to nodes, one kernel each.
 *
 * This file and the lower_*.c beside it decide in which dtype an operation computes and which one it gives,
 * how shapes broadcast, where a cast is needed, and of what an operation without a kernel of its own is
 * composed. Every node's inputs have exactly the dtype that its kernel takes. A scalar is weak: it is
 * converted to the dtype of the arrays beside it, a constant while the plan is made, a scalar operand when a
 * call brings its value. */
#include "server/engine/lower.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/scalar.h"
#include "shared/checked.h"
#include "shared/grow.h"

/* Adds an item, all zeros, to an array; NULL if out of memory. */
static void *add_item(void **items, uint32_t *n, size_t *room, size_t item_bytes) {
  if (!grow(items, *n, room, item_bytes))
    return NULL;
  void *item = (char *)*items + (size_t)(*n)++ * item_bytes;
  memset(item, 0, item_bytes);
  return item;
}

#define IDLE_STRIDE_MAX ((int64_t)1 << 61)
#define VALUES_MAX UINT16_MAX /* operations name values by 16 bits */

int lower_add_value(struct lowering *l, uint8_t kind, uint32_t *number) {
  struct lowered *o = l->out;
  if (o->n_values == VALUES_MAX)
    return errtext_set(l->err, NUMD_ELIMIT, "%s: more than %d values", OP_NAME(l), VALUES_MAX);
  struct value *v = add_item((void **)&o->values, &o->n_values, &o->values_room, sizeof(*v));
  if (!v)
    return -ENOMEM;
  v->kind = kind;
  *number = o->n_values - 1;
  return 0;
}

int lower_add_node(struct lowering *l, uint8_t kind, uint8_t op, uint8_t dtype, struct node **node,
                   struct value **value, uint32_t *number) {
  struct lowered *o = l->out;
  int r = lower_add_value(l, VALUE_NODE, number);
  if (r)
    return r;
  struct node *n = add_item((void **)&o->nodes, &o->n_nodes, &o->nodes_room, sizeof(*n));
  if (!n)
    return -ENOMEM;
  n->kind = kind;
  n->op = op;
  n->dtype = dtype;
  n->out = *number;
  n->cost_ps = kernel_cost_ps(op, dtype);
  *node = n;
  *value = value_at(l, *number);
  (*value)->index = o->n_nodes - 1;
  return 0;
}

/* ---- Scalars and casts ---- */

int lower_constant(struct lowering *l, double x, uint32_t *out) {
  int r = lower_add_value(l, VALUE_CONSTANT, out);
  if (r)
    return r;
  struct value *c = value_at(l, *out);
  c->weak = true;
  c->layout.dtype = NUMD_FLOAT64;
  memcpy(&c->bits, &x, sizeof(x));
  return 0;
}

static int use_constant(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct lowered *o = l->out;
  struct value given = *value_at(l, v);
  for (uint32_t i = 0; i < o->n_values; i++) { /* the same constant may have been converted already */
    const struct value *have = &o->values[i];
    if (have->kind == VALUE_CONSTANT && !have->weak && have->layout.dtype == dtype &&
        have->from == given.layout.dtype && have->bits == given.bits) {
      *out = i;
      return 0;
    }
  }
  if (o->constants_used + MAX_ITEM_BYTES > CONSTANT_BYTES)
    return errtext_set(l->err, NUMD_ELIMIT, "more constants than fit %d bytes", CONSTANT_BYTES);
  char *converted = o->constants + o->constants_used;
  if (!scalar_convert(given.layout.dtype, given.bits, dtype, converted))
    return errtext_set(l->err, NUMD_ERANGE, "%s: constant does not fit %s", OP_NAME(l),
                       dtype_rows[dtype].name);
  int r = lower_add_value(l, VALUE_CONSTANT, out);
  if (r)
    return r;
  struct value *c = value_at(l, *out);
  c->layout.dtype = dtype;
  c->from = given.layout.dtype;
  c->bits = given.bits;
  c->index = o->constants_used;
  o->constants_used += MAX_ITEM_BYTES;
  return 0;
}

static int use_scalar(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct lowered *o = l->out;
  struct value given = *value_at(l, v);
  for (uint32_t i = 0; i < o->n_values; i++) { /* the same scalar may be used in this dtype already */
    const struct value *have = &o->values[i];
    if (have->kind == VALUE_SCALAR && !have->weak && have->layout.dtype == dtype &&
        o->scalars[have->index / MAX_ITEM_BYTES].binding == given.index) {
      *out = i;
      return 0;
    }
  }
  if (o->n_scalars == sizeof(o->scalars) / sizeof(o->scalars[0]))
    return errtext_set(l->err, NUMD_ELIMIT, "more uses of scalars than %u", o->n_scalars);
  int r = lower_add_value(l, VALUE_SCALAR, out);
  if (r)
    return r;
  struct scalar_use *use = &o->scalars[o->n_scalars];
  *use = (struct scalar_use){.binding = given.index,
                             .offset = o->n_scalars * MAX_ITEM_BYTES,
                             .from = given.layout.dtype,
                             .to = dtype};
  o->n_scalars++;
  struct value *s = value_at(l, *out);
  s->layout.dtype = dtype;
  s->index = use->offset;
  return 0;
}

int lower_cast(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct value given = *value_at(l, v);
  if (given.weak && given.kind == VALUE_CONSTANT)
    return use_constant(l, v, dtype, out);
  if (given.weak && given.kind == VALUE_SCALAR)
    return use_scalar(l, v, dtype, out);
  *out = v;
  if (given.layout.dtype == dtype)
    return 0;
  for (uint32_t i = l->reuse_from; i < l->out->n_nodes; i++) { /* the same cast may have been made already */
    const struct node *n = &l->out->nodes[i];
    if (n->op == NUMD_OP_ASTYPE && n->kind == NODE_MAP && n->in[0] == v && n->dtype == dtype &&
        layout_same_shape(&value_at(l, n->out)->layout, &given.layout)) {
      *out = n->out;
      return 0;
    }
  }
  struct node *node;
  struct value *value;
  int r = lower_add_node(l, NODE_MAP, NUMD_OP_ASTYPE, dtype, &node, &value, out);
  if (r)
    return r;
  node->n_in = 1;
  node->in[0] = v;
  node->map = kernel_cast(given.layout.dtype, dtype);
  value->layout = given.layout;
  value->layout.dtype = dtype;
  return 0;
}

int lower_strong(struct lowering *l, uint32_t *v) {
  const struct value *given = value_at(l, *v);
  if (!given->weak || given->kind == VALUE_BINDING)
    return 0;
  return lower_cast(l, *v, given->layout.dtype, v);
}

/* ---- Shapes and dtypes ---- */

int lower_broadcast(struct lowering *l, struct layout *a, const struct layout *b) {
  struct layout wide = a->ndim >= b->ndim ? *a : *b;
  const struct layout *narrow = a->ndim >= b->ndim ? b : a;
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  for (int d = 0; d < narrow->ndim; d++) {
    int64_t *w = &wide.shape[wide.ndim - narrow->ndim + d], n = narrow->shape[d];
    if (*w == 1)
      *w = n;
    else if (n != 1 && n != *w)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: shapes %s and %s do not broadcast", OP_NAME(l),
                         array_shape_text(a, ta), array_shape_text(b, tb));
  }
  uint8_t dtype = a->dtype;
  *a = wide;
  a->dtype = dtype;
  return 0;
}

int lower_check_size(struct lowering *l, const struct layout *a) {
  int64_t size;
  return layout_size(a, &size) < 0 || size > ((int64_t)1 << 58) ? lower_too_large(l, a) : 0;
}

uint8_t lower_promoted(struct lowering *l, const struct op *op, int first, int last) {
  const struct value *a = value_at(l, op->in[first]);
  uint8_t dtype = a->layout.dtype;
  bool weak = a->weak;
  for (int i = first + 1; i < last; i++) {
    const struct value *b = value_at(l, op->in[i]);
    dtype = (uint8_t)dtype_promote(dtype, weak, b->layout.dtype, b->weak);
    weak = weak && b->weak;
  }
  return dtype;
}

uint8_t lower_quotient(uint8_t dtype) {
  char kind = dtype_rows[dtype].kind;
  return kind == 'f' || kind == 'c' ? dtype : NUMD_FLOAT64;
}

uint8_t lower_sum_dtype(const struct op *op, uint8_t in) {
  if (param_given(op, NUMD_PARAM_DTYPE) && dtype_known(op->params.dtype))
    return op->params.dtype;
  char kind = dtype_rows[in].kind;
  return kind == 'b' || kind == 'i' ? NUMD_INT64 : kind == 'u' ? NUMD_UINT64 : in;
}

int lower_axis(struct lowering *l, const struct op *op, int ndim, int otherwise, int *axis) {
  return array_axis_of(OP_NAME(l), &op->params, ndim, otherwise, axis, l->err);
}

/* ---- The whole ---- */

static int add_binding(struct lowering *l, uint8_t kind, const struct layout *layout, uint32_t *number) {
  struct lowered *o = l->out;
  if (o->n_bindings == MAX_BINDINGS)
    return errtext_set(l->err, NUMD_ELIMIT, "more than %d bindings", MAX_BINDINGS);
  o->binding_kinds[o->n_bindings] = kind;
  o->bindings[o->n_bindings] = *layout;
  *number = o->n_bindings++;
  return 0;
}

/* The strides of an empty array or of an axis of length 1 lead nowhere, so a client may give any number. Sets
 * those to 0 that are so large that the strides of views would overflow, which are sums, negatives and
 * multiples of these. */
static void bound_idle_strides(struct layout *layout) {
  int64_t size;
  const bool empty = layout_size(layout, &size) == 0 && size == 0;
  for (int d = 0; d < layout->ndim; d++)
    if (empty || (layout->shape[d] == 1 &&
                  (layout->strides[d] < -IDLE_STRIDE_MAX || layout->strides[d] > IDLE_STRIDE_MAX)))
      layout->strides[d] = 0;
}

static int lower_operand(struct lowering *l, const struct operand *given) {
  uint32_t v, binding = 0;
  int r = 0;
  if (given->kind == OPERAND_ARRAY || given->kind == OPERAND_WEAK)
    r = add_binding(l, BIND_INPUT, &given->layout, &binding);
  else if (given->kind == OPERAND_SCALAR)
    r = add_binding(l, BIND_SCALAR, &given->layout, &binding);
  static const uint8_t kinds[] = {[OPERAND_ARRAY] = VALUE_BINDING,
                                  [OPERAND_WEAK] = VALUE_BINDING,
                                  [OPERAND_SCALAR] = VALUE_SCALAR,
                                  [OPERAND_CONSTANT] = VALUE_CONSTANT};
  uint8_t kind = kinds[given->kind];
  if (r || (r = lower_add_value(l, kind, &v)))
    return r;
  struct value *value = value_at(l, v);
  value->layout = given->layout;
  bound_idle_strides(&value->layout);
  value->weak = given->kind != OPERAND_ARRAY;
  value->index = binding;
  value->bits = given->bits;
  return lower_check_size(l, &given->layout);
}

/* Lowers one operation; out gets the numbers of the values that it gives. */
static int lower_op(struct lowering *l, const struct op *op, uint32_t out[]) {
  struct op arrays = *op;
  int r;
  if (op_rows[op->code].op_class == NUMD_CLASS_MAP)
    return lower_map(l, op, out);
  for (int i = 0; i < op->n_in; i++) { /* a scalar with no array beside it is an array without dimensions */
    uint32_t v = op->in[i];
    if (op_rows[op->code].op_class != NUMD_CLASS_MAKE && op_rows[op->code].op_class != NUMD_CLASS_PRODUCT &&
        (r = lower_strong(l, &v)))
      return r;
    arrays.in[i] = (uint16_t)v;
  }
  switch (op_rows[op->code].op_class) {
    case NUMD_CLASS_REDUCE:
      return lower_reduce(l, &arrays, out);
    case NUMD_CLASS_PRODUCT:
      return lower_product(l, &arrays, out);
    case NUMD_CLASS_VIEW:
    case NUMD_CLASS_MOVE:
      return lower_rearranged(l, &arrays, out);
    default:
      return lower_array(l, &arrays, out);
  }
}

/* Where results lie. Rounding depends on the order in which a reduction or a product takes its elements, and
 * that follows from the loops and blocks of its step. These must not depend on the layout of an output, for
 * the same call gives the same bits wherever its output lies. So a program that reduces or multiplies inexact
 * numbers computes every result as if its output were in C order, and then, in steps that do not reduce,
 * copies those whose output is not. Any other program gives the same whatever its order, and writes any
 * output directly. */

static bool order_matters(const struct lowering *l) {
  for (uint32_t i = 0; i < l->out->n_nodes; i++) {
    const struct node *n = &l->out->nodes[i];
    const char kind = dtype_rows[n->dtype].kind;
    if ((n->kind == NODE_REDUCE || n->kind == NODE_PRODUCT) && (kind == 'f' || kind == 'c'))
      return true;
  }
  return false;
}

/* Whether the value can be computed in the memory of an output of that layout, with no copy at the end. */
static bool can_live_in(const struct value *v, const struct layout *layout) {
  return (v->kind == VALUE_NODE || v->kind == VALUE_BUFFER) && !v->is_output &&
         v->layout.dtype == layout->dtype && layout_same_shape(&v->layout, layout) &&
         (!v->in_c_order || layout_is_c_order(layout));
}

/* A copy of v in the shape of `layout`, whose dtype it has. */
static int add_copy(struct lowering *l, uint32_t v, const struct layout *layout, struct node **node,
                    uint32_t *out) {
  struct value *value;
  int r = lower_add_node(l, NODE_MAP, NUMD_OP_COPY, layout->dtype, node, &value, out);
  if (r)
    return r;
  (*node)->n_in = 1;
  (*node)->in[0] = v;
  (*node)->map = kernel_map(NUMD_OP_COPY, layout->dtype);
  value->layout = *layout;
  return 0;
}

/* Chooses the value that lives in output i: `v` itself if it can be computed there, else a copy of it, cast
 * if need be. */
static int claim_output(struct lowering *l, int i, uint32_t v, bool as_if_c_order) {
  struct layout layout = l->out->outputs[i];
  struct node *node;
  int r;
  if (as_if_c_order && layout_set_c_order(&layout) < 0)
    return lower_too_large(l, &layout);
  if (!can_live_in(value_at(l, v), &layout) &&
      ((r = lower_cast(l, v, layout.dtype, &v)) || (r = add_copy(l, v, &layout, &node, &v))))
    return r;
  struct value *value = value_at(l, v);
  value->is_output = true;
  value->output = (uint32_t)i;
  l->out->output_values[i] = v;
  return 0;
}

/* Has output i, which is not in C order, made by a copy of the value that has claimed it. */
static int lay_out_output(struct lowering *l, int i) {
  uint32_t v = l->out->output_values[i], copy;
  struct node *node;
  int r = add_copy(l, v, &l->out->outputs[i], &node, &copy);
  if (r)
    return r;
  node->is_laying_out = true;
  value_at(l, v)->is_output = false;
  struct value *value = value_at(l, copy);
  value->is_output = true;
  value->output = (uint32_t)i;
  l->out->output_values[i] = copy;
  return 0;
}

/* Whether elements may share memory. Assumes that they do unless each stride steps over all that the smaller
 * strides reach, as in every view that slicing and transposing make; outputs must be so. */
static bool overlaps_itself(const struct layout *a) {
  bool used[MAX_DIMS] = {false};
  int64_t reach = dtype_rows[a->dtype].size, step;
  for (int d = 0; d < a->ndim; d++)
    if (a->shape[d] == 0)
      return false;
  for (;;) {
    int least = -1;
    for (int d = 0; d < a->ndim; d++)
      if (!used[d] && a->shape[d] > 1 && (least < 0 || llabs(a->strides[d]) < llabs(a->strides[least])))
        least = d;
    if (least < 0)
      return false;
    used[least] = true;
    if (llabs(a->strides[least]) < reach ||
        mul_overflows(a->shape[least] - 1, llabs(a->strides[least]), &step) ||
        add_overflows(reach, step, &reach))
      return true;
  }
}

/* The layout of output i: as the program asks for it, with what it leaves open taken from value v, and
 * checked against v. */
static int output_layout(struct lowering *l, int i, const struct value *v, struct layout *out) {
  const struct output *asked = &l->program->outputs[i];
  char ta[SHAPE_TEXT], tb[SHAPE_TEXT];
  *out = asked->open_shape ? v->layout : asked->layout;
  out->dtype = asked->open_dtype ? v->layout.dtype : asked->layout.dtype;
  if (asked->kind == OUTPUT_RESULT && v->layout.ndim > 0)
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: a result of shape %s is not a scalar", i,
                       array_shape_text(&v->layout, ta));
  if (!dtype_can_cast(v->layout.dtype, out->dtype))
    return errtext_set(l->err, NUMD_ECAST, "outputs[%d]: cannot cast from %s to %s", i,
                       dtype_rows[v->layout.dtype].name, dtype_rows[out->dtype].name);
  struct layout wide = *out;
  if (lower_broadcast(l, &wide, &v->layout) || !layout_same_shape(&wide, out))
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: a result of shape %s does not fit shape %s", i,
                       array_shape_text(&v->layout, ta), array_shape_text(out, tb));
  if (asked->open_shape && layout_set_c_order(out) < 0)
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: shape %s is too large", i,
                       array_shape_text(out, ta));
  if (overlaps_itself(out))
    return errtext_set(l->err, NUMD_EINVAL, "outputs[%d]: its strides put several elements in one place", i);
  return 0;
}

static int lower_output(struct lowering *l, int i, uint32_t v, bool as_if_c_order) {
  struct lowered *o = l->out;
  int r;
  if ((r = lower_strong(l, &v)))
    return r;
  if ((r = output_layout(l, i, value_at(l, v), &o->outputs[i])))
    return r;
  o->output_kinds[i] = l->program->outputs[i].kind;
  if (o->output_kinds[i] == OUTPUT_ARRAY &&
      (r = add_binding(l, BIND_OUTPUT, &o->outputs[i], &o->output_bindings[i])))
    return r;
  return claim_output(l, i, v, as_if_c_order);
}

/* The copies come last: what goes before them is the same whatever the layouts of the outputs. */
static int lower_outputs(struct lowering *l, const uint32_t values[]) {
  const int n = l->program->n_outputs;
  const bool as_if_c_order = order_matters(l);
  int r = 0;
  l->out->n_outputs = (uint32_t)n;
  for (int i = 0; i < n && !r; i++)
    r = lower_output(l, i, values[l->program->outputs[i].value], as_if_c_order);
  for (int i = 0; i < n && !r; i++)
    if (as_if_c_order && !layout_is_c_order(&l->out->outputs[i]))
      r = lay_out_output(l, i);
  return r;
}

int lower_program(const struct program *program, struct lowered *out, struct errtext *err) {
  struct lowering l = {.program = program, .out = out, .err = err};
  uint32_t *values = malloc(sizeof(*values) * (program_n_values(program) + 1));
  int r = values ? 0 : -ENOMEM;
  memset(out, 0, sizeof(*out));
  for (int i = 0; i < program->n_operands && !r; i++) {
    values[i] = (uint32_t)i;
    r = lower_operand(&l, &program->operands[i]);
  }
  for (int i = 0, v = program->n_operands; i < program->n_ops && !r; i++) {
    struct op op = program->ops[i];
    l.op_index = i;
    for (int j = 0; j < op.n_in; j++)
      op.in[j] = (uint16_t)values[op.in[j]];
    r = lower_op(&l, &op, values + v);
    v += op_rows[op.code].n_out;
  }
  l.op_index = -1;
  if (!r)
    r = lower_outputs(&l, values);
  free(values);
  return r;
}

void lowered_deinit(struct lowered *lowered) {
  for (uint32_t i = 0; i < lowered->n_nodes; i++)
    free(lowered->nodes[i].job);
  free(lowered->values);
  free(lowered->nodes);
}
