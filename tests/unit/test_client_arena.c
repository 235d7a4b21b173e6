/* SPDX-License-Identifier: BSD-3-Clause */
/* The arena: classes of sizes, blocks that are used again, and what becomes of those that others hold. */
#include <sys/wait.h>

#include "client/lib/arena.h"
#include "client/lib/array.h"
#include "tests/unit/fake_daemon.h"
#include "tests/unit/suite.h"

static struct block *alloc(uint64_t bytes) {
  struct block *b;
  bool is_zero;
  int r = arena_alloc(fake.conn, bytes, &is_zero, &b);
  ck_assert_msg(r == 0, "%s", numd_error());
  return b;
}

static numd_array *array(int64_t n) {
  numd_array *a;
  ck_assert_int_eq(numd_array_empty(fake.conn, NUMD_UINT8, 1, &n, &a), 0);
  return a;
}

START_TEST(classes_are_four_to_a_doubling) {
  static const uint64_t sizes[] = {64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
  uint64_t rounded, last = 0;
  for (int i = 0; i < 10; i++) {
    ck_assert_int_eq(arena_class(sizes[i], &rounded), i);
    ck_assert_uint_eq(rounded, sizes[i]);
    ck_assert_int_eq(arena_class(sizes[i] + 1, &rounded), i + 1);
  }
  ck_assert_int_eq(arena_class(0, &rounded), 0);
  ck_assert_uint_eq(rounded, 64);
  for (uint64_t bytes = 1; bytes <= ARENA_LARGE; bytes += 1 + bytes / 97) {
    int class = arena_class(bytes, &rounded);
    ck_assert(class >= 0 && class < ARENA_CLASSES);
    ck_assert(rounded >= bytes && rounded >= last && (bytes < 64 || rounded - bytes <= bytes / 4));
    last = rounded;
  }
  ck_assert(arena_class(ARENA_LARGE, &rounded) < ARENA_CLASSES && rounded == ARENA_LARGE);
}
END_TEST

START_TEST(a_block_is_used_again_by_its_class) {
  struct block *a = alloc(100), *b = alloc(100), *again;
  bool is_zero;
  ck_assert_ptr_eq(a->segment, b->segment);
  ck_assert_uint_ge(b->offset, a->offset + a->bytes);
  ck_assert_uint_eq(b->offset % 64, 0);
  ck_assert_int_eq(block_state(a), BLOCK_PRIVATE);
  block_unref(a);
  ck_assert_int_eq(block_state(a), BLOCK_FREE);
  ck_assert_int_eq(arena_alloc(fake.conn, 150, &is_zero, &again), 0);
  ck_assert_ptr_ne(again, a);
  ck_assert(is_zero);
  block_unref(again);
  ck_assert_int_eq(arena_alloc(fake.conn, 112, &is_zero, &again), 0);
  ck_assert_ptr_eq(again, a);
  ck_assert(!is_zero);
  block_ref(again);
  block_unref(again);
  ck_assert_int_eq(block_state(again), BLOCK_PRIVATE);
  block_unref(again);
  block_unref(b);
  ck_assert_int_eq(fake.asked[FAKE_ATTACH], 1);
}
END_TEST

START_TEST(zeros_are_zero_where_a_block_was_used) {
  int64_t n = 1000;
  numd_array *a = array(n);
  void *data = a->data;
  memset(data, 7, (size_t)n);
  numd_array_unref(a);
  ck_assert_int_eq(numd_array_zeros(fake.conn, NUMD_UINT8, 1, &n, &a), 0);
  ck_assert_ptr_eq(a->data, data);
  for (int i = 0; i < n; i++)
    ck_assert_int_eq(((uint8_t *)data)[i], 0);
  numd_array_unref(a);
}
END_TEST

START_TEST(large_blocks_have_segments_that_are_kept) {
  struct block *a = alloc(ARENA_LARGE + 1), *b;
  numd_segment *s = a->segment;
  ck_assert_int_eq(a->class, BLOCK_ALONE);
  ck_assert_uint_eq(a->bytes % 4096, 0);
  block_unref(a);
  ck_assert_int_eq(fake.asked[FAKE_DETACH], 0);
  b = alloc(3 * ARENA_LARGE); /* no use for so small a segment */
  ck_assert_ptr_ne(b->segment, s);
  block_unref(b);
  b = alloc(ARENA_LARGE + 2);
  ck_assert_ptr_eq(b->segment, s);
  block_unref(b);
}
END_TEST

START_TEST(only_so_many_large_segments_are_kept) {
  struct block *blocks[20];
  for (int i = 0; i < 20; i++)
    blocks[i] = alloc(ARENA_LARGE + 4096);
  for (int i = 0; i < 20; i++)
    block_unref(blocks[i]);
  ck_assert_int_eq(numd_ping(fake.conn, 1000000000), 0); /* notifications before it are read */
  ck_assert_int_eq(fake.asked[FAKE_DETACH], 4);
}
END_TEST

/* Makes handles of n arrays and drops the arrays. */
static void lend(struct block *blocks[], int n) {
  numd_handle handle;
  for (int i = 0; i < n; i++) {
    numd_array *a = array(100);
    blocks[i] = array_impl(a)->block;
    ck_assert_int_eq(numd_array_export(a, &handle), 0);
    ck_assert_int_eq(block_state(blocks[i]), BLOCK_SHARED);
    ck_assert(!array_is_private(a));
    numd_array_unref(a);
    ck_assert_int_eq(block_state(blocks[i]), BLOCK_LENT);
  }
}

START_TEST(what_was_lent_is_used_again_when_it_came_back) {
  struct block *lent[ARENA_RECLAIM], *b;
  fake.is_returned = false;
  lend(lent, ARENA_RECLAIM);
  ck_assert_int_eq(fake.asked[FAKE_RETURNED], 0);
  b = alloc(100); /* the daemon is asked, and says that others hold all */
  ck_assert_int_eq(fake.asked[FAKE_RETURNED], 1);
  for (int i = 0; i < ARENA_RECLAIM; i++)
    ck_assert(b != lent[i] && block_state(lent[i]) == BLOCK_LENT);
  fake.is_returned = true;
  lend(lent, ARENA_RECLAIM);
  struct block *again = alloc(100);
  ck_assert_int_eq(fake.asked[FAKE_RETURNED], 2);
  ck_assert_ptr_ne(again, b);
  ck_assert_int_eq(block_state(lent[3] == again ? lent[4] : lent[3]), BLOCK_FREE);
  ck_assert_uint_eq(again->shared_epoch, 0);
  ck_assert_int_eq(fake.asked[FAKE_SHARE], 1);
  block_unref(again);
  block_unref(b);
}
END_TEST

START_TEST(what_was_lent_in_an_earlier_session_stays) {
  struct block *lent[ARENA_RECLAIM];
  fake.is_returned = true;
  lend(lent, ARENA_RECLAIM);
  fake_hang_up();
  block_unref(alloc(100));
  ck_assert_int_eq(fake.asked[FAKE_RETURNED], 0);
  for (int i = 0; i < ARENA_RECLAIM; i++)
    ck_assert_int_eq(block_state(lent[i]), BLOCK_LENT);
}
END_TEST

START_TEST(a_lent_block_comes_back_by_its_handle) {
  numd_array *a = array(100), *again;
  struct block *b = array_impl(a)->block;
  numd_handle handle;
  ck_assert_int_eq(numd_array_export(a, &handle), 0);
  numd_array_unref(a);
  ck_assert_int_eq(block_state(b), BLOCK_LENT);
  ck_assert_int_eq(numd_array_import(fake.conn, &handle, &again), 0);
  ck_assert_ptr_eq(array_impl(again)->block, b);
  ck_assert_int_eq(block_state(b), BLOCK_SHARED);
  numd_array_unref(again);
}
END_TEST

static numd_array *borrow(void) {
  numd_handle handle = {.version = NUMD_HANDLE_VERSION,
                        .token = {1},
                        .block_bytes = 4096,
                        .dtype = NUMD_UINT8,
                        .ndim = 1,
                        .shape = {100},
                        .strides = {1}};
  numd_array *a;
  int r = numd_array_import(fake.conn, &handle, &a);
  ck_assert_msg(r == 0, "%s", numd_error());
  return a;
}

START_TEST(a_borrowed_block_goes_with_its_last_array) {
  numd_array *a = borrow(), *b = borrow();
  ck_assert_ptr_eq(array_impl(a)->block, array_impl(b)->block);
  ck_assert_int_eq(block_state(array_impl(a)->block), BLOCK_BORROWED);
  numd_array_unref(a);
  numd_array_unref(b);
  ck_assert_int_eq(numd_ping(fake.conn, 1000000000), 0);
  ck_assert_int_eq(fake.asked[FAKE_GIVE], 1);
  ck_assert_int_eq(fake.asked[FAKE_DETACH], 1);
}
END_TEST

/* A child that lives until it is told to end. */
static pid_t fork_child(int *tell) {
  int ends[2];
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    char c;
    close(ends[1]);
    _exit(read(ends[0], &c, 1) != 0);
  }
  close(ends[0]);
  *tell = ends[1];
  return child;
}

static void end_child(pid_t child, int tell) {
  close(tell);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

static void drop_inherited(struct block *blocks[], int n) {
  for (int i = 0; i < n; i++) {
    block_unref(blocks[i]);
    ck_assert_int_eq(block_state(blocks[i]), BLOCK_INHERITED);
  }
}

START_TEST(what_a_child_inherited_waits_for_its_end) {
  struct block *blocks[2 * ARENA_RECLAIM], *b;
  int tell;
  for (int i = 0; i < 2 * ARENA_RECLAIM; i++)
    blocks[i] = alloc(100);
  pid_t child = fork_child(&tell);
  drop_inherited(blocks, ARENA_RECLAIM);
  b = alloc(100); /* nothing of the class is free: what waits is looked at */
  for (int i = 0; i < ARENA_RECLAIM; i++)
    ck_assert(b != blocks[i] && block_state(blocks[i]) == BLOCK_INHERITED);
  block_unref(b);
  ck_assert_int_eq(block_state(b), BLOCK_FREE); /* the child does not have it */
  drop_inherited(blocks + ARENA_RECLAIM, ARENA_RECLAIM);
  end_child(child, tell);
  b = alloc(1000);
  for (int i = 0; i < 2 * ARENA_RECLAIM; i++)
    ck_assert_int_eq(block_state(blocks[i]), BLOCK_FREE);
  block_unref(b);
}
END_TEST

START_TEST(a_borrowed_block_is_kept_for_a_child) {
  int tell;
  numd_array *a = borrow();
  struct block *b = array_impl(a)->block;
  pid_t child = fork_child(&tell);
  numd_array_unref(a);
  ck_assert_int_eq(block_state(b), BLOCK_KEPT);
  a = borrow();
  ck_assert_ptr_eq(array_impl(a)->block, b);
  ck_assert_int_eq(block_state(b), BLOCK_BORROWED);
  numd_array_unref(a);
  ck_assert_int_eq(numd_ping(fake.conn, 1000000000), 0);
  ck_assert_int_eq(fake.asked[FAKE_GIVE], 0);
  end_child(child, tell);
}
END_TEST

START_TEST(each_state_leads_where_it_may) {
  static const enum block_state legal[][2] = {{BLOCK_FREE, BLOCK_PRIVATE},   {BLOCK_PRIVATE, BLOCK_SHARED},
                                              {BLOCK_PRIVATE, BLOCK_FREE},   {BLOCK_PRIVATE, BLOCK_INHERITED},
                                              {BLOCK_INHERITED, BLOCK_FREE}, {BLOCK_SHARED, BLOCK_LENT},
                                              {BLOCK_LENT, BLOCK_SHARED},    {BLOCK_LENT, BLOCK_FREE},
                                              {BLOCK_BORROWED, BLOCK_KEPT},  {BLOCK_KEPT, BLOCK_BORROWED}};
  bool may[BLOCK_STATES][BLOCK_STATES] = {{false}};
  for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
    may[legal[i][0]][legal[i][1]] = true;
  for (int from = 0; from < BLOCK_STATES; from++)
    for (int to = 0; to < BLOCK_STATES; to++)
      ck_assert_int_eq(block_next_states[from] >> to & 1, may[from][to]);
}
END_TEST

START_TEST(a_state_that_is_skipped_aborts) {
  struct block b = {.state = BLOCK_FREE};
  block_become(&b, BLOCK_LENT);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client_arena");
  TCase *t = tcase_create("client_arena");
  tcase_add_checked_fixture(t, fake_setup, fake_teardown);
  tcase_add_test(t, classes_are_four_to_a_doubling);
  tcase_add_test(t, a_block_is_used_again_by_its_class);
  tcase_add_test(t, zeros_are_zero_where_a_block_was_used);
  tcase_add_test(t, large_blocks_have_segments_that_are_kept);
  tcase_add_test(t, only_so_many_large_segments_are_kept);
  tcase_add_test(t, what_was_lent_is_used_again_when_it_came_back);
  tcase_add_test(t, what_was_lent_in_an_earlier_session_stays);
  tcase_add_test(t, a_lent_block_comes_back_by_its_handle);
  tcase_add_test(t, a_borrowed_block_goes_with_its_last_array);
  tcase_add_test(t, what_a_child_inherited_waits_for_its_end);
  tcase_add_test(t, a_borrowed_block_is_kept_for_a_child);
  tcase_add_test(t, each_state_leads_where_it_may);
  suite_add_tcase(suite, t);
  t = tcase_create("mistakes");
  tcase_add_test_raise_signal(t, a_state_that_is_skipped_aborts, SIGABRT);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
