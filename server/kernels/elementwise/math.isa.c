/* SPDX-License-Identifier: BSD-3-Clause */
/* Elementwise functions of one real number that need a library: exp, log, sin, ... (see math_vector.h for
 * where they come from). Compiled once for each instruction set. */
#include "server/kernels/elementwise/math_vector.h"

#define DEFINE_MAP(dtype)                                                                                  \
  static unsigned map_##dtype(void (*run)(int64_t n, const item_##dtype *x, item_##dtype *out), int64_t n, \
                              char *const ptr[], const int64_t stride[]) {                                 \
    const char *in = ptr[0];                                                                               \
    char *out = ptr[1];                                                                                    \
    if (stride[0] == sizeof(item_##dtype) && stride[1] == sizeof(item_##dtype)) {                          \
      run(n, (const item_##dtype *)in, (item_##dtype *)out);                                               \
      return 0;                                                                                            \
    }                                                                                                      \
    item_##dtype buffer[SPAN];                                                                             \
    for (int64_t i = 0; i < n; i += SPAN, in += SPAN * stride[0], out += SPAN * stride[1]) {               \
      const int64_t part = n - i < SPAN ? n - i : SPAN;                                                    \
      const item_##dtype *x = fetch_##dtype(part, in, stride[0], buffer, true);                            \
      if (stride[1] == sizeof(item_##dtype)) {                                                             \
        run(part, x, (item_##dtype *)out);                                                                 \
        continue;                                                                                          \
      }                                                                                                    \
      run(part, x, buffer);                                                                                \
      scatter_##dtype(part, buffer, out, stride[1]);                                                       \
    }                                                                                                      \
    return 0;                                                                                              \
  }

DEFINE_MAP(float32)
DEFINE_MAP(float64)

#define DEFINE_LOOP(f, dtype)                                                         \
  static unsigned f##_##dtype(int64_t n, char *const ptr[], const int64_t stride[]) { \
    return map_##dtype(f##_##dtype##_run, n, ptr, stride);                            \
  }
#define X(OP, f) DEFINE_LOOP(f, float32) DEFINE_LOOP(f, float64)
MATH_UNARY_LIST(X)
#undef X

#define ROW(OP, f) [NUMD_OP_##OP][NUMD_FLOAT32] = f##_float32, [NUMD_OP_##OP][NUMD_FLOAT64] = f##_float64,
const kernel_map_fn KERNEL_NAME(kernels_math)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {MATH_UNARY_LIST(ROW)};
