/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: what sorting, searching and counting different values are made of.
 *
 * Items are compared by keys: unsigned integers in the order of the values that they stand for. The key of a
 * NaN is the largest there is, whatever the direction; those of -0 and 0 are one. So all dtypes of a size
 * share their loops, and descending order is ascending order of inverted keys. Keys are private copies: what
 * is sorted cannot change while it is sorted.
 *
 * What is moved about is an item: the bare key where values are sorted (it says what the value was, but for
 * the sign of a zero and the bits of a NaN), else a key and the index that it came from.
 *
 * sorter.c sorts a long row of items in phases: chunks of it, which then are merged. */
#ifndef NUMD_SERVER_KERNELS_ORDER_SORT_KEYS_H
#define NUMD_SERVER_KERNELS_ORDER_SORT_KEYS_H

#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"

/* X(NAME, C type, C type of its key, key of item) */
#define SORT_ITEM_LIST(X)                                                                       \
  X(8, uint8_t, uint8_t, (item))                                                                \
  X(16, uint16_t, uint16_t, (item))                                                             \
  X(32, uint32_t, uint32_t, (item))                                                             \
  X(64, uint64_t, uint64_t, (item))                                                             \
  X(SHORT, uint64_t, uint32_t, (uint32_t)((item) >> 32)) /* a key of up to 32 bits, an index */ \
  X(LONG, struct sort_pair, uint64_t, (item).key)

enum sort_item {
#define X(NAME, type, ktype, key) SORT_ITEM_##NAME,
  SORT_ITEM_LIST(X)
#undef X
      SORT_ITEMS
};

struct sort_pair {
  uint64_t key;
  int64_t index;
};

#define SORT_BLOCK 1024 /* keys at most that `load` makes at once */
#define SORT_TINY 96    /* rows of up to this many elements are sorted at once by `tiny` */
#define SORT_BUCKETS 256

/* What is known of keys in a row, in their first order. */
struct key_facts {
  uint64_t all, any; /* bits set in all of them, in any of them */
  uint64_t first, last;
  int64_t n;
  bool falls;                             /* one is below the one before it */
  bool rises;                             /* one is not below the one before it */
  int64_t n_zero, n_negative_zero, n_nan; /* of floats */
};

struct sort_loops {
  /* The keys of n <= SORT_BLOCK values of a dtype, contiguous in `keys`; adds to facts. */
  void (*load[NUMD_DTYPE_CODES])(int64_t n, const char *in, int64_t stride, bool descending, char *keys,
                                 struct key_facts *facts);
  /* The values of n items. */
  void (*store[NUMD_DTYPE_CODES])(enum sort_item kind, int64_t n, const char *items, bool descending,
                                  char *out, int64_t stride);
  /* Sorts a row of n <= SORT_TINY values into `out`, or their indices. */
  void (*tiny[NUMD_DTYPE_CODES])(int64_t n, const char *in, int64_t stride, bool descending, bool indices,
                                 char *out, int64_t out_stride);
  /* Where n <= SORT_BLOCK keys belong in the sorted values hay[0 .. n_hay-1]. However those may change, each
   * position is at most n_hay. */
  void (*search[NUMD_DTYPE_CODES])(int64_t n, const char *keys, const char *hay, int64_t n_hay,
                                   int64_t stride, bool right, int64_t *positions);
  /* Items with an index, of contiguous keys of key_bytes. */
  void (*pair)(enum sort_item kind, int key_bytes, int64_t n, const char *keys, int64_t first_index,
               char *items);
  void (*indices[SORT_ITEMS])(int64_t n, const char *items, int64_t *out, int64_t stride);
  /* Sorts n < 2^32 items by the bytes of their keys, from the lowest to the highest; those that are set in
   * `differ` alone, the others being known to be the same. */
  void (*radix[SORT_ITEMS])(int64_t n, char *items, char *spare, uint64_t differ);
  /* The same in the fastest way: by the bytes, or for bare keys as in sort_simd.isa.c. */
  void (*sort[SORT_ITEMS])(int64_t n, char *items, char *spare, uint64_t differ);
  void (*reverse[SORT_ITEMS])(int64_t n, char *items);
  /* Merges items[0 .. na-1] and the nb behind them: the merged items first .. first+n-1, to their places. */
  void (*merge[SORT_ITEMS])(const char *items, int64_t na, int64_t nb, int64_t first, int64_t n, char *to);
  /* Positions in items[0 .. n-1] of those whose key is not that of the item before, plus `first`. `before`:
   * items[-1] is there; each NaN counts as a value if `nans`. How many. */
  int64_t (*edges[SORT_ITEMS])(int64_t n, const char *items, bool before, bool nans, int64_t first,
                               int64_t *out);
};

/* A way to sort n elements, cut into chunks. */
struct sorter {
  uint8_t dtype;
  uint8_t item; /* enum sort_item */
  uint8_t item_bytes, key_bytes, levels;
  bool descending;
  int64_t n, n_chunks, chunk; /* all chunks but the last have `chunk` elements */
};

void sorter_init(struct sorter *s, numd_dtype dtype, bool descending, bool indices, int64_t n);
int64_t sorter_bytes(const struct sorter *s);
int sorter_phases(const struct sorter *s);
uint64_t sorter_cost_ns(const struct sorter *s);
/* One phase for one chunk; the source has s->n elements. */
void sorter_run(const struct sorter *s, int phase, int64_t chunk, const struct strided_iter *source,
                const char *data, char *scratch);
/* After the last phase: the items in order, and the facts of all. */
const char *sorter_result(const struct sorter *s, const char *scratch, struct key_facts *facts);
const struct key_facts *sorter_facts(const struct sorter *s, const char *scratch, int64_t chunk);
int64_t sorter_chunk_length(const struct sorter *s, int64_t chunk);

const struct sort_loops *sort_loops(void);

#endif
