/* SPDX-License-Identifier: BSD-3-Clause */
/* Lowering: what is computed in which dtype, where a cast is made and where none, what is a view, and what an
 * operation without a kernel of its own is composed of. */
#include "server/engine/lower.h"
#include "tests/unit/programs.h"
#include "tests/unit/random.h"

static struct lowered lowered;

static const int64_t five[] = {5}, two_three[] = {2, 3};

static int lower(void) {
  lowered_deinit(&lowered);
  err.text[0] = 0;
  return lower_program(program, &lowered, &err);
}

static void lower_well(void) {
  int status = lower();
  ck_assert_msg(status == 0, "status %d: %s", status, err.text);
}

static void clear(void) {
  memset(program, 0, sizeof(*program));
}

static void teardown_lowered(void) {
  lowered_deinit(&lowered);
  memset(&lowered, 0, sizeof(lowered));
}

static uint16_t constant(uint8_t dtype, const void *bits) {
  struct operand *o = &program->operands[program->n_operands];
  o->kind = OPERAND_CONSTANT;
  o->layout.dtype = dtype;
  memcpy(&o->bits, bits, sizeof(o->bits));
  return program->n_operands++;
}

static uint16_t real(double x) {
  return constant(NUMD_FLOAT64, &x);
}

static uint16_t integer(int64_t i) {
  return constant(NUMD_INT64, &i);
}

static uint16_t scalar(uint8_t dtype) {
  program->operands[program->n_operands] = (struct operand){.kind = OPERAND_SCALAR, .layout.dtype = dtype};
  return program->n_operands++;
}

static uint32_t count_casts(void) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < lowered.n_nodes; i++)
    n += lowered.nodes[i].op == NUMD_OP_ASTYPE;
  return n;
}

static const struct value *output_value(int i) {
  return &lowered.values[lowered.output_values[i]];
}

/* The node that gives output 0, behind a copy if that is what lives in the output. */
static const struct node *last_node(void) {
  const struct node *n = &lowered.nodes[output_value(0)->index];
  while (n->op == NUMD_OP_COPY && lowered.values[n->in[0]].kind == VALUE_NODE)
    n = &lowered.nodes[lowered.values[n->in[0]].index];
  return n;
}

/* ---- dtypes ---- */

static int bits_of(uint8_t dtype) {
  return 8 * dtype_rows[dtype].size / (dtype_rows[dtype].kind == 'c' ? 2 : 1);
}

/* Whether every value of dtype `a` is one of `t`; float64 is taken to hold all integers. */
static bool holds(uint8_t t, uint8_t a) {
  const char kt = dtype_rows[t].kind, ka = dtype_rows[a].kind;
  if (ka == 'b')
    return true;
  if (ka == 'i' || ka == 'u')
    switch (kt) {
      case 'i':
        return bits_of(t) >= bits_of(a) + (ka == 'u');
      case 'u':
        return ka == 'u' && bits_of(t) >= bits_of(a);
      case 'f':
      case 'c':
        return bits_of(t) == 64 || bits_of(a) <= 16;
      default:
        return false;
    }
  return (kt == 'c' || kt == ka) && bits_of(t) >= bits_of(a);
}

/* The least dtype that holds both. */
static uint8_t least_of(uint8_t a, uint8_t b) {
  static const uint8_t by_size[] = {NUMD_BOOL,    NUMD_UINT8,     NUMD_INT8,      NUMD_UINT16, NUMD_INT16,
                                    NUMD_UINT32,  NUMD_INT32,     NUMD_UINT64,    NUMD_INT64,  NUMD_FLOAT32,
                                    NUMD_FLOAT64, NUMD_COMPLEX64, NUMD_COMPLEX128};
  size_t i = 0;
  while (!holds(by_size[i], a) || !holds(by_size[i], b))
    i++;
  return by_size[i];
}

START_TEST(two_dtypes_promote_to_the_least_that_holds_both) {
  for (uint8_t a = 0; a < NUMD_DTYPE_CODES; a++)
    for (uint8_t b = 0; b < NUMD_DTYPE_CODES; b++) {
      if (!dtype_known(a) || !dtype_known(b))
        continue;
      const uint8_t wanted = least_of(a, b);
      clear();
      uint16_t x = input(a, 1, five), y = input(b, 1, five);
      output(op(NUMD_OP_ADD, x, y), OUTPUT_ARRAY);
      lower_well();
      const struct node *n = last_node();
      CHECK(output_value(0)->layout.dtype == wanted && n->dtype == wanted, "%s + %s", dtype_rows[a].name,
            dtype_rows[b].name);
      CHECK(count_casts() == (uint32_t)(a != wanted) + (b != wanted), "casts of %s + %s", dtype_rows[a].name,
            dtype_rows[b].name);
      for (int j = 0; j < 2; j++)
        CHECK(lowered.values[n->in[j]].layout.dtype == wanted, "%s + %s", dtype_rows[a].name,
              dtype_rows[b].name);
    }
}
END_TEST

/* Of every elementwise row and dtype: refused as its kinds say, else computed by a kernel from inputs of its
 * dtype. */
START_TEST(every_elementwise_operation_has_a_kernel_where_its_kinds_say) {
  for (unsigned code = 0; code < NUMD_OP_CODES; code++)
    for (uint8_t d = 0; d < NUMD_DTYPE_CODES; d++) {
      if (!op_known(code) || op_rows[code].op_class != NUMD_CLASS_MAP || code == NUMD_OP_ASTYPE ||
          !dtype_known(d))
        continue;
      const bool selects = op_rows[code].typing == NUMD_TYPING_SELECT;
      clear();
      for (int i = 0; i < op_rows[code].n_in; i++)
        input(selects && i == 0 ? NUMD_BOOL : d, 1, five);
      op((uint8_t)code, 0, 1);
      program->ops[0].in[2] = 2;
      output((uint16_t)op_rows[code].n_in, OUTPUT_ARRAY);
      const int status = lower();
      CHECK(status == (op_takes((numd_op)code, d) ? 0 : NUMD_EDTYPE), "%s of %s: %d %s", op_rows[code].name,
            dtype_rows[d].name, status, err.text);
      if (status != 0)
        continue;
      const struct node *n = last_node();
      CHECK(n->map != NULL && n->op == code, "%s of %s", op_rows[code].name, dtype_rows[d].name);
      for (int j = selects; j < n->n_in; j++)
        CHECK(lowered.values[n->in[j]].layout.dtype == n->dtype, "%s of %s", op_rows[code].name,
              dtype_rows[d].name);
    }
}
END_TEST

START_TEST(quotients_and_functions_of_integers_are_floats) {
  const struct {
    uint8_t code, in, out;
  } cases[] = {
      {NUMD_OP_DIVIDE, NUMD_INT32, NUMD_FLOAT64},   {NUMD_OP_DIVIDE, NUMD_FLOAT32, NUMD_FLOAT32},
      {NUMD_OP_EXP, NUMD_INT8, NUMD_FLOAT32},       {NUMD_OP_EXP, NUMD_INT32, NUMD_FLOAT64},
      {NUMD_OP_LESS, NUMD_INT32, NUMD_BOOL},        {NUMD_OP_ABS, NUMD_COMPLEX64, NUMD_FLOAT32},
      {NUMD_OP_SUM, NUMD_INT8, NUMD_INT64},         {NUMD_OP_SUM, NUMD_UINT8, NUMD_UINT64},
      {NUMD_OP_SUM, NUMD_BOOL, NUMD_INT64},         {NUMD_OP_SUM, NUMD_FLOAT32, NUMD_FLOAT32},
      {NUMD_OP_MEAN, NUMD_INT16, NUMD_FLOAT64},     {NUMD_OP_MAX, NUMD_INT16, NUMD_INT16},
      {NUMD_OP_VAR, NUMD_COMPLEX128, NUMD_FLOAT64},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    clear();
    uint16_t a = input(cases[i].in, 1, five);
    output(op(cases[i].code, a, a), OUTPUT_ARRAY);
    lower_well();
    ck_assert_msg(output_value(0)->layout.dtype == cases[i].out, "%s of %s", op_rows[cases[i].code].name,
                  dtype_rows[cases[i].in].name);
  }
}
END_TEST

/* ---- Casts, constants and scalars ---- */

START_TEST(a_cast_is_made_once) {
  uint16_t a = input(NUMD_FLOAT64, 1, five), b = input(NUMD_INT32, 1, five);
  output(op(NUMD_OP_MULTIPLY, op(NUMD_OP_ADD, a, b), b), OUTPUT_ARRAY);
  lower_well();
  ck_assert_uint_eq(count_casts(), 1);
}
END_TEST

START_TEST(a_constant_takes_the_dtype_of_its_company) {
  uint16_t a = input(NUMD_FLOAT32, 1, five), two = real(2);
  output(op(NUMD_OP_ADD, op(NUMD_OP_MULTIPLY, a, two), two), OUTPUT_ARRAY);
  lower_well();
  ck_assert_uint_eq(count_casts(), 0);
  ck_assert_int_eq(output_value(0)->layout.dtype, NUMD_FLOAT32);
  ck_assert_uint_eq(lowered.constants_used, MAX_ITEM_BYTES); /* one, though used twice */
  float converted;
  memcpy(&converted, lowered.constants, sizeof(converted));
  ck_assert(converted == 2);
}
END_TEST

START_TEST(a_constant_that_does_not_fit_is_refused) {
  uint16_t a = input(NUMD_UINT8, 1, five);
  output(op(NUMD_OP_ADD, a, integer(255)), OUTPUT_ARRAY);
  lower_well();
  const int64_t too_large[] = {256, -1};
  for (int i = 0; i < 2; i++) {
    memcpy(&program->operands[1].bits, &too_large[i], 8);
    ck_assert_int_eq(lower(), NUMD_ERANGE);
    ck_assert_str_eq(err.text, "add: constant does not fit uint8");
  }
}
END_TEST

START_TEST(python_integers_compare_by_value) {
  output(op(NUMD_OP_LESS, input(NUMD_UINT8, 1, five), integer(256)), OUTPUT_ARRAY);
  lower_well();
  ck_assert_int_eq(last_node()->dtype, NUMD_INT64);
}
END_TEST

/* No dtype holds both, so the sign decides first: -1 < 2^63, though it is 2^64 - 1 as an unsigned number. */
START_TEST(signed_and_unsigned_compare_by_value) {
  static const uint8_t codes[] = {NUMD_OP_LESS,          NUMD_OP_LESS_EQUAL, NUMD_OP_GREATER,
                                  NUMD_OP_GREATER_EQUAL, NUMD_OP_EQUAL,      NUMD_OP_NOT_EQUAL};
  int64_t s[] = {-1, INT64_MIN, 0, 5, INT64_MAX};
  uint64_t u[] = {0, UINT64_MAX, (uint64_t)1 << 63, 5, INT64_MAX};
  for (size_t i = 0; i < sizeof(codes); i++)
    for (int swapped = 0; swapped < 2; swapped++) {
      uint8_t got[25];
      memset(program, 0, sizeof(*program));
      const int64_t column[] = {5, 1};
      uint16_t a = input(NUMD_INT64, 2, column), b = input(NUMD_UINT64, 1, five);
      output(op(codes[i], swapped ? b : a, swapped ? a : b), OUTPUT_ARRAY);
      struct plan *p = compile();
      run_plan(p, 3, (void *[]){s, u, got}, NULL);
      plan_free(p);
      for (int k = 0; k < 25; k++) {
        const __int128 x = s[k / 5], y = u[k % 5], left = swapped ? y : x, right = swapped ? x : y;
        const bool wanted[] = {left<right, left <= right, left> right, left >= right, left == right,
                               left != right};
        CHECK(got[k] == wanted[i], "%s, %d", op_rows[codes[i]].name, k);
      }
    }
}
END_TEST

START_TEST(a_scalar_of_a_call_is_converted_once_for_each_dtype) {
  uint16_t x = scalar(NUMD_FLOAT64), a = input(NUMD_FLOAT32, 1, five), b = input(NUMD_COMPLEX128, 1, five);
  output(op(NUMD_OP_ADD, op(NUMD_OP_MULTIPLY, a, x), x), OUTPUT_ARRAY);
  output(op(NUMD_OP_MULTIPLY, b, x), OUTPUT_ARRAY);
  lower_well();
  ck_assert_uint_eq(lowered.n_scalars, 2);
  ck_assert_int_eq(lowered.scalars[0].to, NUMD_FLOAT32);
  ck_assert_int_eq(lowered.scalars[1].to, NUMD_COMPLEX128);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(lowered.scalars[i].from, NUMD_FLOAT64);
    ck_assert_uint_eq(lowered.scalars[i].binding, 0);
    ck_assert_uint_eq(lowered.scalars[i].offset, (unsigned)i * MAX_ITEM_BYTES);
  }
  ck_assert_int_eq(lowered.binding_kinds[0], BIND_SCALAR);
}
END_TEST

START_TEST(a_constant_is_kept_in_each_dtype_that_it_is_used_in) {
  enum { CONSTANTS = 60 };
  const uint8_t dtypes[] = {NUMD_FLOAT32, NUMD_FLOAT64, NUMD_COMPLEX64, NUMD_COMPLEX128};
  for (int i = 0; i < 4; i++)
    input(dtypes[i], 1, five);
  for (int i = 0; i < CONSTANTS; i++)
    real(i);
  for (int n = 0; n < 4 * CONSTANTS; n++)
    op(NUMD_OP_ADD, (uint16_t)(n % 4), (uint16_t)(4 + n / 4));
  output(4 + CONSTANTS, OUTPUT_ARRAY);
  lower_well();
  ck_assert_uint_eq(lowered.constants_used, 4 * CONSTANTS * MAX_ITEM_BYTES);
  for (int n = 0; n < 4 * CONSTANTS; n++) {
    const char *at = lowered.constants + n * MAX_ITEM_BYTES;
    float narrow;
    double wide;
    memcpy(&narrow, at, sizeof(narrow));
    memcpy(&wide, at, sizeof(wide));
    CHECK((n % 2 ? wide : (double)narrow) == n / 4, "constant %d", n);
  }
}
END_TEST

/* ---- Shapes ---- */

START_TEST(shapes_broadcast_from_their_ends) {
  for (int round = 0; round < 2000; round++) {
    int64_t a[4], b[4], wanted[4];
    const int na = random_below(5), nb = random_below(5), n = na > nb ? na : nb;
    bool fits = true;
    for (int d = 0; d < 4; d++) {
      a[d] = random_below(3) + (random_below(3) != 0);
      b[d] = random_below(2) ? a[d] : 1 + random_below(3);
    }
    for (int d = 0; d < n; d++) {
      const int da = d - (n - na), db = d - (n - nb);
      const int64_t x = da < 0 ? 1 : a[da], y = db < 0 ? 1 : b[db];
      wanted[d] = x == 1 ? y : x;
      fits &= x == y || x == 1 || y == 1;
    }
    clear();
    uint16_t v = input(NUMD_FLOAT64, na, a), w = input(NUMD_FLOAT64, nb, b);
    output(op(NUMD_OP_ADD, v, w), OUTPUT_ARRAY);
    const int status = lower();
    CHECK(status == (fits ? 0 : NUMD_ESHAPE), "round %d: %d %s", round, status, err.text);
    if (!fits)
      continue;
    const struct layout *got = &output_value(0)->layout;
    CHECK(got->ndim == n && memcmp(got->shape, wanted, sizeof(*wanted) * (size_t)n) == 0, "round %d", round);
  }
}
END_TEST

START_TEST(axes_count_from_either_end) {
  const int64_t shape[] = {2, 3, 4};
  for (int axis = -4; axis <= 3; axis++) {
    clear();
    output(op(NUMD_OP_CUMULATIVE_SUM, input(NUMD_FLOAT64, 3, shape), 0), OUTPUT_ARRAY);
    params(NUMD_PARAM_AXIS)->axis = axis;
    ck_assert_int_eq(lower(), axis < -3 || axis > 2 ? NUMD_ESHAPE : 0);
  }
}
END_TEST

START_TEST(an_array_that_is_too_large_is_refused) {
  const int64_t column[] = {(int64_t)1 << 30, 1}, row[] = {1, (int64_t)1 << 30};
  uint16_t a = input(NUMD_FLOAT64, 2, column), b = input(NUMD_FLOAT64, 2, row);
  output(op(NUMD_OP_ADD, a, b), OUTPUT_ARRAY);
  ck_assert_int_eq(lower(), NUMD_ESHAPE);
  ck_assert_str_eq(err.text, "add: shape (1073741824, 1073741824) is too large");
}
END_TEST

/* ---- Views ---- */

/* A chain of flips, slices and transpositions by chance: no node is made but for the copy into the output,
 * and each element is where following the indices back says. */
START_TEST(views_find_their_elements) {
  for (int round = 0; round < 500; round++) {
    enum { MOST = 4 };
    int64_t shape[MOST], at[MOST], steps[MOST], size = 1;
    const int ndim = 1 + random_below(MOST);
    clear();
    for (int d = 0; d < ndim; d++)
      size *= shape[d] = 1 + random_below(4);
    uint16_t v = input(NUMD_FLOAT64, ndim, shape);
    int64_t offset = 0, step = 8;
    for (int d = ndim - 1; d >= 0; step *= shape[d--])
      steps[d] = step;
    memcpy(at, shape, sizeof(at));
    for (int i = random_below(5); i > 0; i--) {
      const int axis = random_below(ndim);
      int other;
      switch (random_below(3)) {
        case 0:
          v = op(NUMD_OP_FLIP, v, 0);
          params(NUMD_PARAM_AXES)->axes = 1u << axis;
          offset += (at[axis] - 1) * steps[axis];
          steps[axis] = -steps[axis];
          break;
        case 1:
          v = op(NUMD_OP_PERMUTE_DIMS, v, 0);
          params(NUMD_PARAM_ORDER)->n_ints[1] = (uint8_t)ndim;
          for (int d = 0; d < ndim; d++)
            program->ops[program->n_ops - 1].params.ints[1][d] = d;
          other = random_below(ndim); /* two change places */
          program->ops[program->n_ops - 1].params.ints[1][axis] = other;
          program->ops[program->n_ops - 1].params.ints[1][other] = axis;
          int64_t t = at[axis];
          at[axis] = at[other];
          at[other] = t;
          t = steps[axis];
          steps[axis] = steps[other];
          steps[other] = t;
          break;
        default:
          v = op(NUMD_OP_SLICE, v, 0);
          struct op_params *given = params(NUMD_PARAM_SHAPE | NUMD_PARAM_START | NUMD_PARAM_STEP);
          for (int d = 0; d < ndim; d++) {
            const int64_t start = random_below((int)at[d]), stride = 1 + random_below(2);
            const int64_t n = 1 + random_below((int)((at[d] - 1 - start) / stride + 1));
            given->ints[0][d] = n;
            given->ints[1][d] = start;
            given->ints[2][d] = stride;
            offset += start * steps[d];
            steps[d] *= stride;
            at[d] = n;
          }
          given->n_ints[0] = given->n_ints[1] = given->n_ints[2] = (uint8_t)ndim;
      }
    }
    if (program->n_ops == 0)
      continue;
    output(v, OUTPUT_ARRAY);
    lower_well();
    CHECK(lowered.n_nodes == 1, "round %d: %u nodes", round, lowered.n_nodes);
    const struct value *view = &lowered.values[lowered.nodes[0].in[0]];
    CHECK(view->kind == VALUE_VIEW && view->index == 0, "round %d", round);
    CHECK(view->offset == offset && view->layout.ndim == ndim, "round %d: offset", round);
    for (int d = 0; d < ndim; d++)
      CHECK(view->layout.shape[d] == at[d] && (at[d] == 1 || view->layout.strides[d] == steps[d]),
            "round %d: axis %d", round, d);
  }
}
END_TEST

static uint32_t nodes_of_reshape(bool transposed) {
  clear();
  uint16_t v = input(NUMD_FLOAT64, 2, two_three);
  if (transposed)
    v = op(NUMD_OP_MATRIX_TRANSPOSE, v, 0);
  output(op(NUMD_OP_RESHAPE, v, 0), OUTPUT_ARRAY);
  params(NUMD_PARAM_SHAPE)->n_ints[0] = 1;
  program->ops[program->n_ops - 1].params.ints[0][0] = -1;
  lower_well();
  return lowered.n_nodes;
}

START_TEST(a_reshape_copies_only_where_strides_cannot_say_it) {
  ck_assert_uint_eq(nodes_of_reshape(false), 1); /* into the output */
  ck_assert_uint_eq(nodes_of_reshape(true), 2);
}
END_TEST

/* ---- Compositions ---- */

START_TEST(a_mean_is_a_sum_divided_by_its_count) {
  output(op(NUMD_OP_MEAN, input(NUMD_FLOAT64, 1, five), 0), OUTPUT_ARRAY);
  lower_well();
  ck_assert_uint_eq(lowered.n_nodes, 2);
  ck_assert_int_eq(lowered.nodes[0].op, NUMD_OP_SUM);
  ck_assert_int_eq(lowered.nodes[1].op, NUMD_OP_DIVIDE);
  double count;
  memcpy(&count, lowered.constants, sizeof(count));
  ck_assert(count == 5);
}
END_TEST

START_TEST(reduced_axes_go_or_stay_with_length_one) {
  for (int keep = 0; keep < 2; keep++) {
    clear();
    output(op(NUMD_OP_MAX, input(NUMD_FLOAT64, 2, two_three), 0), OUTPUT_ARRAY);
    params(NUMD_PARAM_AXES | (keep ? NUMD_PARAM_KEEPDIMS : 0))->axes = 1;
    lower_well();
    const struct layout *got = &output_value(0)->layout;
    ck_assert_int_eq(got->ndim, 1 + keep);
    ck_assert_int_eq(got->shape[keep], 3);
    ck_assert_int_eq(got->shape[0], keep ? 1 : 3);
  }
  params(NUMD_PARAM_AXES)->axes = 4;
  ck_assert_int_eq(lower(), NUMD_ESHAPE);
  ck_assert_str_eq(err.text, "max: axis 2 of an array with 2 dimensions");
}
END_TEST

/* ---- Outputs ---- */

START_TEST(a_value_lives_in_its_output_where_it_can) {
  uint16_t a = input(NUMD_FLOAT64, 1, five), v = op(NUMD_OP_NEGATIVE, a, 0);
  output(v, OUTPUT_ARRAY);
  output(v, OUTPUT_ARRAY); /* it can be in one of them only */
  output(a, OUTPUT_ARRAY); /* and an input in none */
  lower_well();
  ck_assert_uint_eq(lowered.n_nodes, 3);
  ck_assert_int_eq(lowered.nodes[0].op, NUMD_OP_NEGATIVE);
  ck_assert_int_eq(lowered.nodes[1].op, NUMD_OP_COPY);
  ck_assert_int_eq(lowered.nodes[2].op, NUMD_OP_COPY);
  for (int i = 0; i < 3; i++) {
    ck_assert(output_value(i)->is_output);
    ck_assert_uint_eq(output_value(i)->output, (unsigned)i);
    ck_assert_int_eq(lowered.binding_kinds[1 + i], BIND_OUTPUT);
  }
}
END_TEST

START_TEST(what_does_not_fit_its_output) {
  const struct {
    uint8_t dtype, ndim;
    int64_t shape[2];
    int status;
  } cases[] = {{NUMD_FLOAT32, 1, {5}, 0},
               {NUMD_FLOAT64, 2, {7, 5}, 0}, /* broadcast */
               {NUMD_INT64, 1, {5}, NUMD_ECAST},
               {NUMD_FLOAT64, 1, {4}, NUMD_ESHAPE},
               {NUMD_FLOAT64, 0, {0}, NUMD_ESHAPE}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    clear();
    output(op(NUMD_OP_NEGATIVE, input(NUMD_FLOAT64, 1, five), 0), OUTPUT_ARRAY);
    struct output *o = &program->outputs[0];
    o->open_dtype = o->open_shape = false;
    o->layout = (struct layout){.dtype = cases[i].dtype, .ndim = cases[i].ndim};
    memcpy(o->layout.shape, cases[i].shape, sizeof(cases[i].shape));
    ck_assert_int_eq(layout_set_c_order(&o->layout), 0);
    ck_assert_msg(lower() == cases[i].status, "case %zu: %s", i, err.text);
  }
  clear();
  output(op(NUMD_OP_NEGATIVE, input(NUMD_FLOAT64, 1, five), 0), OUTPUT_RESULT);
  ck_assert_int_eq(lower(), NUMD_ESHAPE);
  ck_assert_str_eq(err.text, "outputs[0]: a result of shape (5,) is not a scalar");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("lower");
  TCase *t = tcase_create("lower");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_checked_fixture(t, random_reseed, teardown_lowered);
  tcase_add_test(t, two_dtypes_promote_to_the_least_that_holds_both);
  tcase_add_test(t, every_elementwise_operation_has_a_kernel_where_its_kinds_say);
  tcase_add_test(t, quotients_and_functions_of_integers_are_floats);
  tcase_add_test(t, a_cast_is_made_once);
  tcase_add_test(t, a_constant_takes_the_dtype_of_its_company);
  tcase_add_test(t, a_constant_that_does_not_fit_is_refused);
  tcase_add_test(t, python_integers_compare_by_value);
  tcase_add_test(t, signed_and_unsigned_compare_by_value);
  tcase_add_test(t, a_scalar_of_a_call_is_converted_once_for_each_dtype);
  tcase_add_test(t, a_constant_is_kept_in_each_dtype_that_it_is_used_in);
  tcase_add_test(t, shapes_broadcast_from_their_ends);
  tcase_add_test(t, axes_count_from_either_end);
  tcase_add_test(t, an_array_that_is_too_large_is_refused);
  tcase_add_test(t, views_find_their_elements);
  tcase_add_test(t, a_reshape_copies_only_where_strides_cannot_say_it);
  tcase_add_test(t, a_mean_is_a_sum_divided_by_its_count);
  tcase_add_test(t, reduced_axes_go_or_stay_with_length_one);
  tcase_add_test(t, a_value_lives_in_its_output_where_it_can);
  tcase_add_test(t, what_does_not_fit_its_output);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
