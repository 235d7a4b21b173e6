/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of making a plan: what plan.c, plan_groups.c and plan_steps.c share. */
#ifndef NUMD_SERVER_ENGINE_PLAN_MAKING_H
#define NUMD_SERVER_ENGINE_PLAN_MAKING_H

#include "server/engine/plan_impl.h"

#define NONE UINT32_MAX

/* A plan while it is made. */
struct making {
  struct lowered low;
  struct plan *plan;
  uint32_t *group;       /* of each node; NONE: nobody needs what it computes */
  uint32_t *first, *end; /* of each group: its nodes are among first .. end-1, and no other group's are */
  uint32_t *last_use;    /* of each value: the last node that reads it */
  bool *in_memory;       /* of each value of a node: it is needed outside its group, so it lives in memory */
  int64_t *scratch;      /* of each value: its offset in scratch, or -1 */
  uint32_t n_groups;
  /* Of each input: the step and the node that read it last, and the last step that reads it through a view,
   * so perhaps its elements in another order. Of each output: the step and the node that write it first. */
  uint32_t read_step[MAX_BINDINGS], read_at[MAX_BINDINGS];
  uint32_t view_step[MAX_BINDINGS];
  uint32_t written_step[MAX_BINDINGS], written_at[MAX_BINDINGS];
};

/* The shape over which the loops of a node's group run. */
static inline const struct layout *group_shape(const struct making *m, const struct node *n) {
  return &m->low.values[n->kind == NODE_REDUCE ? n->in[0] : n->out].layout;
}

/* Gathers the nodes that are needed into groups, and finds which values must live in memory. */
void plan_form_groups(struct making *m);
/* Makes a step of each group. 0, ESHAPE without a sentence (too much scratch), or -ENOMEM. */
int plan_build_steps(struct making *m);

#endif
