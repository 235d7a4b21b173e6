# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of Python programs: a run writes all figures, and notices a wrong result."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
SCRIPTS = TOP / "scripts"

pytestmark = pytest.mark.skipif(not (BUILD / "python").is_dir(), reason="this build has no Python package")


def run_bench(output, before=""):
    """A quick run; `before`: Python code that changes the harness first."""
    code = (f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
            f"from bench.experiments import python_figures as bench\n{before}\n"
            f"sys.exit(bench.main(['--build', {str(BUILD)!r}, '--output', {str(output)!r}, '--quick']))")
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_a_run_writes_every_figure(tmp_path):
    done = run_bench(tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "python.json").read_text())
    sys.path.insert(0, str(SCRIPTS))
    try:
        from bench.experiments import python_figures
    finally:
        sys.path.remove(str(SCRIPTS))
    assert [f["key"] for f in results["figures"]] == list(python_figures.TARGETS)
    for f in results["figures"]:
        assert f["value"] > 0 and f["quartiles"][0] <= f["value"] <= f["quartiles"][1]
        assert f["ok"] is None if f["target"] is None else f["ok"] == (
            f["value"] >= f["target"] if f["least"] else f["value"] <= f["target"])
        assert f["name"] in done.stdout


def test_a_wrong_result_fails_the_run_and_is_named(tmp_path):
    wrong = "right = bench.ten\nbench.ten = lambda xp, a, b: right(xp, a, b) + (xp is bench.np)"
    done = run_bench(tmp_path, before=wrong)
    assert done.returncode == 1 and "ten: numpy and numd differ" in done.stderr
    assert not (tmp_path / "python.json").exists()
