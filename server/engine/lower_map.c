/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering of elementwise operations: what they compute in, and the casts to it. */
#include <string.h>

#include "server/engine/lower.h"

/* The float that an operation of typing FLOAT computes in. NumPy takes float16 for bool and integers of 8
 * bits, which we do not have. */
static uint8_t as_float(uint8_t dtype) {
  char kind = dtype_rows[dtype].kind;
  return kind == 'f' || kind == 'c' ? dtype : dtype_rows[dtype].size <= 2 ? NUMD_FLOAT32 : NUMD_FLOAT64;
}

static char kind_of(const struct value *v) {
  return dtype_rows[v->layout.dtype].kind;
}

static bool is_integer(const struct value *v) {
  return kind_of(v) == 'i' || kind_of(v) == 'u';
}

/* The dtype in which integers are compared. A Python integer beside an array of a small integer dtype is
 * compared by its value, even if that does not fit the array's dtype: in int64 or uint64, which hold both. */
static uint8_t compare_dtype(struct lowering *l, const struct op *op, uint8_t dtype) {
  bool weak_int = false;
  uint8_t weak_dtype = NUMD_INT64;
  for (int i = 0; i < op->n_in; i++) {
    const struct value *v = value_at(l, op->in[i]);
    if (v->weak && is_integer(v)) {
      weak_int = true;
      weak_dtype = v->layout.dtype;
    }
  }
  char kind = dtype_rows[dtype].kind;
  if (!weak_int || (kind != 'i' && kind != 'u') || dtype == NUMD_UINT64)
    return dtype;
  return weak_dtype == NUMD_UINT64 ? NUMD_UINT64 : NUMD_INT64;
}

/* Whether all inputs are arrays of that dtype. */
static bool all_have(struct lowering *l, const struct op *op, uint8_t dtype) {
  bool all = true;
  for (int i = 0; i < op->n_in; i++)
    all &= !value_at(l, op->in[i])->weak && value_at(l, op->in[i])->layout.dtype == dtype;
  return all;
}

/* The dtype in which an elementwise operation computes. */
static int map_dtype(struct lowering *l, const struct op *op, uint8_t *compute) {
  const struct numd_op_info *row = &op_rows[op->code];
  uint8_t t = lower_promoted(l, op, row->typing == NUMD_TYPING_SELECT ? 1 : 0, op->n_in);
  if (!op_takes(op->code, t))
    return lower_no_loop(l, t);
  switch (row->typing) {
    case NUMD_TYPING_FLOAT:
      t = as_float(t);
      break;
    case NUMD_TYPING_QUOTIENT:
      t = lower_quotient(t);
      break;
    case NUMD_TYPING_COMPARE:
      t = compare_dtype(l, op, t);
      break;
    case NUMD_TYPING_LOGICAL:
      t = all_have(l, op, t) && kernel_map(op->code, t) ? t : NUMD_BOOL;
      break;
    case NUMD_TYPING_ASTYPE:
      if (!param_given(op, NUMD_PARAM_DTYPE) || !dtype_known(op->params.dtype))
        return errtext_set(l->err, NUMD_EDTYPE, "astype: needs the dtype to convert to");
      t = op->params.dtype;
      break;
    default:
      break;
  }
  *compute = t;
  if (op->code != NUMD_OP_ASTYPE && !kernel_map(op->code, t))
    return lower_no_loop(l, t);
  return 0;
}

static bool compares_by_sign(struct lowering *l, const struct op *op) {
  if (op_rows[op->code].typing != NUMD_TYPING_COMPARE || op->n_in != 2)
    return false;
  const struct value *a = value_at(l, op->in[0]), *b = value_at(l, op->in[1]);
  return (a->layout.dtype == NUMD_UINT64 && kind_of(b) == 'i') ||
         (b->layout.dtype == NUMD_UINT64 && kind_of(a) == 'i');
}

/* Compares uint64 with a signed integer, for which no dtype holds both: by the sign of the signed one, since
 * a negative number is less than any unsigned one, and, if it is not negative, as uint64. */
static int lower_compare_by_sign(struct lowering *l, const struct op *op, uint32_t *out) {
  bool swapped = value_at(l, op->in[0])->layout.dtype == NUMD_UINT64;
  uint32_t s, u, as_unsigned, zero, sign, compared;
  bool less = op->code == NUMD_OP_LESS || op->code == NUMD_OP_LESS_EQUAL;
  bool greater = op->code == NUMD_OP_GREATER || op->code == NUMD_OP_GREATER_EQUAL;
  bool true_if_negative = op->code == NUMD_OP_NOT_EQUAL || (swapped ? greater : less);
  int r;
  if ((r = lower_cast(l, op->in[swapped], NUMD_INT64, &s)) ||
      (r = lower_cast(l, op->in[!swapped], NUMD_UINT64, &u)) ||
      (r = lower_cast(l, s, NUMD_UINT64, &as_unsigned)) || (r = lower_constant(l, 0, &zero)) ||
      (r = lower_cast(l, zero, NUMD_INT64, &zero)) ||
      (r = lower_binary(l, true_if_negative ? NUMD_OP_LESS : NUMD_OP_GREATER_EQUAL, s, zero, &sign)) ||
      (r = lower_binary(l, op->code, swapped ? u : as_unsigned, swapped ? as_unsigned : u, &compared)))
    return r;
  return lower_binary(l, true_if_negative ? NUMD_OP_BITWISE_OR : NUMD_OP_BITWISE_AND, sign, compared, out);
}

int lower_map(struct lowering *l, const struct op *op, uint32_t *out) {
  struct layout shape = {0};
  uint8_t compute = 0;
  uint32_t in[3] = {0};
  int r;
  if (compares_by_sign(l, op))
    return lower_compare_by_sign(l, op, out);
  if ((r = map_dtype(l, op, &compute)))
    return r;
  for (int i = 0; i < op->n_in; i++)
    if ((r = lower_broadcast(l, &shape, &value_at(l, op->in[i])->layout)))
      return r;
  for (int i = 0; i < op->n_in; i++) {
    bool selector = op_rows[op->code].typing == NUMD_TYPING_SELECT && i == 0;
    if ((r = lower_cast(l, op->in[i], selector ? NUMD_BOOL : compute, &in[i])))
      return r;
  }
  if (op->code == NUMD_OP_ASTYPE && in[0] != op->in[0] && value_at(l, in[0])->kind == VALUE_NODE) {
    *out = in[0];
    return 0;
  }
  struct node *node;
  struct value *value;
  uint8_t code = op->code == NUMD_OP_ASTYPE ? NUMD_OP_COPY : op->code; /* nothing to convert */
  if ((r = lower_check_size(l, &shape)) ||
      (r = lower_add_node(l, NODE_MAP, code, compute, &node, &value, out)))
    return r;
  node->n_in = op->n_in;
  memcpy(node->in, in, sizeof(in));
  node->map = kernel_map(code, compute);
  value->layout = shape;
  value->layout.dtype = (uint8_t)op_map_result(code, compute);
  return 0;
}

int lower_unary(struct lowering *l, uint8_t code, uint32_t x, uint32_t *out) {
  struct op op = {.code = code, .n_in = 1, .in = {(uint16_t)x}};
  return lower_map(l, &op, out);
}

int lower_binary(struct lowering *l, uint8_t code, uint32_t x, uint32_t y, uint32_t *out) {
  struct op op = {.code = code, .n_in = 2, .in = {(uint16_t)x, (uint16_t)y}};
  return lower_map(l, &op, out);
}
