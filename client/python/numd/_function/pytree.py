# SPDX-License-Identifier: BSD-3-Clause
"""Arguments and results that are tuples, lists and dicts of values: taken apart and put together.

A structure is what is left of nested containers when their values are taken out. It is hashable, so that plans
can be found by it, and holds the values of static arguments.
"""

import inspect
import operator
import weakref
from typing import Any, NamedTuple

import numpy as np

from .. import _numd
from .._errors import TraceError
from .._standard.operands import is_traced

NUMBERS = (bool, int, float, complex, np.generic)


class Leaf:
    """Where a value was."""

    def __repr__(self):
        return "*"


LEAF = Leaf()


class Static(NamedTuple):
    """A value that is a part of the structure; 1, 1.0 and True are different ones, as are 0.0 and -0.0."""

    value: Any
    kind: Any

    def get(self):
        return self.value


def kind(value):
    """What tells apart values that compare equal."""
    if isinstance(value, (float, complex)):
        return type(value), repr(value)
    if isinstance(value, tuple):
        return type(value), tuple(map(kind, value))
    if isinstance(value, frozenset):
        return type(value), frozenset(map(kind, value))
    return type(value)


class Same:
    """An object by its identity, which is not kept alive."""

    def __init__(self, value):
        self.id = id(value)
        self.get = weakref.ref(value)

    def __hash__(self):
        return hash(self.id)

    def __eq__(self, other):
        return isinstance(other, Same) and self.get() is other.get() is not None


class Container(NamedTuple):
    type: type
    keys: tuple
    children: tuple


def contents(value):
    """The keys and values of a container that is looked into, or None."""
    if type(value) is dict:
        return tuple(value), value.values()
    if type(value) in (tuple, list) or is_namedtuple(value):
        return (), value
    return None


def is_namedtuple(value):
    return isinstance(value, tuple) and hasattr(value, "_fields") and hasattr(value, "_make")


def take_apart(value, leaf, place=""):
    """The structure of a value. `leaf(value, place)` gives what stands for one that is no container."""
    inside = contents(value)
    if inside is None:
        return leaf(value, place)
    keys, values = inside
    children = [take_apart(each, leaf, f"{place}[{keys[i] if keys else i!r}]") for i, each in enumerate(values)]
    return Container(type(value), keys, tuple(children))


def put_together(structure, leaves):
    """The value of that structure; `leaves` is an iterator over its leaves."""
    if structure is LEAF:
        return next(leaves)
    if not isinstance(structure, Container):
        return structure.get()
    children = [put_together(child, leaves) for child in structure.children]
    if structure.type is dict:
        return dict(zip(structure.keys, children))
    return structure.type._make(children) if hasattr(structure.type, "_make") else structure.type(children)


def is_value(value):
    """Whether it can be an input of a program."""
    return (
        isinstance(value, (_numd.Array, np.ndarray) + NUMBERS)
        or is_traced(value)
        or hasattr(value, "__array__")
        or hasattr(value, "__array_interface__")
        or isinstance(value, (memoryview, bytearray))
    )


class Parameters:
    """The parameters of a function: which of them are static, and the structures of arguments seen so far."""

    MAX_STRUCTURES = 1024  # then they are forgotten: the plans that are in use keep theirs

    def __init__(self, function, static):
        self.name = getattr(function, "__qualname__", repr(function))
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        by_position = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self.names = by_position
        self.static = set()
        for one in (static,) if isinstance(static, (str, int)) else static:
            self.static.update(self.both_ways(one, {p.name for p in parameters}))
        self.structures = {}

    def both_ways(self, one, known):
        """A static parameter's name and position."""
        if isinstance(one, str):
            if one not in known:
                raise TypeError(f"{self.name}() has no parameter '{one}' that could be static")
            return {one, self.names.index(one)} if one in self.names else {one}
        number = operator.index(one)
        if not -len(self.names) <= number < len(self.names):
            raise TypeError(f"{self.name}() has no parameter {number} that could be static")
        number %= len(self.names)
        return {number, self.names[number]}

    def argument(self, key, value, leaves):
        name = key if isinstance(key, str) else self.names[key] if key < len(self.names) else f"argument {key}"

        def leaf(each, place):
            if is_value(each):
                leaves.append(each)
                return LEAF
            raise TraceError(
                f"{self.name}(): {name}{place} is {describe(each)}; what is no array, no number and no tuple, list or "
                f"dict of these must be static: numd.function(static=({name!r},))"
            )

        if key in self.static:
            return self.static_argument(name, value)
        if key == 0 and name == "self" and not is_value(value) and contents(value) is None:
            return Same(value)
        return take_apart(value, leaf)

    def static_argument(self, name, value):
        if is_traced(value):
            raise TraceError(f"{self.name}(): the static argument {name} is a value that is being traced")
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                f"{self.name}(): the static argument {name} must be hashable, and {describe(value)} is not"
            ) from None
        return Static(value, kind(value))

    def flatten(self, args, kwargs):
        """The structure of arguments, their leaves, and whether one of these is being traced.

        Equal structures are the same object as long as the plans made for them are kept.
        """
        leaves = []
        positional = tuple(self.argument(i, value, leaves) for i, value in enumerate(args))
        names = tuple(sorted(kwargs))
        by_name = tuple(self.argument(name, kwargs[name], leaves) for name in names)
        structure = Container(Parameters, names, positional + by_name)
        if len(self.structures) >= self.MAX_STRUCTURES:
            self.structures.clear()
        return self.structures.setdefault(structure, structure), tuple(leaves), any(map(is_traced, leaves))


def call(function, structure, leaves):
    """Call the function with the arguments of that structure."""
    leaves, names = iter(leaves), structure.keys
    values = [put_together(child, leaves) for child in structure.children]
    n = len(values) - len(names)
    return function(*values[:n], **dict(zip(names, values[n:])))


def describe(value):
    return "None" if value is None else f"a {type(value).__name__}"
