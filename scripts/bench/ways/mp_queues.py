# SPDX-License-Identifier: BSD-3-Clause
"""multiprocessing.Queue and SimpleQueue: arrays are pickled; Queue has a thread that feeds its pipe."""
import multiprocessing

from bench.harness.numpy_side import COMPUTE
from bench.harness.partner import Partner
from bench.subjects.way import BY_VALUE, Call, Way

ARGUMENT = ""  # set by runner.py
WAYS = [Way(name="mp-queue", title="mp.Queue", group="pickled", client="python", argument="Queue", largest=BY_VALUE),
        Way(name="mp-simplequeue", title="mp.SimpleQueue", group="pickled", client="python",
            argument="SimpleQueue", largest=BY_VALUE)]


def serve(case, asked, done):
    while True:
        done.put(COMPUTE[case](*asked.get()))


def open_call(job):
    asked, done = getattr(multiprocessing, ARGUMENT)(), getattr(multiprocessing, ARGUMENT)()
    partner = Partner(serve, job.case, asked, done)

    def close():
        partner.stop()
        asked.close()
        done.close()

    names = {"put": asked.put, "get": done.get, **dict(zip("ab", job.inputs))}
    sent = ", ".join("ab"[:len(job.inputs)])
    return Call(f"put(({sent},)); r = get()", names, result=None, close=close, partner=partner.pid)
