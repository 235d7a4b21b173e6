# SPDX-License-Identifier: BSD-3-Clause
"""The README's examples do what they say, as they stand there; so do the programs in client/examples."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", ROOT / "build"))
SANITIZED = BUILD.name != "build"


def block(language):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"```{language}\n(.*?)```", text, re.S).group(1)


def run(words, **kwargs):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, **kwargs)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_python_example(daemon):
    check = """
x = np.linspace(0.0, 1.0, 1_000_000)
assert isinstance(c, numd.Array) and np.allclose(c, x * (x + 1) + np.sqrt(x) - np.exp(x + 1))
assert abs(total - (x * (x + 1)).sum()) < 1e-6 and not numd.stats()["fallbacks"]
view[0] = 7
assert b[0] == 7
"""
    run([sys.executable, "-c", block("python") + check])


@pytest.mark.skipif(SANITIZED, reason="needs the ordinary library")
def test_c_example(daemon, tmp_path):
    source = tmp_path / "example.c"
    source.write_text(block("c"), encoding="utf-8")
    program = tmp_path / "example"
    run(["cc", "-Wall", "-Wextra", "-Werror", f"-I{BUILD}/include", str(source), "-o", str(program), f"-L{BUILD}", "-lnumd",
         f"-Wl,-rpath,{BUILD}"])
    assert run([str(program)]) == "999\n"


@pytest.mark.parametrize("name", ["expression", "share"])
def test_c_programs(daemon, name):
    assert run([str(BUILD / "examples" / name)])


@pytest.mark.skipif(SANITIZED, reason="valgrind runs no sanitized programs")
@pytest.mark.parametrize("name", ["expression", "share"])
def test_c_programs_use_memory_well(daemon, name):
    """Nothing is read before it is written or after it is freed, and nothing is left over."""
    kinds = "definite,indirect,possible"
    run(["valgrind", "-q", "--leak-check=full", f"--show-leak-kinds={kinds}", f"--errors-for-leak-kinds={kinds}",
         "--error-exitcode=9", str(BUILD / "examples" / name)])


def test_links_of_pages_lead_somewhere():
    """Within the tree; those that a page has into itself or to other hosts are left out."""
    rooms = [".github", "client", "protocol", "scripts", "server", "tests"]
    pages = [*ROOT.glob("*.md"), *(page for room in rooms for page in (ROOT / room).rglob("*.md"))]
    assert len(pages) > 8
    for page in pages:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == [], page


def test_pool(daemon):
    assert run([sys.executable, str(ROOT / "client/examples/pool.py")]).startswith("100000 rows")


def test_the_road_of_a_call_goes_where_the_daemons_readme_says():
    """Each function that its tables name is in the file or room beside it, and each file that it names exists."""
    text = (ROOT / "server" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| (.*?) \| `(\S+)` \|", text, re.M)
    assert len(rows) == len(re.findall(r"^\| \d", text, re.M)) > 10
    for functions, where in rows:
        files = [ROOT / where] if where.endswith((".c", ".h")) else list((ROOT / where).rglob("*.[ch]"))
        sources = "".join(path.read_text(encoding="utf-8") for path in files)
        missing = [name for name in re.findall(r"`(\w+)`", functions) if not re.search(rf"\b{name}\(", sources)]
        assert not missing, (missing, where)
    for name in re.findall(r"`([a-z_*]+\.[ch])`", text):
        assert list(ROOT.glob(f"server/**/{name}")) + list(ROOT.glob(f"shared/{name}")), name
