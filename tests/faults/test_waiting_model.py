# SPDX-License-Identifier: BSD-3-Clause
"""The model of the waiting protocol (tests/model/waiting.pml), with all that it can do looked at: nobody sleeps
through a call. Each precaution that the model can do without is one that the protocol cannot: the checker must find
the call that is slept through."""

import pathlib
import re
import subprocess

import pytest

MODEL = pathlib.Path(__file__).resolve().parents[1] / "model" / "waiting.pml"
PRECAUTIONS = sorted(set(re.findall(r"^#ifn?def (\w+)", MODEL.read_text(), re.MULTILINE)))
DEPTH = 4_000_000


def check(directory, optimise, *words):
    """What the checker says of the model with these words for its preprocessor."""
    def run(*command):
        done = subprocess.run(command, cwd=directory, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("spin", *words, "-a", str(MODEL))
    run("gcc", optimise, "-w", "-DSAFETY", "-DMEMLIM=3000", "-o", "pan", "pan.c")
    return run("./pan", f"-m{DEPTH}")


def test_nobody_sleeps_through_a_call(tmp_path):
    said = check(tmp_path, "-O1")
    assert "errors: 0" in said and "Search not completed" not in said and "too small" not in said, said
    states = int(re.search(r"(\d+) states, stored", said)[1])
    assert states > 100_000, said
    print(f"{states} states of the waiting protocol: nobody sleeps for ever")


def test_the_model_names_precautions():
    assert len(PRECAUTIONS) >= 8


@pytest.mark.parametrize("precaution", PRECAUTIONS)
def test_each_precaution_is_needed(tmp_path, precaution):
    said = check(tmp_path, "-O0", f"-D{precaution}")
    assert "invalid end state" in said, said
