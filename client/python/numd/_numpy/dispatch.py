# SPDX-License-Identifier: BSD-3-Clause
"""__array_function__: NumPy's functions on Arrays, and on values that are being traced.

A result without dimensions is a scalar of NumPy's, as NumPy itself gives it; numd's own functions give Arrays.
"""

import functools
import importlib

import numpy as np

from .. import _numd
from .._numd import Array
from .._standard.operands import is_traced
from . import fallback
from .registry import TABLE, find
from .ufuncs import is_final

for _name in ("einsum", "elements", "linalg", "reduce", "series", "shape"):  # each fills its part of the table
    importlib.import_module(f"numd._numpy.{_name}")

# These only look at arrays, or write them somewhere else: NumPy does it on a view, which is no fallback.
LOOKING = {
    find(name)
    for name in [
        "can_cast", "min_scalar_type", "common_type",
        "may_share_memory", "shares_memory", "array2string", "array_repr", "array_str", "save", "savez",
        "savez_compressed", "savetxt", "result_type", "broadcast_shapes",
    ]
} - {None}  # fmt: skip


# These give arrays without dimensions, some of them views, where others give scalars.
ARRAYS = {
    find(name)
    for name in [
        "array_split", "asarray_chkfinite", "atleast_1d", "broadcast_arrays", "broadcast_to", "copy", "cov",
        "diag_indices_from", "dsplit", "empty_like", "expand_dims", "full_like", "hsplit", "moveaxis", "ones_like", "real", "imag", "reshape",
        "rollaxis", "select", "split", "squeeze", "swapaxes", "tensordot", "transpose", "permute_dims", "vsplit", "where",
        "zeros_like", "matrix_transpose",
    ]
} - {None}  # fmt: skip


def call(function, types, args, kwargs):
    result = compute(function, types, args, kwargs)
    if function in ARRAYS or kwargs.get("out") is not None or any(result is arg for arg in args):
        return result
    return values(result)


def values(result):
    """With a scalar for each Array without dimensions."""
    if isinstance(result, Array):
        return _numd._value(result)
    if type(result) in (tuple, list):
        return type(result)(map(values, result))
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*map(values, result))
    return result


def compute(function, types, args, kwargs):
    if not all(one is Array or issubclass(one, np.ndarray) or hasattr(one, "__numd_apply__") for one in types):
        return NotImplemented
    if function in LOOKING:
        name = name_of(function)
        return function(*fallback.plain(args, [], name), **fallback.plain(kwargs, [], name))
    implementation = TABLE.get(function)
    if implementation is not None:
        try:
            return implementation(*args, **{k: v for k, v in kwargs.items() if v is not np._NoValue})
        except TypeError as error:
            if is_final(error):
                raise
    return fallback.run(name_of(function), function, args, kwargs)


def name_of(function):
    module = getattr(function, "__module__", "numpy") or "numpy"
    return f"{module}.{function.__name__}".removeprefix("numpy.")


def of_numpy(name):
    """The function of numd that has the name of one of NumPy's, by its dotted name; None if numd computes none."""
    theirs = find(name)
    if isinstance(theirs, type) or not callable(theirs) or theirs not in TABLE:
        return None

    @functools.wraps(theirs)
    def function(*args, **kwargs):
        if any(map(is_traced, (*args, *kwargs.values()))):
            return theirs(*args, **kwargs)  # of a traced value, which knows what to do
        return compute(theirs, (), args, kwargs)

    return function
