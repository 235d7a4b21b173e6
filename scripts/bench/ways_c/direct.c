/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon's own engine, called in this process: the same plans and kernels, and no other process. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripts/bench/ways_c/bench.h"
#include "scripts/bench/ways_c/engine_plan.h"

static struct engine_plan *plan;
static const struct bench_job *current;
static void *data[BENCH_MAX_IN + 1];
static double *output, result;
static char reason[256];

static const char *direct_open(const struct bench_job *job) {
  if (bench_engine_plan(job, &plan, reason, sizeof(reason))) {
    return reason;
  }
  current = job;
  output = bench_alloc(job->out.size);
  if (!output) {
    engine_plan_free(plan);
    return "out of memory";
  }
  for (int i = 0; i < job->what->n_in; i++) {
    data[i] = job->in[i].data;
  }
  data[job->what->n_in] = output;
  return NULL;
}

static int direct_call(void) {
  return engine_plan_run(plan, data, &result);
}

static const char *direct_error(void) {
  return "the engine refused the call";
}

static void direct_spoil(void) {
  result = NAN;
  for (int64_t i = 0; i < current->out.size; i++) {
    output[i] = NAN;
  }
}

static void direct_result(double *out) {
  if (current->what->scalar) {
    *out = result;
  } else {
    memcpy(out, output, (size_t)current->out.size * sizeof(double));
  }
}

static void direct_close(void) {
  engine_plan_free(plan);
  free(output);
}

static const struct bench_way direct_way = {
    .open = direct_open,
    .call = direct_call,
    .error = direct_error,
    .result = direct_result,
    .spoil = direct_spoil,
    .close = direct_close,
};

const struct bench_way *bench_way_choose(const char *argument) {
  (void)argument;
  return &direct_way;
}
