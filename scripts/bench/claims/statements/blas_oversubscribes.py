# SPDX-License-Identifier: BSD-3-Clause
"""Matrix products in several processes at once, each with BLAS threads for all cores or with its share of them."""
import contextlib
import os
import subprocess
import sys

import numpy as np

from bench.claims.claim import Claim
from bench.claims.lab import Wrong
from bench.claims.scaling import AT_MOST
from bench.claims.timing import calls_in
from bench.claims.verdict import fact
from bench.harness.processes import die_with_parent, end
from bench.harness.rounds import function
from bench.subjects import cases

SIDES = (64, 128, 256, 512, 1024)
SAMPLE_NS = {False: 20_000_000, True: 8_000_000}
VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")

# Multiplies as often as it is told, then says the last product's trace and how many threads it has.
WORKER = """
import os, sys
import numpy as np
from bench.subjects import cases
inputs = {}
for line in sys.stdin:
    n, times = map(int, line.split())
    if n not in inputs:
        inputs[n] = cases.inputs(cases.Point("matmul", n))
    a, b = inputs[n]
    for _ in range(times):
        product = a @ b
    print(float(np.trace(product)), len(os.listdir("/proc/self/task")), flush=True)
"""


class Team:
    """Processes that multiply at the same time, with so many BLAS threads each."""

    def __init__(self, lab, processes, threads):
        environment = {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}
        self.processes, self.threads = [], 0
        for _ in range(processes):
            process = subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
            self.processes.append(process)
            lab.stack.callback(self.stop, process)

    @staticmethod
    def stop(process):
        with contextlib.suppress(OSError):
            process.stdin.close()
        end(process)
        process.stdout.close()

    def multiply(self, n, times):
        """All products' traces."""
        for process in self.processes:
            process.stdin.write(f"{n} {times}\n")
            process.stdin.flush()
        answers = [process.stdout.readline().split() for process in self.processes]
        self.threads = sum(int(threads) for _, threads in answers)
        return [float(trace) for trace, _ in answers]


def run(lab):
    k = min(AT_MOST, lab.cores)
    teams = {"all cores": Team(lab, k, lab.cores), "its share": Team(lab, k, lab.cores // k)}
    sides = {}
    for n in lab.sizes(*SIDES):
        point = cases.Point("matmul", n)
        trace = np.trace(cases.expected(point, cases.inputs(point)))
        times = calls_in(lambda n=n: teams["its share"].multiply(n, 1), SAMPLE_NS[lab.quick])
        for name, team in teams.items():
            if not np.allclose(team.multiply(n, 1), trace, rtol=1e-10):
                raise Wrong(f"matmul {n} with BLAS threads for {name}: the product's trace is wrong")
            sides[name, n] = function(team.multiply, n, times)
    samples = lab.time(sides)
    threads = {name: team.threads for name, team in teams.items()}
    return [
        fact(f"{k} processes, each with BLAS threads for all cores, have more threads than there are cores",
             f"{threads['all cores']} threads on {lab.cores} cores; with a share each {threads['its share']}",
             threads["all cores"] > max(lab.cores, threads["its share"])),
        lab.scan("that takes longer than threads for a share of the cores each", "all cores", "its share", samples,
                 unit="rows"),
    ]


CLAIM = Claim(
    statement="BLAS threads times processes oversubscribe.",
    group="Threads and processes",
    experiment="As many processes as cores (four at most) multiply square matrices at the same time: each with BLAS "
               "threads for all cores, as is the default, or for its share of the cores.",
    rule="Holds if there are more threads than cores, and that takes longer at all sizes, for sure. The size where it "
         "turns is from where on BLAS uses its threads to everyone’s loss.",
    run=run, cores=2)
