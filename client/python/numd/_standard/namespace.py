# SPDX-License-Identifier: BSD-3-Clause
"""The namespace of the array API standard, put together: a function for each operation, and the constants."""

import math

from . import arrange, create, info, linalg, search, shape
from .rows import NAMES, rows

e = math.e
inf = math.inf
nan = math.nan
newaxis = None
pi = math.pi


def function_of(name):
    """What stands before the row, or the row's own function."""
    for module in (shape, arrange, search, linalg, create, info):
        function = vars(module).get(name)
        if getattr(function, "__module__", None) == "numd":
            return function
    return getattr(rows, name)


# Slices are indexing, and full is made by the extension.
OPERATIONS = {name: function_of(name) for name in NAMES if name not in ("full", "slice")}
