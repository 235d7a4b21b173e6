/* The kernels, on every instruction set that this CPU has, against the plain C ones and against
 * arithmetic written out here. The tests loop over the rows of the lists of operations and dtypes,
 * so that a new row is tested by being there. Random data: the seed is printed, NUMD_TEST_SEED sets it. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/kernels/kernels.h"

/* ck_assert tells the parent where it is, passed or not: a system call, too slow for a million checks. */
#define CHECK(condition, ...)    \
  do {                           \
    if (!(condition))            \
      ck_abort_msg(__VA_ARGS__); \
  } while (0)

#define GUARD 0xA5
#define MAX_ITEMS 1100
#define AREA (MAX_ITEMS * 8 * 4) /* room for strides of up to 3 items and an offset */

static uint64_t seed;
static uint64_t state;

static uint64_t random_bits(void) { /* splitmix64 */
  uint64_t z = (state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static int below(int n) {
  return (int)(random_bits() % (uint64_t)n);
}

static double uniform(double low, double high) {
  return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

static const double specials[] = {
    0.,
    -0.,
    INFINITY,
    -INFINITY,
    NAN,
    1.,
    -1.,
    2.,
    -2.,
    .5,
    -.5,
    3.,
    -3.,
    4.,
    5e-324,
    -5e-324,
    1e-310,
    0x1p-149,
    1e-40,
    0x1p-1022,
    1e300,
    -1e300,
    1e308,
    -1e308,
    1e22,
    0x1p31,
    -0x1p31,
    0x1p63,
    -0x1p63,
    0x1p53,
    709.78,
    709.79,
    -745.13,
    -745.14,
    -708.4,
    88.72,
    88.73,
    -103.97,
    -103.98,
    -87.34,
    20.,
    -20.,
    1e-8,
    1.2e-16,
    6e-8,
    0x1.fffffffffffffp1023,
    -0x1.fffffffffffffp1023,
    0x1.fffffep127,
    0x1.fffffffffffffp-1,
    2147483647.5,
    -2147483648.5,
    4503599627370497.,
    9007199254740993.,
    1023.,
    1024.,
    -1074.,
    -1075.,
    1e15,
};
#define N_SPECIALS ((int)(sizeof(specials) / sizeof(specials[0])))

static double random_real(bool narrow) {
  uint64_t bits = random_bits();
  double x;
  switch (below(6)) {
    case 0:
      return specials[below(N_SPECIALS)];
    case 1:
      if (narrow) {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof(f));
        return (double)f;
      }
      memcpy(&x, &bits, sizeof(x));
      return x;
    case 2:
      return narrow ? uniform(-110, 110) : uniform(-750, 750);
    case 3:
      return ldexp(uniform(-1, 1), -below(60));
    case 4:
      return below(41) - 20;
    default:
      return uniform(-10, 10);
  }
}

static int64_t random_integer(int bits) {
  const int64_t least = bits == 32 ? INT32_MIN : INT64_MIN;
  const int64_t edges[] = {0, 1, -1, 2, least, least + 1, -(least + 1)};
  int kind = below(3);
  return kind == 0 ? edges[below(7)] : kind == 1 ? below(20) - 5 : (int64_t)random_bits();
}

static void random_item(numd_dtype dtype, char *out) {
  switch (dtype) {
    case NUMD_BOOL:
      *(uint8_t *)out = (uint8_t)(below(2) ? 0 : random_bits());
      return;
    case NUMD_INT32:
      *(int32_t *)out = (int32_t)random_integer(32);
      return;
    case NUMD_INT64:
      *(int64_t *)out = random_integer(64);
      return;
    case NUMD_FLOAT32:
      *(float *)out = (float)random_real(true);
      return;
    case NUMD_FLOAT64:
      *(double *)out = random_real(false);
      return;
    default:
      ck_abort_msg("random_item: teach it %s", dtype_rows[dtype].name);
  }
}

static double as_double(numd_dtype dtype, const char *item) {
  switch (dtype) {
    case NUMD_BOOL:
      return *(const uint8_t *)item;
    case NUMD_INT32:
      return *(const int32_t *)item;
    case NUMD_INT64:
      return (double)*(const int64_t *)item;
    case NUMD_FLOAT32:
      return (double)*(const float *)item;
    default:
      return *(const double *)item;
  }
}

/* The same bits, or both NaN. */
static bool same(numd_dtype dtype, const char *a, const char *b) {
  if (dtype_rows[dtype].kind == 'f' && isnan(as_double(dtype, a)) && isnan(as_double(dtype, b)))
    return true;
  return memcmp(a, b, dtype_rows[dtype].size) == 0;
}

/* The error of a result in units in the last place of the exact one. */
static double ulps(numd_dtype dtype, double got, long double exact) {
  const int digits = dtype == NUMD_FLOAT32 ? 24 : 53, least = dtype == NUMD_FLOAT32 ? -149 : -1074;
  const double rounded = dtype == NUMD_FLOAT32 ? (double)(float)exact : (double)exact;
  if (isnan(rounded) || isnan(got))
    return isnan(rounded) && isnan(got) ? 0 : INFINITY;
  if (isinf(rounded) || isinf(got))
    return rounded == got ? 0 : INFINITY;
  if (rounded == 0 && got == 0)
    return signbit(rounded) == signbit(got) ? 0 : INFINITY;
  int exponent;
  frexpl(exact, &exponent);
  const int unit = exponent - digits < least ? least : exponent - digits;
  return (double)(fabsl((long double)got - exact) / ldexpl(1, unit));
}

/* Memory of one operand. */
struct operand {
  numd_dtype dtype;
  int64_t stride; /* bytes */
  char *first;
  _Alignas(64) char area[AREA];
};

/* Places n items `step` items apart, at a random offset. */
static void place(struct operand *o, numd_dtype dtype, int64_t n, int step) {
  const int64_t size = dtype_rows[dtype].size;
  o->dtype = dtype;
  o->stride = step * size;
  o->first = o->area + size * (1 + below(7)) + (step < 0 && n > 0 ? (n - 1) * -o->stride : 0);
}

static void fill(struct operand *o, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    random_item(o->dtype, o->first + i * o->stride);
}

/* Whether nothing but the operand's items has been written since `area` was all GUARD. */
static bool guarded(const struct operand *o, int64_t n) {
  static unsigned char mask[AREA];
  memset(mask, 0, sizeof(mask));
  for (int64_t i = 0; i < n; i++)
    memset(mask + (o->first - o->area) + i * o->stride, 1, dtype_rows[o->dtype].size);
  for (int i = 0; i < AREA; i++)
    if (!mask[i] && (unsigned char)o->area[i] != GUARD)
      return false;
  return true;
}

static const int lengths[] = {127, 128, 129, 1000};

/* Calls `check` for every length in the list of lengths: 0 to 67 and the ones above. */
#define FOR_LENGTHS(n)                                                                                 \
  for (int64_t length_index = 0, n;                                                                    \
       length_index < 72 && (n = length_index < 68 ? length_index : lengths[length_index - 68], true); \
       length_index++)

static const char *choose(int index) {
  const char *name = kernels_isa_names[index];
  return name && kernels_init(name) == 0 ? name : NULL;
}

#define FOR_VARIANTS(name)                                                       \
  for (int variant_index = 0; kernels_isa_names[variant_index]; variant_index++) \
    for (const char *name = choose(variant_index); name; name = NULL)

static bool approximate(numd_op op, numd_dtype dtype) {
  return op_rows[op].ulp == 1 && dtype_rows[dtype].kind == 'f';
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
 * difference), near what plain C makes of it, and nothing else may be written. */
struct subject {
  char name[64];
  int n_in;
  numd_dtype in[3], out;
  bool near; /* else the bits must be those of plain C */
  kernel_map_fn plain, loop;
};

static void check_loop(const struct subject *s, int64_t n, const int layout[4], const char *variant) {
  static struct operand in[3], out;
  static char expected[MAX_ITEMS * 8];
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
    memset(in[k].area, GUARD, AREA);
    place(&in[k], s->in[k], n, layout[k]);
    fill(&in[k], n);
    ptr[k] = in[k].first;
    stride[k] = in[k].stride;
  }
  memset(out.area, GUARD, AREA);
  place(&out, s->out, n, layout[3] == IN_PLACE ? 1 : layout[3]);

  unsigned flags = 0, plain_flags = 0;
  for (int64_t i = 0; i < n; i++) {
    _Alignas(8) char alone[8], plain[8];
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
    if (s->near)
      CHECK(ulps(s->out, as_double(s->out, alone), (long double)as_double(s->out, plain)) <= 2,
            "%s on %s: f(%a, %a) = %a, plain C %a", s->name, variant, as_double(s->in[0], one[0]),
            as_double(s->in[s->n_in - 1], one[s->n_in - 1]), as_double(s->out, alone),
            as_double(s->out, plain));
    else
      CHECK(same(s->out, alone, plain), "%s on %s: f(%a, %a) = %a, plain C %a", s->name, variant,
            as_double(s->in[0], one[0]), as_double(s->in[s->n_in - 1], one[s->n_in - 1]),
            as_double(s->out, alone), as_double(s->out, plain));
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
    case TYPING_NUMBER:
      return dtype_rows[dtype].kind != 'b';
    case TYPING_FLOAT:
      return dtype_rows[dtype].kind == 'f';
    case TYPING_ASTYPE:
      return false;
    default:
      return true;
  }
}

static kernel_map_fn find_map(const struct subject *s, const void *op) {
  return kernel_map(*(const numd_op *)op, s->in[s->n_in - 1]);
}

START_TEST(test_map) {
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].class != OP_MAP)
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
    struct subject s = {.n_in = op_rows[op].n_in, .in = {d, d, d}, .out = d, .near = approximate(op, d)};
    snprintf(s.name, sizeof(s.name), "%s of %s", op_rows[op].name, dtype_rows[d].name);
    if (op_rows[op].typing == TYPING_SELECT)
      s.in[0] = NUMD_BOOL;
    if (op_rows[op].typing == TYPING_COMPARE)
      s.out = NUMD_BOOL;
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

/* One call of a loop with items given as doubles. */
static double call_once(kernel_map_fn loop, int n_in, const numd_dtype in[], numd_dtype out,
                        const double x[]) {
  _Alignas(8) char items[4][8];
  char *ptr[4];
  int64_t stride[4] = {8, 8, 8, 8};
  for (int k = 0; k <= n_in; k++)
    ptr[k] = items[k];
  for (int k = 0; k < n_in; k++) {
    const double value = x[k];
    switch (in[k]) {
      case NUMD_BOOL:
        *(uint8_t *)items[k] = (uint8_t)value;
        break;
      case NUMD_INT32:
        *(int32_t *)items[k] = (int32_t)value;
        break;
      case NUMD_INT64:
        *(int64_t *)items[k] = (int64_t)value;
        break;
      case NUMD_FLOAT32:
        *(float *)items[k] = (float)value;
        break;
      default:
        *(double *)items[k] = value;
    }
  }
  loop(1, ptr, stride);
  return as_double(out, ptr[n_in]);
}

/* What the operations mean, in cases that are easily got wrong. */
static const struct point {
  numd_op op;
  numd_dtype dtype;
  double x[3], expected;
} points[] = {
    {NUMD_OP_ADD, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_ADD, NUMD_INT32, {INT32_MAX, 1}, INT32_MIN},
    {NUMD_OP_ADD, NUMD_FLOAT64, {0.1, 0.2}, 0.1 + 0.2},
    {NUMD_OP_ADD, NUMD_FLOAT64, {-0., -0.}, -0.},
    {NUMD_OP_SUBTRACT, NUMD_INT64, {-0x1p63, 0x1p62}, 0x1p62},
    {NUMD_OP_SUBTRACT, NUMD_FLOAT32, {1, 3}, -2},
    {NUMD_OP_MULTIPLY, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_MULTIPLY, NUMD_BOOL, {2, 0}, 0},
    {NUMD_OP_MULTIPLY, NUMD_INT32, {65536, 65536}, 0},
    {NUMD_OP_MULTIPLY, NUMD_FLOAT64, {0, INFINITY}, NAN},
    {NUMD_OP_DIVIDE, NUMD_FLOAT64, {-1, 0}, -INFINITY},
    {NUMD_OP_DIVIDE, NUMD_FLOAT64, {0, 0}, NAN},
    {NUMD_OP_DIVIDE, NUMD_FLOAT32, {1, 4}, .25},
    {NUMD_OP_NEGATIVE, NUMD_INT32, {INT32_MIN}, INT32_MIN},
    {NUMD_OP_NEGATIVE, NUMD_FLOAT64, {0}, -0.},
    {NUMD_OP_ABS, NUMD_INT64, {-0x1p63}, -0x1p63},
    {NUMD_OP_ABS, NUMD_INT32, {-7}, 7},
    {NUMD_OP_ABS, NUMD_FLOAT64, {-0.}, 0},
    {NUMD_OP_ABS, NUMD_BOOL, {7}, 1},
    {NUMD_OP_SQRT, NUMD_FLOAT64, {-0.}, -0.},
    {NUMD_OP_SQRT, NUMD_FLOAT64, {-1}, NAN},
    {NUMD_OP_SQRT, NUMD_FLOAT32, {9}, 3},
    {NUMD_OP_LOG, NUMD_FLOAT64, {-0.}, -INFINITY},
    {NUMD_OP_LOG, NUMD_FLOAT64, {-1}, NAN},
    {NUMD_OP_TANH, NUMD_FLOAT64, {0x1.337da279d12e7p-53}, 0x1.337da279d12e7p-53},
    {NUMD_OP_TANH, NUMD_FLOAT32, {0x1.20352ap-24}, 0x1.20352ap-24},
    {NUMD_OP_POWER, NUMD_INT32, {-3, 3}, -27},
    {NUMD_OP_POWER, NUMD_INT64, {2, 64}, 0},
    {NUMD_OP_POWER, NUMD_INT64, {0, 0}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-8, 1. / 3}, NAN},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-INFINITY, .5}, INFINITY},
    {NUMD_OP_POWER, NUMD_FLOAT64, {NAN, 0}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {1, NAN}, 1},
    {NUMD_OP_POWER, NUMD_FLOAT64, {-0., -3}, -INFINITY},
    {NUMD_OP_MAXIMUM, NUMD_FLOAT64, {NAN, 1}, NAN},
    {NUMD_OP_MAXIMUM, NUMD_FLOAT32, {1, NAN}, NAN},
    {NUMD_OP_MAXIMUM, NUMD_INT32, {-1, 1}, 1},
    {NUMD_OP_MAXIMUM, NUMD_BOOL, {0, 4}, 1},
    {NUMD_OP_MINIMUM, NUMD_FLOAT64, {NAN, 1}, NAN},
    {NUMD_OP_MINIMUM, NUMD_FLOAT32, {1, NAN}, NAN},
    {NUMD_OP_MINIMUM, NUMD_INT64, {-1, 1}, -1},
    {NUMD_OP_MINIMUM, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_EQUAL, NUMD_FLOAT64, {NAN, NAN}, 0},
    {NUMD_OP_EQUAL, NUMD_FLOAT64, {0, -0.}, 1},
    {NUMD_OP_EQUAL, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_NOT_EQUAL, NUMD_FLOAT32, {NAN, NAN}, 1},
    {NUMD_OP_LESS, NUMD_FLOAT64, {1, NAN}, 0},
    {NUMD_OP_LESS, NUMD_INT32, {-1, 1}, 1},
    {NUMD_OP_LESS_EQUAL, NUMD_FLOAT64, {1, 1}, 1},
    {NUMD_OP_GREATER, NUMD_BOOL, {255, 0}, 1},
    {NUMD_OP_GREATER_EQUAL, NUMD_FLOAT64, {NAN, 1}, 0},
    {NUMD_OP_WHERE, NUMD_INT32, {255, 5, 6}, 5},
    {NUMD_OP_WHERE, NUMD_FLOAT64, {0, 5, NAN}, NAN},
    {NUMD_OP_COPY, NUMD_BOOL, {200}, 1},
};

START_TEST(test_points) {
  const struct point *p = &points[_i];
  const uint8_t typing = op_rows[p->op].typing;
  const numd_dtype in[] = {typing == TYPING_SELECT ? NUMD_BOOL : p->dtype, p->dtype, p->dtype};
  const numd_dtype out = typing == TYPING_COMPARE ? NUMD_BOOL : p->dtype;
  FOR_VARIANTS(variant) {
    const double got = call_once(kernel_map(p->op, p->dtype), op_rows[p->op].n_in, in, out, p->x);
    CHECK(same(NUMD_FLOAT64, (const char *)&got, (const char *)&p->expected),
          "%s of %s (%g, %g) on %s is %g, not %g", op_rows[p->op].name, dtype_rows[p->dtype].name, p->x[0],
          p->x[1], variant, got, p->expected);
  }
}
END_TEST

START_TEST(test_cast_points) {
  static const struct {
    numd_dtype from, to;
    double x, expected;
  } cases[] = {
      {NUMD_FLOAT64, NUMD_INT32, NAN, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 2147483647.9, INT32_MAX},
      {NUMD_FLOAT64, NUMD_INT32, -2147483648.9, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 2147483648., INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, 1e300, INT32_MIN},
      {NUMD_FLOAT64, NUMD_INT32, -1.9, -1},
      {NUMD_FLOAT64, NUMD_INT64, NAN, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, 0x1p63, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, INFINITY, -0x1p63},
      {NUMD_FLOAT64, NUMD_INT64, -1e15, -1e15},
      {NUMD_FLOAT32, NUMD_INT32, 0x1p31, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT32, -0x1p31, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT32, 16777216, 16777216},
      {NUMD_FLOAT32, NUMD_INT32, NAN, INT32_MIN},
      {NUMD_FLOAT32, NUMD_INT64, 0x1p63, -0x1p63},
      {NUMD_FLOAT32, NUMD_INT64, 0x1p62, 0x1p62},
      {NUMD_FLOAT64, NUMD_BOOL, NAN, 1},
      {NUMD_FLOAT64, NUMD_BOOL, -0., 0},
      {NUMD_FLOAT64, NUMD_BOOL, 5e-324, 1},
      {NUMD_INT64, NUMD_INT32, 0x1p32 + 5, 5},
      {NUMD_INT64, NUMD_BOOL, 0x1p40, 1},
      {NUMD_BOOL, NUMD_FLOAT64, 7, 1},
      {NUMD_INT32, NUMD_FLOAT32, 16777217, 16777216},
      {NUMD_FLOAT64, NUMD_FLOAT32, 1e300, INFINITY},
      {NUMD_INT64, NUMD_FLOAT64, -5, -5},
      {NUMD_BOOL, NUMD_INT64, 255, 1},
  };
  FOR_VARIANTS(variant)
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const double got =
        call_once(kernel_cast(cases[i].from, cases[i].to), 1, &cases[i].from, cases[i].to, &cases[i].x);
    CHECK(same(NUMD_FLOAT64, (const char *)&got, (const char *)&cases[i].expected),
          "%s to %s on %s: %g gives %g, not %g", dtype_rows[cases[i].from].name, dtype_rows[cases[i].to].name,
          variant, cases[i].x, got, cases[i].expected);
  }
}
END_TEST

START_TEST(test_negative_power) {
  FOR_VARIANTS(variant) {
    int32_t x[] = {2, 2, 1}, y[] = {1, -1, 0}, out[3];
    char *ptr[] = {(char *)x, (char *)y, (char *)out};
    const int64_t stride[] = {4, 4, 4};
    ck_assert_uint_eq(kernel_map(NUMD_OP_POWER, NUMD_INT32)(3, ptr, stride), KERNEL_NEGATIVE_POWER);
    ck_assert_uint_eq(kernel_map(NUMD_OP_POWER, NUMD_INT32)(1, ptr, stride), 0);
  }
}
END_TEST

/* The exact value of the operations whose rows promise an ULP bound of 1. */
static long double exact(numd_op op, double x, double y) {
  switch (op) {
    case NUMD_OP_EXP:
      return expl((long double)x);
    case NUMD_OP_LOG:
      return logl((long double)x);
    case NUMD_OP_SIN:
      return sinl((long double)x);
    case NUMD_OP_COS:
      return cosl((long double)x);
    case NUMD_OP_TANH:
      return tanhl((long double)x);
    case NUMD_OP_POWER:
      if ((x == 0 || isinf(x)) && fabs(y) >= 0x1p63 && isfinite(y))
        y = copysign(0x1p60, y); /* no less even; glibc's x87 powl takes -2^63 for odd */
      return powl((long double)x, (long double)y);
    default:
      ck_abort_msg("exact: teach it %s", op_rows[op].name);
  }
}

/* The bound of the row holds; the long double values are off by 2^-11, or 0.0005, ULP of a double. */
START_TEST(test_ulp) {
  enum { n = 100000 };
  static double x[n], y[n], out[n];
  static const int64_t stride[] = {8, 8, 8};
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].class != OP_MAP || !approximate(op, NUMD_FLOAT64))
    return;
  for (int i = 0; i < n; i++) {
    const bool paired = i < N_SPECIALS * N_SPECIALS;
    x[i] = paired ? specials[i / N_SPECIALS] : random_real(false);
    y[i] = paired ? specials[i % N_SPECIALS] : random_real(false);
    if (op == NUMD_OP_POWER && !paired && i % 2) { /* results over the whole range */
      x[i] = ldexp(uniform(.5, 1), below(200) - 100);
      y[i] = uniform(-760, 760) / (fabs(log(x[i])) + 1e-3);
    }
  }
  FOR_VARIANTS(variant) {
    char *ptr[] = {(char *)x, op_rows[op].n_in == 2 ? (char *)y : (char *)out, (char *)out};
    kernel_map(op, NUMD_FLOAT64)(n, ptr, stride);
    double worst = 0;
    for (int i = 0; i < n; i++) {
      const double error = ulps(NUMD_FLOAT64, out[i], exact(op, x[i], y[i]));
      CHECK(error <= (double)op_rows[op].ulp + 1e-3, "%s(%a, %a) on %s is %a: %g ULP", op_rows[op].name, x[i],
            y[i], variant, out[i], error);
      worst = error > worst ? error : worst;
    }
    printf("%-8s %-3s at most %.3f ULP of %d values\n", op_rows[op].name, variant, worst, n);
  }
  fflush(stdout);
}
END_TEST

#define MAX_TERMS 40000
static _Alignas(64) char terms[MAX_TERMS * 3 * 8 + 64];

static bool has_reduce(numd_op op, numd_dtype dtype) {
  switch (op_rows[op].typing) {
    case TYPING_SUM:
    case TYPING_MEAN: /* a SUM, as far as the kernels go */
      return dtype == NUMD_INT64 || dtype == NUMD_FLOAT64;
    case TYPING_LOGICAL:
      return dtype == NUMD_BOOL;
    default:
      return true;
  }
}

/* Combines one by one with the map operation that kernel_reduce_combine names. */
static void combine_all(numd_op op, numd_dtype dtype, int64_t n, const char *in, int64_t stride, char *acc) {
  char *ptr[] = {acc, NULL, acc};
  const int64_t steps[] = {8, 8, 8};
  const kernel_map_fn combine = kernel_map(kernel_reduce_combine(op), dtype);
  char *const first[] = {(char *)in, acc};
  kernel_map(NUMD_OP_COPY, dtype)(1, first, steps);
  for (int64_t i = 1; i < n; i++) {
    ptr[1] = (char *)in + i * stride;
    combine(1, ptr, steps);
  }
}

/* A sum of n terms may be off by as much as NumPy's pairwise one; a product by n roundings. */
static void check_rounded(numd_op op, int64_t n, const char *in, int64_t stride, double got) {
  long double sum = 0, magnitude = 0, product = 1;
  for (int64_t i = 0; i < n; i++) {
    const long double x = (long double)*(const double *)(in + i * stride);
    sum += x;
    magnitude += fabsl(x);
    product *= x;
  }
  if (op == NUMD_OP_PROD && fabsl(product) > 0x1p1023L)
    CHECK(got > 0x1p1022, "product of %ld is %g", (long)n, got);
  else if (op == NUMD_OP_PROD)
    CHECK(fabsl((long double)got - product) <= (long double)n * 0x1p-53L * fabsl(product) + 0x1p-1060L,
          "product of %ld", (long)n);
  else
    CHECK(fabsl((long double)got - sum) <= (9 + log2l((long double)n)) * 0x1p-53L * magnitude,
          "sum of %ld: %a, not %La", (long)n, got, sum);
}

static void check_reduce(numd_op op, numd_dtype dtype, int64_t n, int step) {
  const int64_t size = dtype_rows[dtype].size, stride = step * size;
  const bool rounded = op_rows[op].typing != TYPING_ANY && dtype == NUMD_FLOAT64;
  char *in = terms + (step < 0 ? (n - 1) * -stride : 0) + size * below(3);
  _Alignas(8) char expected[8], got[8];
  if (step < 0 || step > 1)
    memset(terms, 0xFF, sizeof(terms)); /* NaN between the terms */
  for (int64_t i = 0; i < n; i++) {
    random_item(dtype, in + i * stride);
    if (rounded)
      *(double *)(in + i * stride) =
          op == NUMD_OP_PROD ? exp(uniform(-.1, .1)) : uniform(-1, below(2) ? 1 : 0);
    else if (dtype_rows[dtype].kind == 'f' && n < 300 && isnan(as_double(dtype, in + i * stride)) && n % 2)
      memset(in + i * stride, 0, (size_t)size); /* no NaN where n is odd */
    if ((op == NUMD_OP_ALL || op == NUMD_OP_MIN) && dtype == NUMD_BOOL && n % 3)
      in[i * stride] |= i + 1 != n || n % 3 == 1;
    if ((op == NUMD_OP_ANY || op == NUMD_OP_MAX) && dtype == NUMD_BOOL && n % 3)
      in[i * stride] = i + 1 == n && n % 3 == 1 ? 64 : 0;
  }
  kernels_init("c");
  kernel_reduce(op, dtype)(n, in, stride, expected);
  if (rounded) {
    check_rounded(op, n, in, stride, *(double *)expected);
  } else {
    combine_all(op, dtype, n, in, stride, got);
    /* zeros of either sign are equally large */
    CHECK(same(dtype, got, expected) || (as_double(dtype, got) == 0 && as_double(dtype, expected) == 0),
          "%s of %ld %s: %a, one by one %a", op_rows[op].name, (long)n, dtype_rows[dtype].name,
          as_double(dtype, expected), as_double(dtype, got));
  }
  FOR_VARIANTS(variant) {
    kernel_reduce(op, dtype)(n, in, stride, got);
    CHECK(same(dtype, got, expected), "%s of %ld %s on %s, step %d: %a, plain C %a", op_rows[op].name,
          (long)n, dtype_rows[dtype].name, variant, step, as_double(dtype, got), as_double(dtype, expected));
    static _Alignas(64) char dense[MAX_TERMS * 8 + 64];
    char *const ptr[] = {in, dense + size};
    const int64_t strides[] = {stride, size};
    kernel_map(NUMD_OP_COPY, dtype)(n, ptr, strides);
    kernel_reduce(op, dtype)(n, dense + size, size, got);
    CHECK(same(dtype, got, expected), "%s of %ld %s on %s depends on the stride %d", op_rows[op].name,
          (long)n, dtype_rows[dtype].name, variant, step);
  }
}

START_TEST(test_reduce) {
  static const int steps[] = {1, 2, -1, -3, 0};
  const numd_op op = (numd_op)_i;
  if (!op_known(op) || op_rows[op].class != OP_REDUCE)
    return;
  for (int d = 0; d < NUMD_DTYPE_CODES; d++) {
    if (!dtype_known(d))
      continue;
    CHECK((kernel_reduce(op, d) != NULL) == has_reduce(op, d), "%s of %s", op_rows[op].name,
          dtype_rows[d].name);
    if (!has_reduce(op, d))
      continue;
    ck_assert_uint_gt(kernel_cost_ps(op, d), 0);
    for (int k = 0; k < 5; k++) {
      FOR_LENGTHS(n)
      if (n > 0)
        check_reduce(op, d, n, steps[k]);
      static const int64_t more[] = {255, 256, 257, 511, 2047, 2048, 2049, 5000, 16384, 39999};
      for (int i = 0; i < 10; i++)
        check_reduce(op, d, more[i], steps[k]);
    }
  }
}
END_TEST

START_TEST(test_reduce_identity) {
  for (int op = 0; op < NUMD_OP_CODES; op++)
    for (int d = 0; op_known(op) && op_rows[op].class == OP_REDUCE && d < NUMD_DTYPE_CODES; d++) {
      _Alignas(8) char acc[8], x[8], wanted[8];
      char *const ptr[] = {acc, x, acc}, *const copy[] = {x, wanted};
      const int64_t stride[] = {8, 8, 8};
      if (!dtype_known(d) || !has_reduce(op, d))
        continue;
      const int has = kernel_reduce_identity(op, d, acc);
      ck_assert_int_eq(has, op != NUMD_OP_MAX && op != NUMD_OP_MIN);
      random_item(d, x);
      kernel_map(NUMD_OP_COPY, d)(1, copy, stride);
      if (has)
        kernel_map(kernel_reduce_combine(op), d)(1, ptr, stride);
      CHECK(!has || as_double(d, acc) == as_double(d, wanted) || same(d, acc, wanted), "identity of %s",
            op_rows[op].name);
    }
}
END_TEST

/* A sum that naive addition gets wrong: the small terms must not be lost one by one. */
START_TEST(test_sum_accuracy) {
  enum { n = 1 << 20 };
  static double x[n];
  FOR_VARIANTS(variant) {
    double got;
    for (int i = 0; i < n; i++)
      x[i] = 0.1;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64)(n, (char *)x, 8, (char *)&got);
    CHECK(fabs(got - 0.1 * n) < 1e-10, "%s: off by %g", variant, got - 0.1 * n);
    x[0] = -0.;
    kernel_reduce(NUMD_OP_SUM, NUMD_FLOAT64)(3, (char *)x, 0, (char *)&got);
    ck_assert(got == 0 && signbit(got));
  }
}
END_TEST

#define MATRIX_BYTES (1 << 18)

/* A matrix placed in the middle of an area, with strides of a random kind. */
struct placed {
  struct kernel_matrix view;
  _Alignas(64) char area[MATRIX_BYTES];
};

static void place_matrix(struct placed *p, numd_dtype dtype, int64_t rows, int64_t cols, bool output) {
  const int64_t size = dtype_rows[dtype].size, r = rows ? rows : 1, c = cols ? cols : 1;
  const int64_t choices[][2] = {{c, 1},     {1, r},     {c + 3, 1},
                                {1, r + 5}, {2 * c, 2}, {3, 3 * r},
                                {-c, 1},    {1, -r},    {c, -1} /* then: inputs only */,
                                {0, 1},     {1, 0},     {0, 0},
                                {1, 1}};
  const int kind = below(output ? 9 : 13);
  int64_t s0 = choices[kind][0], s1 = choices[kind][1];
  if (kind == 8) {
    s0 = c;
    s1 = -1;
  }
  p->view.stride[0] = s0 * size;
  p->view.stride[1] = s1 * size;
  p->view.data = p->area + MATRIX_BYTES / 2 + size * below(5);
}

static char *item_of(struct kernel_matrix x, int64_t i, int64_t j) {
  return x.data + i * x.stride[0] + j * x.stride[1];
}

/* Values whose products and sums are exact in any order; now and then NaN or infinite, if wanted. */
static void fill_matrix(struct placed *p, numd_dtype dtype, int64_t rows, int64_t cols, bool odd_ones) {
  memset(p->area, 0xFF, sizeof(p->area));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      char *item = item_of(p->view, i, j);
      const double odd[] = {NAN, INFINITY, -INFINITY, 0, 0};
      const double value = odd_ones && below(30) == 0 ? odd[below(5)] : below(33) - 16;
      if (dtype == NUMD_FLOAT64)
        *(double *)item = value;
      else if (dtype == NUMD_FLOAT32)
        *(float *)item = (float)value;
      else if (dtype == NUMD_BOOL)
        *(uint8_t *)item = (uint8_t)(below(4) ? 0 : random_bits());
      else
        random_item(dtype, item);
    }
}

static void naive_item(numd_dtype dtype, int64_t k, struct kernel_matrix a, struct kernel_matrix b, int64_t i,
                       int64_t j, char *out) {
  double real = 0;
  uint64_t integer = 0;
  for (int64_t t = 0; t < k; t++) {
    const char *x = item_of(a, i, t), *y = item_of(b, t, j);
    if (dtype_rows[dtype].kind == 'f')
      real += as_double(dtype, x) * as_double(dtype, y);
    else if (dtype == NUMD_BOOL)
      integer |= *x != 0 && *y != 0;
    else if (dtype == NUMD_INT32)
      integer += (uint64_t) * (const int32_t *)x * (uint64_t) * (const int32_t *)y;
    else
      integer += (uint64_t) * (const int64_t *)x * (uint64_t) * (const int64_t *)y;
  }
  if (dtype == NUMD_FLOAT32)
    *(float *)out = (float)real;
  else if (dtype == NUMD_FLOAT64)
    *(double *)out = real;
  else
    memcpy(out, &integer, dtype_rows[dtype].size); /* little endian or not: see the assertion in main */
}

static void check_matmul(numd_dtype dtype, int64_t m, int64_t n, int64_t k, const char *variant) {
  static struct placed a, b, c;
  static unsigned char written[MATRIX_BYTES];
  const int64_t size = dtype_rows[dtype].size;
  const bool odd_ones = below(3) == 0;
  place_matrix(&a, dtype, m, k, false);
  place_matrix(&b, dtype, k, n, false);
  place_matrix(&c, dtype, m, n, true);
  fill_matrix(&a, dtype, m, k, odd_ones);
  fill_matrix(&b, dtype, k, n, odd_ones);
  memset(c.area, 0xFF, sizeof(c.area));
  memset(written, 0, sizeof(written));

  const int64_t bytes = kernel_matmul_scratch(dtype, m, n, k, a.view.stride, b.view.stride, c.view.stride);
  CHECK(bytes >= 0, "no product of %s", dtype_rows[dtype].name);
  char *scratch = aligned_alloc(64, (size_t)(bytes + 64 + 63) / 64 * 64);
  memset(scratch, GUARD, (size_t)bytes + 64);
  kernel_matmul(dtype, m, n, k, a.view, b.view, c.view, scratch);
  for (int i = 0; i < 64; i++)
    CHECK((unsigned char)scratch[bytes + i] == GUARD, "written beyond the scratch memory");
  free(scratch);

  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      _Alignas(8) char wanted[8];
      char *got = item_of(c.view, i, j);
      naive_item(dtype, k, a.view, b.view, i, j, wanted);
      CHECK(same(dtype, got, wanted) || (as_double(dtype, got) == 0 && as_double(dtype, wanted) == 0),
            "%s %ldx%ldx%ld on %s, strides %ld %ld, %ld %ld, %ld %ld: item %ld %ld is %g, not %g",
            dtype_rows[dtype].name, (long)m, (long)n, (long)k, variant, (long)a.view.stride[0],
            (long)a.view.stride[1], (long)b.view.stride[0], (long)b.view.stride[1], (long)c.view.stride[0],
            (long)c.view.stride[1], (long)i, (long)j, as_double(dtype, got), as_double(dtype, wanted));
      memset(written + (got - c.area), 1, (size_t)size);
    }
  for (int i = 0; i < MATRIX_BYTES; i++)
    CHECK(written[i] || (unsigned char)c.area[i] == 0xFF, "matmul writes elsewhere");
}

START_TEST(test_matmul) {
  const numd_dtype dtype = (numd_dtype)_i;
  if (!dtype_known(dtype))
    return;
  FOR_VARIANTS(variant)
  for (int round = 0; round < 600; round++) {
    const int most = round % 10 == 0 ? 65 : 21;
    int64_t shape[3] = {below(most), below(most), below(most)};
    if (round % 3 == 0)
      shape[below(3)] = 1;
    if (round % 9 == 0)
      shape[below(3)] = 1;
    check_matmul(dtype, shape[0], shape[1], shape[2], variant);
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
  ck_assert_ptr_null(kernel_reduce(NUMD_OP_ADD, NUMD_FLOAT64));
}
END_TEST

static void reseed(void) {
  state = seed;
}

static Suite *kernels_suite(void) {
  Suite *suite = suite_create("kernels");
  TCase *tcase = tcase_create("kernels");
  tcase_add_checked_fixture(tcase, reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_test(tcase, test_choice);
  tcase_add_loop_test(tcase, test_points, 0, (int)(sizeof(points) / sizeof(points[0])));
  tcase_add_test(tcase, test_cast_points);
  tcase_add_test(tcase, test_negative_power);
  tcase_add_loop_test(tcase, test_map, 0, NUMD_OP_CODES);
  tcase_add_loop_test(tcase, test_cast, 0, NUMD_DTYPE_CODES);
  tcase_add_loop_test(tcase, test_ulp, 0, NUMD_OP_CODES);
  tcase_add_loop_test(tcase, test_reduce, 0, NUMD_OP_CODES);
  tcase_add_test(tcase, test_reduce_identity);
  tcase_add_test(tcase, test_sum_accuracy);
  tcase_add_loop_test(tcase, test_matmul, 0, NUMD_DTYPE_CODES);
  suite_add_tcase(suite, tcase);
  return suite;
}

int main(void) {
  const char *given = getenv("NUMD_TEST_SEED");
  seed = given ? strtoull(given, NULL, 0) : 20240607;
  printf("NUMD_TEST_SEED=%llu\n", (unsigned long long)seed);
  fflush(stdout);
  SRunner *runner = srunner_create(kernels_suite());
  srunner_run_all(runner, CK_NORMAL);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
