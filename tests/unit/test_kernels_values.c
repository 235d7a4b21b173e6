/* SPDX-License-Identifier: BSD-3-Clause */
/* What the elementwise operations and casts mean: cases that are easily got wrong. */
#include "tests/unit/kernels.h"

/* One call of a loop with real items given as doubles. */
static double call_once(kernel_map_fn loop, int n_in, const numd_dtype in[], numd_dtype out,
                        const double x[]) {
  _Alignas(16) char items[4][16];
  char *ptr[4];
  static const int64_t stride[4] = {16, 16, 16, 16};
  for (int k = 0; k <= n_in; k++)
    ptr[k] = items[k];
  for (int k = 0; k < n_in; k++)
    from_double(in[k], x[k], 0, items[k]);
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
    {NUMD_OP_POW, NUMD_INT32, {-3, 3}, -27},
    {NUMD_OP_POW, NUMD_INT64, {2, 64}, 0},
    {NUMD_OP_POW, NUMD_INT64, {0, 0}, 1},
    {NUMD_OP_POW, NUMD_FLOAT64, {-8, 1. / 3}, NAN},
    {NUMD_OP_POW, NUMD_FLOAT64, {-INFINITY, .5}, INFINITY},
    {NUMD_OP_POW, NUMD_FLOAT64, {NAN, 0}, 1},
    {NUMD_OP_POW, NUMD_FLOAT64, {1, NAN}, 1},
    {NUMD_OP_POW, NUMD_FLOAT64, {-0., -3}, -INFINITY},
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
    {NUMD_OP_ADD, NUMD_INT8, {127, 1}, -128},
    {NUMD_OP_ADD, NUMD_UINT16, {65535, 1}, 0},
    {NUMD_OP_SUBTRACT, NUMD_UINT8, {0, 1}, 255},
    {NUMD_OP_SUBTRACT, NUMD_UINT32, {0, 1}, UINT32_MAX},
    {NUMD_OP_MULTIPLY, NUMD_INT8, {-128, -1}, -128},
    {NUMD_OP_MULTIPLY, NUMD_INT8, {100, 3}, 44},
    {NUMD_OP_MULTIPLY, NUMD_UINT16, {65535, 65535}, 1},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT32, {7, 2}, 3},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT32, {-7, 2}, -4},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT32, {7, -2}, -4},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT32, {-7, -2}, 3},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT8, {-128, -1}, -128},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT16, {-32768, -1}, -32768},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT32, {INT32_MIN, -1}, INT32_MIN},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT64, {-0x1p63, -1}, -0x1p63},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_INT64, {5, 0}, 0},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_UINT8, {255, 0}, 0},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_UINT32, {UINT32_MAX, 65537}, 65535},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_UINT32, {UINT32_MAX - 1., UINT32_MAX}, 0},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {1, .1}, 9},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {-1, INFINITY}, -1},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {1, 0}, INFINITY},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {INFINITY, 1}, NAN},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {-0., 2}, -0.},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT64, {1e300, 3e-10}, INFINITY},
    {NUMD_OP_FLOOR_DIVIDE, NUMD_FLOAT32, {-3, 2}, -2},
    {NUMD_OP_REMAINDER, NUMD_INT32, {-7, 3}, 2},
    {NUMD_OP_REMAINDER, NUMD_INT32, {7, -3}, -2},
    {NUMD_OP_REMAINDER, NUMD_INT32, {INT32_MIN, -1}, 0},
    {NUMD_OP_REMAINDER, NUMD_INT64, {-0x1p63, -1}, 0},
    {NUMD_OP_REMAINDER, NUMD_INT64, {-0x1p63, 10}, 2},
    {NUMD_OP_REMAINDER, NUMD_UINT8, {200, 7}, 4},
    {NUMD_OP_REMAINDER, NUMD_INT16, {7, 0}, 0},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {-7, 3}, 2},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {6, -3}, -0.},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {1, INFINITY}, 1},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {-1, INFINITY}, INFINITY},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {1, 0}, NAN},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {0x1p1000, 3}, 1},
    {NUMD_OP_REMAINDER, NUMD_FLOAT64, {0x1.fffffffffffffp-1, 1}, 0x1.fffffffffffffp-1},
    {NUMD_OP_REMAINDER, NUMD_FLOAT32, {0x1p100, 3}, 1},
    {NUMD_OP_NEGATIVE, NUMD_UINT8, {1}, 255},
    {NUMD_OP_ABS, NUMD_INT8, {-128}, -128},
    {NUMD_OP_ABS, NUMD_UINT64, {0x1p63}, 0x1p63},
    {NUMD_OP_SIGN, NUMD_FLOAT64, {NAN}, NAN},
    {NUMD_OP_SIGN, NUMD_FLOAT64, {-0.}, 0},
    {NUMD_OP_SIGN, NUMD_INT16, {-300}, -1},
    {NUMD_OP_SIGN, NUMD_UINT8, {200}, 1},
    {NUMD_OP_SQUARE, NUMD_UINT16, {65535}, 1},
    {NUMD_OP_RECIPROCAL, NUMD_FLOAT64, {-0.}, -INFINITY},
    {NUMD_OP_COPYSIGN, NUMD_FLOAT64, {3, -0.}, -3},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT64, {0, -1}, -0x1p-1074},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT64, {0x1.fffffffffffffp1023, INFINITY}, INFINITY},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT64, {-1, 0}, -0x1.fffffffffffffp-1},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT64, {0, -0.}, -0.},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT64, {1, NAN}, NAN},
    {NUMD_OP_NEXTAFTER, NUMD_FLOAT32, {1, 2}, 1 + 0x1p-23},
    {NUMD_OP_FLOOR, NUMD_FLOAT64, {-.5}, -1},
    {NUMD_OP_CEIL, NUMD_FLOAT64, {-.5}, -0.},
    {NUMD_OP_TRUNC, NUMD_FLOAT32, {-1.5}, -1},
    {NUMD_OP_ROUND, NUMD_FLOAT64, {2.5}, 2},
    {NUMD_OP_ROUND, NUMD_FLOAT64, {-.5}, -0.},
    {NUMD_OP_FLOOR, NUMD_INT8, {-128}, -128},
    {NUMD_OP_CEIL, NUMD_BOOL, {7}, 1},
    {NUMD_OP_ISFINITE, NUMD_FLOAT64, {INFINITY}, 0},
    {NUMD_OP_ISFINITE, NUMD_FLOAT32, {0x1.fffffep127}, 1},
    {NUMD_OP_ISFINITE, NUMD_INT64, {0}, 1},
    {NUMD_OP_ISINF, NUMD_FLOAT64, {-INFINITY}, 1},
    {NUMD_OP_ISINF, NUMD_FLOAT64, {NAN}, 0},
    {NUMD_OP_ISNAN, NUMD_FLOAT32, {NAN}, 1},
    {NUMD_OP_ISNAN, NUMD_BOOL, {255}, 0},
    {NUMD_OP_SIGNBIT, NUMD_FLOAT64, {-0.}, 1},
    {NUMD_OP_SIGNBIT, NUMD_INT8, {-1}, 1},
    {NUMD_OP_SIGNBIT, NUMD_UINT8, {255}, 0},
    {NUMD_OP_REAL, NUMD_FLOAT32, {-0.}, -0.},
    {NUMD_OP_IMAG, NUMD_FLOAT32, {5}, 0},
    {NUMD_OP_CLIP, NUMD_FLOAT64, {5, 1, 3}, 3},
    {NUMD_OP_CLIP, NUMD_FLOAT64, {5, 4, 1}, 1},
    {NUMD_OP_CLIP, NUMD_FLOAT64, {NAN, 1, 3}, NAN},
    {NUMD_OP_CLIP, NUMD_FLOAT64, {5, NAN, 3}, NAN},
    {NUMD_OP_CLIP, NUMD_FLOAT32, {5, 1, NAN}, NAN},
    {NUMD_OP_CLIP, NUMD_INT8, {-100, -50, 50}, -50},
    {NUMD_OP_MAXIMUM, NUMD_UINT64, {0x1p63, 1}, 0x1p63},
    {NUMD_OP_LESS, NUMD_UINT8, {200, 100}, 0},
    {NUMD_OP_LESS, NUMD_INT8, {-56, 100}, 1},
    {NUMD_OP_LESS, NUMD_UINT64, {1, 0x1p63}, 1},
    {NUMD_OP_LOGICAL_XOR, NUMD_BOOL, {2, 4}, 0},
    {NUMD_OP_LOGICAL_NOT, NUMD_BOOL, {2}, 0},
    {NUMD_OP_BITWISE_INVERT, NUMD_BOOL, {2}, 0},
    {NUMD_OP_BITWISE_INVERT, NUMD_UINT8, {1}, 254},
    {NUMD_OP_BITWISE_INVERT, NUMD_INT32, {0}, -1},
    {NUMD_OP_BITWISE_AND, NUMD_BOOL, {2, 4}, 1},
    {NUMD_OP_BITWISE_XOR, NUMD_BOOL, {2, 4}, 0},
    {NUMD_OP_BITWISE_LEFT_SHIFT, NUMD_INT8, {1, 8}, 0},
    {NUMD_OP_BITWISE_LEFT_SHIFT, NUMD_INT8, {1, 7}, -128},
    {NUMD_OP_BITWISE_LEFT_SHIFT, NUMD_INT32, {1, 32}, 0},
    {NUMD_OP_BITWISE_LEFT_SHIFT, NUMD_INT64, {1, -1}, 0},
    {NUMD_OP_BITWISE_RIGHT_SHIFT, NUMD_INT16, {-5, 1}, -3},
    {NUMD_OP_BITWISE_RIGHT_SHIFT, NUMD_INT32, {-5, 32}, -1},
    {NUMD_OP_BITWISE_RIGHT_SHIFT, NUMD_INT64, {-5, -1}, -1},
    {NUMD_OP_BITWISE_RIGHT_SHIFT, NUMD_UINT16, {65535, 16}, 0},
    {NUMD_OP_POW, NUMD_UINT8, {3, 5}, 243},
    {NUMD_OP_POW, NUMD_INT8, {-2, 7}, -128},
    {NUMD_OP_POW, NUMD_UINT16, {3, 65535}, 43691},
    {NUMD_OP_POW, NUMD_UINT64, {2, 63}, 0x1p63},
    {NUMD_OP_WHERE, NUMD_BOOL, {0, 0, 4}, 1},
    {NUMD_OP_COPY, NUMD_BOOL, {200}, 1},
};

START_TEST(test_points) {
  const struct point *p = &points[_i];
  const bool selects = op_rows[p->op].typing == NUMD_TYPING_SELECT;
  const numd_dtype in[] = {selects ? NUMD_BOOL : p->dtype, p->dtype, p->dtype};
  const numd_dtype out = op_map_result(p->op, p->dtype);
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
      {NUMD_BOOL, NUMD_COMPLEX64, 255, 1},
      {NUMD_BOOL, NUMD_UINT8, 255, 1},
      {NUMD_INT16, NUMD_INT8, 300, 44},
      {NUMD_INT8, NUMD_UINT32, -1, UINT32_MAX},
      {NUMD_INT8, NUMD_UINT64, -1, 0x1p64},
      {NUMD_UINT64, NUMD_FLOAT32, 0x1p63, 0x1p63},
      {NUMD_FLOAT64, NUMD_INT8, 300, 44},
      {NUMD_FLOAT64, NUMD_INT8, -129, 127},
      {NUMD_FLOAT64, NUMD_INT16, 5e9, 0},
      {NUMD_FLOAT32, NUMD_UINT8, -1, 255},
      {NUMD_FLOAT32, NUMD_UINT8, NAN, 0},
      {NUMD_FLOAT64, NUMD_UINT16, -1.9, 65535},
      {NUMD_FLOAT64, NUMD_UINT32, 4294967295., 4294967295.},
      {NUMD_FLOAT64, NUMD_UINT32, -1, 4294967295.},
      {NUMD_FLOAT32, NUMD_UINT32, 3e9f, 3e9f},
      {NUMD_FLOAT64, NUMD_UINT64, 0x1p63, 0x1p63},
      {NUMD_FLOAT64, NUMD_UINT64, NAN, 0x1p63},
      {NUMD_FLOAT64, NUMD_UINT64, INFINITY, 0},
      {NUMD_COMPLEX64, NUMD_INT16, -3.7, -3},
      {NUMD_COMPLEX128, NUMD_FLOAT32, 1.5, 1.5},
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

/* Of complex128; the second input counts where there is one. */
static const struct complex_point {
  numd_op op;
  double x[2], y[2], expected[2];
} complex_points[] = {
    {NUMD_OP_ADD, {1, -2}, {3, 5}, {4, 3}},
    {NUMD_OP_MULTIPLY, {1, 2}, {3, 4}, {-5, 10}},
    {NUMD_OP_MULTIPLY, {1, 0}, {INFINITY, 0}, {INFINITY, NAN}},
    {NUMD_OP_DIVIDE, {-5, 10}, {3, 4}, {1, 2}},
    {NUMD_OP_DIVIDE, {1e300, 1e300}, {1e300, 1e300}, {1, 0}},
    {NUMD_OP_DIVIDE, {1, -1}, {0, 0}, {INFINITY, -INFINITY}},
    {NUMD_OP_DIVIDE, {0, 1}, {0, 2}, {.5, 0}},
    {NUMD_OP_SIGN, {3, 4}, {0, 0}, {.6, .8}},
    {NUMD_OP_SIGN, {-0., 0}, {0, 0}, {0, 0}},
    {NUMD_OP_SIGN, {0, -1e-320}, {0, 0}, {0, -1}},
    {NUMD_OP_SIGN, {1.5e308, 0}, {0, 0}, {1, 0}},
    {NUMD_OP_SIGN, {-INFINITY, 5}, {0, 0}, {-1, 0}},
    {NUMD_OP_SIGN, {NAN, INFINITY}, {0, 0}, {0, 1}},
    {NUMD_OP_SIGN, {NAN, 5}, {0, 0}, {NAN, NAN}},
    {NUMD_OP_SIGN, {INFINITY, INFINITY}, {0, 0}, {NAN, NAN}},
    {NUMD_OP_SQUARE, {1, 2}, {0, 0}, {-3, 4}},
    {NUMD_OP_RECIPROCAL, {0, 2}, {0, 0}, {0, -.5}},
    {NUMD_OP_NEGATIVE, {0, 2}, {0, 0}, {-0., -2}},
    {NUMD_OP_ROUND, {2.5, -.5}, {0, 0}, {2, -0.}},
    {NUMD_OP_CONJ, {1, 0}, {0, 0}, {1, -0.}},
    {NUMD_OP_REAL, {1, 2}, {0, 0}, {1, 0}},
    {NUMD_OP_IMAG, {1, 2}, {0, 0}, {2, 0}},
    {NUMD_OP_ISNAN, {1, NAN}, {0, 0}, {1, 0}},
    {NUMD_OP_ISINF, {INFINITY, NAN}, {0, 0}, {1, 0}},
    {NUMD_OP_ISFINITE, {1, INFINITY}, {0, 0}, {0, 0}},
    {NUMD_OP_EQUAL, {1, 2}, {1, 3}, {0, 0}},
    {NUMD_OP_NOT_EQUAL, {NAN, 2}, {NAN, 2}, {1, 0}},
};

START_TEST(test_complex_points) {
  const struct complex_point *p = &complex_points[_i];
  const numd_dtype out = op_map_result(p->op, NUMD_COMPLEX128);
  static const int64_t stride[] = {16, 16, 16};
  FOR_VARIANTS(variant) {
    double x[2] = {p->x[0], p->x[1]}, y[2] = {p->y[0], p->y[1]};
    _Alignas(16) char got[16];
    char *ptr[] = {(char *)x, op_rows[p->op].n_in == 2 ? (char *)y : got, got};
    kernel_map(p->op, NUMD_COMPLEX128)(1, ptr, stride);
    const double real = as_double(out, got), imag = as_imaginary(out, got);
    CHECK(same(NUMD_FLOAT64, (const char *)&real, (const char *)&p->expected[0]) &&
              same(NUMD_FLOAT64, (const char *)&imag, (const char *)&p->expected[1]),
          "%s of (%g%+gi, %g%+gi) on %s is %g%+gi, not %g%+gi", op_rows[p->op].name, x[0], x[1], y[0], y[1],
          variant, real, imag, p->expected[0], p->expected[1]);
  }
}
END_TEST

/* A number of the dtype as its 64 lower bits, extended by its sign if it is signed. */
static uint64_t as_bits(numd_dtype dtype, const char *item) {
  const int unused = 64 - 8 * dtype_rows[dtype].size;
  uint64_t bits = 0;
  memcpy(&bits, item, dtype_rows[dtype].size);
  bits <<= unused;
  return dtype_rows[dtype].kind == 'i' ? (uint64_t)((int64_t)bits >> unused) : bits >> unused;
}

/* Of 64 bits or fewer that are extended. */
static uint64_t divided(numd_dtype dtype, numd_op op, uint64_t x, uint64_t y) {
  if (y == 0)
    return 0;
  uint64_t quotient;
  if (dtype_rows[dtype].kind == 'u')
    quotient = x / y;
  else if (y == UINT64_MAX)
    quotient = -x;
  else {
    quotient = (uint64_t)((int64_t)x / (int64_t)y);
    quotient -= (int64_t)x % (int64_t)y != 0 && ((int64_t)x < 0) != ((int64_t)y < 0);
  }
  return op == NUMD_OP_FLOOR_DIVIDE ? quotient : x - quotient * y;
}

/* Against the processor's division, by one divisor and by one each, for dividends next to multiples of the
 * divisor, where an estimate goes wrong. */
static void check_division(numd_op op, numd_dtype dtype, const char *divisor, const char *variant) {
  enum { n = 64 };
  const int size = dtype_rows[dtype].size;
  char x[n * 8], y[n * 8], out[2][n * 8];
  const uint64_t d = as_bits(dtype, divisor);
  for (int i = 0; i < n; i++) {
    const uint64_t dividend = i < 48 ? d * (random_bits() >> random_below(64)) + (uint64_t)(i % 3) - 1
                                     : (uint64_t)random_integer(8 * size);
    memcpy(x + i * size, &dividend, (size_t)size);
    memcpy(y + i * size, divisor, (size_t)size);
  }
  for (int k = 0; k < 2; k++) {
    char *ptr[] = {x, y, out[k]};
    kernel_map(op, dtype)(n, ptr, (const int64_t[]){size, k * size, size});
    for (int i = 0; i < n; i++) {
      const uint64_t dividend = as_bits(dtype, x + i * size);
      const uint64_t expected = divided(dtype, op, dividend, d);
      CHECK(memcmp(out[k] + i * size, &expected, (size_t)size) == 0,
            "%s of %s %lld by %lld on %s is %lld, not %lld", op_rows[op].name, dtype_rows[dtype].name,
            (long long)dividend, (long long)d, variant, (long long)as_bits(dtype, out[k] + i * size),
            (long long)expected);
    }
  }
}

START_TEST(test_division) {
  const numd_dtype dtype = (numd_dtype)_i;
  if (!dtype_known(dtype) || (dtype_rows[dtype].kind != 'i' && dtype_rows[dtype].kind != 'u'))
    return;
  FOR_VARIANTS(variant)
  for (uint64_t k = 0; k < 3000; k++) {
    _Alignas(8) char divisor[8];
    random_item(dtype, divisor);
    if (k < 600) {
      const uint64_t small = k - 300;
      memcpy(divisor, &small, sizeof(small));
    }
    check_division(NUMD_OP_FLOOR_DIVIDE, dtype, divisor, variant);
    check_division(NUMD_OP_REMAINDER, dtype, divisor, variant);
  }
}
END_TEST

START_TEST(test_negative_power) {
  FOR_VARIANTS(variant) {
    int32_t x[] = {2, 2, 1}, y[] = {1, -1, 0}, out[3];
    char *ptr[] = {(char *)x, (char *)y, (char *)out};
    const int64_t stride[] = {4, 4, 4};
    ck_assert_uint_eq(kernel_map(NUMD_OP_POW, NUMD_INT32)(3, ptr, stride), KERNEL_NEGATIVE_POWER);
    ck_assert_uint_eq(kernel_map(NUMD_OP_POW, NUMD_INT32)(1, ptr, stride), 0);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_values");
  TCase *tcase = tcase_create("kernels_values");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_points, 0, (int)(sizeof(points) / sizeof(points[0])));
  tcase_add_test(tcase, test_cast_points);
  tcase_add_loop_test(tcase, test_complex_points, 0,
                      (int)(sizeof(complex_points) / sizeof(complex_points[0])));
  tcase_add_loop_test(tcase, test_division, 0, NUMD_DTYPE_CODES);
  tcase_add_test(tcase, test_negative_power);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
