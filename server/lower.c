/* Lowering: from a program as a client wrote it to nodes, one kernel each.
 *
 * Here, and nowhere else, it is decided what dtype an operation computes in and gives, how shapes
 * broadcast, and where a cast is needed. Every node's inputs have exactly the dtype that its kernel
 * takes. A scalar is weak: it takes the dtype of its company, and is converted when the call brings
 * it (constants: now). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/plan_impl.h"
#include "server/scalar.h"
#include "shared/checked.h"

struct lowering {
  const struct program *program;
  struct lowered *out;
  struct errtext *err;
  int op_index; /* the operation at work, for messages; -1 while at the outputs */
};

#define OP_NAME(l) ((l)->op_index < 0 ? "output" : op_rows[(l)->program->ops[(l)->op_index].code].name)

static const char *shape_text(const struct layout *a, char buf[96]) {
  size_t n = 0;
  n += (size_t)snprintf(buf + n, 96 - n, "(");
  for (int d = 0; d < a->ndim && n < 80; d++)
    n += (size_t)snprintf(buf + n, 96 - n, "%s%lld", d ? ", " : "", (long long)a->shape[d]);
  if (n < 90)
    snprintf(buf + n, 96 - n, a->ndim == 1 ? ",)" : ")");
  return buf;
}

static struct value *value_at(struct lowering *l, uint32_t v) {
  return &l->out->values[v];
}

/* Grows an array by one; the address of the new item, zeroed; NULL if out of memory. */
static void *grow(void **items, uint32_t *n, uint32_t *cap, size_t item_bytes) {
  if (*n == *cap) {
    uint32_t more = *cap ? *cap * 2 : 64;
    void *p = realloc(*items, more * item_bytes);
    if (!p)
      return NULL;
    *items = p;
    *cap = more;
  }
  void *item = (char *)*items + (size_t)(*n)++ * item_bytes;
  memset(item, 0, item_bytes);
  return item;
}

static int add_value(struct lowering *l, uint8_t kind, uint32_t *number) {
  struct lowered *o = l->out;
  struct value *v = grow((void **)&o->values, &o->n_values, &o->values_cap, sizeof(*v));
  if (!v)
    return -ENOMEM;
  v->kind = kind;
  *number = o->n_values - 1;
  return 0;
}

/* Adds a node and the value that it gives (dtype and shape are filled in by the caller). */
static int add_node(struct lowering *l, uint8_t kind, uint8_t op, uint8_t dtype, struct node **node,
                    struct value **value, uint32_t *number) {
  struct lowered *o = l->out;
  int r = add_value(l, VALUE_NODE, number);
  if (r)
    return r;
  struct node *n = grow((void **)&o->nodes, &o->n_nodes, &o->nodes_cap, sizeof(*n));
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

static int use_constant(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct lowered *o = l->out;
  struct value given = *value_at(l, v);
  uint64_t converted;
  for (uint32_t i = 0; i < o->n_values; i++) { /* the same constant may be there already */
    const struct value *have = &o->values[i];
    if (have->kind == VALUE_CONSTANT && !have->weak && have->layout.dtype == dtype &&
        have->from == given.layout.dtype && have->bits == given.bits) {
      *out = i;
      return 0;
    }
  }
  if (o->constants_used + MAX_ITEM_BYTES > CONSTANT_BYTES)
    return errtext_set(l->err, NUMD_ELIMIT, "more constants than fit %d bytes", CONSTANT_BYTES);
  if (!scalar_convert(given.layout.dtype, given.bits, dtype, &converted))
    return errtext_set(l->err, NUMD_ERANGE, "%s: constant does not fit %s", OP_NAME(l),
                       dtype_rows[dtype].name);
  int r = add_value(l, VALUE_CONSTANT, out);
  if (r)
    return r;
  struct value *c = value_at(l, *out);
  c->layout.dtype = dtype;
  c->from = given.layout.dtype;
  c->bits = given.bits;
  c->index = o->constants_used;
  memcpy(o->constants + c->index, &converted, sizeof(converted));
  o->constants_used += MAX_ITEM_BYTES;
  return 0;
}

static int use_scalar(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct lowered *o = l->out;
  struct value given = *value_at(l, v);
  for (uint32_t i = 0; i < o->n_values; i++) { /* the same use may be there already */
    const struct value *have = &o->values[i];
    if (have->kind == VALUE_SCALAR && !have->weak && have->layout.dtype == dtype &&
        o->scalars[have->index / MAX_ITEM_BYTES].binding == given.index) {
      *out = i;
      return 0;
    }
  }
  if (o->n_scalars == sizeof(o->scalars) / sizeof(o->scalars[0]))
    return errtext_set(l->err, NUMD_ELIMIT, "more uses of scalars than %u", o->n_scalars);
  int r = add_value(l, VALUE_SCALAR, out);
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

/* The value `v` in `dtype`: itself, a converted scalar, or a cast of it. */
static int in_dtype(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out) {
  struct value given = *value_at(l, v);
  if (given.weak)
    return given.kind == VALUE_CONSTANT ? use_constant(l, v, dtype, out) : use_scalar(l, v, dtype, out);
  *out = v;
  if (given.layout.dtype == dtype)
    return 0;
  for (uint32_t i = 0; i < l->out->n_nodes; i++) { /* the same cast may be there already */
    const struct node *n = &l->out->nodes[i];
    if (n->op == NUMD_OP_ASTYPE && n->kind == NODE_MAP && n->in[0] == v && n->dtype == dtype &&
        layout_same_shape(&value_at(l, n->out)->layout, &given.layout)) {
      *out = n->out;
      return 0;
    }
  }
  struct node *node;
  struct value *value;
  int r = add_node(l, NODE_MAP, NUMD_OP_ASTYPE, dtype, &node, &value, out);
  if (r)
    return r;
  node->n_in = 1;
  node->in[0] = v;
  node->map = kernel_cast(given.layout.dtype, dtype);
  value->layout = given.layout;
  value->layout.dtype = dtype;
  return 0;
}

/* ---- Shapes ---- */

/* Widens `a` to the broadcast shape of itself and `b`. */
static int broadcast(struct lowering *l, struct layout *a, const struct layout *b) {
  struct layout wide = a->ndim >= b->ndim ? *a : *b;
  const struct layout *narrow = a->ndim >= b->ndim ? b : a;
  char ta[96], tb[96];
  for (int d = 0; d < narrow->ndim; d++) {
    int64_t *w = &wide.shape[wide.ndim - narrow->ndim + d], n = narrow->shape[d];
    if (*w == 1)
      *w = n;
    else if (n != 1 && n != *w)
      return errtext_set(l->err, NUMD_ESHAPE, "%s: shapes %s and %s do not broadcast", OP_NAME(l),
                         shape_text(a, ta), shape_text(b, tb));
  }
  uint8_t dtype = a->dtype;
  *a = wide;
  a->dtype = dtype;
  return 0;
}

static int check_size(struct lowering *l, const struct layout *a) {
  int64_t size;
  char text[96];
  if (layout_size(a, &size) < 0 || size > ((int64_t)1 << 58))
    return errtext_set(l->err, NUMD_ESHAPE, "%s: shape %s is too large", OP_NAME(l), shape_text(a, text));
  return 0;
}

/* ---- Elementwise operations ---- */

static int no_loop(struct lowering *l, uint8_t dtype) {
  return errtext_set(l->err, NUMD_EDTYPE, "%s: not defined for %s", OP_NAME(l), dtype_rows[dtype].name);
}

/* The dtype to which inputs first..n-1 promote. */
static uint8_t promoted(struct lowering *l, const struct op *op, int first) {
  const struct value *a = value_at(l, op->in[first]);
  uint8_t dtype = a->layout.dtype;
  bool weak = a->weak;
  for (int i = first + 1; i < op->n_in; i++) {
    const struct value *b = value_at(l, op->in[i]);
    dtype = (uint8_t)dtype_promote(dtype, weak, b->layout.dtype, b->weak);
    weak = weak && b->weak;
  }
  return dtype;
}

/* Python integers compare by value, whatever the array's dtype: int64 holds both. */
static uint8_t compare_dtype(struct lowering *l, const struct op *op, uint8_t dtype) {
  bool weak_int = false;
  for (int i = 0; i < op->n_in; i++) {
    const struct value *v = value_at(l, op->in[i]);
    weak_int |= v->weak && dtype_rows[v->layout.dtype].kind == 'i';
  }
  return weak_int && dtype_rows[dtype].kind == 'i' ? NUMD_INT64 : dtype;
}

static uint8_t as_float(uint8_t dtype) {
  char kind = dtype_rows[dtype].kind;
  return kind == 'f' || kind == 'c' ? dtype : NUMD_FLOAT64;
}

/* What an operation computes in and what it gives. */
static int map_dtypes(struct lowering *l, const struct op *op, uint8_t *compute, uint8_t *result) {
  uint8_t typing = op_rows[op->code].typing;
  uint8_t t = promoted(l, op, typing == TYPING_SELECT ? 1 : 0);
  if (typing == TYPING_FLOAT)
    t = as_float(t);
  if (typing == TYPING_COMPARE)
    t = compare_dtype(l, op, t);
  if (typing == TYPING_ASTYPE) {
    t = op->dtype;
    if (!dtype_known(t))
      return errtext_set(l->err, NUMD_EDTYPE, "astype: needs the dtype to convert to");
  }
  *compute = t;
  *result = typing == TYPING_COMPARE ? NUMD_BOOL : t;
  if (op->code != NUMD_OP_ASTYPE && !kernel_map(op->code, t))
    return no_loop(l, t);
  return 0;
}

static int lower_map(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout shape = {0};
  uint8_t compute = 0, result = 0;
  uint32_t in[3];
  int r = map_dtypes(l, op, &compute, &result);
  if (r)
    return r;
  for (int i = 0; i < op->n_in; i++)
    if ((r = broadcast(l, &shape, &value_at(l, op->in[i])->layout)))
      return r;
  for (int i = 0; i < op->n_in; i++) {
    bool selector = op_rows[op->code].typing == TYPING_SELECT && i == 0;
    if ((r = in_dtype(l, op->in[i], selector ? NUMD_BOOL : compute, &in[i])))
      return r;
  }
  struct node *node;
  struct value *value;
  uint8_t code = op->code == NUMD_OP_ASTYPE ? NUMD_OP_COPY : op->code; /* the cast, if any, was made above */
  if ((r = check_size(l, &shape)) || (r = add_node(l, NODE_MAP, code, compute, &node, &value, out)))
    return r;
  node->n_in = op->n_in;
  memcpy(node->in, in, sizeof(in));
  node->map = kernel_map(code, compute);
  value->layout = shape;
  value->layout.dtype = result;
  return 0;
}

/* ---- Reductions ---- */

/* What a reduction accumulates in and what it gives. */
static int reduce_dtypes(struct lowering *l, const struct op *op, uint8_t in, uint8_t *acc, uint8_t *result) {
  char kind = dtype_rows[in].kind;
  switch (op_rows[op->code].typing) {
    case TYPING_SUM:
      *result = dtype_known(op->dtype) ? op->dtype : kind == 'b' || kind == 'i' ? (uint8_t)NUMD_INT64 : in;
      kind = dtype_rows[*result].kind;
      *acc = kind == 'f' ? NUMD_FLOAT64 : NUMD_INT64;
      return 0;
    case TYPING_MEAN:
      *result = as_float(in);
      *acc = NUMD_FLOAT64;
      return 0;
    case TYPING_LOGICAL:
      *acc = *result = NUMD_BOOL;
      return 0;
    default:
      *acc = *result = in;
      return kernel_reduce(op->code, in) ? 0 : no_loop(l, in);
  }
}

/* The shape that stays, and how many elements go into each result. */
static int reduced_shape(struct lowering *l, const struct op *op, const struct layout *in, uint32_t *axes,
                         struct layout *out, int64_t *count) {
  uint32_t all = (uint32_t)((1ull << in->ndim) - 1);
  *axes = op->axes == ALL_AXES ? all : op->axes;
  if (*axes & ~all)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: axis %d of an array with %d dimensions", OP_NAME(l),
                       31 - __builtin_clz(*axes), in->ndim);
  *count = 1;
  out->ndim = 0;
  for (int d = 0; d < in->ndim; d++) {
    bool gone = *axes >> d & 1;
    if (gone)
      *count *= in->shape[d];
    if (!gone || op->keepdims)
      out->shape[out->ndim++] = gone ? 1 : in->shape[d];
  }
  return 0;
}

/* Divides a sum by its count: a mean. */
static int divide_by(struct lowering *l, uint32_t sum, int64_t count, uint32_t *out) {
  uint32_t n_elements;
  double n = (double)count;
  int r = add_value(l, VALUE_CONSTANT, &n_elements);
  if (r)
    return r;
  struct value *c = value_at(l, n_elements);
  c->weak = true;
  c->layout.dtype = NUMD_FLOAT64;
  memcpy(&c->bits, &n, sizeof(n));
  struct op divide = {.code = NUMD_OP_DIVIDE, .n_in = 2, .in = {(uint16_t)sum, (uint16_t)n_elements}};
  return lower_map(l, &divide, out);
}

static int lower_reduce(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout in = value_at(l, op->in[0])->layout, kept = {0};
  uint8_t acc = 0, result = 0;
  uint8_t code = op->code == NUMD_OP_MEAN ? NUMD_OP_SUM : op->code;
  uint32_t source = 0, reduced = 0, axes = 0;
  int64_t count = 0;
  int r;
  if ((r = reduce_dtypes(l, op, in.dtype, &acc, &result)) ||
      (r = reduced_shape(l, op, &in, &axes, &kept, &count)))
    return r;
  _Alignas(8) char identity[MAX_ITEM_BYTES];
  if (count == 0 && !kernel_reduce_identity(code, acc, identity))
    return errtext_set(l->err, NUMD_EDOMAIN, "%s: of no elements, and it has no identity", OP_NAME(l));
  if ((r = in_dtype(l, op->in[0], acc, &source)))
    return r;
  struct node *node;
  struct value *value;
  if ((r = add_node(l, NODE_REDUCE, code, acc, &node, &value, &reduced)))
    return r;
  node->n_in = 1;
  node->in[0] = source;
  node->reduce = kernel_reduce(code, acc);
  node->combine = kernel_map(kernel_reduce_combine(code), acc);
  node->axes = axes;
  value->layout = kept;
  value->layout.dtype = acc;
  if (op->code == NUMD_OP_MEAN && (r = divide_by(l, reduced, count, &reduced)))
    return r;
  return in_dtype(l, reduced, result, out);
}

/* ---- Products ---- */

static int product_mismatch(struct lowering *l, const struct layout *a, const struct layout *b) {
  char ta[96], tb[96];
  return errtext_set(l->err, NUMD_ESHAPE, "%s: shapes %s and %s do not match", OP_NAME(l), shape_text(a, ta),
                     shape_text(b, tb));
}

/* The shape of the result; how the axes pair up is worked out again when the step is made. */
static int product_shape(struct lowering *l, const struct op *op, const struct layout *a,
                         const struct layout *b, struct layout *out) {
  int64_t ka = a->shape[a->ndim - 1], kb = b->shape[b->ndim >= 2 ? b->ndim - 2 : 0];
  if (ka != kb)
    return product_mismatch(l, a, b);
  struct layout head = *a, tail = *b;
  head.ndim = a->ndim >= 2 ? (uint8_t)(a->ndim - 2) : 0;
  tail.ndim = b->ndim >= 2 ? (uint8_t)(b->ndim - 2) : 0;
  *out = head;
  if (op->code == NUMD_OP_MATMUL) {
    int r = broadcast(l, out, &tail);
    if (r)
      return r;
  }
  int ndim = out->ndim + (a->ndim >= 2) + (b->ndim >= 2) + (op->code == NUMD_OP_DOT ? tail.ndim : 0);
  if (ndim > MAX_DIMS)
    return errtext_set(l->err, NUMD_ESHAPE, "%s: result has more than %d dimensions", OP_NAME(l), MAX_DIMS);
  if (a->ndim >= 2)
    out->shape[out->ndim++] = a->shape[a->ndim - 2];
  for (int d = 0; op->code == NUMD_OP_DOT && d < tail.ndim; d++)
    out->shape[out->ndim++] = b->shape[d];
  if (b->ndim >= 2)
    out->shape[out->ndim++] = b->shape[b->ndim - 1];
  return 0;
}

static int lower_product(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout a = value_at(l, op->in[0])->layout, b = value_at(l, op->in[1])->layout, shape;
  uint8_t dtype = promoted(l, op, 0);
  uint32_t in[2];
  int r;
  if (a.ndim == 0 || b.ndim == 0) {
    if (op->code != NUMD_OP_DOT)
      return errtext_set(l->err, NUMD_ESHAPE, "matmul: an operand has no dimensions");
    struct op multiply = *op;
    multiply.code = NUMD_OP_MULTIPLY;
    return lower_map(l, &multiply, out);
  }
  if ((r = product_shape(l, op, &a, &b, &shape)) || (r = check_size(l, &shape)))
    return r;
  const int64_t unit[2] = {dtype_rows[dtype].size, dtype_rows[dtype].size};
  if (kernel_matmul_scratch(dtype, 1, 1, 1, unit, unit, unit) < 0)
    return no_loop(l, dtype);
  for (int i = 0; i < 2; i++)
    if ((r = in_dtype(l, op->in[i], dtype, &in[i])))
      return r;
  struct node *node;
  struct value *value;
  if ((r = add_node(l, NODE_PRODUCT, op->code, dtype, &node, &value, out)))
    return r;
  node->n_in = 2;
  node->in[0] = in[0];
  node->in[1] = in[1];
  value->layout = shape;
  value->layout.dtype = dtype;
  return 0;
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

static int lower_operand(struct lowering *l, const struct operand *given) {
  uint32_t v, binding = 0;
  int r = 0;
  if (given->kind == OPERAND_ARRAY)
    r = add_binding(l, BIND_INPUT, &given->layout, &binding);
  else if (given->kind == OPERAND_SCALAR)
    r = add_binding(l, BIND_SCALAR, &given->layout, &binding);
  uint8_t kind = given->kind == OPERAND_ARRAY    ? VALUE_BINDING
                 : given->kind == OPERAND_SCALAR ? VALUE_SCALAR
                                                 : VALUE_CONSTANT;
  if (r || (r = add_value(l, kind, &v)))
    return r;
  struct value *value = value_at(l, v);
  value->layout = given->layout;
  value->weak = given->kind != OPERAND_ARRAY;
  value->index = binding;
  value->bits = given->bits;
  return check_size(l, &given->layout);
}

static int lower_op(struct lowering *l, const struct op *op, uint32_t *out) {
  switch (op_rows[op->code].class) {
    case OP_MAP:
      return lower_map(l, op, out);
    case OP_REDUCE: {
      struct op of_array = *op;
      uint32_t v = op->in[0];
      if (value_at(l, v)->weak) { /* a scalar on its own is an array without dimensions */
        int r = in_dtype(l, v, value_at(l, v)->layout.dtype, &v);
        if (r)
          return r;
        of_array.in[0] = (uint16_t)v;
      }
      return lower_reduce(l, &of_array, out);
    }
    default:
      return lower_product(l, op, out);
  }
}

/* The value that will live in output i: `v` itself if it can be computed right there, else a cast or
 * copy of it. */
static int claim_output(struct lowering *l, int i, uint32_t v, const struct layout *layout) {
  const struct value *given = value_at(l, v);
  bool fits = given->kind == VALUE_NODE && !given->is_output && given->layout.dtype == layout->dtype &&
              layout_same_shape(&given->layout, layout);
  int r;
  if (!fits) {
    struct node *node;
    struct value *value;
    uint32_t cast;
    if ((r = in_dtype(l, v, layout->dtype, &cast)) ||
        (r = add_node(l, NODE_MAP, NUMD_OP_COPY, layout->dtype, &node, &value, &v)))
      return r;
    node->n_in = 1;
    node->in[0] = cast;
    node->map = kernel_map(NUMD_OP_COPY, layout->dtype);
    value->layout = *layout;
  }
  struct value *value = value_at(l, v);
  value->is_output = true;
  value->output = (uint32_t)i;
  l->out->output_values[i] = v;
  return 0;
}

/* Whether elements may share memory. Every view that slicing and transposing make has each stride step over
 * all that the smaller ones reach, and no other layout is taken for an output. */
static bool overlaps_itself(const struct layout *a) {
  bool used[MAX_DIMS] = {false};
  int64_t reach = dtype_rows[a->dtype].size, step;
  for (int d = 0; d < a->ndim; d++)
    if (a->shape[d] == 0)
      return false;
  for (int n = 0; n < a->ndim; n++) {
    int least = -1;
    for (int d = 0; d < a->ndim; d++)
      if (!used[d] && (least < 0 || llabs(a->strides[d]) < llabs(a->strides[least])))
        least = d;
    used[least] = true;
    if (a->shape[least] == 1)
      continue;
    if (llabs(a->strides[least]) < reach ||
        mul_overflows(a->shape[least] - 1, llabs(a->strides[least]), &step) ||
        add_overflows(reach, step, &reach))
      return true;
  }
  return false;
}

/* The layout of an output: what was asked for, filled up with what is computed, and checked against it. */
static int output_layout(struct lowering *l, int i, const struct value *v, struct layout *out) {
  const struct output *asked = &l->program->outputs[i];
  char ta[96], tb[96];
  *out = asked->open_shape ? v->layout : asked->layout;
  out->dtype = asked->open_dtype ? v->layout.dtype : asked->layout.dtype;
  if (asked->kind == OUTPUT_RESULT && v->layout.ndim > 0)
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: a result of shape %s is not a scalar", i,
                       shape_text(&v->layout, ta));
  if (!dtype_can_cast(v->layout.dtype, out->dtype))
    return errtext_set(l->err, NUMD_ECAST, "outputs[%d]: cannot cast from %s to %s", i,
                       dtype_rows[v->layout.dtype].name, dtype_rows[out->dtype].name);
  struct layout wide = *out;
  if (broadcast(l, &wide, &v->layout) || !layout_same_shape(&wide, out))
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: a result of shape %s does not fit shape %s", i,
                       shape_text(&v->layout, ta), shape_text(out, tb));
  if (asked->open_shape && layout_set_c_order(out) < 0)
    return errtext_set(l->err, NUMD_ESHAPE, "outputs[%d]: shape %s is too large", i, shape_text(out, ta));
  if (overlaps_itself(out))
    return errtext_set(l->err, NUMD_EINVAL, "outputs[%d]: its strides put several elements in one place", i);
  return 0;
}

static int lower_output(struct lowering *l, int i, uint32_t v) {
  struct lowered *o = l->out;
  int r;
  if (value_at(l, v)->weak && (r = in_dtype(l, v, value_at(l, v)->layout.dtype, &v)))
    return r;
  if ((r = output_layout(l, i, value_at(l, v), &o->outputs[i])))
    return r;
  o->output_kinds[i] = l->program->outputs[i].kind;
  if (o->output_kinds[i] == OUTPUT_ARRAY &&
      (r = add_binding(l, BIND_OUTPUT, &o->outputs[i], &o->output_bindings[i])))
    return r;
  return claim_output(l, i, v, &o->outputs[i]);
}

int lower_program(const struct program *program, struct lowered *out, struct errtext *err) {
  struct lowering l = {.program = program, .out = out, .err = err};
  uint32_t result_of[MAX_OPS], v;
  int r = 0;
  memset(out, 0, sizeof(*out));
  for (int i = 0; i < program->n_operands; i++)
    if ((r = lower_operand(&l, &program->operands[i])))
      return r;
  for (int i = 0; i < program->n_ops; i++) {
    struct op op = program->ops[i];
    l.op_index = i;
    for (int j = 0; j < op.n_in; j++)
      if (op.in[j] >= program->n_operands)
        op.in[j] = (uint16_t)result_of[op.in[j] - program->n_operands];
    if ((r = lower_op(&l, &op, &result_of[i])))
      return r;
  }
  l.op_index = -1;
  out->n_outputs = program->n_outputs;
  for (int i = 0; i < program->n_outputs; i++) {
    v = program->outputs[i].value;
    if (v >= program->n_operands)
      v = result_of[v - program->n_operands];
    if ((r = lower_output(&l, i, v)))
      return r;
  }
  return 0;
}

void lowered_deinit(struct lowered *lowered) {
  free(lowered->values);
  free(lowered->nodes);
}
