# SPDX-License-Identifier: BSD-3-Clause
"""Calls that would take years: none counts as short, and each is ended by cancel, by --call-max and by its client's end."""

import os

import pytest
from ledger import note
from stranger import Daemon, Refused, Stranger, eventually, program

HAZARD = "21 calls without an end"
SHORT_NS = 200_000  # what the main thread of a worker takes upon itself


def array(shape, strides=None, dtype="float64"):
    return ["array", [dtype, shape, strides]]


def one(op, shape, strides=None, dtype="float64", result=False, **params):
    return program([array(shape, strides, dtype)], [[op, [0], params]], [[1, {"result": True} if result else {}]])


K = 65536
CASES = {
    "exp and sum along the first of many rows": (
        program([array([2**40, K], [0, 8])], [["exp", [0], {}], ["sum", [1], {"axes": [0]}]], [[2, {}]]), [[0, 0], [0, 8 * K]]),
    "exp and sum": (program([array([120 * 10**12], [0])], [["exp", [0], {}], ["sum", [1], {}]], [[2, {"result": True}]]), [[0, 0]]),
    "cost that wraps in 64 bits": (
        program([array([9223372036854777], [0])], [["exp", [0], {}], ["sum", [1], {}]], [[2, {"result": True}]]), [[0, 0]]),
    "argmax": (one("argmax", [2**58 - 1], [0], result=True), [[0, 0]]),
    "argmax of bytes": (one("argmax", [2**58 - 1], [0], "int8", result=True), [[0, 0]]),
    "any": (one("any", [2**58 - 1], [0], "bool", result=True), [[0, 0]]),
    "cumulative sums of nothing": (one("cumulative_sum", [2**55, 0], axis=1), [[0, 0], [0, 0]]),
    "inverses of nothing": (one("inv", [2**57, 0, 0]), [[0, 0], [0, 0]]),
    "singular values of nothing": (one("svdvals", [2**55, 0, 5]), [[0, 0], [0, 0]]),
    "sorted rows of nothing": (one("sort", [2**55, 0]), [[0, 0], [0, 0]]),
    "products": (program([array([2000, 2**46], [0, 0]), array([2**46, 2000], [0, 0])], [["matmul", [0, 1], {}]], [[2, {}]]),
                 [[0, 0], [0, 0], [0, 64]]),
}  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("numd"))
    yield d
    assert d.stop() == 0, d.log()


def prepared(path, case):
    """A session with the program of the case as plan 1, or None if it is refused or has nothing to do."""
    s = Stranger(path, timeout=60)
    fd = os.memfd_create("endless")
    os.ftruncate(fd, 1 << 26)
    s.request("attach", 0, {"fd": True}, fds=[fd])
    os.close(fd)
    try:
        answer = s.request("prepare", 1, CASES[case][0])
    except Refused:
        s.close()
        return None
    if answer["cost_ns"] < SHORT_NS:  # then it is done at once
        s.request("call", 1, CASES[case][1])
        s.close()
        return None
    return s


@pytest.mark.parametrize("case", CASES)
def test_cancel_and_the_clients_end_are_their_end(daemon, case):
    for how in ("cancel", "end"):
        s = prepared(daemon.path, case)
        if not s:
            return
        number = s.post("call", 1, CASES[case][1])
        s.request("ping")  # the main thread is free
        if how == "cancel":
            s.post("cancel", {"msgid": number})
            answers = {message[1]: message for message in (s.message(), s.message())}
            assert answers[number][2] is None or answers[number][2][1] in ("ECANCELLED", "ENOMEMORY"), answers
        pid = s.info["pid"]
        s.close()
        assert eventually(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), seconds=30)
        note(HAZARD, 1, 1, "that call")
