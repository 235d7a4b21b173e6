/* One instruction set's table: the families' tables gathered. Compiled once for each. */
#include "server/kernels/family.h"

const struct kernels_table KERNEL_NAME(kernels_table) = {
    .map = KERNEL_NAME(kernels_map),
    .cast = KERNEL_NAME(kernels_cast),
    .reduce = KERNEL_NAME(kernels_reduce),
    .product = KERNEL_NAME(kernels_product),
};
