/* What the tests of the kernels share: random items of every dtype, and loops over the lengths and the
 * instruction sets to test. */
#ifndef NUMD_TESTS_KERNELS_H
#define NUMD_TESTS_KERNELS_H

#include <math.h>
#include <string.h>

#include "server/kernels/kernels.h"
#include "tests/unit/random.h"

#define GUARD 0xA5 /* in memory that a kernel must not write */

static inline double uniform(double low, double high) {
  return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

static const double specials[] = {0.,
                                  -0.,
                                  INFINITY,
                                  -INFINITY,
                                  NAN,
                                  1.,
                                  -1.,
                                  2.,
                                  -2.,
                                  .5,
                                  -.5,
                                  3.,
                                  -3.,
                                  4.,
                                  5e-324,
                                  -5e-324,
                                  1e-310,
                                  0x1p-149,
                                  1e-40,
                                  0x1p-1022,
                                  1e300,
                                  -1e300,
                                  1e308,
                                  -1e308,
                                  1e22,
                                  0x1p31,
                                  -0x1p31,
                                  0x1p63,
                                  -0x1p63,
                                  0x1p53,
                                  709.78,
                                  709.79,
                                  -745.13,
                                  -745.14,
                                  -708.4,
                                  88.72,
                                  88.73,
                                  -103.97,
                                  -103.98,
                                  -87.34,
                                  20.,
                                  -20.,
                                  1e-8,
                                  1.2e-16,
                                  6e-8,
                                  0x1.fffffffffffffp1023,
                                  -0x1.fffffffffffffp1023,
                                  0x1.fffffep127,
                                  0x1.fffffffffffffp-1,
                                  2147483647.5,
                                  -2147483648.5,
                                  4503599627370497.,
                                  9007199254740993.,
                                  1023.,
                                  1024.,
                                  -1074.,
                                  -1075.,
                                  1e15};
#define N_SPECIALS ((int)(sizeof(specials) / sizeof(specials[0])))

static inline double random_real(bool narrow) {
  uint64_t bits = random_bits();
  double x;
  switch (random_below(6)) {
    case 0:
      return specials[random_below(N_SPECIALS)];
    case 1:
      if (narrow) {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof(f));
        return (double)f;
      }
      memcpy(&x, &bits, sizeof(x));
      return x;
    case 2:
      return narrow ? uniform(-110, 110) : uniform(-750, 750);
    case 3:
      return ldexp(uniform(-1, 1), -random_below(60));
    case 4:
      return random_below(41) - 20;
    default:
      return uniform(-10, 10);
  }
}

static inline int64_t random_integer(int bits) {
  const int64_t least = bits == 32 ? INT32_MIN : INT64_MIN;
  const int64_t edges[] = {0, 1, -1, 2, least, least + 1, -(least + 1)};
  int kind = random_below(3);
  return kind == 0 ? edges[random_below(7)] : kind == 1 ? random_below(20) - 5 : (int64_t)random_bits();
}

static inline void random_item(numd_dtype dtype, char *out) {
  switch (dtype) {
    case NUMD_BOOL:
      *(uint8_t *)out = (uint8_t)(random_below(2) ? 0 : random_bits());
      return;
    case NUMD_INT32:
      *(int32_t *)out = (int32_t)random_integer(32);
      return;
    case NUMD_INT64:
      *(int64_t *)out = random_integer(64);
      return;
    case NUMD_FLOAT32:
      *(float *)out = (float)random_real(true);
      return;
    case NUMD_FLOAT64:
      *(double *)out = random_real(false);
      return;
    default:
      ck_abort_msg("random_item: teach it %s", dtype_rows[dtype].name);
  }
}

static inline double as_double(numd_dtype dtype, const char *item) {
  switch (dtype) {
    case NUMD_BOOL:
      return *(const uint8_t *)item;
    case NUMD_INT32:
      return *(const int32_t *)item;
    case NUMD_INT64:
      return (double)*(const int64_t *)item;
    case NUMD_FLOAT32:
      return (double)*(const float *)item;
    default:
      return *(const double *)item;
  }
}

/* The same bits, or both NaN. */
static inline bool same(numd_dtype dtype, const char *a, const char *b) {
  if (dtype_rows[dtype].kind == 'f' && isnan(as_double(dtype, a)) && isnan(as_double(dtype, b)))
    return true;
  return memcmp(a, b, dtype_rows[dtype].size) == 0;
}

/* Whether plain C and the vectors may differ, by the row's bound. */
static inline bool approximate(numd_op op, numd_dtype dtype) {
  return op_rows[op].ulp == 1 && dtype_rows[dtype].kind == 'f';
}

/* The error of a result in units in the last place of the exact one. */
static inline double ulps(numd_dtype dtype, double got, long double exact) {
  const int digits = dtype == NUMD_FLOAT32 ? 24 : 53, least = dtype == NUMD_FLOAT32 ? -149 : -1074;
  const double rounded = dtype == NUMD_FLOAT32 ? (double)(float)exact : (double)exact;
  if (isnan(rounded) || isnan(got))
    return isnan(rounded) && isnan(got) ? 0 : INFINITY;
  if (isinf(rounded) || isinf(got))
    return rounded == got ? 0 : INFINITY;
  if (rounded == 0 && got == 0)
    return signbit(rounded) == signbit(got) ? 0 : INFINITY;
  int exponent;
  frexpl(exact, &exponent);
  const int unit = exponent - digits < least ? least : exponent - digits;
  return (double)(fabsl((long double)got - exact) / ldexpl(1, unit));
}

static const int lengths[] = {127, 128, 129, 1000};

/* Calls `check` for every length in the list of lengths: 0 to 67 and the ones above. */
#define FOR_LENGTHS(n)                                                                                 \
  for (int64_t length_index = 0, n;                                                                    \
       length_index < 72 && (n = length_index < 68 ? length_index : lengths[length_index - 68], true); \
       length_index++)

static const char *choose(int index) {
  const char *name = kernels_isa_names[index];
  return name && kernels_init(name) == 0 ? name : NULL;
}

#define FOR_VARIANTS(name)                                                       \
  for (int variant_index = 0; kernels_isa_names[variant_index]; variant_index++) \
    for (const char *name = choose(variant_index); name; name = NULL)

#endif
