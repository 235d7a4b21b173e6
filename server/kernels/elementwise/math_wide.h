/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the families of mathematics: log and pow for AVX-512, where NumPy's are faster than any library's.
 * (libmvec's pow takes 1.6 times as long in double and 2.7 times in float.) At most 1.5 ULP, as measured.
 *
 * Logarithm: x = 2^k m with m in [0.75, 1.5); the first four bits of m's mantissa choose c near 1 / m from a
 * table that fits two registers. c has so few bits that r = cm - 1, |r| <= 1/16, is exact. Then log x =
 * k log 2 - log c + log(1 + r), the last as a polynomial, interpolated at Chebyshev's points. Near x = 1, c
 * is 1 and k is 0, so that nothing cancels. Exponential: z = n log 2 / 16 + s, e^z = 2^(n / 16) e^s, with
 * 2^(n / 16) from a table again.
 *
 * pow needs y log x to some 12 bits more than a double has; as in glibc's pow, the logarithm is a sum high +
 * low whose first terms are added without error.
 *
 * Zeros, infinities, NaN, and for pow exponents beyond 2^31 (2^14 for float), are left to libm, one by one.
 */
#ifndef NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_WIDE_H
#define NUMD_SERVER_KERNELS_ELEMENTWISE_MATH_WIDE_H

#include <immintrin.h>
#include <math.h>

#define WIDE_TABLE static const double __attribute__((aligned(64)))

/* c, and -log c in two parts, the first a multiple of 2^-43. So is the first part of log 2: their sum is
 * exact. */
WIDE_TABLE wide_c[16] = {0x1p+0,   0x1.dp-1, 0x1.cp-1, 0x1.ap-1, 0x1.9p-1, 0x1.8p-1, 0x1.7p-1, 0x1.6p-1,
                         0x1.5p+0, 0x1.4p+0, 0x1.3p+0, 0x1.3p+0, 0x1.2p+0, 0x1.1p+0, 0x1.1p+0, 0x1p+0};
WIDE_TABLE wide_log_c[16] = {
    0,
    0x1.9335e5d594p-4,
    0x1.1178e8227ep-3,
    0x1.a93ed3c8aep-3,
    0x1.f991c6cb3bp-3,
    0x1.269621134d8p-2,
    0x1.522ae0738ap-2,
    0x1.7fafa3bd818p-2,
    -0x1.1675cababa8p-2,
    -0x1.c8ff7c79aap-3,
    -0x1.5ff3070a79p-3,
    -0x1.5ff3070a79p-3,
    -0x1.e27076e2bp-4,
    -0x1.f0a30c01180p-5,
    -0x1.f0a30c01180p-5,
    0,
};
WIDE_TABLE wide_log_c_low[16] = {
    0,
    0x1.3115c3abd47dap-45,
    0x1.1ef78ce2d07f2p-45,
    -0x1.8724350562169p-45,
    0x1.bcbecca0cdf30p-46,
    0x1.c93c1df5bb3b6p-45,
    0x1.ebe708164c759p-45,
    -0x1.72090c812566ap-45,
    0x1.f1fc63382a8f0p-46,
    0x1.7794f689f8434p-45,
    -0x1.e9e439f105039p-46,
    -0x1.e9e439f105039p-46,
    0x1.a342c2af0003cp-45,
    0x1.d599e83368e91p-45,
    0x1.d599e83368e91p-45,
    0,
};
#define WIDE_LOG2 0x1.62e42fefa38p-1
#define WIDE_LOG2_LOW 0x1.ef35793c76730p-45

/* 2^(j / 16) */
WIDE_TABLE wide_exp2[16] = {
    0x1p+0,
    0x1.0b5586cf9890fp+0,
    0x1.172b83c7d517bp+0,
    0x1.2387a6e756238p+0,
    0x1.306fe0a31b715p+0,
    0x1.3dea64c123422p+0,
    0x1.4bfdad5362a27p+0,
    0x1.5ab07dd485429p+0,
    0x1.6a09e667f3bcdp+0,
    0x1.7a11473eb0187p+0,
    0x1.8ace5422aa0dbp+0,
    0x1.9c49182a3f090p+0,
    0x1.ae89f995ad3adp+0,
    0x1.c199bdd85529cp+0,
    0x1.d5818dcfba487p+0,
    0x1.ea4afa2a490dap+0,
};
#define WIDE_LOG2_16TH 0x1.62e42fef8p-5
#define WIDE_LOG2_16TH_LOW 0x1.1cf79abc9e3b4p-40
#define WIDE_16_LOG2TH 0x1.71547652b82fep+4

/* (log(1 + r) - r) / r^2 with an error of 2^-52.5, and (log(1 + r) - r + r^2 / 2) / r^3 of
 * 2^-57.7 */
static const double wide_log_terms[] = {
    -0.5,
    0x1.5555555555558p-2,
    -0x1.ffffffffef31bp-3,
    0x1.999999998a15ep-3,
    -0x1.555555dbbb916p-3,
    0x1.249249a0a4b28p-3,
    -0x1.fffd0ff2d78edp-4,
    0x1.c719bb8562ff5p-4,
    -0x1.9cf398ff25446p-4,
    0x1.777523017d7f2p-4,
};
static const double wide_log_long[] = {
    0x1.5555555555555p-2, -0x1.000000000000dp-2, 0x1.99999999999b1p-3, -0x1.55555555359cfp-3,
    0x1.2492492474ad8p-3, -0x1.000000b18e53bp-3, 0x1.c71c731292cc7p-4, -0x1.99966ea241e58p-4,
    0x1.745a225211b31p-4, -0x1.587ebdc1f67bdp-4, 0x1.3e072d825a166p-4,
};
/* (e^s - 1 - s) / s^2 with an error of 2^-53.5 */
static const double wide_exp_terms[] = {
    0.5,
    0x1.5555555555556p-3,
    0x1.55555554e9468p-5,
    0x1.11111110e10a8p-7,
    0x1.6c17ed4cc4834p-10,
    0x1.a01b0c2edab7cp-13,
};
#define WIDE_MAX_TERMS 11
#define WIDE_POLYNOMIAL(terms, x) wide_polynomial((int)(sizeof(terms) / sizeof((terms)[0])), terms, x)

/* By Estrin's scheme: half the terms at a time, in the square, the fourth power, ... of x. */
#define DEFINE_WIDE_POLYNOMIAL(name, item, vector, suffix)                                      \
  static inline vector name(int n, const item *terms, vector x) {                               \
    vector v[(WIDE_MAX_TERMS + 1) / 2];                                                         \
    for (int i = 0; 2 * i < n; i++)                                                             \
      v[i] = 2 * i + 1 == n ? _mm512_set1_##suffix(terms[2 * i])                                \
                            : _mm512_fmadd_##suffix(_mm512_set1_##suffix(terms[2 * i + 1]), x,  \
                                                    _mm512_set1_##suffix(terms[2 * i]));        \
    for (int left = (n + 1) / 2; left > 1; left = (left + 1) / 2) {                             \
      x = _mm512_mul_##suffix(x, x);                                                            \
      for (int i = 0; 2 * i < left; i++)                                                        \
        v[i] = 2 * i + 1 == left ? v[2 * i] : _mm512_fmadd_##suffix(v[2 * i + 1], x, v[2 * i]); \
    }                                                                                           \
    return v[0];                                                                                \
  }
DEFINE_WIDE_POLYNOMIAL(wide_polynomial, double, __m512d, pd)
DEFINE_WIDE_POLYNOMIAL(wide_polynomialf, float, __m512, ps)

static inline __m512d wide_look_up(const double *table, __m512i index) {
  return _mm512_permutex2var_pd(_mm512_load_pd(table), index, _mm512_load_pd(table + 8));
}

/* What log x is the sum of: high, exact; low; and log(1 + r). x is positive and finite. */
struct wide_log {
  __m512d high, low, r;
};

static inline struct wide_log wide_log_parts(__m512d x) {
  const __m512d one = _mm512_set1_pd(1), m = _mm512_getmant_pd(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  __m512d k = _mm512_getexp_pd(x);
  k = _mm512_mask_add_pd(k, _mm512_cmp_pd_mask(m, one, _CMP_LT_OQ), k, one);
  const __m512i index = _mm512_srli_epi64(_mm512_castpd_si512(m), 48);
  return (struct wide_log){
      .high = _mm512_fmadd_pd(k, _mm512_set1_pd(WIDE_LOG2), wide_look_up(wide_log_c, index)),
      .low = _mm512_fmadd_pd(k, _mm512_set1_pd(WIDE_LOG2_LOW), wide_look_up(wide_log_c_low, index)),
      .r = _mm512_fmsub_pd(m, wide_look_up(wide_c, index), one),
  };
}

/* e^(z + low) for tiny low. */
static inline __m512d wide_exp(__m512d z, __m512d low) {
  const __m512d round = _mm512_set1_pd(0x1.8p52); /* its last bits are then those of the integer */
  z = _mm512_max_pd(_mm512_min_pd(z, _mm512_set1_pd(2000)), _mm512_set1_pd(-2000));
  const __m512d shifted = _mm512_fmadd_pd(z, _mm512_set1_pd(WIDE_16_LOG2TH), round);
  const __m512d n = _mm512_sub_pd(shifted, round);
  const __m512d scale = wide_look_up(wide_exp2, _mm512_castpd_si512(shifted));
  __m512d s = _mm512_fnmadd_pd(n, _mm512_set1_pd(WIDE_LOG2_16TH), z);
  s = _mm512_add_pd(_mm512_fnmadd_pd(n, _mm512_set1_pd(WIDE_LOG2_16TH_LOW), s), low);
  const __m512d tail = _mm512_mul_pd(_mm512_mul_pd(s, s), WIDE_POLYNOMIAL(wide_exp_terms, s));
  const __m512d v = _mm512_fmadd_pd(scale, _mm512_add_pd(s, tail), scale);
  return _mm512_scalef_pd(v, _mm512_mul_pd(n, _mm512_set1_pd(0x1p-4)));
}

#define WIDE_NAN 0x81
#define WIDE_ZERO 0x06
#define WIDE_INFINITE 0x18
#define WIDE_NEGATIVE 0x40 /* finite ones */

static __attribute__((noinline)) __m512d wide_log_odd(__m512d x, __m512d v, __mmask8 odd) {
  double xs[8], out[8];
  _mm512_storeu_pd(xs, x);
  _mm512_storeu_pd(out, v);
  for (int i = 0; i < 8; i++)
    out[i] = odd >> i & 1 ? log(xs[i]) : out[i];
  return _mm512_loadu_pd(out);
}

static inline __m512d wide_log(__m512d x) {
  const struct wide_log l = wide_log_parts(x);
  const __m512d square = _mm512_mul_pd(l.r, l.r);
  const __m512d rest = _mm512_fmadd_pd(square, WIDE_POLYNOMIAL(wide_log_terms, l.r), l.low);
  const __m512d v = _mm512_add_pd(l.high, _mm512_add_pd(l.r, rest));
  const __mmask8 odd = _mm512_fpclass_pd_mask(x, WIDE_NAN | WIDE_ZERO | WIDE_INFINITE | WIDE_NEGATIVE);
  return odd ? wide_log_odd(x, v, odd) : v;
}

/* Gives powers v of |x| the sign that those of x have: NaN if y is no integer. |y| < 2^31. */
static inline __m512d wide_sign(__mmask8 negative, __m512d y, __m512d v) {
  const __m512i integer = _mm512_cvtpd_epi64(y);
  const __mmask8 fraction = _mm512_cmp_pd_mask(_mm512_cvtepi64_pd(integer), y, _CMP_NEQ_UQ);
  const __m512i sign = _mm512_slli_epi64(integer, 63);
  v = _mm512_mask_xor_pd(v, negative, v, _mm512_castsi512_pd(sign));
  return _mm512_mask_mov_pd(v, negative & fraction, _mm512_set1_pd(NAN));
}

static __attribute__((noinline)) __m512d wide_pow_odd(__m512d x, __m512d y, __m512d v, __mmask8 odd) {
  double xs[8], ys[8], out[8];
  _mm512_storeu_pd(xs, x);
  _mm512_storeu_pd(ys, y);
  _mm512_storeu_pd(out, v);
  for (int i = 0; i < 8; i++)
    out[i] = odd >> i & 1 ? pow(xs[i], ys[i]) : out[i];
  return _mm512_loadu_pd(out);
}

static inline __m512d wide_pow(__m512d x, __m512d y) {
  const struct wide_log l = wide_log_parts(_mm512_abs_pd(x));
  const __m512d half = _mm512_mul_pd(l.r, _mm512_set1_pd(-.5)), square = _mm512_mul_pd(l.r, half);
  const __m512d cube = _mm512_mul_pd(_mm512_mul_pd(l.r, l.r), l.r);
  /* high + r - r^2 / 2 with their rounding errors */
  const __m512d sum = _mm512_add_pd(l.high, l.r), sum2 = _mm512_add_pd(sum, square);
  const __m512d low1 = _mm512_add_pd(_mm512_sub_pd(l.high, sum), l.r);
  const __m512d low2 = _mm512_fmsub_pd(half, l.r, square);
  const __m512d low3 = _mm512_add_pd(_mm512_sub_pd(sum, sum2), square);
  const __m512d rest = _mm512_mul_pd(cube, WIDE_POLYNOMIAL(wide_log_long, l.r));
  const __m512d lows = _mm512_add_pd(_mm512_add_pd(l.low, low1), _mm512_add_pd(low2, low3));
  const __m512d high = _mm512_add_pd(sum2, rest);
  const __m512d low = _mm512_add_pd(_mm512_add_pd(_mm512_sub_pd(sum2, high), rest), lows);
  const __m512d z = _mm512_mul_pd(y, high);
  const __m512d z_low = _mm512_fmadd_pd(y, low, _mm512_fmsub_pd(y, high, z));
  __m512d v = wide_exp(z, z_low);
  const __mmask8 negative = _mm512_fpclass_pd_mask(x, WIDE_NEGATIVE);
  const __mmask8 odd = _mm512_fpclass_pd_mask(x, WIDE_NAN | WIDE_ZERO | WIDE_INFINITE) |
                       _mm512_cmp_pd_mask(_mm512_abs_pd(y), _mm512_set1_pd(0x1p31), _CMP_NLT_UQ);
  if (negative)
    v = wide_sign(negative, y, v);
  return odd ? wide_pow_odd(x, y, v, odd) : v;
}

/* The same for floats, sixteen at once: a table of 32, and logarithms to base 2. */
#define WIDE_FLOATS static const float __attribute__((aligned(64)))

/* c, and -log2 c in two parts, the first a multiple of 2^-15: k + it is exact. */
WIDE_FLOATS wide_cf[32] = {0x1p+0f,   0x1.e8p-1f, 0x1.d8p-1f, 0x1.dp-1f,  0x1.cp-1f,  0x1.b8p-1f, 0x1.a8p-1f,
                           0x1.ap-1f, 0x1.98p-1f, 0x1.88p-1f, 0x1.8p-1f,  0x1.78p-1f, 0x1.7p-1f,  0x1.68p-1f,
                           0x1.6p-1f, 0x1.58p-1f, 0x1.5p+0f,  0x1.48p+0f, 0x1.48p+0f, 0x1.4p+0f,  0x1.38p+0f,
                           0x1.3p+0f, 0x1.3p+0f,  0x1.28p+0f, 0x1.2p+0f,  0x1.2p+0f,  0x1.18p+0f, 0x1.1p+0f,
                           0x1.1p+0f, 0x1.08p+0f, 0x1.08p+0f, 0x1p+0f};
WIDE_FLOATS wide_log2_cf[32] = {0,
                                0x1.1bcp-4f,
                                0x1.e0cp-4f,
                                0x1.22ep-3f,
                                0x1.8a9p-3f,
                                0x1.bfcp-3f,
                                0x1.16ap-2f,
                                0x1.32cp-2f,
                                0x1.4f7p-2f,
                                0x1.8a88p-2f,
                                0x1.a9p-2f,
                                0x1.c818p-2f,
                                0x1.e7ep-2f,
                                0x1.042cp-1f,
                                0x1.14c4p-1f,
                                0x1.25cp-1f,
                                -0x1.91b8p-2f,
                                -0x1.6e2p-2f,
                                -0x1.6e2p-2f,
                                -0x1.49a8p-2f,
                                -0x1.244p-2f,
                                -0x1.fbcp-3f,
                                -0x1.fbcp-3f,
                                -0x1.acfp-3f,
                                -0x1.5cp-3f,
                                -0x1.5cp-3f,
                                -0x1.08cp-3f,
                                -0x1.664p-4f,
                                -0x1.664p-4f,
                                -0x1.6bcp-5f,
                                -0x1.6bcp-5f,
                                0};
WIDE_FLOATS wide_log2_cf_low[32] = {0,
                                    -0x1.9ab4p-17f,
                                    -0x1.ca2e1ap-17f,
                                    -0x1.48f554p-17f,
                                    -0x1.9fd502p-17f,
                                    0x1.9eap-17f,
                                    -0x1.fd64ep-17f,
                                    -0x1.1c8f12p-22f,
                                    -0x1.134c4ep-20f,
                                    0x1.80abfcp-18f,
                                    -0x1.a39fbep-20f,
                                    0x1.dc2d46p-18f,
                                    -0x1.40358ep-19f,
                                    -0x1.5a32c2p-20f,
                                    0x1.60fe68p-17f,
                                    0x1.408c78p-18f,
                                    -0x1.d448f8p-17f,
                                    -0x1.0e6ce8p-17f,
                                    -0x1.0e6ce8p-17f,
                                    0x1.ed0cbap-20f,
                                    -0x1.eac382p-20f,
                                    -0x1.6b9026p-19f,
                                    -0x1.6b9026p-19f,
                                    -0x1.78b6d4p-17f,
                                    -0x1.a39fbep-19f,
                                    -0x1.a39fbep-19f,
                                    -0x1.62336ap-17f,
                                    0x1.20a6dep-21f,
                                    0x1.20a6dep-21f,
                                    0x1.2c8a72p-17f,
                                    0x1.2c8a72p-17f,
                                    0};
#define WIDE_LOG2E 0x1.715476p+0f
#define WIDE_LOG2E_LOW 0x1.4ae0cp-26f

/* -2 (log(1 + r) - r + r^2 / 2) / r^3 with an error of 2^-24.7, (2^s - 1) / s of 2^-26.9 */
static const float wide_logf_terms[] = {-0x1.555554p-1f, 0x1.fffffep-2f, -0x1.99e2cap-2f, 0x1.55956p-2f};
static const float wide_exp2f_terms[] = {0x1.62e43p-1f,  0x1.ebfbep-3f,  0x1.c6af6cp-5f,
                                         0x1.3b2a54p-7f, 0x1.5f089p-10f, 0x1.44138ap-13f};

#define WIDE_POLYNOMIALF(terms, x) wide_polynomialf((int)(sizeof(terms) / sizeof((terms)[0])), terms, x)

static inline __m512 wide_look_upf(const float *table, __m512i index) {
  return _mm512_permutex2var_ps(_mm512_load_ps(table), index, _mm512_load_ps(table + 16));
}

struct wide_sumf {
  __m512 high, low;
};

/* log2 x of a positive and finite x, to 2^-34 or so. */
static inline struct wide_sumf wide_log2f(__m512 x) {
  const __m512 one = _mm512_set1_ps(1), log2e = _mm512_set1_ps(WIDE_LOG2E);
  const __m512 m = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  __m512 k = _mm512_getexp_ps(x);
  k = _mm512_mask_add_ps(k, _mm512_cmp_ps_mask(m, one, _CMP_LT_OQ), k, one);
  const __m512i index = _mm512_srli_epi32(_mm512_castps_si512(m), 18);
  const __m512 r = _mm512_fmsub_ps(m, wide_look_upf(wide_cf, index), one);
  /* u = r - r^2 / 2 and its rounding errors; log(1 + r) = u + low */
  const __m512 half = _mm512_mul_ps(r, _mm512_set1_ps(-.5f)), square = _mm512_mul_ps(r, half);
  const __m512 u = _mm512_add_ps(r, square);
  const __m512 low1 = _mm512_add_ps(_mm512_sub_ps(r, u), square), low2 = _mm512_fmsub_ps(half, r, square);
  const __m512 cube = _mm512_mul_ps(square, r);
  const __m512 low = _mm512_fmadd_ps(cube, WIDE_POLYNOMIALF(wide_logf_terms, r), _mm512_add_ps(low1, low2));
  /* k - log2 c + (u + low) log2 e */
  const __m512 p = _mm512_mul_ps(u, log2e), high = _mm512_add_ps(k, wide_look_upf(wide_log2_cf, index));
  __m512 p_low = _mm512_fmadd_ps(u, _mm512_set1_ps(WIDE_LOG2E_LOW), _mm512_fmsub_ps(u, log2e, p));
  p_low = _mm512_add_ps(_mm512_fmadd_ps(low, log2e, p_low), wide_look_upf(wide_log2_cf_low, index));
  const __m512 sum = _mm512_add_ps(high, p);
  return (struct wide_sumf){sum, _mm512_add_ps(_mm512_add_ps(_mm512_sub_ps(high, sum), p), p_low)};
}

/* 2^(z + low) for tiny low. */
static inline __m512 wide_exp2f(__m512 z, __m512 low) {
  const __m512 round = _mm512_set1_ps(0x1.8p23f);
  z = _mm512_max_ps(_mm512_min_ps(z, _mm512_set1_ps(400)), _mm512_set1_ps(-400));
  const __m512 n = _mm512_sub_ps(_mm512_add_ps(z, round), round);
  const __m512 s = _mm512_add_ps(_mm512_sub_ps(z, n), low);
  return _mm512_scalef_ps(_mm512_fmadd_ps(s, WIDE_POLYNOMIALF(wide_exp2f_terms, s), _mm512_set1_ps(1)), n);
}

static __attribute__((noinline)) __m512 wide_powf_odd(__m512 x, __m512 y, __m512 v, __mmask16 odd) {
  float xs[16], ys[16], out[16];
  _mm512_storeu_ps(xs, x);
  _mm512_storeu_ps(ys, y);
  _mm512_storeu_ps(out, v);
  for (int i = 0; i < 16; i++)
    out[i] = odd >> i & 1 ? powf(xs[i], ys[i]) : out[i];
  return _mm512_loadu_ps(out);
}

static inline __m512 wide_signf(__mmask16 negative, __m512 y, __m512 v) {
  const __m512i integer = _mm512_cvtps_epi32(y);
  const __mmask16 fraction = _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(integer), y, _CMP_NEQ_UQ);
  v = _mm512_mask_xor_ps(v, negative, v, _mm512_castsi512_ps(_mm512_slli_epi32(integer, 31)));
  return _mm512_mask_mov_ps(v, negative & fraction, _mm512_set1_ps(NAN));
}

static inline __m512 wide_powf(__m512 x, __m512 y) {
  const struct wide_sumf l = wide_log2f(_mm512_abs_ps(x));
  const __m512 z = _mm512_mul_ps(y, l.high);
  __m512 v = wide_exp2f(z, _mm512_fmadd_ps(y, l.low, _mm512_fmsub_ps(y, l.high, z)));
  const __mmask16 negative = _mm512_fpclass_ps_mask(x, WIDE_NEGATIVE);
  const __mmask16 odd = _mm512_fpclass_ps_mask(x, WIDE_NAN | WIDE_ZERO | WIDE_INFINITE) |
                        _mm512_cmp_ps_mask(_mm512_abs_ps(y), _mm512_set1_ps(0x1p14f), _CMP_NLT_UQ);
  if (negative)
    v = wide_signf(negative, y, v);
  return odd ? wide_powf_odd(x, y, v, odd) : v;
}

#endif
