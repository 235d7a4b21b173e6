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

#endif
