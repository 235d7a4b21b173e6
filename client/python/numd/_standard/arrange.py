# SPDX-License-Identifier: BSD-3-Clause
"""Elements joined, repeated and moved: copies made by the daemon."""

import numpy as np

from .. import _numd
from .operands import given, is_array, operand
from .rows import row, rows
from .shape import as_tuple, axis_of

MAX_JOINED = 16  # arrays that one operation takes


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
