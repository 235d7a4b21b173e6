/* SPDX-License-Identifier: BSD-3-Clause */
/* What the families of reductions share: items that are pairs, and how two terms become one. */
#ifndef NUMD_SERVER_KERNELS_REDUCE_REDUCE_H
#define NUMD_SERVER_KERNELS_REDUCE_REDUCE_H

#include "server/kernels/family.h"

#define X(NAME, R) \
  typedef struct { \
    R real, imag;  \
  } KERNEL_ALIAS NAME##_pair;
DTYPE_COMPLEXES(X)
#undef X

#define WIDE(v) ((COMPLEX128_pair){(double)(v).real, (double)(v).imag})

static inline COMPLEX128_pair complex_sum(COMPLEX128_pair x, COMPLEX128_pair y) {
  return (COMPLEX128_pair){x.real + y.real, x.imag + y.imag};
}

/* Products of complex numbers side by side, without vectors: GCC 12 makes fused multiply-adds of vectors of
 * them even though it is told not to contract, and the bits would depend on the instruction set. */
#ifdef __clang__
#define FACTOR_SCALAR
#else
#define FACTOR_SCALAR __attribute__((optimize("no-tree-vectorize")))
#endif
#define FACTORS 8

struct complex_factors {
  double real[FACTORS], imag[FACTORS];
};

#define FACTOR_GET(f, j) ((COMPLEX128_pair){(f).real[j], (f).imag[j]})

#define FACTOR_SET(f, j, item)              \
  do {                                      \
    const __typeof__(item) factor = (item); \
    (f).real[j] = (double)factor.real;      \
    (f).imag[j] = (double)factor.imag;      \
  } while (0)

#define FACTOR_MULTIPLY(f, j, item)                                                                \
  do {                                                                                             \
    const __typeof__(item) factor = (item);                                                        \
    const double re = (double)factor.real, im = (double)factor.imag;                               \
    const double x = (f).real[j] * re - (f).imag[j] * im, y = (f).real[j] * im + (f).imag[j] * re; \
    (f).real[j] = x;                                                                               \
    (f).imag[j] = y;                                                                               \
  } while (0)

#define LESSER(x, y) ((x) < (y) ? (x) : (y))
#define GREATER(x, y) ((x) > (y) ? (x) : (y))
/* A NaN in x is taken at once, and one in y because the comparison fails. */
#define LESSER_OR_NAN(x, y) ((((x) < (y)) | ((x) != (x))) ? (x) : (y))
#define GREATER_OR_NAN(x, y) ((((x) > (y)) | ((x) != (x))) ? (x) : (y))

#endif
