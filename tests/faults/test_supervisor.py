# SPDX-License-Identifier: BSD-3-Clause
"""What workers and the supervisor say to each other, and what they may write both: nothing is misunderstood, and a
worker that has gone bad changes nothing for others."""

import ctypes
import os
import random
import re
import signal
import socket
import struct
import tempfile
import time

import msgpack
import pytest
from clients import Bystander, attach
from ledger import SCALE, note, scaled
from ring import Ring
from stranger import VERSION, Daemon, Refused, eventually, operand, program, sum_program
from users import ALICE, BOB, PublicDaemon, User, as_user, only_root

not_sanitized = pytest.mark.skipif("ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ,
                                   reason="a sanitizer reports what is written behind its back")

BLOCK = 64


def stopped_for(rng, first):
    """Seconds: mostly too short for the worker to give a question up, and sometimes longer than that."""
    return 5.2 if first else rng.uniform(5, 10) if rng.random() < 0.05 else rng.uniform(0, 0.3)


def test_no_answer_is_that_of_another_question(tmp_path):
    """The supervisor is stopped for a while, again and again, so that workers give questions up and answers come late.
    Ring calls of the same session go on."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng, times, n_asked, n_given_up = random.Random(seed), scaled(200), 0, 0
    d = Daemon(tmp_path)
    with d.connect(timeout=120) as giver, d.connect() as taker:
        attach(giver)
        token, held, tickets = giver.request("share", 0), set(), set()
        taker.request("attach", 5, {"token": token})
        for block in range(BLOCK, 40 * BLOCK, 2 * BLOCK):
            taker.request("take", 5, block, giver.request("lend", 0, block))
            giver.notify("give", 0, block)
            held.add(block)
        giver.request("prepare", 0, sum_program(8))
        ring = Ring(giver)
        for i in range(times):
            os.kill(d.pid, signal.SIGSTOP)
            try:
                asked = {}
                for _ in range(scaled(10000) // times):
                    block = rng.randrange(40) * BLOCK
                    if rng.random() < 0.1:
                        asked[giver.post("lend", 0, 100 * BLOCK)] = None
                    else:
                        asked[giver.post("returned", 0, [block])] = [block not in held]
                end = time.monotonic() + stopped_for(rng, i == 0)
                while time.monotonic() < end:
                    assert ring.call(0, [0])[0] == 0
                    time.sleep(0.01)
            finally:
                os.kill(d.pid, signal.SIGCONT)
            for _ in asked:
                kind, msgid, error, result = giver.message()
                expected = asked[msgid]
                if error is not None:
                    assert error[1:] == ["EINTERNAL", "the supervisor does not answer"]
                    n_given_up += 1
                elif expected is None:
                    assert result not in tickets
                    tickets.add(result)
                else:
                    assert result == expected, (i, msgid)
                n_asked += 1
    assert n_given_up > 0
    assert d.stop() == 0 and d.complaints() == [], d.log()
    note("23 a late answer", n_asked, n_asked, "the questions that were given up")


# ---- A worker that has gone bad ----


class Intruder:
    """Writes what a worker can write, as if from inside of it: through the worker's own mappings."""

    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    def __init__(self, pid):
        self.pid, self.libc = pid, ctypes.CDLL(None, use_errno=True)

    def mappings(self, name):
        with open(f"/proc/{self.pid}/maps") as f:
            lines = [line.split() for line in f if f"/memfd:{name} " in line]
        return [(*(int(end, 16) for end in fields[0].split("-")), fields[1]) for fields in lines]

    def write(self, address, data):
        here = ctypes.create_string_buffer(data, len(data))
        source = self.Piece(ctypes.cast(here, ctypes.c_void_p), len(data))
        target = self.Piece(address, len(data))
        return self.libc.process_vm_writev(self.pid, ctypes.byref(source), 1, ctypes.byref(target), 1, 0)

    def scribble(self, rng):
        """Over the scoreboard, whole or in parts."""
        ((begin, end, rights),) = self.mappings("numd-scoreboard")
        assert rights == "rw-s"
        kind = rng.choice(["ones", "zeros", "random", "spots"])
        if kind == "spots":
            for _ in range(2000):
                at = rng.randrange(begin, end, 4)
                assert self.write(at, rng.choice([b"\xff" * 4, rng.randbytes(4), b"\0\0\0\x80"])) == 4
        else:
            data = {"ones": b"\xff" * (end - begin), "zeros": bytes(end - begin)}.get(kind) or rng.randbytes(end - begin)
            assert self.write(begin, data) == end - begin


def held_by_kernel(pid):
    with open(f"/proc/{pid}/status") as f:
        return {line.split(":")[0]: line.split()[1] for line in f if line.startswith(("Seccomp:", "NoNewPrivs:"))}


def quotas(client):
    return {q["name"]: (q["used"], q["limit"]) for q in client.request("stats")["quotas"]}


@not_sanitized
def test_what_a_worker_scribbles_changes_nothing_for_others(tmp_path):
    """Sandbox, quotas and time limit of others are as before, and so are their results."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng, times = random.Random(seed), scaled(200, 6)
    d = Daemon(tmp_path, "--quota=segments=4", "--call-max=0.3")
    bystander = Bystander(d)
    with d.connect() as bad:
        intruder = Intruder(bad.info["pid"])
        ((begin, _, rights),) = intruder.mappings("numd-notices")
        assert rights == "r--s" and intruder.write(begin, b"\1") == -1, "options and limits cannot be written"
        before, limits = held_by_kernel(bad.info["pid"]), {name: limit for name, (_, limit) in quotas(bad).items()}
        for _ in range(times):
            intruder.scribble(rng)
            with d.connect() as c:
                assert held_by_kernel(c.info["pid"]) == before
                assert {name: limit for name, (_, limit) in quotas(c).items()} == limits
                attach(c, 0), attach(c, 1), attach(c, 2)
                with pytest.raises(Refused, match="quota of segments: .* may have 4"):
                    attach(c, 3)
                stats = c.request("stats")
                assert {bad.info["pid"], c.info["pid"]} <= {s["pid"] for s in stats["sessions"]}
                assert {s["uid"] for s in stats["sessions"]} == {os.getuid()}
                bystander.check()
            assert eventually(lambda: len(bad.request("stats")["sessions"]) == 2), "that session is gone"
        n = 1 << 25
        attach(bad, 0, 16 * n)
        slow = [["sin", [0], {}]] + [["sin", [k], {}] for k in range(1, 200)]
        bad.request("prepare", 0, program([operand("float64", n)], slow, [[200, {"dtype": "float64"}]]))
        with pytest.raises(Refused, match="ECANCELLED"):  # the time limit holds for the bad one, too
            bad.request("call", 0, [[0, 0], [0, 8 * n]])
    bystander.check()
    bystander.close()
    assert d.stop() == 0 and d.complaints() == [], d.log()
    note("27 a worker scribbles over the scoreboard", times, times)


# ---- Connections ----


def sessions_total(client):
    return client.request("stats")["daemon"]["sessions_total"]


def test_who_is_gone_before_he_is_accepted_gets_no_worker(tmp_path):
    d, times = Daemon(tmp_path), scaled(2000, 50)
    with d.connect() as present:
        before = sessions_total(present)
        os.kill(d.pid, signal.SIGSTOP)
        try:
            for _ in range(times):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(d.path)
        finally:
            os.kill(d.pid, signal.SIGCONT)
        with d.connect():
            assert sessions_total(present) == before + 1
    assert d.stop() == 0 and d.complaints() == [], d.log()


def connect_patiently(d):
    """Also while the listening socket's queue is full: a socket with a time limit does not wait for that."""
    for _ in range(1000):
        try:
            return d.connect(timeout=60)
        except BlockingIOError:
            time.sleep(0.01)
    raise AssertionError("the queue of the listening socket stays full")


def flood_and_go(path, end):
    """Connects and goes; how often."""
    n = 0
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as s:
            s.setblocking(False)
            n += s.connect_ex(path) == 0
    return n


def flood_and_stay(path, end):
    """Connects and keeps many connections for a while."""
    n, kept = 0, []
    while time.monotonic() < end:
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        n += s.connect_ex(path) == 0
        kept.append(s)
        if len(kept) > 400:
            for each in kept:
                each.close()
            kept = []
    return n


@only_root
@pytest.mark.parametrize("flood", [flood_and_go, flood_and_stay])
def test_a_user_who_connects_without_end_has_few_workers(flood):
    """However many connections a user makes, they cost as many workers as the rate allows, and others are served."""
    seconds, rate = max(1, 100 * SCALE), 10
    d = PublicDaemon(f"--connect-rate={rate}")
    with d.connect() as present:
        before, began = sessions_total(present), time.monotonic()
        attacker = User(ALICE, lambda say, wait: say(flood(d.path, began + seconds)))
        served = 0
        while time.monotonic() < began + seconds:
            with connect_patiently(d) as c:
                assert c.request("ping") is None
            served += 1
            time.sleep(0.3)  # far below the rate
        made = attacker.said()
        attacker.close()
        took = time.monotonic() - began
        assert made > 100 and served > 0
        assert sessions_total(present) - before - served <= rate * (4 + took) + 1
    assert d.complaints() == [] and d.stop() == 0
    note("36 a user connects without end", made, made, "those connections")


def test_many_at_once_are_all_served(tmp_path):
    """As the processes of a pool connect: far more than workers may start at a time."""
    d = Daemon(tmp_path)
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(64)]
    for s in sockets:
        s.settimeout(60)
        s.connect(d.path)
    for s in sockets:
        s.sendall(msgpack.packb([0, 1, "hello", [VERSION, {"client": "pool", "pid": 1}]]))
    for s in sockets:
        assert s.recv(4096)[:3] == b"\x94\1\1", "an answer to the first request"
        s.close()
    assert d.stop() == 0 and d.complaints() == [], d.log()


# ---- What users are shown ----


@only_root
def test_users_see_their_own_sessions():
    d = PublicDaemon()

    def look():
        with d.connect() as c:
            stats = c.request("stats")
            return [stats["sessions"], stats["core_owners"], c.info["pid"]]

    with d.connect() as root:
        alice = User(ALICE, lambda say, wait: (say(look()), wait()))
        try:
            bobs, _, pid = as_user(BOB, look)
            assert [(s["uid"], s["pid"]) for s in bobs] == [(BOB, pid)]
            sessions, _, pid = alice.said()
            assert [(s["uid"], s["pid"]) for s in sessions] == [(ALICE, pid)]
            assert root.info["pid"] in {s["pid"] for s in root.request("stats")["sessions"]}
        finally:
            alice.close()
    assert d.stop() == 0


@only_root
def test_root_sees_all_sessions():
    d = PublicDaemon()

    def stay(say, wait):
        with d.connect():
            say("connected")
            wait()

    alice = User(ALICE, stay)
    try:
        alice.said()
        with d.connect() as root:
            assert {s["uid"] for s in root.request("stats")["sessions"]} == {0, ALICE}
    finally:
        alice.close()
    assert d.stop() == 0


@pytest.mark.parametrize("journal, line", [({"JOURNAL_STREAM": "1:1"}, rb"<[3-7]>numd(-worker\[\d+\])?: \w+: [ -~]*"),
                                           ({}, rb"numd(-worker\[\d+\])?: \w+: [ -~]*")])
def test_log_lines_cannot_be_forged(tmp_path, journal, line):
    """Whatever a client calls things, each line is the daemon's own, and steers no terminal."""
    forged = "x\n<3>numd: error: forged\r\n\x1b[31m\x00\x7f\x85\u2028"
    d = Daemon(tmp_path, env=journal)
    with d.connect(hello=False) as c:
        c.send(msgpack.packb([2, forged, []]))
        assert c.message()[1] == "goodbye"
    with d.connect(hello=False) as c:
        c.send(msgpack.packb([2, b"\n<0>numd: \xff\xc0\x8a", []]))
        assert c.message()[1] == "goodbye"
    with d.connect() as c:
        for name in (forged, "a\nb"):
            with pytest.raises(Refused):
                c.request(name)
    assert d.stop() == 0
    with open(d.log_path, "rb") as f:
        log = f.read()
    assert b"forged" in log
    for each in log.splitlines():
        assert re.fullmatch(line, each), each


# ---- Nonsense from a worker ----


def control_of(worker):
    """A copy of the worker's end of the channel to the supervisor."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    pidfd = os.pidfd_open(worker)
    fd = libc.syscall(438, pidfd, 3, 0)  # pidfd_getfd
    os.close(pidfd)
    if fd < 0:
        pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return socket.socket(fileno=fd)


def test_nonsense_from_a_worker_costs_its_own_session_alone(tmp_path):
    """Messages of any type with any numbers and a descriptor beside each, and such as are none."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng, times = random.Random(seed), scaled(20000, 400)
    d = Daemon(tmp_path, "--quota=plans=50", "--spares=1")
    bystander = Bystander(d)
    assert eventually(lambda: len(d.children()) == 2)
    before = d.n_fds()
    with d.connect() as bad, control_of(bad.info["pid"]) as control, tempfile.TemporaryFile() as file:
        kinds, length = list(range(30)), 4096  # what is longer than a message is cut
        for i in range(times):
            words = rng.choices([0, 1, 2, 7, 2**31, 2**32 - 1, rng.getrandbits(32)], k=length // 4)
            words[0] = rng.choice([*kinds, rng.getrandbits(32)])
            control.setblocking(False)
            try:
                socket.send_fds(control, [struct.pack(f"{len(words)}I", *words)], [file.fileno()])
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                time.sleep(0.001)
            if i % 50 == 0:
                bystander.check()
        control.setblocking(False)
    assert eventually(lambda: len(d.children()) == 2)
    bystander.check()
    with d.connect() as c:
        assert quotas(c)["plans"] == (1, 50), "what the bystander has"
    assert eventually(lambda: d.n_fds() == before), (before, d.n_fds())
    bystander.close()
    with d.connect() as bad, control_of(bad.info["pid"]) as control:
        control.send(b"no message")
        assert bad.message() is None, "its worker is ended"
    assert d.process.poll() is None
    assert d.stop() == 0 and d.complaints() == [], d.log()
    note("27 nonsense from a worker", times, times, "its session")
