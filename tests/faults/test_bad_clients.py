# SPDX-License-Identifier: BSD-3-Clause
"""Clients that send what they should not, do not read, die, or take their memory away. Nobody else notices."""

import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import msgpack
import pytest
from clients import BYTES, N, NOT_MEMORY, attach, goodbye, memory, refused, worker_fds
from fuse import FileSystem
from ledger import note, scaled
from stranger import Daemon, Refused, add_program, eventually, operand, program, sum_program
from users import User


def test_wrong_descriptors(daemon, bystander, tmp_path):
    r, w = os.pipe()
    pair = socket.socketpair()
    read_only = memory()
    with daemon.connect() as c:
        before = worker_fds(c)
        for fd, sentence in [
            (r, NOT_MEMORY), (w, NOT_MEMORY),
            (pair[0].fileno(), NOT_MEMORY),
            (os.open("/dev/zero", os.O_RDWR), NOT_MEMORY),
            (os.open("/dev/shm", os.O_RDONLY), NOT_MEMORY),
            (os.eventfd(0), NOT_MEMORY),
            (os.open(f"/proc/self/fd/{read_only}", os.O_RDONLY),
             "the object is not open for both reading and writing"),
            (os.open(f"/proc/self/fd/{read_only}", os.O_PATH), NOT_MEMORY),
            (memory(0), "the object is empty"),
        ]:
            refused(c, "EDESCRIPTOR", sentence, "attach", 0, {"fd": True}, fds=[fd])
            os.close(fd)
        assert worker_fds(c) == before
    note("4 wrong kind of descriptor", 9, 9)
    pair[0].detach()
    pair[1].close()
    os.close(read_only)


def test_other_files_than_shared_memory(daemon, bystander, tmp_path):
    """Of a file system on disk, and of huge pages, of which there may be none."""
    on_disk = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    os.ftruncate(on_disk, BYTES)
    huge = os.memfd_create("faults", os.MFD_HUGETLB | os.MFD_ALLOW_SEALING)
    os.ftruncate(huge, 4 << 20)
    sealed = memory()
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    with daemon.connect() as c:
        before = worker_fds(c)
        if os.statvfs(tmp_path).f_fsid != os.statvfs("/dev/shm").f_fsid:
            refused(c, "EDESCRIPTOR", NOT_MEMORY, "attach", 0, {"fd": True}, fds=[on_disk])
        refused(c, "EDESCRIPTOR", "the object is sealed against writing", "attach", 0, {"fd": True}, fds=[sealed])
        try:
            assert c.request("attach", 0, {"fd": True}, fds=[huge]) == {"bytes": 4 << 20}
            c.request("prepare", 0, sum_program(N))
            assert c.request("call", 0, [[0, 0]]) == 0
            c.request("detach", 0)
        except Refused as e:
            assert (e.name, e.sentence) == ("ENOMEMORY", "the object cannot be mapped: Cannot allocate memory")
        assert worker_fds(c) == before
    note("4 wrong kind of descriptor", 3, 3)
    for fd in (on_disk, huge, sealed):
        os.close(fd)


with_fuse = pytest.mark.skipif(os.getuid() != 0 or not os.path.exists("/dev/fuse"), reason="root and FUSE are needed")


def make_a_worker_wait(daemon):
    """A client whose worker waits for a file system that answers nothing."""
    def hold(say, wait):
        files = FileSystem()
        try:
            fd = files.open("memfd:numd-arrays")  # the kernel shows such a path for memory of ours, too
            with daemon.connect() as c:
                c.post("attach", 0, {"fd": True}, fds=[fd])
                files.wait()
                say("the worker waits")
                wait()
        finally:
            files.close()

    holder = User(0, hold)
    assert holder.said() == "the worker waits"
    return holder


@with_fuse
def test_a_file_that_makes_its_readers_wait(daemon, bystander):
    """It holds up the worker to which it is sent, and neither the supervisor nor anybody else."""
    holder = make_a_worker_wait(daemon)
    try:
        with daemon.connect(timeout=20) as c:
            assert "numd-arrays" not in c.request("memory")
            assert c.request("ping") is None
        bystander.check()
    finally:
        holder.close()
    assert eventually(lambda: len(daemon.children()) == 3), daemon.log()
    note("4 a file that makes its readers wait", 1, 1, "the session")


@with_fuse
def test_a_daemon_ends_although_a_worker_cannot(tmp_path):
    d = Daemon(tmp_path)
    holder = make_a_worker_wait(d)
    try:
        assert d.stop() == 0
        assert "workers that cannot be killed are left" in d.log()
    finally:
        holder.close()


def test_descriptor_floods(daemon, bystander):
    fd = memory()
    with daemon.connect() as c:  # more than one message may carry
        c.send(b"\x94", fds=[fd] * 200)
        goodbye(c, "ELIMIT", "more than 8 descriptors beside one message, or 16 unclaimed")
    with daemon.connect() as c:  # a few at a time, never claimed
        before = worker_fds(c)
        for _ in range(4):
            c.request("ping", fds=[fd] * 4)
        assert worker_fds(c) == before + 16
        c.post("ping", fds=[fd])
        goodbye(c, "ELIMIT", "more than 8 descriptors beside one message, or 16 unclaimed")
    with daemon.connect() as c:  # claimed in the order in which they came
        small = memory(4096)
        c.request("ping", fds=[fd, small])
        assert c.request("attach", 0, {"fd": True}) == {"bytes": BYTES}
        assert c.request("attach", 1, {"fd": True}) == {"bytes": 4096}
        note("12 descriptor floods", 2, 2, "the session")
        refused(c, "EDESCRIPTOR", "no descriptor came with the request", "attach", 2, {"fd": True})
        os.close(small)
    os.close(fd)


def test_sockets_sent_through_themselves(daemon, bystander):
    """A worker that kept its own client's end would never see that the client has gone."""
    a, b = socket.socketpair()
    with daemon.connect() as c:
        c.request("ping", fds=[a.fileno(), b.fileno(), c.sock.fileno()])
    a.close()
    b.close()
    assert eventually(lambda: len(daemon.children()) == 3), daemon.log()


def test_sockets_sent_through_each_other(daemon, bystander):
    """Descriptors in flight in a circle: each connection's end of file depends on the other's being read."""
    for _ in range(scaled(1000, 10)):
        with daemon.connect() as a, daemon.connect() as b:
            a.post("ping", fds=[b.sock.fileno(), a.sock.fileno()])
            b.post("ping", fds=[a.sock.fileno(), b.sock.fileno()])
    assert eventually(lambda: len(daemon.children()) == 3), daemon.log()
    note("12 descriptors in flight in circles", scaled(1000, 10), scaled(1000, 10))


def test_a_client_that_never_reads(daemon, bystander):
    with daemon.connect() as c:
        c.sock.settimeout(5)
        stats = msgpack.packb([0, 1, "stats", []]) * 100
        with pytest.raises(ConnectionError):
            for _ in range(10000):
                c.sock.sendall(stats)
        assert eventually(lambda: "answers were not read by the client" in daemon.log())
    note("14 slow or silent peers", 1, 1, "the session")


CLIENT = """
import mmap, os, struct, sys
sys.path.insert(0, {tests!r})
from stranger import Stranger, sum_program, operand, program
n = 1 << 20
fd = os.memfd_create("victim", os.MFD_CLOEXEC)
os.ftruncate(fd, 8 * n)
print("x", flush=True)
while True:
    c = Stranger({path!r})
    c.request("attach", 0, {{"fd": True}}, fds=[fd])
    c.request("share", 0)
    c.request("prepare", 0, program([operand("float64", n)], [["exp", [0]], ["sum", [1]]], [[2, {{"result": True}}]]))
    c.request("open_channel", {{"wait": "auto"}})
    for _ in range(5):
        c.request("call", 0, [[0, 0]])
    c.close()
"""


def test_clients_killed_at_any_moment(daemon, bystander):
    rng = random.Random(int(os.environ.get("NUMD_TEST_SEED", "7")))
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = CLIENT.format(tests=tests, path=daemon.path)
    for _ in range(15):
        victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert victim.stdout.read(1) == b"x"
        time.sleep(rng.random() * 0.15)
        victim.kill()
        victim.wait()
        victim.stdout.close()
        bystander.check()
    assert eventually(lambda: len(daemon.children()) == 3), daemon.log()


def test_a_worker_killed(daemon, bystander):
    with daemon.connect() as c:
        attach(c)
        os.kill(c.info["pid"], signal.SIGKILL)
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                c.request("ping")
        assert eventually(lambda: f"worker {c.info['pid']} (session of process {os.getpid()}, user {os.getuid()}) "
                          "was ended by signal 9 (Killed)" in daemon.log())
    bystander.check()
    with daemon.connect() as c:
        assert c.request("stats")["daemon"]["workers_lost"] >= 1


@pytest.mark.parametrize("victim", ["input", "output"])
def test_truncation_during_a_call(daemon, bystander, victim):
    n = 1 << 23
    fds = [memory(8 * n), memory(8 * n)]
    with daemon.connect() as c:
        for i, fd in enumerate(fds):
            c.request("attach", i, {"fd": True}, fds=[fd])
        c.request("prepare", 0, program([operand("float64", n)], [["exp", [0]], ["sin", [1]]], [[2, {}]]))
        pid = c.info["pid"]
        statuses = set()
        for fraction in (0.1, 0.5, 0.9):
            msgid = c.post("call", 0, [[0, 0], [1, 0]])
            time.sleep(0.003 * fraction)
            os.ftruncate(fds[victim == "output"], int(8 * n * fraction) // 4096 * 4096)
            try:
                c.answer(msgid)
            except Refused as e:
                statuses.add((e.name, e.sentence))
            bystander.check()
        which = int(victim == "output")
        assert statuses == {("ELOST", f"bindings[{which}]: segment was truncated while in use")}
        assert c.info["pid"] in daemon.children()
        refused(c, "ELOST", f"bindings[{which}]: segment was truncated while in use", "call", 0, [[0, 0], [1, 0]])
        os.ftruncate(fds[which], 8 * n)
        c.request("detach", which)
        c.request("attach", which, {"fd": True}, fds=[fds[which]])
        assert c.request("call", 0, [[0, 0], [1, 0]]) is None
        os.kill(pid, 0)
    for fd in fds:
        os.close(fd)


def test_a_sparse_terabyte_is_over_the_quota(daemon):
    with daemon.connect() as c:
        fd = memory(1 << 40)
        with pytest.raises(Refused) as e:
            c.request("attach", 0, {"fd": True}, fds=[fd])
        os.close(fd)
        if c.info["limits"]["segment_bytes"] < 1 << 40:
            assert e.value.name == "ELIMIT"
            assert e.value.sentence.startswith("a segment of 1099511627776 bytes: a session may hold ")
    note("3 a sparse terabyte", 1, 1)




def test_many_sessions_at_once(daemon, bystander):
    errors = []

    def work(seed):
        rng = random.Random(seed)
        try:
            for _ in range(6):
                with daemon.connect() as c:
                    data = attach(c)
                    value = rng.random()
                    struct.pack_into(f"{N}d", data, 0, *[value] * N)
                    c.request("prepare", 0, add_program(N))
                    c.request("call", 0, [[0, 0], [0, 0], [0, 8 * N]])
                    assert struct.unpack_from("d", data, 16 * N - 8)[0] == value + value
        except BaseException as e:  # noqa: BLE001
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
