/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/array.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/arena.h"
#include "client/lib/error.h"
#include "client/lib/layout.h"
#include "protocol/request.h"

/* An array in `block` or, if that is NULL, in `segment`; the caller's references to these and to the layout
 * become the array's, or are dropped on failure. */
static int make(numd_conn *conn, struct block *block, numd_segment *segment, int64_t offset,
                const numd_layout *layout, numd_array **out) {
  struct array_impl *a = malloc(sizeof(*a));
  numd_segment *in = block ? block->segment : segment;
  if (!a) {
    layout_unref(layout);
    if (block)
      block_unref(block);
    else
      numd_segment_unref(segment);
    return error_no_memory();
  }
  atomic_init(&a->refs, 1);
  a->block = block;
  a->segment = block ? NULL : segment;
  a->pub = (numd_array){.conn = numd_conn_ref(conn),
                        .layout = layout,
                        .data = in->data + offset,
                        .binding = binding_make(in->id, (uint64_t)offset)};
  *out = &a->pub;
  return 0;
}

static int make_new(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[], bool zero,
                    numd_array **out) {
  const numd_layout *layout;
  struct block *block;
  bool is_zero;
  int r = conn_enter(conn);
  if (r || (r = layout_get(dtype, ndim, shape, NULL, &layout)))
    return r;
  if ((r = arena_alloc(conn, (uint64_t)layout->nbytes, &is_zero, &block))) {
    layout_unref(layout);
    return r;
  }
  if (zero && !is_zero)
    memset(block->segment->data + block->offset, 0, (size_t)layout->nbytes);
  return make(conn, block, NULL, (int64_t)block->offset, layout, out);
}

int array_of_layout(numd_conn *conn, const numd_layout *layout, numd_array **out) {
  struct block *block;
  bool is_zero;
  int r = arena_alloc(conn, (uint64_t)layout->nbytes, &is_zero, &block);
  return r ? r : make(conn, block, NULL, (int64_t)block->offset, layout_ref(layout), out);
}

int numd_array_empty(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[], numd_array **out) {
  return make_new(conn, dtype, ndim, shape, false, out);
}

int numd_array_zeros(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[], numd_array **out) {
  return make_new(conn, dtype, ndim, shape, true, out);
}

/* Checks that an array at this offset lies within the bytes first .. last; `what` names these in the
 * sentence. */
static int check_room(const numd_layout *layout, int64_t offset, uint64_t first, uint64_t last,
                      const char *what) {
  const int64_t *extents = layout_impl(layout)->extents;
  int64_t lo, hi;
  if (__builtin_add_overflow(offset, extents[0], &lo) || __builtin_add_overflow(offset, extents[1], &hi) ||
      lo < 0 || (uint64_t)lo < first || (uint64_t)hi > last || (uint64_t)offset > last)
    return error_set(NUMD_EBOUNDS, "array at byte %lld reaches beyond %s of %llu bytes",
                     (long long)(offset - (int64_t)first), what, (unsigned long long)(last - first));
  if (offset % dtype_rows[layout->dtype].align != 0)
    return error_set(NUMD_EALIGN, "offset %lld is not a multiple of %d", (long long)offset,
                     dtype_rows[layout->dtype].align);
  return 0;
}

int array_in_block(numd_conn *conn, struct block *block, int64_t offset, const numd_layout *layout,
                   numd_array **out) {
  int r = check_room(layout, offset, block->offset, block->offset + block->bytes, "the memory");
  if (r) {
    layout_unref(layout);
    block_unref(block);
    return r;
  }
  return make(conn, block, NULL, offset, layout, out);
}

/* An array in a segment of the user's; the reference to the layout becomes the array's, or is dropped on
 * failure. */
static int in_segment(numd_segment *segment, int64_t offset, const numd_layout *layout, numd_array **out) {
  int r = check_room(layout, offset, 0, segment->bytes, "the segment");
  if (r) {
    layout_unref(layout);
    return r;
  }
  return make(segment->conn, NULL, numd_segment_ref(segment), offset, layout, out);
}

int numd_array_view(numd_array *base, int64_t offset, numd_dtype dtype, int ndim, const int64_t shape[],
                    const int64_t strides[], numd_array **out) {
  struct array_impl *b = array_impl(base);
  const numd_layout *layout;
  int64_t at = (int64_t)binding_offset(base->binding);
  int r = layout_get(dtype, ndim, shape, strides, &layout);
  if (r)
    return r;
  if (__builtin_add_overflow(at, offset, &at)) {
    layout_unref(layout);
    return error_set(NUMD_EBOUNDS, "offset %lld overflows", (long long)offset);
  }
  if (!b->block)
    return in_segment(b->segment, at, layout, out);
  block_ref(b->block);
  return array_in_block(base->conn, b->block, at, layout, out);
}

int numd_segment_array(numd_segment *segment, int64_t offset, numd_dtype dtype, int ndim,
                       const int64_t shape[], const int64_t strides[], numd_array **out) {
  const numd_layout *layout;
  int r = layout_get(dtype, ndim, shape, strides, &layout);
  return r ? r : in_segment(segment, offset, layout, out);
}

numd_array *numd_array_ref(numd_array *array) {
  atomic_fetch_add_explicit(&array_impl(array)->refs, 1, memory_order_relaxed);
  return array;
}

void numd_array_unref(numd_array *array) {
  struct array_impl *a = array_impl(array);
  if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
    return;
  layout_unref(a->pub.layout);
  if (a->block)
    block_unref(a->block);
  else
    numd_segment_unref(a->segment);
  numd_conn_unref(a->pub.conn);
  free(a);
}

bool array_overlaps(const numd_array *a, const numd_array *b) {
  const int64_t *x = layout_impl(a->layout)->extents, *y = layout_impl(b->layout)->extents;
  const char *at = a->data, *other = b->data;
  return at + x[0] < other + y[1] && other + y[0] < at + x[1];
}

bool array_is_private(const numd_array *array) {
  const struct block *b = array_impl(array)->block;
  return b && block_state(b) == BLOCK_PRIVATE;
}
