# SPDX-License-Identifier: BSD-3-Clause
"""A daemon under everything at once for a while: soak.py SECONDS.

Processes of several kinds use one daemon: programs of the library that compute and check every result, clients by hand
that connect, attach, call and go, and victims that are killed in the middle. Meanwhile descriptors, mappings and memory
of the daemon, of a session's worker that lives as long as the run, and of its client are looked at. They must be flat:
the run fails if a line through what was seen rises, beyond what chance explains, by more than its allowance.
"""

import ctypes
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import traceback

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from clients import attach  # noqa: E402
from ring import Ring  # noqa: E402
from stranger import Daemon, Refused, Stranger, operand, program, sum_program  # noqa: E402

KINDS = ("results", "connects", "attaches", "kills", "wrong", "errors")
ALLOWED = {"descriptors": 2, "mappings": 6, "memory": 4 << 20}
WARM_UP = 10  # seconds
SIGNIFICANT = 4.0  # standard errors
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class Counts:
    """Numbers that all processes add to."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 4096)
        self.words = (ctypes.c_uint64 * 512).from_buffer(self.memory)

    def add(self, kind, row):
        """`row`: of the process, so that no two write one word."""
        self.words[KINDS.index(kind) + 8 * row] += 1

    def total(self, kind):
        return sum(self.words[KINDS.index(kind) + 8 * row] for row in range(64))


# ---- What the processes do

def user_of_the_library(path, seed, counted):
    """Operations of every class on arrays of many sizes, each result compared with NumPy's."""
    import numd

    rng = np.random.default_rng(seed)
    session = numd.connect(path, start=False)

    def array(values):
        return numd.asarray(values, session=session)

    @numd.function
    def fused(a, b):
        return np.sqrt(a * a + b * b) - np.minimum(a, b)

    keep = array(rng.standard_normal(10_000))
    while True:
        n = int(rng.choice([1, 64, 1000, 30_000]))
        a, b = rng.standard_normal((2, n))
        x, y = array(a), array(b)
        m = rng.standard_normal((12, 12))
        expected = np.sqrt(a * a + b * b) - np.minimum(a, b)
        pairs = [
            (x + y, a + b), (x.sum(), a.sum()), (fused(x, y), expected), (np.sort(x), np.sort(a)),
            (x[::-1] * 2.0, a[::-1] * 2.0), (x[x > 0], a[a > 0]), (array(m) @ array(m.T), m @ m.T),
            (fused.submit(x, y).result(timeout=60), expected), (keep[:5], np.asarray(keep)[:5]),
        ]
        for got, wanted in pairs:
            counted("results")
            if not np.allclose(np.asarray(got), wanted, rtol=1e-12, atol=1e-12):
                counted("wrong")


def one_life(path, rng, counted):
    """A session by hand: through both doors, with segments that come and go and a channel."""
    with Stranger(path, timeout=60) as c:
        counted("connects")
        ring = None
        for segment in range(rng.randrange(1, 6)):
            data = attach(c, segment)
            counted("attaches")
            values = [rng.random() for _ in range(100)]
            struct.pack_into("100d", data, 0, *values)
            c.request("prepare", segment, sum_program(100))
            ring = ring or Ring(c, rng.choice(["auto", "spin", "handoff", "sleep"]))
            by_ring = struct.unpack_from("d", ring.call(segment, [segment << 48])[2])[0]
            by_socket = c.request("call", segment, [[segment, 0]])
            counted("results")
            if by_ring != by_socket or abs(by_ring - sum(values)) > 1e-9:
                counted("wrong")
            if rng.random() < 0.5:
                c.request("release", segment)
                c.request("detach", segment)


def client_by_hand(path, seed, counted):
    rng = random.Random(seed)
    while True:
        one_life(path, rng, counted)


def executioner(path, seed, counted):
    """Starts clients and kills them somewhere in their lives."""
    rng = random.Random(seed)
    while True:
        victim = fork()
        if victim == 0:
            try:
                client_by_hand(path, rng.random(), lambda kind: None)
            finally:
                os._exit(1)
        time.sleep(rng.random() * 0.1)
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        counted("kills")


PROCESSES = [user_of_the_library, user_of_the_library, client_by_hand, client_by_hand, executioner]


def fork():
    """As os.fork, but the child dies with its parent."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return pid


def start(process, path, seed, counts, row):
    pid = fork()
    if pid:
        return pid
    try:
        process(path, seed, lambda kind: counts.add(kind, row))
    except BaseException:  # noqa: BLE001 - whatever it is, it is told and counted
        traceback.print_exc()
        counts.add("errors", row)
    os._exit(1)


# ---- What is looked at

class LongSession:
    """A session that lasts, and calls again and again."""

    def __init__(self, path):
        self.client = Stranger(path, timeout=60)
        self.data = attach(self.client)
        self.client.request("prepare", 0, program([operand("float64", 1000)], [["sort", [0]], ["sum", [1]]],
                                                  [[2, {"result": True}]]))
        self.ring = Ring(self.client, "auto")
        self.pid = self.client.info["pid"]

    def use(self, counts):
        attach(self.client, 1)
        self.client.request("detach", 1)
        for _ in range(20):
            try:
                right = self.client.request("call", 0, [[0, 0]]) == 0 and self.ring.call(0, [0])[0] == 0
            except Refused:
                right = False
            counts.add("results" if right else "wrong", 0)


def look(pid):
    with open(f"/proc/{pid}/maps") as f:
        mappings = sum(1 for _ in f)
    with open(f"/proc/{pid}/statm") as f:
        memory = int(f.read().split()[1]) * mmap.PAGESIZE
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "mappings": mappings, "memory": memory}


def slope(times, values):
    """Of a line through the points: what it rises in all, and in how many standard errors of that."""
    if min(values) == max(values):
        return 0.0, 0.0
    t, v = np.asarray(times) - np.mean(times), np.asarray(values, dtype=float)
    rise = (t * v).sum() / (t * t).sum()
    rest = v - v.mean() - rise * t
    error = np.sqrt((rest**2).sum() / max(len(t) - 2, 1) / (t * t).sum())
    length = times[-1] - times[0]
    return rise * length, rise / error if error > 0 else np.inf * rise


def report(seen):
    """Prints a line for each thing that was looked at; whether all are flat. The first fifth is a warm-up, and so are
    the first ten seconds."""
    flat = True
    print(f"{'':22} {'first':>12} {'last':>12} {'rise':>12} {'in errors':>10}")
    for (who, what), points in seen.items():
        points = [p for p in points[len(points) // 5 :] if p[0] >= WARM_UP]
        if len(points) < 10:
            print(f"{who + ' ' + what:22} not looked at for long enough")
            continue
        rise, errors = slope([p[0] for p in points], [p[1] for p in points])
        bad = rise > ALLOWED[what] and errors > SIGNIFICANT
        flat &= not bad
        print(f"{who + ' ' + what:22} {points[0][1]:12} {points[-1][1]:12} {rise:12.1f} {errors:10.1f}",
              "RISES" if bad else "")
    return flat


def run(directory, seconds, seed):
    counts, daemon = Counts(), Daemon(directory)
    session = LongSession(daemon.path)
    pids = [start(p, daemon.path, seed + i, counts, i + 1) for i, p in enumerate(PROCESSES)]
    seen, started = {}, time.monotonic()
    try:
        while (now := time.monotonic() - started) < seconds:
            session.use(counts)
            for who, pid in [("daemon", daemon.pid), ("worker", session.pid), ("client", pids[0])]:
                for what, value in look(pid).items():
                    seen.setdefault((who, what), []).append((now, value))
            time.sleep(min(1.0, seconds / 100))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    session.client.close()
    code = daemon.stop()
    complaints = daemon.complaints()
    print(f"{seconds:g} s, seed {seed}: " + ", ".join(f"{counts.total(kind)} {kind}" for kind in KINDS))
    flat = report(seen)
    print(*complaints, sep="\n", end="\n" if complaints else "")
    return flat and code == 0 and not complaints and counts.total("wrong") == 0 and counts.total("errors") == 0


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed = int(os.environ.get("NUMD_TEST_SEED", time.time()))
    with tempfile.TemporaryDirectory(prefix="numd-soak-") as directory:
        sys.exit(0 if run(directory, seconds, seed) else 1)


if __name__ == "__main__":
    main()
