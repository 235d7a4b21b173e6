# SPDX-License-Identifier: BSD-3-Clause
"""Measures every operation of numd against NumPy: each dtype, 10^3, 10^5 and 10^7 elements, one run.

numd computes in a private daemon, through its ring, into outputs that exist and with plans that are made; NumPy
in process, into outputs that exist where it can. For each case the two take turns, after their results were
compared: a wrong one fails the run, as does an operation without a case.

Writes kernels.json, kernels.txt and kernels.html into BUILD/report.
"""
import argparse
import json
import pathlib
import random
import resource
import sys
import time
import warnings

import numpy as np

from bench.harness import machine
from bench.harness.processes import private_daemon
from bench.harness.progress import Progress
from bench.harness.rounds import Quiet, Wrong
from bench.kernels import kernel_cases as cases
from bench.kernels import kernel_figures as figures
from bench.kernels import kernel_report as report
from bench.kernels.kernel_timing import NoNumpy, Operation, Setting, measure
from bench.kernels.operands import Arrays
from bench.subjects.way import Context

SIZES = {False: cases.SIZES, True: cases.SIZES[:2]}  # quick or not
BUDGET_NS = {False: {10**3: 35_000_000, 10**5: 50_000_000, 10**7: 120_000_000},
             True: {10**3: 12_000_000, 10**5: 20_000_000}}
LEAST_ROUNDS = {False: 5, True: 3}
LARGE_ROUNDS = 3
TIME_LIMIT_S = {False: 800, True: 150}  # beyond it the remaining cases get few rounds
PATIENCE_S = {False: 60, True: 8}
ARRAY_BYTES = 1_800_000_000
WEIGHTS = {10**3: 1, 10**5: 2, 10**7: 6}  # of the progress bar
SPINNERS = ("BLAS", "LAPACK")


def operations(numd):
    """The rows of numd.ops() as this benchmark sees them."""
    return [Operation(row.name, row.kind, row.typing, row.dtypes, row.fast) for row in numd.ops()]


def dtypes(numd):
    return [np.dtype(name).name for name in numd._numd._dtypes]


class Bench:
    def __init__(self, numd, sizes, quick, seed, progress):
        self.numd, self.quick, self.progress, self.seed = numd, quick, progress, seed
        self.sizes, self.operations = sizes, operations(numd)
        self.arrays = Arrays(numd, seed, ARRAY_BYTES)
        self.quiet = Quiet(PATIENCE_S[quick])
        self.rows, self.left_out, self.wrong, self.shortened = [], [], [], 0
        self.started = time.monotonic()

    def complete(self):
        """An operation that has no case is an error of the run."""
        missing = [op.name for op in self.operations if cases.case_of(op.name) is None]
        self.wrong += [f"{name}: there is no case for this operation" for name in missing]
        self.operations = [op for op in self.operations if op.name not in missing]

    def choose(self, names):
        known = {op.name for op in self.operations}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise SystemExit(f"numd bench-kernels: no such operation: {', '.join(unknown)}")
        self.operations = [op for op in self.operations if op.name in names]

    def run(self):
        points = [(n, dtype, op) for n in self.sizes for dtype in dtypes(self.numd) for op in self.operations
                  if np.dtype(dtype).kind in op.kinds]
        self.progress.total = max(1, sum(WEIGHTS[n] for n, _, _ in points))
        place = None
        for n, dtype, op in points:
            if place != (n, dtype):
                place = n, dtype
                self.arrays.clear()
            self.point(op, dtype, n)
            self.progress.step(f"{op.name} {dtype} {n}", WEIGHTS[n])
        self.arrays.clear()
        order = {op.name: i for i, op in enumerate(self.operations)}
        self.rows.sort(key=lambda r: order[r["op"]])  # beneath that by size and dtype, as measured

    def point(self, op, dtype, n):
        where = f"{op.name} {dtype} {n}"
        reason = cases.why_left_out(cases.case_of(op.name), dtype, n)
        if reason:
            self.left_out.append(dict(op=op.name, dtype=dtype, n=n, reason=reason))
            return
        try:
            self.rows.append(self.measured(op, dtype, n))
        except NoNumpy as error:
            self.left_out.append(dict(op=op.name, dtype=dtype, n=n, reason=f"not in NumPy: {error}"))
        except Wrong as error:
            self.fail(f"{where}: {error}")
        except self.numd.DisconnectedError:
            raise
        except Exception as error:
            self.fail(f"{where}: {type(error).__name__}: {error}")
        self.arrays.trim()

    def measured(self, op, dtype, n):
        late = time.monotonic() - self.started > TIME_LIMIT_S[self.quick]
        self.shortened += late
        rounds = LARGE_ROUNDS if n > 10**6 else LEAST_ROUNDS[self.quick]
        setting = Setting(self.numd, self.arrays, op, dtype, n)
        return measure(setting, 0 if late else BUDGET_NS[self.quick][n], 2 if late else rounds,
                       self.quiet if op.fast in SPINNERS else None)

    def fail(self, text):
        self.wrong.append(text)
        self.progress.say("WRONG: " + text)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="where numd was built")
    parser.add_argument("--quick", action="store_true", help="10^3 and 10^5 only, few rounds, no figures at 10^7")
    parser.add_argument("--only", default="", help="these operations, with commas between; `figures`: the figures")
    parser.add_argument("--seed", type=int, default=None, help="of the data")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="default: BUILD/report")
    return parser.parse_args(argv)


def measure_all(context, arguments, seed, progress):
    """Everything with a daemon of its own. (bench, figures)"""
    with private_daemon(context) as daemon:
        sys.path.insert(0, str(context.build / "python"))
        import numd
        return measure_with(numd, daemon, context, arguments, seed, progress)


def measure_with(numd, daemon, context, arguments, seed, progress):
    only = [name for name in arguments.only.split(",") if name]
    bench = Bench(numd, SIZES[arguments.quick], arguments.quick, seed, progress)
    bench.complete()
    if only:
        bench.choose([name for name in only if name != "figures"])
    bench.run()
    wanted = "figures" in only or not (only or arguments.quick)
    measured = figures.measure_figures(numd, daemon, context, bench.quiet, progress) if wanted else {}
    bench.wrong += [f"figure {key}: {f['wrong']}" for key, f in measured.items() if "wrong" in f]
    if daemon.process.poll() is not None:
        bench.wrong.append("the daemon died during the run")
    return bench, figures.table(bench.rows, measured)


def results(bench, chosen, facts):
    return dict(rows=bench.rows, figures=chosen, left_out=bench.left_out, wrong=bench.wrong, facts=facts)


def write(output, found):
    output.mkdir(parents=True, exist_ok=True)
    (output / "kernels.json").write_text(json.dumps(found["rows"], indent=None, separators=(",", ":")).replace(
        "},{", "},\n{") + "\n")
    rest = {key: found[key] for key in ("figures", "left_out", "wrong", "facts")}
    (output / "kernels-run.json").write_text(json.dumps(rest, indent=1) + "\n")
    (output / "kernels.txt").write_text(report.text(found))
    (output / "kernels.html").write_text(report.page(found))


def main(argv=None):
    arguments = parse_arguments(argv)
    context = Context(build=arguments.build.resolve(), python=sys.executable)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    warnings.simplefilter("ignore")  # NumPy's about values that are asked for here, such as log(0)
    print(f"numd bench-kernels: data by seed {seed} (--seed {seed} repeats it)", file=sys.stderr)
    facts = machine.Facts(context, arguments.quick, seed, report.METHOD)
    progress = Progress(1)
    try:
        bench, chosen = measure_all(context, arguments, seed, progress)
    except KeyboardInterrupt:
        print("\nnumd bench-kernels: stopped; nothing was written", file=sys.stderr)
        return 130
    finally:
        progress.end()
    facts.values.update(facts.disturbance(resource.getrusage(resource.RUSAGE_CHILDREN)), shortened=bench.shortened)
    output = arguments.output or context.build / "report"
    found = results(bench, chosen, facts.values)
    write(output, found)
    print(report.terminal(found))
    print(f"page:    {output / 'kernels.html'}\nresults: {output / 'kernels.json'}")
    for text in bench.wrong:
        print(f"WRONG: {text}", file=sys.stderr)
    return 1 if bench.wrong else 0

