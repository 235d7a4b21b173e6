/* SPDX-License-Identifier: BSD-3-Clause */
/* A program: what a client wants computed, read from a message and not yet trusted.
 *
 * Values are numbered: operands first (0 .. n_operands-1), then the results of each operation in turn (most
 * have one), so every operation reads only values with smaller numbers. Outputs name values.
 *
 * A call has a binding for each operand that is an array or a scalar, in their order, then one for each
 * output that is an array. Constants and the scalar result have none. */
#ifndef NUMD_PROTOCOL_PROGRAM_H
#define NUMD_PROTOCOL_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/layout.h"
#include "protocol/op_params.h"

#define MAX_BINDINGS NUMD_MAX_BINDINGS
#define MAX_OPERANDS 64
#define MAX_OPS NUMD_MAX_OPS
#define MAX_OUTPUTS 16

enum operand_kind {
  OPERAND_ARRAY,    /* bound at each call: a place in a segment */
  OPERAND_WEAK,     /* bound likewise: a weak scalar in a segment, for dtypes too large for a binding */
  OPERAND_SCALAR,   /* bound at each call: a weak scalar's 8 bytes (bool, int64, uint64 or float64) */
  OPERAND_CONSTANT, /* a weak scalar fixed in the program */
};

struct operand {
  uint8_t kind;         /* enum operand_kind */
  struct layout layout; /* scalars and constants: the dtype alone, ndim 0 */
  uint64_t bits;        /* constants: the value */
};

struct op {
  uint8_t code; /* numd_op */
  uint8_t n_in;
  uint16_t in[NUMD_OP_MAX_IN];
  struct op_params params;
};

enum output_kind {
  OUTPUT_ARRAY,  /* bound at each call */
  OUTPUT_RESULT, /* comes back in the completion; without dimensions; one at most */
};

struct output {
  uint16_t value;
  uint8_t kind;         /* enum output_kind */
  bool open_dtype;      /* dtype left to the daemon */
  bool open_shape;      /* shape and strides left to the daemon (C order) */
  struct layout layout; /* of it, the parts that are not open */
};

struct program {
  uint16_t n_operands, n_ops, n_outputs;
  struct operand operands[MAX_OPERANDS];
  struct op ops[MAX_OPS];
  struct output outputs[MAX_OUTPUTS];
};

/* A program whose lists lie anywhere. */
struct program_lists {
  uint16_t n_operands, n_ops, n_outputs;
  const struct operand *operands;
  const struct op *ops;
  const struct output *outputs;
};

static inline struct program_lists program_lists(const struct program *p) {
  return (struct program_lists){p->n_operands, p->n_ops, p->n_outputs, p->operands, p->ops, p->outputs};
}

/* How many values the program has, and the first result of operation `op`. */
uint32_t program_n_values(const struct program *program);
uint32_t program_op_value(const struct program *program, int op);

#endif
