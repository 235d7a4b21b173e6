# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of every operation: its table is complete, its comparisons notice, and a run writes its files."""
import html.parser
import json
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import numd

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
DTYPES = [np.dtype(name) for name in numd._numd._dtypes]

pytestmark = pytest.mark.usefixtures("bench_modules")


def cases_of_all():
    from bench.kernels import kernel_cases
    return [(op, kernel_cases.case_of(op.name)) for op in numd.ops()]


def test_every_operation_has_a_case_and_every_case_an_operation():
    from bench.kernels import kernel_cases
    assert {op.name for op in numd.ops()} == set(kernel_cases.TABLE)


def test_every_dtype_of_every_operation_is_measured_or_left_out_with_a_reason():
    from bench.kernels import kernel_cases, operands
    random = np.random.default_rng(3)
    for op, case in cases_of_all():
        for dtype in (d for d in DTYPES if d.kind in op.dtypes):
            if reason := kernel_cases.why_left_out(case, dtype.name, 1000):
                assert len(reason) > 10
                continue
            for _, domain, shape in case.inputs:
                wanted = kernel_cases.shape_of(shape, 1000)
                made = operands.make(random, domain, dtype, wanted, 1000)
                assert made.shape == wanted and not np.isnan(made).any()
                assert domain in ("mask", "index", "column") or made.dtype == dtype, (op.name, domain)


def test_no_operation_is_left_out_altogether():
    from bench.kernels import kernel_cases
    for op, case in cases_of_all():
        for n in kernel_cases.SIZES:
            assert any(not kernel_cases.why_left_out(case, d.name, n) for d in DTYPES if d.kind in op.dtypes), op.name


@pytest.mark.parametrize("how", ["exact", "ulp", "scale"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_comparing_notices_one_element(how, dtype):
    from bench.kernels.kernel_timing import compare
    wanted = np.random.default_rng(4).random(70_000).astype(dtype) + 1
    assert compare(wanted.copy(), wanted, how) is None
    got = wanted.copy()
    got[-1] *= 1.01
    assert "element 69999 of 70000" in compare(got, wanted, how)
    got[-1] = np.nan
    assert compare(got, wanted, how)
    wanted[-1] = np.nan
    assert compare(got, wanted, how) is None
    assert "shape" in compare(got[:-1], wanted, how)


def test_comparing_integers_is_exact_and_wide():
    from bench.kernels.kernel_timing import compare
    wanted = np.array([2**63 - 1, -2**63])
    assert compare(wanted.copy(), wanted, "scale") is None
    assert compare(wanted - np.array([1, 0]), wanted, "scale")


def test_figures_from_rows():
    from bench.kernels import kernel_figures

    def row(ratio, size, op="add"):
        return dict(op=op, dtype="float64", n=size, size=size, ratio=ratio, numd_ns=ratio, numpy_ns=1.0)

    rows = [row(0.25, 10**5), row(1.0, 10**5, "sum"), row(1.2, 10**7), row(9.0, 10**3)]
    found = {f["key"]: f for f in kernel_figures.table(rows, {"processes": dict(value=2.6)})}
    assert found["geomean"]["value"] == 0.5 and found["geomean"]["ok"]
    assert found["worst"]["value"] == 1.2 and not found["worst"]["ok"] and found["worst"]["above"] == 1
    assert found["processes"]["ok"] and set(found) == {"geomean", "worst", "processes"}


# ---- Whole runs

def run_kernels(output, *more, before="", only="add,sum"):
    """Runs the benchmark in a process of its own; `before` is Python that runs first."""
    if not (BUILD / "python").is_dir():
        pytest.skip("this build has no Python package")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")}
    environment.update(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(SCRIPTS))
    arguments = ["--build", str(BUILD), "--output", str(output), "--quick", "--seed", "1", "--only", only, *more]
    program = (f"import sys\nfrom bench.kernels import kernel_bench, kernel_cases as cases\n{before}\n"
               "sys.exit(kernel_bench.main(sys.argv[1:]))")
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120,
                          env=environment)


class Outside(html.parser.HTMLParser):
    """What a page asks for from elsewhere."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, name) for name, _ in attributes if name in ("src", "href", "srcset", "action")]


def test_a_run_writes_numbers_text_and_page(tmp_path):
    done = run_kernels(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "kernels.json").read_text())
    dtypes = {op.name: [d.name for d in DTYPES if d.kind in op.dtypes] for op in numd.ops()}
    wanted = {(op, d, n) for op in ("add", "sum") for d in dtypes[op] for n in (10**3, 10**5)}
    assert {(r["op"], r["dtype"], r["n"]) for r in rows} == wanted and len(rows) == len(wanted)
    for r in rows:
        assert r["numd_ns"] > 0 and r["numpy_ns"] > 0
        assert math.isclose(r["ratio"], r["numd_ns"] / r["numpy_ns"], rel_tol=1e-2, abs_tol=1e-4)
        assert r["numd_quartiles_ns"][0] <= r["numd_ns"] <= r["numd_quartiles_ns"][1] and r["samples"] >= 2
    about = json.loads((tmp_path / "kernels-run.json").read_text())
    assert about["facts"]["seed"] == 1 and about["wrong"] == []
    assert {f["key"] for f in about["figures"]} == {"geomean", "worst"}
    page = (tmp_path / "kernels.html").read_text()
    outside = Outside()
    outside.feed(page)
    assert outside.found == [] and page.count("<h1>") == 1 and "url(" not in page and "@import" not in page
    assert page.count("data-i=") == 2 * len(rows)
    assert "add" in done.stdout and "kernels.html" in done.stdout


def test_a_wrong_result_fails_the_run_and_is_named(tmp_path):
    wrong = "cases.TABLE['add'] = cases.call('nd.maximum(a, b, out=o)', 'np.add(a, b, out=o)', 'any any')"
    done = run_kernels(tmp_path, before=wrong, only="add")
    assert done.returncode == 1
    assert "add float64 100000: element" in done.stderr
    assert "add float64 100000" in (tmp_path / "kernels.html").read_text()
    assert not [r for r in json.loads((tmp_path / "kernels.json").read_text()) if r["dtype"] == "float64"]


def test_an_operation_without_a_case_fails_the_run(tmp_path):
    done = run_kernels(tmp_path, before="del cases.TABLE['sqrt']", only="add")
    assert done.returncode == 1
    assert "sqrt: there is no case" in done.stderr


def test_an_unknown_operation_is_refused(tmp_path):
    done = run_kernels(tmp_path, only="ad")
    assert done.returncode != 0 and "no such operation: ad" in done.stderr
