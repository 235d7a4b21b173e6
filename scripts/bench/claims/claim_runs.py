# SPDX-License-Identifier: BSD-3-Clause
"""Runs the claims, each in a process of its own with a time limit, and makes findings of their parts."""
import json
import os
import random
import subprocess
import sys
import tempfile
import time

from bench.claims import verdict
from bench.claims.claim import load_claims
from bench.harness.processes import Failed, describe_exit, die_with_parent, end, environment

LIMIT_S = 120  # a claim that takes longer hangs


def measure(context, quick, progress, only=(), seed=None):
    """A finding for every claim, or for those named."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    claims = [c for c in load_claims() if not only or c.key in only]
    findings = []
    for claim in claims:
        progress.step(f"claim: {claim.key}", 1)
        findings.append(settle(claim, context, quick, seed))
        if findings[-1]["reason"]:
            progress.say(f"claim {claim.key}: {findings[-1]['verdict']}: {findings[-1]['reason']}")
    return findings


def steps(_quick):
    """How often `measure` takes a step of its progress."""
    return len(load_claims())


def wrong(findings):
    """What makes a run fail, as texts."""
    return [f"claim {f['key']}: {f['reason']}" for f in findings if f["verdict"] == verdict.WRONG]


def settle(claim, context, quick, seed):
    """A claim's finding: what it says, the parts, and the verdict, or why there is none."""
    started, reason = time.monotonic(), claim.missing(context)
    answer = dict(skipped=reason) if reason else ask(claim, context, quick, seed)
    finding = dict(key=claim.key, group=claim.group, statement=claim.statement, experiment=claim.experiment,
                   rule=claim.rule, parts=answer.get("parts", []), reason=None, seed=seed,
                   seconds=round(time.monotonic() - started, 1))
    for word in (verdict.SKIPPED, verdict.FAILED, verdict.WRONG):
        if word in answer:
            return dict(finding, verdict=word, reason=answer[word])
    return dict(finding, verdict=verdict.decide(finding["parts"], claim.combine))


def ask(claim, context, quick, seed):
    """The answer of a claim's process, or {"failed": why there is none}."""
    command = [context.python, "-m", "bench.claims.claim_process", claim.key, str(context.build), str(seed)]
    command += ["quick"] * bool(quick)
    with tempfile.TemporaryDirectory(prefix="numd-bench-") as directory, \
            open(os.path.join(directory, "log"), "w+") as log:
        process = subprocess.Popen(command, cwd=directory, env=environment(context), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=die_with_parent)
        try:
            output, _ = process.communicate(timeout=LIMIT_S)
            if process.returncode or not output:
                raise Failed(f"its process ended ({describe_exit(process.returncode)})")
            answer = json.loads(output)
        except subprocess.TimeoutExpired:
            answer = dict(failed=f"it did not end within {LIMIT_S} s")
        except Failed as error:
            answer = dict(failed=str(error))
        finally:
            end(process, patience_s=15)
        if "failed" in answer:
            log.seek(0)
            sys.stderr.write(log.read())
    return answer
