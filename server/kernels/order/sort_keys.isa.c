/* SPDX-License-Identifier: BSD-3-Clause */
/* The loops beneath sorting and searching, for one instruction set: see sort_keys.h for keys and items. */
#include "server/kernels/order/sort_keys.h"

#include <string.h>

#include "server/kernels/family.h"

/* X(NAME, type of its bits and of its key, whether it has floats, whose zeros and NaN are worth counting) */
#define SORT_INTEGERS(SNAME, S, UNAME, U, X) X(SNAME, U, false) X(UNAME, U, false)
#define SORT_DTYPE_LIST(X)          \
  X(BOOL, uint8_t, false)           \
  DTYPE_INT_PAIRS(SORT_INTEGERS, X) \
  X(FLOAT32, uint32_t, true)        \
  X(FLOAT64, uint64_t, true)

#define BITS(utype) (8 * (int)sizeof(utype))

#if KERNEL_LEVEL == 4
#define VECTOR 64
#elif KERNEL_LEVEL == 3
#define VECTOR 32
#else
#define VECTOR 16
#endif
#define TINY_ROOM (SORT_TINY + VECTOR)

/* Mappings: the key of a value's bits, and a value for a key. `flip` is all ones for descending order, else
 * 0. */
static inline uint8_t encode_BOOL(uint8_t bits, uint8_t flip) {
  return (uint8_t)((bits != 0) ^ (flip & 1));
}
static inline uint8_t decode_BOOL(uint8_t key, uint8_t flip) {
  return (uint8_t)(key ^ (flip & 1));
}

#define INTEGER_MAPPING(SNAME, S, UNAME, U)            \
  static inline U encode_##UNAME(U bits, U flip) {     \
    return bits ^ flip;                                \
  }                                                    \
  static inline U decode_##UNAME(U key, U flip) {      \
    return key ^ flip;                                 \
  }                                                    \
  static inline U encode_##SNAME(U bits, U flip) {     \
    return (U)(bits ^ flip ^ ((U)1 << (BITS(U) - 1))); \
  }                                                    \
  static inline U decode_##SNAME(U key, U flip) {      \
    return (U)(key ^ flip ^ ((U)1 << (BITS(U) - 1)));  \
  }

DTYPE_INT_PAIRS(INTEGER_MAPPING)

/* The sign bit turns over, and all other bits of a negative number; -0 is 0 before that. */
#define REAL_MAPPING(NAME, utype, stype, INF, QUIET)                              \
  static inline utype encode_##NAME(utype bits, utype flip) {                     \
    const utype sign = (utype)1 << (BITS(utype) - 1);                             \
    const utype b = bits == sign ? 0 : bits;                                      \
    const utype key = b ^ ((utype)((stype)b >> (BITS(utype) - 1)) | sign) ^ flip; \
    return (bits & ~sign) > (INF) ? ~(utype)0 : key;                              \
  }                                                                               \
  static inline utype decode_##NAME(utype key, utype flip) {                      \
    const utype sign = (utype)1 << (BITS(utype) - 1), k = key ^ flip;             \
    const utype bits = k ^ (~(utype)((stype)k >> (BITS(utype) - 1)) | sign);      \
    return key == ~(utype)0 ? (QUIET) : bits;                                     \
  }

REAL_MAPPING(FLOAT32, uint32_t, int32_t, 0x7F800000U, 0x7FC00000U)
REAL_MAPPING(FLOAT64, uint64_t, int64_t, 0x7FF0000000000000U, 0x7FF8000000000000U)

#define FACTS(utype)                                                                 \
  static void facts_##utype(int64_t n, const utype *keys, struct key_facts *facts) { \
    utype all = ~(utype)0, any = 0, falls = 0, rises = 0;                            \
    if (facts->n == 0) {                                                             \
      facts->first = keys[0];                                                        \
      facts->all = ~(uint64_t)0;                                                     \
    } else {                                                                         \
      facts->falls |= keys[0] < facts->last;                                         \
      facts->rises |= keys[0] >= facts->last;                                        \
    }                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                \
      all &= keys[i];                                                                \
      any |= keys[i];                                                                \
    }                                                                                \
    for (int64_t i = 1; i < n; i++) {                                                \
      falls |= keys[i] < keys[i - 1];                                                \
      rises |= keys[i] >= keys[i - 1];                                               \
    }                                                                                \
    facts->all &= all;                                                               \
    facts->any |= any;                                                               \
    facts->falls |= falls;                                                           \
    facts->rises |= rises;                                                           \
    facts->last = keys[n - 1];                                                       \
    facts->n += n;                                                                   \
  }

FACTS(uint8_t)
FACTS(uint16_t)
FACTS(uint32_t)
FACTS(uint64_t)

/* SORT_BLOCK elements cannot overflow the counters. */
#define LOAD(NAME, utype, FLOATS)                                                                         \
  static void load_##NAME(int64_t n, const char *in, int64_t stride, bool descending, char *to,           \
                          struct key_facts *facts) {                                                      \
    typedef utype KERNEL_ALIAS alias;                                                                     \
    const utype flip = descending ? (utype) ~(utype)0 : 0, sign = (utype)((utype)1 << (BITS(utype) - 1)); \
    const utype zero = encode_##NAME(0, flip);                                                            \
    utype *keys = (utype *)to, negative = 0, zeros = 0, nans = 0;                                         \
    if (n == 0)                                                                                           \
      return;                                                                                             \
    if (stride != sizeof(utype)) {                                                                        \
      for (int64_t i = 0; i < n; i++)                                                                     \
        keys[i] = *(const alias *)(in + i * stride);                                                      \
    } else {                                                                                              \
      memcpy(keys, in, (size_t)n * sizeof(utype));                                                        \
    }                                                                                                     \
    if (FLOATS)                                                                                           \
      for (int64_t i = 0; i < n; i++)                                                                     \
        negative += keys[i] == sign;                                                                      \
    for (int64_t i = 0; i < n; i++)                                                                       \
      keys[i] = encode_##NAME(keys[i], flip);                                                             \
    if (FLOATS)                                                                                           \
      for (int64_t i = 0; i < n; i++) {                                                                   \
        zeros += keys[i] == zero;                                                                         \
        nans += keys[i] == (utype) ~(utype)0;                                                             \
      }                                                                                                   \
    facts->n_zero += (int64_t)zeros;                                                                      \
    facts->n_negative_zero += (int64_t)negative;                                                          \
    facts->n_nan += (int64_t)nans;                                                                        \
    facts_##utype(n, keys, facts);                                                                        \
  }

#define STORE_LOOP(NAME, utype, itype, key)                             \
  {                                                                     \
    const itype *const from = (const itype *)items;                     \
    for (int64_t i = 0; i < n; i++) {                                   \
      const itype item = from[i];                                       \
      *(alias *)(out + i * stride) = decode_##NAME((utype)(key), flip); \
    }                                                                   \
  }

#define STORE(NAME, utype, FLOATS)                                                                        \
  static void store_##NAME(enum sort_item kind, int64_t n, const char *items, bool descending, char *out, \
                           int64_t stride) {                                                              \
    typedef utype KERNEL_ALIAS alias;                                                                     \
    const utype flip = descending ? (utype) ~(utype)0 : 0;                                                \
    if (kind == SORT_ITEM_SHORT)                                                                          \
      STORE_LOOP(NAME, utype, uint64_t, item >> 32)                                                       \
    else if (kind == SORT_ITEM_LONG)                                                                      \
      STORE_LOOP(NAME, utype, struct sort_pair, item.key)                                                 \
    else if (stride == (int64_t)sizeof(utype))                                                            \
      for (int64_t i = 0; i < n; i++)                                                                     \
        ((alias *)out)[i] = decode_##NAME(((const utype *)items)[i], flip);                               \
    else                                                                                                  \
      STORE_LOOP(NAME, utype, utype, item)                                                                \
  }

/* Whether the key does not tell what a value was: any of n. */
#define SPECIAL(utype)                                                                                    \
  static inline bool special_##utype(int64_t n, const utype *bits, const utype *keys) {                   \
    utype any = 0;                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                       \
      any |= (utype)(bits[i] == (utype)((utype)1 << (BITS(utype) - 1))) | (keys[i] == (utype) ~(utype)0); \
    return any;                                                                                           \
  }

SPECIAL(uint8_t)
SPECIAL(uint16_t)
SPECIAL(uint32_t)
SPECIAL(uint64_t)

/* The place of an element is the number of those that come before it: no branch, many at once. What is behind
 * the last element of the last vector gets a place too, which nobody reads. */
#define TINY(NAME, utype, FLOATS)                                                                   \
  static void tiny_##NAME(int64_t n, const char *in, int64_t stride, bool descending, bool indices, \
                          char *out, int64_t out_stride) {                                          \
    typedef utype KERNEL_ALIAS alias;                                                               \
    typedef int64_t KERNEL_ALIAS index_alias;                                                       \
    typedef utype vector __attribute__((vector_size(VECTOR), may_alias));                           \
    enum { N_VECTOR = VECTOR / sizeof(utype) };                                                     \
    const utype flip = descending ? (utype) ~(utype)0 : 0;                                          \
    const int64_t padded = (n + N_VECTOR - 1) / N_VECTOR * N_VECTOR;                                \
    _Alignas(VECTOR) utype bits[TINY_ROOM], keys[TINY_ROOM], place[TINY_ROOM], numbers[N_VECTOR];   \
    for (int64_t i = 0; i < n; i++)                                                                 \
      bits[i] = *(const alias *)(in + i * stride);                                                  \
    for (int64_t i = n; i < padded; i++)                                                            \
      bits[i] = 0;                                                                                  \
    for (int64_t i = 0; i < padded; i++)                                                            \
      keys[i] = encode_##NAME(bits[i], flip);                                                       \
    if (KERNEL_LEVEL == 4 && BITS(utype) >= 32 && !indices &&                                       \
        !(FLOATS && special_##utype(padded, bits, keys))) {                                         \
      KERNEL_NAME(kernels_sort_keys)                                                                \
          .sort[BITS(utype) == 32 ? SORT_ITEM_32 : SORT_ITEM_64](n, (char *)keys, (char *)place,    \
                                                                 ~(uint64_t)0);                     \
      for (int64_t i = 0; i < n; i++)                                                               \
        *(alias *)(out + i * out_stride) = decode_##NAME(keys[i], flip);                            \
      return;                                                                                       \
    }                                                                                               \
    for (int i = 0; i < N_VECTOR; i++)                                                              \
      numbers[i] = (utype)i;                                                                        \
    for (int64_t i = 0; i < padded; i += N_VECTOR) {                                                \
      const vector own = *(const vector *)&keys[i], number = *(const vector *)numbers + (utype)i;   \
      vector sum = {0};                                                                             \
      for (int64_t j = 0; j < n; j++) {                                                             \
        const vector other = (vector){0} + keys[j], at = (vector){0} + (utype)j;                    \
        sum -= (vector)(other < own) | ((vector)(other == own) & (vector)(at < number));            \
      }                                                                                             \
      *(vector *)&place[i] = sum;                                                                   \
    }                                                                                               \
    if (indices)                                                                                    \
      for (int64_t i = 0; i < n; i++)                                                               \
        *(index_alias *)(out + (int64_t)place[i] * out_stride) = i;                                 \
    else                                                                                            \
      for (int64_t i = 0; i < n; i++)                                                               \
        *(alias *)(out + (int64_t)place[i] * out_stride) =                                          \
            (utype)(FLOATS ? bits[i] : decode_##NAME(keys[i], flip));                               \
  }

/* Each step of the binary search is made for all keys of the block: their loads overlap, or are gathered.
 * `before` is whether a value of the hay comes before the key; at + length never exceeds n_hay. */
#define SEARCH_LOOP(NAME, utype, compare)                                                              \
  {                                                                                                    \
    int64_t length = n_hay;                                                                            \
    for (; length > 1; length -= length / 2) {                                                         \
      const int64_t half = length / 2;                                                                 \
      const char *const middle = hay + (half - 1) * stride;                                            \
      for (int64_t q = 0; q < n; q++) {                                                                \
        const utype x = encode_##NAME(*(const alias *)(middle + positions[q] * stride), 0);            \
        positions[q] += -(int64_t)(x compare keys[q]) & half;                                          \
      }                                                                                                \
    }                                                                                                  \
    for (int64_t q = 0; q < n; q++)                                                                    \
      positions[q] += encode_##NAME(*(const alias *)(hay + positions[q] * stride), 0) compare keys[q]; \
  }

#define SEARCH(NAME, utype, FLOATS)                                                                   \
  static void search_##NAME(int64_t n, const char *of, const char *hay, int64_t n_hay, int64_t given, \
                            bool right, int64_t *positions) {                                         \
    typedef utype KERNEL_ALIAS alias;                                                                 \
    const utype *const keys = (const utype *)of;                                                      \
    memset(positions, 0, (size_t)n * sizeof(*positions));                                             \
    if (n_hay == 0)                                                                                   \
      return;                                                                                         \
    if (given == sizeof(utype)) {                                                                     \
      const int64_t stride = sizeof(utype);                                                           \
      if (right)                                                                                      \
        SEARCH_LOOP(NAME, utype, <=)                                                                  \
      else                                                                                            \
        SEARCH_LOOP(NAME, utype, <)                                                                   \
    } else {                                                                                          \
      const int64_t stride = given;                                                                   \
      if (right)                                                                                      \
        SEARCH_LOOP(NAME, utype, <=)                                                                  \
      else                                                                                            \
        SEARCH_LOOP(NAME, utype, <)                                                                   \
    }                                                                                                 \
  }

#define DTYPE_LOOPS(NAME, utype, FLOATS) \
  LOAD(NAME, utype, FLOATS)              \
  STORE(NAME, utype, FLOATS)             \
  TINY(NAME, utype, FLOATS)              \
  SEARCH(NAME, utype, FLOATS)
SORT_DTYPE_LIST(DTYPE_LOOPS)

#define PAIRS(utype)                                                                    \
  {                                                                                     \
    const utype *const from = (const utype *)keys;                                      \
    if (kind == SORT_ITEM_SHORT)                                                        \
      for (int64_t i = 0; i < n; i++)                                                   \
        ((uint64_t *)items)[i] = (uint64_t)from[i] << 32 | (uint64_t)(first_index + i); \
    else                                                                                \
      for (int64_t i = 0; i < n; i++)                                                   \
        ((struct sort_pair *)items)[i] = (struct sort_pair){from[i], first_index + i};  \
    break;                                                                              \
  }

static void pair(enum sort_item kind, int key_bytes, int64_t n, const char *keys, int64_t first_index,
                 char *items) {
  switch (key_bytes) {
    case 1:
      PAIRS(uint8_t)
    case 2:
      PAIRS(uint16_t)
    case 4:
      PAIRS(uint32_t)
    default:
      PAIRS(uint64_t)
  }
}

#define INDICES(NAME, type, index)                                                         \
  static void indices_##NAME(int64_t n, const char *items, int64_t *out, int64_t stride) { \
    for (int64_t i = 0; i < n; i++) {                                                      \
      const type item = ((const type *)items)[i];                                          \
      *(int64_t *)((char *)out + i * stride) = (int64_t)(index);                           \
    }                                                                                      \
  }

INDICES(SHORT, uint64_t, item &UINT32_MAX)
INDICES(LONG, struct sort_pair, item.index)

#define KEY(NAME, type, ktype, key)           \
  static inline ktype key_##NAME(type item) { \
    return (ktype)(key);                      \
  }
SORT_ITEM_LIST(KEY)

/* The counts of the bytes that differ, all at once: they do not depend on the order. Bytes that are the same
 * in all items would make each increment wait for the one before. */
#define COUNT(NAME, type, ktype, key)                                                                       \
  static void count_byte_##NAME(int64_t n, const type *from, int shift, uint32_t *counts) {                 \
    for (int64_t i = 0; i < n; i++) {                                                                       \
      const type item = from[i];                                                                            \
      counts[(ktype)(key) >> shift & 255]++;                                                                \
    }                                                                                                       \
  }                                                                                                         \
  static void count_##NAME(int64_t n, const type *from, uint64_t differ, uint32_t counts[][SORT_BUCKETS]) { \
    bool all = true;                                                                                        \
    memset(counts, 0, sizeof(ktype) * sizeof(counts[0]));                                                   \
    for (int d = 0; d < (int)sizeof(ktype); d++)                                                            \
      all &= (differ >> (8 * d) & 255) != 0;                                                                \
    for (int d = 0; d < (int)sizeof(ktype) && !all; d++)                                                    \
      if (differ >> (8 * d) & 255)                                                                          \
        count_byte_##NAME(n, from, 8 * d, counts[d]);                                                       \
    for (int64_t i = 0; i < n && all; i++) {                                                                \
      const type item = from[i];                                                                            \
      const ktype k = (ktype)(key);                                                                         \
      for (int d = 0; d < (int)sizeof(ktype); d++)                                                          \
        counts[d][k >> (8 * d) & 255]++;                                                                    \
    }                                                                                                       \
  }

#define RADIX(NAME, type, ktype, key)                                                                       \
  static void pass_##NAME(int64_t n, const type *from, int shift, uint32_t place[SORT_BUCKETS], type *to) { \
    for (int64_t i = 0; i < n; i++) {                                                                       \
      const type item = from[i];                                                                            \
      to[place[(ktype)(key) >> shift & 255]++] = item;                                                      \
    }                                                                                                       \
  }                                                                                                         \
  static void radix_##NAME(int64_t n, char *items, char *spare, uint64_t differ) {                          \
    uint32_t counts[sizeof(ktype)][SORT_BUCKETS];                                                           \
    type *from = (type *)items, *to = (type *)spare;                                                        \
    count_##NAME(n, from, differ, counts);                                                                  \
    for (int d = 0; d < (int)sizeof(ktype); d++) {                                                          \
      if ((differ >> (8 * d) & 255) == 0)                                                                   \
        continue;                                                                                           \
      uint32_t sum = 0;                                                                                     \
      for (int b = 0; b < SORT_BUCKETS; b++) {                                                              \
        const uint32_t count = counts[d][b];                                                                \
        counts[d][b] = sum;                                                                                 \
        sum += count;                                                                                       \
      }                                                                                                     \
      pass_##NAME(n, from, 8 * d, counts[d], to);                                                           \
      type *const swap = from;                                                                              \
      from = to;                                                                                            \
      to = swap;                                                                                            \
    }                                                                                                       \
    if (from != (type *)items)                                                                              \
      memcpy(items, from, (size_t)n * sizeof(type));                                                        \
  }                                                                                                         \
  static void reverse_##NAME(int64_t n, char *items) {                                                      \
    type *const x = (type *)items;                                                                          \
    for (int64_t i = 0; i < n / 2; i++) {                                                                   \
      const type swap = x[i];                                                                               \
      x[i] = x[n - 1 - i];                                                                                  \
      x[n - 1 - i] = swap;                                                                                  \
    }                                                                                                       \
  }

/* Bare keys of 32 and 64 bits have what is faster, in sort_simd.isa.c. */
#define SORT_8 radix_8
#define SORT_16 radix_16
#define SORT_SHORT radix_SHORT
#define SORT_LONG radix_LONG
#define MERGE_8 merge_rests_8
#define MERGE_16 merge_rests_16
#define MERGE_SHORT merge_rests_SHORT
#define MERGE_LONG merge_rests_LONG
#if KERNEL_LEVEL == 4
#define SORT_32 KERNEL_NAME(kernels_sort_simd_32)
#define SORT_64 KERNEL_NAME(kernels_sort_simd_64)
#define MERGE_32 KERNEL_NAME(kernels_merge_32)
#define MERGE_64 KERNEL_NAME(kernels_merge_64)
#else
#define SORT_32 radix_32
#define SORT_64 radix_64
#define MERGE_32 merge_rests_32
#define MERGE_64 merge_rests_64
#endif

/* Merging goes from both ends at once, two chains of loads that do not wait for each other, and without a
 * branch on the data. As long as half of the shorter rest is left to each end, neither rest can run out. */
#define MERGE(NAME, type, ktype, key)                                                                       \
  static int64_t split_##NAME(const type *a, int64_t na, const type *b, int64_t nb, int64_t first) {        \
    int64_t low = first > nb ? first - nb : 0, high = first < na ? first : na;                              \
    while (low < high) {                                                                                    \
      const int64_t i = low + (high - low) / 2;                                                             \
      if (key_##NAME(b[first - 1 - i]) < key_##NAME(a[i]))                                                  \
        high = i;                                                                                           \
      else                                                                                                  \
        low = i + 1;                                                                                        \
    }                                                                                                       \
    return low;                                                                                             \
  }                                                                                                         \
  static KERNEL_UNUSED void merge_rests_##NAME(const type *a, const type *a_end, const type *b,             \
                                               const type *b_end, type *out) {                              \
    type *out_end = out + (a_end - a) + (b_end - b);                                                        \
    for (;;) {                                                                                              \
      const int64_t na = a_end - a, nb = b_end - b, steps = (na < nb ? na : nb) / 2;                        \
      if (steps == 0)                                                                                       \
        break;                                                                                              \
      for (int64_t i = 0; i < steps; i++) {                                                                 \
        const type x = *a, y = *b, u = a_end[-1], v = b_end[-1];                                            \
        const bool forth = key_##NAME(y) < key_##NAME(x), back = key_##NAME(v) < key_##NAME(u);             \
        *out++ = forth ? y : x;                                                                             \
        a += !forth;                                                                                        \
        b += forth;                                                                                         \
        *--out_end = back ? u : v;                                                                          \
        a_end -= back;                                                                                      \
        b_end -= !back;                                                                                     \
      }                                                                                                     \
    }                                                                                                       \
    while (a < a_end && b < b_end) {                                                                        \
      const bool forth = key_##NAME(*b) < key_##NAME(*a);                                                   \
      *out++ = forth ? *b : *a;                                                                             \
      a += !forth;                                                                                          \
      b += forth;                                                                                           \
    }                                                                                                       \
    memcpy(out, a, (size_t)(a_end - a) * sizeof(type));                                                     \
    memcpy(out + (a_end - a), b, (size_t)(b_end - b) * sizeof(type));                                       \
  }                                                                                                         \
  static void merge_##NAME(const char *items, int64_t na, int64_t nb, int64_t first, int64_t n, char *to) { \
    const type *const a = (const type *)items, *const b = a + na;                                           \
    const int64_t from_a = split_##NAME(a, na, b, nb, first);                                               \
    const int64_t end_a = split_##NAME(a, na, b, nb, first + n);                                            \
    MERGE_##NAME(a + from_a, a + end_a, b + (first - from_a), b + (first + n - end_a), (type *)to + first); \
  }

#define EDGES(NAME, type, ktype, key)                                                              \
  static int64_t edges_##NAME(int64_t n, const char *items, bool before, bool nans, int64_t first, \
                              int64_t *out) {                                                      \
    const type *const from = (const type *)items;                                                  \
    const ktype nan = nans ? (ktype) ~(ktype)0 : 0;                                                \
    int64_t k = 0;                                                                                 \
    if (n == 0)                                                                                    \
      return 0;                                                                                    \
    ktype last = key_##NAME(from[before ? -1 : 0]);                                                \
    out[0] = first;                                                                                \
    k = !before || last != key_##NAME(from[0]) || (nans && last == nan);                           \
    last = key_##NAME(from[0]);                                                                    \
    for (int64_t i = 1; i < n; i++) {                                                              \
      const ktype next = key_##NAME(from[i]);                                                      \
      out[k] = first + i;                                                                          \
      k += (next != last) | (nans & (next == nan));                                                \
      last = next;                                                                                 \
    }                                                                                              \
    return k;                                                                                      \
  }

#define ITEM_LOOPS(NAME, type, ktype, key) \
  COUNT(NAME, type, ktype, key)            \
  RADIX(NAME, type, ktype, key)            \
  MERGE(NAME, type, ktype, key)            \
  EDGES(NAME, type, ktype, key)
SORT_ITEM_LIST(ITEM_LOOPS)

const struct sort_loops KERNEL_NAME(kernels_sort_keys) = {
#define X(NAME, utype, FLOATS)                                                                            \
  .load[NUMD_##NAME] = load_##NAME, .store[NUMD_##NAME] = store_##NAME, .tiny[NUMD_##NAME] = tiny_##NAME, \
  .search[NUMD_##NAME] = search_##NAME,
    SORT_DTYPE_LIST(X)
#undef X
#define X(NAME, type, ktype, key)                                                       \
  .radix[SORT_ITEM_##NAME] = radix_##NAME, .sort[SORT_ITEM_##NAME] = SORT_##NAME,       \
  .reverse[SORT_ITEM_##NAME] = reverse_##NAME, .merge[SORT_ITEM_##NAME] = merge_##NAME, \
  .edges[SORT_ITEM_##NAME] = edges_##NAME,
        SORT_ITEM_LIST(X)
#undef X
            .pair = pair,
    .indices[SORT_ITEM_SHORT] = indices_SHORT,
    .indices[SORT_ITEM_LONG] = indices_LONG,
};
