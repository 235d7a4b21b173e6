# SPDX-License-Identifier: BSD-3-Clause
"""The daemon itself: its limits, its address, its beginning and its end."""

import os
import resource
import socket
import subprocess
import sys
import time

import msgpack
import pytest
from clients import goodbye
from ledger import note
from stranger import BUILD, Daemon, Goodbye, Refused, Stranger, eventually
from users import reachable

PRIVATE = f"numd-test-private-{os.getpid()}"  # this run's own


def test_limit_of_sessions(tmp_path):
    d = Daemon(tmp_path, "--workers-max=2", "--spares=1")
    with d.connect() as a, d.connect() as b:
        with pytest.raises(Goodbye) as e:
            d.connect()
        assert (e.value.name, e.value.sentence) == ("ELIMIT", "the daemon serves as many clients as it may")
        assert a.request("ping") is None and b.request("ping") is None
    assert eventually(lambda: len(d.children()) == 1)
    with d.connect() as c:
        assert c.request("ping") is None
    assert d.stop() == 0


def test_out_of_descriptors(tmp_path):
    d = Daemon(tmp_path, "--spares=0")
    clients = []
    with d.connect() as present:
        used = d.n_fds()
        _, hard = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (used + 8, hard))
        ended = 0
        for _ in range(12):
            try:
                clients.append(d.connect())
            except (Goodbye, ConnectionError, EOFError):
                ended += 1
            assert present.request("ping") is None
        assert 1 <= len(clients) < 12 and ended >= 1, d.log()
        note("13 EMFILE at accept", ended, ended, "the connections beyond")
        for c in clients:
            c.close()
        assert eventually(lambda: len(d.children()) == 1)
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (hard, hard))
        with d.connect() as c:
            assert c.request("ping") is None
    assert d.stop() == 0


def test_workers_that_cannot_start_are_retried_with_patience(tmp_path):
    d = Daemon(tmp_path, env={"NUMD_WORKER": "/bin/false"})
    with pytest.raises((Goodbye, EOFError, ConnectionError)):
        d.connect()
    time.sleep(1)
    assert d.log().count("/bin/false") + d.log().count("ended with code 1") <= 16
    assert d.stop() == 0


def test_a_second_daemon_at_the_same_address(tmp_path):
    d = Daemon(tmp_path)
    again = subprocess.run([os.path.join(BUILD, "numd"), "--socket", d.path], stderr=subprocess.PIPE, text=True, timeout=10)
    assert again.returncode == 1
    assert again.stderr == f"numd: error: a daemon is alive at {d.path} already\n"
    with d.connect() as c:
        assert c.request("ping") is None
    assert d.stop() == 0
    assert os.listdir(tmp_path) == ["numd.log"]


def test_a_killed_daemon_takes_its_workers_along_and_blocks_nobody(tmp_path):
    d = Daemon(tmp_path)
    c = d.connect()
    children = d.children()
    d.process.kill()
    d.process.wait()
    assert c.message() is None or c.message() is None
    c.close()
    for pid in children:
        assert eventually(lambda p=pid: not os.path.exists(f"/proc/{p}/exe"))
    assert os.path.exists(d.path)
    again = subprocess.Popen(d.process.args, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                d.connect().close()
                return True
            except OSError:
                return False
        assert eventually(answers)
    finally:
        again.terminate()
        assert again.wait(10) == 0


def test_end_when_idle(tmp_path):
    d = Daemon(tmp_path, "--exit-when-idle=0.2")
    with d.connect() as a:
        with d.connect() as b:
            assert b.request("ping") is None
        time.sleep(0.5)
        assert a.request("ping") is None
    assert d.process.wait(10) == 0
    assert "no client is left" in d.log()


def test_sigterm_says_goodbye(tmp_path):
    d = Daemon(tmp_path)
    with d.connect() as c:
        d.process.terminate()
        goodbye(c, "EDISCONNECTED", "the daemon is ending")
    assert d.process.wait(5) == 0


def test_socket_activation(tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        code = (f"import os; os.dup2({s.fileno()}, 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
                f" os.execv({os.path.join(BUILD, 'numd')!r}, ['numd'])")
        daemon = subprocess.Popen([sys.executable, "-c", code], pass_fds=[s.fileno()], stderr=subprocess.PIPE)
    with Stranger(path) as c:
        assert c.request("ping") is None
    daemon.terminate()
    assert b"an inherited socket" in daemon.communicate(timeout=10)[1]
    assert daemon.returncode == 0 and os.path.exists(path)


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def voluntary_switches(pid):
    with open(f"/proc/{pid}/status") as f:
        return [int(line.split()[1]) for line in f if line.startswith("voluntary")][0]


def test_idle_costs_nothing(daemon):
    with daemon.connect() as c:
        c.request("open_channel", {"wait": "auto"})
        assert eventually(lambda: len(daemon.children()) == 3), "the spare that took this session was replaced"
        pids = [daemon.pid, *daemon.children()]

        def used_in_a_second():
            before = [(cpu_ticks(p), voluntary_switches(p)) for p in pids]
            time.sleep(1)
            return [(cpu_ticks(p), voluntary_switches(p)) for p in pids] != before

        # A new spare may still be at its beginnings.
        assert any(not used_in_a_second() for _ in range(5))
        assert not used_in_a_second()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_workers_become_the_client(daemon):
    """A client of another user gets a worker with its rights: root's object is not to be had."""
    fd = os.open("/dev/shm/" + PRIVATE, os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, 4096)
    read, write = os.pipe()
    try:
        with reachable(daemon.path):
            child = os.fork()
            if child == 0:
                try:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                    c = daemon.connect()
                    status = open(f"/proc/{c.info['pid']}/status").read()
                    try:
                        c.request("attach", 0, {"name": PRIVATE})
                        said = "attached"
                    except Refused as e:
                        said = f"{e.name}: {e.sentence}"
                    os.write(write, msgpack.packb([status, said]))
                finally:
                    os._exit(0)
            os.close(write)
            status, said = msgpack.unpackb(b"".join(iter(lambda: os.read(read, 65536), b"")))
            os.waitpid(child, 0)
    finally:
        os.close(read)
        os.close(fd)
        os.unlink("/dev/shm/" + PRIVATE)
    lines = dict(line.split(":", 1) for line in status.splitlines())
    assert lines["Uid"].split() == ["65534"] * 4 and lines["Gid"].split() == ["65534"] * 4
    assert lines["Groups"].split() == [] and lines["NoNewPrivs"].strip() == "1"
    assert said == "EACCESS: there is no such object, or it may not be opened"
