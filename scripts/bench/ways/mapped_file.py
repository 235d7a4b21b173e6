# SPDX-License-Identifier: BSD-3-Clause
"""A file mapped by both sides (mmap): the arrays stay in it, and a counter in it says "do it" and "done". Nobody can be
woken through memory alone, so both sides look again and again, giving way to others meanwhile."""
import tempfile

import numpy as np

from bench.harness.partner import Patience, shared_arrays, shared_bytes, shared_call
from bench.subjects.way import Way

WAYS = [Way(name="mmap-file", title="mapped file, polled", group="shared", client="python")]


def file_bytes(n):
    """n bytes of a new file in the harness's directory, mapped."""
    with tempfile.TemporaryFile(dir=".") as file:
        file.truncate(max(8, n))
        return shared_bytes(n, file.fileno())


def open_call(job):
    asked, done = (np.frombuffer(file_bytes(64), dtype=np.int64) for _ in range(2))
    patience = Patience()

    def wait_for_work():
        patience.reset()
        while asked[0] == done[0]:
            patience.wait()

    def ask(_pid):
        asked[0] += 1

    def answer(_pid):
        done[0] += 1

    def wait_for_answer():
        patience.reset()
        while asked[0] != done[0]:
            patience.wait()

    return shared_call(job, shared_arrays(job, file_bytes), ask, wait_for_work, answer, wait_for_answer)
