# SPDX-License-Identifier: BSD-3-Clause
"""Numbers that break others: offsets at the edge of 64 bits, and Inf and NaN in factorisations."""

import itertools
import os
import re
import struct
import subprocess

import msgpack
import numpy as np
import pytest
from clients import attach, rss
from ledger import SCALE, note, scaled
from stranger import BUILD, Refused, operand, program

FACTORISATIONS = ["cholesky", "qr", "svd", "svdvals", "eigh", "eigvalsh", "eig", "eigvals", "solve", "inv", "det",
                  "slogdet", "pinv", "matrix_rank", "lstsq"]
TWO_INPUTS = {"solve", "lstsq"}
N_OUTPUTS = {"qr": 2, "svd": 3, "eigh": 2, "eig": 2, "slogdet": 2, "lstsq": 4}


def test_offsets_and_strides_that_overflow():
    done = subprocess.run([os.path.join(BUILD, "tests", "test_bind")], env=dict(os.environ, SCALE=str(SCALE)),
                          text=True, stdout=subprocess.PIPE, timeout=600)
    assert done.returncode == 0, done.stdout
    n = int(re.search(r"(\d+) offsets", done.stdout)[1])
    note("6 offset and stride overflow", n, n)


@pytest.mark.parametrize("name", FACTORISATIONS)
def test_infinities_and_nans_at_every_position(daemon, bystander, name):
    sizes = [2, 5] if SCALE < 1 else [1, 2, 3, 5, 8, 33]
    injected = 0
    with daemon.connect(timeout=60) as c:
        data = attach(c, n_bytes=1 << 18)
        for plan, n in enumerate(sizes):
            inputs = [operand("float64", n, n)] * (2 if name in TWO_INPUTS else 1)
            outputs = [[len(inputs) + i, {}] for i in range(N_OUTPUTS.get(name, 1))]
            made = c.request("prepare", plan, program(inputs, [[name, list(range(len(inputs)))]], outputs))
            bindings = [[0, 0]] * len(inputs) + [[0, 32768 * (i + 1)] for i in range(len(made["outputs"]))]
            good = np.eye(n) * n + np.ones((n, n))
            places = itertools.product(range(n), range(n)) if n < 33 else [(0, 0), (n - 1, n - 1), (n // 2, 3)]
            for place, bad in itertools.product(places, (np.inf, -np.inf, np.nan)):
                matrix = good.copy()
                matrix[place] = bad
                data[: 8 * n * n] = matrix.tobytes()
                try:
                    c.request("call", plan, bindings)
                except Refused as e:
                    assert e.name in ("ECONVERGE", "ESINGULAR", "EDEFINITE", "EDOMAIN"), e
                injected += 1
            data[: 8 * n * n] = good.tobytes()
            c.request("call", plan, bindings)
        assert c.info["pid"] in daemon.children()
    note("9 Inf and NaN in factorisations", injected, injected, "the result, or an error for it")


@pytest.mark.skipif(os.path.basename(os.path.normpath(BUILD)) == "build-tsan", reason="its shadow memory grows, too")
def test_bombs_of_every_kind_take_no_memory(daemon):
    """A few bytes that announce gigabytes, alone and within whole frames."""
    heads = {0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I", 0xDA: ">H", 0xDB: ">I",
             0xC5: ">H", 0xC6: ">I", 0xC8: ">H", 0xC9: ">I"}
    before_it = [b"", b"\x94\x00\x01\xa4ping", b"\x94\x00\x01\xa7prepare\x92\x00", b"\x91" * 7,
                 msgpack.packb([0, 1, "x" * 1000, []])[:-1]]
    numbers = [0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, 0x10000000]
    injected = grown = 0
    for _ in range(scaled(10)):
        for prefix, (head, form), number in itertools.product(before_it, heads.items(), numbers):
            with daemon.connect() as c:
                c.request("ping")
                before = rss(c.info["pid"])
                c.send(prefix + bytes([head]) + struct.pack(form, number & (0xFFFF if form == ">H" else 0xFFFFFFFF)))
                c.sock.settimeout(0.02)
                try:
                    while c.message() is not None:
                        pass
                except (OSError, ValueError):
                    pass
                try:
                    grown = max(grown, rss(c.info["pid"]) - before)
                except (FileNotFoundError, ProcessLookupError):
                    pass  # it was sent away
                injected += 1
    assert grown <= 1 << 20
    note("11 msgpack bombs", injected, injected)
