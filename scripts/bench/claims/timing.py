# SPDX-License-Identifier: BSD-3-Clause
"""Taking times for claims: all sides of a claim, at all its sizes, have a turn in every round, in an order shuffled
anew. A sample is the mean of a batch of calls of about SAMPLE_NS, after a quarter as many that do not count, for the
other side may sleep; the clock's own time is subtracted."""
import time

from bench.harness import garbage, rounds
from bench.harness.rounds import function
from bench.harness.runner import clock_overhead_ns

MOST_ROUNDS = 150
SAMPLE_NS = 500_000
WARM_UP_NS = 10_000_000


def batch_size(batch):
    """How many calls make a sample, after a warm-up of some."""
    start, n, call_ns = time.perf_counter_ns(), 1, float("inf")
    while time.perf_counter_ns() - start < WARM_UP_NS:
        call_ns = min(call_ns, batch(n)[0] / n)
        n = min(2 * n, 4096)
    return max(1, int(SAMPLE_NS / max(1, call_ns)))


def interleaved(sides, seconds, seed, least_rounds):
    """{name: [nanoseconds of a call, one a round]} of {name: batch}, over about that many seconds."""
    overhead, quiet = clock_overhead_ns(), rounds.Quiet(seconds / 10)
    sizes = {name: batch_size(batch) for name, batch in sides.items()}

    def quiet_rounds():
        for number in rounds.until(seconds, least_rounds, MOST_ROUNDS):
            quiet.wait(0.02)
            yield number

    def turn(name):
        return rounds.mean_of(sides[name], sizes[name], sizes[name] // 4, overhead)

    with garbage.collected_before():
        return rounds.interleaved(sides, turn, quiet_rounds(), rounds.shuffled(sides, seed))


def repeat(f, n):
    for _ in range(n):
        f()


def calls_in(f, ns):
    """How many calls of a function take about so long, when nothing disturbs them."""
    batch, n, taken = function(f), 1, 0
    while taken < ns / 4:
        n *= 2
        taken, _ = batch(n)
    return max(1, round(n * ns / min(taken, *(batch(n)[0] for _ in range(2)))))
