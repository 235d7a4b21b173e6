/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of matmul_loops.isa.c for matrices of one stored type, of any size; it includes this once for
 * each, having defined
 *
 *   NAME       that the functions' names begin with
 *   T, W       the stored type, and the one that is computed in: unsigned, so that they wrap around
 *   KIND       how items are combined */
#define NAMED(name) KERNEL_JOIN(NAME, _##name)
#define CALL(name, ...) NAMED(name)(__VA_ARGS__)
#define OF_KIND(name) KERNEL_JOIN(KIND, _##name)

typedef T NAMED(item) KERNEL_ALIAS;
typedef W NAMED(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(VECTOR_BYTES)));
enum { NAMED(LANES) = VECTOR_BYTES / sizeof(W), NAMED(COLS) = 2 * NAMED(LANES) };

ALWAYS T NAMED(at)(const char *p) {
  return *(const NAMED(item) *)p;
}

/* k x n of B, n <= COLS, and zeros behind. */
static void NAMED(pack)(int64_t k, int64_t n, struct view b, W *restrict to) {
  for (int64_t p = 0; p < k; p++, b.data += b.row, to += NAMED(COLS)) {
    const NAMED(item) *from = (const NAMED(item) *)b.data;
    if (b.col == sizeof(T) && n == NAMED(COLS)) {
      KERNEL_FOR(j, NAMED(COLS)) to[j] = (W)OF_KIND(PACK)(from[j]);
      continue;
    }
    for (int64_t j = 0; j < n; j++)
      to[j] = (W)OF_KIND(PACK)(NAMED(at)(b.data + j * b.col));
    for (int64_t j = n; j < NAMED(COLS); j++)
      to[j] = 0;
  }
}

/* `rows` rows of A times the panel. */
ALWAYS void NAMED(block)(int rows, int64_t k, struct view a, const W *panel, W *sums) {
  NAMED(vector) sum[ROWS][2];
  _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] = (NAMED(vector)){0};
  for (int64_t p = 0; p < k; p++, a.data += a.col, panel += NAMED(COLS)) {
    const NAMED(vector) y0 = *(const NAMED(vector) *)panel;
    const NAMED(vector) y1 = *(const NAMED(vector) *)(panel + NAMED(LANES));
    _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++) {
      const NAMED(vector) x = (NAMED(vector)){0} + (W)NAMED(at)(a.data + i * a.row);
      sum[i][0] = OF_KIND(JOIN)(W, sum[i][0], x, y0);
      sum[i][1] = OF_KIND(JOIN)(W, sum[i][1], x, y1);
    }
  }
  _Pragma("GCC unroll 8") for (int i = 0; i < rows; i++, sums += NAMED(COLS)) {
    *(NAMED(vector) *)sums = sum[i][0];
    *(NAMED(vector) *)(sums + NAMED(LANES)) = sum[i][1];
  }
}

/* Stores n sums of a row, or adds them to what is there. */
static void NAMED(store)(int64_t n, const W *sums, char *c, int64_t col, bool add) {
  NAMED(item) *to = (NAMED(item) *)c;
  if (col == sizeof(T) && !add) {
    KERNEL_FOR(j, n) to[j] = (T)OF_KIND(RESULT)(sums[j]);
  } else if (col == sizeof(T)) {
    KERNEL_FOR(j, n) to[j] = (T)OF_KIND(RESULT)(OF_KIND(ADD)(W, to[j], sums[j]));
  } else {
    for (int64_t j = 0; j < n; j++, c += col)
      *(NAMED(item) *)c = (T)OF_KIND(RESULT)(add ? OF_KIND(ADD)(W, *(NAMED(item) *)c, sums[j]) : sums[j]);
  }
}

/* All rows of A times one panel of n columns. */
static void NAMED(panel)(int64_t m, int64_t n, int64_t k, struct view a, const W *panel, char *c,
                         const int64_t stride[2], bool add) {
  W sums[ROWS * NAMED(COLS)] __attribute__((aligned(VECTOR_BYTES)));
  for (int64_t i = 0, rows; i < m; i += rows, a.data += rows * a.row) {
    rows = m - i >= ROWS ? ROWS : m - i >= 4 ? 4 : 1;
    if (rows == ROWS)
      NAMED(block)(ROWS, k, a, panel, sums);
    else if (rows == 4)
      NAMED(block)(4, k, a, panel, sums);
    else
      NAMED(block)(1, k, a, panel, sums);
    for (int64_t r = 0; r < rows; r++, c += stride[0])
      NAMED(store)(n, sums + r * NAMED(COLS), c, stride[1], add);
  }
}

static T NAMED(dot)(int64_t k, const char *a, int64_t a_step, const char *b, int64_t b_step) {
  W sum = 0;
  if (a_step == sizeof(T) && b_step == sizeof(T)) {
    const NAMED(item) *x = (const NAMED(item) *)a, *y = (const NAMED(item) *)b;
    for (int64_t p = 0; p < k; p++)
      sum = OF_KIND(JOIN_ONE)(W, sum, x[p], OF_KIND(PACK)(y[p]));
  } else {
    for (int64_t p = 0; p < k; p++, a += a_step, b += b_step)
      sum = OF_KIND(JOIN_ONE)(W, sum, NAMED(at)(a), OF_KIND(PACK)(NAMED(at)(b)));
  }
  return (T)OF_KIND(RESULT)(sum);
}

/* sums[j] = a[0] b[0][j] + ..., rows of B contiguous. */
static void NAMED(add_rows)(int64_t n, int64_t k, struct view a, struct view b, W *restrict sums) {
  for (int64_t j = 0; j < n; j++)
    sums[j] = 0;
  for (; k >= 2; k -= 2, a.data += 2 * a.col, b.data += 2 * b.row) {
    const T x0 = NAMED(at)(a.data), x1 = NAMED(at)(a.data + a.col);
    const NAMED(item) *y0 = (const NAMED(item) *)b.data, *y1 = (const NAMED(item) *)(b.data + b.row);
    KERNEL_FOR(j, n) {
      const W sum = OF_KIND(JOIN_ONE)(W, sums[j], x0, OF_KIND(PACK)(y0[j]));
      sums[j] = OF_KIND(JOIN_ONE)(W, sum, x1, OF_KIND(PACK)(y1[j]));
    }
  }
  if (k == 1) {
    const T x = NAMED(at)(a.data);
    const NAMED(item) *y = (const NAMED(item) *)b.data;
    KERNEL_FOR(j, n) sums[j] = OF_KIND(JOIN_ONE)(W, sums[j], x, OF_KIND(PACK)(y[j]));
  }
}

static void NAMED(one_row)(int64_t n, int64_t k, struct view a, struct view b, char *c, int64_t c_col) {
  enum { piece = PIECE_BYTES / sizeof(W) };
  W sums[piece];
  if (b.col != sizeof(T) || n == 1) {
    for (int64_t j = 0; j < n; j++)
      *(NAMED(item) *)(c + j * c_col) = NAMED(dot)(k, a.data, a.col, b.data + j * b.col, b.row);
    return;
  }
  for (int64_t j = 0; j < n; j += piece, b.data += piece * (int64_t)sizeof(T)) {
    const int64_t width = n - j < piece ? n - j : piece;
    NAMED(add_rows)(width, k, a, b, sums);
    NAMED(store)(width, sums, c + j * c_col, c_col, false);
  }
}

static void NAMED(product)(int64_t m, int64_t n, int64_t k, struct kernel_matrix a_, struct kernel_matrix b_,
                           struct kernel_matrix c) {
  W panel[PANEL_ROWS * NAMED(COLS)] __attribute__((aligned(VECTOR_BYTES)));
  const struct view a = {a_.data, a_.stride[0], a_.stride[1]}, b = {b_.data, b_.stride[0], b_.stride[1]};
  if (m < FEW_ROWS) {
    for (int64_t i = 0; i < m; i++)
      CALL(one_row, n, k, (struct view){a.data + i * a.row, a.row, a.col}, b, c.data + i * c.stride[0],
           c.stride[1]);
    return;
  }
  for (int64_t j = 0; j < n; j += NAMED(COLS))
    for (int64_t p = 0; p < k; p += PANEL_ROWS) {
      const int64_t cols = n - j < NAMED(COLS) ? n - j : NAMED(COLS);
      const int64_t depth = k - p < PANEL_ROWS ? k - p : PANEL_ROWS;
      CALL(pack, depth, cols, (struct view){b.data + p * b.row + j * b.col, b.row, b.col}, panel);
      CALL(panel, m, cols, depth, (struct view){a.data + p * a.col, a.row, a.col}, panel,
           c.data + j * c.stride[1], c.stride, p > 0);
    }
}

#undef NAMED
#undef CALL
#undef OF_KIND
#undef NAME
#undef T
#undef W
#undef KIND
