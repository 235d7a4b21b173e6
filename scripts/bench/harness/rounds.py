# SPDX-License-Identifier: BSD-3-Clause
"""Rounds in which all that is compared takes turns, so that what disturbs the machine disturbs all alike; and how a
turn in this process takes its time.

A side is whatever is compared: its name, or a pair of a row's name and its own.
"""
import itertools
import math
import random
import time

import numpy as np

from bench.harness import machine
from bench.harness.runner import compile_call
from bench.subjects.way import Call

AIM_NS = 100_000          # a sample is the mean of so many calls as take this long
MAX_BATCH = 4096
LONG_NS = 5_000_000       # a call whose first run took longer is timed by itself
WARM_UP = 8               # calls before a sample of several: a worker that went to sleep spins again after three


class Wrong(Exception):
    """Two sides computed different results."""


def same(results, rtol=1e-9):
    """All sides computed the same; Wrong otherwise. results: {side: what it computed}"""
    (first, wanted), *others = results.items()
    for name, got in others:
        if not np.allclose(got, wanted, rtol=rtol):
            raise Wrong(f"{name} and {first} differ")


# ---- Orders and ends of rounds

def alternating(sides):
    """Orders for all rounds: the sides as given, reversed, as given, and so on."""
    there = list(sides)
    return itertools.cycle((there, there[::-1]))


def shuffled(sides, seed):
    """Orders for all rounds, each the one before it shuffled."""
    order, sides = random.Random(seed), list(sides)
    while True:
        order.shuffle(sides)
        yield list(sides)


def until(seconds, least, most=None):
    """Numbers of rounds: at least so many, then more until the time is over or there were `most`."""
    end = time.perf_counter_ns() + seconds * 1e9
    for number in itertools.count() if most is None else range(most):
        if number >= least and time.perf_counter_ns() >= end:
            return
        yield number


def interleaved(sides, turn, rounds, orders=None):
    """{side: [what turn(side) gave, one a round]}. rounds: one item for each; orders: the sides' order in each, by
    default alternating."""
    samples = {side: [] for side in sides}
    for _, order in zip(rounds, orders or alternating(sides)):
        for side in order:
            samples[side].append(turn(side))
    return samples


def interleaved_rows(rows, turn, rounds, begin):
    """{row: {side: [what turn(row, side) gave, one a round]}} of {row: sides}. In each round each row has its turn,
    with its sides next to each other and their order alternating; begin(row) comes before them."""
    orders = {row: alternating(sides) for row, sides in rows.items()}

    def turn_of_row(row):
        begin(row)
        return {side: turn(row, side) for side in next(orders[row])}

    taken = interleaved(rows, turn_of_row, rounds, itertools.repeat(list(rows)))
    return {row: {side: [one[side] for one in taken[row]] for side in sides} for row, sides in rows.items()}


def shuffled_while_able(sides, n_rounds, order, turn, takes_part=lambda side, number: True):
    """The same for sides that may fail, whose orders come from a random.Random: turn(side, number) gives None for one
    that cannot go on, which is taken out of `sides`, together with what it gave before."""
    given = {}
    for number in range(n_rounds):
        order.shuffle(sides)
        for side in [s for s in sides if takes_part(s, number)]:
            answer = turn(side, number)
            if answer is None:
                sides.remove(side)
                given.pop(side, None)
            else:
                given.setdefault(side, []).append(answer)
    return given


# ---- A turn in this process

def statement(text, **names):
    """A statement as a user writes it: a function batch(n) -> (nanoseconds, its value `r`)."""
    return compile_call(Call(text, names, result=None))


def function(f, *arguments, **keywords):
    """The same of a call, its arguments bound to names."""
    given = [f"x{i}" for i in range(len(arguments))] + [f"{k}={k}" for k in keywords]
    names = {"f": f, **{f"x{i}": x for i, x in enumerate(arguments)}, **keywords}
    return statement(f"r = f({', '.join(given)})", **names)


def mean_of(batch, size, before, overhead_ns):
    """One sample: the mean of a batch of calls, after some that do not count: they bring back what other sides
    displaced, be it from the caches or by letting another process fall asleep."""
    if before:
        batch(before)
    taken, _ = batch(size)
    return max(1.0, (taken - overhead_ns) / size)


def batch_of(batch, first_ns):
    """The arguments of `mean_of`: (calls of a sample, calls before it). first_ns: what the first call took."""
    if first_ns > LONG_NS:
        return 1, 0
    call_ns = min(batch(WARM_UP)[0] / WARM_UP for _ in range(4))
    size = max(1, min(MAX_BATCH, math.ceil(AIM_NS / max(1, call_ns))))
    return size, max(size // 4, min(WARM_UP, math.ceil(4 * AIM_NS / max(1, call_ns))))


class Quiet:
    """Waits, with a limit in all, until nothing else runs: BLAS threads and a worker of numd spin on for a while
    after their work, and would take a core from the other side; the daemon replaces a worker that was taken; strangers
    come and go."""

    def __init__(self, patience_s, looks=2, pause_s=0.001):
        """patience_s: what all waits together may take beyond the looks at a quiet machine."""
        self.patience_s, self.looks, self.pause_s = patience_s, looks, pause_s

    def wait(self, limit_s=0.1):
        start, quiet = time.monotonic(), 0
        while quiet < self.looks and time.monotonic() - start < limit_s and self.patience_s > 0:
            time.sleep(self.pause_s)
            quiet = quiet + 1 if machine.running() <= 1 else 0
        self.patience_s -= max(0, time.monotonic() - start - self.looks * self.pause_s)
