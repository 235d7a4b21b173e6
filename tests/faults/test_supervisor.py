# SPDX-License-Identifier: BSD-3-Clause
"""What workers and the supervisor say to each other, and what they may write both: nothing is misunderstood, and a
worker that has gone bad changes nothing for others."""

import ctypes
import os
import random
import signal
import time

import pytest
from clients import Bystander, attach
from ledger import note, scaled
from ring import Ring
from stranger import Daemon, Refused, operand, program, sum_program

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
