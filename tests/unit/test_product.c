/* SPDX-License-Identifier: BSD-3-Clause */
/* Products as steps: small integers, whose products and sums are exact in whatever order, against three plain
 * loops; and the same bits whether one thread computes or several. */
#include <complex.h>
#include <math.h>

#include "server/engine/pool.h"
#include "tests/unit/programs.h"
#include "tests/unit/random.h"

/* An operand in memory of its own: elements in a random order of axes, with gaps. */
struct array {
  struct layout layout;
  char *memory, *first;
};

static double complex get(const struct array *a, const int64_t at[]) {
  const char *p = a->first;
  for (int d = 0; d < a->layout.ndim; d++)
    p += at[d] * a->layout.strides[d];
  switch (a->layout.dtype) {
    case NUMD_FLOAT32:
      return *(const float *)(const void *)p;
    case NUMD_FLOAT64:
      return *(const double *)(const void *)p;
    case NUMD_COMPLEX128:
      return *(const double complex *)(const void *)p;
    default:
      return (double)*(const int64_t *)(const void *)p;
  }
}

static void put(char *p, uint8_t dtype, double complex x) {
  switch (dtype) {
    case NUMD_FLOAT32:
      *(float *)(void *)p = (float)creal(x);
      break;
    case NUMD_FLOAT64:
      *(double *)(void *)p = creal(x);
      break;
    case NUMD_COMPLEX128:
      *(double complex *)(void *)p = x;
      break;
    default:
      *(int64_t *)(void *)p = (int64_t)creal(x);
  }
}

/* integral: small integers, else anything. */
static struct array array_new(uint8_t dtype, int ndim, const int64_t shape[], bool plain, bool integral) {
  struct array a = {.layout = {.dtype = dtype, .ndim = (uint8_t)ndim}};
  const int64_t item = dtype_rows[dtype].size;
  int64_t bytes = item, n;
  int order[MAX_DIMS];
  memcpy(a.layout.shape, shape, sizeof(*shape) * (size_t)ndim);
  for (int d = 0; d < ndim; d++) {
    const int k = plain ? d : random_below(d + 1);
    order[d] = order[k];
    order[k] = d;
  }
  for (int i = ndim - 1; i >= 0; i--) {
    a.layout.strides[order[i]] = bytes;
    bytes *= shape[order[i]] > 0 ? shape[order[i]] : 1;
    if (!plain && random_below(3) == 0)
      bytes += item * random_below(3);
  }
  a.memory = calloc(1, (size_t)bytes + 1);
  a.first = a.memory;
  for (int d = 0; d < ndim && !plain; d++)
    if (random_below(4) == 0 && shape[d] > 0) {
      a.first += (shape[d] - 1) * a.layout.strides[d];
      a.layout.strides[d] = -a.layout.strides[d];
    }
  ck_assert_int_eq(layout_size(&a.layout, &n), 0);
  for (int64_t i = 0; i < n; i++) {
    char *p = a.first;
    int64_t rest = i;
    for (int d = ndim - 1; d >= 0; d--) {
      p += rest % shape[d] * a.layout.strides[d];
      rest /= shape[d];
    }
    const double complex x = random_below(19) - 9 + (double complex)I * (random_below(19) - 9);
    put(p, dtype, integral ? x : x / 7 + random_below(1000) * 1e-3);
  }
  return a;
}

static uint16_t input_array(const struct array *a) {
  uint16_t v = input(a->layout.dtype, a->layout.ndim, a->layout.shape);
  program->operands[v].layout = a->layout;
  return v;
}

/* The index along the leading axes of `a` (all but the last `own`) that meets index `at` of the result's n.
 */
static void lead(const struct array *a, int own, int n, const int64_t at[], int64_t out[]) {
  const int batch = a->layout.ndim - own;
  for (int d = 0; d < batch; d++)
    out[d] = a->layout.shape[d] == 1 ? 0 : at[n - batch + d];
}

/* Element `at` of op(a, b), which has n dimensions. */
static double complex wanted(uint8_t code, const struct array *a, const struct array *b, int n,
                             const int64_t at[]) {
  const int na = a->layout.ndim, nb = b->layout.ndim;
  const int64_t k = a->layout.shape[na - 1];
  int64_t ia[MAX_DIMS] = {0}, ib[MAX_DIMS] = {0};
  double complex total = 0;
  if (code == NUMD_OP_VECDOT) {
    lead(a, 1, n, at, ia);
    lead(b, 1, n, at, ib);
  } else if (code == NUMD_OP_MATMUL) {
    const int own = (na > 1) + (nb > 1);
    lead(a, na > 1 ? 2 : 1, n - own, at, ia);
    lead(b, nb > 1 ? 2 : 1, n - own, at, ib);
    if (na > 1)
      ia[na - 2] = at[n - own];
    if (nb > 1)
      ib[nb - 1] = at[n - 1];
  } else { /* dot: the axes of a, then those of b */
    memcpy(ia, at, sizeof(*at) * (size_t)(na - 1));
    memcpy(ib, at + na - 1, sizeof(*at) * (size_t)(nb > 1 ? nb - 2 : 0));
    if (nb > 1)
      ib[nb - 1] = at[n - 1];
  }
  const int contracted = code == NUMD_OP_VECDOT || nb < 2 ? nb - 1 : nb - 2;
  for (int64_t i = 0; i < k; i++) {
    ia[na - 1] = ib[contracted] = i;
    const double complex x = get(a, ia);
    total += (code == NUMD_OP_VECDOT ? conj(x) : x) * get(b, ib);
  }
  return total;
}

/* Compiles op(a, b), runs it on `pool` and gives the result, in C order. */
static struct array multiply(uint8_t code, const struct array *a, const struct array *b, struct pool *pool) {
  static const atomic_ullong never;
  memset(program, 0, sizeof(*program));
  uint16_t x = input_array(a), y = input_array(b);
  output(op(code, x, y), OUTPUT_ARRAY);
  struct plan *p = compile();
  struct array c = array_new(p->outputs[0].dtype, p->outputs[0].ndim, p->outputs[0].shape, true, true);
  void *scratch = malloc((size_t)p->scratch_bytes + 64);
  struct call call = {.plan = p, .cancel = (const _Atomic uint64_t *)&never, .call_id = 1, .pool = pool};
  call.bases[0] = a->first;
  call.bases[1] = b->first;
  call.bases[2] = c.first;
  call.bases[BASE_SCRATCH] = scratch;
  ck_assert_int_eq(exec_run(&call), 0);
  free(scratch);
  plan_free(p);
  return c;
}

static void check(uint8_t code, uint8_t dtype, int na, const int64_t sa[], int nb, const int64_t sb[]) {
  struct array a = array_new(dtype, na, sa, false, true), b = array_new(dtype, nb, sb, false, true);
  struct array c = multiply(code, &a, &b, NULL);
  int64_t n;
  ck_assert_int_eq(layout_size(&c.layout, &n), 0);
  for (int64_t i = 0; i < n; i++) {
    int64_t at[MAX_DIMS], rest = i;
    for (int d = c.layout.ndim - 1; d >= 0; d--) {
      at[d] = rest % c.layout.shape[d];
      rest /= c.layout.shape[d];
    }
    const double complex want = wanted(code, &a, &b, c.layout.ndim, at), got = get(&c, at);
    CHECK(got == want, "%s of %s, %d and %d dimensions, element %d: %g instead of %g", op_rows[code].name,
          dtype_rows[dtype].name, na, nb, (int)i, creal(got), creal(want));
  }
  free(a.memory);
  free(b.memory);
  free(c.memory);
}

static const uint8_t dtypes[] = {NUMD_FLOAT64, NUMD_FLOAT32, NUMD_COMPLEX128, NUMD_INT64};

START_TEST(matmul_of_any_dimensions) {
  for (int round = 0; round < 300; round++) {
    int64_t batch[2], sa[4], sb[4];
    const int na = 1 + random_below(4), nb = 1 + random_below(4);
    const int64_t m = random_below(6), n = random_below(6), k = 1 + random_below(6);
    for (int d = 0; d < 2; d++)
      batch[d] = 1 + random_below(3);
    for (int d = 0; d < na - 2; d++)
      sa[d] = random_below(3) ? batch[2 - (na - 2) + d] : 1;
    for (int d = 0; d < nb - 2; d++)
      sb[d] = random_below(3) ? batch[2 - (nb - 2) + d] : 1;
    if (na > 1)
      sa[na - 2] = m;
    sa[na - 1] = k;
    if (nb > 1) {
      sb[nb - 2] = k;
      sb[nb - 1] = n;
    } else {
      sb[0] = k;
    }
    check(NUMD_OP_MATMUL, dtypes[random_below(4)], na, sa, nb, sb);
  }
}
END_TEST

START_TEST(dot_of_any_dimensions) {
  for (int round = 0; round < 300; round++) {
    int64_t sa[3], sb[3];
    const int na = 1 + random_below(3), nb = 1 + random_below(3);
    const int64_t k = 1 + random_below(6);
    for (int d = 0; d < 3; d++) {
      sa[d] = 1 + random_below(4);
      sb[d] = 1 + random_below(4);
    }
    sa[na - 1] = sb[nb > 1 ? nb - 2 : 0] = k;
    check(NUMD_OP_DOT, dtypes[random_below(4)], na, sa, nb, sb);
  }
}
END_TEST

START_TEST(vecdot_conjugates_its_first_input) {
  for (int round = 0; round < 300; round++) {
    int64_t sa[3], sb[3];
    const int na = 1 + random_below(3), nb = 1 + random_below(3);
    for (int d = 0; d < 3; d++)
      sa[d] = sb[d] = 1;
    for (int e = 1; e <= 3; e++) { /* from the end */
      const int64_t n = 1 + random_below(5);
      if (e <= na)
        sa[na - e] = e == 1 || random_below(3) ? n : 1;
      if (e <= nb)
        sb[nb - e] = e == 1 || random_below(3) ? n : 1;
    }
    check(NUMD_OP_VECDOT, dtypes[random_below(4)], na, sa, nb, sb);
  }
}
END_TEST

/* ---- How one is divided ---- */

static const struct step *step_of(struct plan *p) {
  for (uint32_t i = 0; i < p->n_steps; i++)
    if (p->steps[i]->kind == STEP_PRODUCT)
      return p->steps[i];
  ck_abort_msg("no product");
}

static struct plan *plan_matmul(int64_t m, int64_t k, int64_t n) {
  const int64_t sa[] = {m, k}, sb[] = {k, n};
  memset(program, 0, sizeof(*program));
  uint16_t a = input(NUMD_FLOAT64, 2, sa), b = input(NUMD_FLOAT64, 2, sb);
  output(op(NUMD_OP_MATMUL, a, b), OUTPUT_ARRAY);
  return compile();
}

START_TEST(a_product_is_divided_by_its_shape) {
  const struct {
    int64_t m, k, n;
    bool panels, rows, chunks;
  } cases[] = {{8, 8, 8, false, false, false},
               {512, 512, 512, true, true, false},
               {16, 4096, 1024, true, false, false},
               {1024, 4096, 16, true, true, false},
               {2, 2000000, 3, false, false, true}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct plan *p = plan_matmul(cases[i].m, cases[i].k, cases[i].n);
    const struct step *s = step_of(p);
    const int64_t side = s->panel_rows ? s->m : s->n;
    ck_assert_msg((s->panel < side) == cases[i].panels, "case %zu: panels of %d", i, (int)s->panel);
    if (cases[i].panels) {
      ck_assert_msg(s->panel_rows == cases[i].rows, "case %zu", i);
      ck_assert_int_eq(s->panel % 8, 0);
    }
    ck_assert_msg((s->n_chunks > 1) == cases[i].chunks, "case %zu: %d chunks", i, (int)s->n_chunks);
    ck_assert(s->chunk * s->n_chunks >= s->k && s->chunk * (s->n_chunks - 1) < s->k);
    plan_free(p);
  }
}
END_TEST

/* Each divided in another way; no cell of the result may depend on who computes it. */
START_TEST(several_threads_give_the_same_bits) {
  static const struct {
    uint8_t code;
    int na, nb;
    int64_t a[3], b[3];
  } cases[] = {
      {NUMD_OP_MATMUL, 2, 2, {300, 200}, {200, 250}},     {NUMD_OP_MATMUL, 2, 2, {16, 900}, {900, 400}},
      {NUMD_OP_MATMUL, 2, 2, {2, 600000}, {600000, 3}},   {NUMD_OP_MATMUL, 3, 3, {5000, 4, 4}, {5000, 4, 4}},
      {NUMD_OP_MATMUL, 3, 3, {30, 60, 70}, {30, 70, 50}}, {NUMD_OP_VECDOT, 2, 2, {300, 2000}, {300, 2000}},
      {NUMD_OP_MATMUL, 1, 1, {1500000}, {1500000}}};
  struct pool *pool;
  ck_assert_int_eq(pool_new(NULL, 0, &pool), 0);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct array a = array_new(NUMD_FLOAT64, cases[i].na, cases[i].a, true, false);
    struct array b = array_new(NUMD_FLOAT64, cases[i].nb, cases[i].b, true, false);
    struct array alone = multiply(cases[i].code, &a, &b, NULL),
                 shared = multiply(cases[i].code, &a, &b, pool);
    int64_t n;
    ck_assert_int_eq(layout_size(&alone.layout, &n), 0);
    CHECK(memcmp(alone.first, shared.first, (size_t)n * 8) == 0, "case %zu", i);
    free(a.memory);
    free(b.memory);
    free(alone.memory);
    free(shared.memory);
  }
  pool_free(pool);
}
END_TEST

/* Integers of that many terms are exact, so chunks of k must add up to the whole, none twice. */
START_TEST(chunks_of_a_long_product_add_up) {
  const int64_t row[] = {2, 700001}, column[] = {700001, 2};
  check(NUMD_OP_MATMUL, NUMD_FLOAT64, 2, row, 2, column);
  const int64_t vector[] = {1100003};
  check(NUMD_OP_DOT, NUMD_FLOAT64, 1, vector, 1, vector);
}
END_TEST

START_TEST(products_of_nothing) {
  const int64_t none[] = {3, 0}, other[] = {0, 4}, rows[] = {0, 5}, cols[] = {5, 4};
  check(NUMD_OP_MATMUL, NUMD_FLOAT64, 2, none, 2, other); /* zeros */
  check(NUMD_OP_MATMUL, NUMD_FLOAT64, 2, rows, 2, cols);  /* nothing */
}
END_TEST

int main(void) {
  Suite *suite = suite_create("product");
  TCase *t = tcase_create("product");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_checked_fixture(t, random_reseed, NULL);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, matmul_of_any_dimensions);
  tcase_add_test(t, dot_of_any_dimensions);
  tcase_add_test(t, vecdot_conjugates_its_first_input);
  tcase_add_test(t, a_product_is_divided_by_its_shape);
  tcase_add_test(t, several_threads_give_the_same_bits);
  tcase_add_test(t, chunks_of_a_long_product_add_up);
  tcase_add_test(t, products_of_nothing);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
