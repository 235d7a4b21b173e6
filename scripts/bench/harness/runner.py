# SPDX-License-Identifier: BSD-3-Clause
"""A Python client of the benchmark: reads commands, answers JSON; see ways_c/bench.h for the commands
and ways_c/timing.c for how a sample is taken, which is the same here. Where Python has no NumPy (PyPy), inputs
are flat arrays of the standard library, and so may the result be."""
import array
import itertools
import json
import pathlib
import signal
import sys
import time

try:
    import numpy as np
except ImportError:
    np = None

from bench.harness import garbage, runner_schedule
from bench.subjects.way import Job, load_file

MAX_SAMPLES, MIN_SAMPLES, MAX_BATCH = 600, 3, 4096
LEAST_WARM_UP_NS = 300_000_000 if sys.implementation.name == "pypy" else 0  # it compiles what has run often

COMMANDS = ("prepare", "measure", "warm", "schedule", "stamps", "finish")
TEMPLATE = """
def batch(_it, _clock, {names}):
    _start = _clock()
    for _i in _it:
        {statement}
    return _clock() - _start, {keep}
"""


def compile_call(call):
    """batch(n) -> (nanoseconds, value of the statement if it assigns `r`)."""
    keep = "r" if "r = " in call.statement else "None"
    scope = {}
    exec(TEMPLATE.format(names=", ".join(call.names), statement=call.statement, keep=keep), scope)
    function, values = scope["batch"], tuple(call.names.values())
    clock = time.perf_counter_ns

    def batch(n):
        return function(itertools.repeat(None, n), clock, *values)
    return batch


def clock_overhead_ns():
    """What an empty batch takes: the timer's own time and the loop's start, least of several means."""
    empty = {}
    exec(TEMPLATE.format(names="_x=None", statement="pass", keep="None"), empty)
    function, clock = empty["batch"], time.perf_counter_ns
    return min(sum(function((), clock)[0] for _ in range(100)) / 100 for _ in range(20))


def batch_size(call_ns, overhead_ns):
    batch = 16 if call_ns < 1000 else 1
    while batch < MAX_BATCH and batch * call_ns < 50 * overhead_ns:
        batch *= 2
    return batch


def clamp(wanted):
    return int(min(MAX_SAMPLES, max(MIN_SAMPLES, wanted)))


def take(batch, size, n, budget_ns, overhead):
    """Up to n samples, fewer if that lasts much longer than it should, and the last call's value."""
    samples, end = [], time.perf_counter_ns() + 2 * budget_ns
    while len(samples) < n and (len(samples) < MIN_SAMPLES or time.perf_counter_ns() < end):
        taken, value = batch(size)
        samples.append(round(max(0.0, taken - overhead) / size, 1))
    return samples, value


def measure(call, batch, budget_ns):
    """Times a call for about budget_ns; the answer to the command `measure`."""
    overhead, calls, value = clock_overhead_ns(), 0, None
    with garbage.collected_before():
        cpu_start = time.process_time_ns()
        start, n, call_ns = time.perf_counter_ns(), 1, float("inf")
        while time.perf_counter_ns() - start < max(budget_ns / 8, LEAST_WARM_UP_NS):
            taken, _ = batch(n)
            calls += n
            call_ns = min(call_ns, max(1.0, (taken - overhead) / n))
            n = min(16, n * 2)
        call.spoil()
        size = batch_size(call_ns, overhead)
        samples, value = take(batch, size, clamp(budget_ns / (size * call_ns)), budget_ns, overhead)
        calls += size * len(samples)
        singles = []
        if size > 1:
            singles, value = take(batch, 1, clamp(budget_ns / 4 / call_ns), budget_ns / 4, overhead)
            calls += len(singles)
        cpu = time.process_time_ns() - cpu_start
    return {"calls": calls, "batch": size, "overhead_ns": round(overhead, 1), "cpu_ns": cpu, "ns": samples,
            "single_ns": singles}, value


def load(path, shape):
    if np:
        return np.fromfile(path).reshape(shape)
    return array.array("d", pathlib.Path(path).read_bytes())


def store(result, path):
    if np:
        np.ascontiguousarray(result, dtype=np.float64).tofile(path)
    else:
        numbers = [result] if isinstance(result, float) else result
        pathlib.Path(path).write_bytes(array.array("d", numbers).tobytes())


def parse(words):
    """A `prepare` command's job and budget."""
    given = dict(word.split("=", 1) for word in words)
    inputs = []
    for item in filter(None, given.get("in", "").split(",")):
        path, shape = item.split(":")
        inputs.append(load(path, [int(n) for n in shape.split("x")]))
    out = given.get("out")
    job = Job(case=given["case"], mode=given.get("mode"), wait=given.get("wait"), inputs=inputs,
              out_shape=tuple(int(n) for n in out.split("x")) if out else None)
    return job, int(given["budget_ns"])


class Runner:
    def __init__(self, module, build):
        self.module, self.build = module, build
        self.call = self.batch = self.value = None
        self.budget_ns = 0

    def close(self):
        call, self.call, self.batch, self.value = self.call, None, None, None
        if call:
            call.close()

    def prepare(self, words):
        self.close()
        job, self.budget_ns = parse(words)
        job.build = self.build
        self.call = self.module.open_call(job)
        self.batch = compile_call(self.call)
        partner = self.call.partner
        return {"partner": list(partner) if isinstance(partner, tuple) else partner}

    def measure(self, _words):
        answer, self.value = measure(self.call, self.batch, self.budget_ns)
        return answer

    def warm(self, words):
        return runner_schedule.warm_up(self.call, words)

    def schedule(self, words):
        answer, self.value = runner_schedule.run_schedule(self.call, words)
        return answer

    def stamps(self, words):
        answer, self.value = runner_schedule.run_stamps(self.call, words)
        return answer

    def finish(self, words):
        for word in words:
            result = self.call.result() if self.call.result else self.value
            store(result, word.split("=", 1)[1])
        self.close()
        return {}


def main(argv):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness ends us by closing our input
    path, name, build = argv
    module = load_file(pathlib.Path(path))
    module.ARGUMENT = next(w.argument for w in module.WAYS if w.name == name)
    runner = Runner(module, pathlib.Path(build))
    for line in sys.stdin:
        command, *words = line.split()
        try:
            answer = getattr(runner, command)(words) if command in COMMANDS else {"error": f"unknown command {command}"}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    runner.close()


if __name__ == "__main__":
    main(sys.argv[1:])
