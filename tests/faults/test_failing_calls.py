# SPDX-License-Identifier: BSD-3-Clause
"""Every allocation and every system call that can fail does fail, in turn, once and from then on: in a worker and in
the client library. Nobody crashes, nothing leaks, and the others go on. See inject/fail.c."""

import mmap
import os
import struct
import subprocess

import pytest
from clients import Bystander, memory, worker_fds
from ledger import SCALE, note
from ring import Ring
from stranger import BUILD, Daemon, Goodbye, Refused, eventually, operand, program, sum_program

SHIM = os.path.join(BUILD, "tests", "libfail.so")
PROGRAM = os.path.join(BUILD, "tests", "fail-session")
pytestmark = pytest.mark.skipif(os.path.basename(os.path.normpath(BUILD)) in ("build-asan", "build-tsan"),
                                reason="a sanitizer has the allocator to itself")


class Control:
    """The control block of fail.c."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "control")
        with open(self.path, "wb") as f:
            f.write(bytes(4096))
        with open(self.path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 4096)
        self.environment = {"NUMD_FAIL": self.path, "LD_PRELOAD": SHIM}

    def arm(self, pid, at=-1, for_ever=False):
        struct.pack_into("iiqqqq32s", self.memory, 0, 0, for_ever, at, 0, 0, 0, b"")
        struct.pack_into("i", self.memory, 0, pid)

    def disarm(self):
        struct.pack_into("i", self.memory, 0, 0)

    def seen(self):
        """(calls, failed, live allocations, the name of the first that failed)"""
        calls, failed, live, name = struct.unpack_from("qqq32s", self.memory, 16)
        return calls, failed, live, name.rstrip(b"\0").decode()


def sample(n, full_below):
    """Which of n calls fail: all of them in full, else some of every kind of place, the first ones densely."""
    if SCALE >= 1:
        return range(n)
    step = max(1, n // full_below)
    return sorted({*range(0, n, step), n - 1})


# ---- The worker

def request(c, *words, fds=()):
    """None if it was refused."""
    try:
        return c.request(*words, fds=fds)
    except Refused:
        return None


def whole_session(c):
    """Everything that a client may ask for. Results that come are right."""
    attach_all = [memory() for _ in range(2)]
    try:
        for segment, fd in enumerate(attach_all):
            request(c, "attach", segment, {"fd": True}, fds=[fd])
        os.pwrite(attach_all[0], struct.pack("100d", *range(100)), 0)
    finally:
        for fd in attach_all:
            os.close(fd)
    token = request(c, "share", 0)
    if token and request(c, "attach", 7, {"token": token}):
        os.close(c.take_fd())
    request(c, "prepare", 0, sum_program(100))
    request(c, "prepare", 1, program([operand("float64", 50)], [["sort", [0]], ["exp", [1]], ["add", [2, 1]]],
                                     [[3, {}]]))
    request(c, "prepare", 2, program([operand("float64", 8, 8)], [["matmul", [0, 0]], ["inv", [0]]],
                                     [[1, {}], [2, {}]]))
    request(c, "explain", 1)
    assert request(c, "call", 0, [[0, 0]]) in (None, 4950.0)
    request(c, "call", 1, [[0, 0], [0, 0]])  # over itself: through scratch
    request(c, "call", 2, [[0, 0], [1, 0], [1, 4096]])
    try:
        ring = Ring(c)
        status, _, result = ring.call(0, [1 << 48])
        assert status != 0 or struct.unpack("d", result[:8])[0] >= 0
        request(c, "notify", ring.id)
        request(c, "close_channel", ring.id)
    except Refused:
        pass
    request(c, "lend", 0, 64)
    request(c, "take", 0, 64, 0)
    request(c, "publish", "failing", 0, 0, b"note", True)
    request(c, "open", "failing")
    request(c, "unpublish", "failing")
    request(c, "memory")
    request(c, "stats")
    for plan in range(3):
        request(c, "release", plan)
    for segment in (0, 1, 7):
        request(c, "detach", segment)


def run_session(daemon, control, at=-1, for_ever=False):
    """A session in which a call fails. Whether it lasted to its end; and what the worker's descriptors came to."""
    with daemon.connect(timeout=30) as c:
        pid = c.info["pid"]
        before = worker_fds(c)
        control.arm(pid, at, for_ever)
        try:
            whole_session(c)
            for segment in (0, 1, 7):
                request(c, "detach", segment)  # if that was what failed
            lasted = True
        except (Goodbye, EOFError, ConnectionError):
            lasted = False
        seen = control.seen()
        left = worker_fds(c) - before if lasted and not for_ever else 0
    assert eventually(lambda: pid not in daemon.children())
    live = control.seen()[2]
    control.disarm()
    return seen, left, live


@pytest.fixture
def failing_daemon(tmp_path):
    control = Control(str(tmp_path))
    d = Daemon(tmp_path, env=control.environment)
    yield d, control
    assert d.stop() == 0, d.log()
    assert d.complaints() == []


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "from_then_on"])
def test_in_the_worker(failing_daemon, for_ever):
    d, control = failing_daemon
    bystander = Bystander(d)
    for _ in range(2):
        (n, failed, _, _), left, live = run_session(d, control)
        assert failed == 0 and n > 100
    injected = 0
    for at in sample(n, full_below=25):
        seen, left_now, live_now = run_session(d, control, at, for_ever)
        assert left_now <= left, (at, seen, "descriptors")
        assert live_now <= live, (at, seen, "memory")
        assert d.complaints() == [], (at, seen)
        bystander.check()
        injected += seen[1] > 0
    bystander.close()
    assert injected > 10
    note("a call fails in a worker", injected, injected, "what was asked for, or the session")


# ---- The client library

def run_client(daemon, control, at=-1, for_ever=False):
    """fail-session with a failing call. (calls, failed, live, name), and descriptors at its beginning and end."""
    p = subprocess.Popen([PROGRAM, daemon.path], env=dict(os.environ, **control.environment), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        fds = f"/proc/{p.pid}/fd"
        assert eventually(lambda: os.readlink(f"/proc/{p.pid}/exe").endswith("fail-session"))
        control.arm(p.pid, at, for_ever)
        p.stdin.write("go\n")
        p.stdin.flush()
        assert p.stdout.readline() == "done\n", (at, for_ever, control.seen(), p.wait(5), p.stderr.read())
        seen, n_fds = control.seen(), len(os.listdir(fds))
        if "GCOV_ERROR_FILE" in os.environ:  # a coverage build writes its counts now, which is not under test
            control.disarm()
        assert p.communicate("end\n", timeout=30)[1] == ""
        assert p.returncode == 0
        return seen, n_fds
    finally:
        p.kill()
        p.wait()
        control.disarm()


@pytest.fixture
def healthy_daemon(tmp_path):
    d = Daemon(tmp_path)
    yield d
    assert d.stop() == 0, d.log()
    assert d.complaints() == []


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "from_then_on"])
def test_in_the_client(healthy_daemon, tmp_path, for_ever):
    control, d = Control(str(tmp_path)), healthy_daemon
    bystander = Bystander(d)
    for _ in range(2):
        (n, failed, live, _), n_fds = run_client(d, control)
        assert failed == 0 and n > 50
    injected = 0
    for at in sample(n, full_below=25):
        seen, fds = run_client(d, control, at, for_ever)
        assert fds <= n_fds, (at, seen, "descriptors")
        assert seen[2] <= live, (at, seen, "memory")
        bystander.check()
        injected += seen[1] > 0
    bystander.close()
    assert injected > 10
    note("a call fails in the client library", injected, injected, "what was asked for")
