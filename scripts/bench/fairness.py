#!/usr/bin/env python3
"""What a user at its quota costs another one: the victim's p99 with the attacker at work, as a ratio to that without.

One daemon serves two users, so this is for root. The attacker has as many sessions as its quota lets it, and in each
several threads with large calls without a pause; it is stopped and goes on in turns (SIGSTOP, SIGCONT), so that what
else disturbs the machine disturbs both sides of each pair of turns. The target is a ratio of 2 at most.

Writes fairness.json into BUILD/report.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from processes import die_with_parent
from stats import percentile

ATTACKER, VICTIM = 65533, 65532  # no accounts are needed
THREADS = 4                      # of the attacker in each session: as many as calls of one session run at once
TARGET = 2.0

ATTACK = """
import sys, threading
import numd
path, n_sessions, n_threads, n = sys.argv[1], *map(int, sys.argv[2:5])
sessions = [numd.connect(path) for _ in range(n_sessions)]
try:
    numd.ones(8, session=numd.connect(path))
    sys.exit("the attacker is not at its quota: it got one more session")
except numd.Error as e:
    assert "quota of sessions" in str(e), e

def run(session):
    a = numd.ones(n, session=session)
    while True:
        numd.sin(a, out=a)

for s in sessions:
    for _ in range(n_threads):
        threading.Thread(target=run, args=(s,), daemon=True).start()
print("at work", flush=True)
threading.Event().wait()
"""

VICTIM_CODE = """
import json, sys, time
import numd
session = numd.connect(sys.argv[1])
cases = {}
for name, n in (("sum of 64", 64), ("sum of 10^6", 10**6)):
    a = numd.ones(n, session=session)
    a.sum()
    cases[name] = a
for line in sys.stdin:
    name, seconds = json.loads(line)
    a, clock, ns = cases[name], time.perf_counter_ns, []
    end = clock() + seconds * 1e9
    while (before := clock()) < end:
        a.sum()
        ns.append(clock() - before)
    print(json.dumps(ns), flush=True)
"""
CASES = ("sum of 64", "sum of 10^6")


class User:
    """A Python program that runs as a user and talks through its standard streams."""

    def __init__(self, uid, code, build, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")}
        self.process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], text=True, user=uid, group=uid,
                                        extra_groups=[], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(env, PYTHONPATH=str(build / "python")), preexec_fn=die_with_parent)

    def say(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a client ended with code {self.process.wait()}")
        return line

    def stop(self):
        self.process.kill()
        self.process.wait()


def turn(victim, attacker, case, seconds, attacked):
    """The victim's samples of one turn."""
    attacker.process.send_signal(signal.SIGCONT if attacked else signal.SIGSTOP)
    time.sleep(0.5)  # until calls under way have ended, or begun
    victim.say([case, seconds])
    return json.loads(victim.line())


def measure(victim, attacker, pairs, seconds):
    """For each case the p50 and p99 without and with the attacker, and the ratio in each pair of turns."""
    rows = []
    for case in CASES:
        ratios, all_ns = [], {False: [], True: []}
        for k in range(pairs):
            ns = {}
            for attacked in ((False, True) if k % 2 == 0 else (True, False)):
                ns[attacked] = turn(victim, attacker, case, seconds, attacked)
                all_ns[attacked] += ns[attacked]
            ratios.append(percentile(ns[True], 99) / percentile(ns[False], 99))
        rows.append({"case": case, "ratio_p99": statistics.median(ratios), "ratios_p99": ratios,
                     **{f"p{q}_{word}_ns": percentile(all_ns[attacked], q)
                        for q in (50, 99) for attacked, word in ((False, "alone"), (True, "attacked"))}})
    return rows


def start_daemon(build, directory, sessions):
    os.chmod(directory, 0o755)
    path = os.path.join(directory, "numd.sock")
    with open(os.path.join(directory, "log"), "wb") as log:
        daemon = subprocess.Popen([build / "numd", "--socket", path, f"--quota=sessions={sessions}"], stderr=log,
                                  preexec_fn=die_with_parent)
    until = time.monotonic() + 10
    while not os.path.exists(path):
        if daemon.poll() is not None or time.monotonic() > until:
            sys.exit("the daemon does not listen")
        time.sleep(0.02)
    return daemon, path


def copy_programs(build, directory):
    """The build where other users can read it: a checkout often lies in a home directory."""
    target = pathlib.Path(directory) / "build"
    shutil.copytree(build / "python", target / "python", symlinks=False)
    for name in ("numd", "numd-worker", "libnumd.so.0"):
        shutil.copy2(build / name, target / name)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns, fewer sessions")
    words = parser.parse_args()
    if os.getuid() != 0:
        sys.exit("make bench-fairness: two users are needed, and only root can be both")
    sessions, pairs, seconds = (4, 2, 0.5) if words.quick else (32, 6, 2.0)
    users = []
    with tempfile.TemporaryDirectory(prefix="numd-fairness-", dir="/tmp") as directory:
        build = copy_programs(words.build.resolve(), directory)
        daemon, path = start_daemon(build, directory, sessions)
        try:
            users.append(attacker := User(ATTACKER, ATTACK, build, path, sessions, THREADS, 10**6))
            attacker.line()
            users.append(victim := User(VICTIM, VICTIM_CODE, build, path))
            rows = measure(victim, attacker, pairs, seconds)
        finally:
            for user in users:
                user.stop()
            daemon.terminate()
            daemon.wait()
    print(f"attacker: {sessions} sessions, its quota, with {THREADS} threads each; {pairs} pairs of turns of {seconds} s")
    print(f"{'victim calls':12} {'p50 alone':>11} {'attacked':>11} {'p99 alone':>11} {'attacked':>11} {'p99 ratio':>10}")
    for row in rows:
        times = [row[f"p{q}_{word}_ns"] / 1000 for q in (50, 99) for word in ("alone", "attacked")]
        verdict = "" if row["ratio_p99"] <= TARGET else f"  above the target of {TARGET:g}"
        print(f"{row['case']:12} " + " ".join(f"{t:8.1f} us" for t in times) + f" {row['ratio_p99']:10.2f}{verdict}")
    report = words.build / "report"
    report.mkdir(parents=True, exist_ok=True)
    with open(report / "fairness.json", "w") as f:
        json.dump({"sessions": sessions, "threads": THREADS, "rows": rows}, f, indent=1)


if __name__ == "__main__":
    main()
