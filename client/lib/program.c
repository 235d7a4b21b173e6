/* Programs as they are built, value by value, and the parameters of operations. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/internal.h"

void layout_fill(const numd_layout *from, struct layout *to) {
  to->dtype = (uint8_t)from->dtype;
  to->ndim = (uint8_t)from->ndim;
  memcpy(to->shape, from->shape, sizeof(int64_t) * (size_t)from->ndim);
  memcpy(to->strides, from->strides, sizeof(int64_t) * (size_t)from->ndim);
}

/* ---- Parameters ---- */

static int read_list(numd_op op, unsigned bit, const numd_params *params, struct op_params *out) {
  int list = param_rows[bit].type - PARAM_LIST0, n = params->n_ints[list];
  if (n < 0 || n > MAX_DIMS)
    return error_set(NUMD_ELIMIT, "%s: %s has %d integers; at most %d are possible", op_rows[op].name,
                     param_rows[bit].name, n, MAX_DIMS);
  out->n_ints[list] = (uint8_t)n;
  if (n > 0)
    memcpy(out->ints[list], params->ints[list], sizeof(int64_t) * (size_t)n);
  return 0;
}

static int refuse_param(numd_op op, unsigned bit) {
  return error_set(NUMD_EINVAL, "%s: %s is out of range", op_rows[op].name, param_rows[bit].name);
}

static int read_param(numd_op op, unsigned bit, const numd_params *params, struct op_params *out) {
  switch (param_rows[bit].type) {
    case PARAM_FLAG:
      return 0;
    case PARAM_MASK:
      out->axes = params->axes;
      return params->axes >> MAX_DIMS ? refuse_param(op, bit) : 0;
    case PARAM_DTYPE:
      out->dtype = (uint8_t)params->dtype;
      return dtype_known(params->dtype) ? 0 : error_set(NUMD_EDTYPE, "%s: no such dtype", op_rows[op].name);
    case PARAM_AXIS:
      out->axis = params->axis;
      return params->axis < -MAX_DIMS || params->axis >= MAX_DIMS ? refuse_param(op, bit) : 0;
    case PARAM_N:
      out->n = params->n;
      return 0;
    case PARAM_K:
      out->k = params->k;
      return 0;
    case PARAM_REAL:
      out->real = params->real;
      return 0;
    default:
      return read_list(op, bit, params, out);
  }
}

int params_read(numd_op op, const numd_params *params, struct op_params *out) {
  memset(out, 0, sizeof(*out));
  if (!params)
    return 0;
  uint32_t strange = params->given & ~op_rows[op].params;
  if (strange) {
    unsigned bit = (unsigned)__builtin_ctz(strange);
    return error_set(NUMD_EINVAL, "%s takes no %s", op_rows[op].name,
                     bit < N_PARAMS ? param_rows[bit].name : "such parameter");
  }
  out->given = params->given;
  int r = 0;
  for (uint32_t left = params->given; left && r == 0; left &= left - 1)
    r = read_param(op, (unsigned)__builtin_ctz(left), params, out);
  return r;
}

/* ---- Building programs ---- */

numd_program *numd_program_new(void) {
  return calloc(1, sizeof(numd_program));
}

void numd_program_free(numd_program *program) {
  free(program);
}

/* Remembers the first mistake, so that numd_prepare can tell it again. */
__attribute__((format(printf, 3, 4))) static int mistake(numd_program *p, int status, const char *format,
                                                         ...) {
  va_list args;
  if (!p->error) {
    va_start(args, format);
    vsnprintf(p->sentence, sizeof(p->sentence), format, args);
    va_end(args);
    p->error = status;
  }
  return -error_set(p->error, "%s", p->sentence);
}

static int new_layout(numd_program *p, numd_dtype dtype, int ndim, const int64_t shape[],
                      const int64_t strides[], struct layout *out) {
  const numd_layout *l;
  int r = layout_get(dtype, ndim, shape, strides, &l);
  if (r)
    return mistake(p, r, "%s", numd_error());
  layout_fill(l, out);
  layout_unref(l);
  return 0;
}

static struct operand *new_operand(numd_program *p, uint8_t kind) {
  struct program *g = &p->program;
  if (g->n_ops > 0) {
    mistake(p, NUMD_EINVAL, "inputs, scalars and constants come before operations");
    return NULL;
  }
  if (g->n_operands == MAX_OPERANDS) {
    mistake(p, NUMD_ELIMIT, "more than %d inputs, scalars and constants", MAX_OPERANDS);
    return NULL;
  }
  struct operand *o = &g->operands[g->n_operands++];
  o->kind = kind;
  return o;
}

int numd_program_input(numd_program *p, numd_dtype dtype, int ndim, const int64_t shape[],
                       const int64_t strides[]) {
  struct operand *o = new_operand(p, OPERAND_ARRAY);
  int r = o ? new_layout(p, dtype, ndim, shape, strides, &o->layout) : -p->error;
  return r ? r : p->program.n_operands - 1;
}

static int weak_operand(numd_program *p, uint8_t kind, numd_dtype dtype, uint64_t bits) {
  struct operand *o = new_operand(p, kind);
  if (!o)
    return -p->error;
  o->layout.dtype = (uint8_t)dtype;
  o->bits = bits;
  return p->program.n_operands - 1;
}

int numd_program_scalar(numd_program *program, numd_dtype dtype) {
  if (!is_scalar_dtype(dtype) && dtype != NUMD_COMPLEX128)
    return mistake(program, NUMD_EDTYPE, "a scalar is bool, int64, uint64, float64 or complex128");
  return weak_operand(program, dtype == NUMD_COMPLEX128 ? OPERAND_WEAK : OPERAND_SCALAR, dtype, 0);
}

int numd_program_constant(numd_program *program, numd_scalar value) {
  if (!is_scalar_dtype(value.dtype))
    return mistake(program, NUMD_EDTYPE, "a constant is bool, int64, uint64 or float64");
  return weak_operand(program, OPERAND_CONSTANT, value.dtype, value.bits);
}

static bool has_value(const struct program *g, int value) {
  return value >= 0 && (uint32_t)value < program_n_values(g);
}

static int count_inputs(numd_program *p, numd_op code, int n) {
  const struct op_row *row = &op_rows[code];
  if (row->n_in < 0 && (n < 1 || n > NUMD_OP_MAX_IN))
    return mistake(p, NUMD_EINVAL, "%s takes 1 to %d inputs, but %d were given", row->name, NUMD_OP_MAX_IN,
                   n);
  if (row->n_in >= 0 && n != row->n_in)
    return mistake(p, NUMD_EINVAL, "%s takes %d inputs, but %d were given", row->name, row->n_in, n);
  return 0;
}

int numd_program_op(numd_program *p, numd_op code, int n_inputs, const int inputs[],
                    const numd_params *params) {
  struct program *g = &p->program;
  struct op op = {.code = (uint8_t)code, .n_in = (uint8_t)n_inputs};
  if (!op_known(code))
    return mistake(p, NUMD_EOP, "no operation has the number %d", (int)code);
  if (g->n_ops == MAX_OPS)
    return mistake(p, NUMD_ELIMIT, "more than %d operations", MAX_OPS);
  int r = count_inputs(p, code, n_inputs);
  if (r)
    return r;
  if ((r = params_read(code, params, &op.params)))
    return mistake(p, r, "%s", numd_error());
  for (int i = 0; i < n_inputs; i++) {
    if (!has_value(g, inputs[i]))
      return mistake(p, NUMD_EINVAL, "%s: input %d is value %d, which does not exist yet", op_rows[code].name,
                     i, inputs[i]);
    op.in[i] = (uint16_t)inputs[i];
  }
  int value = (int)program_n_values(g);
  g->ops[g->n_ops++] = op;
  return value;
}

static struct output *new_output(numd_program *p, int value, uint8_t kind) {
  struct program *g = &p->program;
  if (!has_value(g, value)) {
    mistake(p, NUMD_EINVAL, "output of value %d, which does not exist", value);
    return NULL;
  }
  if (g->n_outputs == MAX_OUTPUTS) {
    mistake(p, NUMD_ELIMIT, "more than %d outputs", MAX_OUTPUTS);
    return NULL;
  }
  struct output *o = &g->outputs[g->n_outputs++];
  *o = (struct output){.value = (uint16_t)value, .kind = kind, .open_dtype = true, .open_shape = true};
  return o;
}

int numd_program_output(numd_program *p, int value, numd_dtype dtype, int ndim, const int64_t shape[],
                        const int64_t strides[]) {
  struct output *o = new_output(p, value, OUTPUT_ARRAY);
  if (!o)
    return -p->error;
  o->open_dtype = dtype == NUMD_DTYPE_NONE;
  o->open_shape = ndim < 0;
  o->layout.dtype = (uint8_t)dtype;
  if (!o->open_shape) {
    if (o->open_dtype)
      return mistake(p, NUMD_EDTYPE, "an output with a shape needs a dtype");
    int r = new_layout(p, dtype, ndim, shape, strides, &o->layout);
    if (r)
      return r;
  }
  return p->program.n_outputs - 1;
}

int numd_program_result(numd_program *p, int value) {
  for (int i = 0; i < p->program.n_outputs; i++)
    if (p->program.outputs[i].kind == OUTPUT_RESULT)
      return mistake(p, NUMD_ELIMIT, "a program has one scalar result at most");
  return new_output(p, value, OUTPUT_RESULT) ? 0 : -p->error;
}
