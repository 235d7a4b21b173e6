# SPDX-License-Identifier: BSD-3-Clause
"""Processes that are killed at any moment: clients, workers, the daemon. Who is left goes on."""

import contextlib
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import numpy as np
from clients import BYTES, Bystander, attach
from ledger import note, scaled
from recovering import LOST, RIGHT, STOP, WRONG
from ring import Ring
from stranger import Daemon, Stranger, eventually, operand, program, shared_names, sum_program

SEED = int(os.environ.get("NUMD_TEST_SEED", "7"))
HERE = os.path.dirname(os.path.abspath(__file__))


# ---- Clients

def live(path, rng):
    """A client's whole life, again and again."""
    while True:
        with Stranger(path) as c:
            attach(c)
            c.request("share", 0)
            c.request("prepare", 0, sum_program(1000))
            c.request("prepare", 1, program([operand("float64", 64, 64)], [["inv", [0]]], [[1, {}]]))
            ring = Ring(c, rng.choice(["auto", "spin", "handoff", "sleep"]))
            for _ in range(rng.randrange(20)):
                ring.call(0, [0])
                c.request("call", 0, [[0, 0]])
            c.post("call", 1, [[0, 0], [0, BYTES // 2]])


def test_clients_are_killed_at_random_phases(daemon):
    times = scaled(1000, least=25)
    rng = random.Random(SEED)
    bystanders = [Bystander(daemon) for _ in range(8)]
    for i in range(times):
        victim = os.fork()
        if victim == 0:
            try:
                live(daemon.path, random.Random(SEED + i))
            finally:
                os._exit(1)
        time.sleep(rng.random() * 0.05)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        for b in bystanders:
            b.check()
    for b in bystanders:
        b.close()
    note("15 client killed at any phase", times, times, "its session")


# ---- Workers and the daemon: programs of the real library recover

class Program:
    """recovering.py, and what it counts."""

    def __init__(self, directory, path):
        file = os.path.join(directory, "counters")
        with open(file, "wb") as f:
            f.write(bytes(32))
        env = dict(os.environ, NUMD_SOCKET=path)
        self.log = open(os.path.join(directory, "program.log"), "w+")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "recovering.py"), file], env=env,
                                        stderr=self.log)
        with open(file, "r+b") as f:
            self.counters = mmap.mmap(f.fileno(), 32)

    def count(self, which):
        return struct.unpack_from("Q", self.counters, 8 * which)[0]

    def goes_on(self):
        """Whether it gets right results from now on."""
        before = self.count(RIGHT)
        eventually(lambda: self.count(RIGHT) > before + 1 or self.process.poll() is not None, 30)
        return self.count(RIGHT) > before + 1

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.counters[8 * STOP] = 1
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.log.close()


@contextlib.contextmanager
def running(directory, path):
    p = Program(str(directory), path)
    try:
        yield p
        assert p.count(WRONG) == 0
        assert p.stop() == 0
    finally:
        p.process.kill()
        p.process.wait()


def workers_of(client, pid):
    return [s["pid"] for s in client.request("stats")["sessions"] if s["client_pid"] == pid]


def test_workers_are_killed_and_their_clients_recover(daemon, bystander, tmp_path):
    times = scaled(1000, least=10)
    rng = random.Random(SEED)
    killed = 0
    with running(tmp_path, daemon.path) as p, daemon.connect() as observer:
        assert p.goes_on(), p.said()
        while killed < times:
            for pid in workers_of(observer, p.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            bystander.check()
            assert p.goes_on(), p.said()
            time.sleep(rng.random() * 0.01)
        lost = p.count(LOST)
    note("17 worker killed", killed, killed, "calls in flight of that session")
    assert lost <= 2 * killed


def test_the_daemon_is_killed_and_programs_recover(tmp_path):
    times = scaled(200, least=5)
    rng = random.Random(SEED)
    names = shared_names()
    d = Daemon(tmp_path)
    try:
        with running(tmp_path, d.path) as p:
            assert p.goes_on(), p.said()
            for _ in range(times):
                time.sleep(rng.random() * 0.02)
                d.process.kill()
                d.process.wait()
                os.unlink(d.log_path)
                d = Daemon(tmp_path)  # at the same address, at once
                assert p.goes_on(), p.said()
    finally:
        code = d.stop()
    assert code == 0, d.log()
    assert eventually(lambda: shared_names() <= names), shared_names() - names
    note("17 daemon killed", times, times, "calls in flight")


# ---- BLAS

def test_concurrent_products_of_all_transposes(daemon):
    """Threads of several sessions multiply at once, while workers come and go: every product is NumPy's."""
    rounds = scaled(1000, least=8)
    n = 96
    rng = np.random.default_rng(SEED)
    a, b = rng.standard_normal((2, n, n))
    size = 8 * n * n
    wrong = []

    def multiply(k):
        x, y = (a.T if k & 1 else a), (b.T if k & 2 else b)
        strides = [[8, 8 * n] if k & bit else [8 * n, 8] for bit in (1, 2)]
        with daemon.connect(timeout=60) as c:
            data = attach(c, n_bytes=(3 * size + 4095) // 4096 * 4096)
            data[:size], data[size : 2 * size] = a.tobytes(), b.tobytes()
            c.request("prepare", 0, program([operand("float64", n, n, strides=s) for s in strides],
                                            [["matmul", [0, 1]]], [[2, {}]]))
            for _ in range(rounds):
                c.request("call", 0, [[0, 0], [0, size], [0, 2 * size]])
                product = np.frombuffer(data, count=n * n, offset=2 * size).reshape(n, n)
                if not np.allclose(product, x @ y, rtol=1e-12, atol=1e-12):
                    wrong.append(k)
            del product

    threads = [threading.Thread(target=multiply, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    spawned = 0
    while any(t.is_alive() for t in threads):
        with daemon.connect() as c:
            assert c.request("ping") is None
        spawned += 1
    for t in threads:
        t.join()
    assert wrong == []
    note("10 concurrent products, workers spawned meanwhile", 8 * rounds, 8 * rounds)
