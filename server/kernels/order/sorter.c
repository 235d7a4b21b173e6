/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorting a row of items in phases. It is cut into chunks, a power of two of them, small enough that one and
 * its copy stay in a core's second cache. The first phase sorts each chunk for itself, by the bytes of the
 * keys: in the cache that takes a few nanoseconds an item, beyond it many. Each later phase merges pairs of
 * sorted runs of chunks to runs of twice the length. There too a unit is a chunk, of the merged run: a search
 * tells which parts of the two runs it is made of. So the work is divided by shape alone, whatever the data.
 *
 * Equal items keep their order. A chunk that is found to be in order, or in strictly reversed order, is not
 * sorted by bytes, and if the row is in order nothing is merged.
 *
 * Scratch memory of a row: the facts of each chunk, and twice room for the items. Each merging phase reads
 * the one and writes the other. */
#include <string.h>

#include "server/kernels/order/sort_keys.h"
#include "server/kernels/size_math.h"
#include "server/kernels/table.h"

#define CHUNK_BYTES (512 * 1024) /* of items, at most */
#define CHUNK_ITEMS 32768        /* no more than that as long as there are fewer than CHUNKS_WANTED */
#define CHUNKS_WANTED 16
#define CUT_MIN 32768         /* rows shorter than this are one chunk */
#define CUT_MIN_NARROW 262144 /* with keys of one or two bytes, which are sorted faster than merged */

const struct sort_loops *sort_loops(void) {
  return kernels_table()->sort;
}

static enum sort_item item_for(int key_bytes, bool indices, int64_t n) {
  if (indices)
    return key_bytes <= 4 && n <= (int64_t)UINT32_MAX ? SORT_ITEM_SHORT : SORT_ITEM_LONG;
  switch (key_bytes) {
    case 1:
      return SORT_ITEM_8;
    case 2:
      return SORT_ITEM_16;
    case 4:
      return SORT_ITEM_32;
    default:
      return SORT_ITEM_64;
  }
}

static int levels_for(int64_t n, int item_bytes, int key_bytes) {
  int levels = 0;
  if (n < (item_bytes > key_bytes && key_bytes <= 2 ? CUT_MIN_NARROW : CUT_MIN))
    return 0;
  for (levels = 1; (n >> levels) * item_bytes > CHUNK_BYTES ||
                   (n >> levels > CHUNK_ITEMS && (int64_t)1 << levels < CHUNKS_WANTED);
       levels++) {
  }
  return levels;
}

void sorter_init(struct sorter *s, numd_dtype dtype, bool descending, bool indices, int64_t n) {
  static const uint8_t item_bytes[SORT_ITEMS] = {
#define X(NAME, type, ktype, key) sizeof(type),
      SORT_ITEM_LIST(X)
#undef X
  };
  s->dtype = (uint8_t)dtype;
  s->key_bytes = dtype_rows[dtype].size;
  s->item = (uint8_t)item_for(s->key_bytes, indices, n);
  s->item_bytes = item_bytes[s->item];
  s->descending = descending;
  s->n = n;
  s->levels = (uint8_t)levels_for(n, s->item_bytes, s->key_bytes);
  s->n_chunks = (int64_t)1 << s->levels;
  s->chunk = (n + s->n_chunks - 1) / s->n_chunks;
}

int64_t sorter_chunk_length(const struct sorter *s, int64_t chunk) {
  const int64_t left = s->n - chunk * s->chunk;
  return left < 0 ? 0 : smaller(left, s->chunk);
}

static int64_t head_bytes(const struct sorter *s) {
  return align_up(s->n_chunks * (int64_t)sizeof(struct key_facts), 64);
}

int64_t sorter_bytes(const struct sorter *s) {
  return head_bytes(s) + 2 * align_up(s->n * s->item_bytes, 64);
}

int sorter_phases(const struct sorter *s) {
  return 1 + s->levels;
}

uint64_t sorter_cost_ns(const struct sorter *s) {
  return cost_times((uint64_t)s->n, 2 + 3 * (uint64_t)s->key_bytes + 3 * (uint64_t)s->levels);
}

const struct key_facts *sorter_facts(const struct sorter *s, const char *scratch, int64_t chunk) {
  return &((const struct key_facts *)(const void *)scratch)[chunk];
}

/* The facts of the whole row, made from those of its chunks in their order. */
static struct key_facts all_facts(const struct sorter *s, const char *scratch) {
  struct key_facts sum = *sorter_facts(s, scratch, 0);
  for (int64_t c = 1; c < s->n_chunks; c++) {
    const struct key_facts *next = sorter_facts(s, scratch, c);
    if (next->n == 0)
      continue;
    sum.falls |= next->falls || next->first < sum.last;
    sum.last = next->last;
    sum.n += next->n;
    sum.n_zero += next->n_zero;
    sum.n_negative_zero += next->n_negative_zero;
    sum.n_nan += next->n_nan;
  }
  return sum;
}

static char *room(const struct sorter *s, const char *scratch, int which) {
  return (char *)(uintptr_t)scratch + head_bytes(s) + (which ? align_up(s->n * s->item_bytes, 64) : 0);
}

static struct key_facts load_chunk(const struct sorter *s, int64_t chunk, const struct strided_iter *source,
                                   const char *data, char *items) {
  const struct sort_loops *loops = sort_loops();
  const int64_t begin = chunk * s->chunk, end = begin + sorter_chunk_length(s, chunk);
  const bool bare = s->item_bytes == s->key_bytes, row = source->ndim == 1;
  _Alignas(64) char values[SORT_BLOCK * 8], keys[SORT_BLOCK * 8];
  struct key_facts facts = {.n = 0};
  for (int64_t i = begin; i < end; i += SORT_BLOCK) {
    const int64_t n = smaller(end - i, SORT_BLOCK);
    const char *from = data + (row ? i * source->strides[0] : 0);
    int64_t stride = source->strides[0];
    if (!row) {
      strided_iter_read(source, data, i, n, values);
      from = values;
      stride = s->key_bytes;
    }
    char *const to = items + i * s->item_bytes;
    loops->load[s->dtype](n, from, stride, s->descending, bare ? to : keys, &facts);
    if (!bare)
      loops->pair((enum sort_item)s->item, s->key_bytes, n, keys, i, to);
  }
  return facts;
}

static void sort_chunk(const struct sorter *s, int64_t chunk, const struct strided_iter *source,
                       const char *data, char *scratch) {
  const int64_t n = sorter_chunk_length(s, chunk), begin = chunk * s->chunk * s->item_bytes;
  char *const items = room(s, scratch, 0);
  const struct key_facts facts = load_chunk(s, chunk, source, data, items);
  ((struct key_facts *)(void *)scratch)[chunk] = facts;
  if (facts.falls && facts.rises)
    sort_loops()->sort[s->item](n, items + begin, room(s, scratch, 1) + begin, facts.all ^ facts.any);
  else if (facts.falls)
    sort_loops()->reverse[s->item](n, items + begin);
}

void sorter_run(const struct sorter *s, int phase, int64_t chunk, const struct strided_iter *source,
                const char *data, char *scratch) {
  if (phase == 0) {
    sort_chunk(s, chunk, source, data, scratch);
    return;
  }
  if (!all_facts(s, scratch).falls)
    return;
  const int64_t run = s->chunk << (phase - 1), begin = chunk / (1 << phase) * 2 * run;
  if (begin >= s->n)
    return;
  const int64_t na = smaller(run, s->n - begin), nb = smaller(run, s->n - begin - na);
  const int64_t at = begin * s->item_bytes;
  sort_loops()->merge[s->item](room(s, scratch, phase % 2 == 0) + at, na, nb, chunk * s->chunk - begin,
                               sorter_chunk_length(s, chunk), room(s, scratch, phase % 2) + at);
}

const char *sorter_result(const struct sorter *s, const char *scratch, struct key_facts *facts) {
  *facts = all_facts(s, scratch);
  return room(s, scratch, facts->falls && s->levels % 2);
}
