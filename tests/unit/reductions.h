/* SPDX-License-Identifier: BSD-3-Clause */
/* What reductions come to, computed one item after another: n items, `stride` bytes apart. */
#ifndef NUMD_TESTS_REDUCTIONS_H
#define NUMD_TESTS_REDUCTIONS_H

#include "tests/unit/items.h"

static inline bool is_float(numd_dtype dtype) {
  return dtype_rows[dtype].kind == 'f' || dtype_rows[dtype].kind == 'c';
}

/* Sums and products of integers, counts, any and all. */
static inline uint64_t expected_bits(numd_op op, numd_dtype in, int64_t n, const char *at, int64_t stride) {
  uint64_t sum = 0, product = 1, count = 0;
  for (int64_t i = 0; i < n; i++, at += stride) {
    count += item_nonzero(in, at);
    if (is_float(in))
      continue;
    sum += item_bits(in, at);
    product *= item_bits(in, at);
  }
  switch (op) {
    case NUMD_OP_SUM:
      return sum;
    case NUMD_OP_PROD:
      return product;
    case NUMD_OP_ANY:
      return count > 0;
    case NUMD_OP_ALL:
      return count == (uint64_t)n;
    default:
      return count;
  }
}

static inline struct item expected_extreme(numd_op op, numd_dtype in, int64_t n, const char *at,
                                           int64_t stride) {
  struct item best = item_read(in, at);
  for (int64_t i = 0; i < n; i++, at += stride) {
    const struct item v = item_read(in, at);
    if (isnan(v.re) || (op == NUMD_OP_MAX ? v.re > best.re : v.re < best.re))
      best = v;
    if (isnan(best.re))
      break;
  }
  return best;
}

#endif
