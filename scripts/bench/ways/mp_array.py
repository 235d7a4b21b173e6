# SPDX-License-Identifier: BSD-3-Clause
"""multiprocessing.Array for the arrays and Value for a number, each with its lock, and semaphores to say "do it" and
"done"."""
import multiprocessing

import numpy as np

from bench.harness.numpy_side import COMPUTE, compute_into
from bench.harness.partner import Partner
from bench.subjects.way import Call, Way

WAYS = [Way(name="mp-array", title="mp.Array + semaphore", group="shared", client="python")]


def view(shared, shape):
    return np.frombuffer(shared.get_obj()).reshape(shape)


def open_call(job):
    inputs = [multiprocessing.Array("d", x.size) for x in job.inputs]
    for shared, values in zip(inputs, job.inputs):
        view(shared, values.shape)[...] = values
    if job.out_shape:
        answer = multiprocessing.Array("d", int(np.prod(job.out_shape)))
    else:
        answer = multiprocessing.Value("d")
    asked, done = multiprocessing.Semaphore(0), multiprocessing.Semaphore(0)

    def serve():
        arrays = [view(shared, x.shape) for shared, x in zip(inputs, job.inputs)]
        while asked.acquire():
            with answer.get_lock():
                if job.out_shape:
                    compute_into(job.case, arrays, view(answer, job.out_shape))
                else:
                    answer.value = COMPUTE[job.case](*arrays)
            done.release()

    def spoil():
        if job.out_shape:
            view(answer, job.out_shape).fill(np.nan)
        else:
            answer.value = np.nan

    partner = Partner(serve)
    return Call("release(); acquire()", {"release": asked.release, "acquire": done.acquire},
                result=lambda: view(answer, job.out_shape) if job.out_shape else answer.value, spoil=spoil,
                close=partner.stop, partner=partner.pid)
