/* SPDX-License-Identifier: BSD-3-Clause */
/* Dtypes: one list; enum, sizes, names and tables expand from it. They are those of the Python array API
 * standard, in its order. */
#ifndef NUMD_PROTOCOL_DTYPE_H
#define NUMD_PROTOCOL_DTYPE_H

#include <stdint.h>

/* Two reals, as C's and NumPy's complex numbers lie in memory; a struct, so that C++ can include it. */
typedef struct numd_complex64 {
  float real, imag;
} numd_complex64;
typedef struct numd_complex128 {
  double real, imag;
} numd_complex128;

/* X(number, NAME, name, C type, kind, NumPy type character)
 * kind: 'b' bool, 'i' signed, 'u' unsigned, 'f' real, 'c' complex. A bool is one byte, 0 or 1. */
#define NUMD_DTYPE_LIST(X)                              \
  X(0, BOOL, bool, uint8_t, 'b', '?')                   \
  X(1, INT8, int8, int8_t, 'i', 'b')                    \
  X(2, INT16, int16, int16_t, 'i', 'h')                 \
  X(3, INT32, int32, int32_t, 'i', 'i')                 \
  X(4, INT64, int64, int64_t, 'i', 'q')                 \
  X(5, UINT8, uint8, uint8_t, 'u', 'B')                 \
  X(6, UINT16, uint16, uint16_t, 'u', 'H')              \
  X(7, UINT32, uint32, uint32_t, 'u', 'I')              \
  X(8, UINT64, uint64, uint64_t, 'u', 'Q')              \
  X(9, FLOAT32, float32, float, 'f', 'f')               \
  X(10, FLOAT64, float64, double, 'f', 'd')             \
  X(11, COMPLEX64, complex64, numd_complex64, 'c', 'F') \
  X(12, COMPLEX128, complex128, numd_complex128, 'c', 'D')

#define NUMD_DTYPE_CODES 16 /* dtype numbers are below this */

typedef enum {
#define X(number, NAME, name, ctype, kind, npchar) NUMD_##NAME = number,
  NUMD_DTYPE_LIST(X)
#undef X
      NUMD_DTYPE_NONE = 255, /* "let the daemon decide" */
} numd_dtype;

/* What the row of a dtype says. */
struct numd_dtype_info {
  const char *name; /* NULL in the daemon's own tables: no dtype has this number */
  uint8_t size;     /* bytes an item */
  uint8_t align;    /* bytes to which an item's address must be aligned */
  char kind;        /* 'b' 'i' 'u' 'f' 'c' */
  char npchar;      /* NumPy's type character */
};

#endif
