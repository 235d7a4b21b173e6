/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic of sizes and counts, which many files need. */
#ifndef NUMD_SERVER_KERNELS_SIZE_MATH_H
#define NUMD_SERVER_KERNELS_SIZE_MATH_H

#include <stdint.h>

static inline int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static inline int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static inline int64_t magnitude(int64_t x) {
  return x < 0 ? -x : x;
}

/* How many parts of `part` make n; the last may be shorter. */
static inline int64_t parts_of(int64_t n, int64_t part) {
  return (n + part - 1) / part;
}

static inline int64_t align_up(int64_t n, int64_t to) {
  return parts_of(n, to) * to;
}

/* ---- Costs: estimates in ns or ps, which never wrap: what is too large to be told is COST_MAX. */

#define COST_MAX ((uint64_t)1 << 60)

static inline uint64_t cost_plus(uint64_t a, uint64_t b) {
  return a < COST_MAX && b < COST_MAX - a ? a + b : COST_MAX;
}

static inline uint64_t cost_times(uint64_t a, uint64_t b) {
  uint64_t product;
  return __builtin_mul_overflow(a, b, &product) || product > COST_MAX ? COST_MAX : product;
}

static inline uint64_t cost_of(double cost) {
  return cost < (double)COST_MAX ? (uint64_t)(cost > 0 ? cost : 0) : COST_MAX;
}

#endif
