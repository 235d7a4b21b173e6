# SPDX-License-Identifier: BSD-3-Clause
"""What operations are given: Arrays, values that are being traced, and what becomes an Array; and named results."""

import numpy as np

from .. import _numd


def is_array(x):
    return isinstance(x, _numd.Array)


def is_traced(x):
    """Whether it stands for a value of a function that is being traced."""
    return hasattr(type(x), "__numd_apply__")


def operand(x):
    """An Array or a traced value as it is; anything else as an Array."""
    return x if is_array(x) or is_traced(x) else _numd.asarray(x)


def operand_of(dtype, x):
    """An operand of that dtype."""
    return _numd.rows.astype(x, dtype=dtype) if is_traced(x) else _numd.asarray(x, dtype)


def beside(array, value):
    """What NumPy has as an Array of the session of another one."""
    copy = _numd._empty_beside(array, value.shape, value.dtype)
    np.copyto(np.asarray(copy), value)
    return copy


def given(**parameters):
    """The parameters that are not None."""
    return {name: value for name, value in parameters.items() if value is not None}


def named(name, *items):
    """The result of that name in `results`."""
    from . import results

    return getattr(results, name)(*items)
