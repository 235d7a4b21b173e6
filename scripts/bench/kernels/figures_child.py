# SPDX-License-Identifier: BSD-3-Clause
"""A process of its own for the figures of the kernels' benchmark: reads a command a line, answers a line.

    matmul SECONDS     multiplies two matrices of 256 by 256 for so long; answers how often
    product SIDE N     multiplies square matrices N times by OpenBLAS called directly; answers the ns in all
    prepare N          makes three arrays of N elements and the programs of `run`; answers their bytes
    run NAME           computes expr, sum or std over them once; answers the value of one element of it

The first argument is who computes: numd, numpy or blas. OpenBLAS's own threads are as many as
OPENBLAS_NUM_THREADS says, for the whole life of the process: changing their number while they spin has locked
them up.
"""
import ctypes
import ctypes.util
import sys
import time

import numpy as np

SIDE = 256


def matrices(side=SIDE):
    random = np.random.default_rng(1)
    return [random.random((side, side)) for _ in range(2)]


class NumPy:
    def __init__(self):
        self.a, self.b = matrices()
        self.o, self.multiply = np.empty((SIDE, SIDE)), np.matmul


class Numd:
    def __init__(self):
        import numd
        self.numd, self.multiply = numd, numd.matmul
        self.a, self.b = map(numd.asarray, matrices())
        self.o = numd.zeros((SIDE, SIDE), dtype=numd.float64)

    def prepare(self, n):
        numd = self.numd
        self.x, self.y = (numd.empty((n,), dtype=numd.float64) for _ in range(2))
        self.result = numd.empty((n,), dtype=numd.float64)
        for i, array in enumerate((self.x, self.y, self.result)):
            np.asarray(array).fill(0.5 + i)
        expr = numd.function(lambda a, b: a * b + numd.sqrt(a) - numd.exp(b))
        self.programs = {"expr": lambda: expr(self.x, self.y, out=self.result),
                         "sum": lambda: numd.sum(self.x), "std": lambda: numd.std(self.x)}
        return 3 * 8 * n

    def run(self, name):
        value = self.programs[name]()
        return float(np.asarray(self.result)[-1] if name == "expr" else value)


class Blas:
    """cblas_dgemm of the OpenBLAS that is installed."""

    def __init__(self):
        name = ctypes.util.find_library("openblas") or "libopenblas.so.0"
        self.dgemm = ctypes.CDLL(name).cblas_dgemm
        self.a, self.b, self.o = *matrices(), np.empty((SIDE, SIDE))
        self.known = {}

    def arguments(self, a, b, o):
        """Row major, neither transposed, 1 * a @ b + 0 * o."""
        n, real, pointer = ctypes.c_int(len(a)), ctypes.c_double, ctypes.c_void_p
        row_major, as_it_is = ctypes.c_int(101), ctypes.c_int(111)
        return (row_major, as_it_is, as_it_is, n, n, n, real(1), pointer(a.ctypes.data), n, pointer(b.ctypes.data), n,
                real(0), pointer(o.ctypes.data), n)

    def multiply(self, a, b, out):
        self.dgemm(*self.arguments(a, b, out))

    def product(self, side, times):
        if side not in self.known:
            a, b = matrices(side)
            o = np.empty_like(a)
            self.known[side] = a, b, o, self.arguments(a, b, o)
        dgemm, arguments = self.dgemm, self.known[side][3]
        start = time.perf_counter_ns()
        for _ in range(times):
            dgemm(*arguments)
        return time.perf_counter_ns() - start


def multiply_for(side, seconds):
    a, b, o, multiply, calls = side.a, side.b, side.o, side.multiply, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        multiply(a, b, out=o)
        calls += 1
    return calls


def main(argv):
    side = {"numd": Numd, "numpy": NumPy, "blas": Blas}[argv[0]]()
    side.multiply(side.a, side.b, out=side.o)
    good = np.allclose(np.asarray(side.o), np.matmul(*matrices()))
    print("ready" if good else "wrong", flush=True)
    for line in sys.stdin:
        command, argument, *more = line.split()
        answer = {"matmul": lambda: multiply_for(side, float(argument)), "run": lambda: side.run(argument),
                  "prepare": lambda: side.prepare(int(argument)),
                  "product": lambda: side.product(int(argument), int(more[0]))}[command]()
        print(answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
