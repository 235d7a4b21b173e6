# SPDX-License-Identifier: BSD-3-Clause
"""Views of the same memory: memoryview, NumPy's, and numd's."""
import ctypes
import tracemalloc

import numpy as np

from bench.claims.claim import Claim
from bench.claims.verdict import fact
from bench.harness.rounds import statement

SIZES = (10**2, 10**4, 10**6, 10**8)
MANY = 10**8  # bytes


def address(view):
    """Where a buffer's first byte is, without NumPy."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


def allocated_by(make):
    """Bytes that Python and NumPy allocate to make something, and keep for it."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = make()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return after - before


def of_numd():
    """Whether numd.Array's views are the same memory too: a write through one is read through the other."""
    import numd
    a = numd.zeros(1000)
    view = np.asarray(a)
    memoryview(a[10:])[0] = 42.0
    return view.ctypes.data, np.asarray(a).ctypes.data, float(view[10])


def run(lab):
    block = bytearray(MANY)
    view = memoryview(block)[1000:-1000]
    array = np.frombuffer(view, dtype=np.uint8)
    view[0] = 42
    seen, start = array[0], address(block)
    views, copies = allocated_by(lambda: memoryview(block)[1:]), allocated_by(lambda: block[1:])
    first, second, number = of_numd()
    sides = {}
    for n in lab.sizes(*SIZES):
        part = memoryview(block)[:n]
        sides["view", n] = statement("r = part[1:]", part=part)
        sides["copy", n] = statement("r = bytes(part[1:])", part=part)
    return [
        fact("a slice of a memoryview begins at its place in the same memory", f"{start:#x} + {address(view) - start}",
             address(view) == start + 1000),
        fact("so does the ndarray made of it", f"{start:#x} + {array.ctypes.data - start}",
             array.ctypes.data == start + 1000),
        fact("a write through one is read through the others", f"42 stored, {seen} and {block[1000]} read",
             seen == block[1000] == 42),
        fact(f"a view of {MANY:,} bytes allocates next to nothing, a slice of the bytes all of them",
             f"{views:,} and {copies:,} bytes", views < 1000 and copies >= MANY - 1),
        fact("numd: np.asarray and a memoryview of a slice of an array are the same shared memory",
             f"{first:#x} twice, 42 stored, {number:g} read", first == second and number == 42.0),
        lab.scan("copying takes longer than a view", "copy", "view", lab.time(sides), unit="bytes"),
    ]


CLAIM = Claim(
    statement="Memory views share without copying.",
    group="Memory",
    experiment="Compares addresses of a bytearray, a slice of its memoryview and an ndarray made of that, stores "
               "through one and reads through the others, counts the bytes that are allocated, and does the same with "
               "an array of numd. Times a slice of a view, and a copy of it.",
    rule="Holds if all of this is seen, and the copy takes longer at all sizes for sure.",
    run=run, daemon=True)
