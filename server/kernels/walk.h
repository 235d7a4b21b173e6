/* Inside the kernels library: the elements of a strided array in C order, by their number. */
#ifndef NUMD_SERVER_KERNELS_WALK_H
#define NUMD_SERVER_KERNELS_WALK_H

#include "protocol/program.h"

/* A layout with as few axes as its strides allow. */
struct walk {
  int ndim; /* at least 1 */
  int item;
  int64_t shape[MAX_DIMS];
  int64_t strides[MAX_DIMS];
};

void walk_init(struct walk *walk, const struct layout *layout);
/* The same of one axis. */
void walk_init_row(struct walk *walk, int item, int64_t n, int64_t stride);

/* Offset in bytes of element i. */
int64_t walk_offset(const struct walk *walk, int64_t i);

/* Element i and those after it that follow at steps of one stride, that of the last axis: how many. */
int64_t walk_run(const struct walk *walk, int64_t i, int64_t *offset);

/* Copies elements first .. first+n-1 to contiguous memory. */
void walk_read(const struct walk *walk, const char *data, int64_t first, int64_t n, char *to);

/* Copies n items of 1, 2, 4, 8 or 16 bytes. */
void copy_items(int64_t n, int item, const char *from, int64_t from_stride, char *to, int64_t to_stride);
/* Copies contiguous items, number i to `to` + i * step + indices[i] * stride, in order. */
void scatter_items(int64_t n, int item, const char *from, char *to, int64_t step, const int64_t *indices,
                   int64_t stride);

#endif
