/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of sort_simd.isa.c for keys of KEY_BITS bits; it includes this once for each size, having
 * defined
 *
 *   KEY, VEC, MASK, LANES               a key, a vector of keys, a mask of its lanes, how many there are
 *   OP(x), MASKED(x)                    the intrinsic function _mm512_x for such keys; with a mask
 *   ACROSS(v, x)                        v, its lane i being v's lane i ^ x */
#define NAMED(name) KERNEL_JOIN(name##_, KEY_BITS)
#define LEAF (REGISTERS * LANES)

/* Lanes whose partner i ^ x is below them. */
#define UPPER(x) ((MASK)((x) >= 8 ? 0xFF00 : (x) >= 4 ? 0xF0F0 : (x) >= 2 ? 0xCCCC : 0xAAAA))
#define EXCHANGE(v, x) NAMED(exchange)(v, ACROSS(v, x), UPPER(x))

static INLINE VEC NAMED(smaller)(VEC a, VEC b) {
  return (VEC)OP(min)((__m512i)a, (__m512i)b);
}

static INLINE VEC NAMED(larger)(VEC a, VEC b) {
  return (VEC)OP(max)((__m512i)a, (__m512i)b);
}

static INLINE VEC NAMED(exchange)(VEC v, VEC partner, MASK upper) {
  return (VEC)MASKED(max)((__m512i)NAMED(smaller)(v, partner), upper, (__m512i)v, (__m512i)partner);
}

static INLINE VEC NAMED(finish)(VEC v) {
  if (LANES == 16)
    v = EXCHANGE(v, 8);
  v = EXCHANGE(v, 4);
  v = EXCHANGE(v, 2);
  return EXCHANGE(v, 1);
}

static INLINE void NAMED(sort1)(VEC *v) {
  VEC x = EXCHANGE(v[0], 1);
  x = EXCHANGE(x, 3);
  x = EXCHANGE(x, 1);
  x = EXCHANGE(x, 7);
  x = EXCHANGE(x, 2);
  x = EXCHANGE(x, 1);
  if (LANES == 16) {
    x = EXCHANGE(x, 15);
    x = EXCHANGE(x, 4);
    x = EXCHANGE(x, 2);
    x = EXCHANGE(x, 1);
  }
  v[0] = x;
}

/* Merges v[0 .. run-1] and v[run .. 2 run - 1]. The larger halves are left with their lanes reversed, which
 * does not matter to what is bitonic. */
static INLINE void NAMED(merge)(VEC *v, int run) {
  UNROLL for (int i = 0; i < run; i++) {
    const VEC a = v[i], b = ACROSS(v[2 * run - 1 - i], LANES - 1);
    v[i] = NAMED(smaller)(a, b);
    v[2 * run - 1 - i] = NAMED(larger)(a, b);
  }
  UNROLL for (int d = REGISTERS / 2; d > 0; d /= 2) {
    UNROLL for (int i = 0; i < 2 * run; i++) {
      if (d < run && (i & d) == 0) {
        const VEC a = v[i], b = v[i + d];
        v[i] = NAMED(smaller)(a, b);
        v[i + d] = NAMED(larger)(a, b);
      }
    }
  }
  UNROLL for (int i = 0; i < 2 * run; i++) v[i] = NAMED(finish)(v[i]);
}

#define SORT_REGISTERS(n, half)                \
  static INLINE void NAMED(sort##n)(VEC * v) { \
    NAMED(sort##half)(v);                      \
    NAMED(sort##half)(v + half);               \
    NAMED(merge)(v, half);                     \
  }
SORT_REGISTERS(2, 1)
SORT_REGISTERS(4, 2)
SORT_REGISTERS(8, 4)
#undef SORT_REGISTERS

/* The first n lanes, of n <= 0 none. */
static INLINE MASK NAMED(first)(int64_t n) {
  return (MASK)(n <= 0 ? 0 : n >= LANES ? (MASK)~0 : (1U << n) - 1);
}

/* Sorts n keys in `registers` registers, of which more than a half is filled. */
#define NETWORK(registers)                                                                           \
  static void NAMED(network##registers)(int64_t n, const KEY *from, KEY *to) {                       \
    const __m512i most = _mm512_set1_epi64(-1);                                                      \
    VEC v[registers];                                                                                \
    UNROLL for (int i = 0; i < (registers); i++) v[i] =                                              \
        (VEC)MASKED(loadu)(most, NAMED(first)(n - (int64_t)i * LANES), from + (size_t)i * LANES);    \
    NAMED(sort##registers)(v);                                                                       \
    UNROLL for (int i = 0; i < (registers); i++)                                                     \
        MASKED(storeu)(to + (size_t)i * LANES, NAMED(first)(n - (int64_t)i * LANES), (__m512i)v[i]); \
  }
NETWORK(1)
NETWORK(2)
NETWORK(4)
NETWORK(8)
#undef NETWORK

static void NAMED(leaf)(int64_t n, const KEY *from, KEY *to) {
  if (n <= LANES)
    NAMED(network1)(n, from, to);
  else if (n <= 2 * LANES)
    NAMED(network2)(n, from, to);
  else if (n <= 4 * LANES)
    NAMED(network4)(n, from, to);
  else
    NAMED(network8)(n, from, to);
}

/* The median of a sample from places with equal distances. */
static KEY NAMED(pivot)(int64_t n, const KEY *keys) {
  _Alignas(64) KEY sample[4 * LANES];
  VEC v[4];
  const int size = n < 8 * LEAF ? LANES : 4 * LANES;
  const int64_t step = n / size;
  for (int i = 0; i < size; i++)
    sample[i] = keys[step / 2 + i * step];
  UNROLL for (int i = 0; i < 4; i++) v[i] = (VEC)_mm512_load_si512(&sample[i * LANES]);
  if (size == LANES) {
    NAMED(sort1)(v);
    *(VEC *)sample = v[0];
    return sample[LANES / 2];
  }
  NAMED(sort4)(v);
  *(VEC *)sample = v[2];
  return sample[0];
}

/* Those keys that are below the pivot go to the front of `to`, those above to its end; how many each. What a
 * whole vector is stored beyond the lower keys is free: of n keys, those not yet read have no place. */
static int64_t NAMED(partition)(int64_t n, const KEY *from, KEY pivot, KEY *to, int64_t *n_above) {
  const __m512i p = OP(set1)(pivot);
  KEY *below = to, *above = to + n;
  int64_t i = 0;
  UNROLL for (; i + LANES <= n; i += LANES) {
    const __m512i x = _mm512_loadu_si512(from + i);
    const MASK low = COMPARE(cmplt)(x, p), high = COMPARE(cmpgt)(x, p);
    const int n_high = __builtin_popcount(high);
    above -= n_high;
    _mm512_storeu_si512(below, PACK(low, x));
    MASKED(storeu)(above, (MASK)_bzhi_u32(~0U, (unsigned)n_high), PACK(high, x));
    below += __builtin_popcount(low);
  }
  for (; i < n; i++) {
    const KEY x = from[i];
    if (x < pivot)
      *below++ = x;
    else if (x > pivot)
      *--above = x;
  }
  *n_above = to + n - above;
  return below - to;
}

/* Sorts `from`, with as much room in `other`, where the result is if it does not `stay`. */
static void NAMED(quick)(int64_t n, KEY *from, KEY *other, bool stay, int depth) {
  while (n > LEAF) {
    if (depth-- == 0) {
      KERNEL_NAME(kernels_sort_keys).radix[NAMED(SORT_ITEM)](n, (char *)from, (char *)other, ~(uint64_t)0);
      if (!stay)
        memcpy(other, from, (size_t)n * sizeof(KEY));
      return;
    }
    const KEY pivot = NAMED(pivot)(n, from);
    int64_t n_above;
    const int64_t n_below = NAMED(partition)(n, from, pivot, other, &n_above);
    KEY *const result = stay ? from : other;
    for (int64_t i = n_below; i < n - n_above; i++)
      result[i] = pivot;
    NAMED(quick)(n_below, other, from, !stay, depth);
    KEY *const rest = from + (n - n_above);
    from = other + (n - n_above);
    other = rest;
    stay = !stay;
    n = n_above;
  }
  if (n > 0)
    NAMED(leaf)(n, from, stay ? from : other);
}

static void NAMED(sort)(int64_t n, KEY *keys, KEY *spare) {
  int depth = 4;
  for (int64_t i = n; i > LEAF; i /= 2)
    depth += 2;
  NAMED(quick)(n, keys, spare, true, depth);
}

#define BLOCK (MERGED * LANES)

/* The next block of the run that has the lower key next; behind the end of a run, all ones. */
static INLINE void NAMED(next)(const KEY **a, const KEY *a_end, const KEY **b, const KEY *b_end, VEC *v) {
  const bool of_a = *b == b_end || (*a < a_end && **a <= **b);
  const KEY *const from = of_a ? *a : *b;
  const int64_t n = of_a ? a_end - from : b_end - from, taken = n < BLOCK ? n : BLOCK;
  UNROLL for (int i = 0; i < MERGED; i++) {
    if (n >= BLOCK)
      v[i] = (VEC)_mm512_loadu_si512(from + (size_t)i * LANES);
    else
      v[i] = (VEC)MASKED(loadu)(_mm512_set1_epi64(-1), NAMED(first)(n - (int64_t)i * LANES),
                                from + (size_t)i * LANES);
  }
  *a += of_a ? taken : 0;
  *b += of_a ? 0 : taken;
}

static INLINE void NAMED(put)(int64_t n, const VEC *v, KEY *to) {
  UNROLL for (int i = 0; i < MERGED; i++) {
    if (n >= BLOCK)
      _mm512_storeu_si512(to + (size_t)i * LANES, (__m512i)v[i]);
    else
      MASKED(storeu)(to + (size_t)i * LANES, NAMED(first)(n - (int64_t)i * LANES), (__m512i)v[i]);
  }
}

/* Merges two sorted runs. The larger half of what was merged waits for the next block. What fills the last
 * block of a run is not below any key, so comes out last, when all keys are written. */
static void NAMED(merge_runs)(const KEY *a, const KEY *a_end, const KEY *b, const KEY *b_end, KEY *to) {
  int64_t left = (a_end - a) + (b_end - b);
  VEC v[2 * MERGED];
  if (left == 0)
    return;
  NAMED(next)(&a, a_end, &b, b_end, v);
  for (; a < a_end || b < b_end; left -= BLOCK) {
    NAMED(next)(&a, a_end, &b, b_end, v + MERGED);
    NAMED(merge)(v, MERGED);
    NAMED(put)(left, v, to);
    to += BLOCK;
    UNROLL for (int i = 0; i < MERGED; i++) v[i] = v[MERGED + i];
  }
  NAMED(put)(left, v, to);
}

#undef BLOCK
#undef NAMED
#undef LEAF
#undef UPPER
#undef EXCHANGE
#undef KEY
#undef VEC
#undef MASK
#undef LANES
#undef OP
#undef MASKED
#undef COMPARE
#undef PACK
#undef ACROSS
#undef KEY_BITS
