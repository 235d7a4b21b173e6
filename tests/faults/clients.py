# SPDX-License-Identifier: BSD-3-Clause
"""What the tests here have clients do."""

import mmap
import os
import struct

import pytest
from stranger import Refused, sum_program

SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
unsanitized = pytest.mark.skipif(SANITIZED, reason="sanitizers need what the sandbox takes away, or ptrace")

N = 1000
NOT_MEMORY = "the descriptor is not shared memory (a memfd, or a file of tmpfs or hugetlbfs)"
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


def session_of(client):
    return next(s for s in client.request("stats")["sessions"] if s["pid"] == client.info["pid"])


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
