# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's code and data are in Python's own address space."""
import ctypes
import os
import pathlib
import resource

import numpy as np

from bench.claims.claim import Claim
from bench.claims.verdict import fact

CALLS = 10_000


def mapping_of(address):
    """The line of this process's memory map that holds an address, or None."""
    for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
        low, high = (int(x, 16) for x in line.split()[0].split("-"))
        if low <= address < high:
            return " ".join(line.split())


def system_calls():
    """What this process did to talk to others: read and write calls, waits, descriptors that are open."""
    io = dict(line.split(": ") for line in pathlib.Path("/proc/self/io").read_text().splitlines())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return np.array([int(io["syscr"]), int(io["syscw"]), usage.ru_nvcsw, len(os.listdir("/proc/self/fd"))])


def calls_talk():
    """(reads, writes, waits, descriptors) of many calls of np.add, beyond those that looking takes itself."""
    a, b, o = (np.ones(64) for _ in range(3))
    np.add(a, b, out=o)
    before, again = system_calls(), system_calls()
    for _ in range(CALLS):
        np.add(a, b, out=o)
    return (system_calls() - again) - (again - before)


def write_by_pointer():
    """A number stored through a plain pointer, as NumPy sees it."""
    a = np.zeros(4)
    ctypes.cast(a.ctypes.data, ctypes.POINTER(ctypes.c_double))[2] = 42.0
    return float(a[2])


def write_by_child():
    """What a forked child's writing into its array of the same address leaves in ours."""
    a = np.zeros(4)
    pid = os.fork()
    if not pid:
        a[2] = 42.0
        os._exit(0 if a[2] == 42.0 else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, float(a[2])


def run(lab):
    a = np.ones(1000)
    code = np.core._multiarray_umath.__file__
    heap, talked, (status, left) = mapping_of(a.ctypes.data), calls_talk(), write_by_child()
    mapped = [line for line in pathlib.Path("/proc/self/maps").read_text().splitlines() if line.endswith(code)]
    pipe, here = lab.open("os-pipe", "add", 64), lab.open("numpy", "add", 64)
    samples = lab.time({("pipe", 64): pipe, ("NumPy", 64): here}, 0.3)
    return [
        fact("an array's memory is in a mapping of this process", f"{a.ctypes.data:#x} in {heap}", bool(heap)),
        fact("so is NumPy's compiled code", f"{len(mapped)} mappings of {os.path.basename(code)}", bool(mapped)),
        fact("a number stored there through a plain pointer is what NumPy reads",
             f"42 stored, {write_by_pointer():g} read", write_by_pointer() == 42.0),
        fact(f"{CALLS:,} calls of np.add talked to nobody: no reads, writes, waits or new descriptors",
             "{} reads, {} writes, {} waits, {} descriptors".format(*talked), not talked.any()),
        fact("that ends at the boundary: what a forked child writes at the same address does not arrive here",
             f"the child wrote 42, here it is {left:g}", status == 0 and left == 0.0),
        lab.scan("the same addition asked of another process by a pipe takes longer", "pipe", "NumPy", samples),
    ]


CLAIM = Claim(
    statement="NumPy needs no IPC because it shares Python’s address space.",
    group="In one process",
    experiment="Looks up an array’s address and NumPy’s library in this process’s memory map, stores through a plain "
               "pointer, counts the system calls of 10,000 additions, and forks a child that writes at the same "
               "address. Adds 64 numbers with NumPy here and in another process by pipes.",
    rule="Holds if all of this is seen, and the call by pipes takes longer for sure.",
    run=run, ways=("os-pipe", "numpy"))
