# SPDX-License-Identifier: BSD-3-Clause
"""What a user at its quota costs another one: the victim's p99 with the attacker at work, as a ratio to that without.

One daemon serves two users, so this is for root. The attacker has as many sessions as its quota lets it, and in each
several threads with large calls without a pause; it is stopped and goes on in turns (SIGSTOP, SIGCONT), so that what
else disturbs the machine disturbs all turns alike. The target is a ratio of 2 at most.

While both make calls each has half of the cores. What that alone costs the victim, with nobody else in its daemon, is
measured in turns of a third kind: a daemon and a client that may use one half of the cores only, while NumPy computes
the attacker's function in other processes on the other half.

Writes fairness.json and fairness.html, a picture of the distributions, into BUILD/report.
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

from bench.harness.processes import die_with_parent
from bench.harness.progress import Progress
from bench.harness.rounds import interleaved
from bench.numbers.number_text import digits, duration, short_duration
from bench.numbers.stats import QUANTILES, percentile, quantile
from bench.page.html_parts import VERDICTS, bullet_list, document, figure, raised, table
from bench.page.panels import Axes, BOTTOM, Curve, Front, LEFT, RIGHT, TOP, decades, odds, panel
from bench.page.svg import LogScale, decade_range

ATTACKER, VICTIM = 65533, 65532  # no accounts are needed
THREADS = 4                      # of the attacker in each session: as many as calls of one session run at once
ATTACK_ITEMS = 10**6
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

calls = [0] * (n_sessions * n_threads)
def run(session, k):
    a = numd.ones(n, session=session)
    while True:
        numd.sin(a, out=a)
        calls[k] += 1

for k in range(len(calls)):
    threading.Thread(target=run, args=(sessions[k % n_sessions], k), daemon=True).start()
for line in sys.stdin:
    print(sum(calls), flush=True)
"""

NEIGHBOUR = """
import sys
import numpy as np
a = np.ones(int(sys.argv[1]))
while True:
    np.sin(a, out=a)
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
KINDS = ("alone", "half", "attacked")


def start_on(cores):
    die_with_parent()
    os.sched_setaffinity(0, cores)


class User:
    """A Python program that runs as a user, on some cores, and talks through its standard streams."""

    def __init__(self, uid, cores, code, build, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")}
        self.process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], text=True, user=uid, group=uid,
                                        extra_groups=[], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(env, PYTHONPATH=str(build / "python")),
                                        preexec_fn=lambda: start_on(cores))

    def say(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a client ended with code {self.process.wait()}")
        return line

    def pause(self, paused):
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Bench:
    """The daemons and users; a turn has one of three kinds."""
    def __init__(self, build, directory, sessions):
        cores = sorted(os.sched_getaffinity(0))
        half, rest = set(cores[:max(1, len(cores) // 2)]), set(cores[len(cores) // 2:])
        self.ends = []
        path = self.daemon(build, directory, "all", cores, sessions)
        path_half = self.daemon(build, directory, "half", half, sessions)
        self.attacker = self.user(ATTACKER, cores, ATTACK, build, path, sessions, THREADS, ATTACK_ITEMS)
        self.attacker_calls()
        self.attacker.pause(True)
        self.neighbours = [self.user(ATTACKER, rest, NEIGHBOUR, build, ATTACK_ITEMS) for _ in rest]
        for neighbour in self.neighbours:
            neighbour.pause(True)
        self.victim = self.user(VICTIM, cores, VICTIM_CODE, build, path)
        self.victim_half = self.user(VICTIM, half, VICTIM_CODE, build, path_half)

    def user(self, *words):
        user = User(*words)
        self.ends.append(user.stop)
        return user

    def daemon(self, build, directory, name, cores, sessions):
        path = os.path.join(directory, f"{name}.sock")
        with open(os.path.join(directory, f"{name}.log"), "wb") as log:
            daemon = subprocess.Popen([build / "numd", "--socket", path, f"--quota=sessions={sessions}"], stderr=log,
                                      preexec_fn=lambda: start_on(cores))
        self.ends += [daemon.wait, daemon.terminate]
        until = time.monotonic() + 10
        while not os.path.exists(path):
            if daemon.poll() is not None or time.monotonic() > until:
                sys.exit("the daemon does not listen")
            time.sleep(0.02)
        return path

    def stop(self):
        for end in reversed(self.ends):
            end()

    def attacker_calls(self):
        self.attacker.say("")
        return int(self.attacker.line())

    def attacker_rate(self, work):
        """Calls a second while `work` runs; and what that gives."""
        before, begun = self.attacker_calls(), time.monotonic()
        result = work()
        rate = (self.attacker_calls() - before) / (time.monotonic() - begun)
        if rate == 0:
            sys.exit("the attacker got nothing done")
        return rate, result

    def turn(self, kind, case, seconds):
        """The victim's samples, and the attacker's calls a second."""
        self.attacker.pause(kind != "attacked")
        for neighbour in self.neighbours:
            neighbour.pause(kind != "half")
        time.sleep(0.5)  # until calls under way have ended, or begun
        victim = self.victim_half if kind == "half" else self.victim
        victim.say([case, seconds])
        if kind != "attacked":
            return json.loads(victim.line()), None
        rate, ns = self.attacker_rate(lambda: json.loads(victim.line()))
        return ns, rate

    def attacker_alone(self, seconds):
        self.attacker.pause(False)
        time.sleep(0.5)
        return self.attacker_rate(lambda: time.sleep(seconds))[0]


def measure(bench, n_rounds, seconds, progress):
    """For each case p50, p99 and other quantiles in turns of each kind, and the ratios of the p99s in each round."""
    rows = []
    for case in CASES:
        def turn(kind, case=case):
            found = bench.turn(kind, case, seconds)
            progress.step(f"{case}, {kind}")
            return found

        turns = interleaved(KINDS, turn, range(n_rounds))
        ns = {kind: [samples for samples, _ in some] for kind, some in turns.items()}
        row = {"case": case, "attacker_calls_per_s": statistics.median(rate for _, rate in turns["attacked"])}
        for kind in KINDS:
            together = sorted(x for samples in ns[kind] for x in samples)
            row[f"quantiles_{kind}_ns"] = [quantile(together, q) for q in QUANTILES]
            for q in (50, 99):
                row[f"p{q}_{kind}_ns"] = percentile(together, q)
        for other in ("alone", "half"):
            ratios = [percentile(a, 99) / percentile(b, 99) for a, b in zip(ns["attacked"], ns[other])]
            row[f"ratios_p99_to_{other}"], row[f"ratio_p99_to_{other}"] = ratios, statistics.median(ratios)
        rows.append(row)
    return rows


def spread(ratios):
    return f"{digits(statistics.median(ratios))} ({digits(min(ratios))}-{digits(max(ratios))})"


def show(rows):
    print(f"{'':12} {'victim p50, us':^28} {'victim p99, us':^28} {'p99, attacked :':^31} {'attacker,':>9}")
    print(f"{'victim calls':12} " + 2 * f"{'alone':>9}{'half':>9}{'attacked':>10} "
          + f"{'alone':>20} {'half':>10} {'calls/s':>9}")
    for row in rows:
        times = "".join(f"{row[f'p{q}_{kind}_ns'] / 1000:{width}.1f}{end}" for q in (50, 99)
                        for kind, width, end in (("alone", 9, ""), ("half", 9, ""), ("attacked", 10, " ")))
        verdict = "" if row["ratio_p99_to_alone"] <= TARGET else f"  MISSED {TARGET:g}"
        print(f"{row['case']:12} {times}{spread(row['ratios_p99_to_alone']):>21} {row['ratio_p99_to_half']:9.2f} "
              f"{row['attacker_calls_per_s']:9.0f}{verdict}")


SIDES = {"alone": Front("alone", ("c0", "circle")),
         "half": Front("half of the cores", ("c2", "square"), "w-sleep"),
         "attacked": Front("attacked", ("c1", "diamond"), "w-auto")}


def picture(row):
    """The quantiles of the victim's calls in turns of each kind."""
    curves = []
    for kind in KINDS:
        known = [(q, v) for q, v in zip(QUANTILES, row[f"quantiles_{kind}_ns"]) if v]
        curves.append(Curve((kind,), [(odds(q), v, f"p{q:g} {duration(v)}") for q, v in known]))
    x = LogScale(odds(0.7), odds(99.94), LEFT, RIGHT)
    y = LogScale(*decade_range([y for c in curves for _, y, _ in c.points], 1.0), BOTTOM, TOP)
    marks = [(odds(q), f"{q:g}") for q in (1, 10, 50, 90, 99, 99.9)]
    axes = Axes(x, y, marks, decades(y, short_duration), "percentile")
    about = "; ".join(f"{SIDES[c.key[0]].label}: {', '.join(tip for _, _, tip in c.points)}" for c in curves)
    fronts = {c.key: SIDES[c.key[0]] for c in curves}
    return panel(curves, fronts, axes, None, f"Time of a call of the victim, {row['case']}", about)


def page(found):
    rows = found["rows"]
    worst = max(rows, key=lambda row: row["ratio_p99_to_alone"])
    met = worst["ratio_p99_to_alone"] <= TARGET
    head = (f'<p class="dim">numd: what a user at its quota costs another</p><h1>The victim’s p99 grows to at most '
            f'{digits(worst["ratio_p99_to_alone"])} times what it was ({raised(worst["case"])}); the target of '
            f"{TARGET:g} is {VERDICTS[met]}</h1>")
    lines = [[raised(row["case"]), *(duration(row[f"p99_{kind}_ns"]) for kind in KINDS),
              spread(row["ratios_p99_to_alone"]), spread(row["ratios_p99_to_half"]),
              VERDICTS[row["ratio_p99_to_alone"] <= TARGET]] for row in rows]
    columns = ["victim calls", "p99 alone", "half of the cores", "attacked", "attacked : alone", "attacked : half",
               f"at most {TARGET:g}"]
    rates = " and ".join(f"{row['attacker_calls_per_s']:.0f}" for row in rows)
    notes = [f"The attacker: {found['sessions']} sessions, its quota, {found['threads']} threads in each, calls of "
             f"10<sup>6</sup> elements without a pause: {found['attacker_calls_per_s_alone']:.0f} a second when alone, "
             f"{rates} while the victim makes calls.",
             f"{found['rounds']} rounds of turns of {found['seconds']} s, on {found['cores']} cores. Ratios: the "
             "median of the rounds, with the least and the greatest.",
             "Half of the cores: a daemon and a victim that may use no more, with nobody else in that daemon, "
             "while NumPy computes the attacker’s function on the other half. What two users who both make calls get."]
    pictures = "".join(figure(picture(row), heading=raised(row["case"])) for row in rows)
    return document("numd: fairness", head, table(columns, lines) + "<h2>Time of the victim’s calls</h2>"
                    + f'<div class="grid">{pictures}</div>' + "<h2>Method</h2>" + bullet_list(notes), css=("page.css",))


def copy_programs(build, directory):
    """The build where other users can read it: a checkout often lies in a home directory."""
    target = pathlib.Path(directory) / "build"
    shutil.copytree(build / "python", target / "python", symlinks=False)
    for name in ("numd", "numd-worker", *(path.name for path in build.glob("libnumd.so.*"))):
        shutil.copy2(build / name, target / name)
    return target


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns, fewer sessions")
    words = parser.parse_args(argv)
    if os.getuid() != 0:
        sys.exit("make bench-fairness: two users are needed, and only root can be both")
    sessions, rounds, seconds = (4, 2, 0.5) if words.quick else (32, 6, 2.0)
    with tempfile.TemporaryDirectory(prefix="numd-fairness-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        build = copy_programs(words.build.resolve(), directory)
        bench, progress = Bench(build, directory, sessions), Progress(len(CASES) * len(KINDS) * rounds)
        try:
            rows = measure(bench, rounds, seconds, progress)
            alone = bench.attacker_alone(seconds)
        finally:
            progress.end()
            bench.stop()
    print(f"attacker: {sessions} sessions, its quota, with {THREADS} threads each, {alone:.0f} calls/s when alone; "
          f"{rounds} rounds of turns of {seconds} s")
    show(rows)
    found = {"sessions": sessions, "threads": THREADS, "attacker_calls_per_s_alone": alone, "rounds": rounds,
             "seconds": seconds, "cores": len(os.sched_getaffinity(0)), "rows": rows}
    report = words.build / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "fairness.json").write_text(json.dumps(found, indent=1) + "\n")
    (report / "fairness.html").write_text(page(found))
    print(f"the same with a picture: {report / 'fairness.html'}")

