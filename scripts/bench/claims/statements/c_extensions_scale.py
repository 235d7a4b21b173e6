# SPDX-License-Identifier: BSD-3-Clause
"""The same C loop in threads: with the GIL released by an extension, by Cython and by ctypes, and with it held."""
import ctypes

import numpy as np

from bench.claims.claim import Claim
from bench.claims.scaling import RULE, Scaling
from bench.subjects import cases

SIZES = (10**3, 10**4, 10**5)
LIBRARY = "bench/libbench-loops.so"
RELEASING, HELD = ("C extension", "Cython", "ctypes"), "held"


def by_pointers(library):
    """expr of the library's loops. ctypes.CDLL releases the GIL during a call, ctypes.PyDLL does not."""
    expr = library.loops_expr
    expr.argtypes, expr.restype = [ctypes.c_long] + [ctypes.c_void_p] * 3, None

    def bind(a, b, o):
        pointers = a.ctypes.data, b.ctypes.data, o.ctypes.data
        return lambda _arrays=(a, b, o): expr(a.size, *pointers)
    return bind


def by_arrays(f):
    return lambda a, b, o: lambda: f(a, b, o)


def ways(lab):
    """name -> a function of (a, b, out) that gives the call of expr."""
    compiled, job, library = lab.module("c-extension"), lab.job(cases.Point("expr", 1)), str(lab.build / LIBRARY)
    return {
        "C extension": by_arrays(compiled.load(job, "_bench_extension").expr),
        "Cython": by_arrays(compiled.load(job, "_bench_cython").expr),
        "ctypes": by_pointers(ctypes.CDLL(library)),
        HELD: by_pointers(ctypes.PyDLL(library)),
    }


def make(lab, name, bind, n):
    """A thread's call, on arrays of its own, once it has given the right result."""
    point = cases.Point("expr", n)
    inputs = cases.inputs(point)
    out = np.full(n, np.nan)
    call = bind(*inputs, out)
    call()
    lab.compare(name, point, out, cases.expected(point, inputs))
    return call


def run(lab):
    scaling, sizes, found = Scaling(lab), SIZES[-1:] if lab.quick else SIZES, ways(lab)
    for name, bind in found.items():
        for n in sizes:
            scaling.add((name, n), lambda name=name, bind=bind, n=n: make(lab, name, bind, n))
    wanted = {(f"{name}, which releases the GIL: threads scale", "above"): name for name in RELEASING}
    wanted["the same C code called with the GIL held (ctypes.PyDLL): they do not", "below"] = HELD
    return scaling.parts({what: {n: (name, n) for n in sizes} for what, name in wanted.items()})


CLAIM = Claim(
    statement="C extensions that release the GIL scale.",
    group="Threads and processes",
    experiment="a*b + sqrt(a) − exp(b) as a loop in C, done by as many threads as cores (four at most), each on its "
               "own arrays: called through an extension, Cython and ctypes, which release the GIL, and through "
               "ctypes.PyDLL, which holds it.",
    rule=RULE + " Holds if all that release the GIL do at all sizes, and the one that holds it does not, for sure.",
    run=run, ways=("c-extension", "cython"), needs=(LIBRARY,), cores=2)
