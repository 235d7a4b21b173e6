# SPDX-License-Identifier: BSD-3-Clause
"""Upgrade in place, and spares that keep dying: what serves goes on, and nobody is refused meanwhile."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from clients import Bystander, attach
from stranger import BUILD, Daemon, Goodbye, Refused, Stranger, eventually


def main_pid(path):
    """The daemon that serves a new connection."""
    with Stranger(path) as c:
        return c.request("stats")["daemon"]["pid"]


def end(pid):
    """Ends a successor, which is nobody's child here."""
    os.kill(pid, signal.SIGTERM)
    assert eventually(lambda: not alive(pid))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def upgrade(d):
    """Has another process take over; its pid."""
    d.process.send_signal(signal.SIGUSR2)
    assert eventually(lambda: "has taken over" in d.log(), 20), d.log()
    return int(re.findall(r"process (\d+) has taken over", d.log())[-1])


def test_old_sessions_finish_and_new_ones_are_the_successors(tmp_path):
    d = Daemon(tmp_path)
    old = Bystander(d)
    successor = upgrade(d)
    try:
        assert main_pid(d.path) == successor != d.pid
        old.check()
        assert d.process.poll() is None, "it has a session"
        old.close()
        assert d.process.wait(10) == 0, "that was its last"
        assert main_pid(d.path) == successor
        again = subprocess.run([os.path.join(BUILD, "numd"), "--socket", d.path], stderr=subprocess.PIPE, text=True,
                               timeout=10)
        assert again.stderr == f"numd: error: a daemon is alive at {d.path} already\n", "path and lock went over"
        assert main_pid(d.path) == successor
    finally:
        end(successor)
    assert not os.path.exists(d.path) and not os.path.exists(d.path + ".lock")
    assert d.complaints() == []


def test_an_idle_daemon_ends_at_once_and_its_options_stay(tmp_path):
    d = Daemon(tmp_path, "--quota=plans=77", "--spares=1")
    successor = upgrade(d)
    try:
        assert d.process.wait(10) == 0
        with Stranger(d.path) as c:
            limits = {q["name"]: q["limit"] for q in c.request("stats")["quotas"]}
        assert limits["plans"] == 77
        with open(f"/proc/{successor}/cmdline") as f:
            assert f.read().split("\0")[1:-1] == ["--socket", d.path, "--quota=plans=77", "--spares=1", "--take-over"]
        os.kill(successor, signal.SIGUSR2)  # and again
        assert eventually(lambda: not alive(successor)), d.log()
        successor, before = main_pid(d.path), successor
        assert successor != before
    finally:
        end(successor)
    assert d.complaints() == []


def test_nobody_is_refused_during_upgrades(tmp_path):
    """Clients connect all the time while one daemon after another takes over."""
    d = Daemon(tmp_path)
    served, failed, done = [0], [], threading.Event()

    def connect():
        while not done.is_set():
            try:
                with Stranger(d.path) as c:
                    assert c.request("ping") is None
                served[0] += 1
            except Exception as e:  # whatever it is
                failed.append(repr(e))

    threads = [threading.Thread(target=connect) for _ in range(2)]
    for t in threads:
        t.start()
    pid = d.pid
    try:
        for _ in range(3):
            before = served[0]
            os.kill(pid, signal.SIGUSR2)
            assert eventually(lambda: main_pid(d.path) != pid, 20)
            pid = main_pid(d.path)
            assert eventually(lambda: served[0] > before + 5)
    finally:
        done.set()
        for t in threads:
            t.join()
        end(pid)
    assert failed == [] and served[0] > 15
    assert d.process.wait(10) == 0 and d.complaints() == []


def test_names_and_handles_on_their_way_go_over(tmp_path):
    d = Daemon(tmp_path)
    with d.connect() as maker:
        data = attach(maker, 0)
        data[:5] = b"hello"
        token = maker.request("share", 0)
        ticket = maker.request("lend", 0, 64)
        maker.request("publish", "results", 0, 0, b"a note", False)
        successor = upgrade(d)
        try:
            with Stranger(d.path) as other:
                opened = other.request("open", "results")
                assert (opened["token"], opened["block"], opened["note"]) == (token, 0, b"a note")
                other.request("attach", 3, {"token": token})
                os.pread(fd := other.take_fd(), 5, 0)
                assert os.pread(fd, 5, 0) == b"hello"
                os.close(fd)
                assert other.request("take", 3, 64, ticket) is None
                assert other.request("take", 3, 0, opened["ticket"]) is None
                # What two daemons know is never given out again: neither of them knows all holders.
                assert maker.request("returned", 0, [0, 64, 128]) == [False] * 3
                assert other.request("returned", 3, [128]) == [False]
            maker.close()
            assert d.process.wait(10) == 0
            with Stranger(d.path) as third:
                assert third.request("open", "results")["token"] == token
                assert third.request("unpublish", "results") is None
        finally:
            end(successor)
    assert d.complaints() == []


def held(client, name):
    return next(q["used"] for q in client.request("stats")["quotas"] if q["name"] == name)


def refused(client, segment):
    """The sentence of a refusal to attach one more."""
    with pytest.raises(Refused) as e:
        attach(client, segment)
    assert e.value.name == "ELIMIT"
    return e.value.sentence


def test_quotas_count_over_daemons_that_replace_each_other(tmp_path):
    """Three daemons at once, each with sessions of one user, and never more than the user may have in all."""
    d, pids = Daemon(tmp_path, "--quota=sessions=4", "--quota=segments=4"), []
    first, second = d.connect(), d.connect()
    try:
        attach(first, 0), attach(second, 0)
        pids.append(upgrade(d))
        with pytest.raises(Goodbye, match="quota of sessions: user .* may have 4, has 4"):
            a, b = Stranger(d.path), Stranger(d.path)
            Stranger(d.path)
        assert held(a, "segments") == 2 and held(a, "sessions") == 4
        attach(a, 0)
        attach(first, 1)  # an old session, too, has what is left
        for client, segment in ((a, 1), (b, 1), (first, 2), (second, 2)):
            assert "may have 4, has 4" in refused(client, segment)
        second.close()  # what it had is free again in the successor
        assert eventually(lambda: held(a, "segments") == 3 and held(a, "sessions") == 3)
        os.kill(pids[-1], signal.SIGUSR2)
        assert eventually(lambda: d.log().count("has taken over") == 2), d.log()
        pids.append(int(re.findall(r"process (\d+) has taken over", d.log())[-1]))
        c = Stranger(d.path)
        with pytest.raises(Goodbye):
            Stranger(d.path)
        attach(c, 0)
        for client in (a, b, c, first):
            assert "may have 4, has 4" in refused(client, 9)
        first.request("detach", 0)
        assert eventually(lambda: held(c, "segments") == 3)
        attach(b, 0)
        assert "may have 4" in refused(c, 1)
        a.close(), b.close()
        assert eventually(lambda: held(c, "segments") == 2)
        assert alive(pids[0]), "the first daemon's sessions count by way of the second"
        first.close()
        assert eventually(lambda: held(c, "segments") == 1 and held(c, "sessions") == 1)
        assert d.process.wait(10) == 0 and eventually(lambda: not alive(pids[0]))
        attach(c, 1), attach(c, 2), attach(c, 3)
        assert "may have 4, has 4" in refused(c, 4)
        c.close()
    finally:
        for client in (first, second):
            client.close()
        for pid in pids:
            if alive(pid):
                end(pid)
    assert d.complaints() == [], d.log()


def asked_until(daemon, condition):
    """Asks for an upgrade until that had the effect: while an attempt that failed is cleared away, it has none."""
    def ask():
        daemon.send_signal(signal.SIGUSR2)
        return eventually(condition, 1)
    return eventually(ask)


def test_a_successor_that_fails_changes_nothing(tmp_path):
    """The installed program is broken: the daemon says so and goes on."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for name in ("numd", "numd-worker"):
        subprocess.run(["cp", os.path.join(BUILD, name), bin_dir], check=True)
    with open(tmp_path / "log", "wb") as log:
        daemon = subprocess.Popen([bin_dir / "numd", "--socket", tmp_path / "s"], stderr=log)
    path, text = str(tmp_path / "s"), (tmp_path / "log").read_text
    try:
        assert eventually(lambda: "listens at" in text())
        with Stranger(path) as c:
            for broken in ("#!/bin/sh\nexit 3\n", "#!/nonexistent\n"):
                os.unlink(bin_dir / "numd")
                (bin_dir / "numd").write_text(broken)
                (bin_dir / "numd").chmod(0o755)
                before = text().count("no upgrade")
                assert asked_until(daemon, lambda: text().count("no upgrade") > before), text()
                assert c.request("ping") is None and main_pid(path) == daemon.pid
            os.unlink(bin_dir / "numd")
            subprocess.run(["cp", os.path.join(BUILD, "numd"), bin_dir], check=True)
            assert asked_until(daemon, lambda: main_pid(path) != daemon.pid), text()
            successor = main_pid(path)
        assert daemon.wait(10) == 0
        end(successor)
    finally:
        daemon.kill()
        daemon.wait()


def test_a_socket_from_the_service_manager_goes_over_and_the_manager_is_told(tmp_path):
    path, notify = str(tmp_path / "s"), str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(notify)
        manager.settimeout(10)
        s.bind(path)
        s.listen()
        code = (f"import os; os.dup2({s.fileno()}, 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
                f" os.execv({os.path.join(BUILD, 'numd')!r}, ['numd'])")
        daemon = subprocess.Popen([sys.executable, "-c", code], pass_fds=[s.fileno()], stderr=subprocess.PIPE,
                                  env=dict(os.environ, NOTIFY_SOCKET=notify))
        assert manager.recv(4096).startswith(b"READY=1")
        with Stranger(path):
            daemon.send_signal(signal.SIGUSR2)
            told = [manager.recv(4096), manager.recv(4096)]
            pid = next(int(text.split(b"=")[1]) for text in told if text.startswith(b"MAINPID="))
            assert any(text.startswith(b"READY=1") for text in told), "the successor says so, too"
            assert eventually(lambda: main_pid(path) == pid)
        assert daemon.wait(10) == 0
        daemon.stderr.close()
        end(pid)
        assert os.path.exists(path), "it is the manager's"


def test_spares_that_die_are_started_again_ever_more_slowly(tmp_path):
    d = Daemon(tmp_path, "--spares=1", env={"NUMD_WORKER": "/bin/false"})
    time.sleep(2)
    deaths = [line for line in d.log().splitlines() if "(a spare) ended with code 1" in line]
    assert 3 <= len(deaths) <= 6  # after 100, 200, 400, 800 ms ...
    assert d.stop() == 0
