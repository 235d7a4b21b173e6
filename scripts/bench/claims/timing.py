"""Taking times for claims: all sides of a claim, at all its sizes, have a turn in every round, in an order shuffled
anew. A sample is the mean of a batch of calls of about SAMPLE_NS, after a quarter as many that do not count, for the
other side may sleep; the clock's own time is subtracted."""
import gc
import random
import time

from bench.harness.runner import clock_overhead_ns, compile_call
from bench.kernels.kernel_timing import Quiet
from bench.subjects.way import Call

MOST_ROUNDS = 150
SAMPLE_NS = 500_000
WARM_UP_NS = 10_000_000


def statement(text, **names):
    """A statement as a user writes it: a function batch(n) -> (nanoseconds, its value `r`)."""
    return compile_call(Call(text, names, result=None))


def function(f, *arguments):
    return statement("r = f(*arguments)", f=f, arguments=arguments) if arguments else statement("r = f()", f=f)


def batch_size(batch):
    """How many calls make a sample, after a warm-up of some."""
    start, n, call_ns = time.perf_counter_ns(), 1, float("inf")
    while time.perf_counter_ns() - start < WARM_UP_NS:
        call_ns = min(call_ns, batch(n)[0] / n)
        n = min(2 * n, 4096)
    return max(1, int(SAMPLE_NS / max(1, call_ns)))


def interleaved(sides, seconds, seed, least_rounds):
    """{name: [nanoseconds of a call, one a round]} of {name: batch}, over about that many seconds."""
    overhead, quiet, order = clock_overhead_ns(), Quiet(seconds / 10), random.Random(seed)
    sizes, names = {name: batch_size(batch) for name, batch in sides.items()}, list(sides)
    samples, end = {name: [] for name in sides}, time.monotonic() + seconds
    gc.collect()
    gc.disable()
    try:
        for number in range(MOST_ROUNDS):
            if number >= least_rounds and time.monotonic() > end:
                break
            order.shuffle(names)
            quiet.wait(0.02)
            for name in names:
                if sizes[name] >= 4:
                    sides[name](sizes[name] // 4)
                taken, _ = sides[name](sizes[name])
                samples[name].append(max(1.0, taken - overhead) / sizes[name])
    finally:
        gc.enable()
    return samples


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
