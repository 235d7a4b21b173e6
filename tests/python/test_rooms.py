# SPDX-License-Identifier: BSD-3-Clause
"""The rooms of the tree: who may include and import whom, and what each program is made of."""

import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("check", ["lint-includes", "lint-imports"])
def test_includes_and_imports_go_one_way(check):
    done = subprocess.run([sys.executable, TOP / "scripts" / check], cwd=TOP, stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_supervisor_has_no_kernels_and_no_blas():
    """What listens for all users neither computes nor has the libraries for it."""
    libraries, symbols = output("ldd", BUILD / "numd"), output("nm", BUILD / "numd")
    assert "libuv" in libraries and "blas" not in libraries and "lapack" not in libraries and "sleef" not in libraries
    names = {line.split()[-1] for line in symbols.splitlines()}
    assert "supervisor_run" in names
    assert not [name for name in names if name.startswith(("kernel", "plan_", "lower_", "exec_", "session_"))]


def test_the_worker_neither_listens_nor_starts_processes():
    symbols = output("nm", BUILD / "numd-worker")
    names = {line.split()[-1].partition("@")[0] for line in symbols.splitlines()}
    assert "worker_run" in names and "uv_spawn" not in names and "broker_share" not in names


def test_the_engine_runs_without_sessions_or_the_loop():
    """libnumd-engine.so, which benchmarks call in process."""
    libraries = output("ldd", BUILD / "libnumd-engine.so")
    assert "blas" in libraries and "libuv" not in libraries and "msgpack" not in libraries


def test_each_source_names_its_licence():
    """In the first lines, for whoever takes a single file."""
    rooms, kinds = ["client", "protocol", "scripts", "server", "shared", "tests"], "c h py pyi mk css js".split()
    sources = [p for room in rooms for kind in kinds for p in (TOP / room).rglob(f"*.{kind}")]
    silent = [p for p in sources if "SPDX-License-Identifier: BSD-3-Clause" not in p.read_text(encoding="utf-8")[:120]]
    assert len(sources) > 500 and not silent
