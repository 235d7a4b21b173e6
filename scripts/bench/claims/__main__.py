# SPDX-License-Identifier: BSD-3-Clause
"""`python3 scripts/bench/claims` is `python3 scripts/bench claims`."""
import os
import pathlib
import sys

os.execv(sys.executable, [sys.executable, str(pathlib.Path(__file__).resolve().parents[1]), "claims", *sys.argv[1:]])
