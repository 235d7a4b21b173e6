/* SPDX-License-Identifier: BSD-3-Clause */
/* Division by a number that is the same throughout, as a multiplication: Granlund and Montgomery, "Division
 * by invariant integers using multiplication", figure 4.1. */
#ifndef NUMD_SERVER_KERNELS_ELEMENTWISE_MULTIPLIER_H
#define NUMD_SERVER_KERNELS_ELEMENTWISE_MULTIPLIER_H

#include <stdint.h>

/* x / divisor is ((x - h) / 2^shift1 + h) / 2^shift2, with h the upper half of multiplier * x. */
#define DEFINE_MULTIPLIER(U, BITS, WIDE)                                                             \
  struct multiplier_##BITS {                                                                         \
    U multiplier;                                                                                    \
    unsigned char shift1, shift2;                                                                    \
  };                                                                                                 \
  static struct multiplier_##BITS multiplier_##BITS(U divisor) {                                     \
    const int length = divisor == 1 ? 0 : 64 - __builtin_clzll((uint64_t)divisor - 1);               \
    const U above = (U)((length < BITS ? (WIDE)1 << length : 0) - divisor); /* 2^length - divisor */ \
    return (struct multiplier_##BITS){                                                               \
        .multiplier = (U)(((WIDE)above << BITS) / divisor + 1),                                      \
        .shift1 = length > 0,                                                                        \
        .shift2 = (unsigned char)(length > 0 ? length - 1 : 0),                                      \
    };                                                                                               \
  } static inline KERNEL_UNUSED U multiplied_##BITS(U x, struct multiplier_##BITS m) {               \
    const U upper = (U)((WIDE)((WIDE)x * m.multiplier) >> BITS);                                     \
    return (U)((U)(upper + ((U)(x - upper) >> m.shift1)) >> m.shift2);                               \
  }

#endif
