# SPDX-License-Identifier: BSD-3-Clause
"""A file system of our own with one file, whose users wait as long as we like: the kernel's side of FUSE, without a
library."""

import ctypes
import os
import signal
import stat
import struct
import tempfile

LOOKUP, FORGET, GETATTR, OPEN, INIT, INTERRUPT = 1, 2, 3, 14, 26, 36
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2
PR_SET_PDEATHSIG = 1
ROOT, FILE = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    assert result == 0, os.strerror(ctypes.get_errno())


def _attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o666
    return struct.pack("6Q10I", node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class FileSystem:
    """Mounted for the calling process alone, which has to be root's and forked for this. A process of its own serves
    it: while one process does both, its end waits for itself."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="numd-test-fuse-")
        _check(_libc.unshare(CLONE_NEWNS))
        _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
        self.device = os.open("/dev/fuse", os.O_RDWR)
        how = f"fd={self.device},rootmode=40000,user_id=0,group_id=0"
        _check(_libc.mount(b"numd", self.directory.encode(), b"fuse", 0, how.encode()))
        self.holding, told = os.pipe()
        self.server = os.fork()
        if self.server == 0:
            try:
                _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
                self.serve(told)
            finally:
                os._exit(0)
        os.close(self.device)
        os.close(told)

    def open(self, name):
        """Opens the file and takes the file system out of the tree, so that its path is /NAME."""
        fd = os.open(os.path.join(self.directory, name), os.O_RDWR)
        _check(_libc.umount2(self.directory.encode(), MNT_DETACH))
        os.rmdir(self.directory)
        return fd

    def wait(self):
        """Until somebody waits for an answer."""
        assert os.read(self.holding, 1)

    def close(self):
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)

    def serve(self, told):
        """Answers what it takes to open the file, and nothing after that."""
        opened = False
        while True:
            request = os.read(self.device, 1 << 17)
            _, code, unique, node = struct.unpack_from("IIQQ", request)
            if code in (FORGET, INTERRUPT):
                continue
            if opened:
                os.write(told, b"x")
                continue
            answers = {
                INIT: lambda: struct.pack("IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 8, 8, 1 << 16, 1, 0, 0, 0),
                LOOKUP: lambda: struct.pack("QQQQII", FILE, 1, 0, 0, 0, 0) + _attributes(FILE),
                GETATTR: lambda: struct.pack("QII", 0, 0, 0) + _attributes(node),
                OPEN: lambda: struct.pack("QII", 1, 0, 0),
            }
            body = answers[code]() if code in answers else b""
            os.write(self.device, struct.pack("IiQ", 16 + len(body), 0 if code in answers else -38, unique) + body)
            opened = code == OPEN
