# SPDX-License-Identifier: BSD-3-Clause
"""Frames, methods and params that are wrong. Each gets its answer or ends the connection with a reason."""

import os
import random
import socket
import time

import msgpack
import pytest
from clients import N, NOT_MEMORY, goodbye, refused, rss, worker_fds
from ledger import note
from stranger import Refused, add_program

LINK, FIFO, DIR = (f"numd-test-{word}-{os.getpid()}" for word in ("link", "fifo", "dir"))  # this run's own


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
    note("11 msgpack bombs", 2, 2)


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
    note("14 slow or silent peers", 1, 1, "the session")


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
    os.symlink("/etc/passwd", "/dev/shm/" + LINK)
    os.mkfifo("/dev/shm/" + FIFO)
    os.mkdir("/dev/shm/" + DIR)
    try:
        with daemon.connect() as c:
            before = worker_fds(c)
            for name, status, sentence in [
                ("", "EINVAL", form), ("/", "EINVAL", form), (".", "EINVAL", form), ("..", "EINVAL", form),
                ("../etc/passwd", "EINVAL", form), ("a/b", "EINVAL", form), ("//a", "EINVAL", form),
                ("a\0b", "EINVAL", form), ("n" * 256, "EINVAL", form), ("n" * 255, "EACCESS", gone),
                ("numd-test-none", "EACCESS", gone), (LINK, "EACCESS", gone),
                (DIR, "EACCESS", gone), (FIFO, "EDESCRIPTOR", NOT_MEMORY),
            ]:
                refused(c, status, sentence, "attach", 0, {"name": name})
            refused(c, "EPROTOCOL", "name: a string is wanted", "attach", 0, {"name": 5})
            assert worker_fds(c) == before
        note("5 names as a confused deputy", 15, 15)
    finally:
        os.unlink("/dev/shm/" + LINK)
        os.unlink("/dev/shm/" + FIFO)
        os.rmdir("/dev/shm/" + DIR)


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
