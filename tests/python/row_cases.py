# SPDX-License-Identifier: BSD-3-Clause
"""Random inputs and parameters for each row of the list.

`make` gives the operands of a row as ndarrays and its parameters by their keywords. A row whose class does not
say what it takes has an entry in `CASES`, a function of (draw, rng, dtype) that gives both.
"""

import numpy as np
from hypothesis import strategies as st

from layouts import DTYPES, broadcastable, dtypes_of, shapes, values

CASES = {}


def case(*names):
    def enter(function):
        CASES.update(dict.fromkeys(names, function))
        return function

    return enter


def make(draw, op, rng):
    dtypes = dtypes_of(op.dtypes)
    if op.name in CASES:
        return CASES[op.name](draw, rng, one_of(draw, *dtypes))
    if op.kind == "REDUCE":
        return reduction(draw, op, rng, one_of(draw, *dtypes))
    shapes_ = draw(broadcastable(op.n_inputs))
    drawn = [one_of(draw, *dtypes) for _ in shapes_]
    if "f" not in op.dtypes and "uint64" in drawn:  # which with signed integers would promote to a float
        drawn = ["uint64" if np.dtype(dtype).kind == "i" else dtype for dtype in drawn]
    operands = [elementwise(op, rng, i, *of) for i, of in enumerate(zip(shapes_, drawn))]
    return operands, {"dtype": one_of(draw, *DTYPES)} if op.name == "astype" else {}


def elementwise(op, rng, i, shape, dtype):
    """One operand, of values that the operation takes."""
    if op.typing == "SELECT" and i == 0:
        return values(rng, shape, "bool")
    if op.name == "pow":
        return values(rng, shape, dtype, low=0 if i else -9, high=6)
    if "shift" in op.name and i:
        return values(rng, shape, dtype, low=0, high=70)
    return values(rng, shape, dtype, special=op.name != "astype")


def reduction(draw, op, rng, dtype):
    whole = st.one_of(shapes(4), st.sampled_from([(1000,), (3, 700), (700, 3), (33, 17, 5)]))
    shape = draw(whole.filter(lambda s: op.name not in ("max", "min") or 0 not in s))
    special = op.name in ("sum", "max", "min", "mean", "any", "all", "count_nonzero")
    low, high = (-2, 3) if op.name in ("prod", "any", "all", "count_nonzero") else (-50, 50)
    x = values(rng, shape, dtype, special=special, low=low, high=high)
    if op.name == "prod" and x.dtype.kind == "c":  # of length 1 or 0: a product that overflows is no number
        x = (x / np.where(x == 0, 1, np.abs(x))).astype(dtype)
    axes = draw(st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape)))
    axis = axes[0] - one_of(draw, 0, len(shape)) if len(axes) == 1 else tuple(axes)
    params = {**maybe(draw, axis=axis), **maybe(draw, keepdims=True)}
    if op.name in ("var", "std"):
        params.update(maybe(draw, correction=one_of(draw, 0.5, 1)))
    if op.name == "vector_norm":
        x = np.where(x == 0, x.dtype.type(1), x)
        limits = () if 0 in shape else (float("inf"), float("-inf"), -1)
        params.update(maybe(draw, ord=one_of(draw, 0, 1, 2, 3, 0.5, *limits)))
    return [x], params


def tamed(x):
    """Inexact numbers nearer to length 1: products of a thousand stay in range, where errors are relative."""
    if x.dtype.kind not in "fc":
        return x
    return (x / np.where(x == 0, 1, np.abs(x)) ** 0.9).astype(x.dtype)


SIDE = [0, 1, 2, 3, 5, 8, 17, 33]


def some_shape(draw, min_dims=0, max_dims=3, sides=SIDE):
    return tuple(draw(st.lists(st.sampled_from(sides), min_size=min_dims, max_size=max_dims)))


def one_of(draw, *choices):
    return draw(st.sampled_from(choices))


def maybe(draw, **params):
    """Some of the parameters."""
    return {key: value for key, value in params.items() if one_of(draw, True, False)}


def any_axis(draw, ndim):
    return one_of(draw, *range(-ndim, ndim))


@case("diff")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1), dtype)
    return [x], maybe(draw, axis=any_axis(draw, x.ndim), n=one_of(draw, 0, 1, 2, 3, 40))


@case("argmax", "argmin")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 0, 3, SIDE[1:]), dtype, low=-3, high=3)
    params = maybe(draw, axis=any_axis(draw, x.ndim)) if x.ndim else {}
    return [x], {**params, **maybe(draw, keepdims=True)}


@case("cumulative_sum", "cumulative_prod")
def _(draw, rng, dtype):
    shape = one_of(draw, (0,), (5,), (1000,), (3, 40), (40, 3), (2, 3, 4))
    x = tamed(values(rng, shape, dtype, special=False, low=-1, high=2))
    axis = maybe(draw, axis=any_axis(draw, len(shape)))
    wider = {"b": "int32", "i": "int64", "u": "uint64", "f": "float64", "c": "complex128"}[np.dtype(dtype).kind]
    return [x], {**axis, **maybe(draw, include_initial=True, dtype=wider)}


@case("matmul")
def _(draw, rng, dtype):
    n, m, k = (one_of(draw, 0, 1, 2, 3, 5, 8, 17, 65) for _ in range(3))
    batch = one_of(draw, ((), ()), ((2,), (2,)), ((3, 1), (2,)), ((), (4,)))
    a, b = values(rng, batch[0] + (n, k), dtype, False), values(rng, batch[1] + (k, m), dtype, False)
    which = one_of(draw, 0, 0, 1, 2, 3)
    a = a[0] if which & 1 and n and not batch[0] else a
    b = b[:, 0] if which & 2 and m and not batch[1] else b
    return [a, b], {}


@case("dot")
def _(draw, rng, dtype):
    k = one_of(draw, 0, 1, 3, 20)
    a = values(rng, some_shape(draw, 0, 2, [1, 2, 7]) + (k,), dtype, False)
    b = values(rng, one_of(draw, (k,), (k, 5), (2, k, 3)), dtype, False)
    return [a, b], {}


@case("vecdot")
def _(draw, rng, dtype):
    shape = some_shape(draw, 1, 3)
    a, b = values(rng, shape, dtype, False), values(rng, shape, dtype, False)
    return [a, b], maybe(draw, axis=any_axis(draw, len(shape)))


@case("tensordot")
def _(draw, rng, dtype):
    a = values(rng, (2, 3, 4, 5), dtype, False)
    if one_of(draw, True, False):
        n = one_of(draw, 0, 1, 2, 3)
        return [a, values(rng, a.shape[4 - n :] + (3,), dtype, False)], {} if n == 2 else {"n": n}
    order = draw_permutation(draw, 4)[: one_of(draw, 0, 1, 2, 3)]
    shape = tuple(a.shape[i] for i in order) + (3,)
    places = draw_permutation(draw, len(shape))  # where each axis of b goes
    b = values(rng, shape, dtype, False).transpose(np.argsort(places))
    return [a, b], {"order": tuple(order), "against": tuple(places[: len(order)])}


def draw_permutation(draw, n):
    return draw(st.permutations(range(n)))


@case("outer")
def _(draw, rng, dtype):
    return [values(rng, some_shape(draw, 0, 2), dtype, False), values(rng, some_shape(draw, 0, 1), dtype, False)], {}


@case("cross")
def _(draw, rng, dtype):
    shape = (3,) * one_of(draw, 1, 2, 3)
    return [values(rng, shape, dtype, False) for _ in range(2)], maybe(draw, axis=any_axis(draw, len(shape)))


@case("trace", "diagonal", "tril", "triu")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 2, 4, [0, 1, 2, 5, 17]), dtype, special=False)
    return [x], maybe(draw, k=one_of(draw, -20, -2, -1, 1, 3, 20))


@case("reshape")
def _(draw, rng, dtype):
    shape = some_shape(draw, 0, 4, [1, 2, 4, 6])
    wanted = draw_permutation(draw, len(shape))
    wanted = [n for i in wanted for n in ((2, shape[i] // 2) if shape[i] % 2 == 0 else (1,))]
    if len(wanted) > 1 and one_of(draw, True, False):
        wanted[:2] = [wanted[0] * wanted[1]]
    if wanted and one_of(draw, True, False):
        wanted[one_of(draw, *range(len(wanted)))] = -1
    return [values(rng, shape, dtype)], {"shape": tuple(wanted)}


@case("permute_dims")
def _(draw, rng, dtype):
    shape = some_shape(draw, 0, 4, [0, 1, 2, 5, 9])
    return [values(rng, shape, dtype)], maybe(draw, order=tuple(draw_permutation(draw, len(shape))))


@case("matrix_transpose")
def _(draw, rng, dtype):
    return [values(rng, some_shape(draw, 2, 4, [0, 1, 2, 5, 17]), dtype)], {}


@case("flip")
def _(draw, rng, dtype):
    shape = some_shape(draw, 1)
    return [values(rng, shape, dtype)], maybe(draw, axis=any_axis(draw, len(shape)))


@case("broadcast_to")
def _(draw, rng, dtype):
    whole = some_shape(draw, 0, 4, [0, 1, 2, 5])
    own = tuple(one_of(draw, 1, n) for n in whole[one_of(draw, *range(len(whole) + 1)) :])
    return [values(rng, own, dtype)], {"shape": whole}


@case("slice")
def _(draw, rng, dtype):
    shape = some_shape(draw, 1, 3, [1, 2, 5, 17])
    parts = [range(n)[slice(one_of(draw, None, 1), one_of(draw, None, -1), one_of(draw, 1, 2, -1, -3))] for n in shape]
    start = tuple(part.start if len(part) else 0 for part in parts)
    params = {"start": start, "step": tuple(part.step for part in parts), "shape": tuple(map(len, parts))}
    return [values(rng, shape, dtype)], params


@case("concat")
def _(draw, rng, dtype):
    shape = some_shape(draw, 1, 3, [0, 1, 2, 5, 9])
    axis = one_of(draw, *range(len(shape)))
    lengths = [one_of(draw, 0, 1, 2, 7) for _ in range(one_of(draw, 1, 2, 3, 16))]
    arrays = [values(rng, shape[:axis] + (n,) + shape[axis + 1 :], dtype) for n in lengths]
    return arrays, one_of(draw, {}, {"axis": axis}, {"axis": axis - len(shape)})


@case("stack")
def _(draw, rng, dtype):
    shape = some_shape(draw, 0, 3, [0, 1, 2, 5, 9])
    arrays = [values(rng, shape, dtype) for _ in range(one_of(draw, 1, 2, 3, 16))]
    return arrays, {"axis": one_of(draw, *range(-len(shape) - 1, len(shape) + 1))}


@case("repeat")
def _(draw, rng, dtype):
    shape = some_shape(draw, 0, 3, [0, 1, 2, 5, 9])
    params = maybe(draw, axis=any_axis(draw, len(shape))) if shape else {}
    return [values(rng, shape, dtype)], {"n": one_of(draw, 0, 1, 2, 5), **params}


@case("tile")
def _(draw, rng, dtype):
    shape = some_shape(draw, 0, 3, [0, 1, 2, 5])
    return [values(rng, shape, dtype)], {"repetitions": some_shape(draw, 1, 4, [0, 1, 2, 3])}


@case("roll")
def _(draw, rng, dtype):
    shape = some_shape(draw, 1, 3, [0, 1, 2, 5, 17])
    if one_of(draw, True, False):
        return [values(rng, shape, dtype)], {"shift": (one_of(draw, -100, -1, 0, 1, 3, 100),)}
    order = tuple(draw_permutation(draw, len(shape)))
    return [values(rng, shape, dtype)], {"shift": tuple(one_of(draw, -7, -1, 0, 2, 30) for _ in order), "order": order}


@case("sort", "argsort")
def _(draw, rng, dtype):
    shape = one_of(draw, (0,), (1,), (7,), (300,), (5000,), (3, 40), (40, 3), (4, 1, 9))
    x = values(rng, shape, dtype, low=-9, high=9) if one_of(draw, True, False) else values(rng, shape, dtype)
    return [x], maybe(draw, axis=any_axis(draw, len(shape)), descending=True)


@case("searchsorted")
def _(draw, rng, dtype):
    a = np.sort(values(rng, (one_of(draw, 0, 1, 5, 1000),), dtype, low=-9, high=9))
    return [a, values(rng, some_shape(draw), dtype, low=-11, high=11)], maybe(draw, right=True)


@case("nonzero")
def _(draw, rng, dtype):
    return [values(rng, some_shape(draw, 1, 4), dtype, low=-1, high=2)], {}


@case("unique_values", "unique_counts", "unique_inverse", "unique_all")
def _(draw, rng, dtype):
    shape = one_of(draw, (), (0,), (1,), (7,), (5000,), (3, 40), (4, 1, 9))
    return [values(rng, shape, dtype, low=-9, high=9)], {}


@case("isin")
def _(draw, rng, dtype):
    a = values(rng, some_shape(draw), dtype, low=-9, high=9)
    return [a, values(rng, some_shape(draw, 0, 2), dtype, low=-9, high=9)], maybe(draw, invert=True)


def some_indices(draw, rng, shape, length):
    """Indices from -length to length - 1, of integers of any width that holds them."""
    dtype = one_of(draw, "int64", "int32", "int16", "uint8")
    low = 0 if dtype == "uint8" else -length
    return rng.integers(low, max(length, 1), shape).astype(dtype)


@case("take")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1, 3, SIDE[1:]), dtype)
    axis = one_of(draw, None, *range(-x.ndim, x.ndim))
    length = x.size if axis is None else x.shape[axis]
    indices = some_indices(draw, rng, some_shape(draw, 0, 2, [0, 1, 3, 40]), min(length, 255))
    return [x, indices], {} if axis is None else {"axis": axis}


@case("take_along_axis")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1, 3, SIDE[1:]), dtype)
    axis = any_axis(draw, x.ndim)
    shape = list(x.shape)
    shape[axis] = one_of(draw, 1, 2, 9)
    return [x, some_indices(draw, rng, shape, x.shape[axis])], {"axis": axis}


@case("extract")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1, 3), dtype)
    return [x, rng.random(x.shape[: one_of(draw, *range(1, x.ndim + 1))]) < one_of(draw, 0.1, 0.5, 1.0)], {}


@case("put")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1, 3, SIDE[1:]), dtype)
    axis = one_of(draw, None, *range(x.ndim))
    length = min(x.size if axis is None else x.shape[axis], 255)
    indices = rng.permutation(length)[: one_of(draw, 0, 1, length)].astype(one_of(draw, "int64", "int16"))
    shape = indices.shape if axis is None else x.shape[:axis] + indices.shape + x.shape[axis + 1 :]
    return [x, indices, values(rng, one_of(draw, shape, ()), dtype)], {} if axis is None else {"axis": axis}


@case("put_along_axis")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 1, 3, SIDE[1:]), dtype)
    axis = any_axis(draw, x.ndim)
    shape = list(x.shape)
    shape[axis] = one_of(draw, 1, x.shape[axis])
    indices = np.argsort(rng.random(x.shape), axis=axis).take(range(shape[axis]), axis=axis)
    return [x, indices, values(rng, one_of(draw, tuple(shape), ()), dtype)], {"axis": axis}


@case("place")
def _(draw, rng, dtype):
    x = values(rng, some_shape(draw, 0, 3), dtype)
    return [x, rng.random(x.shape) < 0.4, values(rng, (one_of(draw, 1, 3, 50),), dtype)], {}


@case("full")
def _(draw, rng, dtype):
    return [values(rng, (), dtype)], {"shape": some_shape(draw), "dtype": dtype}


@case("arange")
def _(draw, rng, dtype):
    n = one_of(draw, 0, 1, 5, 33, 1000) if np.dtype(dtype).itemsize > 1 else 5
    first, step = values(rng, (), dtype, False, 0, 20), values(rng, (), dtype, False, 1, 4)
    return [first, step], {"shape": (n,), "dtype": dtype}


@case("linspace")
def _(draw, rng, dtype):
    ends = [values(rng, (), "complex128" if np.dtype(dtype).kind == "c" else "float64", False, 0, 40) for _ in range(2)]
    return ends, {"shape": (one_of(draw, 0, 1, 2, 5, 33, 1000),), "dtype": dtype, **maybe(draw, endpoint=True)}


@case("eye")
def _(draw, rng, dtype):
    shape = (one_of(draw, 0, 1, 5, 17), one_of(draw, 0, 1, 5, 17))
    return [], {"shape": shape, "dtype": dtype, **maybe(draw, k=one_of(draw, -20, -1, 2))}
