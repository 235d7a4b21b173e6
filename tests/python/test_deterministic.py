"""The same call gives the same bits, whatever the number of cores: each operation, large enough to be shared out."""

import os
import pathlib
import subprocess
import sys

import pytest

CASES = pathlib.Path(__file__).with_name("every_case.py")


def digests(start, path, cores):
    """Operation and dtype -> digest, computed by a daemon that may use these cores."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        start(path)
    finally:
        os.sched_setaffinity(0, own)
    text = subprocess.run(
        [sys.executable, CASES], env=dict(os.environ, NUMD_SOCKET=path), stdout=subprocess.PIPE, text=True,
        check=True, timeout=300,
    ).stdout  # fmt: skip
    return {tuple(line.split()[:2]): line.split()[2] for line in text.splitlines()}


def test_bits_do_not_depend_on_the_number_of_cores(start, tmp_path):
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("there is one core")
    one = digests(start, str(tmp_path / "one"), {min(cores)})
    all_ = digests(start, str(tmp_path / "all"), cores)
    assert one and one.keys() == all_.keys()
    assert not [case for case in one if one[case] != all_[case]]
