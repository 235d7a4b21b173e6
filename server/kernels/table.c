/* One instruction set's table: the families' tables gathered. Compiled once for each. */
#include "server/kernels/family.h"

#define X(family) KERNEL_NAME(kernels_##family),
static const kernel_map_fn (*const maps[])[NUMD_DTYPE_CODES] = {KERNEL_MAP_FAMILIES(X) NULL};
#undef X

const struct kernels_table KERNEL_NAME(kernels_table) = {
    .maps = maps,
    .cast = KERNEL_NAME(kernels_cast),
    .stream = KERNEL_NAME(kernels_stream),
    .turn = KERNEL_NAME(kernels_turn),
    .reduce = {KERNEL_NAME(kernels_reduce), KERNEL_NAME(kernels_reduce_exact)},
    .rows = KERNEL_NAME(kernels_reduce_rows),
    .scan = &KERNEL_NAME(kernels_scan),
    .product = KERNEL_NAME(kernels_product),
    .order = &KERNEL_NAME(kernels_order),
    .small = KERNEL_NAME(kernels_small),
};
