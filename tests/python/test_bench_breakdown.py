# SPDX-License-Identifier: BSD-3-Clause
"""Where the time goes: stamps become parts that add up, whatever comes late; partners that die, wrong results."""
import html.parser
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

pytestmark = [
    pytest.mark.usefixtures("bench_modules"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="other programs do not run under a sanitizer"),
]


class Silent:
    def __init__(self):
        self.said, self.steps = [], 0

    def step(self, _label, _weight=1):
        self.steps += 1

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def short(monkeypatch):
    """breakdown.py with one short turn of each way."""
    from bench.experiments import breakdown
    monkeypatch.setattr(breakdown, "LIMIT_NS", {False: 20_000_000, True: 20_000_000})
    monkeypatch.setattr(breakdown, "PLAIN_NS", {False: 2_000_000, True: 2_000_000})
    monkeypatch.setattr(breakdown, "CALLS", 200)
    return breakdown


def context():
    from bench.subjects import way
    return way.Context(build=BUILD, python=sys.executable)


# ---- From stamps to parts

def client_log(start, but=()):
    """A call's stamps on the client's side, with times at ten units from point to point."""
    from bench.experiments import breakdown as b
    return [(p, start + 10 * p) for p in (b.BEGIN, b.ENCODED, b.SENT, b.WOKEN, b.END) if p not in but]


def server_log(start, but=()):
    from bench.experiments import breakdown as b
    points = (b.TAKEN, b.DECODED, b.CHECKED, b.COMPUTED, b.SIGNALLED)
    return [(p, start + 10 * p) for p in points if p not in but]


def test_a_call_is_put_together_from_both_logs():
    from bench.experiments import breakdown
    rows, lost = breakdown.join(client_log(1000) + client_log(2000), server_log(1000) + server_log(2000))
    assert lost == 0
    assert rows.tolist() == [[start + 10 * p for p in range(10)] for start in (1000, 2000)]


def test_what_happens_outside_calls_is_left_out():
    from bench.experiments import breakdown as b
    opening = [(b.ENCODED, 1), (b.SENT, 2), (b.WOKEN, 3)]
    ping = [(b.TAKEN, 900), (b.DECODED, 901), (b.SIGNALLED, 902)]
    closing = [(b.ENCODED, 5000), (b.WOKEN, 5001), (b.COST, 5002), (b.COST, 5009)]
    rows, lost = b.join(opening + client_log(1000) + closing, ping + server_log(1000) + [(b.TAKEN, 5000)])
    assert lost == 0 and len(rows) == 1
    assert rows[0].tolist() == [1000 + 10 * p for p in range(10)]
    assert b.stamp_cost(closing) == 7


def test_a_sender_that_the_other_side_overtakes_ends_where_the_other_side_runs():
    from bench.experiments import breakdown as b
    client = client_log(1000, but=(b.SENT,)) + client_log(2000)
    client.insert(2, (b.SENT, 1000 + 10 * b.TAKEN + 25))  # the system call returned after the other side had begun
    server = server_log(1000, but=(b.SIGNALLED,)) + [(b.SIGNALLED, 1500)] + server_log(2000)
    rows, lost = b.join(client, server)
    assert lost == 0 and (np.diff(rows, axis=1) >= 0).all()
    assert rows[0][b.SENT] == rows[0][b.TAKEN]
    assert rows[0][b.SIGNALLED] == rows[0][b.WOKEN]


def test_the_last_of_several_stamps_of_a_point_counts():
    from bench.experiments import breakdown as b
    client = client_log(1000)
    client.insert(1, (b.ENCODED, 1003))
    client.insert(3, (b.SENT, 1011))
    rows, _ = b.join(client, server_log(1000))
    assert rows[0].tolist() == [1000 + 10 * p for p in range(10)]


@pytest.mark.parametrize("gone", ["TAKEN", "DECODED", "CHECKED", "COMPUTED", "WOKEN", "ENCODED"])
def test_a_call_without_a_stamp_is_lost_and_no_other(gone):
    from bench.experiments import breakdown as b
    but = (getattr(b, gone),)
    rows, lost = b.join(client_log(1000, but) + client_log(2000), server_log(1000, but) + server_log(2000))
    assert lost == 1 and rows[:, b.BEGIN].tolist() == [2000]


def test_a_stamp_before_the_one_before_it_is_not_believed():
    from bench.experiments import breakdown as b
    server = [(p, moment - 100 if p == b.CHECKED else moment) for p, moment in server_log(1000)]
    rows, lost = b.join(client_log(1000), server)
    assert lost == 1 and len(rows) == 0


def test_parts_add_up_to_the_whole_of_typical_calls():
    from bench.experiments import breakdown as b
    seed = int.from_bytes(os.urandom(4), "little")
    print("seed", seed)
    numbers = np.random.default_rng(seed)
    # Calls go one way or another: `send` is long when `wake` is short.
    gaps = numbers.exponential(100, (5000, 9))
    gaps[:, 1], gaps[:, 2] = np.where(numbers.random(5000) < 0.5, [[4000], [100]], [[100], [4000]])
    times = np.concatenate([np.zeros((5000, 1)), np.cumsum(gaps, axis=1)], axis=1)
    row = b.summary(times, 3, 7.0, 1234.0)
    assert row["sum_ns"] == pytest.approx(row["whole_ns"], rel=0.01)
    assert sum(row["parts_ns"].values()) == pytest.approx(row["sum_ns"], abs=1)
    assert list(row["parts_ns"]) == list(b.PARTS)
    assert row["medians_ns"]["encode"] == pytest.approx(float(np.median(gaps[:, 0])), abs=0.1)
    assert (row["calls"], row["lost"], row["stamp_ns"], row["plain_ns"]) == (5000, 3, 7.0, 1234.0)


def test_a_single_call_is_typical():
    from bench.experiments import breakdown as b
    for n in (1, 2, 3):
        row = b.summary(np.cumsum(np.ones((n, 10)), axis=1), 0, 1.0, 1.0)
        assert row["parts_ns"]["encode"] == 1 and row["sum_ns"] == row["whole_ns"] == 9


def test_points_are_those_of_the_header():
    from bench.experiments import breakdown as b
    stamps = b.load_stamps(context())
    names = ("BEGIN", "ENCODED", "SENT", "TAKEN", "DECODED", "CHECKED", "COMPUTED", "SIGNALLED", "WOKEN", "END", "COST",
             "POINT_BITS")
    assert {n: getattr(b, n) for n in names} == {n: getattr(stamps, n) for n in names}


STAMPS = "import time, _bench_stamps as s; s.stamp(s.BEGIN); s.stamp(s.TAKEN); time.sleep(0.2); s.stamp(s.END)"


@pytest.mark.parametrize("clock", ["MONOTONIC", "TSC"])
def test_stamps_of_another_process_are_in_its_clock(clock):
    from bench.experiments import breakdown as b
    if clock == "TSC" and not b.trusts_tsc():
        pytest.skip("no trusted counter here")
    stamps = b.load_stamps(context())
    log = b.Log(stamps, getattr(stamps, clock))
    try:
        if clock == "MONOTONIC":
            assert log.ns_per_unit() == pytest.approx(1, abs=0.05)
        subprocess.run([sys.executable, "-c", STAMPS], check=True, timeout=60,
                       env=dict(os.environ, PYTHONPATH=str(BUILD / "bench"), BENCH_TRACE=log.path))
        client, server = log.take()
        unit, now = log.ns_per_unit(), stamps.now(log.clock)
        assert [p for p, _ in client] == [b.BEGIN, b.END] and [p for p, _ in server] == [b.TAKEN]
        (_, begin), (_, end) = client
        assert begin <= server[0][1] <= end <= now
        assert (end - begin) * unit >= 0.2e9 * 0.99
        log.clear()
        assert log.take() == [[], []]
    finally:
        log.close()
    assert not os.path.exists(log.path)


def test_without_stamps_it_says_what_to_build(tmp_path):
    from bench.experiments import breakdown
    from bench.subjects import way
    data = breakdown.measure(way.Context(build=tmp_path, python=sys.executable), True, Silent())
    assert data["rows"] == [] and "make bench-clients" in data["skipped"][0]["reason"]


# ---- Real calls

def test_numd_and_others_are_taken_apart(short):
    progress = Silent()
    data = short.measure(context(), True, progress, seed=4)
    assert data["wrong"] == [] and progress.steps <= short.steps(True)
    assert progress.steps == short.steps(True) or data["skipped"]
    measured = {(r["way"], r["client"], r["wait"]) for r in data["rows"]}
    skipped = {(s["way"], s["client"], s["wait"]) for s in data["skipped"]}
    assert all("is not" in s["reason"] or "has no module" in s["reason"] for s in data["skipped"])
    assert measured | skipped == {(way, client, wait) for way, client, _, wait in short.NUMD + short.OTHERS}
    assert {way for way, _, _ in measured} >= {"numd-ring", "numd-socket", "c-semaphore", "c-unix-stream", "pipe"}
    for row in data["rows"]:
        assert min(row["parts_ns"].values()) >= 0 and row["parts_ns"]["kernel"] > 0
        assert row["calls"] > 0 and row["stamp_ns"] > 0 and row["plain_ns"] > 0
        if row["calls"] >= 100:
            assert row["lost"] <= row["calls"] / 20
    assert not [n for n in os.listdir("/dev/shm") if n.startswith(f"numd-bench-{os.getpid()}-stamps")]


def test_stamps_are_in_the_traced_build_alone():
    for name in ("libnumd.so", "numd-worker"):
        assert b"BENCH_TRACE" not in (BUILD / name).read_bytes()
        assert b"BENCH_TRACE" in (BUILD / "traced" / name).read_bytes()


def test_a_wrong_result_is_reported_and_has_no_row(short, monkeypatch):
    from bench.harness import experiment_env
    right = experiment_env.cases.expected
    monkeypatch.setattr(experiment_env.cases, "expected", lambda *given: right(*given) + 1)
    monkeypatch.setattr(short, "NUMD", ())
    monkeypatch.setattr(short, "OTHERS", (("c-semaphore", "c", None, None),))
    data = short.measure(context(), True, Silent())
    assert data["rows"] == [] and "c-semaphore (c) add 64: wrong result" in data["wrong"][0]


def test_a_partner_that_is_killed_is_reported_and_not_waited_for(short, monkeypatch):
    from bench.harness import processes, experiment_env
    prepare = experiment_env.ExperimentEnv.prepare

    def prepare_and_kill(self, *given):
        pids = prepare(self, *given)
        if "BENCH_TRACE" in self.extra:
            threading.Timer(0.3, os.kill, (pids[0], signal.SIGKILL)).start()
        return pids

    monkeypatch.setattr(experiment_env.ExperimentEnv, "prepare", prepare_and_kill)
    monkeypatch.setattr(short, "CALLS", 10**9)
    monkeypatch.setattr(short, "LIMIT_NS", {True: 10 * processes.ANSWER_TIMEOUT_S * 10**9})
    monkeypatch.setattr(short, "NUMD", ())
    monkeypatch.setattr(short, "OTHERS", (("c-semaphore", "c", None, None), ("shm-pipe", "python", None, None)))
    started = time.monotonic()
    data = short.measure(context(), True, Silent())
    assert time.monotonic() - started < processes.ANSWER_TIMEOUT_S
    assert data["rows"] == [] and {s["way"] for s in data["skipped"]} == {"c-semaphore", "shm-pipe"}
    assert all(s["reason"] for s in data["skipped"])


# ---- The section of the page

class Tags(html.parser.HTMLParser):
    """Checks that tags close in order."""
    VOID = {"br", "meta"}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes).get("class", "")))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes).get("class", "")))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def made_up_row(**about):
    from bench.experiments import breakdown as b
    times = np.cumsum(np.ones((50, 10)) * 100, axis=1)
    return dict(dict(way="numd-ring", client="c", mode="prepared", wait="spin", case="add", n=64),
                **b.summary(times, 0, 20.0, 700.0), **about)


def test_section_has_a_bar_a_way_and_a_segment_a_part():
    from bench.experiments import breakdown as b
    rows = [made_up_row(), dict(made_up_row(), way="<odd & new>", wait=None), dict(made_up_row(), n=100_000)]
    text = b.html_section({"breakdowns": dict(clock="tsc", rows=rows, wrong=[],
                                              skipped=[dict(way="x", client="c", wait=None, reason="a <reason>")])})
    tags = Tags(text)
    segments = [c for tag, c in tags.seen if tag == "rect"]
    assert len(segments) == 2 * len(rows) * len(b.PARTS)  # for wide and for narrow screens
    assert "&lt;odd &amp; new&gt;" in text and "a &lt;reason&gt;" in text and "900 ns" in text


def test_section_is_empty_without_data():
    from bench.experiments import breakdown as b
    for results in ({}, None, {"breakdowns": None}, {"breakdowns": dict(clock=None, rows=[], skipped=[], wrong=[])}):
        assert b.html_section(results) == ""
