/* SPDX-License-Identifier: BSD-3-Clause */
/* The main of a unit test. */
#ifndef NUMD_TESTS_SUITE_H
#define NUMD_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs all tests and gives the exit status. */
static inline int suite_run(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
