# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's ways, one by one: right results through the harness, reasons for what is skipped, partners and
servers that die."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
SCRIPTS = TOP / "scripts"
POINTS = (("add", 64), ("sum", 1000))

pytestmark = [
    pytest.mark.usefixtures("bench_modules"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="other programs do not run under a sanitizer"),
]


@pytest.fixture
def short(monkeypatch):
    """run.py with one short turn a way and point."""
    from bench.suite import run, way_rounds
    for name in ("ROUNDS", "FIGURE_ROUNDS"):
        monkeypatch.setattr(way_rounds, name, {False: 1, True: 1})
    for name in ("TURN_BUDGET_NS", "FIGURE_BUDGET_NS"):
        monkeypatch.setattr(way_rounds, name, {False: 2_000_000, True: 2_000_000})
    monkeypatch.setattr(way_rounds, "PATIENCE_S", {False: 0, True: 0})
    return run


def test_every_way_gives_right_results_or_says_what_to_install(short, tmp_path, bench_leaves_nothing):
    from bench.subjects import way
    others = [w for w in way.load_ways() if not w.core]
    assert len(others) > 30
    output = tmp_path / "report"
    status = short.main(["--build", str(BUILD), "--output", str(output), "--seed", "1", "--ways",
                         ",".join(w.name for w in others), "--cases", ",".join(f"{c}:{n}" for c, n in POINTS)])
    assert status == 0
    measured = {(r["way"], r["case"], r["n"]) for r in json.loads((output / "results.json").read_text())["rows"]}
    skipped = {s["way"]: s for s in json.loads((output / "machine.json").read_text())["skipped"]}
    for each in others:
        if each.name in skipped:
            # Only as a whole, for parts that are not there.
            assert skipped[each.name]["case"] is None, skipped[each.name]
            assert "scripts/setup" in skipped[each.name]["reason"] or "built" in skipped[each.name]["reason"]
        else:
            assert {(each.name, *point) for point in POINTS} <= measured
    assert not list(pathlib.Path("/tmp").glob(f"numd-bench-{os.getpid()}-*"))


WRONG_PARTNER = '''
import os
from bench.harness import partner
from bench.harness.partner import Partner, empty_arrays, raw, read_all, stream_call, write_all
from bench.subjects.way import Way
WAYS = [Way(name="wrong", client="python")]
def wrong(case, inputs, out):
    out.fill(1.0)
def open_call(job):
    partner.compute_into = wrong
    (its_read, my_write), (my_read, its_write) = os.pipe(), os.pipe()
    return stream_call(job, (my_read, my_write), (its_read, its_write))
'''


def test_a_wrong_result_of_a_partner_fails_the_run(short, tmp_path, monkeypatch, capsys):
    from bench.subjects import way
    (tmp_path / "wrong.py").write_text(WRONG_PARTNER)
    monkeypatch.setattr(short, "load_ways", lambda: way.load_ways(tmp_path))
    arguments = ["--build", str(tmp_path), "--output", str(tmp_path / "report"), "--cases", "add:64", "--all"]
    assert short.main(arguments) == 1
    assert "wrong (python) add 64: wrong result" in capsys.readouterr().err


@pytest.fixture
def no_leftovers(bench_modules):
    yield
    from bench.harness import processes
    processes.remove_leftovers()  # as a run does at its end: iceoryx2 leaves some when it is killed


def client_of(name, directory):
    from bench.harness import processes
    from bench.subjects import way
    context = way.Context(build=BUILD, python=sys.executable)
    each = next(w for w in way.load_ways() if w.name == name)
    if each.missing(context):
        pytest.skip(each.missing(context))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(SCRIPTS), str(context.peers)]))
    return processes.Client(each.command(context), directory, environment, subprocess.DEVNULL)


def prepare(client, directory):
    """Prepares a long measurement of add 64: the partners' pids."""
    for name in "ab":
        np.ones(64).tofile(directory / f"{name}.bin")
    partner = client.ask("prepare case=add in=a.bin:64,b.bin:64 out=64 budget_ns=60000000000")["partner"]
    return partner if isinstance(partner, list) else [partner]


@pytest.mark.parametrize("name", ["pipe", "shm-pipe", "os-pipe", "unix-seqpacket", "eventfd", "signals", "posix-mq",
                                  "mmap-file", "mp-array", "mp-pool", "mp-queue", "mp-manager", "sqlite", "zeromq-ipc",
                                  "grpc", "iceoryx2"])
def test_a_partner_killed_in_the_middle_of_a_call_is_reported(name, tmp_path, no_leftovers):
    from bench.harness import processes
    client = client_of(name, tmp_path)
    try:
        pids = prepare(client, tmp_path)
        threading.Timer(0.2, os.kill, (pids[0], signal.SIGKILL)).start()
        started = time.monotonic()
        with pytest.raises(processes.Failed) as failure:
            client.ask("measure", pids)
        assert time.monotonic() - started < 10
        assert str(failure.value)
    finally:
        client.stop(0.2)


def test_a_client_that_cannot_notice_is_not_waited_for(tmp_path):
    from bench.harness import processes
    client = client_of("eventfd", tmp_path)
    try:
        pids = prepare(client, tmp_path)
        threading.Timer(0.2, os.kill, (pids[0], signal.SIGKILL)).start()
        with pytest.raises(processes.Failed, match=f"the other side .pid {pids[0]}. ended in the middle of a call"):
            client.ask("measure", pids)
    finally:
        client.stop(0.2)


def gone(pid, patience_s=15):
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["os-pipe", "eventfd", "mp-pool", "mp-manager", "grpc"])
def test_a_partner_dies_with_its_client(name, tmp_path):
    client = client_of(name, tmp_path)
    try:
        pids = prepare(client, tmp_path)
        client.process.kill()
        client.process.wait()
        assert all(map(gone, pids))
    finally:
        client.stop(0.2)


ORPHAN = """
import os, time
from bench.harness import processes
read, write = os.pipe()
client = os.fork()
if not client:
    client = os.getpid()
    if not os.fork():
        while os.getppid() == client:
            time.sleep(0.01)
        processes.die_with_parent()
        os.write(write, b"lives")
    os._exit(0)
os.close(write)
os.waitpid(client, 0)
print(os.read(read, 5))  # end of file: nobody has the other end any more
"""


def test_a_partner_whose_client_died_before_it_could_ask_for_that_ends():
    done = subprocess.run([sys.executable, "-c", ORPHAN], env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
                          stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == "b''\n"


HOST = """
import subprocess, sys, time
from bench.harness import servers
server = servers.SERVERS[sys.argv[1]](subprocess.DEVNULL)
server.start()
print(server.directory, *[p.pid for p in [server.process] + server.helpers], flush=True)
if sys.argv[2] == "stop":
    server.stop()
else:
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("name", ["redis", "postgresql", "rabbitmq"])
def test_a_server_ends_with_its_run(name, end):
    from bench.harness import servers
    if servers.SERVERS[name].missing():
        pytest.skip(servers.SERVERS[name].missing())
    host = subprocess.Popen([sys.executable, "-c", HOST, name, end], stdout=subprocess.PIPE, text=True,
                            env=dict(os.environ, PYTHONPATH=str(SCRIPTS)))
    directory, *pids = host.stdout.readline().split()
    if end == "kill":
        host.kill()
    assert (host.wait() == 0) == (end == "stop")
    assert pids and all(map(gone, map(int, pids)))
    assert end == "kill" or not os.path.exists(directory)
    subprocess.run(["rm", "-rf", directory], check=True)


def test_ways_are_chosen_by_name_core_or_all():
    from bench.subjects import way
    from bench.suite import run
    ways = way.load_ways()
    core = run.chosen_ways(ways, "", False)
    assert {w.name for w in core} >= {"numpy", "pipe", "numd-ring"} and "redis" not in {w.name for w in core}
    assert run.chosen_ways(ways, "", True) == ways
    assert [w.name for w in run.chosen_ways(ways, "redis,numpy", False)] == ["numpy", "redis"]


def test_where_a_way_is_measured():
    from bench.subjects import cases, way
    slow = way.Way(name="slow", largest=1000, largest_side=8)
    taken = [p.label for p in cases.points() if slow.takes(p)]
    assert taken == [f"{c} {n}" for c in ("add", "sum", "expr") for n in (1, 64, 1000)] + ["matmul 8"]
    assert all(way.Way(name="core", core=True).takes(p) for p in cases.points())


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    from bench.harness import servers
    from bench.subjects import way
    context = way.Context(build=tmp_path, python=sys.executable)
    assert "installs python3-nothing" in way.Way(name="x", modules=(("no_such", "python3-nothing"),)).missing(context)
    assert "installs no-such-python" in way.Way(name="x", interpreter="no-such-python").missing(context)
    monkeypatch.setattr(servers.Redis, "program", classmethod(lambda cls: None))
    assert "installs" in servers.Redis.missing()
