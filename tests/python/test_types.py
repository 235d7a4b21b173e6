# SPDX-License-Identifier: BSD-3-Clause
"""The type stubs: current, complete, and such that mypy --strict is content with right programs and not with wrong ones."""

import ast
import importlib.util
import inspect
import os
import pathlib
import re
import subprocess
import sys

import pytest

import numd

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = TOP / "client" / "python" / "numd"
STUB = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}

needs_mypy = pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason=f"{sys.executable} does not have mypy")


def test_stubs_are_current(tmp_path):
    subprocess.run([sys.executable, str(TOP / "scripts" / "stubs"), str(tmp_path)], check=True, timeout=60)
    for name in ("__init__.pyi", "linalg.pyi"):
        assert (tmp_path / name).read_text() == (PACKAGE / name).read_text(), "run `make docs`"


def declared(body):
    """Names that statements of a stub make."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def public(names):
    return {name for name in names if not name.startswith("_")}


def test_all_public_names_are_declared():
    assert set(numd.__all__) - {"_rebuild"} <= set(declared(STUB.body))
    assert all(hasattr(numd, name) for name in public(declared(STUB.body)) - set(imported()))


def imported():
    return [alias.asname or alias.name for node in STUB.body if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names]


@pytest.mark.parametrize("name", ["Array", "Session", "Future", "Memory", "Operation"])
def test_classes_have_the_same_members(name):
    inherited = set() if name != "Operation" else {"count", "index"}
    inherited |= {"count", "index"} if name == "Memory" else set()
    assert public(declared(CLASSES[name].body)) == public(dir(getattr(numd, name))) - inherited


def test_results_have_the_same_fields():
    a, b = numd.eye(3), numd.ones(3)
    named = [numd.qr(a), numd.svd(a), numd.eigh(a), numd.eig(a), numd.slogdet(a), numd.lstsq(a, b), numd.unique_all(b),
             numd.unique_counts(b), numd.unique_inverse(b), numd.finfo(numd.float32), numd.iinfo(numd.int8)]
    for result in named:
        assert tuple(declared(CLASSES[f"_{type(result).__name__}"].body)) == result._fields
    assert len(named) == sum(name.endswith("Result") for name in CLASSES)


def test_operators_of_arrays_are_declared():
    wanted = {name for name in vars(numd.Array) if name.startswith("__")}
    wanted -= {"__doc__", "__module__", "__reduce__", "__array_priority__"}
    wanted -= {"__release_buffer__"}  # of the buffer protocol, where Python 3.12 shows it
    assert wanted - {"__repr__", "__str__", "__new__", "__delitem__"} <= set(declared(CLASSES["Array"].body))


def test_functions_take_the_same_parameters():
    compared = 0
    for node in STUB.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.name == "function":
            continue
        args = node.args
        wanted = [a.arg for a in (*args.posonlyargs, *args.args, *filter(None, [args.vararg]), *args.kwonlyargs)]
        assert list(inspect.signature(getattr(numd, node.name)).parameters) == wanted, node.name
        compared += 1
    assert compared > 150


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """Runs mypy. What it found out of NumPy's stubs, which takes it seconds, is kept for the next time."""
    place = tmp_path_factory.mktemp("mypy")

    def run(*paths):
        env = os.environ | {"MYPYPATH": str(pathlib.Path(numd.__file__).parents[1])}
        words = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(place)]
        words += map(str, paths)
        return subprocess.run(words, cwd=place, env=env, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    return run


@needs_mypy
def test_right_programs(mypy):
    examples = sorted((TOP / "client" / "examples").glob("*.py"))
    assert mypy(HERE / "typing_cases.py", *examples) == ""


@needs_mypy
def test_wrong_programs(mypy):
    path = HERE / "typing_mistakes.py"
    wanted = {(i, line.split("# error: ")[1]) for i, line in enumerate(path.read_text().splitlines(), 1) if "# error: " in line}
    found = {(int(line), code) for line, code in re.findall(r":(\d+): error: .*\[([\w-]+)\]$", mypy(path), re.M)}
    assert len(wanted) > 5 and found == wanted


def test_the_cases_run(daemon):
    done = subprocess.run([sys.executable, str(HERE / "typing_cases.py")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stdout
