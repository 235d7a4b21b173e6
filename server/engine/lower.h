/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of lowering: what lower.c and the files for each class of operation (lower_*.c) share.
 *
 * A function that lowers an operation gives the numbers of the values that it makes, and returns 0, a status
 * with a sentence, or -ENOMEM. Values go by numbers because the array of values moves when it grows: a
 * pointer from value_at is valid until the next value is made. */
#ifndef NUMD_SERVER_ENGINE_LOWER_H
#define NUMD_SERVER_ENGINE_LOWER_H

#include "server/engine/plan_impl.h"

struct lowering {
  const struct program *program;
  struct lowered *out;
  struct errtext *err;
  int op_index;        /* the operation that is being lowered, for messages; -1: the outputs are */
  uint32_t reuse_from; /* casts made by nodes before this one are not used again */
};

#define OP_NAME(l) ((l)->op_index < 0 ? "output" : op_rows[(l)->program->ops[(l)->op_index].code].name)
#define SHAPE_TEXT 96

static inline struct value *value_at(struct lowering *l, uint32_t v) {
  return &l->out->values[v];
}
static inline bool param_given(const struct op *op, uint32_t param) {
  return (op->params.given & param) != 0;
}

/* ---- Values ---- */

int lower_add_value(struct lowering *l, uint8_t kind, uint32_t *number);
/* Adds a node, and the value that it gives, of which the caller fills in dtype and shape. */
int lower_add_node(struct lowering *l, uint8_t kind, uint8_t op, uint8_t dtype, struct node **node,
                   struct value **value, uint32_t *number);
/* A weak constant of dtype float64. */
int lower_constant(struct lowering *l, double x, uint32_t *out);
/* The value in `dtype`: itself, a converted scalar, or a cast of it. */
int lower_cast(struct lowering *l, uint32_t v, uint8_t dtype, uint32_t *out);
/* The value as an array: a weak scalar becomes one of its own dtype. */
int lower_strong(struct lowering *l, uint32_t *v);

/* ---- Shapes and dtypes ---- */

/* Widens `a` to the broadcast shape of itself and `b`. */
int lower_broadcast(struct lowering *l, struct layout *a, const struct layout *b);
static inline int lower_too_large(struct lowering *l, const struct layout *a) {
  char text[SHAPE_TEXT];
  return errtext_set(l->err, NUMD_ESHAPE, "%s: shape %s is too large", OP_NAME(l), array_shape_text(a, text));
}
int lower_check_size(struct lowering *l, const struct layout *a);
/* The dtype to which inputs first .. last-1 promote. */
uint8_t lower_promoted(struct lowering *l, const struct op *op, int first, int last);
static inline int lower_no_loop(struct lowering *l, uint8_t dtype) {
  return errtext_set(l->err, NUMD_EDTYPE, "%s: not defined for %s", OP_NAME(l), dtype_rows[dtype].name);
}
uint8_t lower_quotient(uint8_t dtype);
/* The dtype of sums and products of `in`: the one that was given, or else 64 bits wide for integers. */
uint8_t lower_sum_dtype(const struct op *op, uint8_t in);
/* The axis that was given, made positive; `otherwise` (may be negative too) if none was. */
int lower_axis(struct lowering *l, const struct op *op, int ndim, int otherwise, int *axis);

/* ---- Composing: operations made of others ---- */

/* An elementwise operation on earlier values. */
int lower_unary(struct lowering *l, uint8_t code, uint32_t x, uint32_t *out);
int lower_binary(struct lowering *l, uint8_t code, uint32_t x, uint32_t y, uint32_t *out);
/* A reduction over a mask of axes. */
int lower_reduction(struct lowering *l, uint8_t code, uint32_t x, uint32_t axes, bool keepdims,
                    uint32_t *out);
int lower_product_of(struct lowering *l, uint8_t code, uint32_t x, uint32_t y, uint32_t *out);
/* A node that runs the operation's array kernel, which computes in `dtype`; the inputs have been cast as the
 * kernel wants them. *out is the first of its values, the others follow it. */
int lower_array_of(struct lowering *l, const struct op *op, uint8_t dtype, int n_in, const uint32_t in[],
                   uint32_t *out);

/* ---- Views ---- */

/* A view of v, with a layout's dtype, shape and strides, from an offset in bytes from v's first element. */
int lower_view(struct lowering *l, uint32_t v, const struct layout *layout, int64_t offset, uint32_t *out);
/* Makes sure that views of v can be made: it lives in memory, and in C order if it is computed. */
int lower_in_memory(struct lowering *l, uint32_t *v);
/* The same elements in C order under another shape: a view if strides allow, else a copy. */
int lower_reshaped(struct lowering *l, uint32_t v, int ndim, const int64_t shape[], uint32_t *out);
/* The view of v that has n elements along one axis, from `start`, `step` apart. */
int lower_sliced(struct lowering *l, uint32_t v, int axis, int64_t start, int64_t n, int64_t step,
                 uint32_t *out);
/* The elements of diagonal k of the last two axes, as the last axis. */
int lower_diagonal(struct lowering *l, uint32_t v, int64_t k, uint32_t *out);
/* A buffer of that dtype and shape, which lower_write fills through views of it. */
int lower_buffer(struct lowering *l, const struct layout *layout, uint32_t *out);
/* Writes v, broadcast, into a view of a buffer. */
int lower_write(struct lowering *l, uint32_t v, uint32_t view);

/* ---- The classes of operations ---- */

int lower_map(struct lowering *l, const struct op *op, uint32_t *out);
int lower_reduce(struct lowering *l, const struct op *op, uint32_t *out);
int lower_product(struct lowering *l, const struct op *op, uint32_t *out);
int lower_rearranged(struct lowering *l, const struct op *op, uint32_t *out); /* VIEW and MOVE */
int lower_array(struct lowering *l, const struct op *op, uint32_t *out);      /* SCAN, ORDER, MAKE, LINALG */

#endif
