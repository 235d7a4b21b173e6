/* The board: cores, spin tokens and callers are counted out, and come back from the dead. */
#include "server/host/board.h"

#include <unistd.h>

#include "tests/unit/suite.h"

#define N_CORES 3

static struct board *board;

static void set_up(void) {
  int fd;
  ck_assert_int_eq(board_new(&board, &fd), 0);
  close(fd);
  board->n_cores = N_CORES;
  board->n_spin = 1;
}

static void tear_down(void) {
  board_unmap(board);
}

START_TEST(cores_are_taken_once) {
  ck_assert_int_eq(board_take_cores(board, 0, 2), 2);
  ck_assert_int_eq(board_take_cores(board, 1, 5), 1);
  ck_assert_int_eq(board_take_cores(board, 2, 1), 0);
  board_give_cores(board, 0, 2);
  ck_assert_int_eq(board_take_cores(board, 2, 5), 2);
  ck_assert(board_take_spin(board, 0));
  ck_assert(!board_take_spin(board, 1));
  board_give_spin(board, 1); /* not its own */
  ck_assert(!board_take_spin(board, 1));
  board_give_spin(board, 0);
  ck_assert(board_take_spin(board, 1));
}
END_TEST

START_TEST(a_core_is_idle_while_neither_owned_nor_worked_on) {
  ck_assert(board_has_idle_core(board));
  ck_assert_int_eq(board_take_cores(board, 0, N_CORES), N_CORES);
  ck_assert(!board_has_idle_core(board));
  board_give_cores(board, 0, N_CORES);
  for (int i = 0; i < N_CORES; i++) {
    ck_assert(board_has_idle_core(board));
    ck_assert_int_eq(board_begin_work(board, (uint32_t)i), i);
  }
  ck_assert(!board_has_idle_core(board));
  board_end_work(board, 1);
  ck_assert(board_has_idle_core(board));
}
END_TEST

START_TEST(the_dead_give_all_back) {
  ck_assert_int_eq(board_take_cores(board, 4, N_CORES), N_CORES);
  ck_assert(board_take_spin(board, 4));
  for (int i = 0; i < 2 * N_CORES; i++)
    (void)board_begin_work(board, 4);
  (void)board_begin_work(board, 5);
  board_bury(board, 4);
  ck_assert(board_has_idle_core(board));
  ck_assert_int_eq(board_begin_work(board, 6), 1);
  ck_assert_int_eq(board_take_cores(board, 6, N_CORES), N_CORES);
  ck_assert(board_take_spin(board, 6));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("board");
  TCase *t = tcase_create("board");
  tcase_add_checked_fixture(t, set_up, tear_down);
  tcase_add_test(t, cores_are_taken_once);
  tcase_add_test(t, a_core_is_idle_while_neither_owned_nor_worked_on);
  tcase_add_test(t, the_dead_give_all_back);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
