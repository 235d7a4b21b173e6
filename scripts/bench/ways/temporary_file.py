# SPDX-License-Identifier: BSD-3-Clause
"""A temporary file for the arrays and one for the result, written and read each time, and a byte through a pipe to say
that they are there. The pages stay in the kernel's cache; nothing waits for the disk."""
import os
import tempfile

import numpy as np

from bench.harness.numpy_side import compute_into
from bench.harness.partner import Partner, empty_arrays, raw, read_all, write_all
from bench.subjects.way import BY_VALUE, Call, Way

WAYS = [Way(name="temporary-file", title="temporary files", group="streams", client="python", largest=BY_VALUE)]


def write_file(file, arrays):
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    for x in arrays:
        write_all(file.fileno(), raw(x))


def read_file(file, arrays):
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    for x in arrays:
        read_all(file.fileno(), raw(x))


def serve(job, given, answer, read_from, write_to):
    inputs, out = empty_arrays(job)
    with open(given.name, "rb") as mine:  # an offset of its own
        while os.read(read_from, 1):
            read_file(mine, inputs)
            compute_into(job.case, inputs, out)
            write_file(answer, [out])
            os.write(write_to, b"1")


def open_call(job):
    given, answer = (tempfile.NamedTemporaryFile(dir=".", buffering=0) for _ in range(2))
    (its_read, my_write), (my_read, its_write) = os.pipe(), os.pipe()
    with open(answer.name, "r+b", buffering=0) as its_answer:
        partner = Partner(serve, job, given, its_answer, its_read, its_write)
    os.close(its_read)
    os.close(its_write)
    out = np.empty(job.out_shape or ())

    def call():
        write_file(given, job.inputs)
        os.write(my_write, b"1")
        if not os.read(my_read, 1):
            raise EOFError("the other side has closed its pipe")
        read_file(answer, [out])

    def close():
        partner.stop()
        for end in (given, answer):
            end.close()
        os.close(my_write)
        os.close(my_read)

    return Call("call()", {"call": call}, result=lambda: out, spoil=lambda: out.fill(np.nan), close=close,
                partner=partner.pid)
