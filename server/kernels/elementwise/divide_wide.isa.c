/* SPDX-License-Identifier: BSD-3-Clause */
/* Floor division and remainder of 64-bit integers where vectors of them become floats and back (AVX-512DQ).
 * Elsewhere divide_int.isa.c has the loops, and how signed numbers come down to unsigned ones.
 *
 * A quotient is estimated in float64, from below, and so is the quotient of what that leaves. A divisor that
 * is the same throughout is made a multiplier. Products are put together from those of 32 bits, which was
 * measured to be faster than the instruction for 64. */
#include "server/kernels/family.h"

#if KERNEL_LEVEL >= 4
#include <immintrin.h>

#include "server/kernels/elementwise/multiplier.h"

#define LANES 8
#define SCALAR_FROM 16 /* items that are worth a multiplier */

DEFINE_MULTIPLIER(uint64_t, 64, unsigned __int128)

typedef __m512i vector;

static inline vector low_product(vector x, vector y) {
  const vector crossed = _mm512_add_epi64(_mm512_mul_epu32(_mm512_srli_epi64(x, 32), y),
                                          _mm512_mul_epu32(x, _mm512_srli_epi64(y, 32)));
  return _mm512_add_epi64(_mm512_mul_epu32(x, y), _mm512_slli_epi64(crossed, 32));
}

static inline vector high_product(vector x, vector y) {
  const vector x_high = _mm512_srli_epi64(x, 32), y_high = _mm512_srli_epi64(y, 32);
  const vector low = _mm512_set1_epi64(UINT32_MAX);
  const vector first =
      _mm512_add_epi64(_mm512_mul_epu32(x_high, y), _mm512_srli_epi64(_mm512_mul_epu32(x, y), 32));
  const vector second = _mm512_add_epi64(_mm512_mul_epu32(x, y_high), _mm512_and_si512(first, low));
  return _mm512_add_epi64(_mm512_mul_epu32(x_high, y_high),
                          _mm512_add_epi64(_mm512_srli_epi64(first, 32), _mm512_srli_epi64(second, 32)));
}

/* Each estimate is too small by at most 2^-49 of itself, so the first leaves at most 2^15 + y, which the
 * second brings below 2 y. */
static inline vector quotient(vector x, vector y) {
  const __m512d reciprocal = _mm512_div_pd(_mm512_set1_pd(1 - 0x1p-50), _mm512_cvtepu64_pd(y));
  const vector first = _mm512_cvttpd_epu64(_mm512_mul_pd(_mm512_cvtepu64_pd(x), reciprocal));
  x = _mm512_sub_epi64(x, low_product(first, y));
  const vector second = _mm512_cvttpd_epu64(_mm512_mul_pd(_mm512_cvtepu64_pd(x), reciprocal));
  x = _mm512_sub_epi64(x, low_product(second, y));
  const vector both = _mm512_add_epi64(first, second);
  return _mm512_mask_add_epi64(both, _mm512_cmpge_epu64_mask(x, y), both, _mm512_set1_epi64(1));
}

static inline vector multiplied(vector x, struct multiplier_64 m) {
  const vector upper = high_product(x, _mm512_set1_epi64((int64_t)m.multiplier));
  const vector rest = _mm512_srl_epi64(_mm512_sub_epi64(x, upper), _mm_cvtsi32_si128(m.shift1));
  return _mm512_srl_epi64(_mm512_add_epi64(upper, rest), _mm_cvtsi32_si128(m.shift2));
}

/* Items of any stride; those that `lanes` does not have are 0 and not touched. */
static inline vector load(const char *p, int64_t stride, __mmask8 lanes) {
  if (stride == sizeof(int64_t))
    return _mm512_maskz_loadu_epi64(lanes, p);
  const vector steps =
      _mm512_setr_epi64(0, stride, 2 * stride, 3 * stride, 4 * stride, 5 * stride, 6 * stride, 7 * stride);
  return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes, steps, p, 1);
}

static inline void store(char *p, int64_t stride, __mmask8 lanes, vector v) {
  const vector steps =
      _mm512_setr_epi64(0, stride, 2 * stride, 3 * stride, 4 * stride, 5 * stride, 6 * stride, 7 * stride);
  if (stride == sizeof(int64_t))
    _mm512_mask_storeu_epi64(p, lanes, v);
  else
    _mm512_mask_i64scatter_epi64(p, lanes, steps, v, 1);
}

/* One vector: floored quotients, or remainders; m is NULL or the multiplier of all divisors. */
static inline vector divide(vector x, vector y, const struct multiplier_64 *m, int is_signed, int remainder) {
  const vector zero = _mm512_setzero_si512(), ones = _mm512_set1_epi64(-1);
  const __mmask8 some = _mm512_test_epi64_mask(y, y);
  __mmask8 negative = 0, flip = 0;
  if (is_signed) {
    negative = _mm512_movepi64_mask(y);
    flip = (__mmask8)((negative & _mm512_cmpgt_epi64_mask(x, zero)) | (~negative & _mm512_movepi64_mask(x)));
  }
  vector size = _mm512_mask_sub_epi64(y, negative, zero, y);
  size = _mm512_mask_mov_epi64(_mm512_set1_epi64(1), some, size);
  vector dividend = _mm512_mask_sub_epi64(x, negative, zero, x);
  dividend = _mm512_mask_xor_epi64(dividend, flip, dividend, ones);
  vector q = m ? multiplied(dividend, *m) : quotient(dividend, size);
  q = _mm512_mask_xor_epi64(q, flip, q, ones);
  return _mm512_maskz_mov_epi64(some, remainder ? _mm512_sub_epi64(x, low_product(q, y)) : q);
}

static inline __attribute__((always_inline)) unsigned divide_all(int64_t n, char *const ptr[],
                                                                 const int64_t stride[], int is_signed,
                                                                 int remainder) {
  const int by_one = stride[1] == 0 && n >= SCALAR_FROM;
  struct multiplier_64 m = {0};
  vector y = _mm512_setzero_si512();
  if (by_one) {
    typedef uint64_t KERNEL_ALIAS item;
    const uint64_t divisor = *(const item *)ptr[1];
    y = _mm512_set1_epi64((int64_t)divisor);
    m = multiplier_64(divisor == 0 ? 1 : is_signed && divisor >> 63 ? -divisor : divisor);
  }
  for (int64_t i = 0; i < n; i += LANES) {
    const __mmask8 lanes = n - i < LANES ? (__mmask8)((1u << (n - i)) - 1) : 0xFF;
    const vector x = load(ptr[0] + i * stride[0], stride[0], lanes);
    if (!by_one)
      y = load(ptr[1] + i * stride[1], stride[1], lanes);
    store(ptr[2] + i * stride[2], stride[2], lanes, divide(x, y, by_one ? &m : NULL, is_signed, remainder));
  }
  return 0;
}

/* X(OP, NAME, is it signed, is it the remainder) */
#define DIVISION_LIST(X)        \
  X(FLOOR_DIVIDE, INT64, 1, 0)  \
  X(FLOOR_DIVIDE, UINT64, 0, 0) \
  X(REMAINDER, INT64, 1, 1)     \
  X(REMAINDER, UINT64, 0, 1)

#define X(OP, NAME, IS_SIGNED, REMAINDER)                                             \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    return divide_all(n, ptr, stride, IS_SIGNED, REMAINDER);                          \
  }
DIVISION_LIST(X)
#undef X
#else
#define DIVISION_LIST(X) {NULL},
#endif

const kernel_map_fn KERNEL_NAME(kernels_divide_wide)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
#define X(OP, NAME, IS_SIGNED, REMAINDER) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
    DIVISION_LIST(X)
#undef X
};
