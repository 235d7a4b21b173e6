# SPDX-License-Identifier: BSD-3-Clause
"""The soak run itself: that it runs, and that it would see what grows."""

import os
import re
import subprocess
import sys

import soak

HERE = os.path.dirname(os.path.abspath(__file__))


def test_a_few_seconds():
    done = subprocess.run([sys.executable, os.path.join(HERE, "soak.py"), "3"], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert " 0 wrong, 0 errors" in done.stdout
    assert int(re.search(r"(\d+) results", done.stdout)[1]) > 0


def test_what_grows_is_seen(capsys):
    flat = [(t, 20 + t % 3) for t in range(100)]
    grows = [(t, 20 + t // 10) for t in range(100)]
    jump = [(t, 1 << 20 if t < 10 else 64 << 20) for t in range(100)]  # in the warm-up
    assert soak.report({("daemon", "descriptors"): flat, ("daemon", "memory"): jump})
    assert not soak.report({("daemon", "mappings"): grows})
    assert "RISES" in capsys.readouterr().out
