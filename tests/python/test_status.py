# SPDX-License-Identifier: BSD-3-Clause
"""`python -m numd` says how things are, and starts nothing."""

import os
import subprocess
import sys

import numpy as np

import numd


def status(*words, **environment):
    done = subprocess.run([sys.executable, "-m", "numd", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, env=os.environ | environment)
    return done.returncode, done.stdout


def test_a_daemon_that_answers():
    before = numd.ones(1000)
    code, text = status()
    stats = numd.stats()
    assert code == 0 and before.size == 1000
    assert f"numd      {numd.__version__} in {os.path.dirname(numd.__file__)}" in text
    assert f"NumPy {np.__version__}" in text
    assert f"process {stats['daemon']['pid']}, at {os.environ['NUMD_SOCKET']}" in text
    assert f"of {stats['daemon']['cores']} core" in text
    for heading in ("up", "gears", "sessions", "memory", "limits"):
        assert f"\n{heading} " in text


def test_sizes_are_those_of_the_sessions(tmp_path, start):
    path = str(tmp_path / "socket")
    start(path)
    session = numd.connect(path)
    array = numd.ones((1 << 20,), session=session)
    code, text = status("--socket", path)
    assert code == 0 and array.nbytes == 8 << 20
    memory = numd.memory(session=session)
    assert f"{len(memory)} segment" in text and f"{memory.bytes / 2**20:.1f} MiB, of which" in text
    assert "\nsessions  1 beside this one" in text


def test_no_daemon(tmp_path):
    path = str(tmp_path / "nobody")
    code, text = status(NUMD_SOCKET=path)
    assert code == 1
    assert f"no daemon answers at {path}" in text and f"numd --socket {path}" in text and "by itself" in text
    assert not os.path.exists(path)


def test_a_path_that_is_no_socket(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    code, text = status("--socket", str(path))
    assert code == 1 and str(path) in text


def test_command_line():
    assert status("--version") == (0, f"numd {numd.__version__}\n")
    code, text = status("--wrong")
    assert code == 2 and "usage: python -m numd" in text
