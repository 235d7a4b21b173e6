/* SPDX-License-Identifier: BSD-3-Clause */
/* The loops of a step: whatever is ordered, joined and cut, the same elements meet each other, each once. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "server/engine/plan_impl.h"
#include "tests/unit/random.h"

#define MEMORIES 3

/* Where the memories are at one turn of all loops, and for reductions which part of the loops that is. */
struct turn {
  int64_t at[MEMORIES];
};

struct nest {
  int ndim;
  int64_t shape[MAX_LOOPS];
  int64_t stride[MEMORIES][MAX_LOOPS];
};

static int compare(const void *a, const void *b) {
  return memcmp(a, b, sizeof(struct turn));
}

/* Every turn of a nest, sorted. */
static struct turn *turns_of(const struct nest *nest, int64_t *n) {
  *n = 1;
  for (int d = 0; d < nest->ndim; d++)
    *n *= nest->shape[d];
  struct turn *turns = calloc((size_t)*n + 1, sizeof(*turns));
  for (int64_t i = 0; i < *n; i++) {
    int64_t rest = i;
    for (int d = nest->ndim - 1; d >= 0; d--) {
      for (int m = 0; m < MEMORIES; m++)
        turns[i].at[m] += rest % nest->shape[d] * nest->stride[m][d];
      rest /= nest->shape[d];
    }
  }
  qsort(turns, (size_t)*n, sizeof(*turns), compare);
  return turns;
}

static struct nest nest_of(const struct step *s) {
  struct nest nest = {.ndim = s->ndim};
  memcpy(nest.shape, s->shape, sizeof(nest.shape));
  for (int m = 0; m < MEMORIES; m++)
    memcpy(nest.stride[m], s->memories[m].stride, sizeof(nest.stride[m]));
  return nest;
}

static void check_same_turns(const struct nest *wanted, const struct step *s) {
  const struct nest nest = nest_of(s);
  int64_t n, n_wanted;
  struct turn *have = turns_of(&nest, &n), *want = turns_of(wanted, &n_wanted);
  ck_assert_int_eq(n, n_wanted);
  ck_assert_mem_eq(have, want, sizeof(*have) * (size_t)n);
  free(have);
  free(want);
}

/* A step of one kernel over memories 0 and 1 that writes memory 2; a reduction has memory 2 as its target. */
static struct step *new_step(const struct nest *nest, bool reduces) {
  struct step *s = step_new(MEMORIES, reduces ? 0 : 1, reduces ? 1 : 0);
  ck_assert_ptr_nonnull(s);
  s->kind = reduces ? STEP_REDUCE_INNER : STEP_MAP;
  s->n_memories = MEMORIES;
  s->item_bytes = 8;
  for (int m = 0; m < MEMORIES; m++) {
    s->memories[m].item_bytes = 8;
    s->memories[m].written = m == 2;
    memcpy(s->memories[m].stride, nest->stride[m], sizeof(nest->stride[m]));
  }
  if (reduces) {
    s->n_reductions = 1;
    s->reductions[0] = (struct reduction){.source = 0, .acc_bytes = 8, .target = 2};
  } else {
    s->n_instructions = 1;
    s->instructions[0] =
        (struct instruction){.fn = kernel_map(NUMD_OP_ADD, NUMD_FLOAT64), .n_args = 3, .arg = {0, 1, 2}};
  }
  return s;
}

static struct step *arrange(const struct nest *nest, bool reduces, uint32_t axes, int64_t *scratch) {
  struct step *s = new_step(nest, reduces);
  loops_arrange(s, nest->ndim, nest->shape, axes, scratch);
  return s;
}

static struct step *arrange_map(const struct nest *nest) {
  int64_t scratch = 0;
  struct step *s = arrange(nest, false, 0, &scratch);
  ck_assert_int_eq(scratch, 0);
  return s;
}

/* C order of `item` bytes, over all loops. */
static void set_c_order(struct nest *nest, int memory, int64_t item) {
  for (int d = nest->ndim - 1; d >= 0; d--) {
    nest->stride[memory][d] = item;
    item *= nest->shape[d];
  }
}

static void setup(void) {
  kernels_init(NULL);
  random_reseed();
}

/* ---- Elementwise ---- */

START_TEST(what_lies_in_one_piece_is_one_loop) {
  struct nest nest = {.ndim = 3, .shape = {4, 5, 6}};
  for (int m = 0; m < MEMORIES; m++)
    set_c_order(&nest, m, 8);
  struct step *s = arrange_map(&nest);
  ck_assert_int_eq(s->ndim, 1);
  ck_assert_int_eq(s->shape[0], 120);
  ck_assert_int_eq(s->n_units, 1);
  for (int a = 0; a < 3; a++)
    ck_assert_int_eq(s->instructions[0].stride[a], 8);
  step_free(s);
}
END_TEST

START_TEST(the_smallest_steps_of_what_is_written_are_innermost) {
  struct nest nest = {.ndim = 2, .shape = {200, 300}}; /* everything in Fortran's order */
  for (int m = 0; m < MEMORIES; m++) {
    nest.stride[m][0] = 8;
    nest.stride[m][1] = 1600;
  }
  struct step *s = arrange_map(&nest);
  ck_assert_int_eq(s->ndim, 1);
  ck_assert_int_eq(s->shape[0], 60000);
  step_free(s);
  nest.stride[0][0] = 2400; /* but for an input, in C order */
  nest.stride[0][1] = 8;
  s = arrange_map(&nest);
  ck_assert_int_eq(s->ndim, 2);
  ck_assert_int_eq(s->memories[2].stride[1], 8);
  ck_assert(s->tiled); /* for that input is walked across */
  check_same_turns(&nest, s);
  step_free(s);
}
END_TEST

START_TEST(what_is_broadcast_along_a_loop_keeps_it_apart) {
  struct nest nest = {.ndim = 2, .shape = {50, 70}};
  for (int m = 0; m < MEMORIES; m++)
    set_c_order(&nest, m, 8);
  nest.stride[1][0] = 0; /* a row for all */
  struct step *s = arrange_map(&nest);
  ck_assert_int_eq(s->ndim, 2);
  ck_assert_int_eq(s->shape[1], 70);
  step_free(s);
  nest.stride[1][1] = 0; /* one number for all */
  s = arrange_map(&nest);
  ck_assert_int_eq(s->ndim, 1);
  ck_assert_int_eq(s->instructions[0].stride[1], 0);
  step_free(s);
}
END_TEST

START_TEST(a_short_loop_is_not_innermost_if_there_is_a_long_one) {
  struct nest nest = {.ndim = 2, .shape = {1000, 3}};
  for (int m = 0; m < MEMORIES; m++)
    set_c_order(&nest, m, 8);
  nest.stride[0][0] = 64; /* of rows of 8, so nothing joins */
  struct step *s = arrange_map(&nest);
  ck_assert_int_eq(s->shape[1], 1000);
  ck_assert(s->tiled);
  check_same_turns(&nest, s);
  step_free(s);
}
END_TEST

START_TEST(only_large_outputs_in_one_piece_go_past_the_caches) {
  enum { LARGE = (16 << 20) / 8 };
  const struct {
    int64_t n, stride;
    bool streams;
  } cases[] = {{LARGE, 8, true}, {LARGE - 1, 8, false}, {LARGE, 16, false}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct nest nest = {.ndim = 1, .shape = {cases[i].n}, .stride = {{8}, {8}, {cases[i].stride}}};
    struct step *s = arrange_map(&nest);
    ck_assert_int_eq(s->nontemporal, cases[i].streams);
    step_free(s);
  }
}
END_TEST

START_TEST(loops_of_no_elements_do_nothing) {
  struct nest nest = {.ndim = 2, .shape = {5, 0}};
  struct step *s = arrange_map(&nest);
  ck_assert(s->empty);
  step_free(s);
  nest = (struct nest){.ndim = 0}; /* but a value without dimensions is one */
  s = arrange_map(&nest);
  ck_assert(!s->empty);
  ck_assert_int_eq(s->n_units, 1);
  ck_assert_int_eq(s->ndim, 1);
  step_free(s);
}
END_TEST

/* Strides as views have them: any order of the axes, any direction, gaps, and none along some axes. */
static void randomise(struct nest *nest, int memory, bool may_broadcast) {
  int order[MAX_LOOPS];
  for (int d = 0; d < nest->ndim; d++) {
    int k = random_below(d + 1);
    order[d] = order[k];
    order[k] = d;
  }
  bool in_order = random_below(2);
  int64_t step = 8;
  for (int i = nest->ndim - 1; i >= 0; i--) {
    int d = in_order ? i : order[i];
    nest->stride[memory][d] = random_below(4) ? step : -step;
    step *= nest->shape[d];
    if (random_below(4) == 0)
      step += 8 * random_below(3);
    if (may_broadcast && random_below(5) == 0)
      nest->stride[memory][d] = 0;
  }
}

static struct nest random_nest(void) {
  struct nest nest = {.ndim = random_below(6)};
  for (int d = 0; d < nest.ndim; d++)
    nest.shape[d] = 1 + random_below(5);
  if (nest.ndim > 0 && random_below(3) == 0)
    nest.shape[random_below(nest.ndim)] = 70;
  for (int m = 0; m < MEMORIES; m++)
    randomise(&nest, m, m < 2);
  return nest;
}

START_TEST(the_same_elements_meet_in_any_nest) {
  for (int i = 0; i < 500; i++) {
    const struct nest nest = random_nest();
    struct step *s = arrange_map(&nest);
    check_same_turns(&nest, s);
    int64_t inner = s->shape[s->ndim - 1], outer = 1;
    for (int d = 0; d + 1 < s->ndim; d++)
      outer *= s->shape[d];
    ck_assert(s->block >= 1 && s->block <= inner);
    ck_assert_int_eq(s->n_units, outer * ((inner + s->block - 1) / s->block));
    step_free(s);
  }
}
END_TEST

/* ---- Reductions ---- */

START_TEST(a_sum_of_rows_runs_along_them) {
  struct nest nest = {.ndim = 2, .shape = {300, 200}, .stride = {{1600, 8}, {1600, 8}, {8, 0}}};
  int64_t scratch = 0;
  struct step *s = arrange(&nest, true, 1u << 1, &scratch);
  ck_assert_int_eq(s->kind, STEP_REDUCE_INNER);
  ck_assert_int_eq(s->n_kept_items, 300);
  ck_assert_int_eq(s->n_reduced_items, 200);
  ck_assert_int_eq(s->reductions[0].source_stride, 8);
  step_free(s);
}
END_TEST

START_TEST(a_sum_of_columns_adds_whole_rows) {
  struct nest nest = {.ndim = 2, .shape = {300, 200}, .stride = {{1600, 8}, {1600, 8}, {0, 8}}};
  int64_t scratch = 0;
  struct step *s = arrange(&nest, true, 1u << 0, &scratch);
  ck_assert_int_eq(s->kind, STEP_REDUCE_ROWS);
  ck_assert_int_eq(s->shape[s->ndim - 1], 200); /* the kept loop is innermost */
  ck_assert_int_eq(s->n_units, 300);
  ck_assert_int_eq(s->reductions[0].source_stride, 8);
  step_free(s);
}
END_TEST

START_TEST(many_short_sums_go_side_by_side) {
  struct nest nest = {.ndim = 2, .shape = {1000, 3}, .stride = {{24, 8}, {24, 8}, {8, 0}}};
  int64_t scratch = 0;
  struct step *s = arrange(&nest, true, 1u << 1, &scratch);
  ck_assert_int_eq(s->kind, STEP_REDUCE_ROWS);
  ck_assert_int_eq(s->shape[s->ndim - 1], 1000);
  step_free(s);
}
END_TEST

/* Its chunks follow from its shape, so its bits do not depend on the machine; each has a place for its
 * result. */
START_TEST(a_long_sum_is_cut_into_chunks_that_have_scratch) {
  struct nest nest = {.ndim = 1, .shape = {1000000}, .stride = {{8}, {8}, {0}}};
  int64_t scratch = 100;
  struct step *s = arrange(&nest, true, 1, &scratch);
  ck_assert_int_gt(s->n_chunks, 1);
  ck_assert_int_ge(s->chunk * s->n_chunks, s->n_units);
  ck_assert_int_lt(s->chunk * (s->n_chunks - 1), s->n_units);
  ck_assert_int_eq(s->reductions[0].partials, 100);
  ck_assert_int_ge(scratch, 100 + 8 * s->n_chunks);
  step_free(s);
  nest.shape[0] = 1000;
  scratch = 0;
  s = arrange(&nest, true, 1, &scratch);
  ck_assert_int_eq(s->n_chunks, 1);
  ck_assert_int_eq(scratch, 0);
  step_free(s);
}
END_TEST

/* Sources and target meet as they should, and the loops that the target does not have are the reduced ones.
 */
START_TEST(every_element_goes_into_the_same_sum_in_any_nest) {
  for (int i = 0; i < 500; i++) {
    struct nest nest = random_nest();
    const uint32_t axes = (uint32_t)random_below(1 << nest.ndim);
    int64_t kept = 1, reduced = 1, step = 8, scratch = 0;
    for (int d = nest.ndim - 1; d >= 0; d--) {
      const bool is_reduced = axes >> d & 1;
      nest.stride[2][d] = is_reduced ? 0 : step;
      step *= is_reduced ? 1 : nest.shape[d];
      *(is_reduced ? &reduced : &kept) *= nest.shape[d];
    }
    memcpy(nest.stride[1], nest.stride[0], sizeof(nest.stride[1]));
    struct step *s = arrange(&nest, true, axes, &scratch);
    check_same_turns(&nest, s);
    ck_assert_int_eq(s->n_kept_items, kept);
    ck_assert_int_eq(s->n_reduced_items, reduced);
    const int first = s->kind == STEP_REDUCE_ROWS ? s->n_kept - 1 : s->n_kept;
    for (int d = 0; d < s->ndim; d++)
      if (s->shape[d] > 1)
        ck_assert_int_eq(s->memories[2].stride[d] == 0, d >= first && d < first + s->n_reduced);
    ck_assert_int_ge(s->chunk * s->n_chunks, s->n_units);
    step_free(s);
  }
}
END_TEST

START_TEST(sums_of_nothing_and_of_no_axes) {
  struct nest nest = {.ndim = 2, .shape = {0, 4}, .stride = {{32, 8}, {32, 8}, {0, 8}}};
  int64_t scratch = 0;
  struct step *s = arrange(&nest, true, 1u << 0, &scratch);
  ck_assert(s->empty);
  ck_assert_int_eq(s->n_kept_items, 4); /* identities to store */
  step_free(s);
  nest = (struct nest){.ndim = 2, .shape = {3, 4}, .stride = {{32, 8}, {32, 8}, {32, 8}}};
  s = arrange(&nest, true, 0, &scratch);
  ck_assert(!s->empty);
  ck_assert_int_eq(s->n_reduced_items, 1);
  check_same_turns(&nest, s);
  step_free(s);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("loop_nest");
  TCase *t = tcase_create("loop_nest");
  tcase_add_checked_fixture(t, setup, NULL);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, what_lies_in_one_piece_is_one_loop);
  tcase_add_test(t, the_smallest_steps_of_what_is_written_are_innermost);
  tcase_add_test(t, what_is_broadcast_along_a_loop_keeps_it_apart);
  tcase_add_test(t, a_short_loop_is_not_innermost_if_there_is_a_long_one);
  tcase_add_test(t, only_large_outputs_in_one_piece_go_past_the_caches);
  tcase_add_test(t, loops_of_no_elements_do_nothing);
  tcase_add_test(t, the_same_elements_meet_in_any_nest);
  tcase_add_test(t, a_sum_of_rows_runs_along_them);
  tcase_add_test(t, a_sum_of_columns_adds_whole_rows);
  tcase_add_test(t, many_short_sums_go_side_by_side);
  tcase_add_test(t, a_long_sum_is_cut_into_chunks_that_have_scratch);
  tcase_add_test(t, every_element_goes_into_the_same_sum_in_any_nest);
  tcase_add_test(t, sums_of_nothing_and_of_no_axes);
  suite_add_tcase(suite, t);
  return run_suite(suite);
}
