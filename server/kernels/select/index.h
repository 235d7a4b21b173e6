/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the kernels library: what taking and putting at indices have in common.
 *
 * Indices are of any integer dtype and count from the end where negative. Each is read once, into private
 * memory, and judged there. One that is out of bounds becomes 0, so that nothing outside is touched, and is
 * reported. There always is an element 0: the plan refuses indices into an empty axis. */
#ifndef NUMD_SERVER_KERNELS_SELECT_INDEX_H
#define NUMD_SERVER_KERNELS_SELECT_INDEX_H

#include "server/kernels/array.h"
#include "server/kernels/copy/strided_iter.h"

#define INDEX_BLOCK 512 /* indices that are read at once */
#define INDEX_UNIT_ELEMENTS 16384

/* How TAKE and PUT see x: as outer x length x inner elements, among which n_indices indices select along
 * `length`. The flat array is 1 x size x 1. */
struct index_shape {
  bool flat;
  int axis;
  int64_t outer, length, inner, n_indices;
};

void index_shape_of(const struct array_job *job, struct index_shape *shape);

/* Checks the first two inputs, of TAKE or PUT, and gives the layout of what is at the indices, which is x
 * with the shape of the indices in the place of the axis. */
int index_plan(const struct array_job *job, struct layout *places, struct errtext *err);

/* The same for the operations along an axis, where each place has an index of its own: `places` is the shape
 * of the indices broadcast against that of x, but for the axis that is indexed. */
int index_plan_along(const struct array_job *job, int *axis, struct layout *places, struct errtext *err);

/* Gives `view`, which is `from` with the shape of `to` and stride 0 where it repeats; false if it does not
 * broadcast to that shape. */
bool index_broadcast(const struct layout *from, const struct layout *to, struct layout *view);

/* For each of the places, the offset in x of its line: of the element at index 0 along `axis`. */
void index_bases(const struct layout *x, int axis, const struct layout *places, struct strided_iter *bases);

/* Reads indices first .. first+n-1, n <= INDEX_BLOCK, of an axis of `length`, and checks them: KERNEL_INDEX
 * if one was out of bounds, else 0. */
unsigned index_read(const struct strided_iter *iter, numd_dtype dtype, const char *data, int64_t first,
                    int64_t n, int64_t length, int64_t *indices);

int64_t index_elements(const struct layout *a);

#endif
