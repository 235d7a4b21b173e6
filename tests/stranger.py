# SPDX-License-Identifier: BSD-3-Clause
"""A client of numd that knows only protocol/PROTOCOL.md: a socket, msgpack, and nothing of ours.

Used by the tests; it also shows how little a client in another language needs.
"""

import array
import os
import re
import socket
import subprocess
import time

import msgpack

VERSION = 1
BUILD = os.environ.get("NUMD_BUILD", os.path.join(os.path.dirname(__file__), "..", "build"))


class Refused(Exception):
    """An error response: number, name and sentence."""

    def __init__(self, error):
        super().__init__(": ".join(map(str, error[1:])))
        self.number, self.name, self.sentence = error


class Goodbye(Exception):
    """The daemon ended the connection and said why."""

    def __init__(self, error):
        super().__init__(": ".join(map(str, error[1:])))
        self.number, self.name, self.sentence = error


class Stranger:
    def __init__(self, path, hello=True, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.msgid = 0
        self.fds = []
        self.info = self.request("hello", VERSION, {"client": "stranger", "pid": os.getpid()}) if hello else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def send(self, data, fds=()):
        """All bytes, with descriptors beside the first of them. Who was sent away can still read why."""
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.sock.sendmsg([data], beside)
            if sent < len(data):
                self.sock.sendall(data[sent:])
        except BrokenPipeError:
            pass

    def post(self, method, *params, fds=()):
        """Sends a request; its msgid."""
        self.msgid += 1
        self.send(msgpack.packb([0, self.msgid, method, list(params)]), fds)
        return self.msgid

    def notify(self, method, *params):
        self.send(msgpack.packb([2, method, list(params)]))

    def message(self):
        """The next frame; None at end of file."""
        while True:
            for frame in self.unpacker:
                return frame
            try:
                data, beside, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(8 * 4))
            except ConnectionResetError:
                return None
            for level, kind, content in beside:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self.fds += array.array("i", content[: len(content) // 4 * 4])
            if not data:
                return None
            self.unpacker.feed(data)

    def answer(self, msgid):
        frame = self.message()
        if frame is None:
            raise EOFError("the daemon closed the connection")
        if frame[0] == 2 and frame[1] == "goodbye":
            raise Goodbye(frame[2])
        assert frame[0] == 1 and frame[1] == msgid, frame
        if frame[2] is not None:
            raise Refused(frame[2])
        return frame[3]

    def request(self, method, *params, fds=()):
        return self.answer(self.post(method, *params, fds=fds))

    def take_fd(self):
        return self.fds.pop(0)


def operand(dtype, *shape, strides=None):
    return ["array", [dtype, list(shape), strides]]


def program(operands, ops, outputs):
    return {"operands": operands, "ops": ops, "outputs": outputs}


def add_program(n, dtype="float64"):
    """out = a + b over n elements."""
    return program([operand(dtype, n), operand(dtype, n)], [["add", [0, 1], {}]], [[2, {}]])


def sum_program(n, dtype="float64"):
    """The sum of n elements, as the call's result."""
    return program([operand(dtype, n)], [["sum", [0], {}]], [[1, {"result": True}]])


class Daemon:
    """A daemon of our own on a private socket, ended by its pid."""

    def __init__(self, directory, *options, env=None, user=None, groups=(), pass_fds=()):
        self.path = os.path.join(str(directory), "numd.sock")
        self.log_path = os.path.join(str(directory), "numd.log")
        with open(self.log_path, "ab") as stderr:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "numd"), "--socket", self.path, *options],
                stderr=stderr, stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})), pass_fds=pass_fds,
                **({} if user is None else {"user": user, "group": user, "extra_groups": list(groups)}))
        deadline = time.monotonic() + 10
        while not os.path.exists(self.path) or "listens at" not in self.log():  # the path is there a moment earlier
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.005)

    @property
    def pid(self):
        return self.process.pid

    def connect(self, **how):
        return Stranger(self.path, **how)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def complaints(self):
        """Lines that no healthy daemon writes: workers that failed or were ended (but for SIGKILL), sanitizers."""
        bad = re.compile(r"ended with code [^0]|ended by signal (?!9 )|: error: |Sanitizer|runtime error")
        return [line for line in self.log().splitlines() if bad.search(line)]

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def stop(self):
        """Ends it by SIGTERM; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def shared_names():
    """Shared memory that is the daemon's or a test's; a benchmark, which may be running, has its own names."""
    return {name for name in os.listdir("/dev/shm") if "numd" in name and not name.startswith("numd-bench-")}


def eventually(condition, seconds=20):
    """Waits until condition() is true; whether it became so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
