# SPDX-License-Identifier: BSD-3-Clause
"""Memory that goes, or is not there, or changes, or was somebody else's, while it is computed with."""

import os
import random
import struct
import subprocess
import threading
import time

import pytest
from clients import attach, memory, worker_fds
from ledger import note, scaled
from ring import Ring
from stranger import Refused, eventually, operand, program

GIGABYTE = 1 << 30
LOST = "segment was truncated while in use"
SEED = int(os.environ.get("NUMD_TEST_SEED", "5"))


def attach_object(client, segment, n_bytes):
    fd = memory(n_bytes)
    client.request("attach", segment, {"fd": True}, fds=[fd])
    return fd


def large_call(client, n, fds):
    """A plan of one operand and one output over n doubles, of segments 0 and 1, and the sum of the first."""
    for i in range(2):
        fds.append(attach_object(client, i, 8 * n))
    client.request("prepare", 0, program([operand("float64", n)], [["exp", [0]], ["sin", [1]]], [[2, {}]]))
    client.request("prepare", 1, program([operand("float64", n)], [["sum", [0]]], [[1, {"result": True}]]))


def duration(client, plan, bindings):
    """Of a call whose pages are there."""
    client.request("call", plan, bindings)
    started = time.monotonic()
    client.request("call", plan, bindings)
    return time.monotonic() - started


@pytest.mark.parametrize("victim, plan", [(0, 0), (1, 0), (0, 1)], ids=["operand", "output", "summed"])
def test_segments_are_truncated_during_an_operation(daemon, bystander, victim, plan):
    n = scaled(GIGABYTE // 8, least=1 << 21)
    fds, calls = [], 0
    with daemon.connect(timeout=60) as c:
        large_call(c, n, fds)
        bindings = [[0, 0], [1, 0]][: 2 - plan]
        takes = duration(c, plan, bindings)
        for fraction in (0.1, 0.5, 0.9):
            for attempt in range(400):  # until it is hit: nobody knows how long this very call takes
                calls += 1
                if truncated_during(c, fds[victim], plan, bindings, takes * fraction * 0.7 ** (attempt % 20), victim):
                    break
            else:
                pytest.fail("no call was hit")
            bystander.check()
            assert c.info["pid"] in daemon.children()
    for fd in fds:
        os.close(fd)
    note("1 segment truncated during an operation", calls, calls, "that call alone")


def truncated_during(c, fd, plan, bindings, delay, victim):
    """Whether the call was still at work. Afterwards the segment is whole again."""
    size = os.fstat(fd).st_size
    msgid = c.post("call", plan, bindings)
    time.sleep(delay)
    os.ftruncate(fd, 0)
    hit = False
    try:
        c.answer(msgid)
    except Refused as e:
        assert (e.name, e.sentence) == ("ELOST", f"bindings[{victim}]: {LOST}")
        hit = True
    os.ftruncate(fd, size)
    c.request("detach", victim)
    c.request("attach", victim, {"fd": True}, fds=[fd])
    assert c.request("call", plan, bindings) in (None, 0.0)
    return hit


@pytest.fixture
def small_tmpfs(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    size = 64 << 20
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield place
    assert eventually(lambda: subprocess.run(["umount", place], stderr=subprocess.DEVNULL).returncode == 0)


def test_the_file_system_is_full(daemon, bystander, small_tmpfs):
    """A sparse output of which not even the sealed half exists: the call fails, the worker stays."""
    n = GIGABYTE // 8
    fd = os.open(small_tmpfs / "object", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 8 * n)
    with daemon.connect(timeout=60) as c:
        c.request("attach", 0, {"fd": True}, fds=[fd])
        c.request("prepare", 0, program([["constant", "float64", 1.5], operand("float64", 1)],
                                        [["add", [0, 1]], ["broadcast_to", [2], {"shape": [n]}]], [[3, {}]]))
        pid = c.info["pid"]
        with pytest.raises(Refused) as e:
            c.request("call", 0, [[0, 0], [0, 0]])
        assert e.value.name in ("ELOST", "EINVAL"), e.value
        assert pid in daemon.children()
        bystander.check()
    os.close(fd)
    note("2 /dev/shm is full", 1, 1, "that call alone")


@pytest.mark.parametrize("what", ["sort", "argsort", "take", "inv"])
def test_data_changes_under_kernels_that_it_steers(daemon, bystander, what):
    n = 64 if what == "inv" else 4096
    programs = {
        "sort": program([operand("float64", n)], [["sort", [0]]], [[1, {}]]),
        "argsort": program([operand("float64", n)], [["argsort", [0]]], [[1, {}]]),
        "take": program([operand("float64", n), operand("int64", n)], [["take", [0, 1], {"axis": 0}]], [[2, {}]]),
        "inv": program([operand("float64", n, n)], [["inv", [0]]], [[1, {}]]),
    }
    n_calls = scaled(100_000 // 4, least=60)
    size = 8 * n * (n if what == "inv" else 1)
    total = (3 * size + 4095) // 4096 * 4096
    stop = threading.Event()
    with daemon.connect(timeout=60) as c:
        data = attach(c, n_bytes=total)
        c.request("prepare", 0, programs[what])
        rng = random.Random(SEED)
        noise = [bytes(rng.randrange(256) for _ in range(4096)) for _ in range(4)] + [bytes(4096)]

        def mutate():
            while not stop.is_set():
                at = rng.randrange(size // 4096) * 4096 if size >= 4096 else 0
                data[at : at + 4096] = noise[rng.randrange(5)]
                data[2 * size - 4096 : 2 * size] = noise[rng.randrange(5)]

        foe = threading.Thread(target=mutate)
        foe.start()
        refused = 0
        try:
            bindings = [[0, 0], [0, size], [0, 2 * size]] if what == "take" else [[0, 0], [0, 2 * size]]
            for _ in range(n_calls):
                try:
                    c.request("call", 0, bindings)
                except Refused as e:
                    assert e.name in ("EINDEX", "ESINGULAR", "EDOMAIN", "ECONVERGE"), e
                    refused += 1
        finally:
            stop.set()
            foe.join()
        assert c.info["pid"] in daemon.children()
    note("8 data changes under sort, take, LU", n_calls, n_calls, "the result of that call")


def test_detach_during_an_operation(daemon, bystander):
    n = scaled(GIGABYTE // 8, least=1 << 21)
    times = scaled(20, least=4)
    fds = []
    with daemon.connect(timeout=60) as c:
        large_call(c, n, fds)
        takes = duration(c, 0, [[0, 0], [1, 0]])
        held = worker_fds(c)
        rng = random.Random(SEED)
        for _ in range(times):
            msgid = c.post("call", 0, [[0, 0], [1, 0]])
            time.sleep(takes * rng.random() * 0.5)
            second = c.post("detach", 1)
            answers = {}
            for _ in range(2):
                frame = c.message()
                answers[frame[1]] = frame[2]
            assert answers[second] is None and (answers[msgid] is None or answers[msgid][1] == "ESEGMENT")
            c.request("attach", 1, {"fd": True}, fds=[fds[1]])
        assert eventually(lambda: worker_fds(c) == held), "what was detached is held still"
    for fd in fds:
        os.close(fd)
    note("16 detach while in flight", times, times)


POISON = 0xDEADBEEFCAFEF00D


def test_nothing_of_another_session_is_seen(daemon):
    """One session fills everything it can with a pattern: operands, results, temporaries, slots. No byte of it is in
    what the next one gets: its replies, its channel, what its operations write."""
    poison = struct.pack("<Q", POISON)
    times = scaled(200, least=5)
    n = 4096
    for _ in range(times):
        with daemon.connect() as a:
            data = attach(a, n_bytes=16 * n)
            data[:] = poison * (2 * n)
            twice = [["sort", [0]], ["bitwise_invert", [1]], ["bitwise_invert", [2]]]
            a.request("prepare", 0, program([operand("int64", n)], twice, [[3, {}]]))
            a.request("call", 0, [[0, 0], [0, 8 * n]])
            assert data[8 * n : 8 * n + 8] == poison
            a.request("prepare", 1, program([operand("uint64", n)], [["max", [0]]], [[1, {"result": True}]]))
            assert Ring(a).call(1, [0])[2][:8] == poison
        with daemon.connect() as b:
            data = attach(b, n_bytes=16 * n)
            b.request("prepare", 0, program([operand("int8", n)], [["nonzero", [0]]], [[1, {}]]))
            b.request("prepare", 1, program([operand("uint8", n)], [["max", [0]]], [[1, {"result": True}]]))
            b.request("call", 0, [[0, 0], [0, 8 * n]])
            ring = Ring(b)
            status, _, result = ring.call(1, [0])
            seen = [data[:], ring.memory[:], result, repr(b.request("stats")).encode()]
            assert status == 0 and result == bytes(16), "the result is padded with zeros"
            assert not any(poison in part or poison[:4] in part for part in seen)
    note("18 leftovers leak to the next user", times, times)
