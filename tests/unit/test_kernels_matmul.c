/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix products under strides of every kind, against sums written out, with values whose products and sums
 * are exact in any order. */
#include "tests/unit/kernels.h"

#define MATRIX_BYTES (1 << 21)

/* A matrix placed in the middle of an area, with strides of a random kind. */
struct placed {
  struct kernel_matrix view;
  int64_t first, last; /* bytes of the area that are at stake */
  _Alignas(64) char area[MATRIX_BYTES];
};

static void place_matrix(struct placed *p, numd_dtype dtype, int64_t rows, int64_t cols, bool output) {
  const int64_t size = dtype_rows[dtype].size, r = rows ? rows : 1, c = cols ? cols : 1;
  const int64_t choices[][2] = {{c, 1},     {1, r},     {c + 3, 1},
                                {1, r + 5}, {2 * c, 2}, {3, 3 * r},
                                {-c, 1},    {1, -r},    {c, -1} /* then: inputs only */,
                                {0, 1},     {1, 0},     {0, 0},
                                {1, 1}};
  const int kind = random_below(output ? 9 : 13);
  int64_t s0 = choices[kind][0], s1 = choices[kind][1];
  if (kind == 8) {
    s0 = c;
    s1 = -1;
  }
  p->view.stride[0] = s0 * size;
  p->view.stride[1] = s1 * size;
  p->view.data = p->area + MATRIX_BYTES / 2 + size * random_below(5);
  const int64_t around = 3 * (r + 5) * (c + 3) * size + 256;
  CHECK(around <= MATRIX_BYTES / 2, "the area is too small");
  p->first = MATRIX_BYTES / 2 - around;
  p->last = MATRIX_BYTES / 2 + around;
}

static char *item_of(struct kernel_matrix x, int64_t i, int64_t j) {
  return x.data + i * x.stride[0] + j * x.stride[1];
}

/* Small whole numbers of every dtype; integers wrap, a bool is any byte. */
static void put_item(numd_dtype dtype, char *item, double re, double im) {
  const int64_t integer = isfinite(re) ? (int64_t)re : 0;
  switch (dtype) {
    case NUMD_FLOAT32:
      *(float *)item = (float)re;
      break;
    case NUMD_FLOAT64:
      *(double *)item = re;
      break;
    case NUMD_COMPLEX64:
      *(numd_complex64 *)item = (numd_complex64){(float)re, (float)im};
      break;
    case NUMD_COMPLEX128:
      *(numd_complex128 *)item = (numd_complex128){re, im};
      break;
    default:
      memcpy(item, &integer, dtype_rows[dtype].size); /* little endian, as shared memory is */
  }
}

static bool is_complex(numd_dtype dtype) {
  return dtype_rows[dtype].kind == 'c';
}

static double get_part(numd_dtype dtype, const char *item, int part) {
  const bool narrow = dtype_part(dtype) == NUMD_FLOAT32;
  if (part && !is_complex(dtype))
    return 0;
  return narrow ? (double)((const float *)item)[part] : ((const double *)item)[part];
}

/* Values whose products and sums are exact in any order; now and then NaN or infinite, if wanted. */
static void fill_matrix(struct placed *p, numd_dtype dtype, int64_t rows, int64_t cols, bool odd_ones) {
  memset(p->area + p->first, 0xFF, (size_t)(p->last - p->first));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++) {
      char *item = item_of(p->view, i, j);
      const double odd[] = {NAN, INFINITY, -INFINITY, 0, 0};
      uint64_t bits = random_bits();
      if (dtype == NUMD_BOOL)
        *(uint8_t *)item = (uint8_t)(random_below(4) ? 0 : bits);
      else if (dtype < NUMD_FLOAT32)
        memcpy(item, &bits, dtype_rows[dtype].size);
      else if (odd_ones && random_below(30) == 0)
        put_item(dtype, item, odd[random_below(5)], odd[random_below(5)]);
      else
        put_item(dtype, item, random_below(33) - 16, random_below(33) - 16);
    }
}

static uint64_t get_integer(numd_dtype dtype, const char *item) {
  uint64_t bits = 0;
  memcpy(&bits, item, dtype_rows[dtype].size); /* high bits do not reach the low ones of a product */
  return bits;
}

static void naive_item(numd_dtype dtype, int64_t k, struct kernel_matrix a, struct kernel_matrix b, int64_t i,
                       int64_t j, char *out) {
  double re = 0, im = 0;
  uint64_t integer = 0;
  for (int64_t t = 0; t < k; t++) {
    const char *x = item_of(a, i, t), *y = item_of(b, t, j);
    if (dtype >= NUMD_FLOAT32) {
      const double p = get_part(dtype, x, 0), q = get_part(dtype, x, 1);
      const double r = get_part(dtype, y, 0), s = get_part(dtype, y, 1);
      re += is_complex(dtype) ? p * r - q * s : p * r;
      im += p * s + q * r;
    } else if (dtype == NUMD_BOOL) {
      integer |= *x != 0 && *y != 0;
    } else {
      integer += get_integer(dtype, x) * get_integer(dtype, y);
    }
  }
  if (dtype >= NUMD_FLOAT32)
    put_item(dtype, out, re, im);
  else
    memcpy(out, &integer, dtype_rows[dtype].size);
}

/* Equal, as numbers. Complex products with Inf or NaN in them are only known not to be finite: their parts
 * depend on the order of operations. */
static bool equal_items(numd_dtype dtype, const char *a, const char *b) {
  if (dtype < NUMD_FLOAT32)
    return memcmp(a, b, dtype_rows[dtype].size) == 0;
  bool finite = true, equal = true;
  for (int part = 0; part < 2; part++) {
    const double x = get_part(dtype, a, part), y = get_part(dtype, b, part);
    equal &= x == y || (isnan(x) && isnan(y));
    finite &= isfinite(y) != 0;
  }
  return equal || (is_complex(dtype) && !finite && !isfinite(get_part(dtype, a, 0) + get_part(dtype, a, 1)));
}

static void check_matmul(numd_dtype dtype, int64_t m, int64_t n, int64_t k, const char *variant) {
  static struct placed a, b, c;
  static unsigned char written[MATRIX_BYTES];
  const int64_t size = dtype_rows[dtype].size;
  const bool odd_ones = random_below(3) == 0;
  place_matrix(&a, dtype, m, k, false);
  place_matrix(&b, dtype, k, n, false);
  place_matrix(&c, dtype, m, n, true);
  fill_matrix(&a, dtype, m, k, odd_ones);
  fill_matrix(&b, dtype, k, n, odd_ones);
  memset(c.area + c.first, 0xFF, (size_t)(c.last - c.first));
  memset(written + c.first, 0, (size_t)(c.last - c.first));

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
      _Alignas(16) char wanted[16];
      char *got = item_of(c.view, i, j);
      naive_item(dtype, k, a.view, b.view, i, j, wanted);
      CHECK(equal_items(dtype, got, wanted),
            "%s %ldx%ldx%ld on %s, strides %ld %ld, %ld %ld, %ld %ld: item %ld %ld is wrong",
            dtype_rows[dtype].name, (long)m, (long)n, (long)k, variant, (long)a.view.stride[0],
            (long)a.view.stride[1], (long)b.view.stride[0], (long)b.view.stride[1], (long)c.view.stride[0],
            (long)c.view.stride[1], (long)i, (long)j);
      memset(written + (got - c.area), 1, (size_t)size);
    }
  for (int64_t i = c.first; i < c.last; i++)
    CHECK(written[i] || (unsigned char)c.area[i] == 0xFF, "matmul writes elsewhere");
}

START_TEST(test_matmul) {
  const numd_dtype dtype = (numd_dtype)_i;
  if (!dtype_known(dtype))
    return;
  FOR_VARIANTS(variant)
  for (int round = 0; round < 600; round++) {
    const int most = round % 10 == 0 ? 65 : round % 4 == 0 ? 6 : 21;
    int64_t shape[3] = {random_below(most), random_below(most), random_below(most)};
    if (round % 3 == 0)
      shape[random_below(3)] = 1;
    if (round % 9 == 0)
      shape[random_below(3)] = 1;
    check_matmul(dtype, shape[0], shape[1], shape[2], variant);
  }
}
END_TEST

/* Longer than the panels and pieces of the loops. */
START_TEST(test_long_ones) {
  static const int64_t shapes[][3] = {{5, 40, 500}, {1, 2100, 5}, {2, 300, 3},
                                      {40, 2, 300}, {90, 1, 80},  {1, 1, 900}};
  const numd_dtype dtype = (numd_dtype)_i;
  if (!dtype_known(dtype))
    return;
  FOR_VARIANTS(variant)
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
    for (int round = 0; round < 10; round++)
      check_matmul(dtype, shapes[i][0], shapes[i][1], shapes[i][2], variant);
}
END_TEST

/* A batch in one call is as many calls. */
START_TEST(test_batch) {
  const numd_dtype dtype = (numd_dtype)_i;
  if (!dtype_known(dtype))
    return;
  const int64_t size = dtype_rows[dtype].size;
  FOR_VARIANTS(variant)
  for (int round = 0; round < 100; round++) {
    static struct placed a, b;
    static _Alignas(64) char got[3 * 16 * 16 * 16], wanted[sizeof(got)];
    const int64_t m = random_below(17), n = random_below(17), k = random_below(17);
    const int64_t batch[3] = {random_below(100) * size, random_below(2) ? 0 : -size, m * n * size};
    if (!kernel_matmul_is_small(dtype, m, n, k))
      continue;
    struct kernel_matrix c = {got, {n * size, size}}, one = c;
    place_matrix(&a, dtype, m, k, false);
    place_matrix(&b, dtype, k, n, false);
    for (struct placed *p = &a; p; p = p == &a ? &b : NULL)
      for (int64_t i = 0; i < (p->last - p->first) / size; i++)
        put_item(dtype, p->area + p->first + i * size, random_below(9) - 4, random_below(9) - 4);
    kernel_matmul_batch(dtype, 3, m, n, k, a.view, b.view, c, batch);
    for (int t = 0; t < 3; t++) {
      struct kernel_matrix x = a.view, y = b.view;
      x.data += t * batch[0];
      y.data += t * batch[1];
      one.data = wanted + t * batch[2];
      kernel_matmul(dtype, m, n, k, x, y, one, NULL);
    }
    CHECK(memcmp(got, wanted, (size_t)(3 * m * n * size)) == 0, "%s %ldx%ldx%ld on %s",
          dtype_rows[dtype].name, (long)m, (long)n, (long)k, variant);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_matmul");
  TCase *tcase = tcase_create("kernels_matmul");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_matmul, 0, NUMD_DTYPE_CODES);
  tcase_add_loop_test(tcase, test_long_ones, 0, NUMD_DTYPE_CODES);
  tcase_add_loop_test(tcase, test_batch, 0, NUMD_DTYPE_CODES);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
