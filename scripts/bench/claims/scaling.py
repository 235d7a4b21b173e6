# SPDX-License-Identifier: BSD-3-Clause
"""Speed-ups: the same tasks done one after the other, and by several threads at once.

What k workers could gain is measured in the same rounds, with k separate processes: cores may be hyperthreads, or
shared with others. Threads scale if they have at least half of that gain. All tasks take at least some switch
intervals of the interpreter, so that handing them out hardly counts.
"""
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

from bench.claims import verdict
from bench.claims.lab import child
from bench.claims.timing import calls_in, repeat
from bench.harness.rounds import function

TASK_NS = {False: 25_000_000, True: 10_000_000}  # quick or not
AT_MOST = 4  # workers: more would say the same and take longer
LEAST_GAIN = 1.25
RULE = ("Threads scale if they have at least half of the gain that as many separate processes have in the same rounds; "
        f"if the machine gives those less than {LEAST_GAIN} times the speed of one, nothing is shown.")
PROCESSES = "processes"


def squares(n=10**4):
    """Plain Python, busy for about a millisecond."""
    total = 0
    for i in range(n):
        total += i * i
    return total


def repeat_squares(times):
    repeat(squares, times)


class Scaling:
    """Work of a claim's threads. Made before there are any, for it forks processes."""

    def __init__(self, lab):
        self.lab, self.k, self.sides = lab, min(AT_MOST, lab.cores), {}
        processes = multiprocessing.Pool(self.k, child)
        lab.stack.callback(processes.join)
        lab.stack.callback(processes.terminate)
        self.threads = ThreadPoolExecutor(self.k)
        lab.stack.callback(self.threads.shutdown)
        times = self.times(squares)
        self.sides["one", PROCESSES] = function(repeat_squares, self.k * times)
        self.sides[PROCESSES, PROCESSES] = function(processes.map, repeat_squares, [times] * self.k, 1)

    def times(self, f):
        return calls_in(f, TASK_NS[self.lab.quick])

    def add(self, key, make):
        """Work of which each thread has its own: make() gives a thread's function."""
        own = [make() for _ in range(self.k)]
        times = self.times(own[0])

        def one():
            for f in own:
                repeat(f, times)

        def threads():
            list(self.threads.map(repeat, own, [times] * self.k))

        self.sides["one", key], self.sides["threads", key] = function(one), function(threads)

    def parts(self, wanted):
        """The parts of {(text, side): {size: key of work}}: whether it scales ("above") or does not ("below")."""
        samples = self.lab.time(self.sides)
        gain = self.lab.scan(f"what this machine gives {self.k} separate processes of Python loops", "one", PROCESSES,
                             {(side, None): samples[side, PROCESSES] for side in ("one", PROCESSES)}, limit=LEAST_GAIN)
        possible = gain["points"][0]
        limit = 1 + (possible["ratio"] - 1) / 2
        parts = [dict(gain, decides=False)]
        for (what, side), sizes in wanted.items():
            pairs = {(s, n): samples[s, key] for n, key in sizes.items() for s in ("one", "threads")}
            parts.append(self.lab.scan(what, "one", "threads", pairs, limit=limit, side=side))
        return parts if possible["low"] > LEAST_GAIN else parts[:1] + list(map(verdict.nothing_shown, parts[1:]))
