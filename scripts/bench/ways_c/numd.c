/* SPDX-License-Identifier: BSD-3-Clause */
/* numd's C client, by the ring or by the socket, with plans that were prepared or one operation after the
 * other. The daemon's address comes from $NUMD_SOCKET. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client/numd.h"
#include "scripts/bench/ways_c/bench.h"

enum { MAX_VALUES = BENCH_MAX_IN + BENCH_MAX_OPS, MAX_SESSIONS = 64 };

static enum numd_door door;
static const struct bench_job *current;
static numd_conn *conn;
static numd_plan *plan;
static numd_array *values[MAX_VALUES]; /* of the case: inputs, temporaries, the output */
static numd_scalar result;
static numd_op ops[BENCH_MAX_OPS];
static numd_arg op_args[BENCH_MAX_OPS][2], call_args[BENCH_MAX_IN + 1];
static int n_call_args;
static numd_conn *idle[MAX_SESSIONS];

static int last_value(void) {
  return current->what->n_in + current->what->n_ops - 1;
}

static enum numd_wait wait_of(const char *name) {
  return strcmp(name, "spin") == 0      ? NUMD_WAIT_SPIN
         : strcmp(name, "handoff") == 0 ? NUMD_WAIT_HANDOFF
         : strcmp(name, "sleep") == 0   ? NUMD_WAIT_SLEEP
                                        : NUMD_WAIT_AUTO;
}

static int connect_to_daemon(const struct bench_job *job, numd_conn **out) {
  numd_options options = {.size = sizeof(options), .no_start = 1, .door = door, .wait = wait_of(job->wait)};
  return numd_connect(&options, out);
}

static int make_arrays(const struct bench_job *job) {
  const struct bench_case *what = job->what;
  for (int i = 0; i < what->n_in + what->n_ops - what->scalar; i++) {
    const struct bench_array *like = i < what->n_in ? &job->in[i] : &job->out;
    int status = numd_array_zeros(conn, NUMD_FLOAT64, like->ndim, like->shape, &values[i]);
    if (status) {
      return status;
    }
    if (i < what->n_in) {
      memcpy(values[i]->data, like->data, (size_t)like->size * sizeof(double));
    }
  }
  return 0;
}

static void bind(void) {
  const struct bench_case *what = current->what;
  n_call_args = 0;
  for (int i = 0; i < what->n_in; i++) {
    call_args[n_call_args++].array = values[i];
  }
  if (!what->scalar) {
    call_args[n_call_args++].array = values[last_value()];
  }
  for (int i = 0; i < what->n_ops; i++) {
    ops[i] = (numd_op)numd_op_find(what->ops[i].name);
    for (int k = 0; k < what->ops[i].n_in; k++) {
      op_args[i][k].array = values[what->ops[i].in[k]];
    }
  }
}

static int prepare_plan(const struct bench_job *job) {
  const struct bench_case *what = job->what;
  numd_program *program = numd_program_new();
  if (!program) {
    return NUMD_ENOMEMORY;
  }
  int value = 0;
  for (int i = 0; i < what->n_in; i++) {
    numd_program_input(program, NUMD_FLOAT64, job->in[i].ndim, job->in[i].shape, NULL);
  }
  for (int i = 0; i < what->n_ops; i++) {
    value = numd_program_op(program, ops[i], what->ops[i].n_in, what->ops[i].in, NULL);
  }
  if (what->scalar) {
    numd_program_result(program, value);
  } else {
    numd_program_output(program, value, NUMD_FLOAT64, job->out.ndim, job->out.shape, NULL);
  }
  int status = numd_prepare(conn, program, &plan);
  numd_program_free(program);
  return status;
}

static void numd_close(void) {
  numd_plan_unref(plan);
  plan = NULL;
  for (int i = 0; i < MAX_VALUES; i++) {
    numd_array_unref(values[i]);
    values[i] = NULL;
  }
  for (int i = 0; i < MAX_SESSIONS; i++) {
    if (idle[i]) {
      numd_conn_unref(idle[i]);
    }
    idle[i] = NULL;
  }
  if (conn) {
    numd_conn_unref(conn);
  }
  conn = NULL;
}

/* Opens sessions that each make one call and then have nothing to do. */
static int open_idle(const struct bench_job *job) {
  for (int i = 0; i < job->sessions && i < MAX_SESSIONS; i++) {
    int64_t shape = 64;
    numd_array *array;
    int status = connect_to_daemon(job, &idle[i]);
    if (status || (status = numd_array_zeros(idle[i], NUMD_FLOAT64, 1, &shape, &array))) {
      return status;
    }
    status = numd_apply(idle[i], NUMD_OP_SUM, NULL, 1, &(numd_arg){.array = array}, NULL, &result);
    numd_array_unref(array);
    if (status) {
      return status;
    }
  }
  return 0;
}

static const char *ring_or_socket_open(const struct bench_job *job) {
  static char reason[256];
  current = job;
  int status = 0;
  if (job->sessions) {
    status = open_idle(job);
  } else if (!job->what) {
    return "unknown case";
  } else if (!(status = connect_to_daemon(job, &conn)) && !(status = make_arrays(job))) {
    bind();
    status = strcmp(job->mode, "adhoc") == 0 ? 0 : prepare_plan(job);
  }
  if (!status) {
    return NULL;
  }
  snprintf(reason, sizeof(reason), "%s", numd_error());
  numd_close();
  return reason;
}

static int call_prepared(void) {
  return numd_plan_call(plan, n_call_args, call_args, &result, NUMD_FOREVER);
}

static int call_adhoc(void) {
  const struct bench_case *what = current->what;
  for (int i = 0; i < what->n_ops; i++) {
    numd_array **out = what->scalar ? NULL : &values[what->n_in + i];
    int status = numd_apply(conn, ops[i], NULL, what->ops[i].n_in, op_args[i], out, &result);
    if (status) {
      return status;
    }
  }
  return 0;
}

static int numd_call(void) {
  return plan ? call_prepared() : call_adhoc();
}

static void numd_spoil(void) {
  result.f = NAN;
  for (int64_t i = 0; !current->what->scalar && i < current->out.size; i++) {
    ((double *)values[last_value()]->data)[i] = NAN;
  }
}

static void numd_result(double *out) {
  if (current->what && current->what->scalar) {
    *out = result.f;
  } else if (current->what) {
    memcpy(out, values[last_value()]->data, (size_t)current->out.size * sizeof(double));
  }
}

static const struct bench_way numd_way = {
    .open = ring_or_socket_open,
    .call = numd_call,
    .error = numd_error,
    .result = numd_result,
    .spoil = numd_spoil,
    .close = numd_close,
};

const struct bench_way *bench_way_choose(const char *argument) {
  door = argument && strcmp(argument, "socket") == 0 ? NUMD_DOOR_SOCKET : NUMD_DOOR_RING;
  return &numd_way;
}
