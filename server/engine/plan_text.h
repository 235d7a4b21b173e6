/* SPDX-License-Identifier: BSD-3-Clause */
/* The description of a plan that plan_explain gives: its inputs; its steps, each with its operations and the
 * bytes that it moves; and the sums. */
#ifndef NUMD_SERVER_ENGINE_PLAN_TEXT_H
#define NUMD_SERVER_ENGINE_PLAN_TEXT_H

#include "server/engine/plan_impl.h"

/* group[i] is the step of node i; in_memory[v]: value v lives in memory. malloc'ed; NULL if out of memory. */
char *plan_text(const struct plan *plan, const struct lowered *low, const uint32_t group[],
                const bool in_memory[]);

#endif
