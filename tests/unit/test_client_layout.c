/* SPDX-License-Identifier: BSD-3-Clause */
/* Interned layouts: one address for equal ones, for as long as somebody holds them. */
#include <check.h>
#include <pthread.h>
#include <stdint.h>

#include "client/lib/layout.h"
#include "tests/unit/suite.h"

static const numd_layout *get(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[]) {
  const numd_layout *l;
  int r = layout_get(dtype, ndim, shape, strides, &l);
  ck_assert_msg(r == 0, "%s", numd_error());
  return l;
}

START_TEST(equal_layouts_have_one_address) {
  const int64_t shape[] = {3, 5}, strides[] = {40, 8}, other[] = {8, 24};
  const numd_layout *a = get(NUMD_FLOAT64, 2, shape, NULL), *b = get(NUMD_FLOAT64, 2, shape, strides);
  const numd_layout *c = get(NUMD_FLOAT64, 2, shape, other), *d = get(NUMD_INT64, 2, shape, NULL);
  ck_assert_ptr_eq(a, b);
  ck_assert_ptr_ne(a, c);
  ck_assert_ptr_ne(a, d);
  ck_assert_int_eq(layout_impl(a)->refs, 2);
  ck_assert(a->contiguous && !c->contiguous);
  ck_assert_int_eq(a->size, 15);
  ck_assert_int_eq(a->nbytes, 120);
  layout_unref(b);
  ck_assert_int_eq(layout_impl(a)->refs, 1);
  layout_unref(a);
  layout_unref(c);
  layout_unref(d);
}
END_TEST

START_TEST(a_layout_leaves_with_its_last_reference) {
  const int64_t shape[] = {7};
  const numd_layout *a = layout_ref(get(NUMD_INT32, 1, shape, NULL));
  layout_unref(a);
  ck_assert_int_eq(layout_impl(a)->refs, 1);
  layout_unref(a);
  ck_assert_int_eq(layout_impl(a = get(NUMD_INT32, 1, shape, NULL))->refs, 1);
  layout_unref(a);
  layout_unref(NULL);
  ck_assert_ptr_null(layout_ref(NULL));
}
END_TEST

START_TEST(layouts_without_dimensions_stay) {
  const numd_layout *a = get(NUMD_FLOAT32, 0, NULL, NULL);
  int refs = layout_impl(a)->refs;
  layout_unref(a);
  ck_assert_int_eq(layout_impl(a)->refs, refs - 1);
  ck_assert_int_ge(refs - 1, 1);
  ck_assert_ptr_eq(get(NUMD_FLOAT32, 0, NULL, NULL), a);
  layout_unref(a);
  ck_assert_int_eq(a->size, 1);
}
END_TEST

START_TEST(extents_are_of_all_that_is_reached) {
  const int64_t shape[] = {4, 3}, back[] = {-8, 32}, empty[] = {0, 3};
  const numd_layout *a = get(NUMD_FLOAT64, 2, shape, back), *b = get(NUMD_FLOAT64, 2, empty, back);
  ck_assert_int_eq(layout_impl(a)->extents[0], -24);
  ck_assert_int_eq(layout_impl(a)->extents[1], 72);
  ck_assert_int_eq(layout_impl(b)->extents[0], 0);
  ck_assert_int_eq(layout_impl(b)->extents[1], 0);
  layout_unref(a);
  layout_unref(b);
}
END_TEST

START_TEST(what_is_no_layout_is_refused) {
  const int64_t shape[] = {3, -1}, good[] = {3, 3}, odd[] = {24, 4}, huge[] = {INT64_MAX / 2, 8};
  const int64_t many[NUMD_MAX_DIMS + 1] = {0};
  const numd_layout *l;
  ck_assert_int_eq(layout_get(NUMD_FLOAT64, 2, shape, NULL, &l), NUMD_ESHAPE);
  ck_assert_int_eq(layout_get(NUMD_FLOAT64, 2, huge, NULL, &l), NUMD_ESHAPE);
  ck_assert_int_eq(layout_get(NUMD_FLOAT64, NUMD_MAX_DIMS + 1, many, NULL, &l), NUMD_ESHAPE);
  ck_assert_int_eq(layout_get(NUMD_FLOAT64, -1, good, NULL, &l), NUMD_ESHAPE);
  ck_assert_int_eq(layout_get(NUMD_FLOAT64, 2, good, odd, &l), NUMD_EALIGN);
  ck_assert_int_eq(layout_get((numd_dtype)200, 2, good, NULL, &l), NUMD_EDTYPE);
  ck_assert_int_eq(layout_get((numd_dtype)200, 0, NULL, NULL, &l), NUMD_EDTYPE);
}
END_TEST

START_TEST(a_program_gets_the_same) {
  const int64_t shape[] = {2, 3}, strides[] = {8, 16};
  const numd_layout *l = get(NUMD_COMPLEX64, 2, shape, strides);
  struct layout to = {0};
  layout_fill(l, &to);
  ck_assert_int_eq(to.dtype, NUMD_COMPLEX64);
  ck_assert_int_eq(to.ndim, 2);
  ck_assert_mem_eq(to.shape, shape, sizeof(shape));
  ck_assert_mem_eq(to.strides, strides, sizeof(strides));
  layout_unref(l);
}
END_TEST

/* Gets and drops layouts of which at most one thread at a time holds the last reference. */
static void *get_and_drop(void *unused) {
  for (int64_t i = 0; i < 20000; i++) {
    const int64_t shape[] = {i % 3};
    const numd_layout *a = get(NUMD_INT8, i % 2, shape, NULL), *b = get(NUMD_INT8, i % 2, shape, NULL);
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(a->ndim, i % 2);
    layout_unref(a);
    layout_unref(b);
  }
  return unused;
}

START_TEST(threads_share_the_table) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, get_and_drop, NULL), 0);
  for (int i = 0; i < 3; i++)
    pthread_join(threads[i], NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_layout");
  TCase *t = tcase_create("client_layout");
  tcase_add_test(t, equal_layouts_have_one_address);
  tcase_add_test(t, a_layout_leaves_with_its_last_reference);
  tcase_add_test(t, layouts_without_dimensions_stay);
  tcase_add_test(t, extents_are_of_all_that_is_reached);
  tcase_add_test(t, what_is_no_layout_is_refused);
  tcase_add_test(t, a_program_gets_the_same);
  tcase_add_test(t, threads_share_the_table);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
