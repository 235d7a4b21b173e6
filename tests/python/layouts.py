# SPDX-License-Identifier: BSD-3-Clause
"""Random values and random layouts, for tests that compare with NumPy."""

import numpy as np
from hypothesis import strategies as st

import numd

DTYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]


def dtypes_of(kinds):
    """The dtypes of some kinds; NumPy's letters but for 'b', which is bool here."""
    return [dtype for dtype in DTYPES if kind_of(dtype) in kinds]


def kind_of(dtype):
    """'b' bool, 'i' signed, 'u' unsigned, 'f' real, 'c' complex, as the list of operations has it."""
    return np.dtype(dtype).kind


def values(rng, shape, dtype, special=True, low=-50, high=50):
    """An ndarray of that dtype; reals have NaN, infinities and zeros among them if `special`."""
    dtype = np.dtype(dtype)
    if dtype == bool:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return rng.integers(max(low, 0) if dtype.kind == "u" else low, high, shape).astype(dtype)
    if dtype.kind == "c":
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    array = rng.uniform(low, high, shape).astype(dtype)
    if special:
        mask = rng.random(shape) < 0.1
        array = np.where(mask, rng.choice(SPECIAL, shape).astype(dtype), array).astype(dtype)
    return array


def lay_out(array, steps, transposed):
    """A numd.Array of the same values, with gaps, reversed axes or transposed as asked."""
    return lay_out_in_order(array, steps, range(array.ndim)[:: -1 if transposed else 1])


def lay_out_in_order(array, steps, order):
    """The same with axis order[0] of the array as the outermost one in memory, and so on."""
    steps = (steps * 3)[: array.ndim]  # for 16 dimensions
    base = numd.zeros(tuple(array.shape[axis] * abs(s) for axis, s in zip(order, steps)), dtype=array.dtype)
    view = base[(*(slice(None, None, s) for s in steps), ...)].transpose(*np.argsort(order).tolist())
    np.asarray(view)[...] = array
    return view


def shifted(array):
    """A numd.Array of the same values whose memory begins one item behind what vectors are aligned to."""
    flat = numd.zeros(array.size + 1, dtype=array.dtype)[1:]
    view = flat.reshape(array.shape)
    np.asarray(view)[...] = array
    return view


def steps():
    return st.lists(st.sampled_from([1, 1, 2, -1, -3]), min_size=6, max_size=6)


def like_numpy(got, wanted):
    """Whether it is what NumPy gives there: a value for a value, else an Array."""
    return isinstance(got, np.generic if isinstance(wanted, np.generic) else numd.Array)


def laid_out(array):
    """A strategy: the array in a random layout."""
    strided = st.builds(lay_out, st.just(array), steps(), st.booleans())
    return st.one_of(st.builds(shifted, st.just(array)), strided, strided)


def shapes(max_dims=4, min_side=0, max_side=7):
    return st.lists(st.integers(min_side, max_side), max_size=max_dims).map(tuple)


@st.composite
def broadcastable(draw, n, max_dims=4):
    """n shapes that broadcast together; lengths reach past a vector register's worth of elements."""
    full = draw(st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 17, 33]), max_size=max_dims))
    while np.prod(full, dtype=int) > 5000:
        full.pop()
    answer = []
    for _ in range(n):
        kept = full[draw(st.integers(0, len(full))) if draw(st.booleans()) else 0 :]
        answer.append(tuple(1 if draw(st.integers(0, 4)) == 0 else length for length in kept))
    return answer


def widened(array):
    """The next wider type of inexact numbers, else the array."""
    wider = {"f": {4: np.float64, 8: np.longdouble}, "c": {8: np.complex128, 16: np.clongdouble}}
    array = np.asarray(array)
    return array.astype(wider[array.dtype.kind][array.dtype.itemsize]) if array.dtype.kind in wider else array


def close(got, wanted, bound):
    """Whether |got - wanted| <= bound where both are finite, and the same otherwise."""
    got, wanted, bound = np.broadcast_arrays(got, wanted, bound)
    finite = np.isfinite(got) & np.isfinite(wanted)
    if not np.array_equal(got[~finite], wanted[~finite], equal_nan=True):
        return False
    wide = np.clongdouble if got.dtype.kind == "c" else np.longdouble
    difference = np.abs(got.astype(wide)[finite] - wanted.astype(wide)[finite])
    return bool((difference <= bound[finite]).all())
