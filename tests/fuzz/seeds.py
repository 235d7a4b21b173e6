# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seed corpora of the fuzz targets whose input has a form: tests/fuzz/seeds.py DIRECTORY.

What a fuzzer found is put beside them by hand, under a name that says what it is about.
"""

import pathlib
import struct
import sys

import msgpack

DOUBLES = ["array", ["float64", [8], None]]
ADD = {"operands": [DOUBLES, DOUBLES], "ops": [["add", [0, 1], {}]], "outputs": [[2, {}]]}
SUM = {"operands": [DOUBLES], "ops": [["exp", [0]], ["sum", [1], {"axes": 1}]], "outputs": [[2, {"result": True}]]}
SCALED = {"operands": [DOUBLES, ["scalar", "float64"], ["constant", "int64", 3]],
          "ops": [["multiply", [0, 1], {}], ["power", [3, 2], {}]], "outputs": [[4, {"dtype": "float32"}]]}
SORTED = {"operands": [["array", ["int32", [4, 2], [8, 4]]]],
          "ops": [["sort", [0], {"axis": -1, "descending": True}], ["reshape", [1], {"shape": [8]}]],
          "outputs": [[2, {}]]}


def frames(*requests):
    return b"".join(msgpack.packb([0, i, method, list(params)]) for i, (method, *params) in enumerate(requests))


HELLO = ("hello", 1, {"client": "seed", "pid": 1})
TOKEN = bytes(16)
CONVERSATIONS = {
    "calls": frames(HELLO, ("attach", 0, {"fd": True}), ("attach", 1, {"fd": True}), ("prepare", 0, ADD),
                    ("call", 0, [[0, 0], [0, 64], [1, 0]]), ("prepare", 1, SUM), ("call", 1, [[0, 0]]), ("explain", 1),
                    ("release", 0), ("stats",)),
    "scalars": frames(HELLO, ("attach", 0, {"fd": True}), ("prepare", 0, SCALED), ("call", 0, [[0, 0], 2.5, [0, 128]]),
                      ("prepare", 2, SORTED), ("call", 2, [[0, 0], [0, 512]])),
    "lending": frames(HELLO, ("attach", 0, {"fd": True}), ("share", 0), ("lend", 0, 64), ("take", 0, 64, 5),
                      ("returned", 0, [0, 64]),
                      ("publish", "name", 0, 64, b"note", True), ("open", "name"), ("unpublish", "name"), ("memory",),
                      ("attach", 7, {"token": TOKEN}), ("attach", 8, {"name": "/none"}), ("detach", 0))
    + msgpack.packb([2, "give", [0, 64]]),
    "channels": frames(HELLO, ("open_channel", {"wait": "sleep"}), ("notify", 0), ("cancel", {"channel": 0, "call": 1}),
                       ("cancel", {"msgid": 3}), ("close_channel", 0), ("ping",)),
}


def answers(*results):
    return [msgpack.packb([1, i, None, result]) for i, result in enumerate(results)]


def chunks(parts, beside):
    """The input of `reply`: fds by the number of the part."""
    return b"".join(struct.pack("<BH", beside.get(i, 0), len(part)) + part for i, part in enumerate(parts))


PREPARED = {"outputs": [["float64", [], []]], "bindings": 1, "cost_ns": 100, "parallel": False}
ADDED = {"outputs": [["float64", [8], [8]]], "bindings": 3, "cost_ns": 100, "parallel": False}
GREETING = {"version": 1, "server": "numd", "pid": 1, "cores": 2, "limits": {"segments": 4096}}


def replies():
    ring = answers(GREETING, {"bytes": 65536}, PREPARED, "text", {"channel": 0, "bytes": 1}, ADDED, TOKEN, 5, None,
                   None, {"token": TOKEN, "block": 0, "ticket": 1, "note": b""}, {"segments": []}, {}, {})
    yield "ring", b"\0" + chunks(ring, {4: 1})
    yield "ring_refuses", b"\0" + chunks(ring, {4: 1 + 8 * 9})
    yield "ring_of_zeros", b"\0" + chunks(ring, {4: 3})
    socket = answers(GREETING, {"bytes": 65536}, PREPARED, "text", 2.0, 2.0, ADDED, None, TOKEN, 5)
    yield "socket", b"\1" + chunks(socket, {7: 2})
    yield "goodbye", b"\0" + chunks([msgpack.packb([2, "goodbye", [11, "ELIMIT", "too many"]])], {})
    yield "error", b"\0" + chunks([msgpack.packb([1, 0, [3, "EVERSION", "sentence"], None])], {})


def slots():
    def slot(plan, bindings, flags=0, count=None, reserved=0):
        words = bindings + [0] * (11 + 53 - len(bindings))
        count = len(bindings) if count is None else count
        return (struct.pack("<IIHHIiI3Q", 1, plan, count, flags, 0, 0, reserved, *words[:3]) + bytes(16)
                + struct.pack("<8Q", *words[3:11]) + struct.pack("<53Q", *words[11:]))
    yield "sum", slot(0, [64])
    yield "add", slot(1, [64, 128, 1 << 48])
    yield "many", slot(2, [8 * i for i in range(40)] + [2 << 48])
    yield "ping", slot(0, [], 0x8003)
    yield "out_of_bounds", slot(0, [65536 - 8])
    yield "most_bindings", slot(2, [64] * 64)
    yield "too_many_bindings", slot(2, [64] * 64, count=65)
    yield "far_too_many_bindings", slot(2, [64] * 64, count=65535)
    yield "unknown_flags", slot(0, [64], flags=0x4000)
    yield "reserved", slot(0, [64], reserved=1)


def everything():
    for name, conversation in CONVERSATIONS.items():
        yield "door", name, b"\x04" + conversation
    for name, program in [("add", ADD), ("sum", SUM), ("scaled", SCALED), ("sorted", SORTED)]:
        yield "frame", name, msgpack.packb([0, 1, "prepare", [0, program]])
    values = [0, -1, 2**63, 1.5, True, None, "text", b"bin", [1.0, 2.0], {"axes": 3}]
    yield "frame", "values", msgpack.packb([2, "give", values])
    for name, data in replies():
        yield "reply", name, data
    for name, data in slots():
        yield "slot", name, data
    yield "ring", "calls", bytes([0, 7]) + bytes([0, 0x87, 1, 1, 0x27, 0, 0x87, 5, 6, 0, 0, 7])
    yield "ring", "hostile", (bytes([3, 9]) + b"\4\x24\2" + b"\xff" * 8 + b"\x50\0\0\3\1\2\3\0\x08" + b"\xff" * 8
                              + b"\6\1" + bytes(8) + b"\1\x19" + b"\x01" * 16)
    yield "plan", "add", bytes([1, 0, 1]) + bytes([0, 0, 11, 1, 10] * 2) + bytes([0, 1, 0]) + bytes([1, 3, 5, 9])
    yield "plan", "several", bytes(range(1, 120))


def main():
    top = pathlib.Path(sys.argv[1])
    for target, name, data in everything():
        (top / target).mkdir(parents=True, exist_ok=True)
        (top / target / f"seed_{name}").write_bytes(data)


if __name__ == "__main__":
    main()
