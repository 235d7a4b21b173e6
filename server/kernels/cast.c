/* Value conversions between dtypes, all pairs. Compiled once for each instruction set.
 *
 * A float that no integer of the target type holds (NaN, infinities, too large) becomes the type's
 * minimum, which is what the x86-64 instructions give and so what NumPy shows there; said in C, it is
 * the same everywhere and compiles to the instruction and a blend. */
#include "server/kernels/family.h"

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

/* X(FROM, type, TO, type, value made of x) */
#define CAST_LIST(X)                                      \
  X(BOOL, uint8_t, INT32, int32_t, x != 0)                \
  X(BOOL, uint8_t, INT64, int64_t, x != 0)                \
  X(BOOL, uint8_t, FLOAT32, float, x != 0)                \
  X(BOOL, uint8_t, FLOAT64, double, x != 0)               \
  X(INT32, int32_t, BOOL, uint8_t, x != 0)                \
  X(INT32, int32_t, INT64, int64_t, x)                    \
  X(INT32, int32_t, FLOAT32, float, (float)x)             \
  X(INT32, int32_t, FLOAT64, double, (double)x)           \
  X(INT64, int64_t, BOOL, uint8_t, x != 0)                \
  X(INT64, int64_t, INT32, int32_t, (int32_t)(uint32_t)x) \
  X(INT64, int64_t, FLOAT32, float, (float)x)             \
  X(INT64, int64_t, FLOAT64, double, (double)x)           \
  X(FLOAT32, float, BOOL, uint8_t, x != 0)                \
  X(FLOAT32, float, INT32, int32_t, TRUNCATE32(x))        \
  X(FLOAT32, float, INT64, int64_t, TRUNCATE64(x))        \
  X(FLOAT32, float, FLOAT64, double, (double)x)           \
  X(FLOAT64, double, BOOL, uint8_t, x != 0)               \
  X(FLOAT64, double, INT32, int32_t, TRUNCATE32(x))       \
  X(FLOAT64, double, INT64, int64_t, TRUNCATE64(x))       \
  X(FLOAT64, double, FLOAT32, float, (float)x)

#define DEFINE_CAST(FROM, TFROM, TO, TTO, EXPR)                                          \
  static unsigned FROM##_to_##TO(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef TFROM KERNEL_ALIAS source;                                                   \
    typedef TTO KERNEL_ALIAS target;                                                     \
    const char *xp = ptr[0];                                                             \
    char *op = ptr[1];                                                                   \
    if (stride[0] == sizeof(source) && stride[1] == sizeof(target)) {                    \
      const source *xs = (const source *)xp;                                             \
      target *out = (target *)op;                                                        \
      KERNEL_FOR(i, n) {                                                                 \
        const TFROM x = xs[i];                                                           \
        out[i] = EXPR;                                                                   \
      }                                                                                  \
      return 0;                                                                          \
    }                                                                                    \
    for (int64_t i = 0; i < n; i++, xp += stride[0], op += stride[1]) {                  \
      const TFROM x = *(const source *)xp;                                               \
      *(target *)op = EXPR;                                                              \
    }                                                                                    \
    return 0;                                                                            \
  }

CAST_LIST(DEFINE_CAST)

/* Equal dtypes copy; kernels.c takes the COPY loop of the dtype for them. */
const kernel_map_fn KERNEL_NAME(kernels_cast)[NUMD_DTYPE_CODES][NUMD_DTYPE_CODES] = {
#define X(FROM, TFROM, TO, TTO, EXPR) [NUMD_##FROM][NUMD_##TO] = FROM##_to_##TO,
    CAST_LIST(X)
#undef X
};
