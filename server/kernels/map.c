/* Elementwise loops: arithmetic, comparison, selection and copying. Compiled once for each
 * instruction set; the compiler vectorises the loops.
 *
 * An operation is one row with its expression, in each of the lists below whose kind of dtype it is
 * defined for. The expression is in x and y of type T; U is T's unsigned type, through which
 * integers wrap around. Bools arrive as 0 or 1, whatever the byte was. Functions that need more
 * than an expression (exp, ...) are in math.c and are a row of the lists in family.h. */
#include <math.h>

#include "server/kernels/family.h"

#define ABSOLUTE(x) _Generic((x), float : fabsf, double : fabs)(x)
#define SQUARE_ROOT(x) _Generic((x), float : sqrtf, double : sqrt)(x)

#define COMPARE_LIST(C, ...)         \
  C(EQUAL, x == y, __VA_ARGS__)      \
  C(NOT_EQUAL, x != y, __VA_ARGS__)  \
  C(LESS, x < y, __VA_ARGS__)        \
  C(LESS_EQUAL, x <= y, __VA_ARGS__) \
  C(GREATER, x > y, __VA_ARGS__)     \
  C(GREATER_EQUAL, x >= y, __VA_ARGS__)

#define BOOL_LIST(B1, B2, C, S, P, ...) \
  B2(ADD, x | y, __VA_ARGS__)           \
  B2(MULTIPLY, x &y, __VA_ARGS__)       \
  B2(MAXIMUM, x | y, __VA_ARGS__)       \
  B2(MINIMUM, x &y, __VA_ARGS__)        \
  B1(ABS, x, __VA_ARGS__)               \
  B1(COPY, x, __VA_ARGS__)              \
  COMPARE_LIST(C, __VA_ARGS__)          \
  S(WHERE, , __VA_ARGS__)

#define INTEGER_LIST(B1, B2, C, S, P, ...)           \
  B2(ADD, (T)((U)x + (U)y), __VA_ARGS__)             \
  B2(SUBTRACT, (T)((U)x - (U)y), __VA_ARGS__)        \
  B2(MULTIPLY, (T)((U)1 * (U)x * (U)y), __VA_ARGS__) \
  B2(MAXIMUM, x > y ? x : y, __VA_ARGS__)            \
  B2(MINIMUM, x < y ? x : y, __VA_ARGS__)            \
  B1(NEGATIVE, (T)((U)0 - (U)x), __VA_ARGS__)        \
  B1(ABS, x < 0 ? (T)((U)0 - (U)x) : x, __VA_ARGS__) \
  B1(COPY, x, __VA_ARGS__)                           \
  COMPARE_LIST(C, __VA_ARGS__)                       \
  S(WHERE, , __VA_ARGS__)                            \
  P(POWER, , __VA_ARGS__)

/* In MAXIMUM and MINIMUM a NaN in x is taken at once, and one in y because the comparison fails. */
#define REAL_LIST(B1, B2, C, S, P, ...)                  \
  B2(ADD, x + y, __VA_ARGS__)                            \
  B2(SUBTRACT, x - y, __VA_ARGS__)                       \
  B2(MULTIPLY, x *y, __VA_ARGS__)                        \
  B2(DIVIDE, x / y, __VA_ARGS__)                         \
  B2(MAXIMUM, ((x > y) | (x != x)) ? x : y, __VA_ARGS__) \
  B2(MINIMUM, ((x < y) | (x != x)) ? x : y, __VA_ARGS__) \
  B1(NEGATIVE, -x, __VA_ARGS__)                          \
  B1(ABS, ABSOLUTE(x), __VA_ARGS__)                      \
  B1(SQRT, SQUARE_ROOT(x), __VA_ARGS__)                  \
  B1(COPY, x, __VA_ARGS__)                               \
  COMPARE_LIST(C, __VA_ARGS__)                           \
  S(WHERE, , __VA_ARGS__)

/* Every loop there is; the last arguments are the dtype's NAME, T, U and how a stored one is read. */
#define KERNEL_LIST(...)                                          \
  BOOL_LIST(__VA_ARGS__, BOOL, uint8_t, uint8_t, READ_BOOL)       \
  INTEGER_LIST(__VA_ARGS__, INT32, int32_t, uint32_t, READ_PLAIN) \
  INTEGER_LIST(__VA_ARGS__, INT64, int64_t, uint64_t, READ_PLAIN) \
  REAL_LIST(__VA_ARGS__, FLOAT32, float, uint32_t, READ_PLAIN)    \
  REAL_LIST(__VA_ARGS__, FLOAT64, double, uint64_t, READ_PLAIN)

#define READ_BOOL(v) ((uint8_t)((v) != 0))
#define READ_PLAIN(v) (v)

#define DEFINE_UNARY(OP, EXPR, NAME, TYPE, UTYPE, READ)                               \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) { \
    typedef TYPE T;                                                                   \
    typedef UTYPE U KERNEL_UNUSED;                                                    \
    typedef TYPE KERNEL_ALIAS item;                                                   \
    const char *xp = ptr[0];                                                          \
    char *op = ptr[1];                                                                \
    if (stride[0] == sizeof(T) && stride[1] == sizeof(T)) {                           \
      const item *xs = (const item *)xp;                                              \
      item *out = (item *)op;                                                         \
      KERNEL_FOR(i, n) {                                                              \
        const T x = READ(xs[i]);                                                      \
        out[i] = (T)(EXPR);                                                           \
      }                                                                               \
      return 0;                                                                       \
    }                                                                                 \
    if (stride[0] == 0 && stride[1] == sizeof(T) && n > 0) {                          \
      const T x = READ(*(const item *)xp);                                            \
      const T v = (T)(EXPR);                                                          \
      item *out = (item *)op;                                                         \
      KERNEL_FOR(i, n) out[i] = v;                                                    \
      return 0;                                                                       \
    }                                                                                 \
    for (int64_t i = 0; i < n; i++, xp += stride[0], op += stride[1]) {               \
      const T x = READ(*(const item *)xp);                                            \
      *(item *)op = (T)(EXPR);                                                        \
    }                                                                                 \
    return 0;                                                                         \
  }

/* RESULT is the type of the output: T, or bool's for comparisons. */
#define DEFINE_BINARY_TO(RESULT, OP, EXPR, NAME, TYPE, UTYPE, READ)                          \
  static inline RESULT OP##_##NAME##_value(TYPE x, TYPE y) {                                 \
    typedef TYPE T KERNEL_UNUSED;                                                            \
    typedef UTYPE U KERNEL_UNUSED;                                                           \
    return (RESULT)(EXPR);                                                                   \
  }                                                                                          \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) {        \
    typedef TYPE KERNEL_ALIAS item;                                                          \
    typedef RESULT KERNEL_ALIAS result;                                                      \
    const int64_t size = sizeof(item);                                                       \
    const item *xs = (const item *)ptr[0], *ys = (const item *)ptr[1];                       \
    result *out = (result *)ptr[2];                                                          \
    if (stride[2] == sizeof(result)) {                                                       \
      if (stride[0] == size && stride[1] == size) {                                          \
        KERNEL_FOR(i, n) out[i] = OP##_##NAME##_value(READ(xs[i]), READ(ys[i]));             \
        return 0;                                                                            \
      }                                                                                      \
      if (stride[0] == size && stride[1] == 0 && n > 0) {                                    \
        const item y = READ(ys[0]);                                                          \
        KERNEL_FOR(i, n) out[i] = OP##_##NAME##_value(READ(xs[i]), y);                       \
        return 0;                                                                            \
      }                                                                                      \
      if (stride[0] == 0 && stride[1] == size && n > 0) {                                    \
        const item x = READ(xs[0]);                                                          \
        KERNEL_FOR(i, n) out[i] = OP##_##NAME##_value(x, READ(ys[i]));                       \
        return 0;                                                                            \
      }                                                                                      \
    }                                                                                        \
    const char *xp = ptr[0], *yp = ptr[1];                                                   \
    char *op = ptr[2];                                                                       \
    for (int64_t i = 0; i < n; i++, xp += stride[0], yp += stride[1], op += stride[2])       \
      *(result *)op = OP##_##NAME##_value(READ(*(const item *)xp), READ(*(const item *)yp)); \
    return 0;                                                                                \
  }

#define DEFINE_BINARY(OP, EXPR, NAME, TYPE, UTYPE, READ) \
  DEFINE_BINARY_TO(TYPE, OP, EXPR, NAME, TYPE, UTYPE, READ)
#define DEFINE_COMPARE(OP, EXPR, NAME, TYPE, UTYPE, READ) \
  DEFINE_BINARY_TO(uint8_t, OP, EXPR, NAME, TYPE, UTYPE, READ)

#define DEFINE_SELECT(OP, NONE, NAME, TYPE, UTYPE, READ)                                 \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) {    \
    typedef TYPE KERNEL_ALIAS item;                                                      \
    const int64_t size = sizeof(item);                                                   \
    const char *cp = ptr[0], *xp = ptr[1], *yp = ptr[2];                                 \
    char *op = ptr[3];                                                                   \
    if (stride[0] == 1 && stride[1] == size && stride[2] == size && stride[3] == size) { \
      const uint8_t *cs = (const uint8_t *)cp;                                           \
      const item *xs = (const item *)xp, *ys = (const item *)yp;                         \
      item *out = (item *)op;                                                            \
      KERNEL_FOR(i, n) {                                                                 \
        const TYPE x = READ(xs[i]), y = READ(ys[i]);                                     \
        out[i] = cs[i] != 0 ? x : y;                                                     \
      }                                                                                  \
      return 0;                                                                          \
    }                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                    \
      const TYPE x = READ(*(const item *)xp), y = READ(*(const item *)yp);               \
      *(item *)op = *(const uint8_t *)cp != 0 ? x : y;                                   \
      cp += stride[0], xp += stride[1], yp += stride[2], op += stride[3];                \
    }                                                                                    \
    return 0;                                                                            \
  }

/* By repeated squaring, which wraps around as a product of y factors does. The exponent decides how
 * often the loop turns: at most once a bit. */
#define DEFINE_INTEGER_POWER(OP, NONE, NAME, TYPE, UTYPE, READ)                          \
  static inline TYPE OP##_##NAME##_value(TYPE x, TYPE y) {                               \
    UTYPE base = (UTYPE)x, product = 1;                                                  \
    for (UTYPE e = y < 0 ? 0 : (UTYPE)y; e; e >>= 1, base *= base)                       \
      if (e & 1)                                                                         \
        product *= base;                                                                 \
    return y < 0 ? 0 : (TYPE)product;                                                    \
  }                                                                                      \
  static unsigned OP##_##NAME(int64_t n, char *const ptr[], const int64_t stride[]) {    \
    typedef TYPE KERNEL_ALIAS item;                                                      \
    const char *xp = ptr[0], *yp = ptr[1];                                               \
    char *op = ptr[2];                                                                   \
    unsigned negative = 0;                                                               \
    for (int64_t i = 0; i < n; i++, xp += stride[0], yp += stride[1], op += stride[2]) { \
      const TYPE x = *(const item *)xp, y = *(const item *)yp;                           \
      negative |= y < 0;                                                                 \
      *(item *)op = y == 2 ? (TYPE)((UTYPE)x * (UTYPE)x) : OP##_##NAME##_value(x, y);    \
    }                                                                                    \
    return negative ? KERNEL_NEGATIVE_POWER : 0;                                         \
  }

KERNEL_LIST(DEFINE_UNARY, DEFINE_BINARY, DEFINE_COMPARE, DEFINE_SELECT, DEFINE_INTEGER_POWER)

#define ROW(OP, EXPR, NAME, TYPE, UTYPE, READ) [NUMD_OP_##OP][NUMD_##NAME] = OP##_##NAME,
#define MATH_ROW(OP, f)                                        \
  [NUMD_OP_##OP][NUMD_FLOAT32] = KERNEL_MATH_NAME(f, float32), \
  [NUMD_OP_##OP][NUMD_FLOAT64] = KERNEL_MATH_NAME(f, float64),

const kernel_map_fn KERNEL_NAME(kernels_map)[NUMD_OP_CODES][NUMD_DTYPE_CODES] = {
    KERNEL_LIST(ROW, ROW, ROW, ROW, ROW) KERNEL_MATH_UNARY(MATH_ROW) KERNEL_MATH_BINARY(MATH_ROW)};
