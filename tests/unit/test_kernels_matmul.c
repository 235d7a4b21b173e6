/* Matrix products under strides of every kind, against sums written out, with values whose products and sums
 * are exact in any order. */
#include "tests/unit/kernels.h"

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
  const int kind = random_below(output ? 9 : 13);
  int64_t s0 = choices[kind][0], s1 = choices[kind][1];
  if (kind == 8) {
    s0 = c;
    s1 = -1;
  }
  p->view.stride[0] = s0 * size;
  p->view.stride[1] = s1 * size;
  p->view.data = p->area + MATRIX_BYTES / 2 + size * random_below(5);
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
      const double value = odd_ones && random_below(30) == 0 ? odd[random_below(5)] : random_below(33) - 16;
      if (dtype == NUMD_FLOAT64)
        *(double *)item = value;
      else if (dtype == NUMD_FLOAT32)
        *(float *)item = (float)value;
      else if (dtype == NUMD_BOOL)
        *(uint8_t *)item = (uint8_t)(random_below(4) ? 0 : random_bits());
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
    memcpy(out, &integer, dtype_rows[dtype].size); /* little endian, as shared memory is */
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
    int64_t shape[3] = {random_below(most), random_below(most), random_below(most)};
    if (round % 3 == 0)
      shape[random_below(3)] = 1;
    if (round % 9 == 0)
      shape[random_below(3)] = 1;
    check_matmul(dtype, shape[0], shape[1], shape[2], variant);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("kernels_matmul");
  TCase *tcase = tcase_create("kernels_matmul");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 300);
  tcase_add_loop_test(tcase, test_matmul, 0, NUMD_DTYPE_CODES);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
