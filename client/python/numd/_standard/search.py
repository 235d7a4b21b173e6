# SPDX-License-Identifier: BSD-3-Clause
"""Sorting, searching, sets, and elements by index or mask."""

from .. import _numd
from .._numd import Array
from .arrange import concat
from .operands import given, named, operand
from .rows import row, rows


@row("sort")
def sort(x, axis=-1, descending=False, stable=True, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.sort([3, 1, 2], descending=True).tolist()
    [3, 2, 1]
    """
    return rows.sort(operand(x), axis=axis, descending=descending, stable=stable, **given(out=out))


@row("argsort")
def argsort(x, axis=-1, descending=False, stable=True, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.argsort([3, 1, 2]).tolist()
    [1, 2, 0]
    """
    return rows.argsort(operand(x), axis=axis, descending=descending, stable=stable, **given(out=out))


@row("searchsorted")
def searchsorted(x1, x2, side="left", sorter=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.searchsorted([1, 3, 5], [3, 4], side="right").tolist()
    [2, 2]
    """
    if side not in ("left", "right"):
        raise ValueError("side is 'left' or 'right'")
    x1 = operand(x1) if sorter is None else rows.take(operand(x1), operand(sorter))
    return rows.searchsorted(x1, operand(x2), right=side == "right", **given(out=out))


@row("nonzero")
def nonzero(x):
    """Examples
    --------
    >>> import numd
    >>> [index.tolist() for index in numd.nonzero([0, 5, 7])]
    [[1, 2]]
    """
    x = operand(x)
    if x.ndim == 0:
        raise ValueError("nonzero() of an array without dimensions")
    indices = rows.nonzero(x)
    return tuple(indices[i] for i in range(x.ndim))


@row("unique_values")
def unique_values(x):
    x = operand(x)
    return unique_complex(x).values if is_complex(x) else rows.unique_values(x)


@row("unique_counts")
def unique_counts(x):
    """Examples
    --------
    >>> import numd
    >>> values, counts = numd.unique_counts([2, 1, 2])
    >>> values.tolist(), counts.tolist()
    ([1, 2], [1, 2])
    """
    x = operand(x)
    if is_complex(x):
        unique = unique_complex(x)
        return named("UniqueCountsResult", unique.values, unique.counts)
    return named("UniqueCountsResult", *rows.unique_counts(x))


@row("unique_inverse")
def unique_inverse(x):
    x = operand(x)
    if is_complex(x):
        unique = unique_complex(x)
        return named("UniqueInverseResult", unique.values, unique.inverse_indices)
    return named("UniqueInverseResult", *rows.unique_inverse(x))


@row("unique_all")
def unique_all(x):
    x = operand(x)
    return unique_complex(x) if is_complex(x) else named("UniqueAllResult", *rows.unique_all(x))


def is_complex(x):
    return isinstance(x, Array) and x.dtype.kind == "c"


def unique_complex(x):
    """In the order of the real parts, then of the imaginary ones; as one operation the daemon has it not."""
    flat = x.reshape(-1)
    order = rows.argsort(flat.imag)
    order = rows.take(order, rows.argsort(rows.take(flat.real, order)))
    ordered = rows.take(flat, order)
    begins = rows.full(True, shape=(x.size,), dtype="bool")
    if x.size > 1:
        rows.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    at = rows.nonzero(begins)[0]
    inverse = rows.put(order, order, rows.subtract(rows.cumulative_sum(begins, dtype="int64"), 1))
    counts = rows.diff(rows.concat(at, _numd.asarray([x.size])))
    return named("UniqueAllResult", rows.take(ordered, at), rows.take(order, at), inverse.reshape(x.shape), counts)


@row("isin")
def isin(x1, x2, invert=False, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.isin([1, 2, 3], [2, 3]).tolist()
    [False, True, True]
    """
    return rows.isin(operand(x1), operand(x2), invert=invert, **given(out=out))


@row("take")
def take(x, indices, axis=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.take([10, 20, 30], [2, 0]).tolist()
    [30, 10]
    """
    return rows.take(operand(x), operand(indices), **given(axis=axis, out=out))


@row("take_along_axis")
def take_along_axis(x, indices, axis=-1, out=None):
    return rows.take_along_axis(operand(x), operand(indices), axis=axis, **given(out=out))


@row("extract")
def extract(x, mask):
    return rows.extract(operand(x), operand(mask))


@row("put")
def put(x, indices, values, axis=None, out=None):
    """A new array, or `out`, which may be `x` itself; `x` is not changed otherwise.

    Examples
    --------
    >>> import numd
    >>> numd.put([0, 0, 0], [0, -1], [1, 2]).tolist()
    [1, 0, 2]
    """
    return rows.put(operand(x), operand(indices), operand(values), **given(axis=axis, out=out))


@row("put_along_axis")
def put_along_axis(x, indices, values, axis=-1, out=None):
    """A new array, or `out`, which may be `x` itself; `x` is not changed otherwise."""
    return rows.put_along_axis(operand(x), operand(indices), operand(values), axis=axis, **given(out=out))


@row("place")
def place(x, mask, values, out=None):
    """A new array, or `out`, which may be `x` itself; `x` is not changed otherwise."""
    return rows.place(operand(x), operand(mask), operand(values), **given(out=out))


@row("clip")
def clip(x, min=None, max=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.clip([-1, 5, 12], 0, 10).tolist()
    [0, 5, 10]
    """
    if min is None and max is None:
        return rows.positive(x, **given(out=out))
    if min is None:
        return rows.minimum(x, max, **given(out=out))
    if max is None:
        return rows.maximum(x, min, **given(out=out))
    return rows.clip(x, min, max, **given(out=out))


@row("diff")
def diff(x, n=1, axis=-1, prepend=None, append=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.diff([1, 4, 9]).tolist()
    [3, 5]
    """
    parts = [part for part in (prepend, x, append) if part is not None]
    x = operand(x) if len(parts) == 1 else concat(parts, axis=axis)
    return rows.diff(x, axis=axis, n=n, **given(out=out))
