# SPDX-License-Identifier: BSD-3-Clause
"""Facts about the machine and the versions of a run: machine.json."""
import os
import pathlib
import platform
import resource
import subprocess
import time

import numpy as np

from bench.harness import hardware
from bench.numbers import stats

def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.machine()


def busy_ns():
    """Processor time of the whole machine so far."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def running():
    """How many threads of the whole machine run or want to, this one among them."""
    return int(pathlib.Path("/proc/loadavg").read_text().split()[3].partition("/")[0])


def stolen_ns():
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()
    return int(fields[8]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def system_name():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def disturbances(facts):
    """What disturbed a run so much that its reader should know, as sentences."""
    out = []
    if facts["strangers_percent"] > 10:
        out.append(f"Other programs used {facts['strangers_percent']:.0f} % of a core during this run: expect wide "
                   "spreads, and run it again on a quiet machine.")
    if facts["stolen_percent"] > 5:
        out.append(f"The host of this virtual machine took {facts['stolen_percent']:.0f} % of a core away during this "
                   "run: a call that crosses processes needs two cores at once and suffers more than one in process.")
    return out


class Facts:
    def __init__(self, context, quick, seed, method, pinning="none"):
        """method: how was measured, as sentences."""
        np.ones((2, 2)) @ np.ones((2, 2))
        self.started = time.monotonic()
        self.busy, self.stolen = busy_ns(), stolen_ns()
        self.values = dict(
            cpu=cpu_model(), cores=len(os.sched_getaffinity(0)), kernel=platform.release(), system=system_name(),
            python=platform.python_version(), numpy=np.__version__, blas=hardware.blas(),
            hardware=hardware.hardware(),
            compiler=first_line(["cc", "--version"]), numd=first_line([str(context.build / "numd"), "--version"]),
            date=time.strftime("%Y-%m-%d %H:%M %Z"), quick=quick, seed=seed, load_before=os.getloadavg()[0],
            pinning=pinning, method=method)

    def disturbance(self, children):
        """How long the run took and what disturbed it; children: what its ended processes used."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        used = sum(r.ru_utime + r.ru_stime for r in (own, children)) * 1e9
        passed = (time.monotonic() - self.started) * 1e9
        return dict(seconds=round(passed / 1e9, 1), load_after=os.getloadavg()[0],
                    strangers_percent=round(max(0.0, 100 * (busy_ns() - self.busy - used) / passed), 1),
                    stolen_percent=round(100 * (stolen_ns() - self.stolen) / passed, 2))

    def finish(self, bench, children):
        """Adds what is known when all processes of the run have ended."""
        self.values.update(
            self.disturbance(children),
            waiting_clients_percent=round(100 * bench.disturbed_ns / max(1, bench.measured_ns), 3),
            skipped=bench.skipped, wrong=bench.wrong, shortened=bench.shortened, figures=stats.figures(bench.rows))
