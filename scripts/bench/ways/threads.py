# SPDX-License-Identifier: BSD-3-Clause
"""A call handed to another thread of the same process, by ThreadPoolExecutor: of NumPy, which releases the GIL while it
computes on large arrays, and of plain Python loops, which hold it."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench.harness.numpy_side import COMPUTE, compute_into
from bench.subjects.way import Call, WAYS_DIR, Way, load_file

ARGUMENT = ""  # set by runner.py
WAYS = [Way(name="thread-numpy", title="thread, NumPy", group="loops", client="python", argument="numpy"),
        Way(name="thread-loops", title="thread, Python loops", group="loops", client="python",
            argument="loops", largest=10**5, largest_side=64)]


def open_call(job):
    pool = ThreadPoolExecutor(1)
    names = {"submit": pool.submit}
    if ARGUMENT == "loops":
        loops = load_file(WAYS_DIR / "python_loops.py")
        names.update(zip("ab", map(loops.flat_list, job.inputs)), f=loops.LOOPS[job.case])
    elif job.out_shape:
        out = np.zeros(job.out_shape)
        names.update(f=lambda: compute_into(job.case, job.inputs, out))
        return Call("submit(f).result()", names, result=lambda: out, spoil=lambda: out.fill(np.nan),
                    close=pool.shutdown)
    else:
        names.update(zip("ab", job.inputs), f=COMPUTE[job.case])
    return Call(f"r = submit(f, {', '.join('ab'[:len(job.inputs)])}).result()", names, result=None,
                close=pool.shutdown)
