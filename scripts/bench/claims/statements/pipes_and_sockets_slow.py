# SPDX-License-Identifier: BSD-3-Clause
"""What arrays pay for going through pipes and sockets."""
from bench.claims.claim import Claim

SIZES = (64, 10**3, 10**4, 10**5, 10**6)
SLOW = 2.0
BY_VALUE = {"os-pipe": "pipe", "unix-stream": "Unix socket", "tcp": "TCP"}


def sides(lab):
    names = {**BY_VALUE, "eventfd": "shared memory", "numpy": "NumPy in process"}
    return {(name, n): lab.open(way, "add", n) for n in lab.sizes(*SIZES) for way, name in names.items()}


def run(lab):
    samples = lab.time_anew(sides)
    parts = [lab.scan(f"{name}: at least twice the time of shared memory", name, "shared memory", samples, limit=SLOW)
             for name in BY_VALUE.values()]
    parts.append(lab.scan("for comparison: a pipe against NumPy in process", "pipe", "NumPy in process", samples,
                          decides=False))
    return parts


CLAIM = Claim(
    statement="Pipes and sockets are slow for arrays.",
    group="Between processes",
    experiment="Adds two arrays in another process: their bytes and the result’s go through pipes, a Unix socket, or "
               "TCP on loopback; or they are in memory that both have, and an eventfd wakes the other side.",
    rule="Slow means at least twice the time of shared memory. Holds if all three are, at all sizes, for sure.",
    run=run, ways=("os-pipe", "unix-stream", "tcp", "eventfd", "numpy"))
