# SPDX-License-Identifier: BSD-3-Clause
"""A worker that its client has taken over reaches nothing beside its session: each call that the filter knows, with
foreign targets."""

import contextlib
import errno
import os
import signal
import socket
import struct

import pytest
from clients import attach, session_of, unsanitized
from ledger import note
from stranger import sum_program
from taking_over import Killed, TakenOver, only_x86
from users import ALICE, PublicDaemon, User, only_root

pytestmark = [only_root, only_x86, unsanitized]

AT_FDCWD, OBJECT = -100, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
F_SETOWN, F_SETSIG = 8, 10
(STAT, MPROTECT, IOCTL, ACCESS, GETPID, SOCKET, CONNECT, SENDTO, SENDMSG, SOCKETPAIR, CLONE, EXECVE, KILL, FCNTL, UNLINK,
 READLINK, PTRACE, SETUID, PRCTL, TKILL, SETAFFINITY, TGKILL, OPENAT, NEWFSTATAT, PRLIMIT, SENDMMSG, PROCESS_VM_READV,
 STATX, PIDFD_SEND, IO_URING, PIDFD_OPEN, PIDFD_GETFD) = (
    4, 10, 16, 21, 39, 41, 42, 44, 46, 53, 56, 59, 62, 72, 87,
    89, 101, 105, 157, 200, 203, 234, 257, 262, 302, 307, 310,
    332, 424, 425, 434, 438)
CLONE_VM, CLONE_VFORK = 0x100, 0x4000


@pytest.fixture
def taken():
    """Alice's session, her worker's pid, and another process of hers."""
    d = PublicDaemon()

    def serve(say, wait):
        with d.connect() as c:
            attach(c)
            c.request("prepare", 0, sum_program(8))
            say({"worker": c.info["pid"], "sandbox": session_of(c)["sandbox"]})
            wait()
            try:
                say(c.request("call", 0, [[0, 0]]))
            except (EOFError, ConnectionError):
                say("ended")

    session = User(ALICE, serve)
    victim = User(ALICE, lambda say, wait: wait())
    try:
        yield session.said(), session, victim.pid
    finally:
        victim.close()  # which has a copy of the session's gate
        session.close()
        assert d.stop() == 0


def end(session):
    os.write(session.gate, b"x")
    return session.said()


def test_calls_with_foreign_targets(taken):
    where, session, victim = taken
    address = f"/tmp/numd-test-takeover-{os.getpid()}"
    sun = struct.pack("H108s", socket.AF_UNIX, address.encode())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, TakenOver(where["worker"]) as w:
        listening.bind(address)
        os.chmod(address, 0o666)
        try:
            assert w.call(GETPID) == where["worker"]
            refused = [
                (TGKILL, victim, victim, signal.SIGKILL), (SETAFFINITY, victim, 8, b"\1" + bytes(7)),
                (PRLIMIT, victim, 7, bytes(16), 0), (PRLIMIT, 0, 7, bytes(16), 0),
                (FCNTL, 3, F_SETOWN, victim), (FCNTL, 3, F_SETSIG, signal.SIGKILL),
                (FCNTL, 3, 4, os.O_ASYNC), (IOCTL, 3, 0x8901, struct.pack("i", victim)), (IOCTL, 3, 0x5452, b"\1\0\0\0"),
                (SOCKET, socket.AF_UNIX, socket.SOCK_DGRAM, 0), (SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0),
                (SOCKETPAIR, socket.AF_UNIX, socket.SOCK_DGRAM, 0, bytes(8)),
                (SENDTO, 3, b"x", 1, 0, sun, len(sun)), (SENDMMSG, 3, bytes(64), 1, 0),
                (STAT, b"/etc/passwd", bytes(256)), (NEWFSTATAT, AT_FDCWD, b"/etc/passwd", bytes(256), 0),
                (NEWFSTATAT, AT_FDCWD, b"/etc/passwd", bytes(256), 0x1000),
                (STATX, AT_FDCWD, b"/etc/passwd", 0, 0x7ff, bytes(256)), (ACCESS, b"/etc/passwd", 0),
                (READLINK, b"/proc/self/exe", bytes(64), 64), (OPENAT, AT_FDCWD, b"/etc/passwd", os.O_RDONLY),
                (OPENAT, AT_FDCWD, b"/dev/shm/numd-test-made", OBJECT | os.O_CREAT, 0o600),
                (MPROTECT, w.before["rip"] & ~4095, 4096, 7), (PRCTL, 4, 1), (PRCTL, 1, 0),
                (CLONE, signal.SIGCHLD), (CLONE, CLONE_VM | CLONE_VFORK | signal.SIGCHLD), (IO_URING, 8, bytes(256)),
            ]
            for call in refused:
                assert w.call(*call) == -errno.ENOSYS, call
            # These are allowed by their arguments, and stopped by what lies behind the filter.
            if "landlock" in where["sandbox"]:
                for path in (b"/etc/passwd", b"/proc/self/mem", b"/dev/null", address.encode()):
                    assert w.call(OPENAT, AT_FDCWD, path, OBJECT) == -errno.EACCES, path
            message = struct.pack("QIxxxxQQQQixxxx", w.before["rsp"] - 256, len(sun), 0, 0, 0, 0, 0)
            os.pwrite(w.memory, sun, w.before["rsp"] - 256)
            # Of the way to the supervisor the kernel ignores the address.
            sockets = [n for n in range(4, 32) if w.call(SENDMSG, n, message, 0x4000) not in
                       (-errno.EBADF, -errno.ENOTSOCK, -errno.EISCONN)]
            assert sockets == []
        finally:
            os.unlink(address)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.recv(1)
    assert os.waitpid(victim, os.WNOHANG) == (0, 0), "it lives"
    assert end(session) == 0, "the session goes on"
    note("34 calls with foreign targets", len(refused) + 1, len(refused) + 1)


@pytest.mark.parametrize("call", [
    (KILL, 1, 0), (TKILL, 1, 0), (PIDFD_SEND, 3, 9, 0, 0), (PIDFD_OPEN, 1, 0), (PIDFD_GETFD, 3, 3, 0), (PTRACE, 16, 1),
    (PROCESS_VM_READV, 1, 0, 0, 0, 0, 0), (CONNECT, 3, bytes(16), 16), (EXECVE, b"/bin/true", 0, 0), (SETUID, 0),
    (UNLINK, b"/dev/shm/numd-test-none"),
], ids=lambda call: str(call[0]))
def test_calls_of_intruders_end_the_session(taken, call):
    where, session, victim = taken
    with contextlib.suppress(ProcessLookupError):
        with pytest.raises(Killed) as e, TakenOver(where["worker"]) as w:
            w.call(*call)
        assert e.value.args == (signal.SIGSYS,)
    assert end(session) == "ended"
    note("34 calls of intruders", 1, 1, "the session")
