# SPDX-License-Identifier: BSD-3-Clause
"""The races of two processes on shared memory, and their cure: a counter that loses updates, and an array that is read
while it is being written."""
import multiprocessing
import os

import numpy as np

from bench.claims.claim import Claim
from bench.claims.lab import Wrong
from bench.claims.verdict import fact
from bench.harness.partner import Partner, shared_bytes
from bench.harness.rounds import statement

UPDATES = {False: 400_000, True: 60_000}  # of each of two processes: quick or not
WRITES = {False: 20_000, True: 3_000}
NUMBERS = 4096
TRIES = 10


class NoLock:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def at_once(*works):
    """Runs functions in processes of their own, all from the same moment on, until the last has ended."""
    ready, go = multiprocessing.Semaphore(0), multiprocessing.Semaphore(0)

    def work(f):
        ready.release()
        go.acquire()
        f()

    partners = [Partner(work, f) for f in works]
    for _ in partners:
        ready.acquire()
    for _ in partners:
        go.release()
    statuses = [os.waitstatus_to_exitcode(os.waitpid(p.pid, 0)[1]) for p in partners]
    if any(statuses):
        raise Wrong(f"a process of the race ended with {statuses}")


def count_together(lock, times):
    """How many are lost when two processes add 1 to a number in shared memory, so many times each."""
    number = np.frombuffer(shared_bytes(8), dtype=np.int64)

    def count():
        for _ in range(times):
            with lock:
                number[0] += 1

    at_once(count, count)
    return 2 * times - int(number[0])


def read_while_written(lock, times):
    """(torn, read): one process fills an array with 1, 2, 3..., another copies it and looks whether all
    numbers of a copy are the same, until the writer has ended."""
    array = np.frombuffer(shared_bytes(8 * NUMBERS))
    seen = np.frombuffer(shared_bytes(24), dtype=np.int64)  # torn, read, the writer has ended

    def write():
        for i in range(1, times + 1):
            with lock:
                array.fill(i)
        seen[2] = 1

    def read():
        copy = np.empty(NUMBERS)
        while not seen[2]:
            with lock:
                np.copyto(copy, array)
            seen[0] += copy.min() != copy.max()
            seen[1] += 1

    at_once(write, read)
    return int(seen[0]), int(seen[1])


def price():
    """One process's additions, with nobody else at the lock."""
    names = dict(number=np.frombuffer(shared_bytes(8), dtype=np.int64), lock=multiprocessing.Lock())
    return {("locked", None): statement("with lock: number[0] += 1", **names),
            ("plain", None): statement("number[0] += 1", **names)}


def until_seen(race):
    """The sums of (seen, looked at) of races, until one is seen: where others want the cores, too, the two processes
    may never have run at the same time."""
    seen, looked_at, tries = 0, 0, 0
    while not seen and tries < TRIES:
        now, of = race()
        seen, looked_at, tries = seen + now, looked_at + of, tries + 1
    return seen, looked_at


def run(lab):
    times, writes = UPDATES[lab.quick], WRITES[lab.quick]
    lost, additions = until_seen(lambda: (count_together(NoLock(), times), 2 * times))
    kept = count_together(multiprocessing.Lock(), times)
    by_semaphore = count_together(multiprocessing.Semaphore(1), times)
    torn, read = until_seen(lambda: read_while_written(NoLock(), writes))
    whole, read_locked = read_while_written(multiprocessing.Lock(), writes)
    # That no update is lost once does not show that none can be.
    return [
        fact(f"without a lock, of {additions:,} additions by two processes some are lost", f"{lost:,} lost",
             lost > 0 or None),
        fact("with a multiprocessing.Lock none is", f"{kept:,} lost", kept == 0),
        fact("with a semaphore none is", f"{by_semaphore:,} lost", by_semaphore == 0),
        fact(f"without a lock, some reads of an array of {NUMBERS} numbers find it half written",
             f"{torn:,} of {read:,}", torn > 0 or None),
        fact("with a lock none does", f"{whole:,} of {read_locked:,}", whole == 0 if read_locked else None),
        lab.scan("the price of the cure, with nobody else at the lock: an addition takes longer", "locked", "plain",
                 lab.time(price(), 0.2), decides=False),
    ]


CLAIM = Claim(
    statement="Shared memory needs explicit synchronisation.",
    group="Between processes",
    experiment="Two processes add 1 to the same number in shared memory, over and over; and one fills an array with a "
               "number while another copies it and looks whether all are the same. Both without a lock, and with one.",
    rule="Holds if the race is seen in both, and the lock ends it in both. If chance shows no race, nothing is shown.",
    run=run, cores=2)
