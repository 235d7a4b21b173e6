# SPDX-License-Identifier: BSD-3-Clause
"""A call into a shared library stays in the calling process and thread."""
import ctypes
import os
import threading

import numpy as np

from bench.claims.claim import Claim
from bench.claims.lab import Wrong
from bench.claims.verdict import fact
from bench.harness.processes import tree
from bench.harness.rounds import function, statement

LIBRARY = "bench/libbench-loops.so"
CALLS = 1000


def who():
    return os.getpid(), threading.get_native_id()


def who_the_library_is():
    """(process, thread) of each call that C code, libc's qsort, makes back into Python."""
    seen = set()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double))
    def compare(x, y):
        seen.add(who())
        return (x[0] > y[0]) - (x[0] < y[0])

    numbers = (ctypes.c_double * 8)(*range(8, 0, -1))
    ctypes.CDLL(None).qsort(numbers, ctypes.c_size_t(8), ctypes.c_size_t(8), compare)
    if list(numbers) != list(range(1, 9)):
        raise Wrong("qsort through ctypes did not sort")
    return seen


def children_and_threads():
    return len(tree(os.getpid())) - 1, len(os.listdir("/proc/self/task"))


def start_process():
    """A process that does nothing, started and waited for."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


def children_of_a_fork():
    """How many children one sees while there is one: that the observation can see them."""
    heard, told = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(told)
        os.read(heard, 1)
        os._exit(0)
    os.close(heard)
    seen, _ = children_and_threads()
    os.close(told)
    os.waitpid(pid, 0)
    return seen


def load_add(build):
    add = ctypes.CDLL(str(build / LIBRARY)).loops_add
    add.argtypes, add.restype = [ctypes.c_long] + [ctypes.c_void_p] * 3, None
    return add


def run(lab):
    a, o = np.ones(64), np.empty(64)
    np.ones((256, 256)) @ np.ones((256, 256))  # whatever threads BLAS makes are there from now on
    before, add, seen = children_and_threads(), load_add(lab.build), who_the_library_is()
    for _ in range(CALLS):
        add(64, a.ctypes.data, a.ctypes.data, o.ctypes.data)
    after, control = children_and_threads(), children_of_a_fork()
    if not np.array_equal(o, a + a):
        raise Wrong("loops_add through ctypes is not a + b")
    pid_by_libc = ctypes.CDLL(None).getpid()
    call = statement("add(64, a, a, o)", add=add, a=a.ctypes.data, o=o.ctypes.data)
    samples = lab.time({("process", None): function(start_process), ("call", None): call}, 0.3)
    return [
        fact("the C library’s getpid() gives Python’s own process", f"{pid_by_libc}, and {os.getpid()}",
             pid_by_libc == os.getpid()),
        fact("what C code calls back runs in the calling process and thread", f"{seen}, and {who()}", seen == {who()}),
        fact(f"loading a .so and {CALLS:,} calls into it make no child and no thread",
             "{} children and {} threads before, {} and {} after".format(*before, *after), before == after),
        fact("a child would have been seen: after a fork there is one more", f"{control} instead of {before[0]}",
             control == before[0] + 1),
        fact("a library may make threads, as NumPy’s BLAS does; those are no processes either",
             f"{after[1]} threads, {after[0]} children after a matrix product", not after[0], decides=False),
        lab.scan("starting a process takes longer than a call into the .so", "process", "call", samples),
    ]


CLAIM = Claim(
    statement="Calls into a .so make no process.",
    group="In one process",
    experiment="Asks the C library for its process, has C code (qsort) call back into Python, and counts this "
               "process’s children and threads before and after loading a library and calling it; a fork shows that "
               "children are seen. Times a call of add(64) in it, and starting a process that does nothing.",
    rule="Holds if all of this is seen, and a process takes longer than a call for sure.",
    run=run, needs=(LIBRARY,))
