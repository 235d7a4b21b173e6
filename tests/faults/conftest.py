"""Each test here gets a daemon on a private socket, which must come out of it unharmed: it ends by SIGTERM with
code 0, holds the descriptors that it held before, and left nothing in /dev/shm."""

import os
import pathlib
import sys
import time

import ledger
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from clients import Bystander  # noqa: E402
from stranger import Daemon, eventually  # noqa: E402


def shared_names():
    """All but the semaphores that Python's multiprocessing makes, in whatever program."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.mp-")}


def settled_fds(daemon):
    """How many descriptors the daemon holds, once that does not change any more."""
    seen = [-1]
    while len(seen) < 4 or len(set(seen[-4:])) > 1:
        seen.append(daemon.n_fds())
        time.sleep(0.005)
    return seen[-1]


@pytest.fixture(scope="module")
def module_daemon(tmp_path_factory):
    before = shared_names()
    d = Daemon(tmp_path_factory.mktemp("numd"))
    assert eventually(lambda: len(d.children()) == 2)
    d.idle_fds = settled_fds(d)  # with its two spares and no client
    yield d
    assert d.stop() == 0, d.log()
    assert d.complaints() == []
    assert eventually(lambda: shared_names() <= before), shared_names() - before


@pytest.fixture
def daemon(module_daemon):
    d = module_daemon
    yield d
    assert d.process.poll() is None, d.log()
    # Spares are replaced a little after they were used.
    assert eventually(lambda: len(d.children()) == 2 and d.n_fds() == d.idle_fds), os.listdir(f"/proc/{d.pid}/fd")


@pytest.fixture
def bystander(daemon):
    b = Bystander(daemon)
    yield b
    b.check()
    b.close()


def pytest_terminal_summary(terminalreporter):
    lines = ledger.table()
    if lines:
        terminalreporter.section(f"hazards, at {ledger.SCALE:g} of their figures")
        terminalreporter.write("\n".join(lines) + "\n")
