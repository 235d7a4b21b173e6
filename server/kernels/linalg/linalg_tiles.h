/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: one large matrix computed in tiles by all cores (linalg_tiles.c). */
#ifndef NUMD_SERVER_KERNELS_LINALG_LINALG_TILES_H
#define NUMD_SERVER_KERNELS_LINALG_LINALG_TILES_H

#include "server/kernels/linalg/linalg.h"

/* Plans the job anew, in tiles, if it is one large matrix of an operation that can be. */
void linalg_tiles_plan(struct array_job *job, const struct lapack *l);
unsigned linalg_tiles_run(const struct linalg_one *o, char *shared, int phase, int64_t unit);

#endif
