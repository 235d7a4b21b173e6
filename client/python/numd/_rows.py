"""The list of operations as Python sees it, and documentation made from it.

`rows` has a function for each row, made by the extension: inputs by position, parameters by their names.
Most of them are public as they are. Where the standard's calling conventions are others, a function in
front of it is written in Python and decorated with `row`, which writes its documentation from the list.
"""

import inspect

from . import _numd

rows = _numd.rows
NAMES = [row[1] for row in _numd._ops]


def __getattr__(name):
    """OPS, PARAMETERS and Operation, which few programs ask for."""
    if name in ("OPS", "PARAMETERS", "Operation"):
        from . import _operations

        return getattr(_operations, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


_TYPES = {
    "MASK": "int or tuple of int",
    "FLAG": "bool",
    "DTYPE": "dtype",
    "AXIS": "int",
    "N": "int",
    "K": "int",
    "REAL": "float",
}

# What arguments are that no row has as a parameter, or that are told otherwise there.
_ARGUMENTS = {
    "x": ("array_like", "The operand."),
    "x1": ("array_like", "The first operand."),
    "x2": ("array_like", "The second operand."),
    "arrays": ("sequence of array_like", "What is joined."),
    "values": ("array_like", "What is stored."),
    "indices": ("array_like of int", "Indices, which may count from the end."),
    "mask": ("array_like of bool", "Where."),
    "out": ("Array, optional", "Where to store the result, cast by the same_kind rule."),
    "axes": ("int or tuple", "Axes, as the summary says."),
    "shape": ("int or tuple of int", "Lengths of the result."),
    "n_rows": ("int", "Rows."),
    "n_cols": ("int, optional", "Columns; as many as rows if it is None."),
    "start": ("scalar", "The first value."),
    "stop": ("scalar", "The bound, which is not reached unless `endpoint` says so."),
    "step": ("scalar, optional", "From one value to the next."),
    "num": ("int, optional", "How many values."),
    "endpoint": ("bool, optional", "Whether `stop` is the last value."),
    "offset": ("int, optional", "Diagonal: 0 the main one, positive above it."),
    "repeats": ("int or array_like of int", "How often; an array tells it for each element."),
    "min": ("array_like, optional", "Lower bound; none if it is None."),
    "max": ("array_like, optional", "Upper bound; none if it is None."),
    "prepend": ("array_like, optional", "What to put in front first."),
    "append": ("array_like, optional", "What to put behind first."),
    "side": ("{'left', 'right'}, optional", "Before equal elements, or behind them."),
    "sorter": ("array_like of int, optional", "Indices that sort `x1`."),
    "mode": ("{'reduced', 'complete'}, optional", "Shape of the factors."),
    "order": ("tuple of int, optional", "Axes in order; reversed by default."),
    "shift": ("int or tuple of int", "Places to move by, for each axis."),
    "ord": ("int, float or str, optional", "Order of the norm."),
    "device": ("str, optional", "'cpu', the only one."),
    "copy": ("bool, optional", "Whether to copy; by default where it is needed."),
    "dtype": ("dtype, optional", "Of the result."),
    "session": ("Session, optional", "Where to make it; the default session if it is None."),
}


def row(name):
    """Decorate the function that stands before a row: document it."""

    def decorate(function):
        function.__doc__ = document(_numd._ops[NAMES.index(name)], function)
        function.__module__ = "numd"
        return function

    return decorate


def parameters(row):
    """The parameters that a row takes, as (keyword, type, documentation)."""
    return [parameter for bit, parameter in enumerate(_numd._params) if row[7] >> bit & 1]


def document(row, function):
    text = [f"{row[10][0].upper()}{row[10][1:]}.", "", "Parameters", "----------"]
    code, taken = function.__code__, parameters(row)
    for argument in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)]:
        kind, what = _describe(taken, argument)
        text += [f"{argument} : {kind}", f"    {what}"]
    if function.__doc__:
        text += ["", "Notes", "-----", inspect.cleandoc(function.__doc__)]
    return "\n".join(text) + "\n"


def _describe(taken, argument):
    if argument in _ARGUMENTS:
        return _ARGUMENTS[argument]
    for name, kind, what in taken:
        if name == argument:
            what = what[0].upper() + what[1:]
            return f"{_TYPES.get(kind, 'int or tuple of int')}, optional", f"{what}."
    return "scalar", "See above."


def operand(x):
    """An Array or a traced value as it is; anything else as an Array."""
    if isinstance(x, _numd.Array) or hasattr(type(x), "__numd_apply__"):
        return x
    return _numd.asarray(x)


def given(**parameters):
    """The parameters that are not None."""
    return {name: value for name, value in parameters.items() if value is not None}


def named(name, *items):
    """The result of that name in _results."""
    from . import _results

    return getattr(_results, name)(*items)
