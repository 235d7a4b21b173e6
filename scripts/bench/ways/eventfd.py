# SPDX-License-Identifier: BSD-3-Clause
"""Arrays in shared memory, and an eventfd in each direction to say "do it" and "done"."""
import os

from bench.harness.partner import shared_arrays, shared_call
from bench.subjects.way import Way

WAYS = [Way(name="eventfd", title="shm + eventfd", group="shared", client="python")]


def open_call(job):
    asked, done = os.eventfd(0), os.eventfd(0)

    def close():
        os.close(asked)
        os.close(done)

    return shared_call(job, shared_arrays(job), lambda _pid: os.eventfd_write(asked, 1), lambda: os.eventfd_read(asked),
                       lambda _pid: os.eventfd_write(done, 1), lambda: os.eventfd_read(done), close)
