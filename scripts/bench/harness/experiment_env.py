# SPDX-License-Identifier: BSD-3-Clause
"""Where an experiment beside the main rounds runs (breakdown.py, open_loop.py): a directory, a private daemon once a
way wants one, and the ways' clients, each a process that waits while others have their turn."""
import pathlib
import shutil
import tempfile

import numpy as np

from bench.harness.processes import Client, Daemon, Failed, cpu_ns, environment
from bench.subjects import cases


class ExperimentEnv:
    def __init__(self, context, paths=(), **extra):
        """extra: further variables for all that runs here; paths: of Python modules."""
        self.context, self.paths, self.extra = context, paths, extra
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="numd-bench-"))
        self.log = open(self.directory / "log", "wb")
        self.clients, self.daemon, self.point, self.arrays, self.wanted = {}, None, None, [], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients.values():
            client.stop()
        if self.daemon:
            self.daemon.stop()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, point):
        """What is computed from now on."""
        self.point, self.arrays = point, cases.inputs(point)
        self.wanted = cases.expected(point, self.arrays)
        for name, array in zip("ab", self.arrays):
            array.tofile(self.directory / f"{name}.bin")

    def client(self, way):
        if way.daemon and not self.daemon:
            self.daemon = Daemon(self.context.build / "numd", self.directory, self.log, **self.extra)
            self.daemon.wait_until_ready()
        key = (way.name, way.client)
        if key not in self.clients:
            self.clients[key] = Client(way.command(self.context), self.directory,
                                       environment(self.context, self.daemon, self.paths, **self.extra), self.log)
        return self.clients[key]

    def prepare(self, way, mode, wait, budget_ns):
        """Makes a way ready to compute the point; the pids of its other side."""
        words = [f"case={self.point.case}", f"budget_ns={budget_ns}"]
        words += [f"mode={mode}"] * bool(mode) + [f"wait={wait}"] * bool(wait)
        words.append("in=" + ",".join(f"{n}.bin:{'x'.join(map(str, a.shape))}" for n, a in zip("ab", self.arrays)))
        words += [f"out={'x'.join(map(str, self.wanted.shape))}"] if self.wanted.shape else []
        partner = self.client(way).ask("prepare " + " ".join(words))["partner"]
        return partner if isinstance(partner, list) else [partner] * bool(partner)

    def turn(self, way, mode, wait, command, budget_ns=0, warm_ns=None):
        """Prepares, asks one command, finishes and checks the result: the command's answer, with the processor time of
        the way's other side meanwhile. warm_ns: calls for so long before that. Failed with a reason; Wrong."""
        client = self.client(way)
        partners = self.prepare(way, mode, wait, budget_ns)
        watched = partners + ([self.daemon.process.pid] if way.daemon else [])
        try:
            if warm_ns is not None:
                client.ask(f"warm ns={warm_ns}", watched)
            before = {pid: cpu_ns(pid) for pid in partners + (self.daemon.pids() if way.daemon else [])}
            answer = client.ask(command, watched)
        except Failed:
            if client.process:
                client.ask("finish")
            raise
        answer["cpu_server_ns"] = sum(max(0, cpu_ns(pid) - used) for pid, used in before.items())
        client.ask(f"finish to={self.directory / 'out.bin'}")
        wrong = cases.check(self.point, np.fromfile(self.directory / "out.bin"), self.wanted)
        if wrong:
            raise Wrong(f"{way.label} {wrong}")
        return answer


class Wrong(Exception):
    """A way computed something else than NumPy."""
