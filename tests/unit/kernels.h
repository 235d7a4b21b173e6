/* SPDX-License-Identifier: BSD-3-Clause */
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
        return isnan(f) ? NAN : (double)f; /* no signalling NaN: pow may make NaN^0 NaN of one */
      }
      memcpy(&x, &bits, sizeof(x));
      return isnan(x) ? NAN : x;
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

/* An integer of so many bits (the upper ones of a narrow one are to be cut off): an edge of its range, a
 * small one or any. */
static inline int64_t random_integer(int bits) {
  const int64_t least = (int64_t)(~UINT64_C(0) << (bits - 1));
  const int64_t edges[] = {0, 1, -1, 2, least, least + 1, -(least + 1), bits, bits - 1, -bits};
  int kind = random_below(3);
  return kind == 0 ? edges[random_below(10)] : kind == 1 ? random_below(20) - 5 : (int64_t)random_bits();
}

static inline void random_item(numd_dtype dtype, char *out) {
  const struct numd_dtype_info *row = &dtype_rows[dtype];
  const bool narrow = row->size == (row->kind == 'c' ? 8 : 4);
  uint64_t bits;
  switch (row->kind) {
    case 'b':
      *(uint8_t *)out = (uint8_t)(random_below(2) ? 0 : random_bits());
      return;
    case 'i':
    case 'u':
      bits = (uint64_t)random_integer(row->size * 8);
      memcpy(out, &bits, row->size); /* little-endian, as all of numd */
      return;
    default:
      for (int i = 0; i < (row->kind == 'c' ? 2 : 1); i++) {
        const double x = random_real(narrow);
        if (narrow)
          ((float *)out)[i] = (float)x;
        else
          ((double *)out)[i] = x;
      }
  }
}

/* The C type of an item, or of a part of a complex one. */
#define PART_TYPE(ctype) \
  __typeof__(_Generic(*(ctype *)NULL, numd_complex64 : 0.f, numd_complex128 : 0., default : *(ctype *)NULL))

/* The item, or the real part of a complex one. */
static inline double as_double(numd_dtype dtype, const char *item) {
  switch (dtype) {
#define X(number, NAME, name, ctype, kind, npchar) \
  case NUMD_##NAME:                                \
    return (double)*(const PART_TYPE(ctype) *)item;
    NUMD_DTYPE_LIST(X)
#undef X
    default:
      ck_abort_msg("as_double: no dtype %d", (int)dtype);
  }
}

/* The imaginary part; 0 of an item that is not complex. */
static inline double as_imaginary(numd_dtype dtype, const char *item) {
  if (dtype_rows[dtype].kind != 'c')
    return 0;
  return as_double(dtype, item + dtype_rows[dtype].size / 2);
}

/* Stores a value; the imaginary part counts for complex dtypes only. The dtype must hold it. */
static inline void from_double(numd_dtype dtype, double real, double imag, char *item) {
  switch (dtype) {
#define X(number, NAME, name, ctype, kind, npchar)      \
  case NUMD_##NAME:                                     \
    *(PART_TYPE(ctype) *)item = (PART_TYPE(ctype))real; \
    break;
    NUMD_DTYPE_LIST(X)
#undef X
    default:
      ck_abort_msg("from_double: no dtype %d", (int)dtype);
  }
  if (dtype == NUMD_COMPLEX64)
    ((float *)item)[1] = (float)imag;
  if (dtype == NUMD_COMPLEX128)
    ((double *)item)[1] = imag;
}

/* The same bits, or both NaN; of complex numbers in each part. */
static inline bool same(numd_dtype dtype, const char *a, const char *b) {
  const struct numd_dtype_info *row = &dtype_rows[dtype];
  const numd_dtype part = dtype_part(dtype);
  const int size = dtype_rows[part].size;
  if (row->kind != 'f' && row->kind != 'c')
    return memcmp(a, b, row->size) == 0;
  for (int at = 0; at < row->size; at += size)
    if (memcmp(a + at, b + at, (size_t)size) != 0 &&
        !(isnan(as_double(part, a + at)) && isnan(as_double(part, b + at))))
      return false;
  return true;
}

/* Whether plain C and the vectors may differ: where a library computes on one side. */
static inline bool approximate(numd_op op, numd_dtype dtype) {
  const char kind = dtype_rows[dtype].kind;
  const bool composed = op == NUMD_OP_ABS || op == NUMD_OP_SQRT;
  return (op_rows[op].fast == NUMD_FAST_MATH && (kind == 'f' || kind == 'c')) || (composed && kind == 'c');
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

static inline const char *choose(int index) {
  const char *name = kernels_isa_names[index];
  return name && kernels_init(name) == 0 ? name : NULL;
}

#define FOR_VARIANTS(name)                                                       \
  for (int variant_index = 0; kernels_isa_names[variant_index]; variant_index++) \
    for (const char *name = choose(variant_index); name; name = NULL)

#endif
