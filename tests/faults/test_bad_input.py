"""Clients that are broken, hostile or dead. Each gets its answer or is disconnected; the worker of nobody else
notices."""

import mmap
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import msgpack
import pytest
from stranger import Daemon, Goodbye, Refused, add_program, eventually, operand, program, sum_program

N = 1000
BYTES = 1 << 16


def memory(n_bytes=BYTES):
    fd = os.memfd_create("faults", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, n_bytes)
    return fd


def attach(client, segment=0, n_bytes=BYTES):
    fd = memory(n_bytes)
    client.request("attach", segment, {"fd": True}, fds=[fd])
    data = mmap.mmap(fd, n_bytes)
    os.close(fd)
    return data


def worker_fds(client):
    return len(os.listdir(f"/proc/{client.info['pid']}/fd"))


def rss(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * mmap.PAGESIZE


class Bystander:
    """A session that must not notice anything."""

    def __init__(self, daemon):
        self.client = daemon.connect()
        self.data = attach(self.client)
        struct.pack_into(f"{N}d", self.data, 0, *range(N))
        self.client.request("prepare", 0, sum_program(N))

    def check(self):
        assert self.client.request("call", 0, [[0, 0]]) == sum(range(N))

    def close(self):
        self.client.close()


@pytest.fixture
def bystander(daemon):
    b = Bystander(daemon)
    yield b
    b.check()
    b.close()


def refused(client, name, sentence, method, *params, fds=()):
    with pytest.raises(Refused) as e:
        client.request(method, *params, fds=fds)
    assert (e.value.name, e.value.sentence) == (name, sentence)
    assert client.request("ping") is None


def goodbye(client, name, sentence):
    """The daemon says why, then closes."""
    frame = client.message()
    assert frame is not None and frame[:2] == [2, "goodbye"], frame
    assert (frame[2][1], frame[2][2]) == (name, sentence)
    assert client.message() is None


# ---- Frames


@pytest.mark.parametrize("frame, sentence", [
    (b"\xc1", "byte 0 of the frame is not msgpack"),
    (b"\x94\x00\x01\xc1", "byte 3 of the frame is not msgpack"),
    (b"\xdd\xff\xff\xff\xff", "more than 65536 values in a frame"),
    (b"\xdf\x7f\xff\xff\xff", "more than 65536 values in a frame"),
    (b"\x94\x00\x01\xa4call\x92\x00\xdd\xff\xff\xff\xff", "more than 65536 values in a frame"),
    (b"\xc6\xff\xff\xff\xff", "a frame longer than 1048576 bytes"),
    (b"\xdb\x00\x10\x00\x00", "a frame longer than 1048576 bytes"),
    (b"\x91" * 9, "containers nested deeper than 8"),
    (b"\xc0", "a frame must be [0, msgid, method, params], [1, msgid, error, result] or [2, method, params]"),
    (b"GET / HTTP/1.0\r\n\r\n",
     "a frame must be [0, msgid, method, params], [1, msgid, error, result] or [2, method, params]"),
    (msgpack.packb([0, -1, "ping", []]), "msgid: an integer from 0 to 4294967295 is wanted"),
    (msgpack.packb([0, 1, 5, []]), "method: a string is wanted"),
    (msgpack.packb([0, 1, "ping", {}]), "params: an array is wanted"),
    (msgpack.packb([1, 1, None, None]), "a client does not send responses"),
    (msgpack.packb([2, "stats", []]), "'stats' is no notification"),
    (msgpack.packb([2, "\u00e4\n", []]), "'???' is no notification"),
])
@pytest.mark.parametrize("hello", [False, True])
def test_frames_that_end_the_connection(daemon, frame, sentence, hello):
    with daemon.connect(hello=hello) as c:
        c.send(frame)
        goodbye(c, "EPROTOCOL", sentence)


def test_bombs_take_no_memory(daemon):
    with daemon.connect() as c:
        c.request("ping")
        before = rss(c.info["pid"])
        c.sock.sendall(b"\x94\x00\x01\xa4ping\xdc\x0f\xff")  # 4095 values announced, none sent
        c.sock.sendall(b"\xdb\x00\x0f\x00\x00")  # a string of nearly 1 MiB
        time.sleep(0.1)
        assert rss(c.info["pid"]) - before <= 1 << 20


def test_fragments(daemon):
    """Any way of cutting the stream gives the same answers."""
    rng = random.Random(1)
    with daemon.connect() as c:
        stream = b"".join(msgpack.packb([0, i, "prepare", [i, add_program(i + 1)]]) for i in range(20))
        for b in stream[:600]:
            c.sock.sendall(bytes([b]))
        rest = stream[600:]
        while rest:
            n = rng.randrange(1, 200)
            c.sock.sendall(rest[:n])
            rest = rest[n:]
        for i in range(20):
            frame = c.message()
            assert frame[1] == i and frame[3]["outputs"] == [["float64", [i + 1], [8]]]


def test_the_largest_frame(daemon):
    with daemon.connect() as c:
        frame = msgpack.packb([0, 5, "x" * 100, ["y" * ((1 << 20) - 200)]])
        assert (1 << 20) - 200 < len(frame) <= 1 << 20
        c.send(frame)
        assert c.message()[2] == [2, "EMETHOD", f"there is no method '{'x' * 40}'"]
        assert c.request("ping") is None


# ---- Methods


def test_hello_comes_first_and_once(daemon):
    with daemon.connect(hello=False) as c:
        with pytest.raises(Refused) as e:
            c.request("ping")
        assert (e.value.name, e.value.sentence) == ("EPROTOCOL", "hello must come first")
        with pytest.raises(Refused) as e:
            c.request("hello", 99, {})
        assert (e.value.name, e.value.sentence) == ("EVERSION", "this daemon speaks version 1, not 99")
        with pytest.raises(Refused) as e:
            c.request("hello", 1, {"colour": "red"})
        assert (e.value.name, e.value.sentence) == ("EPROTOCOL", "hello: unknown key 'colour'")
        c.request("hello", 1, {})
        refused(c, "EPROTOCOL", "hello was said already", "hello", 1, {})


def test_slow_hello(daemon):
    with daemon.connect(hello=False) as c:
        frame = msgpack.packb([0, 1, "hello", [1, {"client": "slow"}]])
        started = time.monotonic()
        with pytest.raises(OSError):
            for b in frame * 10:
                c.sock.sendall(bytes([b]))
                time.sleep(0.5)
                if time.monotonic() - started > 8:
                    break
            c.sock.sendall(b"")
            if c.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ConnectionResetError
        assert 4 < time.monotonic() - started < 9
        goodbye(c, "ETIMEOUT", "no hello within 5000 ms")


def test_params(daemon, bystander):
    with daemon.connect() as c:
        for args, name, sentence in [
            (("fooo",), "EMETHOD", "there is no method 'fooo'"),
            (("ping", 1), "EPROTOCOL", "ping: 0 params are wanted, not 1"),
            (("call", 1), "EPROTOCOL", "call: 2 params are wanted, not 1"),
            (("call", 1, []), "EPLAN", "there is no plan 1"),
            (("call", -1, []), "EPROTOCOL", "plan: an integer from 0 to 4294967295 is wanted"),
            (("call", 1 << 31, []), "EPLAN", "there is no plan 2147483648"),
            (("release", 3), "EPLAN", "there is no plan 3"),
            (("explain", 3), "EPLAN", "there is no plan 3"),
            (("detach", 3), "ESEGMENT", "there is no segment 3"),
            (("share", 3), "ESEGMENT", "there is no segment 3"),
            (("close_channel", 3), "ECHANNEL", "no channel 3"),
            (("cancel", {"channel": 3, "call": 0}), "ECHANNEL", "no channel 3"),
            (("cancel", {}), "EPROTOCOL", "cancel: channel and call, or msgid, are wanted"),
            (("cancel", {"channel": 3}), "EPROTOCOL", "cancel: channel and call, or msgid, are wanted"),
            (("cancel", []), "EPROTOCOL", "cancel: a map is wanted"),
            (("open_channel", {"wait": "long"}), "EINVAL", "wait: auto, spin, handoff or sleep is wanted"),
            (("attach", 0, {}), "EPROTOCOL", "attach: one of name, fd and token is wanted"),
            (("attach", 0, {"fd": True}), "EDESCRIPTOR", "no descriptor came with the request"),
            (("attach", 0, {"fd": 1}), "EPROTOCOL", "fd: true or false is wanted"),
            (("attach", 0, {"name": "x", "fd": True}), "EPROTOCOL",
             "attach: one of name, fd and token is wanted"),
            (("attach", 0, {"token": b"short"}), "EPROTOCOL", "token: 16 bytes are wanted"),
            (("attach", 0, {"token": bytes(16)}), "ESEGMENT", "token: no such segment"),
        ]:
            refused(c, name, sentence, *args)
        stats = c.request("stats")
        assert [s["errors"] for s in stats["sessions"] if s["pid"] == c.info["pid"]] == [22]


def test_names(daemon):
    gone = "there is no such object, or it may not be opened"
    form = "name: 1 to 255 bytes without a slash are wanted"
    os.symlink("/etc/passwd", "/dev/shm/numd-test-link")
    os.mkfifo("/dev/shm/numd-test-fifo")
    os.mkdir("/dev/shm/numd-test-dir")
    try:
        with daemon.connect() as c:
            before = worker_fds(c)
            for name, status, sentence in [
                ("", "EINVAL", form), ("/", "EINVAL", form), (".", "EINVAL", form), ("..", "EINVAL", form),
                ("../etc/passwd", "EINVAL", form), ("a/b", "EINVAL", form), ("//a", "EINVAL", form),
                ("a\0b", "EINVAL", form), ("n" * 256, "EINVAL", form), ("n" * 255, "EACCESS", gone),
                ("numd-test-none", "EACCESS", gone), ("numd-test-link", "EACCESS", gone),
                ("numd-test-dir", "EACCESS", gone),
                ("numd-test-fifo", "EDESCRIPTOR", "the descriptor is not a file"),
            ]:
                refused(c, status, sentence, "attach", 0, {"name": name})
            refused(c, "EPROTOCOL", "name: a string is wanted", "attach", 0, {"name": 5})
            assert worker_fds(c) == before
    finally:
        os.unlink("/dev/shm/numd-test-link")
        os.unlink("/dev/shm/numd-test-fifo")
        os.rmdir("/dev/shm/numd-test-dir")


# ---- Programs


F = operand("float64", 4)
OUT = [[1, {}]]


@pytest.mark.parametrize("prog, name, sentence", [
    ([], "EPROTOCOL", "program: a map is wanted"),
    ({"operands": []}, "EPROTOCOL", "ops: an array is wanted"),
    ({"operands": [], "ops": [], "outputs": [], "x": 1}, "EPROTOCOL", "program: unknown key 'x'"),
    (program([F], [], []), "EINVAL", "outputs: at least one is needed"),
    (program([F] * 65, [], [[0, {}]]), "ELIMIT", "operands: more than 64 entries"),
    (program([F] * 64, [], [[0, {}]]), "ELIMIT", "program: more than 64 bindings"),
    (program([F], [["abs", [0]]] * 257, OUT), "ELIMIT", "ops: more than 256 entries"),
    (program([F], [["fooo", [0], {}]], OUT), "EOP", "ops[0]: unknown operation 'fooo'"),
    (program([F], [["abs", [0], {}]] * 3 + [["fooo", [0], {}]], OUT), "EOP", "ops[3]: unknown operation 'fooo'"),
    (program([F], [["abs", [1], {}]], OUT), "EINVAL", "ops[0].inputs[0]: value 1 is not defined before it"),
    (program([F], [["abs", [-1], {}]], OUT), "EPROTOCOL", "ops[0].inputs[0]: the number of a value is wanted"),
    (program([F], [["add", [0], {}]], OUT), "EINVAL", "ops[0]: 'add' takes 2 inputs, not 1"),
    (program([F], [["abs", [0], {"axis": 1}]], OUT), "EPROTOCOL", "ops[0].params: unknown key 'axis'"),
    (program([F], [["abs", [0], {"axes": [0]}]], OUT), "EINVAL", "ops[0].params: 'abs' takes no axes"),
    (program([F], [["abs", [0], {"dtype": "int64"}]], OUT), "EINVAL", "ops[0].params: 'abs' takes no dtype"),
    (program([F], [["sum", [0], {"axes": [-1]}]], OUT), "EINVAL",
     "ops[0].params.axes: each axis must be given once, from 0 to 15"),
    (program([F], [["sum", [0], {"axes": [0, 0]}]], OUT), "EINVAL",
     "ops[0].params.axes: each axis must be given once, from 0 to 15"),
    (program([F], [["sum", [0], {"dtype": "float16"}]], OUT), "EDTYPE",
     "ops[0].params: unknown dtype 'float16'"),
    (program([operand("complex64", 4)], [], [[0, {}]]), "EDTYPE", "operands[0]: unknown dtype 'complex64'"),
    (program([["scalar", "int32"]], [], [[0, {}]]), "EDTYPE", "operands[0]: a scalar is bool, int64 or float64"),
    (program([["constant", "int64", 1.5]], [], [[0, {}]]), "EPROTOCOL",
     "operands[0]: an integer of 64 bits is wanted"),
    (program([["list", "int64"]], [], [[0, {}]]), "EPROTOCOL",
     'operands[0]: ["array", layout], ["scalar", dtype] or ["constant", dtype, value] is wanted'),
    (program([operand("float64", *[1] * 17)], [], [[0, {}]]), "ELIMIT", "operands[0]: more than 16 dimensions"),
    (program([operand("float64", -1)], [], [[0, {}]]), "EINVAL", "operands[0]: dimension 0 is negative"),
    (program([operand("float64", 1 << 63)], [], [[0, {}]]), "EPROTOCOL",
     "operands[0]: an integer of 64 bits is wanted"),
    (program([operand("float64", 1 << 60)], [], [[0, {}]]), "EINVAL",
     "operands[0]: the array is larger than 2^62 bytes"),
    (program([operand("float64", 1 << 40, 1 << 40)], [], [[0, {}]]), "EINVAL",
     "operands[0]: the array is larger than 2^62 bytes"),
    (program([operand("float64", 1 << 32, 1 << 32, strides=[0, 0])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[-(1 << 63)])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[1 << 62])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[8, 8])], [], [[0, {}]]), "EPROTOCOL",
     "operands[0]: strides must be nil or an array as long as the shape"),
    (program([F], [], [[5, {}]]), "EINVAL", "outputs[0]: there is no value 5"),
    (program([F], [], [[0, {"shape": [4]}]]), "EINVAL", "outputs[0]: a shape without a dtype"),
    (program([F], [], [[0, {"strides": [8]}]]), "EINVAL", "outputs[0]: strides without a shape"),
    (program([F], [["sum", [0]]], [[1, {"result": True}], [1, {"result": True}]]), "EINVAL",
     "outputs[1]: one result a program, and it has no shape"),
])
def test_programs(daemon, prog, name, sentence):
    with daemon.connect() as c:
        refused(c, name, sentence, "prepare", 0, prog)


@pytest.mark.parametrize("prog, name", [
    (program([F, operand("float64", 5)], [["add", [0, 1], {}]], [[2, {}]]), "ESHAPE"),
    (program([F], [["sum", [0], {"axes": [3]}]], OUT), "ESHAPE"),
    (program([operand("bool", 4)], [["negative", [0], {}]], OUT), "EDTYPE"),
    (program([F], [["exp", [0], {}]], [[1, {"dtype": "int32"}]]), "ECAST"),
    (program([F], [["exp", [0], {}]], [[1, {"result": True}]]), "ESHAPE"),
    (program([operand("float64", 4, strides=[4])], [["exp", [0], {}]], OUT), "EALIGN"),
])
def test_programs_that_do_not_fit(daemon, prog, name):
    with daemon.connect() as c:
        with pytest.raises(Refused) as e:
            c.request("prepare", 0, prog)
        assert e.value.name == name, e.value


def test_bindings(daemon):
    with daemon.connect() as c:
        data = attach(c)
        c.request("prepare", 0, add_program(N))
        good, where = [0, 0], "[segment, offset] is wanted"
        for bindings, name, sentence in [
            ([good, good], "EINVAL", "bindings: the plan wants 3, not 2"),
            ({}, "EPROTOCOL", "bindings: an array is wanted"),
            ([good, 5, good], "EPROTOCOL", f"bindings[1]: {where}"),
            ([good, [0], good], "EPROTOCOL", f"bindings[1]: {where}"),
            ([good, [9, 0], good], "ESEGMENT", "bindings[1]: no such segment"),
            ([good, [4096, 0], good], "ESEGMENT", "bindings[1]: there is no segment 4096"),
            ([good, [0, 1 << 48], good], "EBOUNDS", f"bindings[1]: offset {1 << 48} leaves the segment"),
            ([good, good, [0, BYTES]], "EBOUNDS", "bindings[2]: operand leaves its segment"),
            ([good, good, [0, BYTES - 8 * N + 8]], "EBOUNDS", "bindings[2]: operand leaves its segment"),
            ([good, [0, 4], good], "EALIGN", "bindings[1]: operand is not aligned to its item size"),
            ([good, [0, -8], good], "EPROTOCOL",
             f"bindings[1]: an integer from 0 to {(1 << 64) - 1} is wanted"),
        ]:
            refused(c, name, sentence, "call", 0, bindings)
        assert bytes(data) == bytes(BYTES)
        assert c.request("call", 0, [good, good, [0, BYTES - 8 * N]]) is None


# ---- Descriptors


def test_wrong_descriptors(daemon, bystander, tmp_path):
    r, w = os.pipe()
    pair = socket.socketpair()
    read_only = memory()
    with daemon.connect() as c:
        before = worker_fds(c)
        for fd, sentence in [
            (r, "the descriptor is not a file"), (w, "the descriptor is not a file"),
            (pair[0].fileno(), "the descriptor is not a file"),
            (os.open("/dev/zero", os.O_RDWR), "the descriptor is not a file"),
            (os.open("/dev/shm", os.O_RDONLY), "the descriptor is not a file"),
            (os.eventfd(0), "the descriptor is not a file"),
            (os.open(f"/proc/self/fd/{read_only}", os.O_RDONLY),
             "the object is not open for both reading and writing"),
            (os.open(f"/proc/self/fd/{read_only}", os.O_PATH), "the descriptor was opened with O_PATH"),
            (memory(0), "the object is empty"),
        ]:
            refused(c, "EDESCRIPTOR", sentence, "attach", 0, {"fd": True}, fds=[fd])
            os.close(fd)
        assert worker_fds(c) == before
    pair[0].detach()
    pair[1].close()
    os.close(read_only)


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


# ---- Clients that do not read, or die


def test_a_client_that_never_reads(daemon, bystander):
    with daemon.connect() as c:
        c.sock.settimeout(5)
        stats = msgpack.packb([0, 1, "stats", []]) * 100
        with pytest.raises(ConnectionError):
            for _ in range(10000):
                c.sock.sendall(stats)
        assert eventually(lambda: "answers were not read by the client" in daemon.log())


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


# ---- Memory that vanishes


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


# ---- The daemon itself


def test_limit_of_sessions(tmp_path):
    d = Daemon(tmp_path, "--workers-max=2", "--spares=1")
    with d.connect() as a, d.connect() as b:
        with pytest.raises(Goodbye) as e:
            d.connect()
        assert (e.value.name, e.value.sentence) == ("ELIMIT", "the daemon serves as many clients as it may")
        assert a.request("ping") is None and b.request("ping") is None
    assert eventually(lambda: len(d.children()) == 1)
    with d.connect() as c:
        assert c.request("ping") is None
    assert d.stop() == 0


def test_out_of_descriptors(tmp_path):
    d = Daemon(tmp_path, "--spares=0")
    clients = []
    with d.connect() as present:
        used = d.n_fds()
        _, hard = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (used + 6, hard))
        ended = 0
        for _ in range(12):
            try:
                clients.append(d.connect())
            except (Goodbye, ConnectionError, EOFError):
                ended += 1
            assert present.request("ping") is None
        assert 1 <= len(clients) < 12 and ended >= 1, d.log()
        for c in clients:
            c.close()
        assert eventually(lambda: len(d.children()) == 1)
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (hard, hard))
        with d.connect() as c:
            assert c.request("ping") is None
    assert d.stop() == 0


def test_workers_that_cannot_start_are_retried_with_patience(tmp_path):
    d = Daemon(tmp_path, env={"NUMD_WORKER": "/bin/false"})
    with pytest.raises((Goodbye, EOFError, ConnectionError)):
        d.connect()
    time.sleep(1)
    assert d.log().count("/bin/false") + d.log().count("ended with code 1") <= 16
    assert d.stop() == 0


def test_a_second_daemon_at_the_same_address(tmp_path):
    d = Daemon(tmp_path)
    again = subprocess.run([os.path.join(os.path.dirname(d.process.args[0]), "numd"), "--socket", d.path],
                           stderr=subprocess.PIPE, text=True, timeout=10)
    assert again.returncode == 1
    assert again.stderr == f"numd: error: a daemon is alive at {d.path} already\n"
    with d.connect() as c:
        assert c.request("ping") is None
    assert d.stop() == 0
    assert os.listdir(tmp_path) == ["numd.log"]


def test_a_killed_daemon_takes_its_workers_along_and_blocks_nobody(tmp_path):
    d = Daemon(tmp_path)
    c = d.connect()
    children = d.children()
    d.process.kill()
    d.process.wait()
    assert c.message() is None or c.message() is None
    c.close()
    for pid in children:
        assert eventually(lambda p=pid: not os.path.exists(f"/proc/{p}/exe"))
    assert os.path.exists(d.path)
    again = subprocess.Popen(d.process.args, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                d.connect().close()
                return True
            except OSError:
                return False
        assert eventually(answers)
    finally:
        again.terminate()
        assert again.wait(10) == 0


def test_end_when_idle(tmp_path):
    d = Daemon(tmp_path, "--exit-when-idle=0.2")
    with d.connect() as a:
        with d.connect() as b:
            assert b.request("ping") is None
        time.sleep(0.5)
        assert a.request("ping") is None
    assert d.process.wait(10) == 0
    assert "no client is left" in d.log()


def test_sigterm_says_goodbye(tmp_path):
    d = Daemon(tmp_path)
    with d.connect() as c:
        d.process.terminate()
        goodbye(c, "EDISCONNECTED", "the daemon is ending")
    assert d.process.wait(5) == 0


def test_socket_activation(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        code = (f"import os; os.dup2({s.fileno()}, 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
                f" os.execv({os.path.join(os.environ.get('NUMD_BUILD', 'build'), 'numd')!r}, ['numd'])")
        daemon = subprocess.Popen([sys.executable, "-c", code], pass_fds=[s.fileno()], stderr=subprocess.PIPE)
    from stranger import Stranger
    with Stranger(path) as c:
        assert c.request("ping") is None
    daemon.terminate()
    assert b"an inherited socket" in daemon.communicate(timeout=10)[1]
    assert daemon.returncode == 0 and os.path.exists(path)


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def voluntary_switches(pid):
    with open(f"/proc/{pid}/status") as f:
        return [int(line.split()[1]) for line in f if line.startswith("voluntary")][0]


def test_idle_costs_nothing(daemon):
    with daemon.connect() as c:
        c.request("open_channel", {"wait": "auto"})
        time.sleep(0.3)
        pids = [daemon.pid, *daemon.children()]
        before = [(cpu_ticks(p), voluntary_switches(p)) for p in pids]
        time.sleep(1)
        assert [(cpu_ticks(p), voluntary_switches(p)) for p in pids] == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_workers_become_the_client(daemon):
    """A client of another user gets a worker with its rights: root's object is not to be had."""
    fd = os.open("/dev/shm/numd-test-private", os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, 4096)
    os.chmod(os.path.dirname(daemon.path), 0o755)
    parent = os.path.dirname(os.path.dirname(daemon.path))
    mode = os.stat(parent).st_mode
    os.chmod(parent, 0o755)
    top = os.path.dirname(parent)
    top_mode = os.stat(top).st_mode
    os.chmod(top, 0o755)
    read, write = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                c = daemon.connect()
                status = open(f"/proc/{c.info['pid']}/status").read()
                try:
                    c.request("attach", 0, {"name": "numd-test-private"})
                    said = "attached"
                except Refused as e:
                    said = f"{e.name}: {e.sentence}"
                os.write(write, msgpack.packb([status, said]))
            finally:
                os._exit(0)
        os.close(write)
        status, said = msgpack.unpackb(b"".join(iter(lambda: os.read(read, 65536), b"")))
        os.waitpid(child, 0)
    finally:
        os.close(read)
        os.close(fd)
        os.unlink("/dev/shm/numd-test-private")
        os.chmod(parent, mode & 0o7777)
        os.chmod(top, top_mode & 0o7777)
    lines = dict(line.split(":", 1) for line in status.splitlines())
    assert lines["Uid"].split() == ["65534"] * 4 and lines["Gid"].split() == ["65534"] * 4
    assert lines["Groups"].split() == [] and lines["NoNewPrivs"].strip() == "1"
    assert said == "EACCESS: there is no such object, or it may not be opened"


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


def test_a_byte_of_noise_after_another(daemon, bystander):
    """Random frames: whatever they are, the daemon answers or closes."""
    seed = int(os.environ.get("NUMD_TEST_SEED", "11"))
    rng = random.Random(seed)
    good = msgpack.packb([0, 1, "prepare", [0, add_program(N)]])
    for _ in range(60):
        with daemon.connect() as c:
            frame = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                frame[rng.randrange(len(frame))] = rng.randrange(256)
            c.send(bytes(frame))
            c.sock.shutdown(socket.SHUT_WR)
            try:
                while c.message() is not None:
                    pass
            except (ValueError, msgpack.UnpackException) as e:
                pytest.fail(f"seed {seed}: {e!r}")
