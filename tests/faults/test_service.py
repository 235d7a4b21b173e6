# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as a service: what it tells the manager, what it does when the manager reloads it, when workers fall silent,
and what the units that are installed say."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest
from stranger import BUILD, Daemon, Stranger, eventually

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class Manager:
    """The end of a notify socket at which systemd listens."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)

    def told(self, seconds=10):
        """The next message, as a dict; None if none comes in time."""
        self.sock.settimeout(seconds)
        try:
            text = self.sock.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def environment(self, **more):
        return {"NOTIFY_SOCKET": self.path, **more}

    def close(self):
        self.sock.close()


@pytest.fixture
def manager(tmp_path):
    m = Manager(tmp_path)
    yield m
    m.close()


def test_ready_reload_stop(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment())
    assert manager.told() == {"READY": "1", "STATUS": f"Listening at {d.path}"}
    assert eventually(lambda: len(d.children()) == 2)
    spares = set(d.children())
    with d.connect() as c:
        used = set(d.children()) & {c.info["pid"]}
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        d.process.send_signal(signal.SIGHUP)
        reloading = manager.told()
        assert reloading["RELOADING"] == "1"
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert manager.told() == {"READY": "1"}
        # Spares are new; who has a session keeps it.
        assert eventually(lambda: len(d.children()) == 3 and not (set(d.children()) & (spares - used)))
        assert c.request("ping") is None and used <= set(d.children())
    assert d.stop() == 0
    assert manager.told() == {"STOPPING": "1"}
    assert d.complaints() == []


def test_nothing_of_the_manager_reaches_workers(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="60000000"))
    with d.connect() as c:
        with open(f"/proc/{c.info['pid']}/environ") as f:
            assert "NOTIFY_SOCKET" not in (text := f.read()) and "WATCHDOG" not in text
    assert d.stop() == 0


def signs(manager, seconds):
    """How many signs of life come."""
    n, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        told = manager.told(left)
        n += told == {"WATCHDOG": "1"}
    return n


def test_signs_of_life_and_a_spare_that_falls_silent(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="3000000"))
    assert manager.told()["READY"] == "1"
    assert manager.told(3) == {"WATCHDOG": "1"}
    assert eventually(lambda: len(d.children()) == 2)
    frozen = d.children()[0]
    os.kill(frozen, signal.SIGSTOP)
    assert signs(manager, 5) >= 3, d.log()
    assert eventually(lambda: frozen not in d.children() and len(d.children()) == 2), "it is replaced"
    assert f"worker {frozen} (a spare) does not answer and is ended" in d.log()
    assert d.stop() == 0


def test_no_sign_of_life_when_no_worker_answers(tmp_path, manager):
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 1000\n")
    silent.chmod(0o755)
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="600000", NUMD_WORKER=str(silent)))
    assert eventually(lambda: "the service manager gets no sign of life" in d.log(), 20), d.log()
    while manager.told(0.3):  # what was said before
        pass
    assert signs(manager, 1) == 0
    d.process.kill()
    d.process.wait()


def test_no_sign_of_life_from_a_supervisor_that_hangs(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="600000"))
    assert manager.told()["READY"] == "1" and manager.told(2) == {"WATCHDOG": "1"}
    os.kill(d.pid, signal.SIGSTOP)
    while manager.told(0.3):
        pass
    assert signs(manager, 1) == 0
    os.kill(d.pid, signal.SIGCONT)
    assert signs(manager, 2) > 0
    assert d.stop() == 0


def test_watchdog_of_another_process_is_none_of_ours(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="300000", WATCHDOG_PID="1"))
    assert manager.told()["READY"] == "1"
    assert manager.told(1) is None
    assert d.stop() == 0


@pytest.mark.parametrize("address", ["relative", "@", "/" + "x" * 200])
def test_a_notify_socket_that_is_none(tmp_path, address):
    d = Daemon(tmp_path, env={"NOTIFY_SOCKET": address})
    with d.connect() as c:
        assert c.request("ping") is None
    assert d.stop() == 0


def test_lines_have_priorities_for_the_journal(tmp_path):
    d = Daemon(tmp_path, "--log-level=debug", env={"JOURNAL_STREAM": "8:1"})
    d.connect().close()
    assert d.stop() == 0
    lines = d.log().splitlines()
    assert lines and all(re.match(r"<[3467]>numd", line) for line in lines), lines
    assert lines[0].startswith("<6>numd: info: ")


def test_a_socket_that_systemd_activates(tmp_path):
    tool = "/usr/bin/systemd-socket-activate"
    if not os.path.exists(tool):
        pytest.skip("systemd-socket-activate is not installed")
    path = str(tmp_path / "s")
    with open(tmp_path / "log", "wb") as log:
        daemon = subprocess.Popen([tool, "-l", path, os.path.join(BUILD, "numd"), "--exit-when-idle=0.2"],
                                  stderr=log, stdin=subprocess.DEVNULL)
    try:
        assert eventually(lambda: os.path.exists(path))
        with Stranger(path) as c:
            assert c.request("ping") is None
        assert daemon.wait(10) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert "an inherited socket" in (tmp_path / "log").read_text()


# ---- The units ----


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The units as `make install` writes them."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["make", "-s", "-C", TOP, "install-units", f"BUILD={BUILD}", f"DESTDIR={root}", "PREFIX=/usr/local"],
                   check=True, stdout=subprocess.DEVNULL, timeout=60)
    return root / "usr/local/lib/systemd"


def analyze(*words):
    tool = "/usr/bin/systemd-analyze"
    if not os.path.exists(tool):
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([tool, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


@pytest.mark.parametrize("flavour", ["system", "user"])
def test_units_are_well_formed(installed, flavour, tmp_path):
    units = tmp_path / "units"
    units.mkdir()
    for name in ("numd.service", "numd.socket"):
        text = (installed / flavour / name).read_text()
        assert "@" not in re.sub(r"~?@[a-z-]+\b(?!@)", "", text), "nothing is left to be replaced"
        # The program is where it was built, not where it will be.
        (units / name).write_text(text.replace("/usr/local/bin", BUILD))
    done = analyze("verify", *(["--user"] if flavour == "user" else []), "--man=no", str(units / "numd.service"),
                   str(units / "numd.socket"))
    ours = [line for line in done.stdout.splitlines() if "numd" in line]
    assert not ours, done.stdout


def test_exposure(installed):
    done = analyze("security", "--offline=yes", "--no-pager", str(installed / "system" / "numd.service"))
    found = re.search(r"Overall exposure level for numd.service: ([\d.]+)", done.stdout)
    assert found and float(found.group(1)) <= 1.5, done.stdout


def test_options_in_the_units_are_the_daemons(installed):
    help_text = subprocess.run([os.path.join(BUILD, "numd"), "--help"], stdout=subprocess.PIPE, text=True,
                               timeout=10).stdout
    for flavour in ("system", "user"):
        text = (installed / flavour / "numd.service").read_text()
        for option in re.findall(r"^ExecStart=.*$", text, re.M)[0].split()[1:]:
            assert option.split("=")[0] in help_text, option




def test_spares_that_were_asked_for_a_sign_of_life_serve(tmp_path, manager):
    d = Daemon(tmp_path, env=manager.environment(WATCHDOG_USEC="300000"))
    assert eventually(lambda: len(d.children()) == 2)
    spares = set(d.children())
    assert signs(manager, 1) >= 2, d.log()
    assert set(d.children()) == spares, d.log()
    with d.connect() as c:
        assert c.info["pid"] in spares
    assert d.stop() == 0
