/* SPDX-License-Identifier: BSD-3-Clause */
#include "scripts/bench/ways_c/engine_plan.h"

#include <stdio.h>

/* The program in the engine's line language: "in float64 64", "op add 0 1", "out 2". */
static void write_program(const struct bench_job *job, FILE *text) {
  const struct bench_case *what = job->what;
  for (int i = 0; i < what->n_in; i++) {
    fprintf(text, "in float64");
    for (int d = 0; d < job->in[i].ndim; d++) {
      fprintf(text, " %lld", (long long)job->in[i].shape[d]);
    }
    fputc('\n', text);
  }
  for (int i = 0; i < what->n_ops; i++) {
    fprintf(text, "op %s", what->ops[i].name);
    for (int k = 0; k < what->ops[i].n_in; k++) {
      fprintf(text, " %d", what->ops[i].in[k]);
    }
    fputc('\n', text);
  }
  fprintf(text, "%s %d\n", what->scalar ? "result" : "out", what->n_in + what->n_ops - 1);
}

int bench_engine_plan(const struct bench_job *job, struct engine_plan **out, char *reason,
                      size_t reason_len) {
  char text[512] = "";
  FILE *stream = fmemopen(text, sizeof(text), "w");
  if (!stream || !job->what) {
    snprintf(reason, reason_len, "unknown case");
    return -1;
  }
  write_program(job, stream);
  fclose(stream);
  return engine_plan_new(text, out, reason, reason_len);
}
