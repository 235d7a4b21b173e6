# SPDX-License-Identifier: BSD-3-Clause
"""Claims, settled: statements that textbooks make about Python, NumPy and IPC, each with an experiment on this machine.

A claim is a file in statements/ that defines `CLAIM` (see claim.py); adding one is adding a file. Each runs in a
process of its own (claim_process.py), and its verdict is computed from what was seen and measured, by the rules of
verdict.py.

`measure(context, quick, progress)` gives a list of findings, dicts of plain values, to be stored as results["claims"];
`wrong(findings)` tells what fails the run, `html_section(results)` renders them. `python3 scripts/bench/claims` runs
them alone.
"""
from bench.claims.claim_runs import measure, steps, wrong
from bench.claims.claims_section import html_section

__all__ = ["html_section", "measure", "steps", "wrong"]
