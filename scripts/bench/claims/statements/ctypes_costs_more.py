# SPDX-License-Identifier: BSD-3-Clause
"""What a call into C costs through ctypes, Cython and an extension on NumPy's C API."""
import ctypes

import numpy as np

from bench.claims.claim import Claim
from bench.subjects import cases
from bench.subjects.way import Call

SIZES = (1, 64, 10**3, 10**4, 10**5)
OTHERS = {"c-extension": "C extension", "cython": "Cython"}
LIBRARY = "bench/libbench-loops.so"


def ctypes_call(job, checks):
    """The call of add in the library: given ndarrays, which ctypes checks, or pointers made before."""
    add, out = ctypes.CDLL(str(job.build / LIBRARY)).loops_add, np.empty(job.out_shape)
    arrays = dict(zip("abo", [*job.inputs, out]))
    if checks:
        pointer = np.ctypeslib.ndpointer(np.float64, ndim=1, flags="C_CONTIGUOUS")
    else:
        pointer, arrays = ctypes.c_void_p, {name: ctypes.c_void_p(x.ctypes.data) for name, x in arrays.items()}
    add.argtypes, add.restype = [ctypes.c_long] + [pointer] * 3, None
    memory = [*job.inputs, out]  # pointers do not keep it
    return Call("add(n, a, b, o)", dict(arrays, add=add, n=out.size, memory=memory), result=lambda: out,
                spoil=lambda: out.fill(np.nan))


def run(lab):
    sides = {}
    for n in lab.sizes(*SIZES):
        point = cases.Point("add", n)
        for name, checks in (("ctypes", True), ("ctypes, pointers", False)):
            job = lab.job(point)
            sides[name, n] = lab.checked(ctypes_call(job, checks), point, job.inputs, name)
        for way, name in OTHERS.items():
            sides[name, n] = lab.open(way, "add", n)
    samples = lab.time(sides)
    at_one = {key: taken for key, taken in samples.items() if key[1] == 1}
    parts = [lab.scan(f"a call of one element: ctypes {how} costs more than {other}", name, other, at_one)
             for name, how in (("ctypes", "given arrays"), ("ctypes, pointers", "given pointers made before"))
             for other in OTHERS.values()]
    parts.append(lab.scan("how long that matters: ctypes given arrays takes over 10 % more than a C extension",
                          "ctypes", "C extension", samples, limit=1.1, decides=False))
    return parts


CLAIM = Claim(
    statement="ctypes costs more a call than Cython and a C extension.",
    group="In one process",
    experiment="Calls a C loop that adds arrays: through ctypes given arrays (ndpointer checks them) and given "
               "pointers that were made before, through Cython’s typed memoryviews, and through an extension on "
               "NumPy’s C API.",
    rule="A call of one element decides: holds if both uses of ctypes cost more than both others, for sure.",
    run=run, ways=tuple(OTHERS), needs=(LIBRARY,))
