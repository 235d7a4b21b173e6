# SPDX-License-Identifier: BSD-3-Clause
"""Settles what textbooks say about Python, NumPy and IPC, on this machine: each claim with its experiment and verdict.

Prints them and writes claims.json and claims.html into BUILD/report. A wrong result fails the run, a claim that does
not hold does not."""
import argparse
import json
import pathlib
import sys

from bench import claims
from bench.claims import claim, claim_words
from bench.harness.progress import Progress
from bench.page.html_parts import document
from bench.subjects.way import Context


def parse_arguments(argv, known):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="where numd was built")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds, within a minute")
    parser.add_argument("--only", default="", help="only these, with commas between: " + ", ".join(known))
    parser.add_argument("--seed", type=int, default=None, help="of the orders and of the bootstrap")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="default: BUILD/report")
    arguments = parser.parse_args(argv)
    arguments.only = [name for name in arguments.only.split(",") if name]
    unknown = [name for name in arguments.only if name not in known]
    if unknown:
        parser.error(f"no such claim: {', '.join(unknown)}")
    return arguments


def main(argv=None):
    known = [c.key for c in claim.load_claims()]
    arguments = parse_arguments(argv, known)
    context = Context(build=arguments.build.resolve(), python=sys.executable)
    progress = Progress(len(arguments.only or known))
    try:
        findings = claims.measure(context, arguments.quick, progress, arguments.only, arguments.seed)
    except KeyboardInterrupt:
        print("\nclaims: stopped; nothing was written", file=sys.stderr)
        return 130
    finally:
        progress.end()
    output = arguments.output or context.build / "report"
    output.mkdir(parents=True, exist_ok=True)
    (output / "claims.json").write_text(json.dumps(findings, indent=1) + "\n")
    page = document("numd: claims, settled", "<h1>Claims, settled</h1>", claims.html_section({"claims": findings}),
                    css=("page.css",))
    (output / "claims.html").write_text(page)
    print(claim_words.terminal(findings))
    print(f"page:    {output / 'claims.html'}\nresults: {output / 'claims.json'}")
    trouble = claims.wrong(findings)
    for text in trouble:
        print(f"WRONG RESULT: {text}", file=sys.stderr)
    return 1 if trouble else 0

