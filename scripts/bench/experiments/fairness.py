# SPDX-License-Identifier: BSD-3-Clause
"""What a user at its quota costs another one: the victim's times with an attacker at work, as ratios to what half of
the cores alone costs. While both make calls each has half of them. What that costs by itself, with nobody else in the
victim's daemon, is measured in turns of their own: a daemon and a client that may use one half of the cores only,
while NumPy computes large functions in other processes on the other half.

One daemon serves all users, so this is for root. Each attack (fairness_attacker.py) has a user of its own, with as many
sessions as its quota lets it, and in each several threads; it is stopped and goes on in turns (SIGSTOP, SIGCONT), so
that what else disturbs the machine disturbs all turns alike. The stopped workers are stopped in their turn, inside of
calls. The targets: the victim's median at most doubled, and its p99 at most three times what half of the cores costs.

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

FIRST_ATTACKER, VICTIM = 65400, 65532  # no accounts are needed
PROCESSES, THREADS = 4, 4  # of an attacker; threads in each session: as many as calls of one session run at once
NEIGHBOUR_ITEMS = 10**6
TARGETS = {50: 2.0, 99: 3.0}
ATTACKER_CODE = pathlib.Path(__file__).with_name("fairness_attacker.py").read_text()
ATTACKS = ("large calls", "small steps", "small steps by the socket", "small calls", "small calls by the socket",
           "odd shapes", "memory requests", "connections", "stopped workers")

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
KINDS = ("alone", "half", "attacked")  # of turns; attacked in as many ways as there are attacks


def start_on(cores):
    die_with_parent()
    os.setsid()  # so that it is stopped with its children
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
        os.killpg(self.process.pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def user_ids(pid):
    """As whom a process runs; not the owner of its directory in /proc, who may be root."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {int(word) for line in lines if line.startswith("Uid:") for word in line.split()[1:]}


class Attacker:
    """A user with an attack, paused between its turns."""
    def __init__(self, bench, name, uid, build, path, sessions):
        self.uid, self.daemon, self.stops_workers = uid, bench.pid, name == "stopped workers"
        self.user = bench.user(uid, bench.cores, ATTACKER_CODE, build, name, path, sessions,
                               min(PROCESSES, sessions), THREADS)
        self.calls()
        self.user.pause(True)

    def calls(self):
        self.user.say("")
        return int(self.user.line())

    def workers(self):
        """The processes of its sessions, of which the daemon is the parent."""
        pids = map(int, pathlib.Path(f"/proc/{self.daemon}/task/{self.daemon}/children").read_text().split())
        return [pid for pid in pids if self.uid in user_ids(pid)]

    def begin(self):
        self.user.pause(False)
        time.sleep(0.5)
        if self.stops_workers:
            self.signal_workers(signal.SIGSTOP)
            time.sleep(1.0)  # until that is noticed, and who made calls is not thought to go on

    def end(self):
        if self.stops_workers:
            self.signal_workers(signal.SIGCONT)
        self.user.pause(True)
        time.sleep(0.5)  # until calls under way have ended

    def signal_workers(self, number):
        for pid in self.workers():
            os.kill(pid, number)


class Bench:
    """The daemons and users; a turn is alone, on half of the cores, or beside an attack."""
    def __init__(self, build, directory, sessions, attacks):
        self.cores = cores = sorted(os.sched_getaffinity(0))
        half, rest = set(cores[:max(1, len(cores) // 2)]), set(cores[len(cores) // 2:])
        self.ends = []
        path, self.pid = self.daemon(build, directory, "all", cores, sessions)
        path_half, _ = self.daemon(build, directory, "half", half, sessions)
        self.attackers = {name: Attacker(self, name, FIRST_ATTACKER + k, build, path, sessions)
                          for k, name in enumerate(attacks)}
        self.neighbours = [self.user(FIRST_ATTACKER, rest, NEIGHBOUR, build, NEIGHBOUR_ITEMS) for _ in rest]
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
            daemon = subprocess.Popen([build / "numd", "--socket", path, "--workers-max=960",
                                       f"--quota=sessions={sessions}"], stderr=log,
                                      preexec_fn=lambda: start_on(cores))
        self.ends += [daemon.wait, daemon.terminate]
        until = time.monotonic() + 10
        while not os.path.exists(path):
            if daemon.poll() is not None or time.monotonic() > until:
                sys.exit("the daemon does not listen")
            time.sleep(0.02)
        return path, daemon.pid

    def stop(self):
        for end in reversed(self.ends):
            end()

    def victims_times(self, kind, case, seconds):
        victim = self.victim_half if kind == "half" else self.victim
        victim.say([case, seconds])
        return json.loads(victim.line())

    def turn(self, kind, case, seconds):
        """The victim's samples, and the calls a second of the attacker that the turn is named after."""
        if kind in self.attackers:
            return self.attacked_turn(self.attackers[kind], case, seconds)
        for neighbour in self.neighbours:
            neighbour.pause(kind != "half")
        time.sleep(0.2)
        ns = self.victims_times(kind, case, seconds)
        for neighbour in self.neighbours:
            neighbour.pause(True)
        return ns, None

    def attacked_turn(self, attacker, case, seconds):
        attacker.begin()
        before, begun = attacker.calls(), time.monotonic()
        ns = self.victims_times("attacked", case, seconds)
        rate = (attacker.calls() - before) / (time.monotonic() - begun)
        attacker.end()
        return ns, rate


def figures(kind, rounds):
    """{name: figure} of the turns of one kind; rounds: each one's samples."""
    together = sorted(x for samples in rounds for x in samples)
    found = {f"quantiles_{kind}_ns": [quantile(together, q) for q in QUANTILES]}
    # How many calls there were in a second tells of waits that few of many short calls meet, and no percentile shows.
    found[f"calls_per_s_{kind}"] = 1e9 * len(together) / sum(together)
    return found | {f"p{q}_{kind}_ns": percentile(together, q) for q in TARGETS}


def compare(attacked, other):
    """{q: the ratio of the q-th percentiles in each round}"""
    return {q: [percentile(a, q) / percentile(b, q) for a, b in zip(attacked, other)] for q in TARGETS}


def measure(bench, n_rounds, seconds, progress):
    """A row for each case of the victim and each attack."""
    rows = []
    for case in CASES:
        def turn(kind, case=case):
            found = bench.turn(kind, case, seconds)
            progress.step(f"{case}, {kind}")
            return found

        turns = interleaved(("alone", "half", *bench.attackers), turn, range(n_rounds))
        ns = {kind: [samples for samples, _ in some] for kind, some in turns.items()}
        for attack in bench.attackers:
            row = {"case": case, "attack": attack,
                   "attacker_calls_per_s": statistics.median(rate for _, rate in turns[attack])}
            for kind in KINDS:
                row |= figures(kind, ns[attack if kind == "attacked" else kind])
            for other in ("alone", "half"):
                for q, ratios in compare(ns[attack], ns[other]).items():
                    row[f"ratios_p{q}_to_{other}"], row[f"ratio_p{q}_to_{other}"] = ratios, statistics.median(ratios)
            row["met"] = all(row[f"ratio_p{q}_to_half"] <= most for q, most in TARGETS.items())
            rows.append(row)
    return rows


def spread(ratios):
    return f"{digits(statistics.median(ratios))} ({digits(min(ratios))}-{digits(max(ratios))})"


def show(rows):
    print(f"{'':26} {'victim p50, us':^27} {'victim p99, us':^27} {'attacked : half':^23} {'attacker,':>9}")
    print(f"{'attack':26} " + 2 * f"{'alone':>9}{'half':>9}{'attacked':>9} "
          + f"{'p50':>7} {'p99':>7} {'calls':>7} {'calls/s':>9}")
    for k, row in enumerate(rows):
        if k == 0 or row["case"] != rows[k - 1]["case"]:
            print(f"{row['case']}:")
        times = "".join(f"{row[f'p{q}_{kind}_ns'] / 1000:9.1f}{end}" for q in TARGETS
                        for kind, end in zip(KINDS, ("", "", " ")))
        print(f"  {row['attack']:25}{times}{row['ratio_p50_to_half']:7.2f} {row['ratio_p99_to_half']:7.2f} "
              f"{row['calls_per_s_attacked'] / row['calls_per_s_half']:7.2f} {row['attacker_calls_per_s']:9.0f}"
              f"{'' if row['met'] else '  MISSED'}")
    print(f"targets: {targets_text()}")


def targets_text():
    return " and ".join(f"p{q} at most {most:g} times" for q, most in TARGETS.items()) + " what half of the cores costs"


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
    title = f"Time of a call of the victim, {row['case']}, beside {row['attack']}"
    return panel(curves, fronts, axes, None, title, about)


def page(found):
    rows = found["rows"]
    n_met = sum(row["met"] for row in rows)
    head = ('<p class="dim">numd: what a user at its quota costs another</p>'
            f"<h1>{n_met} of {len(rows)} targets are met: the victim’s {targets_text()}</h1>")
    lines = [[raised(row["case"]), row["attack"],
              *(f"{duration(row[f'p50_{kind}_ns'])}, {duration(row[f'p99_{kind}_ns'])}" for kind in KINDS),
              spread(row["ratios_p50_to_half"]), spread(row["ratios_p99_to_half"]),
              digits(row["calls_per_s_attacked"] / row["calls_per_s_half"]),
              f"{row['attacker_calls_per_s']:.0f}", VERDICTS[row["met"]]] for row in rows]
    columns = ["victim calls", "attack", "p50, p99 alone", "half of the cores", "attacked", "p50, attacked : half",
               "p99, attacked : half", "calls, attacked : half", "attacker’s calls a second", "targets"]
    notes = [f"The attackers: {found['sessions']} sessions, the quota, {found['threads']} threads in each, one attack "
             "at a time without a pause; scripts/bench/experiments/fairness_attacker.py has them.",
             f"{found['rounds']} rounds of turns of {found['seconds']} s, on {found['cores']} cores. Ratios: the "
             "median of the rounds, with the least and the greatest.",
             "Half of the cores: a daemon and a victim that may use no more, with nobody else in that daemon, "
             "while NumPy computes on the other half. What two users who both make calls get."]
    pictures = "".join(figure(picture(row), heading=f"{raised(row['case'])}, {row['attack']}") for row in rows)
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
    parser.add_argument("--only", help="some attacks, with commas between them: " + ", ".join(ATTACKS))
    words = parser.parse_args(argv)
    if os.getuid() != 0:
        sys.exit("make bench-fairness: several users are needed, and only root can be all of them")
    attacks = words.only.split(",") if words.only else ATTACKS
    if not set(attacks) <= set(ATTACKS):
        parser.error("--only: the attacks are " + ", ".join(ATTACKS))
    sessions, rounds, seconds = (4, 2, 0.5) if words.quick else (32, 6, 2.0)
    with tempfile.TemporaryDirectory(prefix="numd-fairness-", dir="/tmp") as directory:
        os.chmod(directory, 0o755)
        build = copy_programs(words.build.resolve(), directory)
        progress = Progress(len(CASES) * (2 + len(attacks)) * rounds)
        bench = Bench(build, directory, sessions, attacks)
        try:
            rows = measure(bench, rounds, seconds, progress)
        finally:
            progress.end()
            bench.stop()
    print(f"attackers: {sessions} sessions, the quota, with {THREADS} threads each; "
          f"{rounds} rounds of turns of {seconds} s")
    show(rows)
    found = {"sessions": sessions, "threads": THREADS, "rounds": rounds, "seconds": seconds,
             "cores": len(os.sched_getaffinity(0)), "rows": rows}
    report = words.build / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "fairness.json").write_text(json.dumps(found, indent=1) + "\n")
    (report / "fairness.html").write_text(page(found))
    print(f"the same with a picture: {report / 'fairness.html'}")

