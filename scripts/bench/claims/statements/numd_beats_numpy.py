# SPDX-License-Identifier: BSD-3-Clause
"""Calls into numd's daemon against NumPy's own calls."""
import os
import time

import numpy as np

from bench.claims.claim import Claim
from bench.claims.lab import Wrong
from bench.claims.verdict import fact
from bench.harness.processes import cpu_ns, tree
from bench.subjects import cases

SIZES = (1, 64, 10**3, 10**4, 10**5, 10**6)
CASES = ("add", "sum", "expr")
CALLS = 100


def who_computes():
    """(our processor time, the other processes') of calls during which our side sleeps, in nanoseconds."""
    import numd
    session = numd.connect(start=False, door="ring", wait="sleep")
    a, o = (numd.asarray(np.linspace(0.0, 1.0, 10**6), session=session) for _ in range(2))
    numd.exp(a, out=o)
    others = tree(os.getpid())[1:]
    own, theirs = time.process_time_ns(), sum(map(cpu_ns, others))
    for _ in range(CALLS):
        numd.exp(a, out=o)
    used = time.process_time_ns() - own, sum(map(cpu_ns, others)) - theirs
    if not np.allclose(np.asarray(o), np.exp(np.asarray(a)), rtol=1e-14):
        raise Wrong("numd's exp differs from NumPy's")
    session.close()
    return used


def sides(lab):
    return {(f"{name} {case}", n): lab.open(way, case, n) for case in CASES for n in lab.sizes(*SIZES)
            for way, name in (("numpy", "NumPy"), ("numd-ring", "numd"))}


def run(lab):
    own, theirs = who_computes()
    samples = lab.time_anew(sides)
    return [fact("it is another process that computes",
                 f"{CALLS} calls of exp of 10^6 numbers: {theirs / 1e6:,.0f} ms of the daemon’s processor time, "
                 f"{own / 1e6:,.0f} ms of ours", theirs > 4 * own, decides=False)] + [
        lab.scan(f"{cases.FORMULAS[case]}: numd takes less than NumPy", f"numd {case}", f"NumPy {case}", samples,
                 side="below") for case in CASES]


CLAIM = Claim(
    statement="A call into another process can be cheaper than NumPy’s own call.",
    group="numd",
    experiment="The same calls in this process by NumPy, and in numd’s daemon by its ring, prepared: a + b and sum(a), "
               "and a*b + sqrt(a) − exp(b), which numd computes in one pass. First, who computes is looked up in the "
               "processes’ processor time, while our side sleeps.",
    rule="“Can be”: holds if numd takes less for sure at any size of any of the three. Where it does is in the table.",
    run=run, combine="any", ways=("numpy", "numd-ring"), daemon=True)
