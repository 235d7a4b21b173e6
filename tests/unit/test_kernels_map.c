/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise loops and casts, on every instruction set that this CPU has, against the plain C ones: under
 * many lengths and layouts. The tests loop over the rows of the lists of operations and dtypes, so that a new
 * row is tested by being there. */
#include "tests/unit/kernels.h"

#define MAX_ITEMS 1100
#define MAX_SIZE 16                     /* bytes an item */
#define AREA (MAX_ITEMS * MAX_SIZE * 4) /* room for strides of up to 3 items and an offset */

/* Memory of one operand. */
struct operand {
  numd_dtype dtype;
  int64_t stride; /* bytes */
  int used;       /* bytes of the area that are looked at */
  char *first;
  _Alignas(64) char area[AREA];
};

/* Places n items `step` items apart, at a random offset. */
static void place(struct operand *o, numd_dtype dtype, int64_t n, int step) {
  const int64_t size = dtype_rows[dtype].size;
  o->dtype = dtype;
  o->stride = step * size;
  o->used = (int)((n * 3 + 16) * size);
  memset(o->area, GUARD, (size_t)o->used);
  o->first = o->area + size * (1 + random_below(7)) + (step < 0 && n > 0 ? (n - 1) * -o->stride : 0);
}

static void fill(struct operand *o, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    random_item(o->dtype, o->first + i * o->stride);
}

/* Whether nothing but the operand's items has been written since `area` was all GUARD. */
static bool guarded(const struct operand *o, int64_t n) {
  static unsigned char mask[AREA];
  memset(mask, 0, (size_t)o->used);
  for (int64_t i = 0; i < n; i++)
    memset(mask + (o->first - o->area) + i * o->stride, 1, dtype_rows[o->dtype].size);
  for (int i = 0; i < o->used; i++)
    if (!mask[i] && (unsigned char)o->area[i] != GUARD)
      return false;
  return true;
}

/* The steps of in, in, in, out; -9: the output is the first input (of its dtype) itself. */
#define IN_PLACE -9
static const int layouts[][4] = {
    {1, 1, 1, 1},        {1, 0, 1, 1},        {0, 1, 1, 1},         {2, 2, 2, 2},        {1, 1, 1, 2},
    {2, 1, 3, 1},        {-1, -1, -1, 1},     {-2, 1, -3, -1},      {0, 0, 0, 1},        {0, 0, 0, -2},
    {1, 1, 1, IN_PLACE}, {1, 0, 1, IN_PLACE}, {-2, 1, 2, IN_PLACE}, {3, 0, 2, IN_PLACE},
};
#define N_LAYOUTS ((int)(sizeof(layouts) / sizeof(layouts[0])))

/* One loop under one layout. Every item must come out as it does alone (its place makes no
 * difference), as plain C makes it, and nothing else may be written. */
struct subject {
  char name[64];
  int n_in;
  numd_dtype in[3], out;
  bool rounded; /* else the bits must be those of plain C; its accuracy is test_kernels_math's */
  kernel_map_fn plain, loop;
};

static void check_loop(const struct subject *s, int64_t n, const int layout[4], const char *variant) {
  static struct operand in[3], out;
  static _Alignas(16) char expected[MAX_ITEMS * MAX_SIZE];
  const int64_t size = dtype_rows[s->out].size;
  bool in_place = layout[3] == IN_PLACE;
  int shared = s->n_in - 1;
  while (in_place && shared > 0 && (layout[shared] == 0 || s->in[shared] != s->out))
    shared--;
  if (in_place && (layout[shared] == 0 || dtype_rows[s->in[shared]].size != size))
    in_place = false;

  char *ptr[4];
  int64_t stride[4];
  for (int k = 0; k < s->n_in; k++) {
    place(&in[k], s->in[k], n, layout[k]);
    fill(&in[k], n);
    ptr[k] = in[k].first;
    stride[k] = in[k].stride;
  }
  place(&out, s->out, n, layout[3] == IN_PLACE ? 1 : layout[3]);

  unsigned flags = 0, plain_flags = 0;
  for (int64_t i = 0; i < n; i++) {
    _Alignas(16) char alone[MAX_SIZE], plain[MAX_SIZE];
    char *one[4];
    int64_t steps[4];
    for (int k = 0; k < s->n_in; k++) {
      one[k] = in[k].first + i * stride[k];
      steps[k] = layout[k] ? dtype_rows[s->in[k]].size : 0;
    }
    steps[s->n_in] = size;
    one[s->n_in] = alone;
    flags |= s->loop(1, one, steps);
    one[s->n_in] = plain;
    plain_flags |= s->plain(1, one, steps);
    memcpy(expected + i * size, alone, (size_t)size);
    CHECK(s->rounded || same(s->out, alone, plain), "%s on %s: f(%a%+ai, %a%+ai) = %a%+ai, plain C %a%+ai",
          s->name, variant, as_double(s->in[0], one[0]), as_imaginary(s->in[0], one[0]),
          as_double(s->in[s->n_in - 1], one[s->n_in - 1]), as_imaginary(s->in[s->n_in - 1], one[s->n_in - 1]),
          as_double(s->out, alone), as_imaginary(s->out, alone), as_double(s->out, plain),
          as_imaginary(s->out, plain));
  }
  CHECK(flags == plain_flags, "%s on %s reports %u", s->name, variant, flags);

  const struct operand *target = in_place ? &in[shared] : &out;
  ptr[s->n_in] = target->first;
  stride[s->n_in] = target->stride;
  CHECK(s->loop(n, ptr, stride) == flags, "%s on %s reports otherwise", s->name, variant);
  for (int64_t i = 0; i < n; i++)
    CHECK(same(s->out, target->first + i * target->stride, expected + i * size),
          "%s on %s, %ld items, steps %d %d %d %d: item %ld is %a, alone %a", s->name, variant, (long)n,
          layout[0], layout[1], layout[2], layout[3], (long)i,
          as_double(s->out, target->first + i * target->stride), as_double(s->out, expected + i * size));
  CHECK(guarded(target, n), "%s on %s writes elsewhere", s->name, variant);
}

static void check_everywhere(struct subject *s, kernel_map_fn (*find)(const struct subject *, const void *),
                             const void *what) {
  ck_assert_int_eq(kernels_init("c"), 0);
  s->plain = find(s, what);
  FOR_VARIANTS(variant) {
    s->loop = find(s, what);
    FOR_LENGTHS(n)
    for (int k = 0; k < N_LAYOUTS; k++)
      if (n < 18 || (n + k) % 4 == 0) /* a fourth of the layouts at each greater length */
        check_loop(s, n, layouts[k], variant);
  }
}

static bool has_loop(numd_op op, numd_dtype dtype) {
  switch (op_rows[op].typing) {
    case NUMD_TYPING_FLOAT:
    case NUMD_TYPING_QUOTIENT:
      return op_takes(op, dtype) && (dtype_rows[dtype].kind == 'f' || dtype_rows[dtype].kind == 'c');
    case NUMD_TYPING_LOGICAL:
      return op_takes(op, dtype) && dtype_rows[dtype].kind != 'c';
    case NUMD_TYPING_ASTYPE:
      return false;
    default:
      return op_takes(op, dtype);
  }
}

static kernel_map_fn find_map(const struct subject *s, const void *op) {
  return kernel_map(*(const numd_op *)op, s->in[s->n_in - 1]);
}

START_TEST(test_map) {
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].op_class != NUMD_CLASS_MAP)
    return;
  for (int d = 0; d < NUMD_DTYPE_CODES; d++) {
    if (!dtype_known(d))
      continue;
    FOR_VARIANTS(variant) {
      CHECK((kernel_map(op, d) != NULL) == has_loop(op, d), "%s of %s on %s", op_rows[op].name,
            dtype_rows[d].name, variant);
      ck_assert(!has_loop(op, d) || kernel_cost_ps(op, d) > 0);
    }
    if (!has_loop(op, d))
      continue;
    struct subject s = {.n_in = op_rows[op].n_in,
                        .in = {d, d, d},
                        .out = op_map_result(op, d),
                        .rounded = approximate(op, d)};
    snprintf(s.name, sizeof(s.name), "%s of %s", op_rows[op].name, dtype_rows[d].name);
    if (op_rows[op].typing == NUMD_TYPING_SELECT)
      s.in[0] = NUMD_BOOL;
    check_everywhere(&s, find_map, &op);
  }
}
END_TEST

static kernel_map_fn find_cast(const struct subject *s, const void *unused) {
  return kernel_cast(s->in[0], s->out);
}

START_TEST(test_cast) {
  const numd_dtype from = (numd_dtype)_i;
  for (int to = 0; dtype_known(from) && to < NUMD_DTYPE_CODES; to++) {
    if (!dtype_known(to))
      continue;
    struct subject s = {.n_in = 1, .in = {from}, .out = to};
    snprintf(s.name, sizeof(s.name), "%s to %s", dtype_rows[from].name, dtype_rows[to].name);
    check_everywhere(&s, find_cast, NULL);
  }
}
END_TEST
START_TEST(test_choice) {
  ck_assert_int_lt(kernels_init("none"), 0);
  ck_assert_int_eq(kernels_init("c"), 0);
  ck_assert_str_eq(kernels_isa(), "c");
  ck_assert_int_eq(kernels_init(NULL), 0);
  ck_assert_ptr_null(kernel_map(NUMD_OP_SUM, NUMD_FLOAT64));
  ck_assert_ptr_null(kernel_map(NUMD_OP_ADD, NUMD_DTYPE_NONE));
  numd_dtype acc;
  ck_assert_ptr_null(kernel_reduce(NUMD_OP_ADD, NUMD_FLOAT64, &acc));
}
END_TEST

/* Every length and alignment near those of a vector and a line, and nothing else is written. */
START_TEST(test_stream) {
  enum { room = 1024 };
  static const int sizes[] = {1, 2, 4, 8, 16};
  static _Alignas(64) char from[room], to[room];
  for (int i = 0; i < room; i++)
    from[i] = (char)random_bits();
  FOR_VARIANTS(variant)
  for (int k = 0; k < 5; k++)
    for (int n = 0; n * sizes[k] <= 300; n++)
      for (int at = 0; at < 128; at += k ? 16 : 1) {
        const int shift = random_below(64), bytes = n * sizes[k];
        memset(to, GUARD, room);
        kernel_nontemporal_copy(n, sizes[k], from + shift, to + at);
        CHECK(memcmp(to + at, from + shift, (size_t)bytes) == 0, "%d bytes to %d on %s", bytes, at, variant);
        for (int i = 0; i < room; i++)
          CHECK((i >= at && i < at + bytes) || (unsigned char)to[i] == GUARD, "byte %d on %s", i, variant);
      }
}
END_TEST

/* Rows and columns near the lanes of a vector and the length of a strip, and nothing else is written. */
START_TEST(test_turn) {
  enum { room = 1 << 16 };
  static const int sizes[] = {1, 2, 4, 8, 16}, sides[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 129};
  enum { n_sides = sizeof(sides) / sizeof(sides[0]) };
  static char from[room], to[room];
  for (int i = 0; i < room; i++)
    from[i] = (char)random_bits();
  FOR_VARIANTS(variant)
  for (int k = 0; k < 5; k++)
    for (int pair = 0; pair < n_sides * n_sides; pair++) {
      const int rows = sides[pair / n_sides], cols = sides[pair % n_sides], size = sizes[k];
      const int from_step = (rows + random_below(3)) * size, to_step = (cols + random_below(3)) * size;
      if (from_step * cols > room || to_step * rows > room)
        continue;
      memset(to, GUARD, room);
      kernel_transpose_copy(size, rows, cols, from, from_step, to, to_step);
      for (int r = 0; r < rows; r++)
        for (int i = 0; i < to_step; i++) {
          const int at = i / size * from_step + r * size + i % size, got = (unsigned char)to[r * to_step + i];
          CHECK(got == (i < cols * size ? (unsigned char)from[at] : GUARD), "%d of %d x %d items of %d on %s",
                i, rows, cols, size, variant);
        }
    }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_map");
  TCase *tcase = tcase_create("kernels_map");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_test(tcase, test_choice);
  tcase_add_loop_test(tcase, test_map, 0, NUMD_OP_CODES);
  tcase_add_loop_test(tcase, test_cast, 0, NUMD_DTYPE_CODES);
  tcase_add_test(tcase, test_stream);
  tcase_add_test(tcase, test_turn);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
