# SPDX-License-Identifier: BSD-3-Clause
"""multiprocessing.Pipe: arrays are pickled, sent, computed with NumPy on the other side, and the result is
pickled and sent back."""
import multiprocessing

from bench.harness.numpy_side import COMPUTE
from bench.subjects.way import Call, Way

WAYS = [Way(name="pipe", title="mp.Pipe", group="pickled", client="python", core=True, opening=(None,),
            summary=(None,))]


def serve(connection, case):
    compute = COMPUTE[case]
    while True:
        inputs = connection.recv()
        if inputs is None:
            return
        connection.send(compute(*inputs))


def open_call(job):
    mine, its = multiprocessing.Pipe()
    partner = multiprocessing.Process(target=serve, args=(its, job.case), daemon=True)
    partner.start()
    its.close()

    def close():
        mine.send(None)
        partner.join()
        mine.close()

    names = {"send": mine.send, "recv": mine.recv, **dict(zip("ab", job.inputs))}
    sent = ", ".join("ab"[:len(job.inputs)])
    return Call(f"send(({sent},)); r = recv()", names, result=None, close=close, partner=partner.pid)
