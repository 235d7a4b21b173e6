# SPDX-License-Identifier: BSD-3-Clause
"""The expression in NumPy by a careful hand: every step writes into an array that exists already."""
import numpy as np

from bench.subjects.way import Call, Way

WAYS = [Way(name="numpy-out", title="NumPy with out=", group="process", client="python", core=True, cases=("expr",))]


def open_call(job):
    a, b = job.inputs
    out, temporary = np.zeros(job.out_shape), np.zeros(job.out_shape)
    statement = ("multiply(a, b, out=o); sqrt(a, out=t); add(o, t, out=o); "
                 "exp(b, out=t); subtract(o, t, out=o)")
    names = {"a": a, "b": b, "o": out, "t": temporary}
    names.update((f.__name__, f) for f in (np.multiply, np.sqrt, np.add, np.exp, np.subtract))
    return Call(statement, names, result=lambda: out, spoil=lambda: out.fill(np.nan))
