# SPDX-License-Identifier: BSD-3-Clause
"""Starts a daemon of its own for the tests.

NUMD_BUILD names the directory of the build; by default `build` at the top of the tree. EXAMPLES is how many times its
examples each random test tries.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import hypothesis
import numpy as np
import pytest

from examples import examples

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # SciPy looks at it when it is imported

hypothesis.settings.register_profile(
    "numd",
    deadline=None,
    parent=examples(20),
    print_blob=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
hypothesis.settings.load_profile("numd")


def answers(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def start_daemon(path):
    """A daemon that listens on the path, as a Popen."""
    daemon = subprocess.Popen([BUILD / "numd", "--socket", path])
    limit = time.monotonic() + 20
    while not answers(path):
        if daemon.poll() is not None or time.monotonic() > limit:
            daemon.kill()
            raise RuntimeError(f"{BUILD / 'numd'} does not listen")
        time.sleep(0.01)
    return daemon


def stop_daemon(daemon):
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        raise


@pytest.fixture(scope="session", autouse=True)
def daemon():
    with tempfile.TemporaryDirectory(prefix="numd-test-") as directory:
        path = os.path.join(directory, "socket")
        process = start_daemon(path)
        os.environ["NUMD_SOCKET"] = path
        os.environ["NUMD_DAEMON"] = str(BUILD / "numd")
        yield process
        stop_daemon(process)


@pytest.fixture
def other_address(tmp_path):
    """The address of a second daemon."""
    path = str(tmp_path / "other")
    process = start_daemon(path)
    yield path
    stop_daemon(process)


@pytest.fixture
def start():
    """Starts a daemon at a path; it ends with the test."""
    started = []
    yield lambda path: started.append(start_daemon(path))
    for process in started:
        stop_daemon(process)


@pytest.fixture
def data():
    """Loads a table of tests/data by its name."""
    return lambda name: np.load(TOP / "tests" / "data" / f"{name}.npy")


@pytest.fixture
def bench_modules(monkeypatch):
    """The benchmark's package `bench`, and none of its modules left behind for the next test."""
    bench = TOP / "scripts" / "bench"
    monkeypatch.syspath_prepend(str(bench.parent))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        origin = getattr(sys.modules[name], "__file__", None)
        if origin and bench in pathlib.Path(origin).parents:
            del sys.modules[name]
            package, _, own = name.rpartition(".")
            if hasattr(sys.modules.get(package), own):
                delattr(sys.modules[package], own)


def bench_objects():
    """Named shared memory of the benchmark that this process made, or one that has ended. Its third part is the maker.
    What others have belongs to tests that run at the same time."""
    makers = {name: name.split("-")[2] for name in os.listdir("/dev/shm") if name.startswith("numd-bench-")}
    return {name for name, pid in makers.items() if pid == str(os.getpid()) or not os.path.exists(f"/proc/{pid}")}


@pytest.fixture
def bench_leaves_nothing():
    """The test fails if it leaves named shared memory behind. Other tests, which kill who has some, remove it soon."""
    before = bench_objects()
    yield
    limit = time.monotonic() + 20
    while not bench_objects() <= before:
        assert time.monotonic() < limit, bench_objects() - before
        time.sleep(0.01)
