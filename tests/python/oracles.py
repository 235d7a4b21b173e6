# SPDX-License-Identifier: BSD-3-Clause
"""What each operation must give, by NumPy.

`ORACLES` has a function for each row of the list: it takes the inputs as ndarrays of the dtype in which the row
computes, and the row's parameters by their keywords, and gives what NumPy 2 would. A row without an oracle fails
test_every_row_has_an_oracle.
"""

import math

import numpy as np

# ---- Promotion, as the array API standard and NumPy 2 have it


def promoted(operands):
    """The dtype that the operands promote to; Python scalars are weak."""
    strong = [x.dtype for x in operands if isinstance(x, (np.ndarray, np.generic, np.dtype)) or hasattr(x, "dtype")]
    weak = [x for x in operands if not hasattr(x, "dtype")]
    dtype = strong[0] if strong else None
    for other in strong[1:]:
        dtype = standard(np.promote_types(dtype, other))
    for x in weak:
        own = np.asarray(x).dtype
        if dtype is None or rank(own) > rank(dtype):
            dtype = np.dtype("complex64") if dtype == np.float32 and own.kind == "c" else own
    return dtype


def standard(dtype):
    return np.dtype("float32") if dtype == np.float16 else dtype


def rank(dtype):
    """Of kinds in the order in which they promote; signed and unsigned are one."""
    return {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}[dtype.kind]


def computed_in(op, operands):
    """The dtype in which a row computes."""
    if op.typing == "SELECT":
        return promoted(operands[1:])
    if op.typing == "GATHER":
        return operands[0].dtype
    dtype = promoted(operands)
    if op.typing in ("QUOTIENT", "MEAN") and dtype.kind in "biu":
        return np.dtype("float64")
    if op.typing == "FLOAT" and dtype.kind in "biu":
        return np.dtype("float64" if dtype.itemsize > 2 else "float32")
    return dtype


# ---- Oracles

ORACLES = {}


def oracle(*names):
    def enter(function):
        ORACLES.update(dict.fromkeys(names, function))
        return function

    return enter


def same(*names):
    """Rows that are NumPy's function of that name."""
    ORACLES.update({name: getattr(np, name) for name in names})


def named(**names):
    """Rows that NumPy has under another name."""
    ORACLES.update({name: getattr(np, other) for name, other in names.items()})


def where_ints(ints, others):
    """One function of bool and integers, another of inexact numbers."""
    return lambda x: ints(x) if x.dtype.kind in "biu" else others(x)


same(
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "negative", "square", "reciprocal",
    "sqrt", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "hypot",
    "logaddexp", "copysign", "nextafter", "isfinite", "isinf", "isnan", "maximum", "minimum", "equal", "not_equal",
    "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not",
    "bitwise_and", "bitwise_or", "bitwise_xor", "where", "argmax", "argmin", "matmul", "dot",
    "outer", "isin", "real", "imag",
)  # fmt: skip
named(
    positive="array", copy="array", abs="absolute", asin="arcsin", acos="arccos", atan="arctan",
    asinh="arcsinh", acosh="arccosh", atanh="arctanh", atan2="arctan2", bitwise_invert="invert",
    bitwise_left_shift="left_shift", bitwise_right_shift="right_shift",
)  # fmt: skip

for _name, _function in {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "round": np.rint}.items():
    ORACLES[_name] = where_ints(np.array, _function)
ORACLES["conj"] = where_ints(np.array, np.conj)
ORACLES["clip"] = lambda x, low, high: np.minimum(np.maximum(x, low), high)
ORACLES["signbit"] = where_ints(lambda x: x < 0 if x.dtype.kind == "i" else np.zeros(x.shape, bool), np.signbit)


@oracle("pow")
def _(x, y):
    x, y = np.broadcast_arrays(x, y)
    power = np.power(x, y)
    if power.dtype.kind != "c":
        return power
    return np.where((x == 0) & (y.real > 0), 0, power)  # as NumPy 2 has it; NumPy 1 wants real exponents for that


@oracle("sign")
def _(x):
    if x.dtype.kind != "c":
        return np.sign(x)
    return np.where(x == 0, 0, x / np.where(x == 0, 1, np.abs(x)))


@oracle("astype")
def _(x, dtype):
    if x.dtype.kind == "c" and np.dtype(dtype).kind not in "cb":
        return x.real.astype(dtype)
    return x.astype(dtype)


# ---- Reductions; inexact numbers come wider than they were


def tuple_or_int(axis):
    return axis if axis is None or np.isscalar(axis) else tuple(axis)


def wide_integers(x):
    """What bool and integers are summed in."""
    return x.astype({"b": "int64", "i": "int64", "u": "uint64"}.get(x.dtype.kind, x.dtype))


def dtype_of_sum(x, dtype):
    return wide_integers(x) if dtype is None else x.astype(dtype)


@oracle("sum", "prod")
def _(x, axis=None, keepdims=False, dtype=None, name=None):
    return getattr(np, name)(dtype_of_sum(x, dtype), axis=tuple_or_int(axis), keepdims=keepdims)


@oracle("max", "min", "any", "all", "mean")
def _(x, axis=None, keepdims=False, name=None):
    return getattr(np, name)(x, axis=tuple_or_int(axis), keepdims=keepdims)


@oracle("var", "std")
def _(x, axis=None, keepdims=False, correction=0, name=None):
    return getattr(np, name)(x, axis=tuple_or_int(axis), keepdims=keepdims, ddof=correction)


@oracle("count_nonzero")
def _(x, axis=None, keepdims=False):
    return np.sum(x != 0, axis=tuple_or_int(axis), keepdims=keepdims, dtype="int64")


@oracle("vector_norm")
def _(x, axis=None, keepdims=False, ord=2):
    x, axis = np.abs(x if x.dtype.kind in "fc" else x.astype(float)), tuple_or_int(axis)
    if math.isinf(ord):
        return (np.max if ord > 0 else np.min)(x, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0).astype(x.dtype), axis=axis, keepdims=keepdims)
    total = np.sum(x**ord, axis=axis, keepdims=keepdims)
    return total ** (1 / total.dtype.type(ord))


@oracle("cumulative_sum", "cumulative_prod")
def _(x, axis=None, dtype=None, include_initial=False, name=None):
    x = dtype_of_sum(x if axis is not None else x.reshape(-1), dtype)
    axis = 0 if axis is None else axis
    if include_initial:
        shape = list(x.shape)
        shape[axis] = 1
        x = np.concatenate([np.full(shape, name.endswith("prod"), x.dtype), x], axis=axis)
    return getattr(np, {"cumulative_sum": "cumsum", "cumulative_prod": "cumprod"}[name])(x, axis=axis)


@oracle("diff")
def _(x, axis=-1, n=1):
    return np.diff(x, n=n, axis=axis)


# ---- Products


@oracle("vecdot")
def _(a, b, axis=-1):
    if a.dtype == bool:
        return np.any(a & b, axis=axis)
    return np.sum(np.conj(a) * b, axis=axis, dtype=a.dtype)


@oracle("tensordot")
def _(a, b, n=2, order=None, against=None):
    return np.tensordot(a, b, axes=n if order is None else (list(order), list(against)))


@oracle("cross")
def _(a, b, axis=-1):
    a, b = np.broadcast_arrays(a, b)
    return np.cross(a, b, axis=axis)


@oracle("trace")
def _(x, k=0, dtype=None):
    return np.trace(dtype_of_sum(x, dtype), offset=k, axis1=-2, axis2=-1)


# ---- Arranged and copied


@oracle("reshape")
def _(x, shape):
    return x.reshape(shape)


@oracle("permute_dims")
def _(x, order=None):
    return np.transpose(x, order)


@oracle("matrix_transpose")
def _(x):
    return np.swapaxes(x, -1, -2)


@oracle("flip")
def _(x, axis=None):
    return np.flip(x, tuple_or_int(axis))


@oracle("broadcast_to")
def _(x, shape):
    return np.broadcast_to(x, shape)


@oracle("slice")
def _(x, start, step, shape):
    for axis, (first, by, length) in enumerate(zip(start, step, shape)):
        x = np.take(x, first + by * np.arange(length), axis=axis)
    return x


@oracle("diagonal")
def _(x, k=0):
    return np.diagonal(x, offset=k, axis1=-2, axis2=-1)


@oracle("concat")
def _(*arrays, axis=None):
    return np.concatenate(arrays, axis=axis)


@oracle("stack")
def _(*arrays, axis=0):
    return np.stack(arrays, axis=axis)


@oracle("repeat")
def _(x, n, axis=None):
    return np.repeat(x, n, axis=axis)


@oracle("tile")
def _(x, repetitions):
    return np.tile(x, repetitions)


@oracle("roll")
def _(x, shift, order=None):
    return np.roll(x, shift[0] if order is None else shift, axis=order)


@oracle("tril", "triu")
def _(x, k=0, name=None):
    return getattr(np, name)(x, k)


# ---- Ordered and searched


def nan_last(x, axis, descending):
    """Indices that sort, equal elements in their order; NaN is last in both directions."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    length = x.shape[axis]
    order = length - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    if x.dtype.kind != "f":
        return order
    nan_behind = np.argsort(np.isnan(np.take_along_axis(x, order, axis)), axis=axis, kind="stable")
    return np.take_along_axis(order, nan_behind, axis)


@oracle("argsort")
def _(x, axis=-1, descending=False, stable=True):
    return nan_last(x, axis, descending)


@oracle("sort")
def _(x, axis=-1, descending=False, stable=True):
    return np.take_along_axis(x, nan_last(x, axis, descending), axis)


@oracle("searchsorted")
def _(a, b, right=False):
    return np.searchsorted(a, b, side="right" if right else "left")


@oracle("nonzero")
def _(x):
    return np.array(np.nonzero(x)).reshape(x.ndim, -1)


def uniques(x):
    values_, indices, inverse, counts = np.unique(x, True, True, True, equal_nan=False)
    return values_, indices, inverse.reshape(x.shape), counts


ORACLES["unique_values"] = lambda x: uniques(x)[0]
ORACLES["unique_counts"] = lambda x: (uniques(x)[0], uniques(x)[3])
ORACLES["unique_inverse"] = lambda x: (uniques(x)[0], uniques(x)[2])
ORACLES["unique_all"] = uniques


@oracle("isin")
def _(a, b, invert=False):
    return np.isin(a, b, invert=invert)


@oracle("take")
def _(x, indices, axis=None):
    return np.take(x, indices, axis=axis)


@oracle("take_along_axis")
def _(x, indices, axis=-1):
    return np.take_along_axis(x, indices, axis)


@oracle("extract")
def _(x, mask):
    return x[mask]


@oracle("put")
def _(x, indices, new, axis=None):
    x = x.copy()
    if axis is None:
        x.reshape(-1)[indices] = new
    else:
        shape = x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
        np.moveaxis(x, axis, 0)[indices] = np.moveaxis(np.broadcast_to(new, shape), axis, 0)
    return x


@oracle("put_along_axis")
def _(x, indices, new, axis=-1):
    x = x.copy()
    np.put_along_axis(x, indices, new, axis)
    return x


@oracle("place")
def _(x, mask, new):
    x = x.copy()
    if mask.any():
        np.place(x, mask, new)
    return x


# ---- Made


@oracle("full")
def _(value, shape, dtype):
    return np.full(shape, value, dtype)


@oracle("arange")
def _(start, step, shape, dtype):
    return (start + step * np.arange(shape[0])).astype(dtype)


@oracle("linspace")
def _(start, stop, shape, dtype, endpoint=False):
    return np.linspace(start, stop, shape[0], endpoint=endpoint, dtype=dtype)


@oracle("eye")
def _(shape, dtype, k=0):
    return np.eye(*shape, k=k, dtype=dtype)


# ---- Linear algebra: what has one answer. Others are checked by what they factor (test_linalg).


@oracle("cholesky")
def _(x, upper=False):
    lower = np.linalg.cholesky(x)
    return np.conj(np.swapaxes(lower, -1, -2)) if upper else lower


@oracle("svdvals")
def _(x):
    return np.linalg.svd(x, compute_uv=False)


@oracle("eigvalsh")
def _(x, upper=False):
    return np.linalg.eigvalsh(x, "U" if upper else "L")


@oracle("pinv")
def _(x, rtol=None):
    return np.linalg.pinv(x, rcond=max(x.shape[-2:]) * np.finfo(x.dtype).eps if rtol is None else rtol)


@oracle("matrix_rank")
def _(x, rtol=None):
    singular = np.linalg.svd(x, compute_uv=False)
    rtol = max(x.shape[-2:]) * np.finfo(x.dtype).eps if rtol is None else rtol
    return np.sum(singular > rtol * singular.max(axis=-1, keepdims=True), axis=-1)


@oracle("matrix_power")
def _(x, n):
    return np.linalg.matrix_power(x, n)


@oracle("matrix_norm")
def _(x, keepdims=False, ord=None, nuclear=False):
    return np.linalg.norm(x, "nuc" if nuclear else ord, axis=(-2, -1), keepdims=keepdims)


for _name in ["solve", "inv", "det", "slogdet", "qr", "svd", "eigh", "eig", "eigvals", "lstsq"]:
    ORACLES[_name] = getattr(np.linalg, _name)
