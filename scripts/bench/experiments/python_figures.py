# SPDX-License-Identifier: BSD-3-Clause
"""Measures what Python programs pay for numd, against NumPy in process: small calls, operators that allocate their
results, functions, eight threads of one process, and `import numd`.

Both sides take turns in one run, after their results were compared; numd computes in a private daemon. Writes
python.json into BUILD/report. A wrong result fails the run, a missed target does not.
"""
import argparse
import functools
import json
import math
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

from bench.harness import garbage, machine, rounds
from bench.harness.processes import Failed, private_daemon
from bench.harness.progress import Progress
from bench.harness.rounds import Quiet, Wrong, function, same, statement
from bench.harness.runner import clock_overhead_ns
from bench.numbers import targets
from bench.numbers.stats import percentile
from bench.subjects.cases import vectors
from bench.subjects.way import Context

ROUNDS = {False: 60, True: 4}  # quick or not
THREADS = 8
THREAD_ROUNDS = {False: 5, True: 2}
THREAD_SECONDS = {False: 1.0, True: 0.1}
IMPORTS = {False: 40, True: 3}

# key -> (what, target, True if the value must be at least that)
TARGETS = {
    "prepared": ("f(a, b, out=o), add 64 : np.add(a, b, out=o)", 0.8, False),
    "adhoc": ("numd.add(a, b, out=o), 64 : np.add(a, b, out=o)", 1.0, False),
    "operator-64": ("a + b, 64 : NumPy", 1.2, False),
    "operator-100000": ("a + b, 10^5 : NumPy", 0.6, False),
    "sum": ("a.sum(), 64 : NumPy", 0.4, False),
    "ten": ("function of ten operations, 1000 elements : NumPy", 0.35, False),
    "threads-function": ("8 threads: a*b+sqrt(a)-exp(b), 10^5, function, calls/s : NumPy", 1.5, True),
    "threads-ten": ("8 threads: ten operations, 10^5, function, calls/s : NumPy", 1.5, True),
    "threads-operators": ("8 threads: a*b+sqrt(a)-exp(b), 10^5, operators, calls/s : NumPy", 1.5, True),
    "import": ("import numd beyond import numpy, ms", 15, False),
    "import-cpu": ("import numd beyond import numpy, ms of processor time", None, False),
}


# ---- Short calls

def expression(xp, a, b):
    return a * b + xp.sqrt(a) - xp.exp(b)


def ten(xp, a, b):
    return xp.abs(xp.sqrt(a * b + a) - b / (a + 2) + xp.maximum(a, b) * 0.5)


def sides(numd):
    """key -> (numd's batch, NumPy's)"""
    (a, b), (x, y) = vectors(numd, 64, 2)
    (c, d), (u, v) = vectors(numd, 10**5, 2)
    (g, h), (s, t) = vectors(numd, 1000, 2)
    o, z = np.zeros_like(a), numd.zeros(64)
    prepared = numd.function(lambda p, q: p + q)
    fused = numd.function(lambda p, q: ten(numd, p, q))
    plus = function(np.add, a, b, out=o)
    return {
        "prepared": (function(prepared, x, y, out=z), plus),
        "adhoc": (function(numd.add, x, y, out=z), plus),
        "operator-64": (statement("r = x + y", x=x, y=y), statement("r = x + y", x=a, y=b)),
        "operator-100000": (statement("r = x + y", x=u, y=v), statement("r = x + y", x=c, y=d)),
        "sum": (statement("r = x.sum()", x=x), statement("r = x.sum()", x=a)),
        "ten": (function(fused, s, t), function(lambda p, q: ten(np, p, q), g, h)),
    }


def compare(key, ways):
    """Before the measurement: NumPy's result is copied, for it may be an output that another row has, too."""
    try:
        same({name: np.array(np.asarray(way(1)[1])) for name, way in ways.items()})
    except Wrong as error:
        raise Wrong(f"{key}: {error}") from None


def measure_calls(numd, quiet, n_rounds, progress):
    """All rows have their turn in each round, both sides next to each other."""
    rows = {key: dict(zip(("numd", "numpy"), ways)) for key, ways in sides(numd).items()}
    overhead, sizes = clock_overhead_ns(), {}
    for key, ways in rows.items():
        compare(key, ways)
        sizes[key] = {name: rounds.batch_of(way, way(1)[0]) for name, way in ways.items()}

    def begin(key):
        progress.step(f"calls: {key}", 1 / len(rows))
        quiet.wait()

    def turn(key, name):
        return rounds.mean_of(rows[key][name], *sizes[key][name], overhead)

    taken = rounds.interleaved_rows(rows, turn, range(n_rounds), begin)
    return {key: targets.of_times(samples, "numd", "numpy") for key, samples in taken.items()}


# ---- Threads

def rate(functions, seconds):
    """Calls a second of threads that each call one of the functions over and over."""
    counts, start, stop = [0] * len(functions), threading.Barrier(len(functions) + 1), threading.Event()

    def work(i, function):
        function()
        start.wait()
        n = 0
        while not stop.is_set():
            function()
            n += 1
        counts[i] = n

    threads = [threading.Thread(target=work, args=(i, function)) for i, function in enumerate(functions)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


# key -> (what the threads compute, whether numd has it as one function)
THREAD_ROWS = {"threads-function": (expression, True), "threads-ten": (ten, True),
               "threads-operators": (expression, False)}


def measure_threads(numd, n_rounds, seconds, progress):
    """Each row against NumPy's threads on the same, both next to each other in each round."""
    mine, ours = vectors(numd, 10**5, 2 * THREADS)
    pairs = [slice(2 * i, 2 * i + 2) for i in range(THREADS)]
    rows = {}
    for key, (formula, as_function) in THREAD_ROWS.items():
        applied = functools.partial(formula, numd)
        call = numd.function(applied) if as_function else applied
        rows[key] = {
            "numd": [lambda p=p, call=call: call(*ours[p]) for p in pairs],
            "numpy": [lambda p=p, formula=formula: formula(np, *mine[p]) for p in pairs],
        }
        same({side: np.asarray(threads[0]()) for side, threads in rows[key].items()})

    def turn(key, side):
        calls_per_second = rate(rows[key][side], seconds)
        time.sleep(0.05)
        return calls_per_second

    taken = rounds.interleaved_rows(rows, turn, range(n_rounds), lambda key: progress.step(key, 2))
    return {key: dict(targets.of_rounds(rates["numd"], rates["numpy"], 3),
                      calls_per_second=[round(statistics.median(rates[side])) for side in ("numd", "numpy")])
            for key, rates in taken.items()}


# ---- Import

IMPORT = """
import time, numpy
at, cpu = time.perf_counter_ns(), time.process_time_ns()
import numd
print(time.perf_counter_ns() - at, time.process_time_ns() - cpu)
"""


def measure_import(context, directory, times, progress):
    """Processes of their own, whose modules are compiled already, as those of an installed package are."""
    environment = dict(os.environ, PYTHONPATH=str(context.build / "python"), PYTHONPYCACHEPREFIX=str(directory))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    taken = []
    for _ in range(times + 1):  # the first one compiles
        progress.step("import", 0.3)
        done = subprocess.run([context.python, "-c", IMPORT], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"import numd: {done.stderr.strip()}")
        taken.append([int(x) / 1e6 for x in done.stdout.split()])
    return {key: dict(value=round(percentile(values, 50), 2), quartiles=targets.quartiles(values, 2))
            for key, values in zip(("import", "import-cpu"), zip(*taken[1:]))}


# ---- The run

def measure_all(context, directory, quick, progress):
    sys.path.insert(0, str(context.build / "python"))
    import numd
    quiet = Quiet(8 if quick else 60)
    with garbage.collected_before():
        measured = measure_calls(numd, quiet, ROUNDS[quick], progress)
        measured.update(measure_threads(numd, THREAD_ROUNDS[quick], THREAD_SECONDS[quick], progress))
    measured.update(measure_import(context, directory, IMPORTS[quick], progress))
    return targets.table(measured, TARGETS)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="where numd was built")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="default: BUILD/report")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse_arguments(argv)
    context = Context(build=arguments.build.resolve(), python=sys.executable)
    facts = machine.Facts(context, arguments.quick, 7, __doc__.splitlines())
    quick = arguments.quick
    progress = Progress(ROUNDS[quick] + 6 * THREAD_ROUNDS[quick] + math.ceil(0.3 * IMPORTS[quick]))
    try:
        with private_daemon(context) as daemon:
            chosen = measure_all(context, pathlib.Path(daemon.address).parent, quick, progress)
    except KeyboardInterrupt:
        print("\nnumd bench-python: stopped; nothing was written", file=sys.stderr)
        return 130
    except (Wrong, Failed) as error:
        print(f"WRONG: {error}", file=sys.stderr)
        return 1
    finally:
        progress.end()
    facts.values.update(facts.disturbance(resource.getrusage(resource.RUSAGE_CHILDREN)))
    output = arguments.output or context.build / "report"
    output.mkdir(parents=True, exist_ok=True)
    (output / "python.json").write_text(json.dumps(dict(figures=chosen, facts=facts.values), indent=1) + "\n")
    notes = [f"note: {note}" for note in machine.disturbances(facts.values)]
    print("\n".join([targets.table_text(chosen), "", *notes]))
    print(f"results: {output / 'python.json'}")
    return 0

