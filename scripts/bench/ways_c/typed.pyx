# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The cases in Cython over typed memoryviews, as one writes them; the GIL is released while they compute."""
from libc.math cimport exp, sqrt


def add(const double[::1] a, const double[::1] b, double[::1] out):
    cdef Py_ssize_t i, n = a.shape[0]
    with nogil:
        for i in range(n):
            out[i] = a[i] + b[i]


def sum(const double[::1] a):
    cdef Py_ssize_t i, n = a.shape[0]
    cdef double total = 0
    with nogil:
        for i in range(n):
            total += a[i]
    return total


def expr(const double[::1] a, const double[::1] b, double[::1] out):
    cdef Py_ssize_t i, n = a.shape[0]
    with nogil:
        for i in range(n):
            out[i] = a[i] * b[i] + sqrt(a[i]) - exp(b[i])


def matmul(const double[:, ::1] a, const double[:, ::1] b, double[:, ::1] out):
    cdef Py_ssize_t i, j, k, n = a.shape[0]
    cdef double x
    with nogil:
        for i in range(n):
            for j in range(n):
                out[i, j] = 0
            for k in range(n):
                x = a[i, k]
                for j in range(n):
                    out[i, j] += x * b[k, j]
