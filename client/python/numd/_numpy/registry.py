# SPDX-License-Identifier: BSD-3-Clause
"""Which of NumPy's functions numd computes, and by what: filled by the modules that `dispatch` imports.

An implementation has NumPy's signature as far as it goes. What it does not do it says by a TypeError, also one
about its arguments, and NumPy does it.
"""

import numpy as np

NUMPY_1 = np.__version__.startswith("1.")
TABLE = {}


def find(name):
    """NumPy's function of that dotted name; None if this NumPy has none."""
    value = np
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def enter(name, implementation):
    function = find(name)
    if function is not None:
        TABLE[function] = implementation


def implements(*names):
    """Enter a function for NumPy's functions of these names."""

    def decorate(function):
        for name in names:
            enter(name, function)
        return function

    return decorate


class NotHere(TypeError):
    """What the daemon does not do."""


def need(condition):
    if not condition:
        raise NotHere("not for these arguments")
