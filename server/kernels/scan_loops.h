/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: the loops of scans and masks that are compiled for each instruction set. */
#ifndef NUMD_SERVER_KERNELS_SCAN_LOOPS_H
#define NUMD_SERVER_KERNELS_SCAN_LOOPS_H

#include "server/kernels/kernels.h"

#define SCAN_LANES 4

/* All arrays are contiguous; bools are 0 or 1. */
struct scan_loops {
  /* The first of n items that equals *value (is NaN, if that is); n if there is none. */
  int64_t (*find[NUMD_DTYPE_CODES])(int64_t n, const char *in, const char *value);
  /* Where item j of row number `row` is better than best[j], it and the row take its place. */
  void (*better[2][NUMD_DTYPE_CODES])(int64_t n, const char *in, int64_t row, char *best, int64_t *where);
  /* Sums or products of SCAN_LANES runs of n items each that follow each other; lane j starts from acc[j]. */
  void (*scan[2][NUMD_DTYPE_CODES])(int64_t n, const char *in, char *out, const char *acc);
  /* The same of one run, from *acc on, which moves on. */
  void (*chain[2][NUMD_DTYPE_CODES])(int64_t n, const char *in, char *out, char *acc);
  /* base + i for each i with mask[i], no more than `room`; how many. */
  int64_t (*positions)(int64_t n, const uint8_t *mask, int64_t base, int64_t room, int64_t *out);
  /* in[i] for each i with mask[i], no more than `room`; how many. Items of 1, 2, 4, 8 or 16 bytes. */
  int64_t (*compress)(int64_t n, int item, const uint8_t *mask, const char *in, int64_t room, char *out);
  /* Indices of an axis of `length`, of which negative ones count from the end, to 0 .. length-1; those beyond
   * become 0. Whether there were none. */
  bool (*bounded)(int64_t n, int64_t length, int64_t *indices);
};

enum { BETTER_MAX, BETTER_MIN };
enum { SCAN_SUM, SCAN_PROD };

const struct scan_loops *kernel_scan_loops(void);

#endif
