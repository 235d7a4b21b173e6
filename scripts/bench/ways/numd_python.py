# SPDX-License-Identifier: BSD-3-Clause
"""numd's Python package, through the ring and through the socket."""
import numpy as np

from bench.subjects.way import Call, Way

ARGUMENT = ""  # "ring" or "socket", set by runner.py
MODES = ("prepared", "adhoc")
NEEDS = ("python/numd/__init__.py",)

WAYS = [
    Way(name="numd-ring", title="numd ring", group="numd", client="python", core=True,
        opening=("spin", "handoff", "sleep", "auto"), summary=MODES, modes=MODES,
        waits=("spin", "handoff", "sleep", "auto"), needs=NEEDS, argument="ring", daemon=True),
    Way(name="numd-socket", title="numd socket", group="numd", client="python", core=True, opening=(None,),
        summary=("prepared",), modes=MODES, needs=NEEDS, argument="socket", daemon=True),
]


def functions(numd):
    """What is prepared: traced at its first call, one program from then on."""
    return {
        "add": lambda a, b: a + b,
        "sum": lambda a: a.sum(),
        "expr": lambda a, b: a * b + numd.sqrt(a) - numd.exp(b),
        "matmul": lambda a, b: a @ b,
    }


ADHOC = {
    "add": "add(a, b, out=o)",
    "sum": "r = sum(a)",
    "expr": "subtract(add(multiply(a, b), sqrt(a)), exp(b), out=o)",
    "matmul": "matmul(a, b, out=o)",
}


def open_call(job):
    import numd
    session = numd.connect(start=False, door=ARGUMENT, wait=job.wait or "auto")
    names = {n: numd.asarray(x, session=session) for n, x in zip("ab", job.inputs)}
    if job.out_shape:
        names["o"] = numd.zeros(job.out_shape, dtype=numd.float64, session=session)
    if job.mode == "prepared":
        names["f"] = numd.function(functions(numd)[job.case])
        arguments = ", ".join("ab"[:len(job.inputs)])
        statement = f"f({arguments}, out=o)" if job.out_shape else f"r = f({arguments})"
    else:
        statement = ADHOC[job.case]
        names.update((n, getattr(numd, n)) for n in ("add", "subtract", "multiply", "sqrt", "exp", "sum", "matmul")
                     if f"{n}(" in statement)

    def close():
        names.clear()
        session.close()

    return Call(statement, names, result=(lambda: np.asarray(names["o"])) if job.out_shape else None,
                spoil=lambda: job.out_shape and np.asarray(names["o"]).fill(np.nan), close=close)
