/* Dtypes: one list; enum, sizes, names and tables expand from it. The numbers are the wire's and
 * leave room for the array API's other dtypes in their usual order (int8 is 1, uint8 is 5, ...). */
#ifndef NUMD_PROTOCOL_DTYPE_H
#define NUMD_PROTOCOL_DTYPE_H

#include <stdint.h>

/* X(number, NAME, name, C type, kind, NumPy type character)
 * kind: 'b' bool, 'i' signed, 'u' unsigned, 'f' real, 'c' complex. A bool is one byte, 0 or 1. */
#define NUMD_DTYPE_LIST(X)                \
  X(0, BOOL, bool, uint8_t, 'b', '?')     \
  X(3, INT32, int32, int32_t, 'i', 'i')   \
  X(4, INT64, int64, int64_t, 'i', 'q')   \
  X(9, FLOAT32, float32, float, 'f', 'f') \
  X(10, FLOAT64, float64, double, 'f', 'd')

#define NUMD_DTYPE_CODES 16 /* dtype numbers are below this */

typedef enum {
#define X(number, NAME, name, ctype, kind, npchar) NUMD_##NAME = number,
  NUMD_DTYPE_LIST(X)
#undef X
      NUMD_DTYPE_NONE = 255, /* "let the daemon decide" */
} numd_dtype;

#endif
