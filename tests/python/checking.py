# SPDX-License-Identifier: BSD-3-Clause
"""How a result is compared with what NumPy says, for any row of the list."""

import numpy as np

import numd
from layouts import close, kind_of, widened
from oracles import ORACLES, computed_in, tuple_or_int

rows = numd._numd.rows
EXACT = ("VIEW", "MOVE", "ORDER")
NAMED = ("sum", "prod", "max", "min", "any", "all", "mean", "var", "std", "cumulative_sum", "cumulative_prod", "tril", "triu")


def inputs_of(op, operands):
    """The operands as ndarrays of the dtype in which the row computes."""
    if op.typing in ("GIVEN", "LOGICAL") or op.name in ("astype", "nonzero", "count_nonzero"):
        return [np.asarray(x) for x in operands]
    if op.typing == "GATHER":
        dtype = operands[0].dtype
        return [x.astype(dtype) if i == 2 else np.asarray(x) for i, x in enumerate(operands)]
    dtype = computed_in(op, operands)
    kept = 1 if op.typing == "SELECT" else 0
    return [np.asarray(x) if i < kept else np.asarray(x).astype(dtype) for i, x in enumerate(operands)]


def wanted_of(op, inputs, params):
    extra = {"name": op.name} if op.name in NAMED else {}
    with np.errstate(all="ignore"):
        return ORACLES[op.name](*inputs, **params, **extra)


def part(dtype):
    return np.dtype({"complex64": "float32", "complex128": "float64"}.get(dtype.name, dtype))


def result_dtype(op, operands, params):
    """The dtype of the (first) result."""
    if params.get("dtype") is not None:
        return np.dtype(params["dtype"])
    if op.typing in ("COMPARE", "LOGICAL"):
        return np.dtype(bool)
    if op.typing == "INDEX":
        return np.dtype("int64")
    dtype = computed_in(op, operands)
    if op.typing == "SUM" and dtype.kind in "biu":
        return np.dtype("uint64" if dtype.kind == "u" else "int64")
    if op.name in ("vector_norm", "matrix_norm"):
        return part(dtype if dtype.kind in "fc" else np.dtype("float64"))
    return part(dtype) if op.typing == "PART" or op.name in ("var", "std") else dtype


def is_exact(op, dtype, inputs):
    """Whether every bit of the value is defined."""
    if dtype.kind in "biu" and op.name != "linspace":
        return True
    if op.kind in EXACT or op.name in ("max", "min", "full", "eye", "diff", "copy", "astype"):
        return True
    is_complex = any(x.dtype.kind == "c" for x in inputs)
    return op.kind == "MAP" and op.ulp <= 0.5 and not is_complex


def check(op, operands, params, got):
    """That a result is right; `got` is an Array or a tuple of those."""
    inputs = inputs_of(op, operands)
    if isinstance(got, tuple):
        for mine, wanted in zip(got, wanted_of(op, inputs, params), strict=True):
            np.testing.assert_array_equal(np.asarray(mine), wanted)
        return
    dtype = result_dtype(op, operands, params)
    assert isinstance(got, numd.Array) and got.dtype == dtype
    got = np.asarray(got)
    if is_exact(op, dtype, inputs):
        wanted = wanted_of(op, inputs, params)
        assert got.shape == np.shape(wanted)
        np.testing.assert_array_equal(got, np.asarray(wanted).astype(dtype))
        return
    wide = [widened(x) for x in inputs]
    if op.name == "arange":  # as NumPy has it: all steps are as long as the first, to which rounding does what it does
        wide[1] = widened((inputs[0] + inputs[1]) - inputs[0])
    params = {key: value for key, value in params.items() if key != "dtype" or kind_of(value) not in "fc"}
    if op.kind == "MAKE":
        params["dtype"] = widened(np.zeros((), dtype)).dtype if dtype.kind in "fc" else np.dtype("float64")
    exact = np.asarray(wanted_of(op, wide, params))
    assert got.shape == exact.shape
    if dtype == bool:
        np.testing.assert_array_equal(got, exact != 0)
        return
    with np.errstate(all="ignore"):
        bound = tolerance(op, wide, params, exact, dtype)
        assert close(got, narrowed(exact, dtype), bound), (op.name, dtype, got, exact)


def narrowed(exact, dtype):
    """Unrounded, but infinite where the dtype is."""
    cast = exact.astype(dtype)
    return np.where(np.isfinite(cast), exact, cast)


def angle(x, y):
    """|y log x|, with which the error of a complex power x^y = exp(y log x) grows."""
    return np.abs(y * np.log(x.astype(np.clongdouble))).astype(float)


def tolerance(op, inputs, params, exact, dtype):
    """What the result may be off by."""
    if dtype.kind in "biu":
        return np.abs(exact) * 0 + 1  # linspace of integers, rounded down
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).smallest_subnormal
    magnitude = np.abs(exact)
    if op.kind == "MAP":
        if dtype.kind == "c" or inputs[0].dtype.kind == "c":
            ulps = 16 + (np.nan_to_num(angle(*inputs)) if op.name == "pow" else 0)
            return magnitude * ulps * eps + 16 * tiny
        if op.name == "logaddexp":  # greater + log1p(e^-difference), which may cancel
            exact = np.maximum(magnitude, np.abs(np.maximum(*inputs)))
        return np.abs(np.spacing(exact.astype(dtype))).astype(exact.dtype) * (op.ulp + 0.01)
    if op.kind == "MAKE":
        return (max(np.abs(x) for x in inputs) + np.max(magnitude, initial=0)) * 4 * eps + 0 * magnitude
    if op.kind == "PRODUCT":
        return product_tolerance(op, inputs, params, eps)
    n = inputs[0].size
    if op.name in ("prod", "cumulative_prod"):
        return magnitude * eps * (2 * n + 2) + 2 * tiny
    finite = np.where(np.isfinite(inputs[0]), np.abs(inputs[0]), 0).astype(float)
    if op.name in ("var", "std", "vector_norm"):
        return magnitude * 64 * eps + np.max(finite, initial=0) ** (2 if op.name == "var" else 1) * 64 * eps
    if op.name == "cumulative_sum":
        axis = params.get("axis")
        scale = ORACLES[op.name](finite, axis, None, params.get("include_initial", False), op.name)
        length = n if axis is None else inputs[0].shape[axis]
        return np.abs(scale) * eps * max(4, length**0.5) + tiny  # errors of a chain of additions, which are random
    axes = {"axis": tuple_or_int(params.get("axis")), "keepdims": params.get("keepdims", False)}
    scale = np.sum(finite, **axes)
    count = max(n, 1) / max(scale.size, 1) if op.name == "mean" else 1
    return scale * eps * 4 / count + tiny


def product_tolerance(op, inputs, params, eps):
    sizes = [np.abs(x).astype(float) for x in inputs]
    extra = {"name": op.name} if op.name in NAMED else {}
    if op.name == "cross":
        return np.prod([np.max(x, initial=0) for x in sizes]) * 8 * eps
    scale = ORACLES[op.name](*sizes, **params, **extra)
    return np.abs(scale) * eps * max(max(inputs[0].shape, default=1), 8)


def same(traced, plain):
    """Whether a traced function gave what the row gives."""
    a, b = np.asarray(traced), np.asarray(plain)
    return (a.dtype == b.dtype or not isinstance(plain, numd.Array)) and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
