# SPDX-License-Identifier: BSD-3-Clause
"""A Unix socket that keeps messages apart (SOCK_SEQPACKET): the arrays' bytes in messages of up to 64 KiB."""
import socket

from bench.harness.partner import stream_call
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="unix-seqpacket", title="Unix seqpacket", group="streams", client="python", largest=BY_VALUE)]
MESSAGE_BYTES = 1 << 16


def open_call(job):
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine, its = mine.detach(), its.detach()
    return stream_call(job, (mine, mine), (its, its), MESSAGE_BYTES)
