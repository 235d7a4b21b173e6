/* SPDX-License-Identifier: BSD-3-Clause */
/* Product steps: matmul, dot and vecdot, divided into parts that are computed on all free cores, each part by
 * the matrix kernel on one thread. */
#ifndef NUMD_SERVER_ENGINE_PRODUCT_H
#define NUMD_SERVER_ENGINE_PRODUCT_H

#include "server/engine/exec.h"
#include "server/engine/plan_impl.h"

/* Sets up the step for C = A op B; the layouts are those of its three memories. */
void product_arrange(struct step *step, uint8_t op, uint8_t dtype, const struct layout layouts[3]);
void product_run(struct call *call, const struct step *step);

#endif
