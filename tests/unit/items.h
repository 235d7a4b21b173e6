/* SPDX-License-Identifier: BSD-3-Clause */
/* Items of every dtype for the tests of reductions and array kernels: random ones, and their value as the
 * widest reals, which hold every value of every dtype exactly. */
#ifndef NUMD_TESTS_ITEMS_H
#define NUMD_TESTS_ITEMS_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/list.h"
#include "tests/unit/random.h"

/* A value; of real dtypes im is 0. */
struct item {
  long double re, im;
};

static inline struct item item_read(numd_dtype dtype, const char *at) {
  _Alignas(16) char copy[16];
  memcpy(copy, at, dtype_rows[dtype].size);
  switch (dtype) {
    case NUMD_BOOL:
      return (struct item){copy[0] != 0, 0};
#define X(NAME, type) \
  case NUMD_##NAME:   \
    return (struct item){(long double)*(type *)copy, 0};
      X(INT8, int8_t)
      X(INT16, int16_t)
      X(INT32, int32_t)
      X(INT64, int64_t)
      X(UINT8, uint8_t)
      X(UINT16, uint16_t)
      X(UINT32, uint32_t)
      X(UINT64, uint64_t)
      X(FLOAT32, float)
      X(FLOAT64, double)
#undef X
    case NUMD_COMPLEX64:
      return (struct item){((float *)copy)[0], ((float *)copy)[1]};
    case NUMD_COMPLEX128:
      return (struct item){((double *)copy)[0], ((double *)copy)[1]};
    default:
      ck_abort_msg("no such dtype");
  }
}

/* An integer's bits, extended by its sign. */
static inline uint64_t item_bits(numd_dtype dtype, const char *at) {
  const struct item v = item_read(dtype, at);
  return v.re < 0 ? (uint64_t)(int64_t)v.re : (uint64_t)v.re;
}

static inline bool item_nonzero(numd_dtype dtype, const char *at) {
  const struct item v = item_read(dtype, at);
  return v.re != 0 || v.im != 0;
}

static inline double random_unit(void) { /* in [-1, 1) */
  return (double)((int64_t)random_bits() >> 11) * 0x1p-52;
}

/* A real; sometimes a special one. */
static inline double item_random_real(void) {
  static const double special[] = {0., -0., INFINITY, -INFINITY, 1., -1., 0x1p-149, 1e30};
  return random_below(8) ? random_unit() * 100 : special[random_below(8)];
}

/* Random bits for integers, often small ones; no NaN. */
static inline void item_random(numd_dtype dtype, char *at) {
  const char kind = dtype_rows[dtype].kind;
  const size_t size = dtype_rows[dtype].size;
  double real[2] = {item_random_real(), item_random_real()};
  float narrow[2] = {(float)real[0], (float)real[1]};
  int64_t integer = kind == 'b' ? random_below(3) : random_below(3) ? random_below(5) : random_int();
  if (kind == 'c')
    memcpy(at, size == 8 ? (char *)narrow : (char *)real, size);
  else if (kind == 'f')
    memcpy(at, size == 4 ? (char *)narrow : (char *)real, size);
  else
    memcpy(at, &integer, size); /* little-endian: the low bytes */
}

static inline void item_zero(numd_dtype dtype, char *at) {
  memset(at, 0, dtype_rows[dtype].size);
}

static inline bool item_is_nan(numd_dtype dtype, const char *at) {
  const struct item v = item_read(dtype, at);
  return isnan(v.re) || isnan(v.im);
}

#endif
