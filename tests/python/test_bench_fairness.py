# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of fairness, with the real daemon and two users, in its quick form."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
BENCH = TOP / "scripts" / "bench"


ATTACKS = ("large calls", "small steps", "stopped workers")


@pytest.mark.skipif(os.getuid() != 0, reason="two users are needed")
def test_it_measures_both_users_and_draws_what_it_found(tmp_path):
    (tmp_path / "build").mkdir()
    for name in ("python", "numd", "numd-worker", *(path.name for path in BUILD.glob("libnumd.so.*"))):
        (tmp_path / "build" / name).symlink_to(BUILD / name)
    done = subprocess.run([sys.executable, BENCH, "fairness", "--build", tmp_path / "build", "--quick",
                           "--only", ",".join(ATTACKS)],
                          text=True, timeout=300, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert "sum of 64, alone" in done.stderr, "it shows how far it is"
    found = json.loads((tmp_path / "build" / "report" / "fairness.json").read_text())
    assert [(row["case"], row["attack"]) for row in found["rows"]] == [
        (case, attack) for case in ("sum of 64", "sum of 10^6") for attack in ATTACKS]
    for row in found["rows"]:
        assert row["case"] in done.stdout and row["attack"] in done.stdout
        assert (row["attacker_calls_per_s"] > 0) == (row["attack"] != "stopped workers")
        assert all(len(row[f"ratios_p{q}_to_half"]) == found["rounds"] for q in (50, 99))
        assert row["met"] == (row["ratio_p50_to_half"] <= 2 and row["ratio_p99_to_half"] <= 3)
        for kind in ("alone", "half", "attacked"):
            known = [q for q in row[f"quantiles_{kind}_ns"] if q]
            assert row[f"calls_per_s_{kind}"] > 0
            assert known == sorted(known) and 0 < row[f"p50_{kind}_ns"] <= row[f"p99_{kind}_ns"]
    page = (tmp_path / "build" / "report" / "fairness.html").read_text()
    assert page.count("<svg") == len(found["rows"]) and page.count("half of the cores</text>") == len(found["rows"])
    assert f"{sum(row['met'] for row in found['rows'])} of {len(found['rows'])} targets are met" in page


@pytest.mark.skipif(os.getuid() != 0, reason="two users are needed")
def test_an_attack_that_is_not_known_is_refused(tmp_path):
    done = subprocess.run([sys.executable, BENCH, "fairness", "--build", BUILD, "--quick", "--only", "kindness"],
                          text=True, timeout=60, stderr=subprocess.PIPE)
    assert done.returncode == 2 and "small steps" in done.stderr
