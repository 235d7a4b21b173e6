/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes, strides and extents of layouts against arithmetic in 128 bits, on random layouts of every kind:
 * small ones, ones around the limits, and nonsense. */
#include <errno.h>
#include <string.h>

#include "protocol/program.h"
#include "tests/unit/random.h"

#define CASES 1000000
#define LIMIT ((__int128)1 << 62)

static uint8_t random_dtype(void) {
  unsigned dtype;
  do
    dtype = (unsigned)random_below(NUMD_DTYPE_CODES);
  while (!dtype_known(dtype));
  return (uint8_t)dtype;
}

static int64_t random_dimension(void) {
  switch (random_below(8)) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return (int64_t)(random_bits() >> (1 + random_below(63)));
    case 3:
      return ((int64_t)1 << random_below(63)) - random_below(2);
    default:
      return random_below(100);
  }
}

static struct layout random_layout(void) {
  struct layout l = {.dtype = random_dtype(), .ndim = (uint8_t)random_below(MAX_DIMS + 1)};
  if (random_below(4))
    l.ndim %= 5;
  for (int d = 0; d < l.ndim; d++) {
    l.shape[d] = random_dimension();
    l.strides[d] = random_below(3) ? random_below(4000) - 2000 : random_int();
  }
  return l;
}

static bool is_empty(const struct layout *l) {
  for (int d = 0; d < l->ndim; d++)
    if (l->shape[d] == 0)
      return true;
  return false;
}

START_TEST(test_size) {
  for (int i = 0; i < CASES; i++) {
    struct layout l = random_layout();
    __int128 want = 1;
    bool fits = true;
    for (int d = 0; d < l.ndim && fits; d++) {
      want *= l.shape[d] ? l.shape[d] : 1;
      fits = want <= LIMIT;
    }
    int64_t size = -1;
    int rc = layout_size(&l, &size);
    CHECK(rc == (fits ? 0 : -EOVERFLOW), "case %d: %d", i, rc);
    CHECK(rc < 0 || size == (is_empty(&l) ? 0 : (int64_t)want), "case %d: size %lld", i, (long long)size);
  }
}
END_TEST

START_TEST(test_extent) {
  for (int i = 0; i < CASES; i++) {
    struct layout l = random_layout();
    __int128 low = 0, high = dtype_rows[l.dtype].size;
    for (int d = 0; d < l.ndim; d++) {
      __int128 reach = (__int128)(l.shape[d] - 1) * l.strides[d];
      if (reach < 0)
        low += reach;
      else
        high += reach;
    }
    bool fits = is_empty(&l) || (low >= -LIMIT && high <= LIMIT);
    if (is_empty(&l))
      low = high = 0;
    int64_t lo = -1, hi = -1;
    int rc = layout_extent(&l, &lo, &hi);
    CHECK(rc == (fits ? 0 : -EOVERFLOW), "case %d: %d", i, rc);
    CHECK(rc < 0 || (lo == low && hi == high), "case %d: %lld to %lld", i, (long long)lo, (long long)hi);
  }
}
END_TEST

START_TEST(test_c_order) {
  for (int i = 0; i < CASES; i++) {
    struct layout l = random_layout();
    __int128 step = dtype_rows[l.dtype].size;
    __int128 want[MAX_DIMS];
    bool fits = true;
    for (int d = l.ndim - 1; d >= 0 && fits; d--) {
      want[d] = step;
      step *= l.shape[d] ? l.shape[d] : 1;
      fits = step <= LIMIT;
    }
    int rc = layout_set_c_order(&l);
    CHECK(rc == (fits ? 0 : -EOVERFLOW), "case %d: %d", i, rc);
    for (int d = 0; d < l.ndim && rc == 0; d++)
      CHECK(l.strides[d] == want[d], "case %d: stride %d", i, d);
    CHECK(rc < 0 || layout_is_c_order(&l), "case %d: not in C order", i);
  }
}
END_TEST

START_TEST(test_is_c_order) {
  struct layout l = {.dtype = NUMD_INT32, .ndim = 2, .shape = {3, 4}, .strides = {16, 4}};
  ck_assert(layout_is_c_order(&l));
  l.strides[0] = 20;
  ck_assert(!layout_is_c_order(&l));
  l.shape[0] = 1; /* the stride of a dimension of one is of no matter */
  ck_assert(layout_is_c_order(&l));
  l.strides[1] = -4;
  ck_assert(!layout_is_c_order(&l));
  l.shape[1] = 0;
  ck_assert(layout_is_c_order(&l));
}
END_TEST

/* Values are numbered operands first, then what each operation gives, of which some give several. */
START_TEST(test_values) {
  static struct program p;
  static const uint8_t codes[] = {NUMD_OP_ADD, NUMD_OP_SVD, NUMD_OP_UNIQUE_ALL, NUMD_OP_SUM};
  static const uint32_t first[] = {3, 4, 7, 12, 13};
  p.n_operands = 3;
  for (int i = 0; i < 4; i++) {
    ck_assert_uint_eq(program_n_values(&p), first[i]);
    p.ops[p.n_ops++].code = codes[i];
    ck_assert_uint_eq(program_op_value(&p, i), first[i]);
  }
  ck_assert_uint_eq(program_n_values(&p), first[4]);
}
END_TEST

/* What a row says must be possible. */
START_TEST(test_rows) {
  for (unsigned i = 0; i < NUMD_OP_CODES; i++) {
    const struct numd_op_info *row = &op_rows[i];
    if (!op_known(i))
      continue;
    CHECK(row->n_in >= -1 && row->n_in <= NUMD_OP_MAX_IN, "%s: %d inputs", row->name, row->n_in);
    CHECK(row->n_out >= 1 && row->n_out <= NUMD_OP_MAX_OUT, "%s: %d outputs", row->name, row->n_out);
    CHECK(op_find(row->name, strlen(row->name)) == (int)i, "%s is found as another", row->name);
    CHECK(strspn(row->kinds, "biufc") == strlen(row->kinds) && *row->kinds, "%s: kinds", row->name);
    unsigned seen = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
      if (!(row->params >> bit & 1))
        continue;
      CHECK(bit < NUMD_N_PARAMS && param_rows[bit].name, "%s: parameter %u", row->name, bit);
      unsigned type = 1u << param_rows[bit].type;
      CHECK(!(seen & type), "%s: two parameters of the type of %s", row->name, param_rows[bit].name);
      if (param_rows[bit].type != NUMD_TYPE_FLAG)
        seen |= type;
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("program");
  TCase *tcase = tcase_create("program");
  tcase_add_checked_fixture(tcase, random_reseed, NULL);
  tcase_set_timeout(tcase, 60);
  tcase_add_test(tcase, test_size);
  tcase_add_test(tcase, test_extent);
  tcase_add_test(tcase, test_c_order);
  tcase_add_test(tcase, test_is_c_order);
  tcase_add_test(tcase, test_values);
  tcase_add_test(tcase, test_rows);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
