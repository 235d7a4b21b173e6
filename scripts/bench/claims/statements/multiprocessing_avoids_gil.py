# SPDX-License-Identifier: BSD-3-Clause
"""A pool of processes for plain Python loops, and what a call into it costs."""
import multiprocessing

from bench.claims.claim import Claim
from bench.claims.lab import Wrong, child
from bench.claims.scaling import AT_MOST, squares
from bench.harness.rounds import function, statement

SIZES = (10, 10**3, 10**4, 10**5, 10**6)


def sides(pool, k, n):
    """k loops of n steps, here one after the other, and by the pool of k; they give the same."""
    tasks = [n] * k
    here, there = (lambda: [squares(m) for m in tasks]), (lambda: pool.map(squares, tasks, 1))
    if here() != there():
        raise Wrong(f"a pool's sums of {n} squares differ from those computed here")
    return {("here", n): function(here), ("pool", n): function(there)}


def run(lab):
    k, calls = min(AT_MOST, lab.cores), {}
    pool = multiprocessing.Pool(k, child)
    lab.stack.callback(pool.join)
    lab.stack.callback(pool.terminate)
    for n in lab.sizes(*SIZES):
        calls.update(sides(pool, k, n))
    empty = {("pool", None): statement("r = apply(f, (0,))", apply=pool.apply, f=squares),
             ("call", None): statement("r = f(0)", f=squares)}
    samples = lab.time(calls, 0.8)
    return [
        lab.scan(f"{k} loops one after the other here take longer than by {k} processes", "here", "pool", samples,
                 unit="steps"),
        lab.scan("the cost of IPC: a call that does nothing takes longer by the pool", "pool", "call",
                 lab.time(empty, 0.2)),
    ]


CLAIM = Claim(
    statement="multiprocessing gets round the GIL at the cost of IPC.",
    group="Threads and processes",
    experiment="Sums of squares in plain Python, as many as there are cores (four at most): one after the other here, "
               "and by a multiprocessing.Pool of as many processes. And a call that does nothing, here and by the "
               "pool.",
    rule="Holds if the pool is faster at all lengths of a loop, and a call that does nothing takes longer by it, for "
         "sure. The length where it turns is from where on the pool pays.",
    run=run, cores=2)
