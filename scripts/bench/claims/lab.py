# SPDX-License-Identifier: BSD-3-Clause
"""What an experiment works with: the time it has, its seed, and ways of the benchmark, opened in this process, so that
calls of several of them can take turns one by one. Results are compared with NumPy's before anything is timed."""
import contextlib
import os
import signal

import numpy as np

from bench.claims import timing, verdict
from bench.claims.claim import python_way
from bench.harness.processes import Failed, die_with_parent
from bench.harness.runner import compile_call
from bench.subjects import cases
from bench.subjects.way import Job, load_file

SECONDS = {False: 7.0, True: 0.8}  # of timing, for a claim: quick or not
LEAST_ROUNDS = {False: 15, True: 9}  # even if they take longer
STARTS = {False: 5, True: 3}  # of other sides: which core a process gets is part of what a call costs


def child():
    """In a new process of a pool: it ends with ours, and quietly when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()


class Wrong(Exception):
    """A side computed something else than NumPy."""


class Lab:
    def __init__(self, context, quick, seed):
        self.context, self.build, self.quick, self.seed = context, context.build, quick, seed
        self.seconds = SECONDS[quick]
        self.cores = len(os.sched_getaffinity(0))
        self.stack = contextlib.ExitStack()
        self.partners = {}  # pid -> whose it is; without them there will be no answer
        signal.signal(signal.SIGCHLD, self.child_ended)

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        return self.stack.__exit__(*reason)

    def child_ended(self, _number, _frame):
        for pid, name in self.partners.items():
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                raise Failed(f"the other side of {name} (pid {pid}) ended in the middle of a call")

    def sizes(self, *sizes):
        """Sizes of a scan. A quick run leaves out the largest, and has the first, the last and the middle one of the
        others."""
        if not self.quick:
            return sizes
        *smaller, _ = sizes
        return tuple(dict.fromkeys((smaller[0], smaller[len(smaller) // 2], smaller[-1])))

    # ---- Ways

    @staticmethod
    def module(name):
        """A way's file, loaded for this way."""
        way = python_way(name)
        module = load_file(way.file)
        module.ARGUMENT = way.argument
        return module

    def open(self, name, case, n):
        """A way's call of a case at a size, as a batch function; its other side ends with the lab."""
        way, point, module = python_way(name), cases.Point(case, n), self.module(name)
        job = self.job(point, way.modes[0], way.waits[-1])
        return self.checked(self.opened(module.open_call(job), name), point, job.inputs, name)

    def opened(self, call, name):
        """A call that is closed at the end, and whose other side is watched until then."""
        def close():
            self.partners.pop(call.partner, None)
            call.close()

        self.stack.callback(close)
        if call.partner:
            self.partners[call.partner] = name
        return call

    def job(self, point, mode=None, wait=None):
        inputs = cases.inputs(point)
        wanted = cases.expected(point, inputs)
        return Job(case=point.case, mode=mode, wait=wait, inputs=inputs, out_shape=wanted.shape or None,
                   build=self.build)

    def checked(self, call, point, inputs, name):
        """A call's batch function, once it has given the right result."""
        batch = compile_call(call)
        call.spoil()
        _, value = batch(1)
        result = call.result() if call.result else value
        self.compare(name, point, result, cases.expected(point, inputs))
        return batch

    @staticmethod
    def compare(name, point, result, wanted):
        trouble = cases.check(point, np.asarray(result, dtype=np.float64), wanted)
        if trouble:
            raise Wrong(f"{name}, {trouble}")

    # ---- Figures

    def time(self, sides, part=1.0, least_rounds=None):
        """Interleaved samples of all sides, in this part of the claim's time: {name: [samples of the one start]}."""
        least_rounds = least_rounds or LEAST_ROUNDS[self.quick]
        samples = timing.interleaved(sides, part * self.seconds, self.seed, least_rounds)
        return {name: [taken] for name, taken in samples.items()}

    def time_anew(self, make, part=1.0):
        """The same of make(lab), with other sides that are started anew several times: samples of each start."""
        starts, samples = STARTS[self.quick], {}
        for number in range(starts):
            with Lab(self.context, self.quick, self.seed + number) as lab:
                for name, taken in lab.time(make(lab), part / starts, LEAST_ROUNDS[self.quick] // starts).items():
                    samples.setdefault(name, []).extend(taken)
        return samples

    def scan(self, what, over, under, samples, limit=1.0, side="above", **more):
        """verdict.scan of samples whose names are (side, size)."""
        sizes = sorted({n for name, n in samples if name == over}, key=lambda n: n or 0)
        pairs = {n: (samples[over, n], samples[under, n]) for n in sizes if (under, n) in samples}
        return verdict.scan(what, over, under, pairs, limit, side, self.seed, **more)
