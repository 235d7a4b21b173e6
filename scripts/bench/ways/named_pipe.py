# SPDX-License-Identifier: BSD-3-Clause
"""Two named pipes (FIFOs): the arrays' bytes through one, the result's through the other."""
import os

from bench.harness.partner import stream_call
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="fifo", title="named pipes", group="streams", client="python", largest=BY_VALUE)]


def both_ends(name):
    """(to read from, to write to) of a new FIFO, whose name is gone again."""
    os.mkfifo(name)
    read_from = os.open(name, os.O_RDONLY | os.O_NONBLOCK)  # without a writer only this returns at once
    write_to = os.open(name, os.O_WRONLY)
    os.set_blocking(read_from, True)
    os.unlink(name)
    return read_from, write_to


def open_call(job):
    its_read, my_write = both_ends(f"fifo-{os.getpid()}-a")
    my_read, its_write = both_ends(f"fifo-{os.getpid()}-b")
    return stream_call(job, (my_read, my_write), (its_read, its_write))
