/* Matrix products of integers and bool by plain loops. Compiled once for each instruction set.
 *
 * Row i of C is a sum of rows of B, four at a time, over a piece of C's row that stays in L1 and a
 * panel of B that stays in L2. With a single column there are no rows to add, and each element is a
 * dot product. */
#include "server/kernels/family.h"

#define PIECE_BYTES 2048 /* of a row of C */
#define PANEL_ROWS 128   /* of B */

#define READ_BOOL(v) ((uint8_t)((v) != 0))
#define READ_PLAIN(v) (v)

/* X(NAME, type, how a stored item is read, sum and x times y added). Unsigned types wrap around. */
#define PRODUCT_LIST(X)                       \
  X(BOOL, uint8_t, READ_BOOL, sum | (x & y))  \
  X(INT32, uint32_t, READ_PLAIN, sum + x * y) \
  X(INT64, uint64_t, READ_PLAIN, sum + x * y)

#define DEFINE_PRODUCT(NAME, T, READ, EXPR)                                                                 \
  typedef T NAME##_item KERNEL_ALIAS;                                                                       \
                                                                                                            \
  static inline T NAME##_step(T sum, T x, T y) {                                                            \
    return EXPR;                                                                                            \
  }                                                                                                         \
                                                                                                            \
  static inline T NAME##_at(const char *p) {                                                                \
    return READ(*(const NAME##_item *)p);                                                                   \
  }                                                                                                         \
                                                                                                            \
  /* c[j] += sum over p of a[p] b[p][j], for j < n. */                                                      \
  static inline void NAME##_add_rows(int64_t n, int64_t k, const char *a, int64_t a_step, const char *b,    \
                                     int64_t b_row, NAME##_item *restrict c) {                              \
    int64_t p = 0;                                                                                          \
    for (; p + 4 <= k; p += 4, a += 4 * a_step, b += 4 * b_row) {                                           \
      const T x0 = NAME##_at(a), x1 = NAME##_at(a + a_step);                                                \
      const T x2 = NAME##_at(a + 2 * a_step), x3 = NAME##_at(a + 3 * a_step);                               \
      const NAME##_item *y0 = (const NAME##_item *)b, *y1 = (const NAME##_item *)(b + b_row);               \
      const NAME##_item *y2 = (const NAME##_item *)(b + 2 * b_row);                                         \
      const NAME##_item *y3 = (const NAME##_item *)(b + 3 * b_row);                                         \
      KERNEL_FOR(j, n) {                                                                                    \
        T sum = NAME##_step(c[j], x0, READ(y0[j]));                                                         \
        sum = NAME##_step(sum, x1, READ(y1[j]));                                                            \
        sum = NAME##_step(sum, x2, READ(y2[j]));                                                            \
        c[j] = NAME##_step(sum, x3, READ(y3[j]));                                                           \
      }                                                                                                     \
    }                                                                                                       \
    for (; p < k; p++, a += a_step, b += b_row) {                                                           \
      const T x = NAME##_at(a);                                                                             \
      const NAME##_item *y = (const NAME##_item *)b;                                                        \
      KERNEL_FOR(j, n) c[j] = NAME##_step(c[j], x, READ(y[j]));                                             \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static T NAME##_dot(int64_t k, const char *a, int64_t a_step, const char *b, int64_t b_step) {            \
    T sum = 0;                                                                                              \
    if (a_step == sizeof(T) && b_step == sizeof(T)) {                                                       \
      const NAME##_item *x = (const NAME##_item *)a, *y = (const NAME##_item *)b;                           \
      for (int64_t p = 0; p < k; p++)                                                                       \
        sum = NAME##_step(sum, READ(x[p]), READ(y[p]));                                                     \
      return sum;                                                                                           \
    }                                                                                                       \
    for (int64_t p = 0; p < k; p++, a += a_step, b += b_step)                                               \
      sum = NAME##_step(sum, NAME##_at(a), NAME##_at(b));                                                   \
    return sum;                                                                                             \
  }                                                                                                         \
                                                                                                            \
  static void NAME##_piece(int64_t m, int64_t n, int64_t k, const char *a, const int64_t a_stride[2],       \
                           const char *b, int64_t b_row, char *c, int64_t c_row) {                          \
    for (int64_t i = 0; i < m; i++)                                                                         \
      for (int64_t j = 0; j < n; j++)                                                                       \
        ((NAME##_item *)(c + i * c_row))[j] = 0;                                                            \
    for (int64_t p = 0; p < k; p += PANEL_ROWS) {                                                           \
      const int64_t rows = k - p < PANEL_ROWS ? k - p : PANEL_ROWS;                                         \
      for (int64_t i = 0; i < m; i++)                                                                       \
        NAME##_add_rows(n, rows, a + i * a_stride[0] + p * a_stride[1], a_stride[1], b + p * b_row, b_row,  \
                        (NAME##_item *)(c + i * c_row));                                                    \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static void NAME##_product(int64_t m, int64_t n, int64_t k, const char *a, const int64_t a_stride[2],     \
                             const char *b, int64_t b_row, char *c, int64_t c_row) {                        \
    enum { piece = PIECE_BYTES / sizeof(T) };                                                               \
    if (n == 1) {                                                                                           \
      for (int64_t i = 0; i < m; i++)                                                                       \
        *(NAME##_item *)(c + i * c_row) = NAME##_dot(k, a + i * a_stride[0], a_stride[1], b, b_row);        \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t j = 0; j < n; j += piece) {                                                                \
      const int64_t offset = j * (int64_t)sizeof(T);                                                        \
      NAME##_piece(m, n - j < piece ? n - j : piece, k, a, a_stride, b + offset, b_row, c + offset, c_row); \
    }                                                                                                       \
  }

PRODUCT_LIST(DEFINE_PRODUCT)

const kernel_product_fn KERNEL_NAME(kernels_product)[NUMD_DTYPE_CODES] = {
#define X(NAME, T, READ, EXPR) [NUMD_##NAME] = NAME##_product,
    PRODUCT_LIST(X)
#undef X
};
