# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's engine called from Python in the same process, through ctypes."""
import ctypes

import numpy as np

from bench.subjects.cases import PROGRAMS
from bench.subjects.way import Call, Way

WAYS = [Way(name="ctypes", title="numd’s kernel, ctypes", group="process", client="python", core=True,
            needs=("libnumd-engine.so",))]


def program_text(job):
    """The engine's line language: "in float64 64", "op add 0 1", "out 2"."""
    lines = ["in float64 " + " ".join(map(str, x.shape)) for x in job.inputs]
    lines += [f"op {name} " + " ".join(map(str, inputs)) for name, *inputs in PROGRAMS[job.case]]
    return "\n".join(lines + [f"{'out' if job.out_shape else 'result'} {len(lines) - 1}", ""])


def open_call(job):
    engine = ctypes.CDLL(str(job.build / "libnumd-engine.so"))
    engine.engine_plan_free.argtypes = [ctypes.c_void_p]
    plan, reason = ctypes.c_void_p(), ctypes.create_string_buffer(256)
    if engine.engine_plan_new(program_text(job).encode(), ctypes.byref(plan), reason, len(reason)):
        raise RuntimeError(reason.value.decode())
    out = np.zeros(job.out_shape or 1)
    number = ctypes.c_double()
    data = (ctypes.c_void_p * 3)(*[x.ctypes.data for x in job.inputs], out.ctypes.data)
    run = engine.engine_plan_run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]

    def spoil():
        out.fill(np.nan)
        number.value = np.nan

    keep = job.inputs
    return Call("run(plan, data, result)", {"run": run, "plan": plan, "data": data, "result": ctypes.byref(number)},
                result=lambda: out if job.out_shape else number.value,
                spoil=spoil, close=lambda: keep and engine.engine_plan_free(plan))
