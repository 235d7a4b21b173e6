/* SPDX-License-Identifier: BSD-3-Clause */
/* Reproducible random numbers for unit tests, and their main: prints the seed, which NUMD_TEST_SEED sets. */
#ifndef NUMD_TESTS_RANDOM_H
#define NUMD_TESTS_RANDOM_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/suite.h"

/* ck_assert tells the parent where it is, passed or not: a system call, too slow for a million checks. */
#define CHECK(condition, ...)    \
  do {                           \
    if (!(condition))            \
      ck_abort_msg(__VA_ARGS__); \
  } while (0)

static uint64_t random_seed;
static uint64_t random_state;

static inline uint64_t random_bits(void) { /* splitmix64 */
  uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static inline int random_below(int n) {
  return (int)(random_bits() % (uint64_t)n);
}

/* Of any size: as many bits as chance has it. */
static inline int64_t random_int(void) {
  return (int64_t)random_bits() >> random_below(64);
}

static void random_reseed(void) {
  random_state = random_seed;
}

static inline int run_suite(Suite *suite) {
  const char *given = getenv("NUMD_TEST_SEED");
  random_seed = given ? strtoull(given, NULL, 0) : 20240607;
  printf("NUMD_TEST_SEED=%llu\n", (unsigned long long)random_seed);
  fflush(stdout);
  return suite_run(suite);
}

#endif
