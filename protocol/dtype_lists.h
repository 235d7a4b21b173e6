/* SPDX-License-Identifier: BSD-3-Clause */
/* The dtypes by kind, for tables and loops that exist for some kinds alone: NUMD_DTYPE_LIST's rows again,
 * since the preprocessor cannot choose among them. list.c asserts that the two agree.
 *
 * X gets the dtype's NAME, its C type, and whatever else is given. */
#ifndef NUMD_PROTOCOL_DTYPE_LISTS_H
#define NUMD_PROTOCOL_DTYPE_LISTS_H

#include "protocol/dtype.h"

#define DTYPE_BOOLS(X, ...) X(BOOL, uint8_t, ##__VA_ARGS__)

/* X(NAME, C type, NAME of the unsigned dtype of that size, its C type, ...) */
#define DTYPE_INT_PAIRS(X, ...)                      \
  X(INT8, int8_t, UINT8, uint8_t, ##__VA_ARGS__)     \
  X(INT16, int16_t, UINT16, uint16_t, ##__VA_ARGS__) \
  X(INT32, int32_t, UINT32, uint32_t, ##__VA_ARGS__) \
  X(INT64, int64_t, UINT64, uint64_t, ##__VA_ARGS__)

#define DTYPE_SIGNED_OF_PAIR(SNAME, S, UNAME, U, X, ...) X(SNAME, S, ##__VA_ARGS__)
#define DTYPE_UNSIGNED_OF_PAIR(SNAME, S, UNAME, U, X, ...) X(UNAME, U, ##__VA_ARGS__)
#define DTYPE_SIGNED_INTS(X, ...) DTYPE_INT_PAIRS(DTYPE_SIGNED_OF_PAIR, X, ##__VA_ARGS__)
#define DTYPE_UNSIGNED_INTS(X, ...) DTYPE_INT_PAIRS(DTYPE_UNSIGNED_OF_PAIR, X, ##__VA_ARGS__)
#define DTYPE_INTS(X, ...) DTYPE_SIGNED_INTS(X, ##__VA_ARGS__) DTYPE_UNSIGNED_INTS(X, ##__VA_ARGS__)

#define DTYPE_REALS(X, ...)        \
  X(FLOAT32, float, ##__VA_ARGS__) \
  X(FLOAT64, double, ##__VA_ARGS__)

/* Here the type is that of a number's parts: what a whole number is called depends on who
 * computes with it. */
#define DTYPE_COMPLEXES(X, ...)      \
  X(COMPLEX64, float, ##__VA_ARGS__) \
  X(COMPLEX128, double, ##__VA_ARGS__)

#endif
