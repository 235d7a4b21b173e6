# SPDX-License-Identifier: BSD-3-Clause
"""The same elements in another shape: views where strides can say it, copies by the daemon elsewhere."""

import operator

import numpy as np

from .. import _numd
from .._errors import public
from .operands import is_array, operand
from .rows import row, rows

AxisError = getattr(np, "exceptions", np).AxisError  # a ValueError and an IndexError


def axis_of(axis, ndim):
    """The axis, counted from the front."""
    number = operator.index(axis)
    if not -ndim <= number < ndim:
        raise AxisError(number, ndim)
    return number % ndim


def axes_of(axes, ndim):
    """An axis or several, counted from the front."""
    numbers = [axis_of(axis, ndim) for axis in as_tuple(axes)]
    if len(set(numbers)) < len(numbers):
        raise ValueError("an axis is given twice")
    return numbers


def as_tuple(value):
    """An int or a sequence of ints, also an array of them, as a tuple."""
    is_number = hasattr(value, "__index__") and not getattr(value, "ndim", 0)
    return (operator.index(value),) if is_number else tuple(map(operator.index, value))


# ---- The same elements


@row("reshape")
def reshape(x, shape, copy=None):
    """A view where strides can say it, else a copy; `copy` True or False demands one or the other.

    Examples
    --------
    >>> import numd
    >>> numd.reshape(numd.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    x, shape = operand(x), as_tuple(shape)
    if not is_array(x):
        return rows.reshape(x, shape=shape)
    if copy:
        return rows.copy(x).reshape(shape)
    reshaped = x.reshape(shape)
    if copy is False and x.size and not np.shares_memory(np.asarray(reshaped), np.asarray(x)):
        raise ValueError(f"copy=False, but shape {shape} needs a copy of an array with strides {x.strides}")
    return reshaped


@row("permute_dims")
def permute_dims(x, axes=None):
    """Examples
    --------
    >>> import numd
    >>> numd.permute_dims(numd.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = operand(x)
    order = tuple(range(x.ndim))[::-1] if axes is None else as_tuple(axes)
    return x.transpose(order) if is_array(x) else rows.permute_dims(x, order=order)


@row("matrix_transpose")
def matrix_transpose(x):
    x = operand(x)
    return x.mT if is_array(x) else rows.matrix_transpose(x)


@row("flip")
def flip(x, axis=None):
    """Examples
    --------
    >>> import numd
    >>> numd.flip(numd.arange(3)).tolist()
    [2, 1, 0]
    """
    x = operand(x)
    if not is_array(x):
        return rows.flip(x, axis=axis)
    axes = range(x.ndim) if axis is None else axes_of(axis, x.ndim)
    return x[(*(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim)), ...)]


@row("broadcast_to")
def broadcast_to(x, shape):
    """An Array gives a view whose elements lie at the same place, so storing through it changes all of them.

    Examples
    --------
    >>> import numd
    >>> numd.broadcast_to(numd.arange(2), (2, 2)).tolist()
    [[0, 1], [0, 1]]
    """
    x, shape = operand(x), as_tuple(shape)
    if not is_array(x):
        return rows.broadcast_to(x, shape=shape)
    new = len(shape) - x.ndim
    if new < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[new:])):
        raise ValueError(f"an array of shape {x.shape} cannot be broadcast to {shape}")
    strides = [s if n == m else 0 for n, m, s in zip(x.shape, shape[new:], x.strides)]
    return _numd._view(x, 0, shape, (0,) * new + tuple(strides))


@row("diagonal")
def diagonal(x, offset=0):
    """Examples
    --------
    >>> import numd
    >>> numd.diagonal(numd.arange(4).reshape(2, 2)).tolist()
    [0, 3]
    """
    x, k = operand(x), operator.index(offset)
    if not is_array(x):
        return rows.diagonal(x, k=k)
    if x.ndim < 2:
        raise ValueError("a matrix has two dimensions at least")
    (n, m), (down, right) = x.shape[-2:], x.strides[-2:]
    length = max(0, min(n + min(k, 0), m - max(k, 0)))
    start = max(-k, 0) * down + max(k, 0) * right if length else 0
    return _numd._view(x, start, x.shape[:-2] + (length,), x.strides[:-2] + (down + right,))


# ---- Axes and broadcasting


@public
def broadcast_shapes(*shapes):
    """The shape to which arrays of these shapes broadcast.

    Parameters
    ----------
    *shapes : tuple of int
        Shapes of arrays.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        They do not.

    Examples
    --------
    >>> import numd
    >>> numd.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return np.broadcast_shapes(*shapes)


@public
def broadcast_arrays(*arrays):
    """Views of the arrays in the shape to which they broadcast.

    Parameters
    ----------
    *arrays : array_like
        The arrays.

    Returns
    -------
    tuple of Array
        Elements that are repeated lie at the same place, so storing through a view changes all of them.

    Raises
    ------
    ValueError
        They do not broadcast.
    """
    arrays = [operand(array) for array in arrays]
    shape = np.broadcast_shapes(*[array.shape for array in arrays])
    return tuple(broadcast_to(array, shape) for array in arrays)


@public
def expand_dims(x, /, axis):
    """A view with new dimensions of length 1.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or tuple of int
        Where they are in the result.

    Returns
    -------
    Array

    Raises
    ------
    IndexError
        An axis is out of bounds.

    Examples
    --------
    >>> import numd
    >>> numd.expand_dims(numd.zeros(3), axis=(0, -1)).shape
    (1, 3, 1)
    """
    x = operand(x)
    ndim = x.ndim + len(as_tuple(axis))
    new = axes_of(axis, ndim)
    return x[(*(None if i in new else slice(None) for i in range(ndim)), ...)]


@public
def squeeze(x, /, axis=None):
    """A view without dimensions of length 1.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or tuple of int, optional
        Which; all of that length by default.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        The length of a dimension is not 1, or there is no such dimension.

    Examples
    --------
    >>> import numd
    >>> numd.squeeze(numd.zeros((1, 3, 1))).shape
    (3,)
    """
    x = operand(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ValueError(f"dimension {i} has length {x.shape[i]}, not 1")
    return x[(*(0 if i in axes else slice(None) for i in range(x.ndim)), ...)]


@public
def moveaxis(x, source, destination, /):
    """A view with dimensions at other places.

    Parameters
    ----------
    x : array_like
        The array.
    source : int or tuple of int
        Which.
    destination : int or tuple of int
        Where they go; the others keep their order.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        An axis is out of bounds or given twice, or there are more of one than of the other.

    Examples
    --------
    >>> import numd
    >>> numd.moveaxis(numd.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = operand(x)
    source, destination = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    if len(source) != len(destination):
        raise ValueError(f"{len(source)} dimensions cannot go to {len(destination)} places")
    order = [axis for axis in range(x.ndim) if axis not in source]
    for to, axis in sorted(zip(destination, source)):
        order.insert(to, axis)
    return permute_dims(x, tuple(order))


@public
def unstack(x, /, *, axis=0):
    """The parts of x along an axis.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int, optional
        The first by default.

    Returns
    -------
    tuple of Array
        Views.

    Examples
    --------
    >>> import numd
    >>> [float(row.sum()) for row in numd.unstack(numd.ones((2, 3)))]
    [3.0, 3.0]
    """
    x = moveaxis(operand(x), axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))
