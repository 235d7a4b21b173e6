# SPDX-License-Identifier: BSD-3-Clause
"""Docstrings of everything public: numpydoc sections that name the parameters there are, examples that are true."""

import doctest
import inspect
import pickle
import re
import types

import numpy as np
import pytest

import numd
from numd._standard import results

# What gives nothing, so that there is nothing to say of its result.
NO_RESULT = {"publish", "unpublish", "Session.ping", "Session.close", "Future.add_done_callback", "Array.fill"}
# Not ours: concurrent.futures and collections document these.
INHERITED = {"Executor.map", "Executor.shutdown", "Memory.index", "Memory.count", "Operation.index", "Operation.count"}
# Attributes of a named tuple are documented where it is.
FIELDS = {f"Operation.{name}" for name in numd.Operation._fields}
AS_ANOTHER = re.compile(r"As (numd|numpy\.ndarray)\.(\w+)(, with this array as the first operand)?\.")


def public():
    """(name, object) of everything that has a docstring of its own."""
    for name in numd.__all__:
        thing = getattr(numd, name)
        if name == "_rebuild" or isinstance(thing, (types.ModuleType, np.dtype, float, str)) or thing is None:
            continue
        yield name, thing
        if not isinstance(thing, type) or issubclass(thing, Exception):
            continue
        for member in dir(thing):
            full = f"{name}.{member}"
            if not member.startswith("_") and full not in INHERITED | FIELDS:
                yield full, inspect.getattr_static(thing, member)


THINGS = dict(public())
CALLABLE = [name for name, thing in THINGS.items() if inspect.isroutine(thing)]


def sections(text):
    """The text before the first section, and the others by their titles."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$\n?", inspect.cleandoc(text), flags=re.M)
    return parts[0], dict(zip(parts[1::2], parts[2::2]))


def parameters(thing):
    """Names of the parameters, or None where Python cannot tell."""
    try:
        found = inspect.signature(thing).parameters
    except ValueError:
        return None
    return [name for name in found if name != "self"]


def described(text):
    """Names in a Parameters section: "x1, x2 : array_like" has two."""
    entries = re.findall(r"^(\S[^:\n]*?)(?: : .*)?$", text, flags=re.M)
    return [name.lstrip("*") for entry in entries for name in entry.split(", ")]


def test_there_are_many():
    assert len(THINGS) > 250 and {"sum", "Array.reshape", "Executor.submit", "Future.result", "function.explain"} <= set(THINGS)


@pytest.mark.parametrize("name", THINGS)
def test_it_has_a_summary(name):
    text = inspect.getdoc(THINGS[name])
    assert text, name
    summary = sections(text)[0].split("\n\n")[0]
    assert summary.rstrip().endswith((".", ":"))
    assert not summary[0].islower() or re.match(r"x\d?\b|\w+\(|log10|e\^", summary)


@pytest.mark.parametrize("name", CALLABLE)
def test_parameters_and_results_are_described(name):
    text = inspect.getdoc(THINGS[name])
    same = AS_ANOTHER.fullmatch(text.strip())
    if same:
        places = [numd] if same[1] == "numd" else [np.ndarray, np]  # NumPy 2 has ptp as a function alone
        assert any(getattr(getattr(place, same[2], None), "__doc__", None) for place in places)
        return
    found, names = sections(text)[1], parameters(THINGS[name])
    assert names is not None, f"the signature of {name} is not one"
    if names:
        assert sorted(described(found["Parameters"])) == sorted(names)
    assert ("Returns" in found) != (name in NO_RESULT)


@pytest.mark.parametrize("name", [name for name, thing in THINGS.items() if ">>>" in (inspect.getdoc(thing) or "")])
def test_examples(daemon, name):
    text = inspect.getdoc(THINGS[name])
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    said = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert results.failed == 0 and results.attempted > 1, "".join(said)


def test_functions_pickle_by_their_names():
    """So that they can be given to an executor."""
    for name in CALLABLE:
        if "." not in name:
            assert pickle.loads(pickle.dumps(THINGS[name])) is THINGS[name]


def test_pickles_name_nothing_inside_the_package():
    """Modules may move: what was pickled before is loaded all the same."""
    functions = [THINGS[name] for name in CALLABLE if "." not in name and isinstance(THINGS[name], types.FunctionType)]
    classes = [thing for thing in THINGS.values() if isinstance(thing, type)]
    named = [thing for thing in vars(results).values() if hasattr(thing, "_fields")]
    assert len(functions) > 50 and len(classes) > 20 and len(named) > 10
    for thing in functions + classes + named:
        assert thing.__module__ == "numd" and pickle.loads(pickle.dumps(thing)) is thing
    assert pickle.loads(pickle.dumps(numd.finfo("float32"))) == numd.finfo("float32")
