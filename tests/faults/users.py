# SPDX-License-Identifier: BSD-3-Clause
"""Being somebody else, for tests that root runs: a child process takes the user's rights and tells what it found."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import traceback

import pytest
from stranger import BUILD, Daemon

ALICE, BOB = 65533, 65532  # no account is needed

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")


def can_be_reached(directory):
    """Whether every user may enter the directory, and so run what is in it."""
    ways = [directory]
    while os.path.dirname(ways[-1]) != ways[-1]:
        ways.append(os.path.dirname(ways[-1]))
    return all(os.stat(way).st_mode & 0o001 for way in ways)


only_in_public = pytest.mark.skipif(
    not can_be_reached(os.path.abspath(BUILD)), reason="the build is in a directory that other users cannot enter")


@contextlib.contextmanager
def reachable(path):
    """Every user can reach the path while the block runs, wherever pytest has put it. One test at a time does this,
    for what they open is in part the same."""
    closed, place, lock = {}, os.path.dirname(path), os.open(BUILD, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        while place != os.path.dirname(place):
            mode = os.stat(place).st_mode & 0o7777
            if not mode & 0o001:
                closed[place] = mode
                os.chmod(place, mode | 0o055)
            place = os.path.dirname(place)
        yield
    finally:
        for place, mode in closed.items():
            os.chmod(place, mode)
        os.close(lock)


def become(uid, groups=()):
    os.setgroups(list(groups))
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


class User:
    """A child process that runs a function as a user, and stays until it is closed if the function says so.

    The function gets `say`, which sends what JSON can hold, and `wait`, which returns when the test lets it end.
    """

    def __init__(self, uid, function, groups=()):
        self.reader, writer = os.pipe()
        gate, self.gate = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(writer)
            os.close(gate)
            return
        try:
            os.close(self.gate)
            become(uid, groups)
            function(lambda what: os.write(writer, json.dumps(what).encode() + b"\n"), lambda: os.read(gate, 1))
        except BaseException:
            os.write(writer, json.dumps({"error": traceback.format_exc()}).encode() + b"\n")
        finally:
            os._exit(0)

    def said(self):
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(self.reader, 1)
            assert piece, "the child said nothing"
            line += piece
        what = json.loads(line)
        assert not (isinstance(what, dict) and "error" in what), what["error"]
        return what

    def close(self):
        os.close(self.gate)
        os.waitpid(self.pid, 0)
        os.close(self.reader)


def as_user(uid, function, groups=()):
    """What the function returns, run as the user."""
    user = User(uid, lambda say, wait: say(function()), groups)
    try:
        return user.said()
    finally:
        user.close()


class PublicDaemon(Daemon):
    """A daemon in a directory that every user can reach."""

    def __init__(self, *options, uid=None, **how):
        self.directory = tempfile.mkdtemp(prefix="numd-test-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        if uid is not None:
            os.chown(self.directory, uid, uid)
            how["user"] = uid
        super().__init__(self.directory, *options, **how)

    def stop(self):
        try:
            return super().stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


