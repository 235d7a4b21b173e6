# SPDX-License-Identifier: BSD-3-Clause
"""Ways from Python with stamps at their seams, for the breakdown of a call. They do what their namesakes in ways/ do,
taken apart where the library's own functions have their seams: `Connection.send` is `dumps` and `send_bytes`, and
so on. Run by runner.py, each with its partner.

Judging a request has a stamp although these ways judge nothing: what they receive is believed.
"""
import os

import numpy as np
from multiprocessing import Pipe
from multiprocessing.reduction import ForkingPickler

from bench.harness.numpy_side import compute, compute_into
from bench.harness.partner import Partner, raw, shared_arrays
from bench.subjects.way import Call, Way

ARGUMENT = ""  # set by runner.py
WAYS = [Way(name=name, client="python", argument=name, needs=("bench",), modules=modules)
        for name, modules in (("pipe", ()), ("shm-pipe", ()), ("zeromq-ipc", (("zmq", "python3-zmq"),)))]


def stamper():
    """stamp(point) and the points, of this process; the module is in the build's directory, which is in PYTHONPATH."""
    import _bench_stamps
    return _bench_stamps.stamp, _bench_stamps


def open_call(job):
    return {"pipe": open_pipe, "shm-pipe": open_shm_pipe, "zeromq-ipc": open_zeromq}[ARGUMENT](job)


# ---- multiprocessing.Pipe: arrays pickled

def serve_pipe(connection, case):
    stamp, at = stamper()
    while True:
        message = connection.recv_bytes()
        stamp(at.TAKEN)
        inputs = ForkingPickler.loads(message)
        stamp(at.DECODED)
        stamp(at.CHECKED)
        result = compute(case, *inputs)
        stamp(at.COMPUTED)
        connection.send_bytes(ForkingPickler.dumps(result))
        stamp(at.SIGNALLED)


def open_pipe(job):
    stamp, at = stamper()
    mine, its = Pipe()
    partner = Partner(serve_pipe, its, job.case)
    its.close()

    def call(*arrays):
        message = ForkingPickler.dumps(arrays)
        stamp(at.ENCODED)
        mine.send_bytes(message)
        stamp(at.SENT)
        answer = mine.recv_bytes()
        stamp(at.WOKEN)
        return ForkingPickler.loads(answer)

    names = {"call": call, **dict(zip("ab", job.inputs))}
    return Call(f"r = call({', '.join('ab'[:len(job.inputs)])})", names, result=None, partner=partner.pid,
                close=lambda: (partner.stop(), mine.close()))


# ---- shared_memory for the arrays, a byte through a Pipe

def serve_shared(connection, case, arrays):
    stamp, at = stamper()
    *inputs, out = arrays
    while True:
        connection.recv_bytes()
        stamp(at.TAKEN)
        stamp(at.DECODED)
        stamp(at.CHECKED)
        compute_into(case, inputs, out)
        stamp(at.COMPUTED)
        connection.send_bytes(b"1")
        stamp(at.SIGNALLED)


def open_shm_pipe(job):
    stamp, at = stamper()
    mine, its = Pipe()
    arrays = shared_arrays(job)
    out = arrays[-1]
    partner = Partner(serve_shared, its, job.case, arrays)
    its.close()

    def call():
        stamp(at.ENCODED)
        mine.send_bytes(b"1")
        stamp(at.SENT)
        mine.recv_bytes()
        stamp(at.WOKEN)

    return Call("call()", {"call": call}, result=lambda: out, spoil=lambda: out.fill(np.nan), partner=partner.pid,
                close=lambda: (partner.stop(), mine.close()))


# ---- ZeroMQ over a Unix socket, the arrays' bytes in parts of a message

def serve_zeromq(job, address):
    import zmq
    stamp, at = stamper()
    socket = zmq.Context().socket(zmq.REP)
    socket.bind(address)
    while True:
        parts = socket.recv_multipart(copy=False)
        stamp(at.TAKEN)
        inputs = [np.frombuffer(part).reshape(x.shape) for part, x in zip(parts, job.inputs)]
        stamp(at.DECODED)
        stamp(at.CHECKED)
        out = np.empty(job.out_shape or ())
        compute_into(job.case, inputs, out)
        stamp(at.COMPUTED)
        socket.send(raw(out))
        stamp(at.SIGNALLED)


def open_zeromq(job):
    import zmq
    stamp, at = stamper()
    address = f"ipc://stamped-zeromq-{os.getpid()}"
    partner = Partner(serve_zeromq, job, address)
    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.connect(address)
    kept = []

    def call(*arrays):
        parts = [raw(x) for x in arrays]
        stamp(at.ENCODED)
        socket.send_multipart(parts, copy=False)
        stamp(at.SENT)
        answer = socket.recv(copy=False)
        stamp(at.WOKEN)
        kept[:] = [np.frombuffer(answer)]

    names = {"call": call, **dict(zip("ab", job.inputs))}
    return Call(f"call({', '.join('ab'[:len(job.inputs)])})", names, result=lambda: kept[0], spoil=kept.clear,
                partner=partner.pid, close=lambda: (partner.stop(), context.destroy(linger=0)))
