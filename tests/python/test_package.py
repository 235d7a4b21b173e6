# SPDX-License-Identifier: BSD-3-Clause
"""The wheel works by itself: installed elsewhere, it finds its library and its daemon without the source tree."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
WANTED = ("venv", "pip", "setuptools", "wheel")
MISSING = [name for name in WANTED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.skipif(BUILD.name != "build", reason="needs the ordinary build"),
    pytest.mark.skipif(bool(MISSING), reason=f"{sys.executable} does not have {', '.join(MISSING)}"),
]


def run(words, **kwargs):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, **kwargs)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel():
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    left = next((BUILD / "wheel").glob("lib*/numd"), None)
    for folder in filter(pathlib.Path.is_dir, [left, left / "_numpy"] if left else []):
        (folder / "gone.py").write_text("")  # a module that was there at the last build
    run(["make", f"BUILD={BUILD}", f"PYTHON={sys.executable}", "wheel"], cwd=TOP, env=env)
    (made,) = (BUILD / "dist").glob("numd-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of a new environment with the wheel, and this one's NumPy."""
    top = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", top])
    python = top / "bin" / "python"
    packages = pathlib.Path(run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    (packages / "numpy.pth").write_text(f"{pathlib.Path(np.__file__).parents[1]}\n", encoding="utf-8")
    run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel])
    return python, packages / "numd"


@pytest.fixture
def alone(installed, tmp_path):
    """Runs the new Python in another directory, with nothing set that tells of the build; the daemon is its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NUMD_", "PYTHON"))}
    env |= {"NUMD_SOCKET": str(tmp_path / "socket"), "PATH": "/usr/bin:/bin"}
    return lambda *words: run([installed[0], *words], cwd=tmp_path, env=env)


def test_it_brings_its_daemon(alone, installed):
    program = """
import os, numd, numpy as np
a = numd.asarray(np.arange(100.0))
assert float((a * a).sum()) == 328350.0 and not numd.stats()["fallbacks"]
print(numd.__file__, os.readlink(f"/proc/{numd.stats()['daemon']['pid']}/exe"), sep="\\n")
"""
    module, daemon = alone("-c", program).split()
    assert pathlib.Path(module) == installed[1] / "__init__.py"
    assert pathlib.Path(daemon) == installed[1] / "bin" / "numd"


def test_it_needs_nothing_of_the_tree(installed):
    (extension,) = installed[1].glob("_numd*.so")
    programs = list((installed[1] / "bin").iterdir())
    assert sorted(path.name for path in programs) == ["numd", "numd-worker"]
    for path in [extension, *programs]:
        assert "libnumd" not in run(["ldd", path])
        assert str(TOP).encode() not in path.read_bytes()


def test_its_extension_gives_others_its_entry_alone(installed):
    (extension,) = installed[1].glob("_numd*.so")
    assert run(["nm", "-D", "--defined-only", extension]).split()[1:] == ["T", "PyInit__numd"]


def test_it_has_the_modules_and_stubs_of_the_tree(installed):
    def modules(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")
                if path.suffix in (".py", ".pyi", ".typed")}

    assert modules(installed[1]) == modules(TOP / "client" / "python" / "numd")


def test_import_leaves_to_later_what_is_asked_for_later(alone):
    program = "import sys, numd; print(*sorted(name for name in sys.modules if name.startswith('numd.')))"
    loaded = set(alone("-c", program).split())
    assert "numd.linalg" in loaded
    rooms = {name.split(".")[1] for name in loaded}
    assert not rooms & {"_numpy", "_function", "_process", "_display"} and "numd._standard.operations" not in loaded


def test_versions_are_the_same(alone, wheel):
    version = alone("-c", "import numd; print(numd.__version__)").strip()
    assert wheel.name.startswith(f"numd-{version}-")
    for program in ("numd", "numdctl"):
        assert run([BUILD / program, "--version"]) == f"{program} {version}\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A source distribution, unpacked. It is made in a copy: setup.py puts the tree beside itself for a while, where
    other tests look for sources meanwhile."""
    into, copy = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("copy") / "tree"
    shutil.copytree(TOP, copy, ignore=shutil.ignore_patterns(".git", "build*", "__pycache__", ".hypothesis", ".pytest_cache"))
    run([sys.executable, "setup.py", "-q", "sdist", "-d", into], cwd=copy / "client" / "python",
        env=os.environ | {"NUMD_BUILD": str(BUILD)})
    (archive,) = into.glob("numd-*.tar.gz")
    run(["tar", "-xzf", archive], cwd=into)
    return into / archive.name.removesuffix(".tar.gz")


def test_a_source_distribution_has_what_building_needs(source):
    """All that the Makefile wants for the goals of setup.py; building all kernels once more would take minutes."""
    goals = ["/nowhere/libnumd.a", "/nowhere/numd", "/nowhere/numd-worker"]
    plan = run(["make", "-n", "BUILD=/nowhere", *goals], cwd=source / "tree")
    assert "client/lib/conn.c" in plan and "server/worker/worker.c" in plan
    src = TOP / "client" / "python" / "src"
    for made in filter(pathlib.Path.is_file, src.rglob("*")):
        assert (source / "src" / made.relative_to(src)).read_bytes() == made.read_bytes()
    for room in ("shared", "protocol", "server"):
        wanted = {p.relative_to(TOP) for p in (TOP / room).rglob("*.[ch]")}
        assert wanted == {p.relative_to(source / "tree") for p in (source / "tree" / room).rglob("*.[ch]")}
