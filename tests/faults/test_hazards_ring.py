# SPDX-License-Identifier: BSD-3-Clause
"""Channels whose client is a foe: it changes slots while they are read, spoils semaphores, scribbles on everything."""

import contextlib
import functools
import itertools
import os
import random
import signal
import struct
import subprocess
import sys
import time

import pytest
from clients import BYTES, attach
from ledger import note, scaled
from ring import CLIENT_SEM, CLIENT_SIDE, SEM_BYTES, SINGLE, SLOTS, WORKER_SEM, Ring
from stranger import eventually, operand, program

SEED = int(os.environ.get("NUMD_TEST_SEED", "3"))
N = 64
OK, EPLAN, EBOUNDS = 0, 6, 11


@contextlib.contextmanager
def foe(act):
    """Another process, which shares the mappings of this one, and does something over and over."""
    pid = os.fork()
    if pid == 0:
        while True:
            act()
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)



def add_constant(value):
    return program([operand("int64", N), ["constant", "int64", value]], [["add", [0, 1]]], [[2, {}]])


def test_fields_that_change_between_check_and_use(daemon, bystander):
    """A foe flips the plan and the bindings of a slot between two sets, some of which are out of bounds, while it is
    handed over. What ran is one of the combinations: nothing but a whole output of some plan was written."""
    times = scaled(100_000, least=1500)
    ran = tries = 0
    with daemon.connect() as c:
        data = attach(c)
        for plan, value in enumerate((1000, 2000)):
            c.request("prepare", plan, add_constant(value))
        ring = Ring(c, wait="spin")
        outputs = [16384, 32768, BYTES - 8]  # the last is out of bounds
        choices = list(itertools.product((0, 1, 77), (0, 4096), outputs))
        struct.pack_into(f"<{N}q", data, 0, *range(N))
        struct.pack_into(f"<{N}q", data, 4096, *range(5000, 5000 + N))
        # Stored whole; struct.pack_into would clear them before.
        numbers, words = memoryview(ring.memory).cast("I"), memoryview(ring.memory).cast("Q")

        def flip():
            for plan, source, output in itertools.cycle(choices):
                numbers[SINGLE // 4 + 1] = plan
                words[SINGLE // 8 + 3] = source
                words[SINGLE // 8 + 4] = output

        whole = {struct.pack(f"<{N}q", *(first + i + value for i in range(N)))
                 for first in (0, 5000) for value in (1000, 2000)}
        untouched = bytes(8 * N)
        with foe(flip):
            limit = time.monotonic() + 30  # a foe that got no core yet has changed nothing
            while tries < times or (ran in (0, tries) and time.monotonic() < limit):
                tries += 1
                for output in outputs[:2]:
                    data[output : output + 8 * N] = untouched
                ring.submit(0, [0, 16384])
                status, _, _ = ring.result()
                found = [data[output : output + 8 * N] for output in outputs[:2]]
                assert status in (OK, EPLAN, EBOUNDS), status
                assert all(part in whole or part == untouched for part in found)
                assert sum(part in whole for part in found) == (status == 0)
                ran += status == 0
        assert data[16384 + 8 * N : 32768] == bytes(16384 - 8 * N)
        assert data[32768 + 8 * N :] == bytes(BYTES - 32768 - 8 * N)
        assert 0 < ran < tries
    note("7 slot fields change between check and use", times, times)


def test_semaphores_are_spoilt(daemon, bystander):
    rng = random.Random(SEED)
    times = scaled(1000, least=12)
    with daemon.connect() as c:
        attach(c)
        c.request("prepare", 0, program([operand("int64", N)], [["sum", [0]]], [[1, {"result": True}]]))
        for i in range(times):
            ring = Ring(c, wait=("sleep", "handoff", "auto")[i % 3])
            for sem in (WORKER_SEM, CLIENT_SEM):
                content = rng.choice([b"\xff" * SEM_BYTES, struct.pack("<II", 0x7FFFFFFF, 0), rng.randbytes(SEM_BYTES),
                                      b"\x7f" * SEM_BYTES])
                ring.memory[sem : sem + len(content)] = content
            ring.fill(0, [0])
            struct.pack_into("<I", ring.memory, CLIENT_SIDE, 3)  # wants to be woken in every way
            struct.pack_into("<I", ring.memory, SINGLE, 1)
            ring.calls = 1
            assert ring.result()[0] == 0
            bystander.check()
            c.request("close_channel", ring.id)
        assert c.info["pid"] in daemon.children()
    note("19 hostile semaphore", times, times)


def test_a_semaphore_posted_to_its_limit(daemon, bystander):
    with daemon.connect() as c:
        attach(c)
        c.request("prepare", 0, program([operand("int64", N)], [["sum", [0]]], [[1, {"result": True}]]))
        ring = Ring(c)
        struct.pack_into("<I", ring.memory, CLIENT_SEM, 0x7FFFFFFF)  # SEM_VALUE_MAX
        for _ in range(100):
            struct.pack_into("<I", ring.memory, CLIENT_SIDE, 1)
            assert ring.call(0, [0])[0] == 0
        assert struct.unpack_from("<I", ring.memory, CLIENT_SEM)[0] == 0x7FFFFFFF


STOPPED = """
import sys
sys.path[:0] = {paths!r}
from clients import attach
from ring import Ring
from stranger import Stranger, operand, program
c = Stranger({path!r})
attach(c)
c.request("prepare", 0, program([operand("int64", 64)], [["sum", [0]]], [[1, {{"result": True}}]]))
ring = Ring(c, "auto")
sys.stdout.write("x"); sys.stdout.flush()
while True:
    ring.call(0, [0])
"""


def test_clients_that_are_stopped(daemon, bystander):
    here = os.path.dirname(os.path.abspath(__file__))
    code = STOPPED.format(paths=[here, os.path.dirname(here)], path=daemon.path)
    times = scaled(100, least=3)
    victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert victim.stdout.read(1) == b"x"
        for _ in range(times):
            victim.send_signal(signal.SIGSTOP)
            for _ in range(20):
                bystander.check()
            victim.send_signal(signal.SIGCONT)
            time.sleep(0.005)
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()
    note("19 a client is stopped", times, times)


def scribble_on(memory, rng):
    values = [0, 1, 2, 3, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000]
    where = rng.choice([CLIENT_SIDE, WORKER_SEM, CLIENT_SEM, SINGLE, SINGLE, SLOTS, SLOTS]) + 4 * rng.randrange(32)
    struct.pack_into("<I", memory, where, rng.choice(values) if rng.random() < 0.7 else rng.getrandbits(32))


@pytest.mark.parametrize("wait", ["spin", "auto", "handoff", "sleep"])
def test_a_foe_scribbles_on_the_channel_while_calls_run(daemon, bystander, wait):
    times = scaled(2000, least=20)
    with daemon.connect() as c:
        data = attach(c)
        c.request("prepare", 0, program([operand("int64", N)], [["sum", [0]]], [[1, {"result": True}]]))
        for k in range(times // 20):
            ring, rng = Ring(c, wait), random.Random(SEED + k)
            with foe(functools.partial(scribble_on, ring.memory, rng)):
                for _ in range(20):
                    ring.fill(0, [0])
                    struct.pack_into("<I", ring.memory, SINGLE, 2 * ring.calls + 1)
                    ring.calls += 1
                    time.sleep(0.0005)
            bystander.check()
            c.request("close_channel", ring.id)
        # The session that did it is served still, and its data is what it was.
        assert data[:] == bytes(BYTES)
        assert Ring(c, wait).call(0, [0])[0] == 0
        assert c.info["pid"] in daemon.children()
    note("7 a foe scribbles on the channel", times, times, "calls of that channel")


def test_channels_end_whatever_was_done_to_them(daemon):
    """Spoilt, with calls in flight, and the client gone: the worker ends."""
    for k in range(scaled(100, least=3)):
        with daemon.connect() as c:
            ring = Ring(c, wait="spin")
            ring.memory[128:2688] = random.Random(SEED + k).randbytes(2560)
    assert eventually(lambda: len(daemon.children()) == 2)
