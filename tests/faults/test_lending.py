# SPDX-License-Identifier: BSD-3-Clause
"""Handles, names and notifications in the hands of clients that mean ill, or are killed."""

import os
import random
import subprocess
import sys
import time

import msgpack
import pytest
from clients import N, attach, refused
from stranger import Daemon, Refused, eventually, sum_program
from users import reachable

LEASES_MAX = 16384  # of one session
NAMES_MAX = 4096  # of one user


@pytest.fixture
def own_daemon(tmp_path):
    """What is on its way stays for a minute: a daemon that need not wait for that."""
    d = Daemon(tmp_path)
    yield d
    assert d.stop() == 0, d.log()
    assert d.complaints() == []


def pipelined(client, requests):
    """The answers, or names of errors, of many requests that are sent together."""
    answers = []
    for i in range(0, len(requests), 64):
        for msgid in [client.post(*request) for request in requests[i : i + 64]]:
            try:
                answers.append(client.answer(msgid))
            except Refused as error:
                answers.append(error.name)
    return answers


def shared(client, segment=0):
    attach(client, segment)
    return client.request("share", segment)


# ---- Limits


def test_handles_of_an_array_may_be_made_without_end(own_daemon):
    with own_daemon.connect() as c:
        shared(c)
        tickets = pipelined(c, [("lend", 0, 0)] * (LEASES_MAX + 100))
        assert all(isinstance(ticket, int) for ticket in tickets) and len(set(tickets)) == len(tickets)
        assert c.request("take", 0, 0, tickets[0]) is None  # the lender holds the block


def test_handles_of_many_blocks_are_limited(own_daemon):
    with own_daemon.connect() as c, own_daemon.connect() as other:
        shared(c)
        tickets = pipelined(c, [("lend", 0, 64 * i) for i in range(LEASES_MAX + 3)])
        assert tickets[-3:] == ["ELIMIT"] * 3 and "ELIMIT" not in tickets[:-3]
        assert isinstance(c.request("lend", 0, 64), int)  # in place of its earlier one
        shared(other)
        assert isinstance(other.request("lend", 0, 0), int)
        assert c.request("take", 0, 128, tickets[2]) is None  # makes room for another
        assert isinstance(c.request("lend", 0, 64 * 2**30), int)


def test_objects_of_one_user_leave_descriptors_for_others(tmp_path):
    """Ended sessions leave leases, and these the objects: their user's quota is used up, not the daemon."""
    refusals = 0
    d = Daemon(tmp_path, "--quota=descriptors=64")
    with d.connect() as present:
        assert eventually(lambda: len(d.children()) == 3)  # its worker and two spares
        before = d.n_fds()
        for _ in range(6):
            with d.connect() as c:
                for segment in range(20):
                    attach(c, segment, 4096)
                    try:
                        c.request("share", segment)
                        c.request("lend", segment, 0)
                    except Refused as error:
                        assert error.name == "ELIMIT"
                        refusals += 1
            assert present.request("ping") is None
        assert eventually(lambda: d.n_fds() <= before + 64) and refusals == 6 * 20 - 64
    assert d.stop() == 0


def test_names_are_limited(own_daemon):
    with own_daemon.connect() as c:
        shared(c)
        answers = pipelined(c, [("publish", f"name{i}", 0, 0, b"", False) for i in range(NAMES_MAX + 2)])
        assert answers == [None] * NAMES_MAX + ["ELIMIT"] * 2
        assert c.request("publish", "name7", 0, 64, b"", True) is None  # one for another
        assert c.request("unpublish", "name8") is None
        assert c.request("publish", "new", 0, 64, b"", False) is None
        assert len(c.request("memory")) > 0


# ---- What is no handle, no name


def test_params(daemon, bystander):
    with daemon.connect() as c:
        attach(c)
        refused(c, "ESEGMENT", "segment 0 is not shared", "lend", 0, 0)
        refused(c, "ESEGMENT", "segment 0 is not shared", "publish", "a", 0, 0, b"", False)
        c.request("share", 0)
        refused(c, "ESEGMENT", "block 64: nobody holds it any more", "take", 0, 64, 0)
        refused(c, "ESEGMENT", f"block {2**64 - 1}: nobody holds it any more", "take", 0, 2**64 - 1, 2**64 - 1)
        for method, *params in [
            ("lend", -1, 0), ("lend", 2**40, 0), ("lend", "0", 0), ("lend", 0, -1), ("lend", 0, None), ("take", 0, 0, -1), ("take", 0, 0, 1.5),
            ("returned", 0, 5), ("returned", 0, {}), ("returned", 0, [-1]), ("returned", 0, [[]]), ("returned", 0, [0] * 4097), ("returned", 9, []),
            ("publish", "a", 0, 0, "text", False), ("publish", "a", 0, 0, b"x" * 513, False), ("publish", "a", 0, 0, b"", 1),
            ("notify", 0), ("notify", -1), ("notify", 2**32), ("notify", None),
        ]:  # fmt: skip
            with pytest.raises(Refused) as error:
                c.request(method, *params)
            assert error.value.name in ("EPROTOCOL", "ESEGMENT", "ECHANNEL"), (method, params)
        for name in ["", "a" * 128, "a b", "a\n", "a\0b", "ä", 'a"', "a\\", 5, b"a", None, ["a"]]:
            for method, *params in [("publish", name, 0, 0, b"", False), ("open", name), ("unpublish", name)]:
                with pytest.raises(Refused) as error:
                    c.request(method, *params)
                assert error.value.name == "EINVAL", (method, name)
        refused(c, "ESEGMENT", "no array is published as a", "open", "a")
        refused(c, "ESEGMENT", "no array is published as a", "unpublish", "a")
        c.notify("give", 0, 12345)  # of a block that it does not hold
        c.notify("give", 7, 0)
        c.notify("give", "x", [])
        assert c.request("returned", 0, [0, 64]) == [True, True]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_names_of_another_user(own_daemon):
    with own_daemon.connect() as c:
        shared(c)
        c.request("publish", "mine", 0, 0, b"secret", False)
        read, write = os.pipe()
        with reachable(own_daemon.path):
            child = os.fork()
            if child == 0:
                try:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                    other, said = own_daemon.connect(), []
                    for method in ("open", "unpublish"):
                        try:
                            said.append(other.request(method, "mine"))
                        except Refused as error:
                            said.append(error.name)
                    said.append(other.request("memory"))
                    attach(other)
                    other.request("share", 0)
                    said.append(other.request("publish", "mine", 0, 0, b"theirs", False))
                    os.write(write, msgpack.packb(said))
                finally:
                    os._exit(0)
            os.close(write)
            said = msgpack.unpackb(b"".join(iter(lambda: os.read(read, 65536), b"")))
            os.waitpid(child, 0)
        os.close(read)
        assert said[:2] == ["ESEGMENT", "ESEGMENT"] and said[3] is None
        assert "mine" not in said[2] and str(os.getpid()) not in said[2]
        assert c.request("open", "mine")["note"] == b"secret"


# ---- Notifications


def open_channel(client):
    client.request("prepare", 0, sum_program(N))
    return client.request("open_channel", {"wait": "sleep"})["channel"]


def test_a_notification_socket_that_nobody_reads(daemon, bystander):
    with daemon.connect() as c:
        attach(c)
        channel = open_channel(c)
        del c.fds[:]
        assert c.request("notify", channel) is None
        (fd,) = c.fds
        refused(c, "EEXIST", f"channel {channel} has a notification socket", "notify", channel)
        os.set_blocking(fd, False)
        with pytest.raises(OSError):
            for _ in range(10_000):
                os.write(fd, b"x" * 4096)  # to nobody: it is not read
        assert c.request("ping") is None
        bystander.check()
        c.request("close_channel", channel)
        assert os.read(fd, 16) == b""


# ---- Killed in the middle

LENDER = """
import sys
sys.path[:0] = {paths!r}
from stranger import Stranger, Refused
from clients import attach
c = Stranger({path!r})
data = attach(c)
token = c.request("share", 0)
c.request("attach", 1, {{"token": token}})
sys.stdout.write("x"); sys.stdout.flush()
for i in range(10**6):
    block = 64 * (i % 100)
    ticket = c.request("lend", 0, block)
    c.request("take", 1, block, ticket)
    c.request("publish", f"array{{i % 5}}", 0, block, i.to_bytes(8, "little"), True)
    name = c.request("open", f"array{{i % 5}}")
    c.request("take", 1, name["block"], name["ticket"])
    c.notify("give", 1, block)
    try:
        c.request("unpublish", f"array{{i % 3}}")
    except Refused:
        pass  # another did
"""


def test_lenders_killed_at_any_moment(own_daemon):
    rng = random.Random(int(os.environ.get("NUMD_TEST_SEED", "7")))
    here = os.path.dirname(os.path.abspath(__file__))
    code = LENDER.format(paths=[here, os.path.dirname(here)], path=own_daemon.path)
    with own_daemon.connect() as c:
        data = attach(c)
        c.request("share", 0)
        data[:4] = b"kept"
        c.request("publish", "kept", 0, 0, b"note", False)
        for _ in range(6):
            victims = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(2)]
            for victim in victims:
                assert victim.stdout.read(1) == b"x"
            time.sleep(rng.random() * 0.3)
            for victim in victims:
                victim.kill()
                victim.wait()
                victim.stdout.close()
            name = c.request("open", "kept")
            assert name["note"] == b"note"
            c.request("take", 0, name["block"], name["ticket"])
        for i in range(5):
            try:
                c.request("unpublish", f"array{i}")
            except Refused as error:
                assert error.name == "ESEGMENT"
        with own_daemon.connect() as other:
            other.request("attach", 0, {"token": c.request("open", "kept")["token"]})
            assert os.pread(other.take_fd(), 4, 0) == b"kept"
    assert eventually(lambda: len(own_daemon.children()) == 2), own_daemon.log()


def test_data_of_a_name_outlives_its_publisher(own_daemon):
    with own_daemon.connect() as c:
        attach(c)[:4] = b"data"
        c.request("share", 0)
        c.request("publish", "late", 0, 0, b"", False)
        os.kill(c.info["pid"], 9)  # its worker, not the client
    with own_daemon.connect() as other:
        name = other.request("open", "late")
        other.request("attach", 3, {"token": name["token"]})
        assert other.request("take", 3, name["block"], name["ticket"]) is None
        assert os.pread(other.take_fd(), 4, 0) == b"data"
        other.request("unpublish", "late")
        assert other.request("take", 3, 0, 0) is None  # it holds it itself
