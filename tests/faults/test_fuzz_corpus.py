# SPDX-License-Identifier: BSD-3-Clause
"""Each fuzz target survives its corpus: the seeds, and what fuzzers once found."""

import pathlib
import subprocess

import pytest
from stranger import BUILD

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "fuzz" / "corpus"
TARGETS = sorted(path.name for path in CORPUS.iterdir())
pytestmark = pytest.mark.skipif(pathlib.Path(BUILD).name == "build-tsan", reason="the hostile peers race on purpose")


def test_every_target_has_a_corpus():
    sources = {path.stem for path in CORPUS.parent.glob("*.c") if "LLVMFuzzerTestOneInput(const" in path.read_text()}
    assert sources == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target):
    files = sorted((CORPUS / target).iterdir())
    done = subprocess.run([f"{BUILD}/tests/fuzz/{target}", *map(str, files)], text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith(f"{len(files)} inputs\n")
