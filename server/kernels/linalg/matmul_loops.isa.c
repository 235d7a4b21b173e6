/* Matrix products by loops of our own. Compiled once for each instruction set.
 *
 * Two kinds. `product` multiplies matrices of integers or bool of any size: columns of B are packed into a
 * panel that stays in L1, widened where the multiplication is (8-bit items are multiplied as 16 bits, of
 * which the lower half is right), and a block of ROWS x 2 vectors of C is summed up in registers. C is then
 * added to what earlier panels of k left there. Products of few rows have nothing to gain from packing and go
 * through rows of B or dot products instead. Any strides; no scratch memory but the stack.
 *
 * `small` multiplies batches of matrices of any dtype so small that a call of BLAS would cost more than their
 * arithmetic. Rows of C are computed in pieces of 8, 4, 2 and 1 columns, each a vector in a register. */
#include "server/kernels/family.h"

#if KERNEL_LEVEL >= 4
#define VECTOR_BYTES 64
#define ROWS 8
#elif KERNEL_LEVEL == 3
#define VECTOR_BYTES 32
#define ROWS 4
#else
#define VECTOR_BYTES 16
#define ROWS 4
#endif
#define PANEL_ROWS 256   /* of B: with 2 vectors a row at most 32 KB */
#define PIECE_BYTES 2048 /* of a row of C where there are few */
#define FEW_ROWS 4       /* fewer than these are not worth packing B for */
#define ALWAYS static inline __attribute__((always_inline))

/* How items are combined. JOIN adds x times y to a sum of vectors, JOIN_ONE to a sum of the computing type W
 * (1u keeps C from multiplying 16-bit items as int, which could overflow). A bool of B is packed as all ones
 * or none, and one of A may hold any bits: what is summed up is then zero or not. */
#define PLAIN_JOIN(W, sum, x, y) ((sum) + (x) * (y))
#define PLAIN_JOIN_ONE(W, sum, x, y) ((W)((sum) + 1u * (x) * (y)))
#define PLAIN_ADD(W, x, y) ((W)((x) + (y)))
#define PLAIN_PACK(v) (v)
#define PLAIN_RESULT(sum) (sum)
#define REAL_JOIN PLAIN_JOIN
#define REAL_JOIN_ONE PLAIN_JOIN
#define REAL_PACK PLAIN_PACK
#define REAL_RESULT PLAIN_RESULT
#define BOOLEAN_JOIN(W, sum, x, y) ((sum) | ((x) & (y)))
#define BOOLEAN_JOIN_ONE BOOLEAN_JOIN
#define BOOLEAN_ADD(W, x, y) ((W)((x) | (y)))
#define BOOLEAN_PACK(v) ((v) != 0 ? 0xFF : 0)
#define BOOLEAN_RESULT(sum) ((sum) != 0)

/* A matrix's first item and the bytes from one row and one column to the next. */
struct view {
  const char *data;
  int64_t row, col;
};

/* ---- Integers of any size ---- */

/* X(NAME, stored type, type that is computed in, kind). Unsigned types wrap around. */
#define PRODUCT_LIST(X)               \
  X(BOOL, uint8_t, uint8_t, BOOLEAN)  \
  X(INT8, uint8_t, uint16_t, PLAIN)   \
  X(INT16, uint16_t, uint16_t, PLAIN) \
  X(INT32, uint32_t, uint32_t, PLAIN) \
  X(INT64, uint64_t, uint64_t, PLAIN)

#define DEFINE_PRODUCT(NAME, T, W, KIND)                                                                    \
  typedef T NAME##_item KERNEL_ALIAS;                                                                       \
  typedef W NAME##_vector __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES)));                \
  enum { NAME##_LANES = VECTOR_BYTES / sizeof(W), NAME##_COLS = 2 * NAME##_LANES };                         \
                                                                                                            \
  ALWAYS T NAME##_at(const char *p) {                                                                       \
    return *(const NAME##_item *)p;                                                                         \
  }                                                                                                         \
                                                                                                            \
  /* k x n of B, n <= COLS, and zeros behind. */                                                            \
  static void NAME##_pack(int64_t k, int64_t n, struct view b, W *restrict to) {                            \
    for (int64_t p = 0; p < k; p++, b.data += b.row, to += NAME##_COLS) {                                   \
      const NAME##_item *from = (const NAME##_item *)b.data;                                                \
      if (b.col == sizeof(T) && n == NAME##_COLS) {                                                         \
        KERNEL_FOR(j, NAME##_COLS) to[j] = (W)KIND##_PACK(from[j]);                                         \
        continue;                                                                                           \
      }                                                                                                     \
      for (int64_t j = 0; j < n; j++)                                                                       \
        to[j] = (W)KIND##_PACK(NAME##_at(b.data + j * b.col));                                              \
      for (int64_t j = n; j < NAME##_COLS; j++)                                                             \
        to[j] = 0;                                                                                          \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  /* `rows` rows of A times the panel. */                                                                   \
  ALWAYS void NAME##_block(int rows, int64_t k, struct view a, const W *panel, W *sums) {                   \
    NAME##_vector sum[ROWS][2];                                                                             \
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = (NAME##_vector){0};      \
    for (int64_t p = 0; p < k; p++, a.data += a.col, panel += NAME##_COLS) {                                \
      const NAME##_vector y0 = *(const NAME##_vector *)panel;                                               \
      const NAME##_vector y1 = *(const NAME##_vector *)(panel + NAME##_LANES);                              \
      _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++) {                                              \
        const NAME##_vector x = (NAME##_vector){0} + (W)NAME##_at(a.data + i * a.row);                      \
        sum[i][0] = KIND##_JOIN(W, sum[i][0], x, y0);                                                       \
        sum[i][1] = KIND##_JOIN(W, sum[i][1], x, y1);                                                       \
      }                                                                                                     \
    }                                                                                                       \
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++, sums += NAME##_COLS) {                           \
      *(NAME##_vector *)sums = sum[i][0];                                                                   \
      *(NAME##_vector *)(sums + NAME##_LANES) = sum[i][1];                                                  \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  /* Stores n sums of a row, or adds them to what is there. */                                              \
  static void NAME##_store(int64_t n, const W *sums, char *c, int64_t col, bool add) {                      \
    NAME##_item *to = (NAME##_item *)c;                                                                     \
    if (col == sizeof(T) && !add) {                                                                         \
      KERNEL_FOR(j, n) to[j] = (T)KIND##_RESULT(sums[j]);                                                   \
    } else if (col == sizeof(T)) {                                                                          \
      KERNEL_FOR(j, n) to[j] = (T)KIND##_RESULT(KIND##_ADD(W, to[j], sums[j]));                             \
    } else {                                                                                                \
      for (int64_t j = 0; j < n; j++, c += col)                                                             \
        *(NAME##_item *)c = (T)KIND##_RESULT(add ? KIND##_ADD(W, *(NAME##_item *)c, sums[j]) : sums[j]);    \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  /* All rows of A times one panel of n columns. */                                                         \
  static void NAME##_panel(int64_t m, int64_t n, int64_t k, struct view a, const W *panel, char *c,         \
                           const int64_t stride[2], bool add) {                                             \
    W sums[ROWS * NAME##_COLS] __attribute__((aligned(VECTOR_BYTES)));                                      \
    for (int64_t i = 0, rows; i < m; i += rows, a.data += rows * a.row) {                                   \
      rows = m - i >= ROWS ? ROWS : m - i >= 4 ? 4 : 1;                                                     \
      if (rows == ROWS)                                                                                     \
        NAME##_block(ROWS, k, a, panel, sums);                                                              \
      else if (rows == 4)                                                                                   \
        NAME##_block(4, k, a, panel, sums);                                                                 \
      else                                                                                                  \
        NAME##_block(1, k, a, panel, sums);                                                                 \
      for (int64_t r = 0; r < rows; r++, c += stride[0])                                                    \
        NAME##_store(n, sums + r * NAME##_COLS, c, stride[1], add);                                         \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static T NAME##_dot(int64_t k, const char *a, int64_t a_step, const char *b, int64_t b_step) {            \
    W sum = 0;                                                                                              \
    if (a_step == sizeof(T) && b_step == sizeof(T)) {                                                       \
      const NAME##_item *x = (const NAME##_item *)a, *y = (const NAME##_item *)b;                           \
      for (int64_t p = 0; p < k; p++)                                                                       \
        sum = KIND##_JOIN_ONE(W, sum, x[p], KIND##_PACK(y[p]));                                             \
    } else {                                                                                                \
      for (int64_t p = 0; p < k; p++, a += a_step, b += b_step)                                             \
        sum = KIND##_JOIN_ONE(W, sum, NAME##_at(a), KIND##_PACK(NAME##_at(b)));                             \
    }                                                                                                       \
    return (T)KIND##_RESULT(sum);                                                                           \
  }                                                                                                         \
                                                                                                            \
  /* sums[j] = a[0] b[0][j] + ..., rows of B contiguous. */                                                 \
  static void NAME##_add_rows(int64_t n, int64_t k, struct view a, struct view b, W *restrict sums) {       \
    for (int64_t j = 0; j < n; j++)                                                                         \
      sums[j] = 0;                                                                                          \
    for (; k >= 2; k -= 2, a.data += 2 * a.col, b.data += 2 * b.row) {                                      \
      const T x0 = NAME##_at(a.data), x1 = NAME##_at(a.data + a.col);                                       \
      const NAME##_item *y0 = (const NAME##_item *)b.data, *y1 = (const NAME##_item *)(b.data + b.row);     \
      KERNEL_FOR(j, n) {                                                                                    \
        const W sum = KIND##_JOIN_ONE(W, sums[j], x0, KIND##_PACK(y0[j]));                                  \
        sums[j] = KIND##_JOIN_ONE(W, sum, x1, KIND##_PACK(y1[j]));                                          \
      }                                                                                                     \
    }                                                                                                       \
    if (k == 1) {                                                                                           \
      const T x = NAME##_at(a.data);                                                                        \
      const NAME##_item *y = (const NAME##_item *)b.data;                                                   \
      KERNEL_FOR(j, n) sums[j] = KIND##_JOIN_ONE(W, sums[j], x, KIND##_PACK(y[j]));                         \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static void NAME##_one_row(int64_t n, int64_t k, struct view a, struct view b, char *c, int64_t c_col) {  \
    enum { piece = PIECE_BYTES / sizeof(W) };                                                               \
    W sums[piece];                                                                                          \
    if (b.col != sizeof(T) || n == 1) {                                                                     \
      for (int64_t j = 0; j < n; j++)                                                                       \
        *(NAME##_item *)(c + j * c_col) = NAME##_dot(k, a.data, a.col, b.data + j * b.col, b.row);          \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t j = 0; j < n; j += piece, b.data += piece * (int64_t)sizeof(T)) {                          \
      const int64_t width = n - j < piece ? n - j : piece;                                                  \
      NAME##_add_rows(width, k, a, b, sums);                                                                \
      NAME##_store(width, sums, c + j * c_col, c_col, false);                                               \
    }                                                                                                       \
  }                                                                                                         \
                                                                                                            \
  static void NAME##_product(int64_t m, int64_t n, int64_t k, struct kernel_matrix a_,                      \
                             struct kernel_matrix b_, struct kernel_matrix c) {                             \
    W panel[PANEL_ROWS * NAME##_COLS] __attribute__((aligned(VECTOR_BYTES)));                               \
    const struct view a = {a_.data, a_.stride[0], a_.stride[1]}, b = {b_.data, b_.stride[0], b_.stride[1]}; \
    if (m < FEW_ROWS) {                                                                                     \
      for (int64_t i = 0; i < m; i++)                                                                       \
        NAME##_one_row(n, k, (struct view){a.data + i * a.row, a.row, a.col}, b, c.data + i * c.stride[0],  \
                       c.stride[1]);                                                                        \
      return;                                                                                               \
    }                                                                                                       \
    for (int64_t j = 0; j < n; j += NAME##_COLS)                                                            \
      for (int64_t p = 0; p < k; p += PANEL_ROWS) {                                                         \
        const int64_t cols = n - j < NAME##_COLS ? n - j : NAME##_COLS;                                     \
        const int64_t depth = k - p < PANEL_ROWS ? k - p : PANEL_ROWS;                                      \
        NAME##_pack(depth, cols, (struct view){b.data + p * b.row + j * b.col, b.row, b.col}, panel);       \
        NAME##_panel(m, cols, depth, (struct view){a.data + p * a.col, a.row, a.col}, panel,                \
                     c.data + j * c.stride[1], c.stride, p > 0);                                            \
      }                                                                                                     \
  }

PRODUCT_LIST(DEFINE_PRODUCT)

const kernel_matmul_loops_fn KERNEL_NAME(kernels_matmul_loops)[NUMD_DTYPE_CODES] = {
#define X(NAME, T, W, KIND) [NUMD_##NAME] = NAME##_product,
    PRODUCT_LIST(X)
#undef X
        [NUMD_UINT8] = INT8_product,
    [NUMD_UINT16] = INT16_product,
    [NUMD_UINT32] = INT32_product,
    [NUMD_UINT64] = INT64_product,
};

/* ---- Small ones of any dtype ---- */

/* X(NAME, type, kind) */
#define SMALL_LIST(X)       \
  X(BOOL, uint8_t, BOOLEAN) \
  X(INT8, uint8_t, PLAIN)   \
  X(INT16, uint16_t, PLAIN) \
  X(INT32, uint32_t, PLAIN) \
  X(INT64, uint64_t, PLAIN) \
  X(FLOAT32, float, REAL)   \
  X(FLOAT64, double, REAL)

/* `rows` rows of w columns of C; rows of B are contiguous, b_row items apart. Minus zero leaves every x as it
 * is, which plus would not. */
#define DEFINE_WIDTH(NAME, T, KIND, w)                                                                   \
  typedef T NAME##_vector##w __attribute__((vector_size(w * sizeof(T)), aligned(sizeof(T)), may_alias)); \
  ALWAYS void NAME##_rows##w(int rows, int64_t k, struct view a, const T *b, int64_t b_row, char *c,     \
                             int64_t c_row) {                                                            \
    NAME##_vector##w sum[4];                                                                             \
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) sum[i] = (NAME##_vector##w){0};               \
    for (int64_t p = 0; p < k; p++, a.data += a.col, b += b_row) {                                       \
      const NAME##_vector##w y = *(const NAME##_vector##w *)b;                                           \
      _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) sum[i] = KIND##_JOIN(                       \
          T, sum[i], *(const NAME##_small_item *)(a.data + i * a.row) - (NAME##_vector##w){0}, y);       \
    }                                                                                                    \
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) * (NAME##_vector##w *)(c + i * c_row) =       \
        KIND##_VECTOR_RESULT(NAME##_vector##w, sum[i]);                                                  \
  }                                                                                                      \
                                                                                                         \
  ALWAYS void NAME##_width##w(int64_t m, int64_t k, struct view a, const T *b, int64_t b_row, char *c,   \
                              int64_t c_row) {                                                           \
    for (; m >= 4; m -= 4, a.data += 4 * a.row, c += 4 * c_row)                                          \
      NAME##_rows##w(4, k, a, b, b_row, c, c_row);                                                       \
    for (; m >= 2; m -= 2, a.data += 2 * a.row, c += 2 * c_row)                                          \
      NAME##_rows##w(2, k, a, b, b_row, c, c_row);                                                       \
    for (; m >= 1; m--, a.data += a.row, c += c_row)                                                     \
      NAME##_rows##w(1, k, a, b, b_row, c, c_row);                                                       \
  }

#define PLAIN_VECTOR_RESULT(V, sum) (sum)
#define REAL_VECTOR_RESULT(V, sum) (sum)
#define BOOLEAN_VECTOR_RESULT(V, sum) ((V)((sum) != 0) & 1)

#define DEFINE_SMALL(NAME, T, KIND)                                                                     \
  typedef T NAME##_small_item KERNEL_ALIAS;                                                             \
  DEFINE_WIDTH(NAME, T, KIND, 8)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 4)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 2)                                                                        \
  DEFINE_WIDTH(NAME, T, KIND, 1)                                                                        \
                                                                                                        \
  ALWAYS void NAME##_rows(int64_t m, int64_t n, int64_t k, struct view a, const T *b, int64_t b_row,    \
                          char *c, int64_t c_row) {                                                     \
    int64_t j = 0;                                                                                      \
    for (; n - j >= 8; j += 8)                                                                          \
      NAME##_width8(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
    if (n - j >= 4) {                                                                                   \
      NAME##_width4(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
      j += 4;                                                                                           \
    }                                                                                                   \
    if (n - j >= 2) {                                                                                   \
      NAME##_width2(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
      j += 2;                                                                                           \
    }                                                                                                   \
    if (n - j >= 1)                                                                                     \
      NAME##_width1(m, k, a, b + j, b_row, c + j * (int64_t)sizeof(T), c_row);                          \
  }                                                                                                     \
                                                                                                        \
  /* Where it lies as the loops want it: no copies. */                                                  \
  ALWAYS void NAME##_direct(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,     \
                            struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {   \
    for (int64_t t = 0; t < count; t++)                                                                 \
      NAME##_rows(m, n, k, (struct view){a.data + t * batch[0], a.stride[0], a.stride[1]},              \
                  (const T *)(b.data + t * batch[1]), b.stride[0] / (int64_t)sizeof(T),                 \
                  c.data + t * batch[2], c.stride[0]);                                                  \
  }                                                                                                     \
                                                                                                        \
  /* Any strides, and bool: B is gathered into rows, C handed out from rows. */                         \
  static void NAME##_gathered(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,   \
                              struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) { \
    T rows[KERNEL_SMALL_ITEMS], sums[KERNEL_SMALL_ITEMS];                                               \
    for (int64_t t = 0; t < count; t++) {                                                               \
      for (int64_t p = 0; p < k; p++)                                                                   \
        for (int64_t j = 0; j < n; j++)                                                                 \
          rows[p * n + j] = (T)KIND##_PACK(                                                             \
              *(const NAME##_small_item *)(b.data + t * batch[1] + p * b.stride[0] + j * b.stride[1])); \
      NAME##_rows(m, n, k, (struct view){a.data + t * batch[0], a.stride[0], a.stride[1]}, rows, n,     \
                  (char *)sums, n *(int64_t)sizeof(T));                                                 \
      for (int64_t i = 0; i < m; i++)                                                                   \
        for (int64_t j = 0; j < n; j++)                                                                 \
          *(NAME##_small_item *)(c.data + t * batch[2] + i * c.stride[0] + j * c.stride[1]) =           \
              sums[i * n + j];                                                                          \
    }                                                                                                   \
  }                                                                                                     \
                                                                                                        \
  static void NAME##_small(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,      \
                           struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {    \
    if (NUMD_##NAME == NUMD_BOOL || (n > 1 && (b.stride[1] != sizeof(T) || c.stride[1] != sizeof(T))))  \
      NAME##_gathered(count, m, n, k, a, b, c, batch);                                                  \
    else if (m == 2 && n == 2 && k == 2)                                                                \
      NAME##_direct(count, 2, 2, 2, a, b, c, batch);                                                    \
    else if (m == 3 && n == 3 && k == 3)                                                                \
      NAME##_direct(count, 3, 3, 3, a, b, c, batch);                                                    \
    else if (m == 4 && n == 4 && k == 4)                                                                \
      NAME##_direct(count, 4, 4, 4, a, b, c, batch);                                                    \
    else                                                                                                \
      NAME##_direct(count, m, n, k, a, b, c, batch);                                                    \
  }

SMALL_LIST(DEFINE_SMALL)

/* Complex numbers: each item of C by itself. */
#define DEFINE_SMALL_COMPLEX(NAME, R)                                                                        \
  typedef R NAME##_part KERNEL_ALIAS;                                                                        \
                                                                                                             \
  ALWAYS void NAME##_one(int64_t k, const char *x, int64_t x_step, const char *y, int64_t y_step, char *c) { \
    R re = 0, im = 0;                                                                                        \
    for (int64_t p = 0; p < k; p++, x += x_step, y += y_step) {                                              \
      const R a = ((const NAME##_part *)x)[0], b = ((const NAME##_part *)x)[1];                              \
      const R d = ((const NAME##_part *)y)[0], e = ((const NAME##_part *)y)[1];                              \
      re += a * d - b * e;                                                                                   \
      im += a * e + b * d;                                                                                   \
    }                                                                                                        \
    ((NAME##_part *)c)[0] = re;                                                                              \
    ((NAME##_part *)c)[1] = im;                                                                              \
  }                                                                                                          \
                                                                                                             \
  static void NAME##_small(int64_t count, int64_t m, int64_t n, int64_t k, struct kernel_matrix a,           \
                           struct kernel_matrix b, struct kernel_matrix c, const int64_t batch[3]) {         \
    for (int64_t t = 0; t < count; t++, a.data += batch[0], b.data += batch[1], c.data += batch[2])          \
      for (int64_t i = 0; i < m; i++)                                                                        \
        for (int64_t j = 0; j < n; j++)                                                                      \
          NAME##_one(k, a.data + i * a.stride[0], a.stride[1], b.data + j * b.stride[1], b.stride[0],        \
                     c.data + i * c.stride[0] + j * c.stride[1]);                                            \
  }

DEFINE_SMALL_COMPLEX(COMPLEX64, float)
DEFINE_SMALL_COMPLEX(COMPLEX128, double)

const kernel_small_fn KERNEL_NAME(kernels_small)[NUMD_DTYPE_CODES] = {
#define X(NAME, T, KIND) [NUMD_##NAME] = NAME##_small,
    SMALL_LIST(X)
#undef X
        [NUMD_UINT8] = INT8_small,
    [NUMD_UINT16] = INT16_small,
    [NUMD_UINT32] = INT32_small,
    [NUMD_UINT64] = INT64_small,
    [NUMD_COMPLEX64] = COMPLEX64_small,
    [NUMD_COMPLEX128] = COMPLEX128_small,
};
