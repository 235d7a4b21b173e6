# SPDX-License-Identifier: BSD-3-Clause
"""What one user may hold at once: refused with the quota's name and limit, given back whatever way a session ends, and
no other user's affair."""

import os
import re
import signal
import subprocess
import threading
import time

import numpy
import pytest
from clients import BYTES, attach, memory
from stranger import BUILD, Daemon, Goodbye, Refused, eventually, program, operand, sum_program
from users import ALICE, BOB, PublicDaemon, User, as_user, only_root

UID = os.getuid()


def quotas(client):
    return {q["name"]: (q["used"], q["limit"]) for q in client.request("stats")["quotas"]}


def refusal(name, used, limit, asked=1):
    return ("ELIMIT", f"quota of {name}: user {UID} may have {limit}, has {used} and asked for {asked} more "
                      f"(numd --quota={name}=N sets it)")


def refused(function, *words, **how):
    with pytest.raises((Refused, Goodbye)) as e:
        function(*words, **how)
    return e.value.name, e.value.sentence


@pytest.fixture
def start(tmp_path):
    daemons = []

    def start(*options):
        daemons.append(Daemon(tmp_path, *options))
        return daemons[-1]
    yield start
    for d in daemons:
        assert d.stop() == 0 and d.complaints() == [], d.log()


def test_segments_are_counted_over_all_sessions(start):
    d = start("--quota=segments=3")
    with d.connect() as a, d.connect() as b:
        attach(a, 0), attach(a, 1), attach(b, 0)
        assert refused(attach, b, 1) == refusal("segments", 3, 3)
        assert quotas(b)["segments"] == (3, 3) and quotas(b)["bytes"][0] == 3 * BYTES
        a.request("detach", 1)
        attach(b, 1)
        assert refused(attach, a, 1) == refusal("segments", 3, 3)


def test_bytes(start):
    d = start("--quota=bytes=1M")
    with d.connect() as a, d.connect() as b:
        attach(a, 0, 1 << 19), attach(b, 0, 1 << 18)
        assert refused(attach, a, 1, 1 << 19) == refusal("bytes", 3 << 18, 1 << 20, 1 << 19)
        assert quotas(a)["segments"][0] == 2, "what was refused is not counted"
        attach(a, 1, 1 << 18)
        a.request("detach", 0)
        assert quotas(b)["bytes"] == (1 << 19, 1 << 20)


def test_a_sparse_terabyte_costs_nobody_anything(start):
    d = start("--quota=bytes=64M")
    with d.connect() as c:
        assert refused(attach, c, 0, 1 << 40)[0] == "ELIMIT"
        assert quotas(c)["bytes"][0] == 0


def test_plans(start):
    d = start("--quota=plans=2")
    with d.connect() as a, d.connect() as b:
        a.request("prepare", 0, sum_program(8))
        bad = program([operand("float64", 8)], [["no_such_operation", [0], {}]], [[1, {}]])
        assert refused(a.request, "prepare", 1, bad)[0] == "EOP"
        b.request("prepare", 0, sum_program(8))
        assert refused(b.request, "prepare", 1, sum_program(8)) == refusal("plans", 2, 2)
        a.request("release", 0)
        b.request("prepare", 1, sum_program(8))


def test_channels(start):
    d = start("--quota=channels=2")
    with d.connect() as a, d.connect() as b:
        first = a.request("open_channel", {"wait": "sleep"})["channel"]
        b.request("open_channel", {"wait": "sleep"})
        assert refused(b.request, "open_channel", {"wait": "sleep"}) == refusal("channels", 2, 2)
        a.request("close_channel", first)
        b.request("open_channel", {"wait": "sleep"})


def test_long_calls(start):
    d = start("--quota=calls=3")
    n = 1 << 20
    with d.connect() as c:
        attach(c, 0, 8 * n)
        c.request("prepare", 0, program([operand("float64", n)], [["sort", [0], {}], ["sum", [1], {}]],
                                        [[2, {"result": True}]]))
        posted = [c.post("call", 0, [[0, 0]]) for _ in range(12)]
        answers = {frame[1]: frame[2:] for frame in (c.message() for _ in posted)}
        errors = [tuple(error[1:]) for error, _ in answers.values() if error]
        assert errors and set(errors) == {refusal("calls", 3, 3)}
        assert sum(error is None for error, _ in answers.values()) >= 3
        assert quotas(c)["calls"] == (0, 3)


def test_shared_objects(start):
    d = start("--quota=descriptors=2")
    with d.connect() as a, d.connect() as b:
        attach(a, 0), attach(a, 1), attach(b, 0)
        a.request("share", 0), b.request("share", 0)
        assert refused(a.request, "share", 1) == refusal("descriptors", 2, 2)
        assert a.request("share", 0), "what is kept already costs no more"
        assert quotas(a)["descriptors"] == (2, 2)
    with d.connect() as c:
        assert eventually(lambda: quotas(c)["descriptors"][0] == 0)


def test_sessions(start):
    d = start("--quota=sessions=2")
    with d.connect() as a:
        with d.connect():
            assert quotas(a)["sessions"] == (2, 2)
            assert refused(d.connect) == refusal("sessions", 2, 2)
        assert eventually(lambda: quotas(a)["sessions"][0] == 1)
        d.connect().close()


def test_a_killed_worker_gives_everything_back(start):
    d = start("--quota=segments=2", "--quota=plans=1", "--quota=channels=1")
    with d.connect() as other:
        for _ in range(3):
            with d.connect() as c:
                attach(c, 0), attach(c, 1)
                c.request("prepare", 0, sum_program(8))
                c.request("open_channel", {"wait": "sleep"})
                assert refused(attach, other)[0] == "ELIMIT"
                os.kill(c.info["pid"], signal.SIGKILL)
                held = ("segments", "bytes", "plans", "channels", "calls")
                assert eventually(lambda: [quotas(other)[name][0] for name in held] == [0] * 5), quotas(other)


def test_sessions_that_charge_at_once_have_no_more_than_the_limit(start):
    """Whatever the order in which they ask and give back."""
    d, limit, held, most, lock = start("--quota=segments=5"), 5, [0], [0], threading.Lock()

    def use():
        with d.connect() as c:
            for _ in range(60):
                try:
                    attach(c, 0)
                except Refused as e:
                    assert e.name == "ELIMIT"
                    continue
                with lock:
                    held[0] += 1
                    most[0] = max(most[0], held[0])
                time.sleep(0.0005)
                with lock:
                    held[0] -= 1
                c.request("detach", 0)

    threads = [threading.Thread(target=use) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert 0 < most[0] <= limit
    with d.connect() as c:
        assert quotas(c)["segments"] == (0, limit)
        for i in range(limit):
            attach(c, i)
        assert refused(attach, c, limit) == refusal("segments", limit, limit)


def test_what_is_held_in_reserve_is_not_shown_as_used(start):
    d = start()
    with d.connect() as a, d.connect() as b:
        for i in range(300):
            a.request("prepare", i, sum_program(8))
        assert quotas(b)["plans"][0] == 300
        for i in range(299):
            a.request("release", i)
        assert quotas(b)["plans"][0] == 1


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))


def test_detached_memory_counts_until_calls_have_left_it(start):
    """Who detaches during a call and attaches more has both mapped."""
    n = 1 << 23
    d = start(f"--quota=bytes={12 * n}")
    with d.connect() as c:
        attach(c, 0, 8 * n)
        c.request("prepare", 0, program([operand("float64", n)], [["sort", [0], {}], ["sum", [1], {}]],
                                        [[2, {"result": True}]]))
        before = cpu_ticks(c.info["pid"])
        call = c.post("call", 0, [[0, 0]])
        assert eventually(lambda: cpu_ticks(c.info["pid"]) > before + 1), "the call runs"
        fd = memory(8 * n)
        detached, again = c.post("detach", 0), c.post("attach", 1, {"fd": True}, fds=[fd])
        os.close(fd)
        frames = {frame[1]: frame for frame in (c.message() for _ in range(3))}
        assert frames[detached][2] is None and frames[call][2] is None, frames
        if [frame for frame in frames][-1] == call:  # it was answered last: the attach came while it ran
            assert frames[again][2][1] == "ELIMIT"
        assert eventually(lambda: quotas(c)["bytes"][0] in (0, 8 * n))


def test_a_call_that_runs_too_long_is_cancelled(start):
    d = start("--call-max=0.2")
    n = 1 << 25
    with d.connect() as c:
        attach(c, 0, 16 * n)
        slow = [["sin", [0], {}]] + [["sin", [k], {}] for k in range(1, 60)]
        c.request("prepare", 0, program([operand("float64", n)], slow, [[60, {"dtype": "float64"}]]))
        assert refused(c.request, "call", 0, [[0, 0], [0, 8 * n]]) == ("ECANCELLED", "cancelled")
        c.request("prepare", 1, sum_program(8))
        assert c.request("call", 1, [[0, 0]]) == 0
    assert "has run for longer than --call-max and is cancelled" in d.log()


def test_a_call_that_does_not_heed_its_cancellation_ends_the_session(tmp_path):
    """LAPACK is not interrupted: others go on, and the client is told why its session ended."""
    d = Daemon(tmp_path, "--call-max=0.04")
    n = 2000
    with d.connect() as other, d.connect() as c:
        data = attach(c, 0, 24 * n * n)
        numbers = numpy.random.default_rng(1).random(n * n)
        data[: numbers.nbytes] = numbers.tobytes()
        c.request("prepare", 0, program([operand("float64", n, n)], [["eigvals", [0], {}]],
                                        [[1, {"dtype": "complex128"}]]))
        assert refused(c.request, "call", 0, [[0, 0], [0, 8 * n * n]]) == (
            "ETIMEOUT", "a call ran for longer than the daemon allows and could not be stopped")
        assert other.request("ping") is None
    assert d.stop() == 0
    assert d.complaints() == [line for line in d.log().splitlines() if "(session of" in line and "code 1" in line]


@only_root
def test_one_users_quota_is_not_anothers():
    d = PublicDaemon("--quota=segments=2", "--quota=sessions=1")

    def fill(say, wait):
        with d.connect() as c:
            attach(c, 0), attach(c, 1)
            say(refused(attach, c, 2)[0])
            wait()

    def use():
        with d.connect() as c:
            attach(c, 0), attach(c, 1)
            return quotas(c)["segments"]

    alice = User(ALICE, fill)
    try:
        assert alice.said() == "ELIMIT"
        assert as_user(BOB, use) == [2, 2]
    finally:
        alice.close()
        assert d.stop() == 0


def test_status_shows_use_against_limits(start):
    d = start("--quota=segments=7", "--quota=bytes=5G")
    with d.connect() as c:
        attach(c, 0), attach(c, 1)
        text = subprocess.run([os.path.join(BUILD, "numdctl"), "--socket", d.path, "status"], stdout=subprocess.PIPE,
                              text=True, timeout=20, check=True).stdout
    rows = dict(re.findall(r"^(\w+) +(\d+ +\d+)  \w", text, re.M))
    assert rows["segments"].split() == ["2", "7"]
    assert rows["bytes"].split() == [str(2 * BYTES), str(5 << 30)]
    assert rows["sessions"].split()[0] == "2"
    assert "sandbox of worker" in text


@pytest.mark.parametrize("value", ["plans", "plans=", "plans=0", "plans=-1", "plans=1X", "plans=1KK", "wine=3", "=3",
                                   "bytes=99999999999G", "plans=1.5"])
def test_wrong_quotas_are_told_at_the_start(value):
    done = subprocess.run([os.path.join(BUILD, "numd"), f"--quota={value}"], stderr=subprocess.PIPE, text=True, timeout=10)
    assert done.returncode == 2 and done.stderr.startswith("numd: --quota: ") and f"'{value}'" in done.stderr
