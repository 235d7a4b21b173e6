# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's harness: its arithmetic, its results file, and that a wrong answer fails a run."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "bench"

pytestmark = pytest.mark.usefixtures("bench_modules")


def make_turn(ns, calls=10):
    return dict(ns=ns, single_ns=[], calls=calls, batch=1, cpu_ns=5 * calls, cpu_server_ns=3 * calls,
                overhead_ns=20.0)


def make_row(case, way, p50, **about):
    from bench.numbers import stats
    return stats.row(case, way, **about, **stats.merge([make_turn([p50])]))


def test_percentiles_are_numpys():
    from bench.numbers import stats
    samples = list(np.random.default_rng(5).random(37))
    for q in (0, 50, 90, 99, 100):
        assert stats.percentile(samples, q) == pytest.approx(np.percentile(samples, q))
    assert stats.percentile([7.0], 99) == 7.0


def test_merge_puts_rounds_together():
    from bench.numbers import stats
    row = stats.merge([make_turn([1.0, 2.0, 3.0]), make_turn([5.0, 5.0], calls=20)])
    assert (row["p50_ns"], row["calls"], row["samples"]) == (3.0, 30, 5)
    assert (row["cpu_client_ns"], row["cpu_server_ns"]) == (5.0, 3.0)
    assert row["rounds_p50_ns"] == [2.0, 5.0]


def test_break_even():
    from bench.numbers import stats
    assert stats.break_even([1, 10, 100], [8, 4, 2]) is None
    assert stats.break_even([1, 10, 100], [1.0, 1.05, 0.9]) == 1
    assert 10 < stats.break_even([1, 10, 100], [8, 1.3, 1.01]) < 100


def test_figures_compare_medians_with_targets():
    from bench.numbers import stats
    rows = [make_row("add", "numpy", 500, client="python", n=64),
            make_row("add", "numd-ring", 400, client="python", mode="prepared", wait="spin", n=64)]
    by_name = {f["name"]: f for f in stats.figures(rows)}
    figure = by_name["Python, ring, spin: add 64 : NumPy"]
    assert (figure["value"], figure["ok"]) == (0.8, True)
    assert all(f["ok"] is None for name, f in by_name.items() if name != figure["name"])


def test_wrong_results_are_noticed():
    from bench.subjects import cases
    point = cases.Point("add", 64)
    arrays = cases.inputs(point)
    wanted = cases.expected(point, arrays)
    assert cases.check(point, wanted.copy(), wanted) is None
    for change in (lambda x: x[:-1], lambda x: x + np.where(np.arange(64) == 63, 1e-15, 0), lambda x: x * np.nan):
        assert cases.check(point, change(wanted), wanted)


def test_real_data_is_scaled_and_complete():
    from bench.subjects import cases
    for data, size in (("digits", 1797 * 64), ("photo", 427 * 640 * 3), ("diabetes", 442 * 10)):
        matrix = cases.real_matrix(data)
        assert matrix.size == size and matrix.dtype == np.float64
        assert matrix.min() == 0 and matrix.max() == 1


def test_every_way_is_registered_and_says_why_it_is_missing(tmp_path):
    from bench.subjects import way
    ways = way.load_ways()
    context = way.Context(build=tmp_path, python=sys.executable)
    assert {"numpy", "pipe", "shm-pipe", "numd-ring", "numd-socket", "c-direct", "ctypes"} <= {w.name for w in ways}
    assert len({(w.name, w.client) for w in ways}) == len(ways)
    for each in [w for w in ways if w.core]:
        always = each.name in ("numpy", "numpy-out", "pipe", "shm-pipe")
        assert bool(each.missing(context)) != always, each


def run_bench(output, build, *more):
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, str(BENCH), "run", "--build", str(build), "--output", str(output), "--quick",
               "--seed", "1", "--cases", "add:64,sum:64", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_a_run_writes_results_and_page(tmp_path, bench_leaves_nothing):
    from bench.numbers import stats
    done = run_bench(tmp_path / "report", tmp_path, "--ways", "numpy,pipe,shm-pipe,c-direct")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    rows = results["rows"]
    ways = ("numpy", "pipe", "shm-pipe")
    assert {(r["case"], r["way"]) for r in rows} == {(c, w) for c in ("add", "sum") for w in ways}
    for row in rows:
        assert set(stats.ROW_KEYS) <= set(row)
        assert row["dtype"] == "float64" and row["n"] == 64 and row["data"] is None
        assert 0 < row["p50_ns"] <= row["p90_ns"] <= row["p99_ns"] and row["calls"] > 0
        assert row["p50_ci_ns"][0] <= row["p50_ci_ns"][1] and row["ratio_ci"][0] <= row["ratio_ci"][1]
        assert len(row["alone_ns"]) == len(results["quantiles"]) and row["overhead_ns"] > 0
    facts = json.loads((tmp_path / "report" / "machine.json").read_text())
    assert facts == results["machine"] and facts["hardware"]["Governor"] and facts["pinning"] == "none"
    assert [s["way"] for s in facts["skipped"]] == ["c-direct"] and "not built" in facts["skipped"][0]["reason"]
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("<h1>") == 1 and "<svg" in page and "http" not in page
    assert "c-direct" in done.stdout and str(tmp_path / "report" / "index.html") in done.stdout


def test_a_client_needs_no_numpy():
    """PyPy runs the same client, and may have none."""
    code = "import sys; sys.modules['numpy'] = None; from bench.harness import runner; assert runner.np is None"
    subprocess.run([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=str(BENCH.parent)), check=True)


WRONG_WAY = '''
import numpy as np
from bench.subjects.way import Call, Way
WAYS = [Way(name="wrong", client="python", core=True)]
def open_call(job):
    out = np.zeros(job.out_shape or 1)
    return Call("f(out)", {"f": lambda out: out.fill(1.0), "out": out}, result=lambda: out)
'''


def test_a_wrong_result_fails_the_run(tmp_path, monkeypatch, capsys):
    from bench.subjects import way
    from bench.suite import run
    (tmp_path / "wrong.py").write_text(WRONG_WAY)
    monkeypatch.setattr(run, "load_ways", lambda: way.load_ways(tmp_path))
    status = run.main(["--build", str(tmp_path), "--output", str(tmp_path / "report"), "--quick", "--cases", "add:64"])
    assert status == 1
    assert "wrong result" in capsys.readouterr().err
    assert json.loads((tmp_path / "report" / "results.json").read_text())["rows"] == []


def test_a_client_that_dies_is_skipped_with_the_reason(tmp_path, monkeypatch):
    from bench.subjects import way
    from bench.suite import run
    (tmp_path / "dies.py").write_text(WRONG_WAY.replace("    out = np", "    raise SystemExit(3)\n    out = np"))
    monkeypatch.setattr(run, "load_ways", lambda: way.load_ways(tmp_path))
    arguments = ["--build", str(tmp_path), "--output", str(tmp_path / "report"), "--quick", "--cases", "add:64"]
    assert run.main(arguments) == 0
    facts = json.loads((tmp_path / "report" / "machine.json").read_text())
    assert "exit status 3" in facts["skipped"][0]["reason"]
