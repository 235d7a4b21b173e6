# SPDX-License-Identifier: BSD-3-Clause
"""The tutorial's blocks run in order, as one program, and say what the text says they do."""

import pathlib
import re
import subprocess
import sys

import pytest

TEXT = (pathlib.Path(__file__).resolve().parents[2] / "client" / "python" / "TUTORIAL.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)

# What a reader is told beside the blocks: after the block of that number, counted from 0.
TOLD = {
    1: 'assert not numd.stats()["fallbacks"]; assert float(c.max()) and f"{c.mean():.3f}" and a.any()',
    2: "assert np.shares_memory(np.asarray(numd.asarray(view)), view)",
    3: 'assert numd.stats()["fallbacks"] == {"fft.fft": 1}',
    5: "import asyncio; assert np.allclose(asyncio.run(wave.async_(a, b)), result)",
    7: 'assert numd.stats()["fallbacks"] == {"fft.fft": 1}',
}


def run(path):
    done = subprocess.run([sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_all_in_order(daemon, tmp_path):
    assert len(BLOCKS) > 7
    body = "\n".join(f"{block}\n{TOLD.get(i, '')}\nprint('block {i}')\n" for i, block in enumerate(BLOCKS))
    program = tmp_path / "tutorial.py"
    program.write_text("def main():\n" + re.sub(r"^(?=.)", "    ", body, flags=re.M) + '\nif __name__ == "__main__":\n    main()\n')
    said = run(program)
    assert re.findall(r"^block (\d+)$", said, re.M) == [str(i) for i in range(len(BLOCKS))]
    assert "float64 (100000,)" in said and "held by" in said


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks_are_complete(number):
    compile(BLOCKS[number], f"block {number}", "exec")
