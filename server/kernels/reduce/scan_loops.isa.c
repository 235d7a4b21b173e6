/* SPDX-License-Identifier: BSD-3-Clause */
/* The loops of argmax and argmin, cumulative sums and products, and masks. Compiled once for each instruction
 * set.
 *
 * A cumulative sum is a chain of additions, each of which waits for the one before: several chains that know
 * where they start run side by side. What a mask selects is written by compressing vectors where AVX-512 can,
 * else without branches: every item is written, and the next one overwrites it unless the mask selects it. */
#include "server/kernels/scan_loops.h"
#include "server/kernels/item_size.h"

#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "server/kernels/reduce/reduce.h"

#define NUMBER_TYPE_LIST(X) DTYPE_INTS(X) DTYPE_REALS(X)
#define REAL_TYPE_LIST(X) DTYPE_BOOLS(X) NUMBER_TYPE_LIST(X)

/* ---- Where the largest is ---- */

#define FIND_STRETCH 64

#define DEFINE_ITEM(NAME, T) typedef T NAME##_item KERNEL_ALIAS;
REAL_TYPE_LIST(DEFINE_ITEM)

#define DEFINE_FIND(NAME, T)                                                   \
  static int64_t find_##NAME(int64_t n, const char *in, const char *value) {   \
    const NAME##_item *x = (const NAME##_item *)in;                            \
    const T wanted = *(const NAME##_item *)value;                              \
    const bool nan = wanted != wanted;                                         \
    int64_t i = 0;                                                             \
    for (; i + FIND_STRETCH <= n; i += FIND_STRETCH) {                         \
      T found = 0;                                                             \
      for (int j = 0; j < FIND_STRETCH; j++)                                   \
        found = (nan ? x[i + j] != x[i + j] : x[i + j] == wanted) ? 1 : found; \
      if (found != 0)                                                          \
        break;                                                                 \
    }                                                                          \
    while (i < n && !(nan ? x[i] != x[i] : x[i] == wanted))                    \
      i++;                                                                     \
    return i;                                                                  \
  }

NUMBER_TYPE_LIST(DEFINE_FIND)

/* Of a bool, all bytes but 0 are one value. What is looked for may be rare: the first steps are long. */
#define TRUTH_STRETCH 512

#define SKIP_OTHERS(stretch)                      \
  for (; i + (stretch) <= n; i += (stretch)) {    \
    uint8_t found = 0;                            \
    for (int j = 0; j < (stretch); j++)           \
      found |= wanted ? x[i + j] : x[i + j] == 0; \
    if (found)                                    \
      break;                                      \
  }

static inline __attribute__((always_inline)) int64_t find_truth(int64_t n, const BOOL_item *x, bool wanted) {
  int64_t i = 0;
  SKIP_OTHERS(TRUTH_STRETCH)
  SKIP_OTHERS(FIND_STRETCH)
  while (i < n && (x[i] != 0) != wanted)
    i++;
  return i;
}

static int64_t find_BOOL(int64_t n, const char *in, const char *value) {
  const BOOL_item *x = (const BOOL_item *)in;
  return *value ? find_truth(n, x, true) : find_truth(n, x, false);
}

#define DEFINE_BETTER(NAME, T, WHICH, OPERATOR)                                                    \
  static void WHICH##_##NAME(int64_t n, const char *in, int64_t row, char *best, int64_t *where) { \
    const NAME##_item *x = (const NAME##_item *)in;                                                \
    NAME##_item *b = (NAME##_item *)best;                                                          \
    KERNEL_FOR(j, n) {                                                                             \
      const T v = x[j], old = b[j];                                                                \
      const bool take = (v OPERATOR old) | ((v != v) & (old == old));                              \
      b[j] = take ? v : old;                                                                       \
      where[j] = take ? row : where[j];                                                            \
    }                                                                                              \
  }

#define DEFINE_ARG(NAME, T)          \
  DEFINE_BETTER(NAME, T, greater, >) \
  DEFINE_BETTER(NAME, T, lesser, <)
REAL_TYPE_LIST(DEFINE_ARG)

/* ---- Cumulative sums and products ---- */

#define DEFINE_LANES(OP, NAME, T, STEP)                                                          \
  FACTOR_SCALAR static void OP##_##NAME(int64_t n, const char *in, char *out, const char *acc) { \
    typedef T item KERNEL_ALIAS;                                                                 \
    const item *xs = (const item *)in;                                                           \
    item *to = (item *)out;                                                                      \
    T a[SCAN_LANES];                                                                             \
    memcpy(a, acc, sizeof(a));                                                                   \
    T a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];                                                \
    for (int64_t i = 0; i < n; i++) {                                                            \
      to[i] = a0 = STEP(a0, xs[i]);                                                              \
      to[i + n] = a1 = STEP(a1, xs[i + n]);                                                      \
      to[i + 2 * n] = a2 = STEP(a2, xs[i + 2 * n]);                                              \
      to[i + 3 * n] = a3 = STEP(a3, xs[i + 3 * n]);                                              \
    }                                                                                            \
  }

#define DEFINE_CHAIN(OP, NAME, T, STEP)                                                            \
  FACTOR_SCALAR static void OP##_##NAME##_chain(int64_t n, const char *in, char *out, char *acc) { \
    typedef T item KERNEL_ALIAS;                                                                   \
    T a = *(const item *)acc;                                                                      \
    for (int64_t i = 0; i < n; i++)                                                                \
      ((item *)out)[i] = a = STEP(a, ((const item *)in)[i]);                                       \
    *(item *)acc = a;                                                                              \
  }

#define DEFINE_SCAN(OP, NAME, T, EXPR)                         \
  FACTOR_SCALAR static inline T OP##_##NAME##_step(T x, T y) { \
    return EXPR;                                               \
  }                                                            \
  DEFINE_LANES(OP, NAME, T, OP##_##NAME##_step) DEFINE_CHAIN(OP, NAME, T, OP##_##NAME##_step)

/* Signed and unsigned integers share their scans. */
#define DEFINE_INTEGER_SCANS(NAME, S, UNAME, U) \
  DEFINE_SCAN(SUM, NAME, U, (U)(x + y))         \
  DEFINE_SCAN(PROD, NAME, U, (U)(1u * x * y))
#define DEFINE_REAL_SCANS(NAME, T) \
  DEFINE_SCAN(SUM, NAME, T, x + y) \
  DEFINE_SCAN(PROD, NAME, T, x *y)
DEFINE_SCAN(SUM, BOOL, uint8_t, (x | y) != 0)
DEFINE_SCAN(PROD, BOOL, uint8_t, (x != 0) & (y != 0))
DTYPE_INT_PAIRS(DEFINE_INTEGER_SCANS)
DTYPE_REALS(DEFINE_REAL_SCANS)

#define DEFINE_COMPLEX_SCAN(OP, NAME, T, RE, IM)               \
  FACTOR_SCALAR static inline T OP##_##NAME##_step(T x, T y) { \
    return (T){RE, IM};                                        \
  }                                                            \
  DEFINE_LANES(OP, NAME, T, OP##_##NAME##_step) DEFINE_CHAIN(OP, NAME, T, OP##_##NAME##_step)
#define DEFINE_COMPLEX_SCANS(NAME, R)                                            \
  DEFINE_COMPLEX_SCAN(SUM, NAME, NAME##_pair, x.real + y.real, x.imag + y.imag)  \
  DEFINE_COMPLEX_SCAN(PROD, NAME, NAME##_pair, x.real *y.real - x.imag * y.imag, \
                      x.real * y.imag + x.imag * y.real)
DTYPE_COMPLEXES(DEFINE_COMPLEX_SCANS)

/* ---- Masks ---- */

#define GROUP 8 /* items whose mask is looked at as one word */

static inline uint64_t mask_word(const uint8_t *mask) {
  uint64_t word;
  memcpy(&word, mask, sizeof(word));
  return word;
}

static int64_t positions(int64_t n, const uint8_t *mask, int64_t base, int64_t room, int64_t *out) {
  int64_t i = 0, k = 0;
#if KERNEL_LEVEL == 4
  __m512i at = _mm512_add_epi64(_mm512_set1_epi64(base), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
  for (; i + GROUP <= n && k + GROUP <= room;
       i += GROUP, at = _mm512_add_epi64(at, _mm512_set1_epi64(GROUP))) {
    const __mmask8 set =
        (__mmask8)_mm_test_epi8_mask(_mm_loadl_epi64((const __m128i *)(mask + i)), _mm_set1_epi8(-1));
    _mm512_storeu_si512(out + k, _mm512_maskz_compress_epi64(set, at));
    k += __builtin_popcount(set);
  }
#else
  for (; i + GROUP <= n && k + GROUP <= room; i += GROUP)
    if (mask_word(mask + i) != 0)
      for (int j = 0; j < GROUP; j++) {
        out[k] = base + i + j;
        k += mask[i + j] != 0;
      }
#endif
  for (; i < n && k < room; i++) {
    out[k] = base + i;
    k += mask[i] != 0;
  }
  return k;
}

#define DEFINE_COMPRESS(BYTES, T, VECTORS)                                                                  \
  static int64_t compress_##BYTES(int64_t n, const uint8_t *mask, const char *in, int64_t room, char *to) { \
    typedef T item KERNEL_ALIAS;                                                                            \
    const item *x = (const item *)in;                                                                       \
    item *out = (item *)to;                                                                                 \
    int64_t i = 0, k = 0;                                                                                   \
    VECTORS                                                                                                 \
    for (; i + GROUP <= n && k + GROUP <= room; i += GROUP)                                                 \
      if (mask_word(mask + i) != 0)                                                                         \
        for (int j = 0; j < GROUP; j++) {                                                                   \
          out[k] = x[i + j];                                                                                \
          k += mask[i + j] != 0;                                                                            \
        }                                                                                                   \
    for (; i < n && k < room; i++) {                                                                        \
      out[k] = x[i];                                                                                        \
      k += mask[i] != 0;                                                                                    \
    }                                                                                                       \
    return k;                                                                                               \
  }

#if KERNEL_LEVEL == 4
#define COMPRESS32                                                                             \
  for (; i + 16 <= n && k + 16 <= room; i += 16) {                                             \
    const __mmask16 set =                                                                      \
        _mm_test_epi8_mask(_mm_loadu_si128((const __m128i *)(mask + i)), _mm_set1_epi8(-1));   \
    _mm512_storeu_si512(out + k, _mm512_maskz_compress_epi32(set, _mm512_loadu_si512(x + i))); \
    k += __builtin_popcount(set);                                                              \
  }
#define COMPRESS64                                                                                     \
  for (; i + 8 <= n && k + 8 <= room; i += 8) {                                                        \
    const __mmask8 set =                                                                               \
        (__mmask8)_mm_test_epi8_mask(_mm_loadl_epi64((const __m128i *)(mask + i)), _mm_set1_epi8(-1)); \
    _mm512_storeu_si512(out + k, _mm512_maskz_compress_epi64(set, _mm512_loadu_si512(x + i)));         \
    k += __builtin_popcount(set);                                                                      \
  }
#else
#define COMPRESS32
#define COMPRESS64
#endif

DEFINE_COMPRESS(1, uint8_t, )
DEFINE_COMPRESS(2, uint16_t, )
DEFINE_COMPRESS(4, uint32_t, COMPRESS32)
DEFINE_COMPRESS(8, uint64_t, COMPRESS64)
DEFINE_COMPRESS(16, COMPLEX128_pair, )

static int64_t compress(int64_t n, int item, const uint8_t *mask, const char *in, int64_t room, char *out) {
#define COMPRESS(BYTES) return compress_##BYTES(n, mask, in, room, out)
  FOR_ITEM_SIZE(item, COMPRESS)
#undef COMPRESS
}

/* ---- Indices ---- */

static bool bounded(int64_t n, int64_t length, int64_t *indices) {
  uint64_t outside = 0;
  for (int64_t i = 0; i < n; i++) {
    const uint64_t index = (uint64_t)indices[i] + ((uint64_t)(indices[i] >> 63) & (uint64_t)length);
    const uint64_t out = index >= (uint64_t)length ? ~(uint64_t)0 : 0;
    indices[i] = (int64_t)(index & ~out);
    outside |= out;
  }
  return outside == 0;
}

#define SCAN_ROW(NAME, T, OP, S) [NUMD_##NAME] = OP##_##NAME##S,
#define SCAN_INTEGER_ROWS(NAME, T, UNAME, U, OP, S) \
  [NUMD_##NAME] = OP##_##NAME##S, [NUMD_##UNAME] = OP##_##NAME##S,
#define SCAN_ROWS(OP, S)                                                                \
  [SCAN_##OP] = {DTYPE_BOOLS(SCAN_ROW, OP, S) DTYPE_INT_PAIRS(SCAN_INTEGER_ROWS, OP, S) \
                     DTYPE_REALS(SCAN_ROW, OP, S) DTYPE_COMPLEXES(SCAN_ROW, OP, S)}

const struct scan_loops KERNEL_NAME(kernels_scan) = {
#define X(NAME, T) [NUMD_##NAME] = find_##NAME,
    .find = {REAL_TYPE_LIST(X)},
#undef X
#define X(NAME, T) [NUMD_##NAME] = greater_##NAME,
    .better[BETTER_MAX] = {REAL_TYPE_LIST(X)},
#undef X
#define X(NAME, T) [NUMD_##NAME] = lesser_##NAME,
    .better[BETTER_MIN] = {REAL_TYPE_LIST(X)},
#undef X
    .scan = {SCAN_ROWS(SUM, ), SCAN_ROWS(PROD, )},
    .chain = {SCAN_ROWS(SUM, _chain), SCAN_ROWS(PROD, _chain)},
    .positions = positions,
    .bounded = bounded,
    .compress = compress,
};
