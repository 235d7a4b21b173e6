# SPDX-License-Identifier: BSD-3-Clause
"""Two anonymous pipes: the arrays' bytes through one, the result's through the other."""
import os

from bench.harness.partner import stream_call
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="os-pipe", title="anonymous pipes", group="streams", client="python", largest=BY_VALUE)]


def open_call(job):
    its_read, my_write = os.pipe()
    my_read, its_write = os.pipe()
    return stream_call(job, (my_read, my_write), (its_read, its_write))
