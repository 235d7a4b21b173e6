/* SPDX-License-Identifier: BSD-3-Clause */
/* The shapes of elementwise loops, for the families that fill them with expressions.
 *
 * Each macro defines one loop `NAME`, a kernel_map_fn, from an expression EXPR in x (and y, z) of TYPE that
 * gives RESULT. READ says how a stored item becomes a value: READ_PLAIN, or READ_BOOL for the bytes of bools.
 * The loops split by layout, so that the compiler vectorises what is worth it: all contiguous; one input the
 * same value throughout, as scalars are; and any strides, one by one. */
#ifndef NUMD_SERVER_KERNELS_ELEMENTWISE_LOOPS_H
#define NUMD_SERVER_KERNELS_ELEMENTWISE_LOOPS_H

#include "server/kernels/isa.h"

#define READ_BOOL(v) ((uint8_t)((v) != 0))
#define READ_PLAIN(v) (v)

#define UNARY_LOOP(NAME, RESULT, TYPE, READ, EXPR)                             \
  static inline RESULT NAME##_value(TYPE x) {                                  \
    return EXPR;                                                               \
  }                                                                            \
  static unsigned NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef TYPE KERNEL_ALIAS item;                                            \
    typedef RESULT KERNEL_ALIAS result;                                        \
    const char *xp = ptr[0];                                                   \
    char *op = ptr[1];                                                         \
    if (stride[0] == sizeof(item) && stride[1] == sizeof(result)) {            \
      const item *xs = (const item *)xp;                                       \
      result *out = (result *)op;                                              \
      KERNEL_FOR(i, n) out[i] = NAME##_value(READ(xs[i]));                     \
      return 0;                                                                \
    }                                                                          \
    for (int64_t i = 0; i < n; i++, xp += stride[0], op += stride[1])          \
      *(result *)op = NAME##_value(READ(*(const item *)xp));                   \
    return 0;                                                                  \
  }

#define BINARY_LOOP(NAME, RESULT, TYPE, READ, EXPR)   \
  static inline RESULT NAME##_value(TYPE x, TYPE y) { \
    return EXPR;                                      \
  }                                                   \
  BINARY_VALUE_LOOP(NAME, RESULT, TYPE, READ)

/* As BINARY_LOOP, where a function NAME_value gives the value. */
#define BINARY_VALUE_LOOP(NAME, RESULT, TYPE, READ)                                    \
  static unsigned NAME(int64_t n, char *const ptr[], const int64_t stride[]) {         \
    typedef TYPE KERNEL_ALIAS item;                                                    \
    typedef RESULT KERNEL_ALIAS result;                                                \
    const int64_t size = sizeof(item);                                                 \
    const item *xs = (const item *)ptr[0], *ys = (const item *)ptr[1];                 \
    result *out = (result *)ptr[2];                                                    \
    if (stride[2] == sizeof(result) && n > 0) {                                        \
      if (stride[0] == size && stride[1] == size) {                                    \
        KERNEL_FOR(i, n) out[i] = NAME##_value(READ(xs[i]), READ(ys[i]));              \
        return 0;                                                                      \
      }                                                                                \
      if (stride[0] == size && stride[1] == 0) {                                       \
        const TYPE y = READ(ys[0]);                                                    \
        KERNEL_FOR(i, n) out[i] = NAME##_value(READ(xs[i]), y);                        \
        return 0;                                                                      \
      }                                                                                \
      if (stride[0] == 0 && stride[1] == size) {                                       \
        const TYPE x = READ(xs[0]);                                                    \
        KERNEL_FOR(i, n) out[i] = NAME##_value(x, READ(ys[i]));                        \
        return 0;                                                                      \
      }                                                                                \
    }                                                                                  \
    const char *xp = ptr[0], *yp = ptr[1];                                             \
    char *op = ptr[2];                                                                 \
    for (int64_t i = 0; i < n; i++, xp += stride[0], yp += stride[1], op += stride[2]) \
      *(result *)op = NAME##_value(READ(*(const item *)xp), READ(*(const item *)yp));  \
    return 0;                                                                          \
  }

/* The loop `OTHER` with its two inputs exchanged. */
#define SWAPPED_LOOP(NAME, OTHER)                                              \
  static unsigned NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    char *const swapped[] = {ptr[1], ptr[0], ptr[2]};                          \
    const int64_t steps[] = {stride[1], stride[0], stride[2]};                 \
    return OTHER(n, swapped, steps);                                           \
  }

/* Of x, y and z, where y and z are often scalars; a function NAME_value gives the value. */
#define TERNARY_VALUE_LOOP(NAME, TYPE)                                                             \
  static unsigned NAME(int64_t n, char *const ptr[], const int64_t stride[]) {                     \
    typedef TYPE KERNEL_ALIAS item;                                                                \
    const int64_t size = sizeof(item);                                                             \
    const item *xs = (const item *)ptr[0], *ys = (const item *)ptr[1], *zs = (const item *)ptr[2]; \
    item *out = (item *)ptr[3];                                                                    \
    if (stride[0] == size && stride[3] == size && n > 0) {                                         \
      if (stride[1] == 0 && stride[2] == 0) {                                                      \
        const TYPE y = ys[0], z = zs[0];                                                           \
        KERNEL_FOR(i, n) out[i] = NAME##_value(xs[i], y, z);                                       \
        return 0;                                                                                  \
      }                                                                                            \
      if (stride[1] == size && stride[2] == size) {                                                \
        KERNEL_FOR(i, n) out[i] = NAME##_value(xs[i], ys[i], zs[i]);                               \
        return 0;                                                                                  \
      }                                                                                            \
    }                                                                                              \
    const char *xp = ptr[0], *yp = ptr[1], *zp = ptr[2];                                           \
    char *op = ptr[3];                                                                             \
    for (int64_t i = 0; i < n; i++) {                                                              \
      *(item *)op = NAME##_value(*(const item *)xp, *(const item *)yp, *(const item *)zp);         \
      xp += stride[0], yp += stride[1], zp += stride[2], op += stride[3];                          \
    }                                                                                              \
    return 0;                                                                                      \
  }

/* For loops that work on blocks in private memory: gather_NAME reads n items of any stride, scatter_NAME
 * writes them. */
#define BLOCK 256

#define BLOCK_ACCESS(NAME, T)                                                               \
  static void gather_##NAME(int64_t n, const char *from, int64_t stride, T *restrict to) {  \
    typedef T KERNEL_ALIAS item;                                                            \
    if (stride == sizeof(T))                                                                \
      for (int64_t i = 0; i < n; i++)                                                       \
        to[i] = ((const item *)from)[i];                                                    \
    else                                                                                    \
      for (int64_t i = 0; i < n; i++)                                                       \
        to[i] = *(const item *)(from + i * stride);                                         \
  }                                                                                         \
  static void scatter_##NAME(int64_t n, const T *restrict from, char *to, int64_t stride) { \
    typedef T KERNEL_ALIAS item;                                                            \
    if (stride == sizeof(T))                                                                \
      for (int64_t i = 0; i < n; i++)                                                       \
        ((item *)to)[i] = from[i];                                                          \
    else                                                                                    \
      for (int64_t i = 0; i < n; i++)                                                       \
        *(item *)(to + i * stride) = from[i];                                               \
  }

#endif
