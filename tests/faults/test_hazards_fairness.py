# SPDX-License-Identifier: BSD-3-Clause
"""A busy user does not starve the rest. What it costs them in time, `make bench-fairness` measures; here is what must
hold whatever the machine: its calls keep to half of the cores while another makes calls, both get theirs done, and
right."""

import os
import subprocess
import sys
import time

from ledger import note, scaled
from stranger import eventually
from users import ALICE, BOB, PublicDaemon, only_in_public, only_root

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
