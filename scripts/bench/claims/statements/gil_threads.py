# SPDX-License-Identifier: BSD-3-Clause
"""Threads of Python loops, which hold the GIL, and of NumPy, which releases it for larger arrays."""
import numpy as np

from bench.claims.claim import Claim
from bench.claims.scaling import RULE, Scaling, squares

SIZES = (64, 10**3, 10**4, 10**5, 10**6)


def exponential(n):
    """A function of its own arrays for each thread."""
    a, o = np.linspace(0.0, 1.0, n), np.empty(n)
    return lambda: np.exp(a, out=o)


def run(lab):
    scaling = Scaling(lab)
    scaling.add("loops", lambda: squares)
    sizes = lab.sizes(*SIZES)
    for n in sizes:
        scaling.add(n, lambda n=n: exponential(n))
    return scaling.parts({
        ("threads of Python loops do not scale", "below"): {None: "loops"},
        ("threads of NumPy’s exp scale", "above"): {n: n for n in sizes},
    })


CLAIM = Claim(
    statement="The GIL stops CPU-bound threads from scaling, but NumPy releases it.",
    group="Threads and processes",
    experiment="As many tasks as there are cores (four at most), done by one thread or by a thread each: sums of "
               "squares in plain Python, and np.exp of arrays, each thread on its own.",
    rule=RULE + " Holds if loops do not, and NumPy does at all sizes, for sure; the size where it turns is from where "
                "on NumPy scales.",
    run=run, cores=2)
