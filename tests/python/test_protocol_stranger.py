# SPDX-License-Identifier: BSD-3-Clause
"""The socket door as a stranger sees it: nothing but a socket, msgpack and shared memory."""

import mmap
import os
import pathlib
import struct
import sys
import threading
import time
from multiprocessing import resource_tracker, shared_memory

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from stranger import Daemon, Refused, add_program, operand, program, sum_program  # noqa: E402

N = 100


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("stranger"))
    yield d
    assert d.stop() == 0, d.log()
    assert d.complaints() == []


@pytest.fixture
def client(daemon):
    with daemon.connect() as c:
        yield c


def memory(n_bytes):
    fd = os.memfd_create("stranger", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, n_bytes)
    return fd, mmap.mmap(fd, n_bytes)


def put(buffer, offset, values, code="d"):
    struct.pack_into(f"{len(values)}{code}", buffer, offset, *values)


def get(buffer, offset, n, code="d"):
    return list(struct.unpack_from(f"{n}{code}", buffer, offset))


def attach_by_fd(client, segment, n_bytes=1 << 16):
    fd, data = memory(n_bytes)
    assert client.request("attach", segment, {"fd": True}, fds=[fd]) == {"bytes": n_bytes}
    os.close(fd)
    return data


def test_hello_tells_limits(client):
    assert client.info["version"] == 1
    assert client.info["server"].startswith("numd ")
    assert client.info["cores"] >= 1
    assert client.info["limits"]["frame_bytes"] == 1 << 20
    os.kill(client.info["pid"], 0)


def test_add_in_memory_attached_by_name(client):
    shm = shared_memory.SharedMemory(create=True, size=4096)
    try:
        assert client.request("attach", 1, {"name": shm.name}) == {"bytes": 4096}
        put(shm.buf, 0, range(N))
        put(shm.buf, 800, [0.5] * N)
        prepared = client.request("prepare", 7, add_program(N))
        assert prepared["outputs"] == [["float64", [N], [8]]]
        assert prepared["bindings"] == 3
        assert client.request("call", 7, [[1, 0], [1, 800], [1, 1600]]) is None
        assert get(shm.buf, 1600, N) == [i + 0.5 for i in range(N)]
        assert client.request("detach", 1) is None
    finally:
        shm.close()
        shm.unlink()
    with pytest.raises(Refused) as e:
        client.request("call", 7, [[1, 0], [1, 800], [1, 1600]])
    assert (e.value.name, e.value.sentence) == ("ESEGMENT", "bindings[0]: no such segment")


def test_scalar_result_in_memory_attached_by_fd(client):
    data = attach_by_fd(client, 2)
    put(data, 0, range(N))
    client.request("prepare", 0, sum_program(N))
    assert client.request("call", 0, [[2, 0]]) == sum(range(N))


@pytest.mark.parametrize("dtype, code, values, total", [
    ("float32", "f", [0.5, 1.5, -4.0], -2.0), ("int64", "q", [1 << 62, 5, -7], (1 << 62) - 2),
    ("int32", "i", [-(1 << 31), -1, 3], 2 - (1 << 31)), ("bool", "?", [True, False, True], 2),
    ("int8", "b", [-128, -128, 3], -253), ("uint16", "H", [65535, 65535, 2], 131072),
    ("uint64", "Q", [1 << 63, 5, 6], (1 << 63) + 11), ("int16", "h", [-32768, 1, 1], -32766)])
def test_results_of_every_dtype(client, dtype, code, values, total):
    data = attach_by_fd(client, 0)
    put(data, 0, values, code)
    client.request("prepare", 0, sum_program(3, dtype))
    assert client.request("call", 0, [[0, 0]]) == total


def test_scalars_are_native_values(client):
    data = attach_by_fd(client, 0)
    put(data, 0, [1.0, 2.0, 3.0])
    client.request("prepare", 1, program(
        [operand("float64", 3), ["scalar", "float64"], ["scalar", "int64"], ["constant", "float64", 0.25]],
        [["multiply", [0, 1], {}], ["add", [4, 2], {}], ["subtract", [5, 3], {}]], [[6, {}]]))
    assert client.request("call", 1, [[0, 0], 10, 1, [0, 1024]]) is None
    assert get(data, 1024, 3) == [10.75, 20.75, 30.75]
    with pytest.raises(Refused) as e:
        client.request("call", 1, [[0, 0], "ten", 1, [0, 1024]])
    assert (e.value.name, e.value.sentence) == ("EPROTOCOL", "bindings[1]: a number is wanted")
    with pytest.raises(Refused) as e:
        client.request("call", 1, [[0, 0], 1.5, 1 << 63, [0, 1024]])
    assert (e.value.name, e.value.sentence) == (
        "ERANGE", "bindings[2]: 9223372036854775808 does not fit int64")


def test_complex_numbers(client):
    data = attach_by_fd(client, 0)
    put(data, 0, [1.0, 2.0, 3.0, 4.0])
    put(data, 512, [0.0, 1.0])
    client.request("prepare", 0, program(
        [operand("complex128", 2), ["weak", "complex128"]], [["multiply", [0, 1]], ["sum", [2]]],
        [[2, {}], [3, {"result": True}]]))
    assert client.request("call", 0, [[0, 0], [0, 512], [0, 1024]]) == [-6.0, 4.0]
    assert get(data, 1024, 4) == [-2.0, 1.0, -4.0, 3.0]
    client.request("prepare", 1, sum_program(2, "complex64"))
    put(data, 0, [1.0, 2.0, 3.0, 4.0], "f")
    assert client.request("call", 1, [[0, 0]]) == [4.0, 6.0]


def test_an_operation_of_several_values(client):
    data = attach_by_fd(client, 0)
    put(data, 0, [3, 1, 3, 2], "q")
    client.request("prepare", 0, program(
        [operand("int64", 4)], [["unique_counts", [0]]], [[1, {}], [2, {}], [3, {"result": True}]]))
    n = client.request("call", 0, [[0, 0], [0, 512], [0, 1024]])
    assert n == 3 and get(data, 512, n, "q") == [1, 2, 3] and get(data, 1024, n, "q") == [1, 1, 2]


def test_parameters(client):
    data = attach_by_fd(client, 0)
    put(data, 0, [3.0, 1.0, 2.0, 6.0])
    for op, params, wanted in [
        ("sort", {"axis": -1, "descending": True}, [6.0, 3.0, 2.0, 1.0]),
        ("sort", {"descending": False, "axis": None}, [1.0, 2.0, 3.0, 6.0]),
        ("roll", {"shift": [1]}, [6.0, 3.0, 1.0, 2.0]),
        ("diff", {"n": 2}, [3.0, 3.0]),
        ("var", {"correction": 1}, [14 / 3]),
        ("tile", {"repetitions": [2]}, [3.0, 1.0, 2.0, 6.0] * 2),
    ]:
        client.request("prepare", 0, program([operand("float64", 4)], [[op, [0], params]], [[1, {}]]))
        client.request("call", 0, [[0, 0], [0, 512]])
        assert get(data, 512, len(wanted)) == pytest.approx(wanted), op
        client.request("release", 0)


def test_strides_axes_and_keepdims(client):
    data = attach_by_fd(client, 0)
    put(data, 0, range(12))
    columns = program([operand("float64", 4, 3, strides=[8, 32])],
                      [["sum", [0], {"axes": [0], "keepdims": True}]], [[1, {}]])
    assert client.request("prepare", 0, columns)["outputs"] == [["float64", [1, 3], [24, 8]]]
    client.request("call", 0, [[0, 0], [0, 512]])
    assert get(data, 512, 3) == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7, 8 + 9 + 10 + 11]


def test_long_calls_leave_the_door_open_and_can_be_cancelled(client):
    n = 1 << 22
    data = attach_by_fd(client, 0, 8 * n)
    slow = program([operand("float64", n)], [["sin", [0], {}], ["exp", [1], {}], ["sum", [2], {}]],
                   [[3, {"result": True}]])
    assert client.request("prepare", 0, slow)["cost_ns"] > 1000000
    first = client.post("call", 0, [[0, 0]])
    assert client.answer(first) == n
    first = client.post("call", 0, [[0, 0]])
    second = client.post("ping")
    third = client.post("cancel", {"msgid": first})
    answers = {}
    for _ in range(3):
        frame = client.message()
        answers[frame[1]] = frame
    assert answers[second][2:] == [None, None]
    assert answers[third][2:] == [None, None]
    assert answers[first][2] is None or answers[first][2][:2] == [22, "ECANCELLED"]
    del data


def test_a_token_gives_the_memory_to_another_session(daemon, client):
    data = attach_by_fd(client, 0)
    put(data, 0, range(N))
    token = client.request("share", 0)
    assert len(token) == 16 and token == client.request("share", 0)
    with daemon.connect() as other:
        assert other.request("attach", 4, {"token": token}) == {"bytes": 1 << 16}
        theirs = mmap.mmap(other.take_fd(), 1 << 16)
        assert get(theirs, 0, N) == list(range(N))
        assert other.request("share", 4) == token
        other.request("prepare", 0, sum_program(N))
        assert other.request("call", 0, [[4, 0]]) == sum(range(N))
        client.request("detach", 0)
        with daemon.connect() as third:  # the second still holds it
            assert third.request("attach", 0, {"token": token}) == {"bytes": 1 << 16}
    wait_until_refused(daemon, token)


def wait_until_refused(daemon, token):
    deadline = time.monotonic() + 5
    while True:
        with daemon.connect() as c:
            try:
                c.request("attach", 0, {"token": token})
            except Refused as e:
                assert (e.name, e.sentence) == ("ESEGMENT", "token: no such segment")
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_notifications_are_not_answered(client):
    client.request("prepare", 0, sum_program(N))
    client.notify("release", 0)
    client.notify("ping")
    client.notify("detach", 9)
    client.notify("cancel", {"msgid": 1})
    assert client.request("ping") is None
    with pytest.raises(Refused) as e:
        client.request("explain", 0)
    assert (e.value.number, e.value.name, e.value.sentence) == (6, "EPLAN", "there is no plan 0")


def test_explain_and_stats(client):
    attach_by_fd(client, 0)
    client.request("prepare", 3, add_program(N))
    assert "float64" in client.request("explain", 3)
    stats = client.request("stats")
    mine = [s for s in stats["sessions"] if s["pid"] == client.info["pid"]]
    assert len(mine) == 1
    assert mine[0]["client_pid"] == os.getpid() and mine[0]["uid"] == os.getuid()
    assert (mine[0]["segments"], mine[0]["segment_bytes"], mine[0]["plans"]) == (1, 1 << 16, 1)
    assert stats["daemon"]["cores"] == len(stats["core_owners"])


def test_requests_in_one_write_are_all_answered(client):
    import msgpack

    client.send(b"".join(msgpack.packb([0, i, "ping", []]) for i in range(1000)))
    assert [client.message()[1] for _ in range(1000)] == list(range(1000))


# The ring door: one slot filled by hand. Offsets as protocol/PROTOCOL.md has them.
SLOTS, WORKER_SEM = 640, 512


def test_a_call_through_the_ring(client):
    data = attach_by_fd(client, 0)
    put(data, 0, range(N))
    client.request("prepare", 9, sum_program(N))
    opened = client.request("open_channel", {"wait": "sleep"})
    ring = mmap.mmap(client.take_fd(), opened["bytes"])
    assert struct.unpack_from("<IIII", ring, 0)[0] == 0x646D756E
    assert struct.unpack_from("<II", ring, 8) == (256, 128)
    struct.pack_into("<IHHIiI", ring, SLOTS + 4, 9, 1, 0, 0, 0, 0)
    struct.pack_into("<Q", ring, SLOTS + 24, 0 << 48 | 0)
    struct.pack_into("<I", ring, SLOTS, 1)
    post(ring, WORKER_SEM)
    deadline = time.monotonic() + 5
    while struct.unpack_from("<I", ring, SLOTS)[0] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert struct.unpack_from("<i", ring, SLOTS + 16)[0] == 0
    assert struct.unpack_from("<d", ring, SLOTS + 48)[0] == sum(range(N))
    assert client.request("close_channel", opened["channel"]) is None


def post(ring, offset):
    """sem_post on the semaphore at an offset of the mapping."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    word = ctypes.c_char.from_buffer(ring, offset)
    assert libc.sem_post(ctypes.byref(word)) == 0
    del word


def test_attaching_by_name_never_unlinks(daemon):
    shm = shared_memory.SharedMemory(create=True, size=4096)
    name = shm.name
    with daemon.connect() as c:
        c.request("attach", 0, {"name": "/" + name})
    time.sleep(0.05)
    again = shared_memory.SharedMemory(name=name)
    resource_tracker.unregister(again._name, "shared_memory")
    again.close()
    shm.close()
    shm.unlink()


def test_threads_of_clients_at_once(daemon):
    errors = []

    def work(k):
        try:
            with daemon.connect() as c:
                data = attach_by_fd(c, 0)
                put(data, 0, [k] * N)
                c.request("prepare", 0, sum_program(N))
                for _ in range(100):
                    assert c.request("call", 0, [[0, 0]]) == k * N
        except BaseException as e:  # noqa: BLE001
            errors.append(e)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
