/* SPDX-License-Identifier: BSD-3-Clause */
/* What is measured, as lists of operations; cases.py has the same list for Python. */
#include <stddef.h>
#include <string.h>

#include "scripts/bench/ways_c/bench.h"

static const struct bench_case cases[] = {
    {"add", 2, 1, false, {{"add", 2, {0, 1}}}},
    {"sum", 1, 1, true, {{"sum", 1, {0}}}},
    {"expr",
     2,
     5,
     false,
     {{"multiply", 2, {0, 1}},
      {"sqrt", 1, {0}},
      {"add", 2, {2, 3}},
      {"exp", 1, {1}},
      {"subtract", 2, {4, 5}}}},
    {"matmul", 2, 1, false, {{"matmul", 2, {0, 1}}}},
};

const struct bench_case *bench_case_find(const char *name) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    if (strcmp(cases[i].name, name) == 0) {
      return &cases[i];
    }
  }
  return NULL;
}
