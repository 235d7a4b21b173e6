# SPDX-License-Identifier: BSD-3-Clause
"""Tracing: a Python function is run once on stand-ins that record what it does.

A `Graph` collects the values of the program in order; a `Tracer` stands for one of them. The extension turns the
record into a program.

Shapes and dtypes are inferred, so that the function may look at them.
"""

import numpy as np

from .. import _numd
from .._errors import refuse, where_called
from .._standard.operations import OPS, PARAMETERS
from .._standard.shape import axes_of
from .infer import infer_dtypes, infer_shapes
from .pytree import LEAF, Static, call, put_together, take_apart
from .tracer import Tracer

# Rows whose `axis` is a set of axes, which the extension wants counted from the front.
TAKES_AXES = {name for name, taken in PARAMETERS.items() if any(kind == "MASK" for _, kind, _ in taken)}


def trace(function, args, structure):
    """Run the function; the answer is what plan.c documents.

    `args` are the leaves of its arguments, `structure` is theirs, or None if they are the arguments.
    """
    graph = Graph()
    stand_ins = [graph.argument(arg) for arg in args]
    traced = function(*stand_ins) if structure is None else call(function, structure, stand_ins)
    outputs, build = graph.results(traced)
    no_dims = tuple(output.shape == () for output in outputs)
    nodes, numbers = leaves_first(graph.nodes)
    return nodes, tuple(graph.captured), tuple(numbers[o._number] for o in outputs), no_dims, build


def leaves_first(nodes):
    """The nodes in the order that a program wants, and the new number of each old one."""
    order = sorted(range(len(nodes)), key=lambda i: nodes[i][0] in ("op", "part"))
    numbers = {old: new for new, old in enumerate(order)}

    def renumbered(node):
        return node[:2] + (tuple(numbers[i] for i in node[2]),) + node[3:] if node[0] == "op" else node

    return tuple(renumbered(nodes[i]) for i in order), numbers


class Graph:
    """The values of a program, as they are made."""

    def __init__(self):
        self.nodes = []
        self.captured = []
        self.known = {}  # id of a captured array: its tracer
        self.made = {}  # constants and operations that were recorded, for what is computed twice

    def add(self, node, shape, dtype, sample=None):
        self.nodes.append(node)
        return Tracer(self, len(self.nodes) - 1, shape, dtype, sample)

    def argument(self, arg):
        if isinstance(arg, _numd.Array):
            return self.add(("input", arg), arg.shape, arg.dtype)
        return self.scalar("scalar", arg)

    def scalar(self, kind, value):
        """A Python number, which is weak."""
        return self.add((kind, value), (), _numd.result_type(value), value)

    def value(self, operand):
        """The tracer for anything that an operation may be given."""
        if isinstance(operand, Tracer):
            if operand._graph is not self:
                refuse("a traced value was kept and used after its function ended")
            return operand
        if isinstance(operand, complex) and not isinstance(operand, np.generic):
            self.captured.append(operand)  # no constant: they have 8 bytes
            return self.scalar("scalar", operand)
        if isinstance(operand, (bool, int, float)) and not isinstance(operand, np.generic):
            key = type(operand), repr(operand)
            if key not in self.made:
                self.made[key] = self.scalar("constant", operand)
            return self.made[key]
        return self.capture(operand)

    def capture(self, operand):
        array = _numd.asarray(stacked_if_traced(operand))
        if id(array) not in self.known:
            self.captured.append(array)  # and kept, so that the id stays its own
            self.known[id(array)] = self.add(("input", array), array.shape, array.dtype)
        return self.known[id(array)]

    def apply(self, name, operands, params=None, again=False):
        """Record an operation; parameters by the keywords of the extension, None for absent ones.

        The same operation on the same values is not recorded twice, but `again`.
        """
        op, values = OPS[name], [self.value(operand) for operand in operands]
        params = {key: value for key, value in (params or {}).items() if value is not None}
        if op.n_inputs >= 0 and len(values) != op.n_inputs:
            refuse(f"{name}() takes {op.n_inputs} operands, not {len(values)}")
        shapes = [value.shape for value in values]
        if name in TAKES_AXES and "axis" in params:
            params["axis"] = tuple(axes_of(params["axis"], len(shapes[0])))
        try:
            results = infer_shapes(op, shapes, params)
        except (ValueError, IndexError):
            text = " and ".join(map(str, shapes))
            raise ValueError(f"{name}(): shapes {text} do not match ({where_called()})") from None
        if results is None:
            what = f"the shape of what {name}() gives depends on the data, and cannot be traced"
            refuse(f"{what}: use numd.where or a mask")
        numbers = tuple(value._number for value in values)
        key = op.number, numbers, repr(sorted(params.items()))
        if key in self.made and not again:
            return self.made[key]
        dtypes = infer_dtypes(op, [value._weak for value in values], params)
        first = self.add(("op", op.number, numbers, params), results[0], dtypes[0])
        rest = [self.add(("part", i), results[i], dtypes[i]) for i in range(1, len(results))]
        self.made[key] = (first, *rest) if rest else first
        return self.made[key]

    def results(self, traced):
        """The output of each leaf, and what puts them together.

        That is None if there is but one, True for a tuple of them, else a function of a list.
        """
        found = []

        def leaf(value, place):
            if value is None:
                return Static(None, type(None))
            found.append(value)
            return LEAF

        structure = take_apart(traced, leaf)
        if not found:
            refuse("a traced function gives nothing to compute")
        outputs = self.outputs(found)
        if structure is LEAF:
            return outputs, None
        if structure.type is tuple and all(child is LEAF for child in structure.children):
            return outputs, True
        return outputs, lambda arrays: put_together(structure, iter(arrays))

    def outputs(self, traced):
        """An output is the result of an operation and of nothing else, so some need a copy."""
        seen = set()
        outputs = []
        for item in traced:
            output = self.value(item)
            if self.nodes[output._number][0] not in ("op", "part") or output._number in seen:
                output = self.apply("copy", [output], again=True)
            seen.add(output._number)
            outputs.append(output)
        return outputs


def stacked_if_traced(operand):
    """What is captured is known now, so it holds no traced value."""
    if isinstance(operand, (list, tuple)) and any(isinstance(each, (Tracer, list, tuple)) for each in operand):
        if any(isinstance(each, Tracer) for each in flattened(operand)):
            refuse("a list with a traced value in it is no array: use numd.stack")
    if operand is None or isinstance(operand, (str, bytes)):
        refuse(f"{operand!r} is no array and no number")
    return operand


def flattened(values):
    for each in values:
        if isinstance(each, (list, tuple)):
            yield from flattened(each)
        else:
            yield each
