/* SPDX-License-Identifier: BSD-3-Clause */
/* Loops that move items whatever they mean, compiled once for each size that an item can have. */
#ifndef NUMD_SERVER_KERNELS_ITEM_SIZE_H
#define NUMD_SERVER_KERNELS_ITEM_SIZE_H

#include <stdint.h>

#include "server/kernels/isa.h"

typedef uint8_t KERNEL_ALIAS item_1;
typedef uint16_t KERNEL_ALIAS item_2;
typedef uint32_t KERNEL_ALIAS item_4;
typedef uint64_t KERNEL_ALIAS item_8;
typedef struct {
  uint64_t part[2];
} __attribute__((may_alias, aligned(8))) item_16; /* aligned as complex128 is */

/* Runs CASE(1), CASE(2), CASE(4), CASE(8) or CASE(16), whichever size `item` is. */
#define FOR_ITEM_SIZE(item, CASE) \
  switch (item) {                 \
    case 1:                       \
      CASE(1);                    \
      break;                      \
    case 2:                       \
      CASE(2);                    \
      break;                      \
    case 4:                       \
      CASE(4);                    \
      break;                      \
    case 8:                       \
      CASE(8);                    \
      break;                      \
    default:                      \
      CASE(16);                   \
  }

#endif
