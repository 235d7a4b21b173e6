/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/exec.h"
#include "server/engine/pool.h"

struct engine_plan {
  struct plan *plan;
  struct pool *pool;
  char *scratch;
};

static void once(void) {
  kernels_init(NULL);
}

/* Reads up to `max` numbers from the rest of a line; how many there were. */
static int read_numbers(char *rest, int64_t out[], int max) {
  int n = 0;
  for (char *save, *word = strtok_r(rest, " ", &save); word && n < max; word = strtok_r(NULL, " ", &save))
    out[n++] = strtoll(word, NULL, 10);
  return n;
}

static int read_input(struct program *p, char *rest) {
  struct operand *o = &p->operands[p->n_operands];
  char *shape = strchr(rest, ' ');
  int dtype = dtype_find(rest, shape ? (size_t)(shape - rest) : strlen(rest));
  if (dtype < 0 || p->n_operands == MAX_OPERANDS || p->n_ops > 0)
    return NUMD_EDTYPE;
  o->layout.dtype = (uint8_t)dtype;
  o->layout.ndim = shape ? (uint8_t)read_numbers(shape, o->layout.shape, MAX_DIMS) : 0;
  p->n_operands++;
  return layout_set_c_order(&o->layout) < 0 ? NUMD_ESHAPE : 0;
}

static int read_op(struct program *p, char *rest) {
  struct op *op = &p->ops[p->n_ops];
  char *values = strchr(rest, ' ');
  int code = values ? op_find(rest, (size_t)(values - rest)) : -1;
  int64_t in[3];
  if (code < 0 || p->n_ops == MAX_OPS || read_numbers(values, in, 3) != op_rows[code].n_in)
    return NUMD_EOP;
  *op = (struct op){.code = (uint8_t)code, .n_in = (uint8_t)op_rows[code].n_in};
  for (int i = 0; i < op->n_in; i++) {
    if (in[i] < 0 || in[i] >= program_n_values(p))
      return NUMD_EINVAL;
    op->in[i] = (uint16_t)in[i];
  }
  p->n_ops++;
  return 0;
}

static int read_output(struct program *p, char *rest, uint8_t kind) {
  struct output *o = &p->outputs[p->n_outputs];
  int64_t value;
  if (p->n_outputs == MAX_OUTPUTS || read_numbers(rest, &value, 1) != 1 || value < 0 ||
      value >= program_n_values(p))
    return NUMD_EINVAL;
  *o = (struct output){.value = (uint16_t)value, .kind = kind, .open_dtype = true, .open_shape = true};
  p->n_outputs++;
  return 0;
}

static int read_line(struct program *p, char *line) {
  char *rest = strchr(line, ' ');
  if (!rest)
    return *line ? NUMD_EPROTOCOL : 0;
  *rest++ = 0;
  if (strcmp(line, "in") == 0)
    return read_input(p, rest);
  if (strcmp(line, "op") == 0)
    return read_op(p, rest);
  if (strcmp(line, "out") == 0)
    return read_output(p, rest, OUTPUT_ARRAY);
  if (strcmp(line, "result") == 0)
    return read_output(p, rest, OUTPUT_RESULT);
  return NUMD_EPROTOCOL;
}

static int read_program(const char *text, struct program *p, struct errtext *err) {
  char *copy = strdup(text), *save;
  int r = copy ? 0 : -ENOMEM, number = 1;
  for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && !r;
       line = strtok_r(NULL, "\n", &save), number++)
    if ((r = read_line(p, line)))
      errtext_set(err, r, "line %d: %s", number, status_message(r));
  free(copy);
  return r;
}

int engine_plan_new(const char *program_text, struct engine_plan **out, char *err, size_t err_len) {
  static pthread_once_t init = PTHREAD_ONCE_INIT;
  struct program *program = calloc(1, sizeof(*program));
  struct engine_plan *e = calloc(1, sizeof(*e));
  struct errtext text = {""};
  int r = -ENOMEM;
  pthread_once(&init, once);
  if (!program || !e || (r = read_program(program_text, program, &text)) ||
      (r = plan_compile(program, &e->plan, &text)) || (r = pool_new(NULL, 0, &e->pool)))
    goto out;
  r = posix_memalign((void **)&e->scratch, 64, (size_t)e->plan->scratch_bytes + 64) ? -ENOMEM : 0;
  if (r)
    goto out;
  *out = e;
  e = NULL;
out:
  free(program);
  engine_plan_free(e);
  if (err_len)
    snprintf(err, err_len, "%s", r && !text.text[0] ? (r > 0 ? status_message(r) : strerror(-r)) : text.text);
  return r;
}

int engine_plan_run(struct engine_plan *e, void *const data[], double *result) {
  static const _Atomic uint64_t never = 0;
  char value[MAX_ITEM_BYTES] __attribute__((aligned(16)));
  struct call call;
  call.plan = e->plan;
  call.cancel = &never;
  call.call_id = 1;
  call.pool = e->pool;
  pool_begin_call(e->pool, &call); /* there are no turns to take */
  atomic_init(&call.flags, 0);
  for (uint32_t i = 0; i < e->plan->n_bindings; i++)
    call.bases[i] = data[i];
  call.bases[BASE_SCRATCH] = e->scratch;
  call.bases[BASE_CONSTANTS] = e->plan->constants;
  call.bases[BASE_RESULT] = value;
  int status = e->plan->one.n > 0 ? exec_one_kernel(&e->plan->one, call.bases, value) : exec_run(&call);
  if (result && e->plan->result_dtype >= 0) {
    char *const ptr[2] = {value, (char *)result};
    const int64_t stride[2] = {0, 0};
    kernel_cast((numd_dtype)e->plan->result_dtype, NUMD_FLOAT64)(1, ptr, stride);
  }
  return status;
}

void engine_plan_free(struct engine_plan *e) {
  if (!e)
    return;
  plan_free(e->plan);
  pool_free(e->pool);
  free(e->scratch);
  free(e);
}
