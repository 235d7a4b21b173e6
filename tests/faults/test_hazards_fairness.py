# SPDX-License-Identifier: BSD-3-Clause
"""A busy user does not starve the rest. What it costs them in time, `make bench-fairness` measures; here is what must
hold whatever the machine: its calls keep to half of the cores while another makes calls, both get theirs done, and
right."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest
from ledger import note, scaled
from stranger import Daemon, Refused, eventually, program
from users import ALICE, BOB, PublicDaemon, User, only_in_public, only_root

SESSIONS, THREADS = 4, 4

BUSY = f"""
import sys, threading
import numpy as np
import numd
sessions = [numd.connect(sys.argv[1]) for _ in range({SESSIONS})]
try:
    numd.ones(8, session=numd.connect(sys.argv[1]))
    sys.exit("one session more than the quota")
except numd.Error as e:
    assert "quota of sessions" in str(e), e
expected = np.asarray(numd.sin(numd.ones(1, session=sessions[0])))[0]
calls, wrong = [0] * {SESSIONS * THREADS}, []
def run(k):
    session = sessions[k % {SESSIONS}]
    a = numd.ones(300_000, session=session)
    b = numd.ones(300_000, session=session)
    while True:
        numd.sin(a, out=b)
        calls[k] += 1
        if calls[k] % 50 == 0 and (np.asarray(b) != expected).any():
            wrong.append(k)
for k in range(len(calls)):
    threading.Thread(target=run, args=(k,), daemon=True).start()
for line in sys.stdin:
    print(min(calls), len(wrong), flush=True)
"""

OTHER = """
import sys, time
import numpy as np
import numd
session = numd.connect(sys.argv[1])
x = np.random.default_rng(int(sys.argv[3])).standard_normal(200_000)
a, small = numd.asarray(x, session=session), numd.asarray(x[:64], session=session)
total, total_small, wrong = float(a.sum()), float(small.sum()), 0
assert abs(total - x.sum()) < 1e-9 * np.abs(x).sum()
print("begins", flush=True)
n, until = 0, time.monotonic() + 3.0
while n < int(sys.argv[2]) or time.monotonic() < until:
    wrong += float(a.sum()) != total
    wrong += float(small.sum()) != total_small
    n += 1
print("ends", n, wrong, flush=True)
"""


def start(uid, code, *words):
    env = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], text=True, user=uid, group=uid,
                            extra_groups=[], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=dict(env, PYTHONPATH=os.path.abspath(os.environ["PYTHONPATH"])))


def cpu_s(pids):
    """Processor time that some processes have used so far."""
    return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in pids) / 1e9


@only_root
@only_in_public
def test_a_user_at_its_quota_keeps_to_half_of_the_cores_while_another_calls():
    seed, n = int.from_bytes(os.urandom(4), "little"), scaled(50000)
    print("seed", seed)
    half = (len(os.sched_getaffinity(0)) + 1) // 2
    d = PublicDaemon(f"--quota=sessions={SESSIONS}")
    busy = start(ALICE, BUSY, d.path)
    other = None

    def ask():
        busy.stdin.write("\n")
        busy.stdin.flush()
        return tuple(map(int, busy.stdout.readline().split()))

    try:
        assert eventually(lambda: ask()[0] > 0, 60), "every thread has had a call done"
        with d.connect() as c:
            workers = [s["pid"] for s in c.request("stats")["sessions"] if s["uid"] == ALICE]
        assert len(workers) == SESSIONS
        other = start(BOB, OTHER, d.path, n, seed)
        assert other.stdout.readline() == "begins\n"
        time.sleep(1)  # what was under way is done
        begun, before = time.monotonic(), cpu_s(workers)
        _, made, wrong = other.stdout.readline().split()
        ended, after = time.monotonic(), cpu_s(workers)
        assert after - before < 1.2 * half * (ended - begun)
        calls_then = ask()[0]
        assert eventually(lambda: ask()[0] > calls_then, 60), "it goes on: its slowest thread too"
        assert (int(wrong), ask()[1]) == (0, 0)
        note("20 a user at its quota", 2 * int(made), 2 * int(made) - int(wrong))
    finally:
        for process in filter(None, (busy, other)):
            process.kill()
            process.wait()
        assert d.stop() == 0, d.log()


def in_steps(n_steps):
    """A program of serial steps, each too short to be shared out over cores."""
    return program([["array", ["float64", [4096], None]]],
                   [["cumulative_sum", [i], {"axis": 0}] for i in range(n_steps)], [[n_steps, {}]])


def attach_memfd(s, n_bytes):
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, n_bytes)
    s.request("attach", 0, {"fd": True}, fds=[fd])
    os.close(fd)


def running_anywhere(pids, half):
    """How many threads of some processes, but for main threads, run or wait for a core, and may run on more than half
    of the cores."""
    n = 0
    for pid in pids:
        for task in map(int, os.listdir(f"/proc/{pid}/task")):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/stat") as f:
                n += (task != pid and f.read().rsplit(")", 1)[1].split()[0] == "R"
                      and len(os.sched_getaffinity(task)) > half)
    return n


@only_root
def test_calls_of_many_small_steps_take_turns_too():
    """Sixteen calls of four sessions at once; they keep to half of the cores, while a call of another user every few
    milliseconds says that he is there."""
    half, n_looks = (len(os.sched_getaffinity(0)) + 1) // 2, 60
    gate, open_gate = os.pipe()
    d = PublicDaemon()

    def attack(say, wait):
        sessions = [d.connect(timeout=60) for _ in range(SESSIONS)]
        for s in sessions:
            attach_memfd(s, 1 << 20)
            s.request("prepare", 1, in_steps(250))
            for _ in range(THREADS):
                s.post("call", 1, [[0, 0], [0, 1 << 16]])
        say([s.info["pid"] for s in sessions])
        while True:
            ready, _, _ = select.select([s.sock for s in sessions], [], [], 60)
            for s in (s for s in sessions if s.sock in ready):
                s.unpacker.feed(s.sock.recv(1 << 16))
                for _ in s.unpacker:
                    s.post("call", 1, [[0, 0], [0, 1 << 16]])

    def call(say, wait):
        with d.connect(timeout=60) as s:
            attach_memfd(s, 4096)
            s.request("prepare", 1, program([["array", ["float64", [64], None]]], [["sum", [0], {}]],
                                            [[1, {"result": True}]]))
            say("ready")
            while not select.select([gate], [], [], 0.005)[0]:
                s.request("call", 1, [[0, 0]])

    attacker, other = User(ALICE, attack), User(BOB, call)
    try:
        workers = attacker.said()
        assert other.said() == "ready"
        time.sleep(1)
        found, begun, before = [], time.monotonic(), cpu_s(workers)
        for _ in range(n_looks):
            found.append(running_anywhere(workers, half))
            time.sleep(0.02)
        assert cpu_s(workers) - before < 1.2 * half * (time.monotonic() - begun)
        assert sorted(found)[n_looks // 2] == 0, found
        note("24 calls of many small steps", n_looks, n_looks)
    finally:
        os.kill(attacker.pid, signal.SIGKILL)
        attacker.close()
        os.write(open_gate, b"x")
        other.close()
        os.close(gate)
        os.close(open_gate)
        assert d.stop() == 0, d.log()


def prepare_sums(s):
    """Plans of one large step: 1 takes long, 2 does not."""
    attach_memfd(s, 1 << 25)
    for plan, times in ((1, 2000), (2, 1)):
        s.request("prepare", plan, program([["array", ["float64", [times, 1 << 22], [0, 8]]]],
                                           [["exp", [0], {}], ["sum", [1], {}]], [[2, {"result": True}]]))


def check_cores_come_back(d, stopped, other):
    """The session `stopped` has all cores when it stops. The other gets them, and then it goes on as if nothing had
    been."""
    prepare_sums(stopped)
    prepare_sums(other)
    owners = lambda: other.request("stats")["core_owners"]  # noqa: E731
    worker, n = stopped.info["pid"], len(owners())
    stopped.post("call", 1, [[0, 0]])
    assert eventually(lambda: owners() == [worker] * n, 20)
    os.kill(worker, signal.SIGSTOP)
    try:
        assert eventually(lambda: other.request("call", 2, [[0, 0]]) and worker not in owners(), 20)
        call = other.post("call", 1, [[0, 0]])
        with d.connect() as third:
            assert eventually(lambda: third.request("stats")["core_owners"] == [other.info["pid"]] * n, 20)
    finally:
        os.kill(worker, signal.SIGCONT)
    stopped.notify("cancel", {"msgid": stopped.msgid})
    with pytest.raises(Refused, match="cancelled"):
        stopped.answer(stopped.msgid)
    other.notify("cancel", {"msgid": call})
    with pytest.raises(Refused, match="cancelled"):
        other.answer(call)
    assert owners() == [None] * n
    assert eventually(lambda: other.request("call", 2, [[0, 0]]), 1)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core is never taken from the count")
def test_a_stopped_worker_holds_no_cores(tmp_path):
    """Of one's own, too."""
    times = scaled(100)
    d = Daemon(tmp_path)
    try:
        for _ in range(times):
            with d.connect(timeout=60) as stopped, d.connect(timeout=60) as other:
                check_cores_come_back(d, stopped, other)
        note("26 a stopped worker with all cores", times, times)
    finally:
        assert d.stop() == 0, d.log()
