/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/kernels/copy/strided_copy.h"

#include <stdbool.h>
#include <string.h>

#include "server/kernels/item_size.h"

#define TILE 16

/* Copies tile by tile, so that all of a cache line is used while it is in the cache. */
#define DEFINE_COPY(BYTES)                                                                              \
  static void copy_##BYTES(int64_t rows, int64_t cols, const char *from, const int64_t fs[2], char *to, \
                           const int64_t ts[2]) {                                                       \
    for (int64_t i0 = 0; i0 < rows; i0 += TILE)                                                         \
      for (int64_t j0 = 0; j0 < cols; j0 += TILE) {                                                     \
        const int64_t i1 = i0 + TILE < rows ? i0 + TILE : rows;                                         \
        const int64_t j1 = j0 + TILE < cols ? j0 + TILE : cols;                                         \
        for (int64_t j = j0; j < j1; j++)                                                               \
          for (int64_t i = i0; i < i1; i++)                                                             \
            *(item_##BYTES *)(to + i * ts[0] + j * ts[1]) =                                             \
                *(const item_##BYTES *)(from + i * fs[0] + j * fs[1]);                                  \
      }                                                                                                 \
  }
DEFINE_COPY(16)
DEFINE_COPY(8)
DEFINE_COPY(4)
DEFINE_COPY(2)
DEFINE_COPY(1)

/* Rows long enough to be worth a call each. */
static bool by_rows(int64_t item, int64_t rows, int64_t cols, const int64_t fs[2], const int64_t ts[2]) {
  return fs[1] == item && ts[1] == item && (cols >= 8 || cols >= rows);
}

void strided_copy(int64_t item, int64_t rows, int64_t cols, const char *from, const int64_t fs[2], char *to,
                  const int64_t ts[2]) {
  const int64_t from_turned[2] = {fs[1], fs[0]}, to_turned[2] = {ts[1], ts[0]};
  if (by_rows(item, rows, cols, fs, ts)) {
    for (int64_t i = 0; i < rows; i++)
      memcpy(to + i * ts[0], from + i * fs[0], (size_t)(cols * item));
    return;
  }
  if (by_rows(item, cols, rows, from_turned, to_turned)) {
    strided_copy(item, cols, rows, from, from_turned, to, to_turned);
    return;
  }
#define COPY(BYTES) copy_##BYTES(rows, cols, from, fs, to, ts)
  FOR_ITEM_SIZE(item, COPY)
#undef COPY
}
