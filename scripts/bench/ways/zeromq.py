# SPDX-License-Identifier: BSD-3-Clause
"""ZeroMQ, a request and a reply of several parts, each an array's bytes: over a Unix socket (ipc) and TCP."""
import os

import numpy as np

from bench.harness.partner import Partner, bytes_call, compute_bytes, raw
from bench.harness.servers import free_port
from bench.subjects.way import BY_VALUE, Way

ARGUMENT = ""  # set by runner.py
MODULES = (("zmq", "python3-zmq"),)
WAYS = [Way(name="zeromq-ipc", title="ZeroMQ, Unix socket", group="servers", client="python", opening=(None,),
            summary=(None,), argument="ipc", largest=BY_VALUE, modules=MODULES),
        Way(name="zeromq-tcp", title="ZeroMQ, TCP", group="servers", client="python",
            argument="tcp", largest=BY_VALUE, modules=MODULES)]


def serve(job, address):
    import zmq
    socket = zmq.Context().socket(zmq.REP)
    socket.bind(address)
    while True:
        socket.send(compute_bytes(job, socket.recv_multipart(copy=False)))


def open_call(job):
    import zmq
    address = f"tcp://127.0.0.1:{free_port()}" if ARGUMENT == "tcp" else f"ipc://zeromq-{os.getpid()}"
    partner = Partner(serve, job, address)
    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.connect(address)
    sent = [raw(np.ascontiguousarray(x)) for x in job.inputs]

    def call():
        socket.send_multipart(sent, copy=False)
        return socket.recv(copy=False)

    def close():
        partner.stop()
        context.destroy(linger=0)

    return bytes_call(job, call, partner.pid, close)
