# SPDX-License-Identifier: BSD-3-Clause
"""`numdctl bench`: its table and its JSON, from a daemon that answers; a line where none does."""
import json
import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()


def bench(*words, **environment):
    return subprocess.run([BUILD / "numdctl", "bench", *words], capture_output=True, text=True, timeout=120,
                          env=os.environ | environment)


def test_json_has_every_figure():
    done = bench("--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert [(row["way"], row["wait"]) for row in figures["latency"]] == [
        ("ring", "auto"), ("ring", "spin"), ("ring", "handoff"), ("ring", "sleep"), ("socket", "auto")]
    for row in figures["latency"]:
        assert row["calls"] > 0 and 0 < row["p50_ns"] <= row["p99_ns"]
        assert row["cpu_client_percent"] > 0 and row["cpu_worker_percent"] > 0
    assert figures["in_flight"]["depth"] == 64 and figures["in_flight"]["calls_per_s"] > 0
    assert figures["add_in_process_ns"] > 0
    assert (figures["cache_line_ns"] is None) == (len(os.sched_getaffinity(0)) < 2)
    assert figures["copy"]["bytes"] == 32 << 20
    assert min(figures["copy"]["numd_bytes_per_s"], figures["copy"]["memcpy_bytes_per_s"]) > 0


def test_table_has_a_line_for_each_gear():
    done = bench()
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    for title in ("ring, adapting", "ring, spinning", "ring, hand-off", "ring, sleeping", "socket", "64 in flight",
                  "the same add", "by numd", "memcpy, one thread"):
        assert sum(line.startswith(title) for line in lines) == 1, done.stdout


def test_no_daemon(tmp_path):
    done = bench(NUMD_SOCKET=str(tmp_path / "nobody"))
    assert done.returncode == 1 and done.stdout == ""
    assert "numdctl: bench: " in done.stderr and str(tmp_path / "nobody") in done.stderr


def test_help_and_page_know_it():
    usage = subprocess.run([BUILD / "numdctl", "--help"], capture_output=True, text=True, timeout=20).stdout
    assert "bench [--json]" in usage
    assert ".It Cm bench" in (TOP / "client" / "ctl" / "numdctl.1").read_text()
