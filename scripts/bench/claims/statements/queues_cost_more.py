# SPDX-License-Identifier: BSD-3-Clause
"""multiprocessing's Queue and SimpleQueue against its Pipe."""
from bench.claims.claim import Claim

SIZES = (64, 10**3, 10**4, 10**5)
NAMES = {"mp-queue": "Queue", "mp-simplequeue": "SimpleQueue", "pipe": "Pipe"}


def sides(lab):
    return {(name, n): lab.open(way, "add", n) for way, name in NAMES.items() for n in lab.sizes(*SIZES)}


def run(lab):
    samples = lab.time_anew(sides)
    return [lab.scan(f"{name} takes longer than Pipe", name, "Pipe", samples) for name in ("Queue", "SimpleQueue")]


CLAIM = Claim(
    statement="Queues cost more than Pipes.",
    group="Between processes",
    experiment="Sends two arrays to another process, which adds them and sends the result back: by multiprocessing’s "
               "Pipe, Queue (whose thread feeds a pipe) and SimpleQueue (a pipe with locks). All pickle the arrays.",
    rule="Holds if both kinds of queue take longer than Pipe at all sizes, for sure.",
    run=run, ways=tuple(NAMES))
