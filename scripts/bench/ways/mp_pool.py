# SPDX-License-Identifier: BSD-3-Clause
"""multiprocessing.Pool of one worker: apply() of NumPy's function, arrays pickled both ways."""
import multiprocessing

from bench.harness.numpy_side import compute
from bench.harness.partner import die_with_client
from bench.subjects.way import BY_VALUE, Call, Way

WAYS = [Way(name="mp-pool", title="mp.Pool", group="pickled", client="python", largest=BY_VALUE)]


def open_call(job):
    pool = multiprocessing.Pool(1, die_with_client)
    worker = multiprocessing.active_children()[0].pid

    def close():
        pool.terminate()
        pool.join()

    names = {"apply": pool.apply, "f": compute, **dict(zip("ab", job.inputs))}
    sent = ", ".join("ab"[:len(job.inputs)])
    return Call(f"r = apply(f, ({job.case!r}, {sent}))", names, result=None, close=close, partner=worker)
