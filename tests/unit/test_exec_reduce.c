/* SPDX-License-Identifier: BSD-3-Clause */
/* Reductions as plans run them: over random axes of arrays of random shape and strides, read directly or
 * computed, against the same one element after another. */
#include <stdatomic.h>
#include <stdlib.h>

#include "server/engine/exec.h"
#include "tests/unit/reductions.h"

static const uint8_t ops[] = {NUMD_OP_SUM, NUMD_OP_PROD, NUMD_OP_MAX,          NUMD_OP_MIN,
                              NUMD_OP_ANY, NUMD_OP_ALL,  NUMD_OP_COUNT_NONZERO};

/* An array, and its elements with those that are reduced together side by side, one line after another. */
struct source {
  struct layout layout;
  char *memory, *data, *lines;
  int64_t n_lines, length, item;
};

static void place_axes(struct source *s, int ndim, const int64_t shape[]) {
  int order[MAX_DIMS];
  int64_t step = s->item * (1 + !random_below(4)), back = 0;
  for (int d = 0; d < ndim; d++)
    order[d] = d;
  for (int d = ndim - 1; d > 0 && random_below(2); d--) {
    const int other = random_below(d + 1), t = order[d];
    order[d] = order[other];
    order[other] = t;
  }
  for (int i = ndim - 1; i >= 0; i--) {
    const int d = order[i];
    const bool backwards = !random_below(6);
    s->layout.shape[d] = shape[d];
    s->layout.strides[d] = backwards ? -step : step;
    back += backwards ? (shape[d] - 1) * step : 0;
    step *= shape[d] + !random_below(5);
  }
  s->memory = calloc(1, (size_t)step + 64);
  s->data = s->memory + back;
}

static void fill(struct source *s, uint8_t op, uint32_t axes) {
  const struct layout *a = &s->layout;
  const bool sparse = op == NUMD_OP_ANY && random_below(2);
  int64_t size = 1;
  s->length = s->n_lines = 1;
  for (int d = 0; d < a->ndim; d++) {
    size *= a->shape[d];
    *(axes >> d & 1 ? &s->length : &s->n_lines) *= a->shape[d];
  }
  s->lines = malloc((size_t)(size * s->item) + 64);
  for (int64_t i = 0; i < size; i++) {
    int64_t rest = i, line = 0, at = 0, line_step = 1, step = 1;
    char *to = s->data;
    for (int d = a->ndim - 1; d >= 0; d--) {
      const int64_t index = rest % a->shape[d];
      rest /= a->shape[d];
      to += index * a->strides[d];
      if (axes >> d & 1) {
        at += index * step;
        step *= a->shape[d];
      } else {
        line += index * line_step;
        line_step *= a->shape[d];
      }
    }
    char *item = s->lines + (line * s->length + at) * s->item;
    item_random(a->dtype, item);
    if (is_float(a->dtype)) {
      const double v[2] = {random_unit() + (op == NUMD_OP_PROD), 0};
      const float narrow[2] = {(float)v[0], 0};
      const bool is_narrow = a->dtype == NUMD_FLOAT32 || a->dtype == NUMD_COMPLEX64;
      memcpy(item, is_narrow ? (const char *)narrow : (const char *)v, (size_t)s->item);
    }
    if (sparse && random_below(1000))
      memset(item, 0, (size_t)s->item);
    memcpy(to, item, (size_t)s->item);
  }
}

/* Negates what the lines hold, as the plan does. */
static void negate(struct source *s) {
  char *const ptr[] = {s->lines, s->lines};
  const int64_t strides[] = {s->item, s->item};
  kernel_map(NUMD_OP_NEGATIVE, s->layout.dtype)(s->n_lines * s->length, ptr, strides);
}

static void check_line(uint8_t op, const struct source *s, int64_t i, numd_dtype result, const char *got) {
  const numd_dtype in = s->layout.dtype;
  const char *line = s->lines + i * s->length * s->item;
  const struct item v = item_read(result, got);
  if (op == NUMD_OP_MAX || op == NUMD_OP_MIN) {
    CHECK(v.re == expected_extreme(op, in, s->length, line, s->item).re, "%s of %s", op_rows[op].name,
          dtype_rows[in].name);
  } else if (!is_float(result)) {
    const uint64_t want = expected_bits(op, in, s->length, line, s->item);
    CHECK(memcmp(got, &want, dtype_rows[result].size) == 0, "%s of %s: line %ld of %ld items",
          op_rows[op].name, dtype_rows[in].name, (long)i, (long)s->length);
  } else {
    const long double unit = result == NUMD_FLOAT32 || result == NUMD_COMPLEX64 ? 0x1p-24L : 0x1p-53L;
    struct item acc = {op == NUMD_OP_PROD, 0};
    long double magnitude = 0;
    for (int64_t k = 0; k < s->length; k++) {
      const long double x = item_read(in, line + k * s->item).re;
      acc.re = op == NUMD_OP_PROD ? acc.re * x : acc.re + x;
      magnitude += fabsl(x);
    }
    const long double bound = op == NUMD_OP_PROD
                                  ? (long double)(4 * s->length + 4) * unit * fabsl(acc.re) + 0x1p-140L
                                  : (40 * 0x1p-53L + unit) * magnitude;
    CHECK(fabsl(v.re - acc.re) <= bound && v.im == 0, "%s of %ld %s: %La, not %La", op_rows[op].name,
          (long)s->length, dtype_rows[in].name, v.re, acc.re);
  }
}

static struct plan *compile(struct program *p) {
  struct errtext err = {""};
  struct plan *plan = NULL;
  const int r = plan_compile(p, &plan, &err);
  CHECK(r == 0, "status %d: %s", r, err.text);
  return plan;
}

static void describe(struct program *p, const struct source *s, uint8_t op, uint32_t axes, bool computed) {
  *p = (struct program){.n_operands = 1, .n_ops = 1, .n_outputs = 1};
  p->operands[0] = (struct operand){.kind = OPERAND_ARRAY, .layout = s->layout};
  if (computed)
    p->ops[p->n_ops++ - 1] = (struct op){.code = NUMD_OP_NEGATIVE, .n_in = 1};
  p->ops[p->n_ops - 1] = (struct op){.code = op, .n_in = 1, .in = {computed}};
  p->ops[p->n_ops - 1].params = (struct op_params){.given = NUMD_PARAM_AXES, .axes = axes};
  p->outputs[0] = (struct output){
      .value = (uint16_t)(p->n_ops), .kind = OUTPUT_ARRAY, .open_dtype = true, .open_shape = true};
}

static void check(uint8_t op, numd_dtype dtype, int ndim, const int64_t shape[], uint32_t axes,
                  bool computed) {
  static const _Atomic uint64_t never;
  static struct program program;
  struct source s = {.layout = {.dtype = (uint8_t)dtype, .ndim = (uint8_t)ndim},
                     .item = dtype_rows[dtype].size};
  place_axes(&s, ndim, shape);
  fill(&s, op, axes);
  describe(&program, &s, op, axes, computed);
  if (computed)
    negate(&s);
  struct plan *plan = compile(&program);
  const numd_dtype result = plan_output(plan, 0)->dtype;
  char *out = malloc((size_t)s.n_lines * 16 + 64), *scratch = NULL;
  ck_assert_int_eq(posix_memalign((void **)&scratch, 64, (size_t)plan->scratch_bytes + 64), 0);
  struct call call = {.plan = plan, .cancel = &never, .call_id = 1};
  call.bases[0] = s.data;
  call.bases[1] = out;
  call.bases[BASE_SCRATCH] = scratch;
  call.bases[BASE_CONSTANTS] = plan->constants;
  ck_assert_int_eq(exec_run(&call), 0);
  for (int64_t i = 0; i < s.n_lines; i++) {
    /* lines are numbered by the kept axes from the last one on, as C order is */
    check_line(op, &s, i, result, out + i * dtype_rows[result].size);
  }
  plan_free(plan);
  free(out);
  free(scratch);
  free(s.memory);
  free(s.lines);
}

START_TEST(test_axes) {
  static const struct {
    int ndim;
    int64_t shape[4];
  } shapes[] = {{1, {1}},        {1, {100000}},   {2, {1000, 3}},    {2, {3, 1000}},     {2, {2000, 10}},
                {2, {10, 5000}}, {2, {300, 300}}, {2, {70, 33}},     {3, {40, 5, 60}},   {3, {7, 200, 9}},
                {2, {1, 500}},   {2, {500, 1}},   {3, {16, 16, 16}}, {4, {6, 5, 40, 3}}, {1, {400000}}};
  const uint8_t op = ops[_i];
  kernels_init(NULL);
  for (int d = 0; d <= NUMD_COMPLEX128; d++)
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
      for (uint32_t axes = 1; axes < 1u << shapes[i].ndim; axes++) {
        const char kind = dtype_rows[d].kind;
        int64_t size = 1;
        for (int k = 0; k < shapes[i].ndim; k++)
          size *= shapes[i].shape[k];
        if (!op_takes(op, d) || (size > 5000 && random_below(8))) /* long ones take their time */
          continue;
        check(op, d, shapes[i].ndim, shapes[i].shape, axes, false);
        if (kind == 'i' || kind == 'f' || kind == 'c')
          check(op, d, shapes[i].ndim, shapes[i].shape, axes, true);
      }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("exec_reduce");
  TCase *tcase = tcase_create("exec_reduce");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_axes, 0, (int)(sizeof(ops) / sizeof(ops[0])));
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
