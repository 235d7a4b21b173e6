# SPDX-License-Identifier: BSD-3-Clause
"""One claim's experiment, in this process: `python3 -m bench.claims.claim_process KEY BUILD SEED [quick]` prints its
parts as a line of JSON, or what went wrong. Other things that libraries print go to standard error."""
import contextlib
import json
import os
import pathlib
import signal
import sys
import traceback

from bench.claims.claim import load_claims
from bench.claims.lab import Lab, Wrong
from bench.harness.processes import private_daemon
from bench.subjects.way import Context


def make(claim, context, quick, seed):
    """The answer: {"parts": ...} or {"wrong": ...} or {"failed": ...}."""
    daemon = private_daemon(context) if claim.daemon else contextlib.nullcontext()
    try:
        with daemon, Lab(context, quick, seed) as lab:
            return dict(parts=claim.run(lab))
    except Wrong as error:
        return dict(wrong=str(error))
    except Exception as error:
        traceback.print_exc()
        return dict(failed=f"{type(error).__name__}: {error}")


def main(argv):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    key, build, seed, *quick = argv
    context = Context(build=pathlib.Path(build), python=sys.executable)
    claim = next(c for c in load_claims() if c.key == key)
    print(json.dumps(make(claim, context, bool(quick), int(seed))), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
