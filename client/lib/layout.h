/* SPDX-License-Identifier: BSD-3-Clause */
/* Interned layouts: equal dtype, shape and strides give the same address, so that signatures compare by
 * pointer. A layout leaves the table with its last reference. */
#ifndef NUMD_CLIENT_LIB_LAYOUT_H
#define NUMD_CLIENT_LIB_LAYOUT_H

#include <stdatomic.h>

#include "client/numd.h"
#include "protocol/program.h"

struct layout_impl {
  numd_layout pub; /* first: a numd_layout * is a layout_impl * */
  atomic_int refs;
  uint64_t hash;
  struct layout_impl *next;
  int64_t extents[2]; /* lowest byte, one past the highest */
  int64_t dims[];     /* shape, then strides */
};

/* The interned layout, with a reference. strides NULL: C order. EDTYPE, ESHAPE, EALIGN, ENOMEMORY. */
int layout_get(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[],
               const numd_layout **out);
const numd_layout *layout_ref(const numd_layout *layout);
void layout_unref(const numd_layout *layout);
/* Makes a program's struct layout of an interned one. */
void layout_fill(const numd_layout *from, struct layout *to);

/* Around fork(), so that the child does not inherit the table in the middle of a change. */
void layout_lock(void);
void layout_unlock(void);

static inline const struct layout_impl *layout_impl(const numd_layout *layout) {
  return (const struct layout_impl *)layout;
}

#endif
