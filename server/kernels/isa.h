/* SPDX-License-Identifier: BSD-3-Clause */
/* What a family's source needs to be compiled once for each instruction set. The build gives
 * KERNEL_ISA: c (portable, baseline flags, libm), v3 or v4 (x86-64-v3 with AVX2, x86-64-v4 with AVX-512).
 * Whatever a family exports is named with KERNEL_NAME, so that the builds can be linked together; the rest is
 * static.
 *
 * Element access: values are read and written through types made with KERNEL_ALIAS, since the
 * memory is shared, belongs to no C object and may be both an input and an output of another type.
 *
 * KERNEL_FOR is a loop that may be vectorised although an input may be exactly the output: then
 * element i is read before it is written, in the same iteration, and no iteration needs another's. */
#ifndef NUMD_SERVER_KERNELS_ISA_H
#define NUMD_SERVER_KERNELS_ISA_H

#define KERNEL_JOIN2(a, b) a##b
#define KERNEL_JOIN(a, b) KERNEL_JOIN2(a, b)
#define KERNEL_NAME(name) KERNEL_JOIN(name##_, KERNEL_ISA)

#define KERNEL_LEVEL_c 0
#define KERNEL_LEVEL_v3 3
#define KERNEL_LEVEL_v4 4
#define KERNEL_LEVEL KERNEL_JOIN(KERNEL_LEVEL_, KERNEL_ISA)

#define KERNEL_ALIAS __attribute__((may_alias))
#define KERNEL_UNUSED __attribute__((unused))

#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed" /* a loop that stays scalar is no error */
#define KERNEL_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define KERNEL_IVDEP _Pragma("GCC ivdep")
#endif

#define KERNEL_FOR(i, n) KERNEL_IVDEP for (int64_t i = 0; i < (n); i++)

#endif
