# SPDX-License-Identifier: BSD-3-Clause
"""Arrays in shared memory, and signals to say "do it" (SIGUSR1) and "done" (SIGUSR2)."""
import ctypes
import signal

from bench.harness.partner import shared_arrays, shared_call
from bench.subjects.way import Way

WAYS = [Way(name="signals", title="shm + signals", group="shared", client="python")]
LIBC = ctypes.CDLL(None)


def tell(pid, number):
    """To the main thread alone: NumPy's BLAS threads do not block signals, and would take the process down."""
    LIBC.tgkill(pid, pid, number)


def open_call(job):
    asked, done = {signal.SIGUSR1}, {signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked | done)  # the partner inherits it
    return shared_call(job, shared_arrays(job), lambda pid: tell(pid, signal.SIGUSR1), lambda: signal.sigwait(asked),
                       lambda pid: tell(pid, signal.SIGUSR2), lambda: signal.sigwait(done))
