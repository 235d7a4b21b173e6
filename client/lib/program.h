/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs as they are built, value by value. */
#ifndef NUMD_CLIENT_LIB_PROGRAM_H
#define NUMD_CLIENT_LIB_PROGRAM_H

#include "client/numd.h"
#include "protocol/program.h"

/* Each list has room for a power of two of entries. */
struct numd_program {
  uint16_t n_operands, n_ops, n_outputs;
  struct operand *operands;
  struct op *ops;
  struct output *outputs;
  int n_values; /* the operands, and what each operation gives */
  int error;    /* the first mistake while building */
  char sentence[200];
};

static inline struct program_lists program_lists_of(const numd_program *p) {
  return (struct program_lists){p->n_operands, p->n_ops, p->n_outputs, p->operands, p->ops, p->outputs};
}

#endif
