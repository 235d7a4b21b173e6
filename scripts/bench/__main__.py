# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program of the benchmarks: python3 scripts/bench PROGRAM ...

Here alone the package gets onto Python's path.
"""
import importlib
import pathlib
import signal
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

PROGRAMS = {
    "run": "bench.suite.run",
    "report": "bench.suite.report",
    "compare": "bench.suite.compare",
    "kernels": "bench.kernels.kernel_bench",
    "python": "bench.experiments.python_figures",
    "fairness": "bench.experiments.fairness",
    "claims": "bench.claims.settle_claims",
}


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else None
    if name not in PROGRAMS:
        sys.exit(f"usage: python3 scripts/bench PROGRAM ..., where PROGRAM is one of {', '.join(PROGRAMS)}")
    sys.argv[:2] = [name]  # what argparse calls the program
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return importlib.import_module(PROGRAMS[name]).main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
