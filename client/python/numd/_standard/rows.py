# SPDX-License-Identifier: BSD-3-Clause
"""The list of operations as Python sees it, and documentation made from it.

`rows` has a function for each row, made by the extension: inputs by position, parameters by their names.
Most of them are public as they are. Where the standard's calling conventions are others, a function in
front of it is written in Python and decorated with `row`, which writes its documentation from the list.
"""

import inspect

from .. import _numd
from .._errors import public

rows = _numd.rows
NAMES = [row[1] for row in _numd._ops]

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
    "rcond": ("float, optional", "The same as `rtol`."),
    "device": ("str, optional", "'cpu', the only one."),
    "copy": ("bool, optional", "Whether to copy; by default where it is needed."),
    "dtype": ("dtype, optional", "Of the result."),
    "session": ("Session, optional", "Where to make it; the default session if it is None."),
}

# What functions give: by the name of the row unless it is an Array.
_RESULTS = {
    "eig": "EigResult\n    Named tuple of eigenvalues and eigenvectors.",
    "eigh": "EighResult\n    Named tuple of eigenvalues and eigenvectors.",
    "lstsq": "LstsqResult\n    Named tuple of x, residuals, rank and singular_values.",
    "nonzero": "tuple of Array\n    The indices along each axis.",
    "qr": "QRResult\n    Named tuple of Q and R.",
    "slogdet": "SlogdetResult\n    Named tuple of sign and logabsdet.",
    "svd": "SVDResult\n    Named tuple of U, S and Vh.",
    "unique_all": "UniqueAllResult\n    Named tuple of values, indices, inverse_indices and counts.",
    "unique_counts": "UniqueCountsResult\n    Named tuple of values and counts.",
    "unique_inverse": "UniqueInverseResult\n    Named tuple of values and inverse_indices.",
}


def row(name):
    """Decorate the function that stands before a row: document it."""

    def decorate(function):
        function.__doc__ = document(_numd._ops[NAMES.index(name)], function)
        return public(function)

    return decorate


def parameters(row):
    """The parameters that a row takes, as (keyword, type, documentation)."""
    return [parameter for bit, parameter in enumerate(_numd._params) if row[7] >> bit & 1]


def document(row, function):
    """Numpydoc from the row; what the function's own docstring says goes to Notes, but for its Examples."""
    text = [sentence(row[10]), "", "Parameters", "----------"]
    code, taken = function.__code__, parameters(row)
    n_arguments = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    for argument in code.co_varnames[:n_arguments]:
        kind, what = _describe(taken, argument)
        text += [f"{argument} : {kind}", f"    {what}"]
    text += ["", "Returns", "-------", _RESULTS.get(row[1], "Array")]
    notes, _, examples = inspect.cleandoc(function.__doc__ or "").partition("Examples\n--------\n")
    for title, part in (("Notes", notes), ("Examples", examples)):
        if part:
            text += ["", title, "-" * len(title), part.rstrip()]
    return "\n".join(text) + "\n"


def sentence(text):
    """With a capital letter, unless it begins with a name or a formula."""
    word = text.split()[0].rstrip(",;:")
    return f"{text[0].upper() if word.isalpha() and word != 'x' else text[0]}{text[1:]}."


def _describe(taken, argument):
    if argument in _ARGUMENTS:
        return _ARGUMENTS[argument]
    for name, kind, what in taken:
        if name == argument:
            return f"{_numd._param_types[kind]}, optional", sentence(what)
    return "scalar", "See above."
