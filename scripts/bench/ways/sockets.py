# SPDX-License-Identifier: BSD-3-Clause
"""Stream sockets: the arrays' bytes there, the result's back; a Unix socket pair, and TCP on loopback with
TCP_NODELAY."""
import socket

from bench.harness.partner import stream_call
from bench.subjects.way import BY_VALUE, Way

ARGUMENT = ""  # set by runner.py
WAYS = [Way(name="unix-stream", title="Unix socket", group="streams", client="python", opening=(None,), summary=(None,),
            argument="unix", largest=BY_VALUE),
        Way(name="tcp", title="TCP, loopback", group="streams", client="python", argument="tcp", largest=BY_VALUE)]


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        its, _ = listener.accept()
    for end in (mine, its):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(None)
    return mine, its


def open_call(job):
    mine, its = tcp_pair() if ARGUMENT == "tcp" else socket.socketpair()
    mine, its = mine.detach(), its.detach()
    return stream_call(job, (mine, mine), (its, its))
