/* SPDX-License-Identifier: BSD-3-Clause */
/* One instruction set's table: the families' tables gathered. Compiled once for each. */
#include "server/kernels/family.h"

#define X(family) KERNEL_NAME(kernels_##family),
static const kernel_map_fn (*const maps[])[NUMD_DTYPE_CODES] = {KERNEL_MAP_FAMILIES(X) NULL};
#undef X

const struct kernels_table KERNEL_NAME(kernels_table) = {
    .maps = maps,
    .cast = KERNEL_NAME(kernels_cast),
    .nontemporal_copy = KERNEL_NAME(kernels_nontemporal_copy),
    .transpose_copy = KERNEL_NAME(kernels_transpose_copy),
    .reduce = {KERNEL_NAME(kernels_reduce), KERNEL_NAME(kernels_reduce_exact)},
    .rows = KERNEL_NAME(kernels_reduce_rows),
    .scan = &KERNEL_NAME(kernels_scan),
    .matmul_loops = KERNEL_NAME(kernels_matmul_loops),
    .sort = &KERNEL_NAME(kernels_sort_keys),
    .small = KERNEL_NAME(kernels_small),
};
