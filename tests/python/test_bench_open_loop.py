# SPDX-License-Identifier: BSD-3-Clause
"""Latency against rate: schedules, the backlog of a stall counts for all who waited, rates that cannot be kept."""
import os
import pathlib
import signal
import sys
import threading
import time

import numpy as np
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()

pytestmark = [
    pytest.mark.usefixtures("bench_modules"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="other programs do not run under a sanitizer"),
]

MS = 1_000_000


class Silent:
    def __init__(self):
        self.steps = 0

    def step(self, _label, _weight=1):
        self.steps += 1

    def say(self, text):
        pass


def context():
    from bench.subjects import way
    return way.Context(build=BUILD, python=sys.executable)


# ---- The schedule

def test_a_schedule_is_a_poisson_process_of_its_seed():
    from bench.experiments import open_loop
    due = open_loop.schedule(10_000, 5.0, 3)
    gaps = np.diff(due)
    assert (gaps >= 0).all() and due[0] >= 0 and due[-1] < 5e9
    assert len(due) == pytest.approx(50_000, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)  # as of an exponential distribution
    assert np.array_equal(due, open_loop.schedule(10_000, 5.0, 3))
    assert not np.array_equal(due[:100], open_loop.schedule(10_000, 5.0, 4)[:100])
    assert len(open_loop.schedule(1, 0.001, 1)) == 1


def test_rates_of_the_issue_are_measured():
    from bench.experiments import open_loop
    assert {10, 1_000, 100_000} <= {rate for rate, _ in open_loop.RATES[True]} <= {
        rate for rate, _ in open_loop.RATES[False]}


# ---- Coordinated omission

def run_with_stall(tmp_path, stalled, n=60, gap_ns=MS, stall_s=0.04):
    """Latencies of calls that do nothing but for one, which takes long."""
    from bench.harness import runner_schedule
    from bench.subjects import way
    done = []

    def work():
        done.append(None)
        if len(done) == stalled + 1:
            time.sleep(stall_s)

    due = np.arange(1, n + 1, dtype=np.int64) * gap_ns
    due.tofile(tmp_path / "due.bin")
    call = way.Call("work()", {"work": work}, result=None)
    words = [f"times={tmp_path / 'due.bin'}", f"to={tmp_path / 'late.bin'}", f"limit_ns={10**12}"]
    answer, _ = runner_schedule.run_schedule(call, words)
    assert answer["done"] == n
    return due, np.fromfile(tmp_path / "late.bin", dtype=np.int64)


def test_all_who_wait_behind_a_stalled_call_count_in_python(tmp_path):
    due, latency = run_with_stall(tmp_path, stalled=10)
    over = due[10] + 40 * MS  # the stall is not over before this
    behind = (due >= due[10]) & (due < over)
    assert behind.sum() == 40
    assert (latency[behind] >= over - due[behind]).all()
    # A closed loop would have seen one slow call; here half of those behind it wait for 20 ms and more.
    assert (latency >= 20 * MS).sum() >= 20


def test_all_who_wait_for_a_stopped_partner_count_in_c():
    from bench.harness import experiment_env
    from bench.subjects import cases, way
    semaphore = next(w for w in way.load_ways() if w.name == "c-semaphore")
    with experiment_env.ExperimentEnv(context()) as place:
        place.load(cases.Point("add", 64))
        due = np.arange(1, 2001, dtype=np.int64) * MS
        due.tofile(place.directory / "due.bin")
        pid, = place.prepare(semaphore, None, None, 0)
        for after, number in ((0.5, signal.SIGSTOP), (0.8, signal.SIGCONT)):
            threading.Timer(after, os.kill, (pid, number)).start()
        client = place.client(semaphore)
        answer = client.ask(f"schedule times=due.bin to=late.bin limit_ns={10**11}", [pid])
        client.ask("finish")
        latency = np.fromfile(place.directory / "late.bin", dtype=np.int64)
    assert answer["done"] == len(due) == len(latency)
    assert (latency >= 0).all()
    assert (latency >= 100 * MS).sum() >= 50  # a request a millisecond came all the while


def test_a_client_does_not_call_before_it_is_time(tmp_path):
    due, latency = run_with_stall(tmp_path, stalled=10**9, n=20, gap_ns=3 * MS)
    assert (latency >= 0).all()


# ---- What is made of it

def turn(n=2000, done=None, passed_ns=None, latency=10_000, waited_ns=0):
    due = np.arange(1, n + 1, dtype=np.int64) * MS
    done = n if done is None else done
    answer = dict(done=done, passed_ns=passed_ns or n * MS, cpu_ns=n * MS // 2, waited_ns=waited_ns,
                  cpu_server_ns=n * MS // 4)
    return answer, [latency] * done, due


def test_a_row_puts_rounds_together():
    from bench.experiments import open_loop
    row = open_loop.row([turn(latency=1000), turn(latency=3000, waited_ns=500 * MS)], 1000)
    assert row["sustained"] and (row["calls"], row["scheduled"]) == (4000, 4000)
    assert row["achieved"] == pytest.approx(1000) and row["offered"] == pytest.approx(1000)
    assert (row["p50_ns"], row["p99_ns"], row["p999_ns"], row["max_ns"]) == (2000, 3000, 3000, 3000)
    assert row["cpu_client_percent"] == pytest.approx(100 * (1000 + 500) / 4000)
    assert row["cpu_server_percent"] == pytest.approx(25)


def test_too_few_calls_give_no_high_percentile():
    from bench.experiments import open_loop
    few, more = open_loop.row([turn(n=50)], 1000), open_loop.row([turn(n=500)], 1000)
    assert few["p50_ns"] and few["p99_ns"] is None and few["p999_ns"] is None
    assert more["p99_ns"] and more["p999_ns"] is None


def test_a_rate_that_was_not_kept_has_no_latencies():
    from bench.experiments import open_loop
    late, short = turn(passed_ns=2300 * MS), turn(done=1500, passed_ns=2110 * MS)
    assert open_loop.is_kept(turn(passed_ns=2050 * MS))
    for lost in (late, short):
        assert not open_loop.is_kept(lost)
        row = open_loop.row([turn(), lost], 1000)
        assert not row["sustained"] and row["p50_ns"] is None and row["achieved"] < 1000


# ---- Real calls

def test_every_way_answers_or_says_what_to_install(monkeypatch):
    from bench.experiments import open_loop
    monkeypatch.setattr(open_loop, "RATES", {True: ((500, 0.06),)})
    progress = Silent()
    data = open_loop.measure(context(), True, progress, seed=1)
    assert data["wrong"] == [] and progress.steps <= open_loop.steps(True)
    assert progress.steps == open_loop.steps(True) or data["skipped"]
    measured = [(r["way"], r["client"], r["mode"], r["wait"]) for r in data["rows"]]
    skipped = {(s["way"], s["client"], s["wait"]) for s in data["skipped"]}
    assert [v for v in open_loop.WAYS if (v[0], v[1], v[3]) not in skipped] == measured
    assert all("is not" in s["reason"] or "has no module" in s["reason"] for s in data["skipped"])
    assert all(r["calls"] > 0 and r["achieved"] > 0 for r in data["rows"])


def test_a_rate_that_nobody_can_keep_ends_in_time(monkeypatch):
    from bench.experiments import open_loop
    monkeypatch.setattr(open_loop, "RATES", {True: ((10_000_000, 0.02), (20_000_000, 0.02))})
    monkeypatch.setattr(open_loop, "WAYS", (("pipe", "python", None, None), ("c-unix-stream", "c", None, None)))
    data = open_loop.measure(context(), True, Silent(), seed=1)
    assert [r["rate"] for r in data["rows"]] == [10_000_000] * 2  # more than that was not asked for
    assert all(not r["sustained"] and 0 < r["calls"] < r["scheduled"] for r in data["rows"])


def test_a_partner_that_is_killed_is_reported_and_not_waited_for(monkeypatch):
    from bench.experiments import open_loop
    from bench.harness import experiment_env, processes
    prepare = experiment_env.ExperimentEnv.prepare

    def prepare_and_kill(self, *given):
        pids = prepare(self, *given)
        threading.Timer(0.3, os.kill, (pids[0], signal.SIGKILL)).start()
        return pids

    monkeypatch.setattr(experiment_env.ExperimentEnv, "prepare", prepare_and_kill)
    monkeypatch.setattr(open_loop, "RATES", {True: ((100, 2.0 * processes.ANSWER_TIMEOUT_S), (200, 1.0))})
    monkeypatch.setattr(open_loop, "WAYS", (("c-semaphore", "c", None, None), ("shm-pipe", "python", None, None)))
    started = time.monotonic()
    data = open_loop.measure(context(), True, Silent(), seed=1)
    assert time.monotonic() - started < processes.ANSWER_TIMEOUT_S
    assert data["rows"] == [] and [s["way"] for s in sorted(data["skipped"], key=str)] == ["c-semaphore", "shm-pipe"]


def test_a_wrong_result_is_reported_and_has_no_row(monkeypatch):
    from bench.experiments import open_loop
    from bench.harness import experiment_env
    right = experiment_env.cases.expected
    monkeypatch.setattr(experiment_env.cases, "expected", lambda *given: right(*given) + 1)
    monkeypatch.setattr(open_loop, "RATES", {True: ((500, 0.02), (600, 0.02))})
    monkeypatch.setattr(open_loop, "WAYS", (("numpy", "python", None, None), ("c-unix-stream", "c", None, None)))
    data = open_loop.measure(context(), True, Silent(), seed=1)
    assert data["rows"] == [] and len(data["wrong"]) == 2 and "wrong result" in data["wrong"][0]


# ---- The section of the page

def made_up_row(way, rate, sustained=True, **about):
    numbers = dict(p50_ns=1000.0 * rate, p99_ns=9000.0 * rate, p999_ns=None) if sustained else dict.fromkeys(
        ("p50_ns", "p99_ns", "p999_ns"))
    return dict(dict(way=way, client="c", mode=None, wait=None, rate=rate, offered=rate, achieved=rate / 2, calls=100,
                     sustained=sustained, scheduled=100, max_ns=1, cpu_client_percent=1.5, cpu_server_percent=2.5,
                     **numbers), **about)


def test_section_shows_what_was_kept_and_what_was_not():
    from bench.experiments import open_loop
    rows = [made_up_row("c-semaphore", rate, rate < 1000) for rate in (10, 100, 1000)]
    rows += [made_up_row("numd-ring", rate, wait="auto") for rate in (10, 1000)] + [made_up_row("<odd>", 10)]
    data = dict(case="add", n=64, seed=5, rates=[10, 100, 1000], rows=rows, wrong=[],
                skipped=[dict(way="x", client="c", wait=None, reason="a <reason>")])
    text = open_loop.html_section({"open_loop": data})
    assert "<h2" not in text and "<section" not in text
    assert text.count("<svg") == 4  # two panels, of the median and of p99
    assert "not sustained: 500" in text and "1.50 + 2.50" in text
    assert "rate-end" in text.split("</style>")[1]  # a curve that leaves at the top
    assert "&lt;odd&gt;" in text and "a &lt;reason&gt;" in text and "seed 5" in text


def test_section_is_empty_without_data():
    from bench.experiments import open_loop
    for results in ({}, None, {"open_loop": None}, {"open_loop": dict(rows=[])}):
        assert open_loop.html_section(results) == ""
