/* Converting one scalar: 8 bytes of bool, int64 or float64 into those of another dtype. */
#ifndef NUMD_SERVER_SCALAR_H
#define NUMD_SERVER_SCALAR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/kernels/kernels.h"

/* False if an integer does not fit an integer dtype. Everything else converts as arrays do. */
static inline bool scalar_convert(uint8_t from, uint64_t bits, uint8_t to, uint64_t *out) {
  const struct dtype_row *d = &dtype_rows[to];
  int64_t i;
  memcpy(&i, &bits, sizeof(i));
  if (from == NUMD_INT64 && d->kind == 'i' && d->size < 8 && i >> (8 * d->size - 1) != 0 &&
      i >> (8 * d->size - 1) != -1)
    return false;
  if (from == NUMD_INT64 && d->kind == 'u' && (i < 0 || (d->size < 8 && i >> (8 * d->size) != 0)))
    return false;
  char *const ptr[2] = {(char *)&bits, (char *)out};
  const int64_t stride[2] = {0, 0};
  *out = 0;
  kernel_cast(from, to)(1, ptr, stride);
  return true;
}

#endif
