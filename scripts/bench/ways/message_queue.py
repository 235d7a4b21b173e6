# SPDX-License-Identifier: BSD-3-Clause
"""POSIX message queues, one in each direction, through ctypes: the arrays' bytes in messages of the size that the
system allows without privileges."""
import ctypes
import os
import pathlib

import numpy as np

from bench.harness.numpy_side import compute_into
from bench.harness.partner import Partner, empty_arrays
from bench.subjects.way import BY_VALUE, Call, Way

WAYS = [Way(name="posix-mq", title="POSIX message queue", group="streams", client="python", largest=BY_VALUE)]


class Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("flags", "maxmsg", "msgsize", "curmsgs")] + [
        ("reserved", ctypes.c_long * 4)]


LIBRT = ctypes.CDLL("librt.so.1", use_errno=True)
LIBRT.mq_send.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint]
LIBRT.mq_receive.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
LIBRT.mq_receive.restype = ctypes.c_ssize_t


def limit(name):
    return int(pathlib.Path("/proc/sys/fs/mqueue", name).read_text())


def open_queue(tag, size):
    """A new queue, whose name is gone again."""
    name = f"/numd-bench-{os.getpid()}-{tag}".encode()
    attributes = Attributes(maxmsg=limit("msg_max"), msgsize=size)
    queue = LIBRT.mq_open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600, ctypes.byref(attributes))
    if queue < 0:
        raise OSError(ctypes.get_errno(), f"mq_open: {os.strerror(ctypes.get_errno())}")
    LIBRT.mq_unlink(name)
    return queue


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def send(queue, size, array):
    start, total = array.ctypes.data, array.nbytes
    for at in range(0, total, size):
        check(LIBRT.mq_send(queue, start + at, min(size, total - at), 0))


def receive(queue, size, array, room):
    """A message goes into `room` first, since the system wants space for the longest one."""
    start, total = array.ctypes.data, array.nbytes
    for at in range(0, total, size):
        n = min(size, total - at)
        check(LIBRT.mq_receive(queue, start + at if n == size else room, size, None))
        if n < size:
            ctypes.memmove(start + at, room, n)


def open_call(job):
    size = limit("msgsize_max")
    asked, done = open_queue("a", size), open_queue("b", size)
    room, out = ctypes.create_string_buffer(size), np.empty(job.out_shape or ())

    def serve():
        inputs, result = empty_arrays(job)
        while True:
            for x in inputs:
                receive(asked, size, x, room)
            compute_into(job.case, inputs, result)
            send(done, size, result)

    partner = Partner(serve)

    def call():
        for x in job.inputs:
            send(asked, size, x)
        receive(done, size, out, room)

    def close():
        partner.stop()
        LIBRT.mq_close(asked)
        LIBRT.mq_close(done)

    return Call("call()", {"call": call}, result=lambda: out, spoil=lambda: out.fill(np.nan), close=close,
                partner=partner.pid)
