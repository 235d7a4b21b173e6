/* SPDX-License-Identifier: BSD-3-Clause */
/* Converting one scalar: 8 bytes of bool, int64, uint64 or float64 into an item of another dtype. */
#ifndef NUMD_SERVER_ENGINE_SCALAR_H
#define NUMD_SERVER_ENGINE_SCALAR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/kernels/kernels.h"

/* Whether an integer, int64 or uint64 as `from` says, is a value of an integer dtype. */
static inline bool scalar_fits(uint8_t from, uint64_t bits, const struct numd_dtype_info *d) {
  bool negative = from == NUMD_INT64 && (int64_t)bits < 0;
  if (d->kind == 'u')
    return !negative && (d->size == 8 || bits >> (8 * d->size) == 0);
  uint64_t magnitude = negative ? ~bits : bits;
  return magnitude >> (8 * d->size - 1) == 0;
}

/* Converts a scalar to `to`; `out` has MAX_ITEM_BYTES. False if an integer does not fit an integer dtype.
 * Anything else converts as the elements of arrays do. */
static inline bool scalar_convert(uint8_t from, uint64_t bits, uint8_t to, char *out) {
  const struct numd_dtype_info *d = &dtype_rows[to];
  bool integers = (from == NUMD_INT64 || from == NUMD_UINT64) && (d->kind == 'i' || d->kind == 'u');
  if (integers && !scalar_fits(from, bits, d))
    return false;
  char *const ptr[2] = {(char *)&bits, out};
  static const int64_t stride[2] = {0, 0};
  kernel_cast(from, to)(1, ptr, stride);
  return true;
}

#endif
