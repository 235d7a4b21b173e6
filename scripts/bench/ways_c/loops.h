/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases as plain loops over contiguous arrays, for the ways that differ only in how C is called. n is the
 * number of elements, for matmul the side of the square matrices. ways_c/cffi_glue.py takes its declarations
 * from here. */
#pragma once

void loops_add(long n, const double *a, const double *b, double *out);
double loops_sum(long n, const double *a);
void loops_expr(long n, const double *a, const double *b, double *out);
void loops_matmul(long n, const double *a, const double *b, double *out);
