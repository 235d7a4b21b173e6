# SPDX-License-Identifier: BSD-3-Clause
"""The claims of the benchmark: verdicts follow from figures, every experiment runs here, what is wrong fails, and the
section of the page shows all."""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
BENCH = TOP / "scripts" / "bench"
KEYS = sorted(p.stem for p in (BENCH / "claims" / "statements").glob("*.py") if p.stem != "__init__")
VERDICTS = ("holds", "does not hold", "depends", "not shown on this machine")

pytestmark = [
    pytest.mark.usefixtures("bench_modules"),
    pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="other programs do not run under a sanitizer"),
]


def context():
    from bench.subjects import way
    return way.Context(build=BUILD, python=sys.executable)


def run_python(code, *arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")}
    environment.update(PYTHONDONTWRITEBYTECODE="1",
                       PYTHONPATH=os.pathsep.join([str(BUILD / "python"), str(BENCH.parent)]))
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=150,
                          env=environment, cwd=cwd)


# ---- Verdicts from figures

def noisy(median, spread=0.01, rounds=21):
    """A side's times, of which the median is the one given; the noise is that of seed 5."""
    noise = np.random.default_rng(5).normal(0, spread, rounds)
    return list(median * np.exp(noise - np.median(noise)))


@pytest.mark.parametrize("over, under, above, below", [
    (noisy(200), noisy(100, 0.02)[::-1], "holds", "does not hold"),
    (noisy(100, 0.02)[::-1], noisy(200), "does not hold", "holds"),
    (noisy(100), noisy(100)[::-1], "does not hold", "does not hold"),  # the same for sure is not more, nor less
    (noisy(120, 1.0), noisy(100, 1.0)[::-1], "not shown on this machine", "not shown on this machine"),
])
def test_a_ratio_is_judged_by_its_whole_interval(over, under, above, below):
    from bench.claims import verdict
    for side, wanted in (("above", above), ("below", below)):
        part = verdict.scan("x", "a", "b", {None: ([over], [under])}, 1.0, side, seed=1)
        assert part["verdict"] == wanted
        point, = part["points"]
        assert point["low"] <= point["ratio"] <= point["high"] and point["rounds"] == 21


def test_the_limit_moves_the_verdict():
    from bench.claims import verdict
    for limit, wanted in ((1.5, "holds"), (2.0, "does not hold"), (3.0, "does not hold")):
        part = verdict.scan("x", "a", "b", {None: ([noisy(200)], [noisy(100)])}, limit, "above", seed=1)
        assert part["verdict"] == wanted


def test_rounds_are_drawn_with_both_sides():
    """What disturbs a round disturbs both: a ratio that is the same in all rounds has no spread."""
    from bench.claims import verdict
    disturbed = np.geomspace(1, 1000, 11)
    assert verdict.interval([3 * disturbed], [disturbed], seed=2) == pytest.approx((3, 3, 3))
    _, low, high = verdict.interval([3 * disturbed], [disturbed[::-1]], seed=2)
    assert low < 1 and high > 9


def test_starts_are_drawn_before_rounds():
    """However often one measures within two starts, there are two: a start that differs leaves the ratio open."""
    from bench.claims import verdict
    steady, over = [[100.0] * 500, [100.0] * 400], [[110.0] * 500, [300.0] * 400]
    ratio, low, high = verdict.interval(over, steady, seed=2)
    assert (ratio, low, high) == pytest.approx((1.1, 1.1, 3.0))
    part = verdict.scan("x", "a", "b", {None: (over, steady)}, 2.0, "above", seed=1)
    assert part["verdict"] == verdict.UNSHOWN and part["points"][0]["rounds"] == 900


def test_where_a_ratio_turns():
    from bench.claims import verdict
    samples = {n: ([[time] * 9], [[100.0] * 9]) for n, time in ((10, 50.0), (1000, 200.0), (10**4, 400.0))}
    part = verdict.scan("x", "a", "b", samples, 1.0, "above", seed=1)
    assert [p["verdict"] for p in part["points"]] == ["does not hold", "holds", "holds"]
    assert part["verdict"] == "depends" and part["turns"] == pytest.approx([100])
    assert verdict.nothing_shown(part)["verdict"] == "not shown on this machine"


@pytest.mark.parametrize("verdicts, wanted", [
    ("hh", "h"), ("ff", "f"), ("uu", "u"), ("dd", "d"), ("hf", "d"), ("hu", "u"), ("fu", "u"), ("hd", "d"), ("du", "d"),
    ("hfu", "d")])
def test_parts_that_all_must_hold(verdicts, wanted):
    from bench.claims import verdict
    words = dict(zip("hfdu", (verdict.HOLDS, verdict.FAILS, verdict.DEPENDS, verdict.UNSHOWN)))
    assert verdict.together(words[v] for v in verdicts) == words[wanted]


@pytest.mark.parametrize("verdicts, wanted", [("ff", "f"), ("fh", "h"), ("fu", "u"), ("uuh", "h")])
def test_figures_of_which_one_must_hold(verdicts, wanted):
    from bench.claims import verdict
    words = dict(zip("hfu", (verdict.HOLDS, verdict.FAILS, verdict.UNSHOWN)))
    assert verdict.at_least_one(words[v] for v in verdicts) == words[wanted]
    points = [dict(verdict=words[v]) for v in verdicts]
    part = dict(kind="scan", points=points, verdict=verdict.together(p["verdict"] for p in points), decides=True)
    assert verdict.decide([part], "any") == words[wanted]


def test_only_parts_that_decide_do():
    from bench.claims import verdict
    yes, no = verdict.fact("a", "seen", True), verdict.fact("b", "not seen", False, decides=False)
    assert verdict.decide([yes, no], "all") == verdict.HOLDS
    assert verdict.decide([yes, dict(no, decides=True)], "all") == verdict.DEPENDS
    assert verdict.decide([verdict.left_out("c", "not installed")], "all") == verdict.SKIPPED
    assert verdict.fact("race", "0 lost", None)["verdict"] == verdict.UNSHOWN


# ---- The experiments

@pytest.mark.parametrize("key", KEYS)
def test_every_experiment_runs_and_has_a_verdict(key, bench_leaves_nothing):
    from bench.claims import claim_runs
    from bench.claims.claim import load_claims
    claim = next(c for c in load_claims() if c.key == key)
    if claim.missing(context()):
        pytest.skip(claim.missing(context()))
    finding = claim_runs.settle(claim, context(), True, seed=3)
    assert finding["verdict"] in VERDICTS, finding["reason"]
    assert json.loads(json.dumps(finding)) == finding
    assert any(p["decides"] for p in finding["parts"])
    for part in finding["parts"]:
        if part["kind"] == "fact":  # no timing: what is observed is so on any machine, or chance did not show it
            assert part["verdict"] in ("holds", "not shown on this machine"), part
        elif part["kind"] == "left out":
            assert "scripts/setup" in part["seen"]
        for point in part.get("points", ()):
            assert 0 < point["low"] <= point["ratio"] <= point["high"] and point["rounds"] >= 7
            assert point["ratio"] == pytest.approx(point["over_ns"] / point["under_ns"])


def test_the_statements_of_the_issue_are_there():
    from bench.claims.claim import GROUPS, load_claims
    found = load_claims()
    assert [c.key for c in found] == [c.key for c in sorted(found, key=lambda c: (GROUPS.index(c.group), c.key))]
    text = " ".join(c.statement for c in found)
    for word in ("needs no IPC", ".so", "pointer", "Pipes and sockets", "synchronisation", "Queues", "GIL stops",
                 "multiprocessing", "C extensions", "ctypes", "Memory views", "BLAS", "Reference counting", "persist",
                 "cheaper than NumPy"):
        assert text.count(word) == 1, word
    assert sorted(c.key for c in found) == KEYS
    assert all(c.experiment and c.rule.count(" ") > 2 for c in found)


ONE = """
import sys
{before}
from bench.claims import claim_process
claim_process.main(sys.argv[1:])
"""


def answer_of(key, tmp_path, before):
    done = run_python(ONE.format(before=before), key, str(BUILD), "1", "quick", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("key, name, before", [
    ("queues_cost_more", "mp-queue",
     "import numpy\nfrom bench.harness import numpy_side\nnumpy_side.COMPUTE['add'] = numpy.subtract"),
    ("blas_oversubscribes", "matmul 64", "import numpy\nnumpy.trace = lambda a: 1.0"),
    ("multiprocessing_avoids_gil", "a pool's sums",
     "import os\nfrom bench.claims import scaling\nowner = os.getpid()\n"
     "scaling.squares = lambda n, right=scaling.squares: right(n) + (os.getpid() != owner)\n"
     "scaling.squares.__module__, scaling.squares.__qualname__ = 'bench.claims.scaling', 'squares'"),
])
def test_a_wrong_result_is_no_figure(key, name, before, tmp_path):
    answer = answer_of(key, tmp_path, before)
    assert set(answer) == {"wrong"} and name in answer["wrong"]


def test_a_race_that_is_cured_by_nothing_does_not_hold(tmp_path):
    """A lock that does not lock: the experiment sees it, and says so."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    before = ("import multiprocessing\nfrom bench.claims.statements import shared_memory_races as s\n"
              "multiprocessing.Lock = s.NoLock")
    parts = answer_of("shared_memory_races", tmp_path, before)["parts"]
    assert "does not hold" in [p["verdict"] for p in parts if "with a" in p["what"]]


def test_a_store_that_forgets_does_not_persist(tmp_path):
    from bench.claims import claim
    if claim.why_not("redis", context()):
        pytest.skip("there is no Redis here")
    before = ("from bench.harness import servers\nfrom bench.claims.statements import servers_slow_but_persist as s\n"
              "s.NAMES = {'redis': 'Redis'}\ns.DurableRedis.spawn = servers.Redis.spawn")
    parts = answer_of("servers_slow_but_persist", tmp_path, before)["parts"]
    assert [p["verdict"] for p in parts if p["kind"] == "fact"] == ["does not hold"]


KILLED = """
import os, pathlib, signal, sys, threading
from bench.claims.lab import Lab
from bench.harness.processes import Failed
from bench.subjects.way import Context
with Lab(Context(pathlib.Path(sys.argv[1]), sys.executable), False, 1) as lab:
    side = lab.open("eventfd", "add", 64)
    pid, = lab.partners
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    try:
        while True:
            side(1000)
    except Failed as error:
        print(error)
"""


def test_another_side_that_is_killed_is_reported(tmp_path):
    done = run_python(KILLED, str(BUILD), cwd=tmp_path)
    assert done.returncode == 0 and re.search(r"other side of eventfd .pid \d+. ended", done.stdout), done.stderr


def test_an_experiment_that_hangs_is_ended(monkeypatch):
    from bench.claims import claim_runs
    monkeypatch.setattr(claim_runs, "LIMIT_S", 0.1)
    finding = claim_runs.settle(next(iter(claim_runs.load_claims())), context(), True, seed=1)
    assert finding["verdict"] == "failed" and "did not end" in finding["reason"] and finding["parts"] == []


def test_what_is_missing_is_said(monkeypatch):
    from bench.claims import claim, claim_runs
    from bench.claims.claim import load_claims
    from bench.subjects import way
    nowhere = way.Context(build=pathlib.Path("/nonexistent"), python=sys.executable)
    reasons = {c.key: c.missing(nowhere) for c in load_claims()}
    assert "not built" in reasons["numd_beats_numpy"] and "not built" in reasons["ctypes_costs_more"]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    finding = claim_runs.settle(next(c for c in load_claims() if c.key == "gil_threads"), context(), True, 1)
    assert finding["verdict"] == "skipped" and "2 cores" in finding["reason"]
    monkeypatch.setattr(claim.servers.Redis, "program", classmethod(lambda cls: None))
    assert "scripts/setup" in claim.why_not("redis", context())


# ---- The command and the page

def test_the_command_writes_verdicts(tmp_path):
    command, key = [sys.executable, str(BENCH / "claims")], "calls_make_no_process"
    arguments = ["--build", str(BUILD), "--quick", "--seed", "4", "--output", str(tmp_path), "--only", key]
    done = subprocess.run(command + arguments, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    finding, = json.loads((tmp_path / "claims.json").read_text())
    assert finding["key"] == key and finding["seed"] == 4
    assert "Calls into a .so make no process." in done.stdout and finding["verdict"].upper() in done.stdout
    assert finding["statement"] in (tmp_path / "claims.html").read_text()
    unknown = subprocess.run(command + ["--only", "no-such"], capture_output=True, text=True)
    assert unknown.returncode == 2 and "no such claim: no-such" in unknown.stderr


def test_a_wrong_result_fails_the_run_and_is_named(tmp_path, monkeypatch, capsys):
    from bench.claims import claim_runs, settle_claims
    monkeypatch.setattr(claim_runs, "ask", lambda *_: dict(wrong="pipe: off by one"))
    assert settle_claims.main(["--build", str(BUILD), "--output", str(tmp_path), "--only", "queues_cost_more"]) == 1
    assert "WRONG RESULT: claim queues_cost_more: pipe: off by one" in capsys.readouterr().err
    assert json.loads((tmp_path / "claims.json").read_text())[0]["verdict"] == "wrong"


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order and ids are unique; gathers text, ids, and links."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.ids, self.links = [], "", [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        for name, value in attributes:
            {"id": self.ids, "href": self.links}.get(name, []).append(value)
            assert name != "src"

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def made_up(claims_found):
    """A finding for each claim, of every kind in turn."""
    from bench.claims import verdict
    for i, claim in enumerate(claims_found):
        samples = {n: ([noisy(n * ratio)], [noisy(n)]) for n, ratio in ((1, 0.5), (100, 1.0 + i), (10**4, 3.0))}
        parts = [verdict.fact("an <address>", "0x1 & 0x2", i % 2 == 0), verdict.left_out("RabbitMQ", "not installed"),
                 verdict.scan("a > b", "a", "b", samples, 1.0, "above", seed=i, decides=i % 3 > 0)]
        about = dict(key=claim.key, group=claim.group, statement=claim.statement, experiment=claim.experiment,
                     rule=claim.rule, seed=1, seconds=1.5)
        if i % 5 == 4:
            yield dict(about, parts=[], verdict=("skipped", "failed", "wrong")[i % 3], reason="not installed: <x>")
        else:
            yield dict(about, parts=parts, verdict=verdict.decide(parts, claim.combine), reason=None)


def test_the_section_shows_every_claim():
    from bench import claims
    from bench.claims.claim import load_claims
    findings = json.loads(json.dumps(list(made_up(load_claims()))))
    page = Page(claims.html_section({"claims": findings}))
    assert len(page.ids) == len(set(page.ids)) == len(findings)
    assert {link[1:] for link in page.links} == set(page.ids)
    for finding in findings:
        assert page.text.count(finding["statement"]) == 2  # in the list and on its card
        assert finding["rule"] in page.text and finding["experiment"] in page.text
        assert finding["verdict"] in page.text
    assert "an <address>: 0x1 & 0x2" in page.text and "not installed: <x>" in page.text
    assert "turns at about 3" in page.text or "turns at about 1" in page.text


@pytest.mark.parametrize("results", [{}, {"claims": []}, {"claims": None}])
def test_without_claims_there_is_no_section(results):
    from bench import claims
    assert claims.html_section(results) == ""
