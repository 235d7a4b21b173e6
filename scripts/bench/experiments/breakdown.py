# SPDX-License-Identifier: BSD-3-Clause
"""Where the time of one call goes: stamps of the time at its seams, on both sides, by one clock.

What is stamped. numd's library and worker come from a build of their own in which some files are compiled with stamps
(shared/trace.h): in the product they are not there, so they cost nothing and no client can turn them on, and what is
measured here is the same code otherwise. The ways in C and in Python have theirs in their sources
(ways_c/peer.c, breakdown_ways.py). Each side appends to a log of its own in shared memory, and the logs are put
together afterwards: a call is what lies between the client's BEGIN and END, and the server's stamps are those
of that time.

What a part is. `send` and `signal` end when the system call that wakes the other side returned, or when the other side
ran already, whichever was first; so the parts follow each other and add up to the whole, and what of a system call
overlaps with the other side's work is nobody's waiting. Where that call also switches to the other side (both on one
core) the switch is in it.

What is said of a part. Its mean over typical calls, which are the middle fifth by the time of the whole: they add up,
as medians of each part by itself do not where calls go now one way and now another (a part is long when the next is
short). Those medians are given, too.

The same call without stamps is measured in the same rounds by an ordinary client, and stands beside.
"""
import contextlib
import importlib.util
import mmap
import os
import pathlib
import platform
import random
import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np

from bench.experiments import breakdown_page
from bench.harness.experiment_env import ExperimentEnv, Wrong
from bench.harness.processes import Failed
from bench.harness.rounds import shuffled_while_able
from bench.numbers.stats import percentile
from bench.subjects.cases import Point
from bench.subjects.way import Context, Way, load_file, load_ways

PARTS = ("encode", "send", "wake", "decode", "check", "kernel", "signal", "wake_back", "read")
N_POINTS = len(PARTS) + 1
BEGIN, ENCODED, SENT, TAKEN, DECODED, CHECKED, COMPUTED, SIGNALLED, WOKEN, END, COST = range(N_POINTS + 1)
POINT_BITS = 4

TYPICAL = (0.4, 0.6)        # parts of the calls, in order of the whole, between which one is typical

POINTS = {False: (Point("add", 64), Point("add", 100_000)), True: (Point("add", 64),)}
ROUNDS = {False: 3, True: 1}
CALLS = 2500                # of a turn; a log has room for twenty thousand
LIMIT_NS = {False: 250_000_000, True: 120_000_000}
PLAIN_NS = {False: 50_000_000, True: 25_000_000}
WARM_UP = 0.2               # of a turn's calls, which are left out

# (name, client, mode, wait): numd's own clients, C partners, and what breakdown_ways.py takes apart.
NUMD = (("numd-ring", "c", "prepared", "spin"), ("numd-ring", "c", "prepared", "handoff"),
        ("numd-ring", "c", "prepared", "sleep"), ("numd-socket", "c", "prepared", None),
        ("numd-ring", "python", "prepared", "spin"), ("numd-socket", "python", "prepared", None))
OTHERS = (("c-semaphore", "c", None, None), ("c-unix-stream", "c", None, None), ("shm-pipe", "python", None, None),
          ("zeromq-ipc", "python", None, None), ("pipe", "python", None, None))


# ---- From stamps to parts

def calls_between(entries, first, last=None):
    """Stamps of one side as {point: time} for each time that it passed `first`, until the next time or until `last`;
    of several stamps of a point the last counts. What lies outside (a session that opens or ends, stamps that only tell
    what a stamp costs) is left out."""
    out, inside = [], False
    for point, moment in entries:
        if point == first:
            out.append({})
            inside = True
        if inside and point != COST:
            out[-1][point] = moment
        inside = inside and point != last
    return out


def join(client, server):
    """The calls as rows of N_POINTS times in the order of the points, and how many could not be put together: the
    server's stamps are missing or not those of this call, or a time lies before the one before it."""
    rows, lost = [], 0
    visits = [v for v in calls_between(server, TAKEN) if COMPUTED in v]
    at = 0
    for call in calls_between(client, BEGIN, END):
        if END not in call:
            continue
        while at < len(visits) and visits[at][COMPUTED] < call[BEGIN]:
            at += 1
        visit = visits[at] if at < len(visits) and visits[at][COMPUTED] <= call[END] else {}
        row = clipped([(call if p in (BEGIN, ENCODED, SENT, WOKEN, END) else visit).get(p) for p in range(N_POINTS)])
        if row is None:
            lost += 1
        else:
            rows.append(row)
    return np.array(rows, dtype=np.int64).reshape(-1, N_POINTS), lost


def clipped(row):
    """The times of one call with what overlaps cut off; None if they are not in order. A stamp after a system
    call that woke the other side may be late, or not be there at all when the client has gone on already."""
    if any(row[p] is None for p in range(N_POINTS) if p not in (SENT, SIGNALLED)):
        return None
    row = list(row)
    row[SENT] = row[TAKEN] if row[SENT] is None else min(row[SENT], row[TAKEN])
    row[SIGNALLED] = row[WOKEN] if row[SIGNALLED] is None else min(row[SIGNALLED], row[WOKEN])
    return row if all(a <= b for a, b in zip(row, row[1:])) else None


def stamp_cost(client):
    """The median distance of two stamps with nothing between."""
    moments = [moment for point, moment in client if point == COST]
    return percentile([b - a for a, b in zip(moments[::2], moments[1::2])], 50) if len(moments) > 1 else 0.0


def summary(times, lost, stamp_ns, plain_ns):
    """times: rows of nanoseconds at each point."""
    parts = np.diff(times, axis=1)
    whole = times[:, -1] - times[:, 0]
    low, high = (len(whole) * part for part in TYPICAL)
    typical = np.argsort(whole)[int(low):max(int(low) + 1, round(high))]
    means = parts[typical].mean(axis=0).tolist()
    medians = np.median(parts, axis=0).tolist()
    return dict(parts_ns={name: round(value, 1) for name, value in zip(PARTS, means)}, sum_ns=round(sum(means), 1),
                whole_ns=round(float(np.median(whole)), 1), whole_p90_ns=round(percentile(whole.tolist(), 90), 1),
                medians_ns={name: round(value, 1) for name, value in zip(PARTS, medians)},
                medians_sum_ns=round(sum(medians), 1), stamp_ns=round(stamp_ns, 1), plain_ns=plain_ns,
                calls=len(times), lost=lost)


# ---- The log and its clock

def trusts_tsc():
    """Whether the processor's counter runs evenly on all cores, by the processor's word and the kernel's."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        flags = next(line for line in lines if line.startswith("flags"))
        source = pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    except (OSError, StopIteration):
        return False
    return platform.machine() == "x86_64" and {"constant_tsc", "nonstop_tsc", "rdtscp"} <= set(flags.split()) \
        and source == "tsc"


class Log:
    """The log that all traced processes append to, as shared/trace.h lays it out, in a file in memory."""

    def __init__(self, stamps, clock):
        self.stamps, self.clock = stamps, clock
        where = "/dev/shm" if os.path.isdir("/dev/shm") else None
        descriptor, self.path = tempfile.mkstemp(prefix=f"numd-bench-{os.getpid()}-stamps-", dir=where)
        os.ftruncate(descriptor, stamps.LOG_BYTES)
        self.memory = mmap.mmap(descriptor, stamps.LOG_BYTES)
        os.close(descriptor)
        words = np.frombuffer(self.memory, dtype=np.uint64)
        words[0] = clock
        sides = words[8:].reshape(2, -1)
        self.n, self.entries = sides[:, 0], sides[:, 8:]
        self.started = self.both_clocks()

    def both_clocks(self):
        return time.monotonic_ns(), self.stamps.now(self.clock)

    def ns_per_unit(self):
        """Over the log's life so far, a tenth of a second at least."""
        (ns, units), (ns_now, units_now) = self.started, self.both_clocks()
        if ns_now - ns < 100_000_000:
            time.sleep(0.1)
            ns_now, units_now = self.both_clocks()
        return (ns_now - ns) / (units_now - units)

    def clear(self):
        self.n[:] = 0

    def take(self):
        """[(point, time)] of the client and of the server."""
        out = []
        for n, entries in zip(self.n, self.entries):
            some = entries[:int(n)]
            mask = np.uint64((1 << POINT_BITS) - 1)
            out.append(list(zip((some & mask).tolist(), (some >> np.uint64(POINT_BITS)).tolist())))
        return out

    def close(self):
        os.unlink(self.path)


def load_stamps(context):
    """The module _bench_stamps of this build; None if it is not there."""
    found = sorted((context.build / "bench").glob("_bench_stamps*.so"))
    if not found:
        return None
    spec = importlib.util.spec_from_file_location("_bench_stamps", found[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- Measuring

@dataclass(frozen=True)
class Entry:
    """What is taken apart, and where: its way in the environment "plain", and its way with stamps in another, which is
    "traced" if its stamps are in numd's own code."""
    variant: tuple
    plain: Way
    stamped: Way
    env: str


def entries():
    plain = {(w.name, w.client): w for w in load_ways()}
    path = pathlib.Path(__file__).with_name("breakdown_ways.py")
    stamped = {w.name: replace(w, file=path) for w in load_file(path).WAYS}
    return [Entry(v, plain[v[:2]], plain[v[:2]], "traced") for v in NUMD] + [
        Entry(v, plain[v[:2]], stamped.get(v[0], plain[v[:2]]), "stamped") for v in OTHERS]


class Breakdown:
    def __init__(self, context, quick, progress, seed):
        self.quick, self.progress, self.random = quick, progress, random.Random(seed)
        traced = Context(build=context.build / "traced", python=context.python)
        self.contexts = {"plain": context, "stamped": context, "traced": traced}
        self.rows, self.skipped, self.wrong, self.samples = [], [], [], {}
        self.entries = entries()

    def envs(self, stack, log):
        """An environment for each context, closed with the stack."""
        paths = [self.contexts["plain"].build / "bench"]
        return {name: stack.enter_context(ExperimentEnv(context) if name == "plain" else
                                          ExperimentEnv(context, paths, BENCH_TRACE=log.path))
                for name, context in self.contexts.items()}

    def skip(self, variant, reason):
        entry = dict(way=variant[0], client=variant[1], wait=variant[3], reason=reason)
        if entry not in self.skipped:
            self.skipped.append(entry)
            self.progress.say(f"skipped: breakdown of {variant[0]} ({variant[1]}): {reason}")

    def run(self, envs, log):
        usable = []
        for each in self.entries:
            reason = each.plain.missing(self.contexts["plain"]) or each.stamped.missing(self.contexts[each.env])
            if reason:
                self.skip(each.variant, reason)
            else:
                usable.append(each)
        for point in POINTS[self.quick]:
            for env in envs.values():
                env.load(point)

            def turn(each, _number, point=point):
                answer = self.try_turns(each, point, envs, log)
                self.progress.step(f"where the time goes: {each.variant[0]}  {point.label}", 1)
                return answer

            turns = shuffled_while_able(usable, ROUNDS[self.quick], self.random, turn)
            self.samples.update({(each.variant, point): some for each, some in turns.items()})

    def try_turns(self, each, point, envs, log):
        """Both turns of one: its calls, how many were lost, what a stamp cost, and the samples without stamps. None if
        they cannot be had."""
        variant, (mode, wait) = each.variant, each.variant[2:]
        try:
            answer = envs["plain"].turn(each.plain, mode, wait, "measure", PLAIN_NS[self.quick])
            log.clear()
            command = f"stamps calls={CALLS} limit_ns={LIMIT_NS[self.quick]}"
            envs[each.env].turn(each.stamped, mode, wait, command, warm_ns=0)
        except Failed as error:
            self.skip(variant, str(error))
            return None
        except Wrong as error:
            self.wrong.append(f"breakdown: {error}")
            self.progress.say(f"WRONG: {error}")
            return None
        client, server = log.take()
        times, lost = join(client, server)
        return dict(times=times[int(len(times) * WARM_UP):], lost=lost, cost=stamp_cost(client), plain=answer["ns"])

    def finish(self, log):
        """Rows from all rounds, in the order of the lists above."""
        unit = log.ns_per_unit()
        for variant in NUMD + OTHERS:
            for point in POINTS[self.quick]:
                turns = self.samples.get((variant, point))
                if not turns:
                    continue
                times = np.concatenate([turn["times"] for turn in turns])
                if not len(times):
                    self.skip(variant, f"{point.label}: no call's stamps could be put together")
                    continue
                self.rows.append(dict(
                    way=variant[0], client=variant[1], mode=variant[2], wait=variant[3], case=point.case, n=point.n,
                    **summary((times - times[:, :1]) * unit, sum(turn["lost"] for turn in turns),
                              percentile([turn["cost"] for turn in turns], 50) * unit,
                              round(percentile([ns for turn in turns for ns in turn["plain"]], 50), 1))))
        return dict(clock="tsc" if log.clock == log.stamps.TSC else "monotonic", ns_per_unit=unit, rows=self.rows,
                    skipped=self.skipped, wrong=self.wrong)


def steps(quick):
    """How many steps a run's progress has at most."""
    return len(NUMD + OTHERS) * len(POINTS[quick]) * ROUNDS[quick]


def measure(context, quick, progress, seed=None):
    """The data of results["breakdowns"]: `rows`, `skipped` with reasons, and `wrong` results as sentences."""
    stamps = load_stamps(context)
    if not stamps:
        reason = "the stamps are not built: make bench-clients"
        return dict(clock=None, rows=[], wrong=[], skipped=[dict(way="all", client=None, wait=None, reason=reason)])
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    breakdown = Breakdown(context, quick, progress, seed)
    log = Log(stamps, stamps.TSC if trusts_tsc() else stamps.MONOTONIC)
    try:
        with contextlib.ExitStack() as stack:
            breakdown.run(breakdown.envs(stack, log), log)
        return dict(breakdown.finish(log), seed=seed)
    finally:
        log.close()


html_section = breakdown_page.html_section
