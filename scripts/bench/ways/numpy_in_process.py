# SPDX-License-Identifier: BSD-3-Clause
"""NumPy in the caller's own process, as people write it."""
import numpy as np

from bench.subjects.way import Call, Way

WAYS = [Way(name="numpy", title="NumPy", group="process", client="python", core=True, opening=(None,), summary=(None,))]

STATEMENTS = {
    "add": "add(a, b, out=o)",
    "sum": "r = sum(a)",
    "expr": "r = a * b + sqrt(a) - exp(b)",
    "matmul": "matmul(a, b, out=o)",
}


def open_call(job):
    names = dict(zip("ab", job.inputs))
    out = np.zeros(job.out_shape or 1)
    statement = STATEMENTS[job.case]
    for used in ("add", "sum", "sqrt", "exp", "matmul"):
        if f"{used}(" in statement:
            names[used] = getattr(np, used)
    if "out=o" in statement:
        names["o"] = out
    return Call(statement, names, result=(lambda: out) if "out=o" in statement else None,
                spoil=lambda: out.fill(np.nan))
