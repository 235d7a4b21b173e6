# SPDX-License-Identifier: BSD-3-Clause
"""Tests pass at any time of day. Check counts microseconds in 32 bits, which are an hour and twelve minutes: whatever
takes the difference of two clocks there is seen to be wrong at one of these four times."""

import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()


def shifted(minutes, *command):
    library = str(BUILD / "tests" / "shift_clock.so")
    preload = " ".join(filter(None, [os.environ.get("LD_PRELOAD"), library]))  # a sanitizer's comes first
    env = dict(os.environ, LD_PRELOAD=preload, SHIFT_CLOCK_MINUTES=str(minutes))
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)


def test_the_clock_is_shifted():
    now, later = (int(shifted(minutes, "date", "+%s").stdout) for minutes in (0, 54))
    assert 0 <= later - now - 54 * 60 < 60


@pytest.mark.parametrize("minutes", [0, 18, 36, 54])
def test_the_sandbox_at_any_time(minutes):
    done = shifted(minutes, BUILD / "tests" / "test_sandbox")
    assert done.returncode == 0, done.stdout
