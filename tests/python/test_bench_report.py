# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's report: intervals, what follows from the ways, the page in a browser, and comparing two runs."""

import functools
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import browser

BENCH = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "bench"

pytestmark = pytest.mark.usefixtures("bench_modules")


def turn(rng, ns, samples=60):
    """A made-up turn of calls that take about ns."""
    taken = [round(float(x), 1) for x in ns * rng.lognormal(0, 0.05, samples)]
    return dict(ns=taken, single_ns=[], calls=samples, batch=1, cpu_ns=ns * samples, cpu_server_ns=ns * samples / 2,
                overhead_ns=20.0)


def made_up_facts(cpu):
    return dict(cpu=cpu, cores=2, kernel="6.1", system="A system", python="3.11", numpy="1.24", blas="none",
                compiler="cc", numd="numd", date="2026-01-01", quick=False, seed=1, load_before=0.0, load_after=0.0,
                method=["By a test."], pinning="none", hardware={"Governor": "not told by this machine"}, seconds=1.0,
                strangers_percent=0.0, stolen_percent=0.0, waiting_clients_percent=0.0, wrong=[], shortened=[],
                skipped=[dict(way="redis", client="python", mode=None, wait=None, case=None, reason="not here")])


@functools.lru_cache(maxsize=None)
def made_up(seed=1, factor=1.0, cpu="A processor"):
    """Results of all ways there are, as if measured: times that grow with the size, `factor` times as long for numd."""
    from bench.numbers import results, stats
    from bench.subjects import cases
    from bench.subjects.way import load_ways
    rng, rows = np.random.default_rng(seed), []
    ways = load_ways()
    for place, way in enumerate(ways):
        for point in [p for p in cases.points(quick=True) if p.case in ("add", "expr") and p.data in (None, "digits")]:
            if way.name == "redis" or not way.takes(point):
                continue
            for mode in way.modes:
                for wait in way.waits if point.gears else way.waits[-1:]:
                    ns = (500 * (1 + place) + 30 * point.n) * (factor if way.daemon else 1)
                    about = dict(case="floor") if way.floor else dict(case=point.case, n=point.n, data=point.data)
                    rows.append(stats.row(way=way.name, client=way.client, mode=mode, wait=wait, **about,
                                          **stats.merge([turn(rng, ns) for _ in range(3)])))
    rows.append(stats.row("idle", "numd-ring", "c", wait="auto", cpu_percent=0.05, sessions=10, seconds=5.0))
    return results.of_run(rows, made_up_facts(cpu), ways)


# ---- Intervals

def test_intervals_of_medians_hold_the_median():
    """Of 200 made-up experiments with many rounds nearly all intervals hold the true median, but not all."""
    from bench.numbers import bootstrap
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(200):
        rounds = [list(100 + effect + rng.normal(0, 3, 20)) for effect in rng.normal(0, 5, 12)]
        low, high = bootstrap.of_median(rounds)
        hits += low <= 100 <= high
    assert 165 <= hits <= 199


def test_intervals_are_the_same_every_time_and_tell_rounds_apart():
    from bench.numbers import bootstrap
    steady, uneven = [[10.0, 11.0, 12.0]] * 4, [[10.0, 11.0, 12.0], [20.0, 21.0, 22.0], [10.0] * 3, [20.0] * 3]
    assert bootstrap.of_median(steady) == bootstrap.of_median(steady)
    assert bootstrap.of_median(steady)[1] <= 12 and bootstrap.of_median(uneven)[1] > 19
    # What disturbs a round disturbs both: the ratio of ways that go up and down together is certain.
    double = [[2 * x for x in samples] for samples in uneven]
    low, high = bootstrap.of_ratio(double, uneven)
    assert 1.6 < low <= 2 <= high < 2.5
    low, high = bootstrap.of_ratio(double[:3], uneven)
    assert low < 1.5 and high > 2.5


def test_rounds_of_different_lengths_count_alike():
    from bench.numbers import bootstrap
    values = bootstrap.medians([[1.0], [3.0] * 50])
    assert 0.15 < np.mean(values == 1.0) < 0.55 and set(values) <= {1.0, 2.0, 3.0}


def test_thinned_samples_are_spread_over_the_round():
    from bench.numbers import bootstrap
    assert bootstrap.thinned([1, 2, 3], 5) == [1, 2, 3]
    assert bootstrap.thinned(list(range(100)), 4) == [0, 25, 50, 75]


def test_the_last_percentile_wants_enough_samples():
    from bench.numbers import stats
    few, many = (stats.percentiles(list(range(n))) for n in (999, 1000))
    assert few["p999_ns"] is None and few["p99_ns"] == pytest.approx(988.0, abs=0.1)
    assert many["p999_ns"] == pytest.approx(np.percentile(np.arange(1000), 99.9), abs=0.1)


def test_sizes_at_which_it_pays():
    from bench.numbers import stats
    assert stats.pays_up_to([1, 10, 100], [0.5, 1.0, 4.0]) == pytest.approx(10 * 10 ** (np.log(1.1) / np.log(4)))
    assert stats.pays_up_to([1, 10], [0.5, 1.0]) is None and stats.pays_up_to([1, 10], [2.0, 1.0]) is None


# ---- What follows from the ways

def test_every_way_has_a_title_and_a_group():
    from bench.subjects import catalog
    from bench.subjects.way import load_ways
    known = {g.key for g in catalog.GROUPS} - {"other"}
    for way in load_ways():
        assert way.title and way.group in known, way.name
        assert (way.group == "floor") == way.floor
        assert set(way.opening) <= set(way.waits) and set(way.summary) <= set(way.modes)


def test_series_of_a_group_look_different():
    from bench.subjects import catalog
    known = catalog.Catalog()
    for group in catalog.GROUPS:
        keys = [k for k in known.order if known.group(k[0]) == group]
        looks, titles = [known.look(k) for k in keys], [known.series_title(k) for k in keys]
        assert len(set(looks)) == len(looks) <= catalog.COLOURS and len(set(titles)) == len(titles)


def test_adding_a_way_is_adding_a_file(tmp_path):
    from bench.subjects import catalog, way
    (tmp_path / "one.py").write_text('from bench.subjects.way import Way\n'
                                     'WAYS = [Way(name="one", title="One", group="shared", client="python")]\n')
    known = catalog.Catalog(way.load_ways(tmp_path))
    key = ("one", "python", None)
    assert known.order == [key] and known.series_title(key) == "One" and known.group("one").title == "Shared memory"
    assert known.title("unknown") == "unknown" and known.group("unknown").key == "other"


def test_results_come_back_as_they_were(tmp_path):
    from bench.numbers import results
    found = made_up()
    results.save(tmp_path / "results.json", found)
    again = results.load(tmp_path / "results.json")
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(again))
    plain = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {r["wait"] for r in plain} == {"spin", "handoff", "sleep", None}


def test_break_even_sizes_of_a_run():
    found = made_up(factor=0.01)["break_even"]
    wanted = dict(case="add", way="numd-ring", client="c", mode="prepared")
    ring = next(b for b in found if wanted.items() <= b.items())
    assert ring["within_10_percent"] == ring["cheaper"] == 64
    last = next(b for b in found if (b["case"], b["way"]) == ("add", "zeromq-tcp"))
    assert 64 < last["within_10_percent"] < 10**4


# ---- The page

@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of made-up results of all ways, made by the program that makes it anew."""
    directory = tmp_path_factory.mktemp("report")
    sys.path.insert(0, str(BENCH.parent))
    try:
        from bench.numbers import results
        results.save(directory / "results.json", made_up())
    finally:
        sys.path.remove(str(BENCH.parent))
    subprocess.run([sys.executable, BENCH, "report", directory], check=True, stdout=subprocess.DEVNULL)
    return directory / "index.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if not browser.PROGRAM or "LD_PRELOAD" in os.environ:
        pytest.skip("no Chromium, or a sanitizer: scripts/setup --browser installs one")
    one = browser.Browser(tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


def test_the_page_shows_every_way_that_was_measured_and_says_what_was_not(page):
    from bench.subjects import catalog
    text = page.read_text()
    known = catalog.Catalog()
    for key in known.order:
        if key[0] != "redis":
            assert f'data-s="{catalog.slug(key)}"' in text, key
    assert "not here" in text and "Redis" in text and 'data-s="redis-python"' not in text
    table = (page.parent / "table.md").read_text()
    assert "| numd ring, Python |" in table and "| mp.Pipe |" in table and "| Redis |" not in table
    assert "By a test." in text and "not told by this machine" in text


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_in_a_browser(page, chromium, width, dark):
    chromium.open(page, width, dark=dark)
    assert chromium.complaints() == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    background = chromium.run("getComputedStyle(document.body).backgroundColor")
    lightness = sum(int(x) for x in background[4:-1].split(",")[:3]) / 3
    assert (lightness < 80) == dark
    small, clipped = chromium.run(CHECK_TEXT)
    assert small == [] and clipped == []


# Text of the pictures that is shown: too small to read, or beyond its picture's edges.
CHECK_TEXT = """(() => {
  const small = [], clipped = [];
  for (const text of document.querySelectorAll("svg text")) {
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    if (!box.width) continue;
    if (box.height < 9) small.push(text.textContent);
    if (box.left < frame.left - 1 || box.right > frame.right + 1) clipped.push(text.textContent);
  }
  return [small, clipped];
})()"""


def test_labels_of_curves_do_not_overlap(page, chromium):
    chromium.open(page)
    assert chromium.run("""[...document.querySelectorAll("svg.panel")].every(svg => {
        const tops = [...svg.querySelectorAll("text.label")].map(t => t.getBoundingClientRect().top);
        tops.sort((a, b) => a - b);
        return tops.every((top, i) => !top || i == 0 || top - tops[i - 1] > 11);
    })""")


def test_a_chosen_way_is_lit_up_in_all_panels(page, chromium):
    chromium.open(page)
    lit = "[...document.querySelectorAll('.lit')].filter(e => e.dataset.s == 'zeromq-tcp-python').length"
    assert chromium.run(lit) == 0
    chromium.run("document.querySelector('button[data-s=zeromq-tcp-python]').click()")
    assert chromium.run(lit) > 10
    shown = "[...document.querySelectorAll('#size .view')].filter(v => v.offsetHeight).map(v => v.dataset.view).join()"
    assert chromium.run(shown) == "latency-add"
    chromium.run("document.querySelector('label[for=latency-expr]').click()")
    assert chromium.run(shown) == "latency-expr"
    chromium.run("document.getElementById('none').click()")
    assert chromium.run(lit) == 0 and chromium.complaints() == []


def test_a_browser_notices_mistakes(tmp_path, chromium):
    """What the tests above go by."""
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('said'); nothing.here;</script><img src='http://elsewhere.invalid/x.png'>"
                   "<div style='width: 3000px'>wide</div>")
    chromium.open(bad, 390)
    text = " ".join(chromium.complaints())
    assert "said" in text and "nothing is not defined" in text and "loads http://elsewhere.invalid/x.png" in text
    assert chromium.run("document.documentElement.scrollWidth") > 390


def test_pictures_are_told_to_those_who_cannot_see_them(page):
    text = page.read_text()
    pictures = text.count("<svg ")
    assert pictures > 20 and pictures == text.count('role="img"') == text.count("<desc>")


def test_a_part_that_fails_loses_nothing(tmp_path, monkeypatch):
    from bench.suite import extras, run
    lines = ["def measure(context, quick, progress):", "    progress.step('x')", "    1 / 0", ""]
    (tmp_path / "broken_part.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = extras.Extra("broken", "broken_part", {True: 1, False: 1})
    absent = extras.Extra("absent", "no_such_module", {True: 1, False: 1})
    monkeypatch.setattr(extras, "EXTRAS", [broken, absent])
    status = run.main(["--build", str(tmp_path), "--output", str(tmp_path / "report"), "--quick", "--cases", "add:64",
                       "--ways", "numpy", "--extras", "broken,absent"])
    found = json.loads((tmp_path / "report" / "results.json").read_text())
    assert status == 1 and [r["way"] for r in found["rows"]] == ["numpy"]
    assert found["machine"]["wrong"] == ["broken: ZeroDivisionError: division by zero"]


def test_parts_have_their_sections(tmp_path, monkeypatch):
    from bench.suite import extras, report
    (tmp_path / "a_part.py").write_text('def html_section(results):\n    return f"<p>said {results[\'claims\']}</p>"\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(extras, "EXTRAS", [extras.Extra("claims", "a_part", {True: 1, False: 1})])
    plain, more = (report.Report({**made_up(), **about}).page() for about in ({}, dict(claims="much")))
    assert '<section id="claims"><h2>Claims, settled</h2><p>said much</p></section>' in more
    assert "Claims, settled" not in plain


def test_what_parts_a_run_has(monkeypatch):
    from bench.suite import extras, run
    monkeypatch.setattr(extras.Extra, "module", json)  # any module: all are there

    def parts(*words):
        return [(e.key, quick) for e, quick in extras.chosen(run.parse_arguments(words))]
    every = [e.key for e in extras.EXTRAS]
    assert parts() == parts("--all", "--quick") == [(key, True) for key in every]
    assert parts("--all") == [(key, False) for key in every]
    assert parts("--quick") == parts("--ways", "numpy") == parts("--extras", "none") == []
    assert parts("--ways", "numpy", "--extras", "claims") == [("claims", True)]


def test_names_that_there_are_not_are_said(capsys):
    from bench.suite import run
    assert run.main(["--ways", "numpy,nompy"]) == 2 and run.main(["--extras", "claim"]) == 2
    text = capsys.readouterr().err
    assert "--ways: there is no nompy; there are" in text and "--extras: there is no claim;" in text


def test_pinning_is_done_and_said(tmp_path, monkeypatch):
    from bench.suite import run
    (tmp_path / "where.py").write_text(WHERE)
    from bench.subjects import way
    monkeypatch.setattr(run, "load_ways", lambda: way.load_ways(tmp_path))
    arguments = ["--build", str(tmp_path), "--output", str(tmp_path / "report"), "--quick", "--cases", "add:64"]
    assert run.main([*arguments, "--pin", "together"]) == 0
    facts = json.loads((tmp_path / "report" / "machine.json").read_text())
    assert facts["pinning"] == "together" and any("pinned to the first usable core" in text for text in facts["method"])


# A way that fails unless its process may run on one core alone.
WHERE = '''
import os
import numpy as np
from bench.subjects.way import Call, Way
WAYS = [Way(name="where", client="python", core=True)]
def add(a, b, out):
    np.add(a, b, out=out)
    if len(os.sched_getaffinity(0)) != 1:
        out.fill(0)
def open_call(job):
    out = np.zeros(job.out_shape)
    return Call("f(a, b, out)", dict(f=add, a=job.inputs[0], b=job.inputs[1], out=out), result=lambda: out)
'''


# ---- Comparing runs

def compare(*words):
    done = subprocess.run([sys.executable, BENCH / "compare", *map(str, words)], capture_output=True, text=True,
                          timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Files of two like runs and of one in which numd takes a half longer, on another machine."""
    directory = tmp_path_factory.mktemp("runs")
    sys.path.insert(0, str(BENCH.parent))
    try:
        from bench.numbers import results
        for name, found in (("a", made_up(1)), ("like", made_up(2)),
                            ("slow", made_up(3, 1.5, "Another processor"))):
            rows = [r for r in found["rows"] if r["case"] == "add" and not r["data"]]
            results.save(directory / f"{name}.json", {**found, "rows": rows})
    finally:
        sys.path.remove(str(BENCH.parent))
    return directory


def test_runs_that_are_alike(runs):
    code, text, _ = compare(runs / "a.json", runs / "like.json")
    assert code == 0 and "0 faster, 0 slower" in text and "warning" not in text


@pytest.mark.parametrize("more", [(), ("--relative",)])
def test_what_became_slower_is_found(runs, more):
    code, text, _ = compare(runs / "a.json", runs / "slow.json", *more)
    changed = [line for line in text.splitlines() if line.endswith(("slower", "faster"))]
    assert code == 0 and "warning: cpu differs: A processor and Another processor" in text
    assert changed and all(": numd-" in line and line.endswith("slower") for line in changed)
    everything = compare(runs / "a.json", runs / "slow.json", "--all", *more)[1]
    rows = [line for line in everything.splitlines() if ": numd-" in line]
    assert len(rows) == len(changed) and any(": pipe python" in line for line in everything.splitlines())
    back = compare(runs / "slow.json", runs / "a.json", *more)[1]
    assert back.count("  faster") == len(changed) and "  slower" not in back.partition("rows in both")[0]


def kernels_row(op, ns):
    return dict(op=op, dtype="float64", n=1000, size=1000, numd_ns=ns, numd_quartiles_ns=[0.95 * ns, 1.05 * ns],
                numpy_ns=100.0, numpy_quartiles_ns=[95.0, 105.0], ratio=ns / 100)


def test_files_of_kernels_and_of_python(tmp_path):
    for name, ns in (("a", 100.0), ("b", 200.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kernels.json").write_text(json.dumps([kernels_row("add", ns), kernels_row("sum", 100.0)]))
        (tmp_path / name / "kernels-run.json").write_text(json.dumps(dict(facts=dict(cpu=name))))
        figures = [dict(key="x", name="a call", value=ns / 100, quartiles=[ns / 110, ns / 90], target=1, ok=True)]
        (tmp_path / name / "python.json").write_text(json.dumps(dict(figures=figures, facts={})))
    code, text, _ = compare(tmp_path / "a" / "kernels.json", tmp_path / "b" / "kernels.json")
    assert code == 0 and "1 slower" in text and "add float64 1000" in text and "sum float64" not in text
    assert "warning: cpu differs: a and b" in text
    code, text, _ = compare(tmp_path / "a" / "python.json", tmp_path / "b" / "python.json")
    assert code == 0 and "1 slower" in text and "a call" in text


def test_files_that_cannot_be_compared(runs, tmp_path):
    contents = {"empty": "", "list": "[]", "number": "3", "old": '[{"way": "numpy"}]', "other": '{"format": "x"}',
                "damaged": '{"format": "numd bench 2", "rows": [{}]}'}
    for name, content in contents.items():
        bad = tmp_path / f"{name}.json"
        bad.write_text(content)
        code, text, error = compare(runs / "a.json", bad)
        assert code == 1 and text == "" and error.startswith(f"compare: {bad}: ") and "Traceback" not in error, name
    code, _, error = compare(runs / "a.json", tmp_path / "absent.json")
    assert code == 1 and "No such file" in error
    (tmp_path / "kernels.json").write_text(json.dumps([kernels_row("add", 1.0)]))
    code, _, error = compare(runs / "a.json", tmp_path / "kernels.json")
    assert code == 1 and "two of one kind" in error
    assert compare("--help")[0] == 0


# ---- What the machine tells

def test_what_the_system_tells_of_its_cores(tmp_path):
    from bench.harness import hardware
    assert hardware.siblings([0, 1], tmp_path) is None and hardware.turbo(tmp_path) is None
    for core, pair in ((0, "0,2"), (1, "1,3"), (2, "0,2")):
        topology = tmp_path / f"cpu{core}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(pair + "\n")
        (tmp_path / f"cpu{core}" / "cpufreq").mkdir()
        (tmp_path / f"cpu{core}" / "cpufreq" / "scaling_governor").write_text("powersave\n")
    assert hardware.siblings([0, 1], tmp_path) == "no two usable cores share one"
    assert hardware.siblings([0, 1, 2], tmp_path) == "usable cores that share one: 0,2"
    assert hardware.of_cores("cpufreq/scaling_governor", [0, 1], tmp_path) == "powersave"
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate" / "no_turbo").write_text("1\n")
    assert hardware.turbo(tmp_path) == "off"
    assert all(hardware.hardware().values())


def test_the_report_needs_results(tmp_path):
    done = subprocess.run([sys.executable, BENCH, "report", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "No such file" in done.stderr and "Traceback" not in done.stderr
