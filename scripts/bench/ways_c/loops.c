/* SPDX-License-Identifier: BSD-3-Clause */
#include "scripts/bench/ways_c/loops.h"

#include <math.h>

void loops_add(long n, const double *a, const double *b, double *out) {
  for (long i = 0; i < n; i++) {
    out[i] = a[i] + b[i];
  }
}

/* Four sums beside each other: one alone would wait for the last addition each time. */
double loops_sum(long n, const double *a) {
  double sum[4] = {0};
  long i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; k++) {
      sum[k] += a[i + k];
    }
  }
  for (; i < n; i++) {
    sum[0] += a[i];
  }
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void loops_expr(long n, const double *a, const double *b, double *out) {
  for (long i = 0; i < n; i++) {
    out[i] = a[i] * b[i] + sqrt(a[i]) - exp(b[i]);
  }
}

void loops_matmul(long n, const double *a, const double *b, double *out) {
  for (long i = 0; i < n; i++) {
    for (long j = 0; j < n; j++) {
      out[i * n + j] = 0;
    }
    for (long k = 0; k < n; k++) {
      const double x = a[i * n + k];
      for (long j = 0; j < n; j++) {
        out[i * n + j] += x * b[k * n + j];
      }
    }
  }
}
