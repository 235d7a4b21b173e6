# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's ufuncs on Arrays, beyond plain calls of a row (those never come here), and on values that are being
traced.

`call` is __array_ufunc__: methods of ufuncs, keywords, and ufuncs that are made of several rows. What a
function here cannot do it says by a TypeError, and NumPy does it.
"""

import math

import numpy as np

from .. import _numd
from .._errors import TraceError, refuse
from .._standard.operands import is_traced, operand, operand_of
from .._standard.operations import OPS
from .._standard.rows import rows
from . import fallback
from .names import NUMPY_NAMES

Array = _numd.Array
INDEX = {name: i for i, name in enumerate(OPS)}

# Ufuncs with the name of a row but another meaning for some dtypes.
PARTIAL = ("fabs", "float_power", "rint")


def row_of(name):
    """The ufunc that NumPy has under this name, and the row that computes it; or None."""
    ufunc, op = getattr(np, name, None), OPS[NUMPY_NAMES.get(name, name)]
    if name in PARTIAL or not isinstance(ufunc, np.ufunc):
        return None
    return (ufunc, op.name) if (ufunc.nin, ufunc.nout) == (op.n_inputs, op.n_outputs) else None


NAMES = dict(filter(None, map(row_of, [*OPS, *NUMPY_NAMES])))
ROWS = {ufunc: INDEX[name] for ufunc, name in NAMES.items()}
UFUNCS = {name: ufunc for ufunc, name in NAMES.items()}


def known(x):
    """Whether we may compute with it: not if it takes care of ufuncs itself, as others' arrays do."""
    own = getattr(type(x), "__array_ufunc__", np.ndarray.__array_ufunc__)
    known_to_us = own is np.ndarray.__array_ufunc__ or own is Array.__array_ufunc__ or is_traced(x)
    return known_to_us and not isinstance(x, (str, bytes)) and x is not None


def call(ufunc, method, inputs, kwargs):
    outs = [out for out in kwargs.get("out", ()) if out is not None]
    if not all(map(known, [*inputs, *outs])):
        return NotImplemented
    if method in METHODS:
        try:
            return METHODS[method](ufunc, *inputs, **kwargs)
        except TypeError as error:
            if is_final(error):
                raise
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    return fallback.run(name, getattr(ufunc, method), inputs, kwargs)


def is_final(error):
    """Whether NumPy could do no better."""
    return isinstance(error, TraceError) or getattr(error, "status", None) == "ECAST"


def operator(name, inputs, out):
    """An operator whose row refused the operands: NumPy's ufunc on them."""
    ufunc = UFUNCS[name]
    return fallback.run(ufunc.__name__, ufunc, inputs, {} if out is None else {"out": (out,)})


# ---- Ufuncs of several rows, and those whose row has another meaning for some dtypes


def only(kinds, *operands):
    dtype = _numd.result_type(*(x.dtype if is_traced(x) else x for x in operands))
    if dtype.kind not in kinds:
        raise TypeError(f"not for {dtype}")
    return dtype


def fabs(x):
    only("f", x)
    return rows.abs(x)


def float_power(x, y):
    wide = "complex128" if only("biufc", x, y).kind == "c" else "float64"
    return rows.pow(operand_of(wide, x), operand_of(wide, y))


def rint(x):
    only("fc", x)
    return rows.round(x)


def exp2(x):
    only("f", x)
    return rows.pow(2.0, x)


def degrees(x):
    only("f", x)
    return rows.multiply(x, 180 / math.pi)


def radians(x):
    only("f", x)
    return rows.multiply(x, math.pi / 180)


def divmod_(x, y):
    return rows.floor_divide(x, y), rows.remainder(x, y)


COMPOSED = {
    np.fabs: fabs, np.float_power: float_power, np.rint: rint, np.exp2: exp2, np.degrees: degrees,
    np.rad2deg: degrees, np.radians: radians, np.deg2rad: radians, np.divmod: divmod_,
}  # fmt: skip


def implementation(ufunc):
    if ufunc in NAMES:
        return getattr(rows, NAMES[ufunc])
    if ufunc in COMPOSED:
        return COMPOSED[ufunc]
    raise TypeError(f"no row for {ufunc.__name__}")


# ---- Calls


def elementwise(ufunc, *inputs, out=None, where=True, dtype=None, casting="same_kind", order="K", subok=True):
    compute = implementation(ufunc)
    if len(inputs) != ufunc.nin or casting != "same_kind" or order not in ("K", "C"):
        raise TypeError("not by rows")
    if dtype is not None:
        inputs = [cast(x, np.dtype(dtype)) for x in inputs]
    results = compute(*inputs)
    several = isinstance(results, tuple)
    results = results if several else (results,)
    if dtype is not None and results[0].dtype != dtype:
        raise TypeError("the dtype is not that of the operands")
    stored = [store(*pair, where) for pair in zip(results, out or (None,) * len(results), strict=True)]
    return tuple(stored) if several else stored[0]


def cast(x, dtype):
    """As NumPy casts operands to the dtype of a call."""
    if not np.can_cast(getattr(x, "dtype", None) or np.min_scalar_type(x), dtype, "same_kind"):
        raise TypeError(f"an operand does not become {dtype}")
    return operand_of(dtype, x)


def store(result, out, where=True):
    """The result; put into `out`, and there only where the mask is true, if they are given."""
    if out is None:
        return result if where is True else rows.where(mask_of(where), result, result)
    if is_traced(result) or is_traced(out):
        refuse("out= cannot be used in a function that is being traced: assign the result to the name")
    if not isinstance(out, Array):
        np.copyto(out, np.asarray(result), casting="same_kind", where=np.asarray(where))
        return out
    if where is True:
        fitting = result if result.shape == out.shape else rows.broadcast_to(result, shape=out.shape)
        return rows.copy(fitting, out=out)
    return rows.where(mask_of(where), result, out, out=out)


def mask_of(where):
    mask = where if isinstance(where, Array) or is_traced(where) else np.asarray(where)
    if mask.dtype != bool:
        raise TypeError("where is a mask of bool")
    return mask


# ---- Methods of ufuncs

NOT_GIVEN = object()
REDUCTIONS = {
    np.add: ("sum", 0), np.multiply: ("prod", 1), np.maximum: ("max", None), np.minimum: ("min", None),
    np.logical_and: ("all", True), np.logical_or: ("any", False),
}  # fmt: skip
SCANS = {np.add: "cumulative_sum", np.multiply: "cumulative_prod"}


def one(out):
    """The only array of the tuple that NumPy makes of `out`."""
    return out[0] if isinstance(out, tuple) else out


def reduce(ufunc, x, axis=0, dtype=None, out=None, keepdims=False, initial=NOT_GIVEN, where=True):
    if ufunc not in REDUCTIONS:
        raise TypeError("no such reduction")
    name, identity = REDUCTIONS[ufunc]
    x = operand(x)
    return reduction(name, ufunc, identity, x, axis, dtype, one(out), keepdims, initial, where)


def reduction(name, ufunc, identity, x, axis, dtype, out, keepdims, initial, where):
    options = {"keepdims": bool(keepdims)}
    if axis is not None:
        options["axis"] = axis
    if dtype is not None:
        options["dtype"] = dtype
    if where is not True:
        x = filled(x, where, neutral(x, initial) if identity is None else identity)
    if initial is not NOT_GIVEN and initial is not None:
        if not x.size and identity is None:
            raise TypeError("an empty array has no greatest element")
        result = getattr(rows, name)(x, **options)
        return store(getattr(rows, NAMES[ufunc])(result, _numd.asarray(initial, result.dtype)), out)
    if isinstance(out, Array):
        options["out"], out = out, None
    return store(getattr(rows, name)(x, **options), out)


def neutral(x, initial):
    if initial is NOT_GIVEN or initial is None:
        raise TypeError("without an identity where= needs initial=")
    return _numd.asarray(initial, x.dtype)


def filled(x, where, value):
    """x with a neutral value where the mask is false."""
    if x.dtype == bool and type(value) is int:
        x = rows.astype(x, dtype="int64")
    return rows.where(mask_of(where), x, value)


def accumulate(ufunc, x, axis=0, dtype=None, out=None):
    if ufunc not in SCANS:
        raise TypeError("no such scan")
    return store(getattr(rows, SCANS[ufunc])(operand(x), axis=axis, dtype=dtype), one(out))


def outer(ufunc, x, y, **kwargs):
    x, y = operand(x), operand(y)
    return elementwise(ufunc, x.reshape(x.shape + (1,) * y.ndim), y, **kwargs)


METHODS = {"__call__": elementwise, "reduce": reduce, "accumulate": accumulate, "outer": outer}
