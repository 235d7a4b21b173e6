# SPDX-License-Identifier: BSD-3-Clause
"""When memory comes back: by reference counting, and from cycles; of NumPy, of shared memory, and of numd."""
import gc
import os
import pathlib
import sys
import weakref
from multiprocessing import shared_memory

import numpy as np

from bench.claims.claim import Claim
from bench.claims.verdict import fact

BYTES = 1 << 20
ARRAYS = 2000  # in cycles, made one after the other


class Holder:
    """Something in a cycle with itself, when it is told to, that holds another."""

    def __init__(self, held, cycle):
        self.held, self.me = held, self if cycle else None


class NumPyArray:
    """Each of these makes one kind of memory, and tells whether it is still there when nobody refers to it any more."""
    name = "an ndarray"

    def make(self):
        array = np.ones(BYTES // 8)
        self.watch = weakref.ref(array)
        return array

    def there(self):
        return self.watch() is not None

    def end(self):
        pass


class Shared:
    name = "a SharedMemory’s mapping"

    def __init__(self):
        self.segment = f"numd-bench-{os.getpid()}-{id(self)}"

    def make(self):
        return shared_memory.SharedMemory(self.segment, create=True, size=BYTES)

    def there(self):
        return f"/dev/shm/{self.segment}" in pathlib.Path("/proc/self/maps").read_text()

    def has_name(self):
        return os.path.exists(f"/dev/shm/{self.segment}")

    def end(self):
        again = shared_memory.SharedMemory(self.segment)
        again.unlink()
        again.close()


class OfNumd:
    name = "an array of numd"

    def make(self):
        import numd
        array = numd.ones(BYTES)  # large enough for a segment of its own
        self.address = np.asarray(array).ctypes.data
        return array

    def there(self):
        """Whether the next array of the size cannot have the same memory."""
        import numd
        return np.asarray(numd.ones(BYTES)).ctypes.data != self.address

    def end(self):
        pass


def freed(kind, cycle):
    """(there after the last reference went, there after a collection)"""
    holder = Holder(kind.make(), cycle)
    del holder
    after = kind.there()
    gc.collect()
    return after, kind.there()


def most_alive(cycle):
    """How many arrays were there at once at most, with the collector as it is by default."""
    alive, most = 0, 0

    def gone(_):
        nonlocal alive
        alive -= 1

    watches = []
    for _ in range(ARRAYS):
        array = np.empty(BYTES // 8)
        watches.append(weakref.ref(array, gone))
        alive += 1
        most = max(most, alive)
        Holder(array, cycle)
        del array
    gc.collect()
    return most


def run(lab):
    gc.collect()
    gc.disable()
    parts, named = [], Shared()
    for make in (NumPyArray, Shared, OfNumd):
        for cycle in (False, True):
            kind = make()
            after, collected = freed(kind, cycle)
            kind.end()
            words = ["gone", "still there"]
            claimed = "in a cycle: waits for the collector" if cycle else "no cycle: freed at once"
            parts.append(fact(f"{kind.name}, {claimed}", f"after the last reference {words[after]}, after a collection "
                              f"{words[collected]}", after == cycle and not collected))
    freed(named, False)
    parts.append(fact("neither removes a SharedMemory’s name: only unlink() does, whoever calls it",
                      "there after its last reference "
                      "went" if named.has_name() else "gone", named.has_name(), decides=False))
    named.end()
    gc.enable()
    plain, cycles = most_alive(False), most_alive(True)
    parts.append(fact(f"{ARRAYS:,} arrays of 1 MiB one after the other, the collector as it is by default: in cycles "
                      "more of them are there at once", f"at most {plain}, in cycles {cycles}", plain < cycles))
    return parts


CLAIM = Claim(
    statement="Reference counting frees at once, and cycles wait for the collector; for shared segments too.",
    group="Memory",
    experiment=f"In {sys.implementation.name}: lets the last reference go to an ndarray, a SharedMemory and an array "
               "of numd, and looks whether the memory is still there, with and without a cycle, before and after "
               "gc.collect(): by weak reference, by the process’s memory map, and by whether the next array gets the "
               "same address.",
    rule="Holds if all of this is seen.",
    run=run, daemon=True)
