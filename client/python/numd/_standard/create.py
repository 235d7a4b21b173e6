# SPDX-License-Identifier: BSD-3-Clause
"""New arrays: of values that the daemon computes, like others, and from other libraries."""

import math
import operator

import numpy as np

from .. import _numd
from .._errors import public
from .._numd import Array, asarray
from .info import check_device
from .operands import is_array, operand, operand_of
from .rows import row, rows
from .shape import as_tuple, broadcast_arrays, broadcast_to


def _number(x):
    return x.item() if isinstance(x, np.generic) else x


@row("arange")
def arange(start, stop=None, step=1, dtype=None, *, device=None, session=None):
    """As range(), with `start` 0 if only one bound is given. By default int64, or float64 if an argument is a float.

    Examples
    --------
    >>> import numd
    >>> numd.arange(2, 8, 2)
    numd.Array([2, 4, 6], dtype=int64)
    """
    check_device(device)
    start, stop, step = map(_number, (0, start, step) if stop is None else (start, stop, step))
    if step == 0:
        raise ValueError("arange() with a step of 0")
    if dtype is None:
        dtype = "float64" if any(isinstance(x, float) for x in (start, stop, step)) else "int64"
    if all(isinstance(x, int) for x in (start, stop, step)):
        length = len(range(start, stop, step))
    else:
        length = max(0, math.ceil((stop - start) / step))
    return rows.arange(start, step, shape=length, dtype=dtype, session=session)


@row("linspace")
def linspace(start, stop, num=50, dtype=None, endpoint=True, *, device=None, session=None):
    """Examples
    --------
    >>> import numd
    >>> numd.linspace(0, 1, 5)
    numd.Array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float64)
    """
    check_device(device)
    start, stop = _number(start), _number(stop)
    if num < 0:
        raise ValueError(f"linspace() of {num} values")
    if dtype is None:
        dtype = "complex128" if isinstance(start, complex) or isinstance(stop, complex) else "float64"
    return rows.linspace(start, stop, shape=num, dtype=dtype, endpoint=endpoint, session=session)


@row("eye")
def eye(n_rows, n_cols=None, k=0, dtype=None, *, device=None, session=None):
    """Examples
    --------
    >>> import numd
    >>> numd.eye(2, dtype="int64").tolist()
    [[1, 0], [0, 1]]
    """
    check_device(device)
    shape = (n_rows, n_rows if n_cols is None else n_cols)
    k = max(-shape[0], min(operator.index(k), shape[1]))  # beyond these there is no diagonal
    return rows.eye(shape=shape, k=k, dtype="float64" if dtype is None else dtype, session=session)


# ---- Arrays like others


def like(x, value, dtype, shape=None):
    """An array beside x, of its shape and dtype unless others are given, with one value everywhere; None: any."""
    x = operand(x)
    shape, dtype = x.shape if shape is None else as_tuple(shape), x.dtype if dtype is None else dtype
    if not is_array(x):  # one element is enough for a program
        return broadcast_to(operand_of(dtype, 0 if value is None else value), shape)
    array = _numd._empty_beside(x, shape, dtype)
    if value is not None:
        array[...] = value
    return array


@public
def empty_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, with unspecified contents.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    check_device(device)
    return like(x, None, dtype)


@public
def full_like(x, /, fill_value, *, dtype=None, device=None):
    """A new array of x's shape and dtype, with one value everywhere.

    Parameters
    ----------
    x : array_like
        The array.
    fill_value : scalar
        The value.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    check_device(device)
    return like(x, fill_value, dtype)


@public
def zeros_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, of zeros.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    return full_like(x, 0, dtype=dtype, device=device)


@public
def ones_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, of ones.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    return full_like(x, 1, dtype=dtype, device=device)


@public
def from_dlpack(x, /, *, device=None, copy=None):
    """An Array of what another library exports by DLPack.

    Parameters
    ----------
    x : object
        With `__dlpack__` and `__dlpack_device__`. An Array gives a view of the same memory; other memory is not shared,
        so it is copied into shared memory.
    device : str, optional
        'cpu', the only one.
    copy : bool, optional
        True copies always; False raises where a copy would be needed.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        A copy would be needed, and copy is False.

    Examples
    --------
    >>> import numd, numpy as np
    >>> numd.from_dlpack(np.arange(3))
    numd.Array([0, 1, 2], dtype=int64)
    """
    check_device(device)
    if isinstance(x, Array):
        return asarray(x, copy=True) if copy else x[...]
    return asarray(np.from_dlpack(x), copy=copy)


@public
def meshgrid(*arrays, indexing="xy"):
    """Coordinate matrices of coordinate vectors.

    Parameters
    ----------
    *arrays : array_like
        Vectors, or scalars.
    indexing : {'xy', 'ij'}, optional
        'xy' exchanges the first two dimensions; 'ij' leaves them in the order of the arrays.

    Returns
    -------
    tuple of Array
        New ones, as many as there are vectors.

    Examples
    --------
    >>> import numd
    >>> x, y = numd.meshgrid([1, 2], [3, 4])
    >>> x.tolist(), y.tolist()
    ([[1, 2], [1, 2]], [[3, 3], [4, 4]])
    """
    return tuple(rows.copy(grid) for grid in broadcast_arrays(*open_grids(arrays, indexing)))


def open_grids(arrays, indexing):
    """Each of the vectors along its own dimension."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing is {indexing!r}: it can be 'xy' or 'ij'")
    n = len(arrays)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else range(n)
    return [operand(x).reshape(tuple(-1 if at == axis else 1 for at in order)) for axis, x in enumerate(arrays)]
