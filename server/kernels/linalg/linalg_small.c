/* Systems, inverses, determinants and Cholesky factors of real matrices of a few rows, by plain loops of
 * which the compiler knows the length: a call of LAPACK costs several times their arithmetic. Pivots are
 * chosen as LAPACK chooses them, by magnitude; a NaN counts as large, so that it reaches the result. */
#include <math.h>

#include "server/kernels/linalg/linalg.h"

#define SIDE LINALG_SMALL
#define ALWAYS static inline __attribute__((always_inline))

#define DEFINE_SMALL(T, SQRT, FABS)                                                                        \
  /* Eliminates a of n rows; the k columns of b go along. The sign of the permutation, 0 if singular. */   \
  ALWAYS T T##_eliminate(int n, int k, T a[SIDE][SIDE], T b[SIDE][SIDE]) {                                 \
    T sign = 1;                                                                                            \
    for (int c = 0; c < n; c++) {                                                                          \
      int pivot = c;                                                                                       \
      for (int r = c + 1; r < n; r++)                                                                      \
        if (!(FABS(a[r][c]) <= FABS(a[pivot][c])) && a[pivot][c] == a[pivot][c])                           \
          pivot = r;                                                                                       \
      if (a[pivot][c] == 0)                                                                                \
        return 0;                                                                                          \
      if (pivot != c)                                                                                      \
        sign = -sign;                                                                                      \
      for (int j = 0; j < n; j++) {                                                                        \
        const T x = a[c][j];                                                                               \
        a[c][j] = a[pivot][j];                                                                             \
        a[pivot][j] = x;                                                                                   \
      }                                                                                                    \
      for (int j = 0; j < k; j++) {                                                                        \
        const T x = b[c][j];                                                                               \
        b[c][j] = b[pivot][j];                                                                             \
        b[pivot][j] = x;                                                                                   \
      }                                                                                                    \
      const T reciprocal = 1 / a[c][c];                                                                    \
      for (int r = c + 1; r < n; r++) {                                                                    \
        const T factor = FABS(a[c][c]) < (T)1e-30 ? a[r][c] / a[c][c] : a[r][c] * reciprocal;              \
        for (int j = c + 1; j < n; j++)                                                                    \
          a[r][j] -= factor * a[c][j];                                                                     \
        for (int j = 0; j < k; j++)                                                                        \
          b[r][j] -= factor * b[c][j];                                                                     \
      }                                                                                                    \
    }                                                                                                      \
    return sign;                                                                                           \
  }                                                                                                        \
                                                                                                           \
  ALWAYS void T##_substitute(int n, int k, T a[SIDE][SIDE], T b[SIDE][SIDE]) {                             \
    for (int r = n - 1; r >= 0; r--)                                                                       \
      for (int j = 0; j < k; j++) {                                                                        \
        T x = b[r][j];                                                                                     \
        for (int c = r + 1; c < n; c++)                                                                    \
          x -= a[r][c] * b[c][j];                                                                          \
        b[r][j] = x / a[r][r];                                                                             \
      }                                                                                                    \
  }                                                                                                        \
                                                                                                           \
  ALWAYS void T##_read(int rows, int cols, const char *from, int64_t row, int64_t col, T to[SIDE][SIDE]) { \
    for (int i = 0; i < rows; i++)                                                                         \
      for (int j = 0; j < cols; j++)                                                                       \
        to[i][j] = *(const T *)(from + i * row + j * col);                                                 \
  }                                                                                                        \
                                                                                                           \
  ALWAYS unsigned T##_solve(const struct linalg_one *o, int n, int k, T a[SIDE][SIDE]) {                   \
    const struct layout *x2 = &o->job->in[1];                                                              \
    T b[SIDE][SIDE], *out = (T *)o->out[0];                                                                \
    if (o->job->op == NUMD_OP_SOLVE) {                                                                     \
      const int64_t row = x2->strides[x2->ndim == 1 ? 0 : x2->ndim - 2];                                   \
      T##_read(n, k, o->in[1], row, x2->ndim == 1 ? 0 : x2->strides[x2->ndim - 1], b);                     \
    } else {                                                                                               \
      for (int i = 0; i < n; i++)                                                                          \
        for (int j = 0; j < k; j++)                                                                        \
          b[i][j] = i == j;                                                                                \
    }                                                                                                      \
    if (T##_eliminate(n, k, a, b) == 0)                                                                    \
      return KERNEL_SINGULAR;                                                                              \
    T##_substitute(n, k, a, b);                                                                            \
    for (int i = 0; i < n; i++)                                                                            \
      for (int j = 0; j < k; j++)                                                                          \
        out[i * k + j] = b[i][j];                                                                          \
    return 0;                                                                                              \
  }                                                                                                        \
                                                                                                           \
  /* The product of the pivots, unless it comes near the ends of the range: then by the careful road. */   \
  ALWAYS bool T##_det(const struct linalg_one *o, int n, T a[SIDE][SIDE]) {                                \
    T det = T##_eliminate(n, 0, a, a);                                                                     \
    bool safe = true;                                                                                      \
    for (int i = 0; det != 0 && i < n; i++) {                                                              \
      det *= a[i][i];                                                                                      \
      safe &= FABS(det) > (T)1e-30 && FABS(det) < (T)1e30;                                                 \
    }                                                                                                      \
    if (safe && o->job->op == NUMD_OP_DET)                                                                 \
      *(T *)o->out[0] = det;                                                                               \
    if (safe && o->job->op == NUMD_OP_SLOGDET) {                                                           \
      *(T *)o->out[0] = (T)((det > 0) - (det < 0));                                                        \
      *(T *)o->out[1] = (T)log((double)FABS(det));                                                         \
    }                                                                                                      \
    return safe;                                                                                           \
  }                                                                                                        \
                                                                                                           \
  /* Of the lower triangle; for `upper` the caller reads A transposed, and the factor goes out transposed. \
   */                                                                                                      \
  ALWAYS unsigned T##_cholesky(const struct linalg_one *o, int n, T a[SIDE][SIDE], bool upper) {           \
    T *out = (T *)o->out[0];                                                                               \
    for (int i = 0; i < n; i++)                                                                            \
      for (int j = 0; j <= i; j++) {                                                                       \
        T x = a[i][j];                                                                                     \
        for (int c = 0; c < j; c++)                                                                        \
          x -= a[i][c] * a[j][c];                                                                          \
        if (i == j && !(x > 0))                                                                            \
          return KERNEL_DEFINITE;                                                                          \
        a[i][j] = i == j ? SQRT(x) : x / a[j][j];                                                          \
      }                                                                                                    \
    for (int i = 0; i < n; i++)                                                                            \
      for (int j = 0; j < n; j++)                                                                          \
        out[upper ? j * n + i : i * n + j] = j <= i ? a[i][j] : 0;                                         \
    return 0;                                                                                              \
  }                                                                                                        \
                                                                                                           \
  ALWAYS bool T##_small(const struct linalg_one *o, int n, unsigned *flags) {                              \
    const struct layout *in = &o->job->in[0];                                                              \
    const bool upper = o->job->op == NUMD_OP_CHOLESKY && o->job->params.given & NUMD_PARAM_UPPER;          \
    const int64_t row = in->strides[in->ndim - 2], col = in->strides[in->ndim - 1];                        \
    T a[SIDE][SIDE];                                                                                       \
    T##_read(n, n, o->in[0], upper ? col : row, upper ? row : col, a);                                     \
    switch (o->job->op) {                                                                                  \
      case NUMD_OP_INV:                                                                                    \
        *flags = T##_solve(o, n, n, a);                                                                    \
        return true;                                                                                       \
      case NUMD_OP_SOLVE:                                                                                  \
        *flags = T##_solve(o, n, (int)o->p->k, a);                                                         \
        return true;                                                                                       \
      case NUMD_OP_CHOLESKY:                                                                               \
        *flags = T##_cholesky(o, n, a, upper);                                                             \
        return true;                                                                                       \
      default:                                                                                             \
        return T##_det(o, n, a);                                                                           \
    }                                                                                                      \
  }                                                                                                        \
                                                                                                           \
  static bool T##_of_any_side(const struct linalg_one *o, unsigned *flags) {                               \
    switch (o->p->n) {                                                                                     \
      case 1:                                                                                              \
        return T##_small(o, 1, flags);                                                                     \
      case 2:                                                                                              \
        return T##_small(o, 2, flags);                                                                     \
      case 3:                                                                                              \
        return T##_small(o, 3, flags);                                                                     \
      case 4:                                                                                              \
        return T##_small(o, 4, flags);                                                                     \
      default:                                                                                             \
        return false;                                                                                      \
    }                                                                                                      \
  }

DEFINE_SMALL(float, sqrtf, fabsf)
DEFINE_SMALL(double, sqrt, fabs)

bool linalg_small(const struct linalg_one *o, unsigned *flags) {
  const int op = o->job->op;
  if (op != NUMD_OP_INV && op != NUMD_OP_SOLVE && op != NUMD_OP_CHOLESKY && op != NUMD_OP_DET &&
      op != NUMD_OP_SLOGDET)
    return false;
  if (o->p->n > SIDE || (op == NUMD_OP_SOLVE && o->p->k > SIDE))
    return false;
  if (o->job->dtype == NUMD_FLOAT32)
    return float_of_any_side(o, flags);
  return o->job->dtype == NUMD_FLOAT64 && double_of_any_side(o, flags);
}
