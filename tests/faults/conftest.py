# SPDX-License-Identifier: BSD-3-Clause
"""Each test here gets a daemon on a private socket, which must come out of it unharmed: it ends by SIGTERM with
code 0, holds the descriptors that it held before, and left nothing in /dev/shm."""

import os
import pathlib
import sys

import ledger
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from clients import Bystander  # noqa: E402
from stranger import Daemon, eventually, shared_names  # noqa: E402


def fds(daemon):
    """What each descriptor of the daemon is."""
    return {fd: os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{daemon.pid}/fd")}


@pytest.fixture(scope="module")
def module_daemon(tmp_path_factory):
    before = shared_names()
    d = Daemon(tmp_path_factory.mktemp("numd"))
    assert len(d.children()) == 2  # it says that it listens when its spares were started
    d.idle_fds = d.n_fds()
    yield d
    assert d.stop() == 0, d.log()
    assert d.complaints() == []
    # Other files are tested at the same time; what their tests make is there for a moment only.
    assert eventually(lambda: shared_names() <= before), shared_names() - before


@pytest.fixture
def daemon(module_daemon):
    d = module_daemon
    yield d
    assert d.process.poll() is None, d.log()
    # Spares are replaced a little after they were used.
    assert eventually(lambda: len(d.children()) == 2 and d.n_fds() == d.idle_fds), (d.idle_fds, fds(d))


@pytest.fixture
def bystander(daemon):
    b = Bystander(daemon)
    yield b
    b.check()
    b.close()


def pytest_sessionfinish(session):
    """A process of pytest-xdist's hands its part of the ledger to the one that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["hazards"] = ledger.entries()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    ledger.add(getattr(node, "workeroutput", {}).get("hazards", []))


def pytest_terminal_summary(terminalreporter):
    lines = ledger.table()
    if lines:
        terminalreporter.section(f"hazards, at {ledger.SCALE:g} of their figures")
        terminalreporter.write("\n".join(lines) + "\n")
