/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays: views of blocks, or of segments that the user attached. */
#ifndef NUMD_CLIENT_LIB_ARRAY_H
#define NUMD_CLIENT_LIB_ARRAY_H

#include <stdatomic.h>

#include "client/lib/block.h"
#include "client/numd.h"

struct array_impl {
  numd_array pub; /* first: a numd_array * is an array_impl * */
  atomic_int refs;
  struct block *block;   /* of the arena or of another process, shared by its views; or, if NULL: */
  numd_segment *segment; /* attached by the user */
};

static inline struct array_impl *array_impl(const numd_array *array) {
  return (struct array_impl *)array;
}
static inline numd_segment *array_segment(const numd_array *array) {
  const struct array_impl *a = array_impl(array);
  return a->block ? a->block->segment : a->segment;
}

/* A new array of a layout, which gets another reference. */
int array_of_layout(numd_conn *conn, const numd_layout *layout, numd_array **out);
/* An array in a block, at an offset of its segment; takes the references to block and layout over, also on
 * failure. EBOUNDS: it reaches beyond the block. EALIGN. */
int array_in_block(numd_conn *conn, struct block *block, int64_t offset, const numd_layout *layout,
                   numd_array **out);

/* Whether two arrays may have bytes in common: their extents, from lowest to highest byte, overlap. */
bool array_overlaps(const numd_array *a, const numd_array *b);
/* Whether no other process, except forked children, has the array's memory. */
bool array_is_private(const numd_array *array);

#endif
