/* Inside of making a plan: what plan.c, plan_groups.c and plan_steps.c share. */
#ifndef NUMD_SERVER_ENGINE_PLAN_MAKING_H
#define NUMD_SERVER_ENGINE_PLAN_MAKING_H

#include "server/engine/plan_impl.h"

#define NONE UINT32_MAX

struct making {
  struct lowered low;
  struct plan *plan;
  uint32_t *group; /* of each node; NONE: dead */
  uint32_t *first,
      *end;           /* of each group: its nodes are first .. end-1, with those of no other between them */
  uint32_t *last_use; /* of each value: the last node of its own group that reads it */
  bool *in_memory;    /* of each value of a node: needed outside its group */
  int64_t *scratch;   /* of each value: its place in scratch, or -1 */
  uint32_t n_groups;
  uint32_t read_step[MAX_BINDINGS], read_at[MAX_BINDINGS]; /* inputs: the last read */
  uint32_t view_step[MAX_BINDINGS]; /* inputs: the last step that reads elements of it in another order */
  uint32_t written_step[MAX_BINDINGS], written_at[MAX_BINDINGS]; /* outputs: the first write */
};

/* The shape that a node's group goes over. */
static inline const struct layout *group_shape(const struct making *m, const struct node *n) {
  return &m->low.values[n->kind == NODE_REDUCE ? n->in[0] : n->out].layout;
}

/* Gathers the nodes that are needed into groups, and finds which values must be in memory. */
void plan_form_groups(struct making *m);
/* Makes a step of each group. 0, ESHAPE without a sentence (too much scratch), or -ENOMEM. */
int plan_build_steps(struct making *m);

#endif
