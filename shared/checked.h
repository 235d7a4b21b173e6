/* SPDX-License-Identifier: BSD-3-Clause */
/* Arithmetic that says when it overflows: true means the result did not fit. */
#ifndef NUMD_SHARED_CHECKED_H
#define NUMD_SHARED_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool add_overflows(int64_t a, int64_t b, int64_t *out) {
  return __builtin_add_overflow(a, b, out);
}

static inline bool mul_overflows(int64_t a, int64_t b, int64_t *out) {
  return __builtin_mul_overflow(a, b, out);
}

#endif
