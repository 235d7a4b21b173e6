# SPDX-License-Identifier: BSD-3-Clause
"""Latency against rate: an open loop, in which requests come when they come.

A schedule of moments is made first, a Poisson process by a seed: gaps between requests are independent, as those of
many users are. A client (ways_c/scheduled.c, runner_schedule.py) makes one call after the other, none before it is
due; if it is late it calls at once. Latency counts from the moment when a request was due, so that the time that it
waited for its turn counts. A closed loop asks less often just when the other side is slow, and so leaves the worst
out; that is called coordinated omission.

A rate is sustained if the calls were done by the end of the schedule, or a little later. If not, the latencies
grow for as long as one cares to ask, and say nothing but that: the rate that was reached stands there instead. Each
run ends at a time limit, whatever is left of its schedule.

Processor time is of both sides over the time of the schedule. The client's own is without the looks at the clock by
which it hits its moments; what is left has the sleeps between requests in it.
"""
import random

import numpy as np

from bench.experiments import open_loop_page
from bench.harness.experiment_env import ExperimentEnv, Wrong
from bench.harness.processes import Failed
from bench.harness.rounds import shuffled_while_able
from bench.numbers.stats import percentile
from bench.subjects.cases import Point
from bench.subjects.way import load_ways

POINT = Point("add", 64)
# Requests a second, and for how long.
RATES = {False: ((10, 3.0), (100, 2.0), (1_000, 1.5), (10_000, 1.0), (30_000, 0.7), (100_000, 0.6), (300_000, 0.4)),
         True: ((10, 0.5), (1_000, 0.25), (100_000, 0.15))}
WARM_NS = 20_000_000
ROUNDS = {False: 2, True: 1}  # between which the time at a rate is split
PERCENTILES = {50: "p50_ns", 99: "p99_ns", 99.9: "p999_ns"}
LEAST = {50: 1, 99: 100, 99.9: 1000}  # calls from which on a percentile means something

WAYS = (("numpy", "python", None, None), ("c-direct", "c", None, None),
        ("numd-ring", "c", "prepared", "auto"), ("numd-ring", "c", "prepared", "spin"),
        ("numd-ring", "c", "prepared", "handoff"), ("numd-ring", "c", "prepared", "sleep"),
        ("numd-socket", "c", "prepared", None), ("numd-ring", "python", "prepared", "auto"),
        ("c-semaphore", "c", None, None), ("c-unix-stream", "c", None, None),
        ("shm-pipe", "python", None, None), ("zeromq-ipc", "python", None, None), ("pipe", "python", None, None))


def schedule(rate, seconds, seed):
    """When each request is due, in nanoseconds after the start: as many as come in that time, one at least."""
    numbers = np.random.default_rng(seed)
    gaps = numbers.exponential(1e9 / rate, int(rate * seconds * 1.5) + 50)
    due = np.cumsum(gaps)
    return due[:max(1, int(np.searchsorted(due, seconds * 1e9)))].astype(np.int64)


def limit_ns(due):
    """By when the last call of a schedule that is kept is done: a twentieth of its length, 10 ms and two requests' time
    after its end. Nothing is called later."""
    return int(due[-1] * (1.05 + 2 / len(due))) + 10_000_000


def is_kept(turn):
    """Whether a turn's schedule was kept: all calls done by its end, or a little later."""
    answer, _, due = turn
    return answer["done"] == len(due) and answer["passed_ns"] <= limit_ns(due)


def row(turns, rate):
    """One way's numbers at one rate, from turns of (the client's answer, latencies, when they were due)."""
    latencies = [ns for _, some, _ in turns for ns in some]
    passed, length = sum(t[0]["passed_ns"] for t in turns), sum(int(t[2][-1]) for t in turns)
    scheduled, done = sum(len(t[2]) for t in turns), sum(t[0]["done"] for t in turns)
    client_ns = sum(max(0, t[0]["cpu_ns"] - t[0]["waited_ns"]) for t in turns)
    sustained = all(map(is_kept, turns))
    out = dict(rate=rate, offered=round(scheduled / length * 1e9, 1), achieved=round(done / passed * 1e9, 1),
               sustained=sustained, calls=done, scheduled=scheduled)
    for q, key in PERCENTILES.items():
        known = sustained and len(latencies) >= LEAST[q]
        out[key] = round(percentile(latencies, q), 1) if known else None
    out.update(max_ns=max(latencies, default=None), cpu_client_percent=round(100 * client_ns / passed, 3),
               cpu_server_percent=round(100 * sum(t[0]["cpu_server_ns"] for t in turns) / passed, 3))
    return out


class OpenLoop:
    def __init__(self, context, quick, progress, seed):
        self.context, self.quick, self.progress, self.seed = context, quick, progress, seed
        self.rows, self.skipped, self.wrong = [], [], []
        ways = {(w.name, w.client): w for w in load_ways()}
        self.variants = [(v, ways[v[:2]]) for v in WAYS]

    def skip(self, variant, reason):
        self.skipped.append(dict(way=variant[0], client=variant[1], wait=variant[3], reason=reason))
        self.progress.say(f"skipped: {variant[0]} ({variant[1]}) at rates: {reason}")

    def usable(self):
        out = []
        for variant, way in self.variants:
            reason = way.missing(self.context)
            if reason:
                self.skip(variant, reason)
            else:
                out.append((variant, way))
        return out

    def run(self, env):
        """All ways at one rate, in rounds and in shuffled order, then at the next. What did not sustain half of a rate
        is not asked for more than that."""
        order = random.Random(self.seed)
        env.load(POINT)
        asked = self.usable()
        for rate, seconds in RATES[self.quick]:
            dues = [schedule(rate, seconds / ROUNDS[self.quick], self.seed + rate + number)
                    for number in range(ROUNDS[self.quick])]

            def turn(each, number, rate=rate, dues=dues):
                answer = self.try_turn(each, env, rate, dues[number])
                self.progress.step(f"{rate:,} a second: {each[0][0]}", 1)
                return answer

            turns = shuffled_while_able(asked, len(dues), order, turn)
            found = {each[0]: row(some, rate) for each, some in turns.items()}
            self.rows += [dict(zip(("way", "client", "mode", "wait"), variant), **it) for variant, it in found.items()]
            asked = [each for each in asked if found[each[0]]["sustained"] or found[each[0]]["achieved"] >= rate / 2]

    def try_turn(self, each, env, rate, due):
        """(answer, latencies, due), or None for a way that cannot go on."""
        variant, way = each
        due.tofile(env.directory / "due.bin")
        command = f"schedule times=due.bin to=late.bin limit_ns={limit_ns(due)}"
        try:
            answer = env.turn(way, *variant[2:], command, warm_ns=WARM_NS)
        except Failed as error:
            self.skip(variant, str(error))
            return None
        except Wrong as error:
            self.wrong.append(f"at {rate} a second: {error}")
            self.progress.say(f"WRONG: {error}")
            return None
        return answer, np.fromfile(env.directory / "late.bin", dtype=np.int64).tolist(), due


def steps(quick):
    """How many steps a run's progress has at most."""
    return len(WAYS) * len(RATES[quick]) * ROUNDS[quick]


def measure(context, quick, progress, seed=None):
    """The data of results["open_loop"]: `rows`, `skipped` with reasons, and `wrong` results as sentences."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    loop = OpenLoop(context, quick, progress, seed)
    with ExperimentEnv(context) as env:
        loop.run(env)
    order = {variant: i for i, variant in enumerate(WAYS)}
    loop.rows.sort(key=lambda r: (order[r["way"], r["client"], r["mode"], r["wait"]], r["rate"]))
    return dict(case=POINT.case, n=POINT.n, seed=seed, rates=[rate for rate, _ in RATES[quick]], rows=loop.rows,
                skipped=loop.skipped, wrong=loop.wrong)


html_section = open_loop_page.html_section
