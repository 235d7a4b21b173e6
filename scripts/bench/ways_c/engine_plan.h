/* SPDX-License-Identifier: BSD-3-Clause */
/* A job's case as a plan of the daemon's own engine, in this process. */
#ifndef NUMD_SCRIPTS_BENCH_ENGINE_PLAN_H
#define NUMD_SCRIPTS_BENCH_ENGINE_PLAN_H

#include "scripts/bench/ways_c/bench.h"
#include "server/engine/engine.h"

/* 0, or nonzero with a sentence in reason. */
int bench_engine_plan(const struct bench_job *job, struct engine_plan **out, char *reason, size_t reason_len);

#endif
