/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting and merging bare keys of 32 and 64 bits with AVX-512; nothing for other instruction sets.
 * sort_simd_body.h has the functions, for both sizes.
 *
 * Quicksort, whose partition compares a vector with the pivot and compresses what is below and what is above
 * it, and whose leaves are bitonic networks in registers: B. Bramas, "A novel hybrid quicksort algorithm
 * vectorized using AVX-512 on Intel Skylake", 2017. Other than there, a partition goes from the keys to the
 * spare room and its parts come back from there; and keys that are the pivot are in neither part, so that
 * each partition ends, and few different keys are sorted soon. The pivot is the median of a sample. Where
 * pivots are bad for long, the rest is sorted by bytes: there is no quadratic input.
 *
 * Keys that are equal are the same: nothing here need be stable, and what comes out depends on the keys
 * alone. They are in private memory, so that what is read twice is the same. */
#include "server/kernels/family.h"
#include "server/kernels/order/sort_keys.h"

#if KERNEL_LEVEL == 4
#include <immintrin.h>
#include <string.h>

#define INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define REGISTERS 8 /* of a leaf */
#define MERGED 2    /* of a block that is merged */

typedef uint32_t vector_32 __attribute__((vector_size(64), may_alias));
typedef uint64_t vector_64 __attribute__((vector_size(64), may_alias));

#define ACROSS_8(v, x) \
  __builtin_shufflevector(v, v, 0 ^ (x), 1 ^ (x), 2 ^ (x), 3 ^ (x), 4 ^ (x), 5 ^ (x), 6 ^ (x), 7 ^ (x))
#define ACROSS_16(v, x)                                                                                 \
  __builtin_shufflevector(v, v, 0 ^ (x), 1 ^ (x), 2 ^ (x), 3 ^ (x), 4 ^ (x), 5 ^ (x), 6 ^ (x), 7 ^ (x), \
                          8 ^ (x), 9 ^ (x), 10 ^ (x), 11 ^ (x), 12 ^ (x), 13 ^ (x), 14 ^ (x), 15 ^ (x))

#define KEY_BITS 32
#define KEY uint32_t
#define VEC vector_32
#define MASK __mmask16
#define LANES 16
#define OP(x) OP_32_##x
#define OP_32_min _mm512_min_epu32
#define OP_32_max _mm512_max_epu32
#define OP_32_set1(x) _mm512_set1_epi32((int)(x))
#define MASKED(x) MASKED_32_##x
#define MASKED_32_max _mm512_mask_max_epu32
#define MASKED_32_loadu _mm512_mask_loadu_epi32
#define MASKED_32_storeu _mm512_mask_storeu_epi32
#define COMPARE(x) COMPARE_32_##x
#define COMPARE_32_cmplt _mm512_cmplt_epu32_mask
#define COMPARE_32_cmpgt _mm512_cmpgt_epu32_mask
#define PACK _mm512_maskz_compress_epi32
#define ACROSS ACROSS_16
#include "server/kernels/order/sort_simd_body.h"

#define KEY_BITS 64
#define KEY uint64_t
#define VEC vector_64
#define MASK __mmask8
#define LANES 8
#define OP(x) OP_64_##x
#define OP_64_min _mm512_min_epu64
#define OP_64_max _mm512_max_epu64
#define OP_64_set1(x) _mm512_set1_epi64((long long)(x))
#define MASKED(x) MASKED_64_##x
#define MASKED_64_max _mm512_mask_max_epu64
#define MASKED_64_loadu _mm512_mask_loadu_epi64
#define MASKED_64_storeu _mm512_mask_storeu_epi64
#define COMPARE(x) COMPARE_64_##x
#define COMPARE_64_cmplt _mm512_cmplt_epu64_mask
#define COMPARE_64_cmpgt _mm512_cmpgt_epu64_mask
#define PACK _mm512_maskz_compress_epi64
#define ACROSS ACROSS_8
#include "server/kernels/order/sort_simd_body.h"

void KERNEL_NAME(kernels_sort_simd_32)(int64_t n, char *items, char *spare, uint64_t differ) {
  (void)differ;
  sort_32(n, (uint32_t *)items, (uint32_t *)spare);
}

void KERNEL_NAME(kernels_sort_simd_64)(int64_t n, char *items, char *spare, uint64_t differ) {
  (void)differ;
  sort_64(n, (uint64_t *)items, (uint64_t *)spare);
}

void KERNEL_NAME(kernels_merge_32)(const uint32_t *a, const uint32_t *a_end, const uint32_t *b,
                                   const uint32_t *b_end, uint32_t *out) {
  merge_runs_32(a, a_end, b, b_end, out);
}

void KERNEL_NAME(kernels_merge_64)(const uint64_t *a, const uint64_t *a_end, const uint64_t *b,
                                   const uint64_t *b_end, uint64_t *out) {
  merge_runs_64(a, a_end, b, b_end, out);
}
#endif
