# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions that choose, order, compare or change elements."""

import math

import numpy as np

from .. import _numd
from .._standard import arrange as _arrange, search as _search
from .._standard.index import check_bounds
from .._standard.operands import beside, given, is_traced, operand
from .._standard.rows import rows
from .._standard.shape import as_tuple, axis_of
from .reduce import all_
from .registry import NUMPY_1, implements, need
from .shape import ravel
from .ufuncs import COMPOSED, store


def stored_in(function, out, *args, **kwargs):
    if isinstance(out, _numd.Array):
        return function(*args, out=out, **kwargs)
    return store(function(*args, **kwargs), out)


# ---- Choosing


@implements("where")
def where(condition, *branches):
    if not branches:
        return nonzero(condition)
    x, y = branches
    return rows.where(as_mask(condition), x, y)


def as_mask(condition):
    if not isinstance(condition, _numd.Array) and not is_traced(condition):
        return np.asarray(condition, bool)
    return condition if condition.dtype == bool else rows.astype(condition, dtype=bool)


@implements("select")
def select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError("there must be as many conditions as choices, and at least one")
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        chosen = rows.where(as_mask(condition), choice, chosen)
    return chosen


@implements("nonzero")
def nonzero(a):
    return _search.nonzero(a)


@implements("flatnonzero")
def flatnonzero(a):
    return _search.nonzero(operand(a).reshape(-1))[0]


@implements("argwhere")
def argwhere(a):
    need(operand(a).ndim)
    return rows.nonzero(operand(a)).T


@implements("ix_")
def ix_(*args):
    arrays = [flatnonzero(x) if operand(x).dtype == bool else integers(x) for x in args]
    need(all(x.ndim == 1 for x in arrays))
    return tuple(x.reshape((1,) * i + (-1,) + (1,) * (len(args) - 1 - i)) for i, x in enumerate(arrays))


@implements("extract")
def extract(condition, arr):
    arr, mask = operand(arr).reshape(-1), as_mask(condition).reshape(-1)
    need(mask.shape == arr.shape)
    return rows.extract(arr, mask)


@implements("compress")
def compress(condition, a, axis=None, out=None):
    a, mask = operand(a), as_mask(condition)
    if mask.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, _search.nonzero(mask)[0], axis, out)


@implements("take")
def take(a, indices, axis=None, out=None, mode="raise"):
    a, indices = operand(a), integers(indices)
    need(mode == "raise" and (a.ndim or axis is None))
    return stored_in(rows.take, out, a, indices, **given(axis=axis))


def integers(indices):
    indices = operand(np.asarray(indices, np.intp) if isinstance(indices, list) and not indices else indices)
    need(indices.dtype.kind in "iu")
    return indices


@implements("delete")
def delete(arr, obj, axis=None):
    arr, axis = along(arr, axis)
    obj = np.asarray(obj) if isinstance(obj, _numd.Array) else obj
    kept = np.delete(np.arange(arr.shape[axis]), obj)
    return rows.take(arr, beside(arr, kept), axis=axis)


@implements("unravel_index")
def unravel_index(indices, shape, order="C"):
    indices, shape = integers(indices), as_tuple(shape)
    need(order == "C" and shape)
    check_bounds(indices, 0, math.prod(shape))
    need(not indices.size or rows.all(rows.greater_equal(indices, 0)))
    places = []
    for n in reversed(shape[1:]):
        places.append(rows.remainder(indices, n))
        indices = rows.floor_divide(indices, n)
    return (indices, *reversed(places))


@implements("take_along_axis")
def take_along_axis(arr, indices, axis=-1):
    arr, indices = operand(arr), operand(indices)
    if axis is None:
        arr, axis = arr.reshape(-1), 0
    same_but(arr, indices, axis)
    return rows.take_along_axis(arr, indices, axis=axis)


def same_but(arr, indices, axis):
    """The row broadcasts nothing; NumPy does."""
    axis = axis_of(axis, arr.ndim)
    need(indices.ndim == arr.ndim)
    need(all(n == m for i, (n, m) in enumerate(zip(arr.shape, indices.shape)) if i != axis))


@implements("put_along_axis")
def put_along_axis(arr, indices, values, axis):
    need(isinstance(arr, _numd.Array) and axis is not None)
    indices = operand(indices)
    same_but(arr, indices, axis)
    rows.put_along_axis(arr, indices, _numd.asarray(values, arr.dtype), axis=axis, out=arr)


@implements("put")
def put(a, ind, v, mode="raise"):
    need(isinstance(a, _numd.Array) and mode == "raise")
    indices, values = integers(ind).reshape(-1), _numd.asarray(v, a.dtype).reshape(-1)
    need(values.size in (1, indices.size))
    rows.put(a, indices, values, out=a)


@implements("place")
def place(arr, mask, vals):
    need(isinstance(arr, _numd.Array))
    rows.place(arr, as_mask(mask), _numd.asarray(vals, arr.dtype).reshape(-1), out=arr)


@implements("putmask")
def putmask(a, mask, values):
    values = operand(values)
    need(isinstance(a, _numd.Array) and (values.size == 1 or values.shape == a.shape))
    values = values.reshape(()) if values.size == 1 else values
    rows.where(as_mask(mask), rows.astype(values, dtype=a.dtype), a, out=a)


@implements("copyto")
def copyto(dst, src, casting="same_kind", where=True):
    need(casting == "same_kind")
    store(operand(src), dst, where)


# ---- Order


@implements("sort")
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    need(order is None)
    a, axis = along(a, axis)
    return rows.sort(a, axis=axis)


@implements("argsort")
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    need(order is None)
    a, axis = along(a, axis)
    return rows.argsort(a, axis=axis, stable=True)


def along(a, axis):
    return (operand(a).reshape(-1), 0) if axis is None else (operand(a), axis)


@implements("lexsort")
def lexsort(keys, axis=-1):
    keys = [operand(key) for key in keys]
    need(keys and all(key.ndim == 1 and key.shape == keys[0].shape for key in keys) and axis in (0, -1))
    order = rows.argsort(keys[0], stable=True)
    for key in keys[1:]:
        order = rows.take(order, rows.argsort(rows.take(key, order), stable=True))
    return order


@implements("partition")
def partition(a, kth, axis=-1, kind="introselect", order=None):
    """All in order is one of the orders that NumPy may give."""
    need(order is None)
    check_kth(kth, operand(a), axis)
    return sort(a, axis)


@implements("argpartition")
def argpartition(a, kth, axis=-1, kind="introselect", order=None):
    need(order is None)
    check_kth(kth, operand(a), axis)
    return argsort(a, axis)


def check_kth(kth, a, axis):
    n = a.size if axis is None else a.shape[axis_of(axis, a.ndim)]
    for k in as_tuple(kth):
        if not -n <= k < n:
            raise ValueError(f"kth(={k}) out of bounds ({n})")


@implements("searchsorted")
def searchsorted(a, v, side="left", sorter=None):
    return _search.searchsorted(a, v, side, sorter)


# ---- Sets


@implements("unique")
def unique(
    ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True
):
    ar = operand(ar)
    need(axis is None)
    if not (return_index or return_inverse or return_counts):
        values = rows.unique_values(ar)
        return values[: values.size - max(count_nan(values) - 1, 0)] if equal_nan else values
    values, indices, inverse, counts = rows.unique_all(ar)
    need(not equal_nan or count_nan(values) < 2)
    inverse = inverse.reshape(-1) if NUMPY_1 else inverse
    wanted = [(return_index, indices), (return_inverse, inverse), (return_counts, counts)]
    return (values, *(result for is_wanted, result in wanted if is_wanted))


def count_nan(values):
    return int(rows.count_nonzero(rows.isnan(values))) if values.dtype.kind in "fc" else 0


@implements("unique_values")
def unique_values(x):
    return _search.unique_values(x)


@implements("unique_counts")
def unique_counts(x):
    return _search.unique_counts(x)


@implements("unique_inverse")
def unique_inverse(x):
    return _search.unique_inverse(x)


@implements("unique_all")
def unique_all(x):
    return _search.unique_all(x)


@implements("isin")
def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    return rows.isin(operand(element), operand(test_elements), invert=invert)


@implements("in1d")
def in1d(ar1, ar2, assume_unique=False, invert=False, *, kind=None):
    return rows.isin(ravel(ar1), operand(ar2), invert=invert)


@implements("union1d")
def union1d(ar1, ar2):
    return unique(_arrange.concat([operand(ar1).reshape(-1), operand(ar2).reshape(-1)]))


@implements("intersect1d")
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    need(not return_indices)
    ar1, ar2 = operand(ar1), operand(ar2)
    values = unique(_numd.asarray(ar1, _numd.result_type(ar1.dtype, ar2.dtype)))
    return rows.extract(values, rows.isin(values, ar2))


@implements("setdiff1d")
def setdiff1d(ar1, ar2, assume_unique=False):
    values = ravel(ar1) if assume_unique else unique(ar1)
    return rows.extract(values, rows.isin(values, operand(ar2), invert=True))


# ---- Values


@implements("clip")
def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None):
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    need(low is not None or high is not None)
    return stored_in(_search.clip, out, a, low, high)


@implements("round", "around", "round_")
def round_(a, decimals=0, out=None):
    a = operand(a)
    if a.dtype.kind in "iu" and decimals >= 0:
        return store(a.copy(), out)
    need(a.dtype.kind in "fc")
    if decimals == 0:
        return stored_in(rows.round, out, a)
    scale = 10.0 ** abs(decimals)
    there, back = (rows.multiply, rows.divide) if decimals > 0 else (rows.divide, rows.multiply)
    return store(back(rows.round(there(a, scale)), scale), out)


@implements("fix")
def fix(x, out=None):
    return stored_in(rows.trunc, out, operand(x))


@implements("real")
def real(val):
    return operand(val).real


@implements("imag")
def imag(val):
    return operand(val).imag


@implements("angle")
def angle(z, deg=False):
    z = operand(z)
    result = rows.atan2(z.imag, z.real)
    return COMPOSED[np.degrees](result) if deg else result


@implements("diff")
def diff(a, n=1, axis=-1, prepend=None, append=None):
    a = operand(a)
    ends = [end if end is None else widened(end, a, axis) for end in (prepend, append)]
    return _search.diff(a, n, axis, *ends)


def widened(end, a, axis):
    """A scalar end for each line along the axis."""
    end, shape = operand(end), list(a.shape)
    shape[axis_of(axis, a.ndim)] = 1
    return end if end.ndim else rows.broadcast_to(end, shape=tuple(shape))


@implements("nan_to_num")
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    x = operand(x)
    need(copy and x.dtype.kind == "f")
    limits = np.finfo(x.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    x = rows.where(rows.equal(x, float("inf")), high, rows.where(rows.equal(x, float("-inf")), low, x))
    return rows.where(rows.isnan(x), nan, x)


# ---- Comparing


@implements("array_equal")
def array_equal(a1, a2, equal_nan=False):
    a1, a2 = operand(a1), operand(a2)
    if a1.shape != a2.shape:
        return False
    equal = rows.equal(a1, a2)
    if equal_nan:
        equal = rows.logical_or(equal, rows.logical_and(rows.isnan(a1), rows.isnan(a2)))
    return answer(equal)


def answer(mask):
    """Whether all is true, as a Python bool where it is known already."""
    found = all_(mask)
    return found if is_traced(found) else bool(found)


@implements("isclose")
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    a, b = operand(a), operand(b)
    if b.dtype.kind not in "fc":
        b = rows.astype(b, dtype="float64")
    near = rows.less_equal(rows.abs(rows.subtract(a, b)), rows.add(atol, rows.multiply(rtol, rows.abs(b))))
    close = rows.logical_or(rows.logical_and(near, rows.isfinite(b)), rows.equal(a, b))
    if equal_nan:
        close = rows.logical_or(close, rows.logical_and(rows.isnan(a), rows.isnan(b)))
    return close


@implements("allclose")
def allclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    return answer(isclose(a, b, rtol, atol, equal_nan))
