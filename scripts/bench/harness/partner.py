# SPDX-License-Identifier: BSD-3-Clause
"""What ways with another process have in common: starting it so that it dies with its client, arrays as raw bytes
over a stream, and arrays in memory that both have.

A client that waits for a partner that was killed is found out by the harness, which watches the pids that a
`Call` names; a way needs no time limits of its own.
"""
import json
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

import numpy as np

from bench.harness.numpy_side import compute_into
from bench.harness.processes import describe_exit, die_with_parent, end
from bench.subjects.way import Call, Job, load_file


def die_with_client():
    """In a new partner: it ends when its client does, however that happens."""
    die_with_parent()


class Partner:
    """A forked process that runs serve(*arguments) until it is stopped."""

    def __init__(self, serve, *arguments):
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                die_with_client()
                serve(*arguments)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)

    def stop(self):
        """Partners keep nothing, so they are ended without asking."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


class SpawnedPartner:
    """A process of its own that loads a way's file and runs serve(job, *words) of it, for libraries that do not outlive
    a fork. Its job has inputs of the right shapes, without the numbers."""

    def __init__(self, file, job, *words):
        shapes = [x.shape for x in job.inputs]
        about = json.dumps([os.getpid(), file, job.case, shapes, job.out_shape, words])
        self.process = subprocess.Popen([sys.executable, "-m", "bench.harness.partner", about],
                                        stdin=subprocess.DEVNULL, stdout=sys.stderr)
        self.pid = self.process.pid

    def wait_until(self, ready, patience_s=30):
        """Waits until ready() says that it listens, with a limit."""
        until = time.monotonic() + patience_s
        while not ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the other side ended at once ({describe_exit(self.process.returncode)})")
            if time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"the other side was not ready within {patience_s} s")
            time.sleep(0.001)

    def stop(self):
        end(self.process)


def main(about):
    client, file, case, shapes, out_shape, words = json.loads(about)
    die_with_client()
    if os.getppid() != client:  # it has died already
        return
    job = Job(case=case, mode=None, wait=None, inputs=[np.empty(shape) for shape in shapes],
              out_shape=out_shape and tuple(out_shape))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that libraries give back what they hold
    load_file(pathlib.Path(file)).serve(job, *words)


# ---- Arrays as bytes. Shapes are known on both sides; only the numbers travel.

def empty_arrays(job):
    """Arrays for the inputs and for the result."""
    return [np.empty(x.shape) for x in job.inputs], np.empty(job.out_shape or ())


def raw(array):
    """An array's bytes, writable, not a copy."""
    return memoryview(array.reshape(-1)).cast("B")


def write_all(descriptor, view, piece=1 << 30):
    """piece: bytes of one system call at most."""
    done = 0
    while done < len(view):
        done += os.write(descriptor, view[done:done + piece])


def read_all(descriptor, view):
    done = 0
    while done < len(view):
        piece = os.readv(descriptor, [view[done:]])
        if not piece:
            raise EOFError("the other side has closed the connection")
        done += piece


def serve_stream(job, read_from, write_to, *piece):
    inputs, out = empty_arrays(job)
    while True:
        for x in inputs:
            read_all(read_from, raw(x))
        compute_into(job.case, inputs, out)
        write_all(write_to, raw(out), *piece)


def stream_call(job, mine, its, *piece):
    """A call through descriptors: mine and its are (to read from, to write to) of the client and the partner."""
    partner = Partner(serve_stream, job, *its, *piece)
    for descriptor in set(its):
        os.close(descriptor)
    read_from, write_to = mine
    sent, out = [raw(x) for x in job.inputs], np.empty(job.out_shape or ())
    answer = raw(out)

    def call():
        for view in sent:
            write_all(write_to, view, *piece)
        read_all(read_from, answer)

    def close():
        partner.stop()
        for descriptor in set(mine):
            os.close(descriptor)

    return Call("call()", {"call": call}, result=lambda: out, spoil=lambda: out.fill(np.nan), close=close,
                partner=partner.pid)


def bytes_call(job, call, partner, close):
    """A call() that returns the result's bytes, as queues and databases do."""
    kept = []

    def run():
        kept[:] = [call()]

    return Call("run()", {"run": run}, result=lambda: np.frombuffer(kept[0]), spoil=kept.clear, close=close,
                partner=partner)


def compute_bytes(job, pieces):
    """The result's bytes from the inputs' bytes."""
    inputs = [np.frombuffer(piece).reshape(x.shape) for piece, x in zip(pieces, job.inputs)]
    out = np.empty(job.out_shape or ())
    compute_into(job.case, inputs, out)
    return raw(out)


# ---- Arrays that both sides have

def shared_bytes(n, descriptor=-1):
    """Memory that forked children share, and others who map the same file."""
    return mmap.mmap(descriptor, max(8, n))


def shared_arrays(job, memory=shared_bytes):
    """The inputs and room for the result, in shared memory."""
    arrays = []
    for shape in [x.shape for x in job.inputs] + [job.out_shape or ()]:
        arrays.append(np.frombuffer(memory(8 * int(np.prod(shape))), count=int(np.prod(shape))).reshape(shape))
    for array, values in zip(arrays, job.inputs):
        array[...] = values
    return arrays


def shared_call(job, arrays, ask, wait_for_work, answer, wait_for_answer, close=lambda: None):
    """A call on shared arrays: ask() and wait_for_answer() in the client, the others in the partner. They may be
    functions of the other side's pid."""
    *inputs, out = arrays
    client = os.getpid()

    def serve():
        while True:
            wait_for_work()
            compute_into(job.case, inputs, out)
            answer(client)

    partner = Partner(serve)
    pid = partner.pid

    def call():
        ask(pid)
        wait_for_answer()

    def stop():
        partner.stop()
        close()

    return Call("call()", {"call": call}, result=lambda: out, spoil=lambda: out.fill(np.nan), close=stop,
                partner=pid)


# ---- Polling, for ways without a means to wake the other side

class Patience:
    """Waits between two looks: at first only for others who want the core, later ever longer."""

    def __init__(self, spins=1000, longest_s=0.001):
        self.spins, self.longest_s, self.looks = spins, longest_s, 0

    def wait(self):
        self.looks += 1
        if self.looks <= self.spins:
            os.sched_yield()
        else:
            time.sleep(self.longest_s)

    def reset(self):
        self.looks = 0


if __name__ == "__main__":
    main(sys.argv[1])
