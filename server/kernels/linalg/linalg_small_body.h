/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of linalg_small.c for matrices of T; it includes this once for float and once for double,
 * having defined T, and SQRT and FABS as the functions of that type. */
#define NAMED(name) KERNEL_JOIN(T, _##name)

/* Eliminates a of n rows; the k columns of b go along. The sign of the permutation, 0 if singular. */
ALWAYS T NAMED(eliminate)(int n, int k, T a[SIDE][SIDE], T b[SIDE][SIDE]) {
  T sign = 1;
  for (int c = 0; c < n; c++) {
    int pivot = c;
    for (int r = c + 1; r < n; r++)
      if (!(FABS(a[r][c]) <= FABS(a[pivot][c])) && a[pivot][c] == a[pivot][c])
        pivot = r;
    if (a[pivot][c] == 0)
      return 0;
    if (pivot != c)
      sign = -sign;
    for (int j = 0; j < n; j++) {
      const T x = a[c][j];
      a[c][j] = a[pivot][j];
      a[pivot][j] = x;
    }
    for (int j = 0; j < k; j++) {
      const T x = b[c][j];
      b[c][j] = b[pivot][j];
      b[pivot][j] = x;
    }
    const T reciprocal = 1 / a[c][c];
    for (int r = c + 1; r < n; r++) {
      const T factor = FABS(a[c][c]) < (T)1e-30 ? a[r][c] / a[c][c] : a[r][c] * reciprocal;
      for (int j = c + 1; j < n; j++)
        a[r][j] -= factor * a[c][j];
      for (int j = 0; j < k; j++)
        b[r][j] -= factor * b[c][j];
    }
  }
  return sign;
}

ALWAYS void NAMED(substitute)(int n, int k, T a[SIDE][SIDE], T b[SIDE][SIDE]) {
  for (int r = n - 1; r >= 0; r--)
    for (int j = 0; j < k; j++) {
      T x = b[r][j];
      for (int c = r + 1; c < n; c++)
        x -= a[r][c] * b[c][j];
      b[r][j] = x / a[r][r];
    }
}

ALWAYS void NAMED(read)(int rows, int cols, const char *from, int64_t row, int64_t col, T to[SIDE][SIDE]) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++)
      to[i][j] = *(const T *)(from + i * row + j * col);
}

ALWAYS unsigned NAMED(solve)(const struct linalg_one *o, int n, int k, T a[SIDE][SIDE]) {
  const struct layout *x2 = &o->job->in[1];
  T b[SIDE][SIDE], *out = (T *)o->out[0];
  if (o->job->op == NUMD_OP_SOLVE) {
    const int64_t row = x2->strides[x2->ndim == 1 ? 0 : x2->ndim - 2];
    NAMED(read)(n, k, o->in[1], row, x2->ndim == 1 ? 0 : x2->strides[x2->ndim - 1], b);
  } else {
    for (int i = 0; i < n; i++)
      for (int j = 0; j < k; j++)
        b[i][j] = i == j;
  }
  if (NAMED(eliminate)(n, k, a, b) == 0)
    return KERNEL_SINGULAR;
  NAMED(substitute)(n, k, a, b);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < k; j++)
      out[i * k + j] = b[i][j];
  return 0;
}

/* The product of the pivots, unless it comes near the ends of the range: then by the careful road. */
ALWAYS bool NAMED(det)(const struct linalg_one *o, int n, T a[SIDE][SIDE]) {
  T det = NAMED(eliminate)(n, 0, a, a);
  bool safe = true;
  for (int i = 0; det != 0 && i < n; i++) {
    det *= a[i][i];
    safe &= FABS(det) > (T)1e-30 && FABS(det) < (T)1e30;
  }
  if (safe && o->job->op == NUMD_OP_DET)
    *(T *)o->out[0] = det;
  if (safe && o->job->op == NUMD_OP_SLOGDET) {
    *(T *)o->out[0] = (T)((det > 0) - (det < 0));
    *(T *)o->out[1] = (T)log((double)FABS(det));
  }
  return safe;
}

/* Of the lower triangle; for `upper` the caller reads A transposed, and the factor goes out transposed.
 */
ALWAYS unsigned NAMED(cholesky)(const struct linalg_one *o, int n, T a[SIDE][SIDE], bool upper) {
  T *out = (T *)o->out[0];
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) {
      T x = a[i][j];
      for (int c = 0; c < j; c++)
        x -= a[i][c] * a[j][c];
      if (i == j && !(x > 0))
        return KERNEL_DEFINITE;
      a[i][j] = i == j ? SQRT(x) : x / a[j][j];
    }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      out[upper ? j * n + i : i * n + j] = j <= i ? a[i][j] : 0;
  return 0;
}

ALWAYS bool NAMED(small)(const struct linalg_one *o, int n, unsigned *flags) {
  const struct layout *in = &o->job->in[0];
  const bool upper = o->job->op == NUMD_OP_CHOLESKY && o->job->params.given & NUMD_PARAM_UPPER;
  const int64_t row = in->strides[in->ndim - 2], col = in->strides[in->ndim - 1];
  T a[SIDE][SIDE];
  NAMED(read)(n, n, o->in[0], upper ? col : row, upper ? row : col, a);
  switch (o->job->op) {
    case NUMD_OP_INV:
      *flags = NAMED(solve)(o, n, n, a);
      return true;
    case NUMD_OP_SOLVE:
      *flags = NAMED(solve)(o, n, (int)o->p->k, a);
      return true;
    case NUMD_OP_CHOLESKY:
      *flags = NAMED(cholesky)(o, n, a, upper);
      return true;
    default:
      return NAMED(det)(o, n, a);
  }
}

static bool NAMED(of_any_side)(const struct linalg_one *o, unsigned *flags) {
  switch (o->p->n) {
    case 1:
      return NAMED(small)(o, 1, flags);
    case 2:
      return NAMED(small)(o, 2, flags);
    case 3:
      return NAMED(small)(o, 3, flags);
    case 4:
      return NAMED(small)(o, 4, flags);
    default:
      return false;
  }
}

#undef NAMED
#undef T
#undef SQRT
#undef FABS
