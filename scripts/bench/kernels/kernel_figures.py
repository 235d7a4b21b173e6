# SPDX-License-Identifier: BSD-3-Clause
"""The figures with targets of the kernels' benchmark, and peers beside numd and NumPy.

Each is the median of the ratios of rounds in which all sides had a turn, in this run, and must not exceed its
target, or must reach it where `least` is set. A figure that cannot be measured here says why.
"""
import math
import os
import pathlib
import select
import shutil
import subprocess
import sys
import threading
import time

import numpy as np

from bench import SCRIPTS
from bench.harness import rounds
from bench.harness.processes import Failed, die_with_parent, end
from bench.harness.rounds import Wrong, function, same
from bench.numbers import targets
from bench.numbers.stats import percentile
from bench.subjects.cases import vectors

EXPRESSION = "a*b + sqrt(a) - exp(b)"
ROUNDS = 9
LIMIT = 1.1                # a row beyond it is slower than NumPy by more than noise
PROCESSES, SECONDS = 8, 2.0
MEMORY_ELEMENTS = 10**8
MEMORY_TARGET_MIB = 64
PATIENCE_S = 60  # with a process of its own

# key -> (what, target, True if the value must be at least that)
TARGETS = {
    "geomean": ("all rows at 10^5, geometric mean : NumPy", 0.6, False),
    "worst": ("the worst row at 10^5 or 10^7 : NumPy", LIMIT, False),
    "add": ("add, 10^7 float64 : NumPy", 0.6, False),
    "std": ("std, 10^7 float64 : NumPy", 0.25, False),
    "expr": (f"{EXPRESSION}, 10^7 float64 : NumPy", 0.22, False),
    "expr-numexpr": (f"{EXPRESSION}, 10^7 float64 : numexpr, 2 threads", 0.6, False),
    "add-numexpr": ("add, 10^7 float64 : numexpr, 2 threads", None, False),
    "sort": ("sort, 10^6 float64 : NumPy", 0.5, False),
    "matmul": ("matmul 1024, float64 : NumPy with its own threads", 1.0, False),
    "matmul-blas-1": ("matmul 1024, float64 : OpenBLAS called directly, 1 thread", None, False),
    "matmul-blas-2": ("matmul 1024, float64 : OpenBLAS called directly, 2 threads", None, False),
    "matmul-256": ("matmul 256, float64 : NumPy with its own threads", None, False),
    "matmul-256-blas-1": ("matmul 256, float64 : OpenBLAS called directly, 1 thread", None, False),
    "matmul-256-blas-2": ("matmul 256, float64 : OpenBLAS called directly, 2 threads", None, False),
    "processes": (f"{PROCESSES} processes, matmul 256: calls a second, numd : NumPy", 2.5, True),
    "memory-expr": (f"{EXPRESSION}, 10^8 float64: memory beyond the arrays, MiB", MEMORY_TARGET_MIB, False),
    "memory-sum": ("sum, 10^8 float64: memory beyond the array, MiB", MEMORY_TARGET_MIB, False),
    "memory-std": ("std, 10^8 float64: memory beyond the array, MiB", MEMORY_TARGET_MIB, False),
}


class Unmeasured(Exception):
    """The reason why a figure cannot be measured here."""


# ---- Ways of one computation in turns

def in_turns(ways, quiet, times=1):
    """name -> ns of each round. ways: name -> batch(n), whose n calls take the nanoseconds that it gives first."""
    def turn(name):
        quiet.wait()
        ways[name](1)
        taken, _ = ways[name](times)
        return taken / times

    samples = rounds.interleaved(ways, turn, range(1 + ROUNDS))
    return {name: taken[1:] for name, taken in samples.items()}  # the first round is for warming up


def numexpr_module():
    try:
        import numexpr
    except ImportError:
        return None
    numexpr.set_num_threads(2)
    return numexpr


NO_NUMEXPR = "numexpr is not installed: scripts/setup --peers"


def measure_expr(numd, quiet):
    """add and the expression over 10^7 elements: numd, NumPy, and numexpr if it is there."""
    (a, b), (x, y) = vectors(numd, 10**7, 2)
    o, z = np.zeros_like(a), numd.zeros(a.shape, dtype=numd.float64)
    fused = numd.function(lambda p, q: p * q + numd.sqrt(p) - numd.exp(q))
    peer = numexpr_module()
    out = {}
    for key, ours, theirs, text in (
            ("add", function(numd.add, x, y, out=z), function(np.add, a, b, out=o), "a + b"),
            ("expr", function(fused, x, y, out=z), function(lambda: a * b + np.sqrt(a) - np.exp(b)), EXPRESSION)):
        ways = {"numd": ours, "numpy": theirs}
        if peer:
            values = {"a": a, "b": b}
            ways["numexpr"] = function(peer.evaluate, text, local_dict=values, out=o)
        z[...] = 0
        same({"numpy": theirs(1)[1].copy(), **{name: np.asarray(run(1)[1]).copy() for name, run in ways.items()}})
        samples = in_turns(ways, quiet)
        out[key] = targets.of_times(samples, "numd", "numpy")
        out[f"{key}-numexpr"] = targets.of_times(samples, "numd", "numexpr") if peer else dict(skipped=NO_NUMEXPR)
    return out


def measure_std(numd, quiet):
    (a,), (x,) = vectors(numd, 10**7, 1)
    ways = {"numd": function(numd.std, x), "numpy": function(np.std, a)}
    same({name: run(1)[1] for name, run in ways.items()})
    return {"std": targets.of_times(in_turns(ways, quiet), "numd", "numpy")}


def measure_sort(numd, quiet):
    (a,), (x,) = vectors(numd, 10**6, 1)
    z = numd.zeros(a.shape, dtype=numd.float64)
    ways = {"numd": function(numd.sort, x, out=z), "numpy": function(np.sort, a)}
    same({name: np.asarray(run(1)[1]) for name, run in ways.items()}, rtol=0)
    return {"sort": targets.of_times(in_turns(ways, quiet), "numd", "numpy")}


# ---- Processes of their own

class Child:
    """A process of figures_child.py."""

    def __init__(self, side, build, **environment):
        paths = os.pathsep.join([str(build / "python"), str(SCRIPTS)])
        environment = dict(os.environ, PYTHONPATH=paths, **environment)
        self.process = subprocess.Popen([sys.executable, "-m", "bench.kernels.figures_child", side], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
                                        preexec_fn=die_with_parent)

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def answer(self):
        if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
            raise Failed(f"a process of this figure did not answer within {PATIENCE_S} s")
        line = self.process.stdout.readline().strip()
        if line == "wrong":
            raise Wrong("a product of a process of its own")
        if not line:
            raise Failed("a process of this figure ended")
        return line

    def ask(self, command):
        self.tell(command)
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        end(self.process)
        self.process.stdout.close()


# ---- Products, with OpenBLAS called directly by processes of its own

def product_ways(numd, side, blas):
    (a, b), (x, y) = vectors(numd, side * side, 2)
    a, b, x, y = (m.reshape(side, side) for m in (a, b, x, y))
    o, z = np.zeros_like(a), numd.zeros((side, side), dtype=numd.float64)
    ways = {"numd": function(numd.matmul, x, y, out=z), "numpy": function(np.matmul, a, b, out=o)}
    same({name: np.asarray(run(1)[1]) for name, run in ways.items()})
    for threads, child in blas.items():
        ways[f"blas-{threads}"] = lambda times, child=child: (int(child.ask(f"product {side} {times}")), None)
    return ways


def measure_matmul(numd, build, quiet):
    out, blas = {}, {}
    try:
        for threads in (1, 2):
            blas[threads] = Child("blas", build, OPENBLAS_NUM_THREADS=str(threads))
            blas[threads].answer()
        for prefix, side, times in (("matmul", 1024, 1), ("matmul-256", 256, 8)):
            samples = in_turns(product_ways(numd, side, blas), quiet, times=times)
            for name in samples:
                if name != "numd":
                    out[prefix if name == "numpy" else f"{prefix}-{name}"] = targets.of_times(samples, "numd", name)
    finally:
        for child in blas.values():
            child.stop()
    return out


# ---- Several processes, and the daemon's memory

def calls_per_second(children):
    for child in children:
        child.tell(f"matmul {SECONDS}")
    return sum(int(child.answer()) for child in children) / SECONDS


def measure_processes(build, n_rounds=3):
    """Eight processes each multiply in a loop, those of numd and those of NumPy in turns."""
    sides = {side: [Child(side, build) for _ in range(PROCESSES)] for side in ("numd", "numpy")}
    try:
        for child in sides["numd"] + sides["numpy"]:
            child.answer()

        def turn(side):
            rate = calls_per_second(sides[side])
            time.sleep(0.2)
            return rate

        rates = rounds.interleaved(sides, turn, range(n_rounds))
    finally:
        for child in sides["numd"] + sides["numpy"]:
            child.stop()
    return {"processes": dict(targets.of_rounds(rates["numd"], rates["numpy"], 3),
                              calls_per_second=[round(percentile(rates[side], 50), 1) for side in sides])}


def private_bytes(pid):
    """Memory that a process shares with nobody; 0 if it is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


class Watch(threading.Thread):
    """The most private memory that the daemon's processes have together while it runs."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.pids, self.peak, self.looks, self.done = daemon.pids(), 0, 0, threading.Event()
        self.before = self.total()

    def total(self):
        return sum(map(private_bytes, self.pids))

    def run(self):
        while not self.done.is_set():
            self.peak, self.looks = max(self.peak, self.total()), self.looks + 1
            time.sleep(0.0005)


def room_for(n_bytes):
    free = shutil.disk_usage("/dev/shm").free
    available = next(int(line.split()[1]) * 1024 for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
                     if line.startswith("MemAvailable:"))
    if min(free, available) < n_bytes * 1.3:
        raise Unmeasured(f"needs {n_bytes * 1.3 / 1e9:.1f} GB; free in /dev/shm {free / 1e9:.1f}, "
                         f"in all {available / 1e9:.1f}")


def watched(daemon, child, name):
    watch = Watch(daemon)
    watch.start()
    value = float(child.ask(f"run {name}"))
    watch.done.set()
    watch.join()
    a, b = 0.5, 1.5
    wanted = {"expr": a * b + math.sqrt(a) - math.exp(b), "sum": a * MEMORY_ELEMENTS, "std": 0.0}[name]
    if not math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-9):
        raise Wrong(f"memory of {name}: {value} instead of {wanted}")
    return dict(value=round(max(0, watch.peak - watch.before) / 2**20, 2), looks=watch.looks)


def measure_memory(daemon, build):
    """What the worker needs of its own while it computes over arrays of 0.8 GB."""
    room_for(3 * 8 * MEMORY_ELEMENTS)
    child = Child("numd", build)
    try:
        child.answer()
        child.ask(f"prepare {MEMORY_ELEMENTS}")
        time.sleep(0.3)  # the daemon has a new spare worker by now
        return {f"memory-{name}": watched(daemon, child, name) for name in ("expr", "sum", "std")}
    finally:
        child.stop()


# ---- All of them

def measure_figures(numd, daemon, context, quiet, progress):
    """key -> figure, without those that come from the rows."""
    steps = [("expr", lambda: measure_expr(numd, quiet)), ("std", lambda: measure_std(numd, quiet)),
             ("sort", lambda: measure_sort(numd, quiet)),
             ("matmul", lambda: measure_matmul(numd, context.build, quiet)),
             ("processes", lambda: measure_processes(context.build)),
             ("memory", lambda: measure_memory(daemon, context.build))]
    out = {}
    for name, step in steps:
        progress.step(f"figures: {name}", 0)
        try:
            out.update(step())
        except (Unmeasured, Failed, AttributeError) as error:
            for key in TARGETS:
                if key.split("-")[0] == name:
                    out[key] = dict(skipped=str(error))
        except Wrong as error:
            out[name] = dict(wrong=str(error))
    return out


def geomean(rows):
    ratios = [row["ratio"] for row in rows]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def from_rows(rows):
    """The two figures about all rows."""
    middle, out = [r for r in rows if r["size"] == 10**5], {}
    if middle:
        ratios = [r["ratio"] for r in middle]
        out["geomean"] = dict(value=round(geomean(middle), 4), rows=len(middle),
                              quartiles=targets.quartiles(ratios, 4))
    large = [r for r in rows if r["size"] >= 10**5]
    if large:
        worst = max(large, key=lambda r: r["ratio"])
        out["worst"] = dict(value=worst["ratio"], which=f"{worst['op']} {worst['dtype']} {worst['n']}",
                            ns=worst["numd_ns"], against_ns=worst["numpy_ns"],
                            above=sum(r["ratio"] > LIMIT for r in large), rows=len(large))
    return out


def slower(rows):
    """The rows from 10^5 elements on that take more than NumPy's time by more than noise, worst first."""
    return sorted((r for r in rows if r["size"] >= 10**5 and r["ratio"] > LIMIT), key=lambda r: -r["ratio"])


def table(rows, measured):
    """All figures in order, those about all rows among them."""
    return targets.table({**from_rows(rows), **measured}, TARGETS)
