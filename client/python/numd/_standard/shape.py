"""Functions that arrange elements: views where strides can say it, copies by the daemon elsewhere."""

import operator

import numpy as np

from .. import _numd
from .operands import given, operand
from .rows import row, rows

MAX_JOINED = 16  # arrays that one operation takes
AxisError = getattr(np, "exceptions", np).AxisError  # a ValueError and an IndexError


def is_array(x):
    return isinstance(x, _numd.Array)


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
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


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


# ---- Joining


def join(name, arrays, axis, out):
    """More than one operation takes are joined in groups, each in its part of the result."""
    arrays = [operand(array) for array in arrays]
    if not arrays:
        raise ValueError(f"{name}() needs an array at least")
    if len(arrays) <= MAX_JOINED:
        return getattr(rows, name)(*arrays, **given(axis=axis, out=out))
    if not all(map(is_array, arrays)):
        raise TypeError(f"a traced function joins {MAX_JOINED} arrays at most at once")
    if axis is None:
        arrays, axis = [array.reshape(-1) for array in arrays], 0
    first = arrays[0]
    axis = axis_of(axis, first.ndim + (name == "stack"))
    lengths = [1 if name == "stack" else array.shape[axis] for array in arrays]
    shape = first.shape[:axis] + (sum(lengths),) + first.shape[axis + (name == "concat") :]
    if out is None:
        out = _numd._empty_beside(first, shape, _numd.result_type(*arrays))
    elif out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, not {shape}")
    at = 0
    for i in range(0, len(arrays), MAX_JOINED):
        end = at + sum(lengths[i : i + MAX_JOINED])
        part = out[(slice(None),) * axis + (slice(at, end),)]
        getattr(rows, name)(*arrays[i : i + MAX_JOINED], axis=axis, out=part)
        at = end
    return out


@row("concat")
def concat(arrays, axis=0, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.concat([numd.arange(2), numd.arange(3)]).tolist()
    [0, 1, 0, 1, 2]
    """
    return join("concat", arrays, axis, out)


@row("stack")
def stack(arrays, axis=0, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.stack([numd.arange(2), numd.arange(2)], axis=1).tolist()
    [[0, 0], [1, 1]]
    """
    return join("stack", arrays, axis, out)


# ---- Copies


@row("repeat")
def repeat(x, repeats, axis=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.repeat(numd.arange(3), [2, 0, 1]).tolist()
    [0, 0, 2]
    """
    x = operand(x)
    if hasattr(repeats, "__index__") and np.ndim(repeats) == 0:
        return rows.repeat(x, n=repeats, **given(axis=axis, out=out))
    counts = np.asarray(repeats)
    n = x.size if axis is None else x.shape[axis_of(axis, x.ndim)]
    indices = np.repeat(np.arange(n), np.broadcast_to(counts, (n,)))
    return rows.take(x, indices, **given(axis=axis, out=out))


@row("tile")
def tile(x, repetitions, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.tile(numd.arange(2), 2).tolist()
    [0, 1, 0, 1]
    """
    return rows.tile(operand(x), repetitions=as_tuple(repetitions), **given(out=out))


@row("roll")
def roll(x, shift, axis=None, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.roll(numd.arange(4), 1).tolist()
    [3, 0, 1, 2]
    """
    shift = as_tuple(shift)
    if axis is None:
        return rows.roll(operand(x), shift=shift, **given(out=out))
    axes = as_tuple(axis)
    shifts, axes = np.broadcast_arrays(shift, axes)
    return rows.roll(operand(x), shift=shifts.tolist(), order=axes.tolist(), **given(out=out))


@row("tril")
def tril(x, k=0, out=None):
    return rows.tril(operand(x), k=k, **given(out=out))


@row("triu")
def triu(x, k=0, out=None):
    return rows.triu(operand(x), k=k, **given(out=out))
