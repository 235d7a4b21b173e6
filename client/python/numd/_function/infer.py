# SPDX-License-Identifier: BSD-3-Clause
"""Shapes and dtypes of results, for tracing: a rule for each row that is not elementwise.

A rule takes the shapes of the inputs and the parameters by their keywords, and raises ValueError or IndexError
where they do not fit; what it lets pass wrongly, the daemon refuses. A row with several results has a list of
shapes, and its name in `REAL_RESULTS` if some of them are real where the inputs are complex.
"""

import math

import numpy as np

from .. import _numd
from .._standard.shape import axes_of, axis_of

SHAPE_RULES = {}


def infer_shapes(op, shapes, params):
    """The shapes of the results of a row; None where they depend on the data."""
    if op.kind == "MAP":
        return [np.broadcast_shapes(*shapes)]
    if op.name in SHAPE_RULES:
        given = SHAPE_RULES[op.name](*shapes, **params)
        return [tuple(int(n) for n in shape) for shape in (given if isinstance(given, list) else [given])]
    if op.kind == "REDUCE":
        return [reduced(shapes[0], **params)]
    return None


# ---- Dtypes

FLOAT64 = np.dtype("float64")
PARTS = {np.dtype("complex64"): np.dtype("float32"), np.dtype("complex128"): FLOAT64}
WHOLES = {real: whole for whole, real in PARTS.items()}

# Results, by their places, that are real where the inputs are complex.
REAL_RESULTS = {"svd": (1,), "svdvals": (0,), "eigh": (0,), "eigvalsh": (0,), "slogdet": (1,), "lstsq": (1, 3)}


def as_float(dtype, small="float64"):
    if dtype.kind in "fc":
        return dtype
    return np.dtype(small if dtype.itemsize <= 2 else "float64")


def summed(dtype):
    return np.dtype({"b": "int64", "i": "int64", "u": "uint64"}.get(dtype.kind, dtype))


def norm_dtype(dtype):
    return as_float(PARTS.get(dtype, dtype))


DTYPE_RULES = {
    "ANY": lambda dtype: dtype,
    "FLOAT": lambda dtype: as_float(dtype, "float32"),
    "QUOTIENT": as_float,
    "COMPARE": lambda dtype: np.dtype(bool),
    "LOGICAL": lambda dtype: np.dtype(bool),
    "PART": lambda dtype: PARTS.get(dtype, dtype),
    "SELECT": lambda dtype: dtype,
    "SUM": summed,
    "MEAN": as_float,
    "INDEX": lambda dtype: np.dtype("int64"),
    "GATHER": lambda dtype: dtype,
    "OWN": norm_dtype,
}


def infer_dtypes(op, operands, params):
    """The dtypes of the results. Operands are dtypes, or Python scalars for those that are weak."""
    if "dtype" in params:
        return [np.dtype(params["dtype"])] * op.n_outputs
    first = {"SELECT": slice(1, None), "GATHER": slice(0, 1)}.get(op.typing, slice(None))
    dtype = DTYPE_RULES[op.typing](_numd.result_type(*operands[first]))
    if op.name in ("var", "std"):
        dtype = PARTS.get(dtype, dtype)
    if op.name in ("eig", "eigvals"):
        dtype = WHOLES.get(dtype, dtype)
    dtypes = [dtype] * op.n_outputs
    for i in REAL_RESULTS.get(op.name, ()):
        dtypes[i] = PARTS.get(dtype, dtype)
    if op.name == "lstsq":
        dtypes[2] = np.dtype("int64")
    return dtypes


# ---- Shapes


def rule(*names):
    def enter(function):
        SHAPE_RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def replaced(shape, axis, *lengths):
    axis = axis_of(axis, len(shape))
    return shape[:axis] + lengths + shape[axis + 1 :]


def reduced(shape, axis=None, keepdims=False, **_):
    gone = axes_of(range(len(shape)) if axis is None else axis, len(shape))
    if keepdims:
        return tuple(1 if i in gone else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in gone)


# ---- Along an axis


SHAPE_RULES["argmax"] = SHAPE_RULES["argmin"] = reduced


@rule("cumulative_sum", "cumulative_prod")
def cumulated(shape, axis=None, include_initial=False, **_):
    if axis is None:
        return (math.prod(shape) + bool(include_initial),)
    return replaced(shape, axis, shape[axis] + bool(include_initial))


@rule("diff")
def differences(shape, axis=-1, n=1):
    return replaced(shape, axis, max(shape[axis] - n, 0))


# ---- Products


@rule("matmul")
def matmul(a, b):
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    return np.broadcast_shapes(a[:-2], b[:-2]) + rows + columns


@rule("dot")
def dot(a, b):
    if not a or not b:
        return a + b
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError
    return a[:-1] + b[:-2] + (b[-1:] if len(b) > 1 else ())


@rule("vecdot")
def vecdot(a, b, axis=-1):
    if a[axis] != b[axis]:
        raise ValueError
    whole = np.broadcast_shapes(a, b)
    return replaced(whole, axis)


@rule("tensordot")
def tensordot(a, b, n=2, order=None, against=None):
    if order is None:
        order, against = range(len(a) - n, len(a)), range(n)
    order, against = [axis_of(i, len(a)) for i in order], [axis_of(i, len(b)) for i in against]
    if [a[i] for i in order] != [b[i] for i in against]:
        raise ValueError
    return tuple(m for i, m in enumerate(a) if i not in order) + tuple(
        m for i, m in enumerate(b) if i not in against
    )


@rule("outer")
def outer(a, b):
    return (math.prod(a), math.prod(b))


@rule("cross")
def cross(a, b, axis=-1):
    if a[axis] != 3 or b[axis] != 3:
        raise ValueError
    return np.broadcast_shapes(a, b)


@rule("trace", "det", "matrix_rank")
def of_matrices(shape, **_):
    matrix(shape)
    return shape[:-2]


def matrix(shape):
    """The two lengths of a matrix."""
    if len(shape) < 2:
        raise ValueError
    return shape[-2:]


# ---- Arranged and copied


@rule("reshape")
def reshaped(old, **params):
    wanted = tuple(params["shape"])
    size, known = math.prod(old), math.prod(n for n in wanted if n != -1)
    if -1 in wanted:
        if wanted.count(-1) > 1 or known == 0 or size % known:
            raise ValueError
        return tuple(size // known if n == -1 else n for n in wanted)
    if known != size:
        raise ValueError
    return wanted


@rule("permute_dims")
def permuted(shape, order=None):
    order = range(len(shape))[::-1] if order is None else [axis_of(i, len(shape)) for i in order]
    if sorted(order) != list(range(len(shape))):
        raise ValueError
    return tuple(shape[i] for i in order)


@rule("matrix_transpose")
def transposed(shape):
    n, m = matrix(shape)
    return shape[:-2] + (m, n)


@rule("broadcast_to")
def broadcast(old, **params):
    wanted = tuple(params["shape"])
    if np.broadcast_shapes(old, wanted) != wanted:
        raise ValueError
    return wanted


@rule("slice")
def sliced(old, start, step, **params):
    return tuple(params["shape"])


@rule("diagonal")
def diagonal(shape, k=0):
    n, m = matrix(shape)
    return shape[:-2] + (max(0, min(n + min(k, 0), m - max(k, 0))),)


@rule("concat")
def joined(*shapes, axis=None):
    if axis is None:
        return (sum(map(math.prod, shapes)),)
    axis = axis_of(axis, len(shapes[0]))
    if len({shape[:axis] + shape[axis + 1 :] for shape in shapes}) > 1:
        raise ValueError
    return replaced(shapes[0], axis, sum(shape[axis] for shape in shapes))


@rule("stack")
def stacked(*shapes, axis=0):
    if len(set(shapes)) > 1:
        raise ValueError
    axis = axis_of(axis, len(shapes[0]) + 1)
    return shapes[0][:axis] + (len(shapes),) + shapes[0][axis:]


@rule("repeat")
def repeated(shape, n, axis=None):
    if axis is None:
        return (math.prod(shape) * n,)
    return replaced(shape, axis, shape[axis] * n)


@rule("tile")
def tiled(shape, repetitions):
    ndim = max(len(shape), len(repetitions))
    shape = (1,) * (ndim - len(shape)) + shape
    times = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    return tuple(n * k for n, k in zip(shape, times))


@rule("flip", "roll", "sort", "argsort", "isin", "put", "put_along_axis", "place")
def as_first(shape, *_, **__):
    return shape


@rule("tril", "triu", "cholesky", "inv", "matrix_power")
def as_matrix(shape, **_):
    matrix(shape)
    return shape


# ---- Searched


@rule("searchsorted")
def searched(sorted_, values, **_):
    return values


@rule("take")
def taken(shape, indices, axis=None):
    return indices if axis is None else replaced(shape, axis, *indices)


@rule("take_along_axis")
def taken_along(shape, indices, axis=-1):
    if len(shape) != len(indices):
        raise ValueError
    whole = np.broadcast_shapes(replaced(shape, axis, 1), replaced(indices, axis, 1))
    return replaced(whole, axis, indices[axis])


# ---- Linear algebra


@rule("svdvals")
def singular_values(shape):
    return shape[:-2] + (min(matrix(shape)),)


@rule("eigvalsh", "eigvals")
def eigenvalues(shape, **_):
    return shape[:-2] + matrix(shape)[:1]


@rule("qr")
def factors_qr(shape, full_matrices=False):
    n, m = matrix(shape)
    inner = n if full_matrices else min(n, m)
    return [shape[:-2] + (n, inner), shape[:-2] + (inner, m)]


@rule("svd")
def factors_svd(shape, full_matrices=False):
    n, m = matrix(shape)
    k = min(n, m)
    left, right = (n, m) if full_matrices else (k, k)
    return [shape[:-2] + (n, left), shape[:-2] + (k,), shape[:-2] + (right, m)]


@rule("eigh", "eig")
def values_and_vectors(shape, **_):
    return [shape[:-2] + matrix(shape)[:1], shape]


@rule("slogdet")
def sign_and_logarithm(shape):
    matrix(shape)
    return [shape[:-2], shape[:-2]]


@rule("lstsq")
def least_squares(a, b, **_):
    n, m = matrix(a)
    if n != b[0]:
        raise ValueError
    sums = b[1] if len(b) > 1 else 1
    return [(m,) + b[1:], (sums if n > m else 0,), (), (min(n, m),)]


@rule("solve")
def solved(a, b):
    n, _ = matrix(a)
    if len(b) == 1:
        return a[:-2] + (n,)
    return np.broadcast_shapes(a[:-2], b[:-2]) + b[-2:]


@rule("pinv")
def pseudoinverse(shape, **_):
    return transposed(shape)


@rule("matrix_norm")
def norm(shape, keepdims=False, **_):
    matrix(shape)
    return shape[:-2] + ((1, 1) if keepdims else ())
