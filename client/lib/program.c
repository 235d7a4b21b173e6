/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/program.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"
#include "client/lib/layout.h"
#include "client/lib/op_info.h"
#include "client/lib/params.h"
#include "protocol/request.h"

numd_program *numd_program_new(void) {
  return calloc(1, sizeof(numd_program));
}

void numd_program_free(numd_program *program) {
  if (!program)
    return;
  free(program->operands);
  free(program->ops);
  free(program->outputs);
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

/* The list with room for one more than its n entries; NULL, with the mistake remembered, if out of memory. */
static void *grow(numd_program *p, void *list, int n, size_t bytes) {
  if (n & (n - 1)) /* there is room up to the next power of two */
    return list;
  void *more = realloc(list, bytes * (size_t)(n ? 2 * n : 1));
  if (!more)
    mistake(p, NUMD_ENOMEMORY, "%s", status_message(NUMD_ENOMEMORY));
  return more;
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
  if (p->n_ops > 0) {
    mistake(p, NUMD_EINVAL, "inputs, scalars and constants come before operations");
    return NULL;
  }
  if (p->n_operands == MAX_OPERANDS) {
    mistake(p, NUMD_ELIMIT, "more than %d inputs, scalars and constants", MAX_OPERANDS);
    return NULL;
  }
  struct operand *list = grow(p, p->operands, p->n_operands, sizeof(*list));
  if (!list)
    return NULL;
  p->operands = list;
  p->n_values++;
  list[p->n_operands] = (struct operand){.kind = kind};
  return &list[p->n_operands++];
}

int numd_program_input(numd_program *p, numd_dtype dtype, int ndim, const int64_t shape[],
                       const int64_t strides[]) {
  struct operand *o = new_operand(p, OPERAND_ARRAY);
  int r = o ? new_layout(p, dtype, ndim, shape, strides, &o->layout) : -p->error;
  return r ? r : p->n_operands - 1;
}

static int weak_operand(numd_program *p, uint8_t kind, numd_dtype dtype, uint64_t bits) {
  struct operand *o = new_operand(p, kind);
  if (!o)
    return -p->error;
  o->layout.dtype = (uint8_t)dtype;
  o->bits = bits;
  return p->n_operands - 1;
}

int numd_program_scalar(numd_program *program, numd_dtype dtype) {
  if (!binding_holds(dtype) && dtype != NUMD_COMPLEX128)
    return mistake(program, NUMD_EDTYPE, "a scalar is bool, int64, uint64, float64 or complex128");
  return weak_operand(program, dtype == NUMD_COMPLEX128 ? OPERAND_WEAK : OPERAND_SCALAR, dtype, 0);
}

int numd_program_constant(numd_program *program, numd_scalar value) {
  if (!binding_holds(value.dtype))
    return mistake(program, NUMD_EDTYPE, "a constant is bool, int64, uint64 or float64");
  return weak_operand(program, OPERAND_CONSTANT, value.dtype, value.bits);
}

static bool has_value(const numd_program *p, int value) {
  return value >= 0 && value < p->n_values;
}

int numd_program_op(numd_program *p, numd_op code, int n_inputs, const int inputs[],
                    const numd_params *params) {
  struct op op = {.code = (uint8_t)code, .n_in = (uint8_t)n_inputs};
  int r = op_check(code, n_inputs);
  if (r == 0 && p->n_ops == MAX_OPS)
    r = error_set(NUMD_ELIMIT, "more than %d operations", MAX_OPS);
  if (r || (r = params_read(code, params, &op.params)))
    return mistake(p, r, "%s", numd_error());
  for (int i = 0; i < n_inputs; i++) {
    if (!has_value(p, inputs[i]))
      return mistake(p, NUMD_EINVAL, "%s: input %d is value %d, which does not exist yet", op_rows[code].name,
                     i, inputs[i]);
    op.in[i] = (uint16_t)inputs[i];
  }
  struct op *list = grow(p, p->ops, p->n_ops, sizeof(*list));
  if (!list)
    return -p->error;
  p->ops = list;
  list[p->n_ops++] = op;
  int value = p->n_values;
  p->n_values += op_rows[code].n_out;
  return value;
}

static struct output *new_output(numd_program *p, int value, uint8_t kind) {
  if (!has_value(p, value)) {
    mistake(p, NUMD_EINVAL, "output of value %d, which does not exist", value);
    return NULL;
  }
  if (p->n_outputs == MAX_OUTPUTS) {
    mistake(p, NUMD_ELIMIT, "more than %d outputs", MAX_OUTPUTS);
    return NULL;
  }
  struct output *list = grow(p, p->outputs, p->n_outputs, sizeof(*list));
  if (!list)
    return NULL;
  p->outputs = list;
  list[p->n_outputs] =
      (struct output){.value = (uint16_t)value, .kind = kind, .open_dtype = true, .open_shape = true};
  return &list[p->n_outputs++];
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
  return p->n_outputs - 1;
}

int numd_program_result(numd_program *p, int value) {
  for (int i = 0; i < p->n_outputs; i++)
    if (p->outputs[i].kind == OUTPUT_RESULT)
      return mistake(p, NUMD_ELIMIT, "a program has one scalar result at most");
  return new_output(p, value, OUTPUT_RESULT) ? 0 : -p->error;
}
