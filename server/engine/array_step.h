/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps that run an array kernel: its phases one after another, the units of each on all free cores. */
#ifndef NUMD_SERVER_ENGINE_ARRAY_STEP_H
#define NUMD_SERVER_ENGINE_ARRAY_STEP_H

#include "server/engine/exec.h"
#include "server/engine/plan_impl.h"

/* Sets up the step for a job, which becomes the step's, and adds the scratch that its units share to
 * *scratch_bytes. */
void array_step_arrange(struct step *step, struct array_job *job, int64_t *scratch_bytes);
void array_step_run(struct call *call, const struct step *step);

#endif
