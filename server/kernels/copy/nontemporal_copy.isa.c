/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies past the caches. Compiled once for each instruction set. */
#include <string.h>

#include "server/kernels/family.h"

#if KERNEL_LEVEL >= 3
#include <immintrin.h>

#if KERNEL_LEVEL == 4
typedef __m512i vector;
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_stream_si512((void *)(p), v)
#else
typedef __m256i vector;
#define LOAD(p) _mm256_loadu_si256((const __m256i_u *)(p))
#define STORE(p, v) _mm256_stream_si256((__m256i *)(p), v)
#endif

#define LINE 64

/* Whole lines go past the caches, what is left before and behind them does not. */
void KERNEL_NAME(kernels_nontemporal_copy)(size_t bytes, const char *from, char *to) {
  size_t head = -(uintptr_t)to & (LINE - 1);
  if (bytes < head + LINE) {
    memcpy(to, from, bytes);
    return;
  }
  memcpy(to, from, head);
  from += head, to += head, bytes -= head;
  for (; bytes >= LINE; bytes -= LINE, from += LINE, to += LINE)
    for (size_t i = 0; i < LINE; i += sizeof(vector))
      STORE(to + i, LOAD(from + i));
  memcpy(to, from, bytes);
  _mm_sfence();
}
#else
void KERNEL_NAME(kernels_nontemporal_copy)(size_t bytes, const char *from, char *to) {
  memcpy(to, from, bytes);
}
#endif
