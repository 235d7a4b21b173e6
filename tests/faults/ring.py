# SPDX-License-Identifier: BSD-3-Clause
"""The ring door by hand, as protocol/PROTOCOL.md has it: for clients that do with a channel what they should not."""

import ctypes
import mmap
import os
import struct
import time

CLIENT_SIDE, WORKER_SIDE, CLIENT_SEM, WORKER_SEM, SINGLE, SLOTS = 128, 256, 384, 512, 640, 2688
SEM_BYTES = 32
libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    def __init__(self, client, wait="sleep"):
        opened = client.request("open_channel", {"wait": wait})
        self.id = opened["channel"]
        fd = client.take_fd()
        self.memory = mmap.mmap(fd, opened["bytes"])
        os.close(fd)
        self.calls = 0

    def fill(self, plan, bindings):
        struct.pack_into("<IHHIiI", self.memory, SINGLE + 4, plan, len(bindings), 0, 0, 0, 0)
        struct.pack_into(f"{len(bindings)}Q", self.memory, SINGLE + 24, *bindings)

    def submit(self, plan, bindings):
        self.fill(plan, bindings)
        struct.pack_into("<I", self.memory, SINGLE, 2 * self.calls + 1)
        self.post()
        self.calls += 1

    def post(self):
        """sem_post on the worker's semaphore, which must be whole: libc would end this process otherwise."""
        word = ctypes.c_char.from_buffer(self.memory, WORKER_SEM)
        assert libc.sem_post(ctypes.byref(word)) == 0

    def done(self):
        return struct.unpack_from("<I", self.memory, SINGLE)[0] == 2 * self.calls

    def result(self, seconds=10):
        """(status, detail, the result's 16 bytes) of the last call."""
        deadline = time.monotonic() + seconds
        while not self.done():
            assert time.monotonic() < deadline, "no answer through the ring"
            time.sleep(0.0005)
        detail, status = struct.unpack_from("<Ii", self.memory, SINGLE + 12)
        return status, detail, self.memory[SINGLE + 48 : SINGLE + 64]

    def call(self, plan, bindings):
        self.submit(plan, bindings)
        return self.result()
