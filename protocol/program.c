/* SPDX-License-Identifier: BSD-3-Clause */
#include "protocol/program.h"

uint32_t program_op_value(const struct program *program, int op) {
  uint32_t n = program->n_operands;
  for (int i = 0; i < op; i++)
    n += op_rows[program->ops[i].code].n_out;
  return n;
}

uint32_t program_n_values(const struct program *program) {
  return program_op_value(program, program->n_ops);
}
