# SPDX-License-Identifier: BSD-3-Clause
"""Sharing memory and telling the other side, against sending the bytes, both by the same pipes."""
import os

import numpy as np

from bench.claims.claim import Claim
from bench.harness.partner import shared_arrays, shared_call, stream_call
from bench.harness.rounds import statement
from bench.subjects import cases

SIZES = (1, 64, 10**3, 10**4, 10**5, 10**6)


def pipes():
    """((mine to read, mine to write), (its to read, its to write))"""
    its_read, my_write = os.pipe()
    my_read, its_write = os.pipe()
    return (my_read, my_write), (its_read, its_write)


def by_copy(job):
    mine, its = pipes()
    return stream_call(job, mine, its)


def by_pointer(job):
    """The arrays are in memory that both have: a byte by the pipes says which, "do it" and "done"."""
    mine, its = pipes()
    return shared_call(job, shared_arrays(job), lambda _pid: os.write(mine[1], b"1"), lambda: os.read(its[0], 1),
                       lambda _pid: os.write(its[1], b"1"), lambda: os.read(mine[0], 1),
                       lambda: [os.close(end) for end in mine + its])


def between_processes(lab):
    sides = {}
    for n in lab.sizes(*SIZES):
        point = cases.Point("sum", n)
        for name, make in (("copied", by_copy), ("shared", by_pointer)):
            job = lab.job(point)
            sides[name, n] = lab.checked(lab.opened(make(job), name), point, job.inputs, name)
    return sides


def in_process(lab):
    """np.sum of an array, and of a copy of it that is made first."""
    sides = {}
    for n in lab.sizes(*SIZES):
        names = dict(add=np.add.reduce, a=np.ones(n))
        sides["copy", n] = statement("r = add(a.copy())", **names)
        sides["pointer", n] = statement("r = add(a)", **names)
    return sides


def run(lab):
    samples = lab.time_anew(between_processes, 0.7)
    samples.update(lab.time(in_process(lab), 0.3))
    return [
        lab.scan("between processes: copying through a pipe takes longer than memory that both have, with the same "
                 "pipes to wake the other side", "copied", "shared", samples),
        lab.scan("in process: passing a copy takes longer than passing the array", "copy", "pointer", samples),
    ]


CLAIM = Claim(
    statement="Passing a pointer beats copying.",
    group="Between processes",
    experiment="Has another process sum an array: once its bytes go through a pipe, once it is in memory that both "
               "processes have, and a byte goes through the same kind of pipe. In process, sums an array and a copy "
               "made for it.",
    rule="Holds if the copy takes longer at all sizes, between processes and in process, for sure.",
    run=run)
