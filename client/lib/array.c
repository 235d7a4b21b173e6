/* Arrays, and the handles by which they travel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/internal.h"

static struct array_impl *impl_of(numd_array *array) {
  return (struct array_impl *)array;
}

/* An array over `block` or, if that is NULL, in `segment`; takes over the caller's references to these and to
 * the layout, also on failure. */
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
  int r = conn_enter(conn);
  if (r || (r = layout_get(dtype, ndim, shape, NULL, &layout)))
    return r;
  if ((r = block_new(conn, (uint64_t)layout->nbytes, &block))) {
    layout_unref(layout);
    return r;
  }
  if (zero && !block->fresh)
    memset(block->segment->data + block->offset, 0, (size_t)layout->nbytes);
  return make(conn, block, NULL, (int64_t)block->offset, layout, out);
}

int array_of_layout(numd_conn *conn, const numd_layout *layout, numd_array **out) {
  struct block *block;
  int r = block_new(conn, (uint64_t)layout->nbytes, &block);
  return r ? r : make(conn, block, NULL, (int64_t)block->offset, layout_ref(layout), out);
}

int numd_array_empty(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[], numd_array **out) {
  return make_new(conn, dtype, ndim, shape, false, out);
}

int numd_array_zeros(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[], numd_array **out) {
  return make_new(conn, dtype, ndim, shape, true, out);
}

/* Whether [offset + extents) lies within first .. last; `what` names the room for the message. */
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

int numd_array_view(numd_array *base, int64_t offset, numd_dtype dtype, int ndim, const int64_t shape[],
                    const int64_t strides[], numd_array **out) {
  struct array_impl *b = impl_of(base);
  const numd_layout *layout;
  int64_t at = (int64_t)binding_offset(base->binding);
  int r = layout_get(dtype, ndim, shape, strides, &layout);
  if (r)
    return r;
  if (__builtin_add_overflow(at, offset, &at))
    r = error_set(NUMD_EBOUNDS, "offset %lld overflows", (long long)offset);
  else if (b->block)
    r = check_room(layout, at, b->block->offset, b->block->offset + b->block->bytes, "the memory");
  else
    r = check_room(layout, at, 0, b->segment->bytes, "the segment");
  if (r) {
    layout_unref(layout);
    return r;
  }
  if (b->block)
    block_ref(b->block);
  else
    numd_segment_ref(b->segment);
  return make(base->conn, b->block, b->segment, at, layout, out);
}

int numd_segment_array(numd_segment *segment, int64_t offset, numd_dtype dtype, int ndim,
                       const int64_t shape[], const int64_t strides[], numd_array **out) {
  const numd_layout *layout;
  int r = layout_get(dtype, ndim, shape, strides, &layout);
  if (r)
    return r;
  if ((r = check_room(layout, offset, 0, segment->bytes, "the segment"))) {
    layout_unref(layout);
    return r;
  }
  return make(segment->conn, NULL, numd_segment_ref(segment), offset, layout, out);
}

numd_array *numd_array_ref(numd_array *array) {
  atomic_fetch_add_explicit(&impl_of(array)->refs, 1, memory_order_relaxed);
  return array;
}

void numd_array_unref(numd_array *array) {
  struct array_impl *a = impl_of(array);
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

/* ---- Handles ---- */

/* Departure is in lend.c. */
int numd_array_import(numd_conn *conn, const numd_handle *handle, numd_array **out) {
  const numd_layout *layout;
  struct block *block;
  int r = conn_enter(conn);
  if (r)
    return r;
  if (handle->version != NUMD_HANDLE_VERSION)
    return error_set(NUMD_EVERSION, "the handle has version %u; this numd reads version %d",
                     (unsigned)handle->version, NUMD_HANDLE_VERSION);
  if (handle->reserved || handle->ndim > MAX_DIMS || handle->offset > BINDING_OFFSET_MAX)
    return error_set(NUMD_EINVAL, "not a handle");
  r = layout_get((numd_dtype)handle->dtype, (int)handle->ndim, handle->shape, handle->strides, &layout);
  if (r)
    return r;
  if ((r = block_import(conn, handle, &block))) {
    layout_unref(layout);
    return r;
  }
  r = check_room(layout, (int64_t)handle->offset, block->offset, block->offset + block->bytes, "the memory");
  if (r) {
    layout_unref(layout);
    block_unref(block);
    return r;
  }
  return make(conn, block, NULL, (int64_t)handle->offset, layout, out);
}
