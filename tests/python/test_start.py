# SPDX-License-Identifier: BSD-3-Clause
"""A client that finds no daemon starts one: which program, and what it is to its starter."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()

PROGRAM = """
import numd
assert numd.ones(3).sum() == 3
print(numd.stats()["daemon"]["pid"], flush=True)
input()
"""


def environment(tmp_path, **more):
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMD_")}
    return env | {"NUMD_SOCKET": str(tmp_path / "socket")} | more


@pytest.fixture
def started(tmp_path):
    """Runs the program, which starts a daemon; the daemon's pid. Both are ended."""
    programs, daemons = [], []

    def start(**more):
        program = subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment(tmp_path, **more), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        programs.append(program)
        pid = int(program.stdout.readline())
        daemons.append(pid)
        return pid
    yield start
    for program in programs:
        program.communicate("\n", timeout=20)
        assert program.returncode == 0
    for pid in set(daemons):
        os.kill(pid, signal.SIGTERM)
        gone(pid)


def gone(pid):
    limit = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}/exe"):
        assert time.monotonic() < limit, "the daemon does not end"
        time.sleep(0.01)


def test_the_daemon_beside_the_library_in_a_session_of_its_own(started, tmp_path):
    log = tmp_path / "log"
    pid = started(NUMD_LOG=str(log))
    assert os.readlink(f"/proc/{pid}/exe") == str(BUILD / "numd")
    assert os.getsid(pid) == pid != os.getsid(0)  # no signal of the starter's terminal meets it
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)] == ["/dev/null", "/dev/null", str(log)]
    assert "listens at" in log.read_text()
    with open(f"/proc/{pid}/cmdline", "rb") as words:
        assert b"--exit-when-idle" in words.read().split(b"\0")


def test_the_next_client_finds_it(started):
    assert started() == started()


def test_the_program_that_is_named(started, tmp_path):
    other = tmp_path / "my-numd"
    other.write_text(f'#!/bin/sh\ntouch "{tmp_path}/ran"\nexec "{BUILD}/numd" "$@"\n')
    other.chmod(0o755)
    started(NUMD_DAEMON=str(other))
    assert (tmp_path / "ran").exists()


def failure(tmp_path, program):
    """The last line of a client's that cannot have a daemon."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment(tmp_path, NUMD_DAEMON=program), text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("program", ["/nonexistent/numd", "/dev/null"])
def test_a_program_that_cannot_be_run(program, tmp_path):
    said = failure(tmp_path, program)
    assert f"no daemon answers at {tmp_path}/socket" in said and "set NUMD_DAEMON, or PATH" in said


def test_a_program_that_does_not_listen_is_not_waited_for_without_end(tmp_path):
    said = failure(tmp_path, "/bin/true")
    assert "/bin/true" in said and f"{tmp_path}/socket, but does not answer there" in said
