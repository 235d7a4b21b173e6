/* SPDX-License-Identifier: BSD-3-Clause */
/* Value conversions between dtypes, all pairs. Compiled once for each instruction set.
 *
 * Integers wrap around and reals are cut off. A real that no integer of the target type holds becomes what
 * x86-64 instructions, and so NumPy there, make of it; said in C, it is the same everywhere and compiles to
 * the instruction and a blend. int32 and int64 get their minimum. Integers of 8 and 16 bits are the lower
 * bits of an int32, as NumPy has it. From 2^31 (2^63) on, an unsigned number is the rest above that with the
 * highest bit set, and below it the bits of the signed one. */
#include "server/kernels/elementwise/loops.h"
#include "server/kernels/family.h"

typedef float _Complex complex64;
typedef double _Complex complex128;

/* Both limits are exact in every real type; the truncated value is in range exactly if x is. */
#define TRUNCATE32(x)                      \
  ((x) > (_Generic((x), float              \
                   : -2147483904.f, double \
                   : -2147483649.)) &&     \
           (x) < 2147483648.f              \
       ? (int32_t)(x)                      \
       : INT32_MIN)
#define TRUNCATE64(x) \
  ((x) >= -9223372036854775808.f && (x) < 9223372036854775808.f ? (int64_t)(x) : INT64_MIN)

/* How a value x of an integer, a bool, a real and a complex number becomes one of each dtype. */
#define WHOLE_TO_BOOL(x) ((x) != 0)
#define WHOLE_TO_INT8(x) ((int8_t)(x))
#define WHOLE_TO_INT16(x) ((int16_t)(x))
#define WHOLE_TO_INT32(x) ((int32_t)(x))
#define WHOLE_TO_INT64(x) ((int64_t)(x))
#define WHOLE_TO_UINT8(x) ((uint8_t)(x))
#define WHOLE_TO_UINT16(x) ((uint16_t)(x))
#define WHOLE_TO_UINT32(x) ((uint32_t)(x))
#define WHOLE_TO_UINT64(x) ((uint64_t)(x))
#define WHOLE_TO_FLOAT32(x) ((float)(x))
#define WHOLE_TO_FLOAT64(x) ((double)(x))
#define WHOLE_TO_COMPLEX64(x) __builtin_complex((float)(x), 0.f)
#define WHOLE_TO_COMPLEX128(x) __builtin_complex((double)(x), 0.)

/* A bool is a choice, which is quicker than converting its byte. */
#define TRUTH_TO_BOOL(x) ((x) != 0)
#define TRUTH_TO_INT8(x) ((int8_t)((x) != 0))
#define TRUTH_TO_INT16(x) ((int16_t)((x) != 0))
#define TRUTH_TO_INT32(x) ((int32_t)((x) != 0))
#define TRUTH_TO_INT64(x) ((int64_t)((x) != 0))
#define TRUTH_TO_UINT8(x) ((uint8_t)((x) != 0))
#define TRUTH_TO_UINT16(x) ((uint16_t)((x) != 0))
#define TRUTH_TO_UINT32(x) ((uint32_t)((x) != 0))
#define TRUTH_TO_UINT64(x) ((uint64_t)((x) != 0))
#define TRUTH_TO_FLOAT32(x) ((x) != 0 ? 1.f : 0.f)
#define TRUTH_TO_FLOAT64(x) ((x) != 0 ? 1. : 0.)

#define REAL_TO_BOOL(x) ((x) != 0)
#define REAL_TO_INT8(x) ((int8_t)TRUNCATE32(x))
#define REAL_TO_INT16(x) ((int16_t)TRUNCATE32(x))
#define REAL_TO_INT32(x) TRUNCATE32(x)
#define REAL_TO_INT64(x) TRUNCATE64(x)
#define REAL_TO_UINT8(x) ((uint8_t)TRUNCATE32(x))
#define REAL_TO_UINT16(x) ((uint16_t)TRUNCATE32(x))
#define REAL_TO_UINT32(x) \
  ((x) >= 0x1p31f ? (uint32_t)TRUNCATE32((x)-0x1p31f) ^ 0x80000000u : (uint32_t)TRUNCATE32(x))
#define REAL_TO_UINT64(x)                                                            \
  ((x) >= 0x1p63f ? (uint64_t)TRUNCATE64((x)-0x1p63f) ^ UINT64_C(0x8000000000000000) \
                  : (uint64_t)TRUNCATE64(x))
#define REAL_TO_FLOAT32(x) ((float)(x))
#define REAL_TO_FLOAT64(x) ((double)(x))
#define REAL_TO_COMPLEX64(x) __builtin_complex((float)(x), 0.f)
#define REAL_TO_COMPLEX128(x) __builtin_complex((double)(x), 0.)

#define COMPLEX_TO_BOOL(x) ((__real__(x) != 0) | (__imag__(x) != 0))
#define COMPLEX_TO_INT8(x) REAL_TO_INT8(__real__(x))
#define COMPLEX_TO_INT16(x) REAL_TO_INT16(__real__(x))
#define COMPLEX_TO_INT32(x) REAL_TO_INT32(__real__(x))
#define COMPLEX_TO_INT64(x) REAL_TO_INT64(__real__(x))
#define COMPLEX_TO_UINT8(x) REAL_TO_UINT8(__real__(x))
#define COMPLEX_TO_UINT16(x) REAL_TO_UINT16(__real__(x))
#define COMPLEX_TO_UINT32(x) REAL_TO_UINT32(__real__(x))
#define COMPLEX_TO_UINT64(x) REAL_TO_UINT64(__real__(x))
#define COMPLEX_TO_FLOAT32(x) ((float)__real__(x))
#define COMPLEX_TO_FLOAT64(x) ((double)__real__(x))
#define COMPLEX_TO_COMPLEX64(x) __builtin_complex((float)__real__(x), (float)__imag__(x))
#define COMPLEX_TO_COMPLEX128(x) __builtin_complex((double)__real__(x), (double)__imag__(x))

/* X(NAME, type, how its values are cast, ...): those of dtype_lists.h, which one list cannot hold within
 * itself. */
#define NUMBER_LIST(X, ...)                     \
  X(INT8, int8_t, WHOLE, __VA_ARGS__)           \
  X(INT16, int16_t, WHOLE, __VA_ARGS__)         \
  X(INT32, int32_t, WHOLE, __VA_ARGS__)         \
  X(INT64, int64_t, WHOLE, __VA_ARGS__)         \
  X(UINT8, uint8_t, WHOLE, __VA_ARGS__)         \
  X(UINT16, uint16_t, WHOLE, __VA_ARGS__)       \
  X(UINT32, uint32_t, WHOLE, __VA_ARGS__)       \
  X(UINT64, uint64_t, WHOLE, __VA_ARGS__)       \
  X(FLOAT32, float, REAL, __VA_ARGS__)          \
  X(FLOAT64, double, REAL, __VA_ARGS__)         \
  X(COMPLEX64, complex64, COMPLEX, __VA_ARGS__) \
  X(COMPLEX128, complex128, COMPLEX, __VA_ARGS__)
#define ANY_LIST(X, ...) X(BOOL, uint8_t, TRUTH, __VA_ARGS__) NUMBER_LIST(X, __VA_ARGS__)

/* All pairs but bool to complex; those of equal dtypes copy. */
#define TO_COMPLEX(TO, T, X) NUMBER_LIST(X, TO, T _Complex)
#define TO_REAL(TO, T, X) ANY_LIST(X, TO, T)
#define CAST_LIST(X) \
  DTYPE_BOOLS(TO_REAL, X) DTYPE_INTS(TO_REAL, X) DTYPE_REALS(TO_REAL, X) DTYPE_COMPLEXES(TO_COMPLEX, X)

#define DEFINE_CAST(FROM, TFROM, KIND, TO, TTO) \
  UNARY_LOOP(FROM##_to_##TO, TTO, TFROM, READ_PLAIN, KIND##_TO_##TO(x))
CAST_LIST(DEFINE_CAST)

/* A block at a time by way of integers: the compiler does not vectorise a choice beside a constant. */
#define DEFINE_TRUTH_TO_COMPLEX(TO, T)                                                 \
  static unsigned BOOL_to_##TO(int64_t n, char *const ptr[], const int64_t stride[]) { \
    char whole[BLOCK];                                                                 \
    for (int64_t start = 0, m; start < n; start += m) {                                \
      m = n - start < BLOCK ? n - start : BLOCK;                                       \
      char *const in[] = {ptr[0] + start * stride[0], whole};                          \
      char *const out[] = {whole, ptr[1] + start * stride[1]};                         \
      BOOL_to_UINT8(m, in, (const int64_t[]){stride[0], 1});                           \
      UINT8_to_##TO(m, out, (const int64_t[]){1, stride[1]});                          \
    }                                                                                  \
    return 0;                                                                          \
  }
DTYPE_COMPLEXES(DEFINE_TRUTH_TO_COMPLEX)

#define ROW(FROM, TFROM, KIND, TO, TTO) [NUMD_##FROM][NUMD_##TO] = FROM##_to_##TO,

const kernel_map_fn KERNEL_NAME(kernels_cast)[NUMD_DTYPE_CODES][NUMD_DTYPE_CODES] = {
    CAST_LIST(ROW) ROW(BOOL, , , COMPLEX64, ) ROW(BOOL, , , COMPLEX128, )};
