# SPDX-License-Identifier: BSD-3-Clause
"""Indexing with arrays: integers and masks, alone, several of them, and beside slices.

The basic parts of a key (slices, numbers, None) give a view first; what is left is an array of integers for some
of its axes, or a mask for a run of them. One array is a `take` or `put` along its axis. Several become one, of
flat indices into the axes that they select from. NumPy's rule says where the new axes go: in place of the old
ones if those are neighbours in the key, else to the front.
"""

import math
import operator
from typing import NamedTuple

import numpy as np

from .. import _numd
from .operands import beside, is_traced
from .rows import rows

Array = _numd.Array


class Selection(NamedTuple):
    """A key, read: `arrays` select from the axes `axes` of `view`; new axes go to `place`."""

    view: Array
    axes: list
    arrays: list  # of integers; or a mask alone, for all of the axes
    place: int

    @property
    def is_mask(self):
        return self.arrays[0].dtype == bool


# ---- Reading a key


def items_of(a, key):
    return tuple(item_of(a, item) for item in (key if isinstance(key, tuple) else (key,)))


def read(a, items):
    items = expanded(list(items), a.ndim)
    basic, arrays, at, new, dim = [], [], [], [], 0
    for i, item in enumerate(items):
        if item is Ellipsis:
            continue
        if not isinstance(item, Array):
            basic.append(item)
            if isinstance(item, int):
                at.append(i)
                new.append(dim)  # a number counts where the arrays are, and its axis is gone
            else:
                dim += 1
            continue
        width = item.ndim if item.dtype == bool else 1
        axes = list(range(dim, dim + width))
        if item.dtype == bool:
            item = fitting_mask(item, a, items[:i])
        if width == 0:  # a mask without dimensions selects from a new axis
            basic.append(None)
            axes, item, width = [dim], item.reshape(1), 1
        else:
            basic += [slice(None)] * width
        arrays.append((axes, item))
        at.append(i)
        new.append(dim)
        dim += width
    place = new[0] if at == list(range(at[0], at[-1] + 1)) else 0
    if len(arrays) > 1:
        arrays = [pair for axes, item in arrays for pair in split_mask(axes, item)]
    axes = [axis for group, _ in arrays for axis in group]
    return Selection(a[(*basic, ...)], axes, [item for _, item in arrays], place)


def item_of(a, item):
    """Numbers as int, arrays as Array in the session of `a`; slices, None and Ellipsis as they are."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if is_traced(item):
        operator.index(item)  # raises: a traced value is no number
    if isinstance(item, (bool, np.bool_)):
        return beside(a, np.asarray(bool(item)))
    if hasattr(type(item), "__index__") and not getattr(item, "ndim", 0):
        try:
            return operator.index(item)
        except TypeError:
            pass
    if not isinstance(item, Array) and not hasattr(item, "dtype"):
        if isinstance(item, str) or not hasattr(type(item), "__len__"):
            refuse_key()
        item = np.asarray(item)
        item = item.astype(np.intp) if item.size == 0 else item
    if getattr(item, "dtype", np.dtype(object)).kind not in "biu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    return item if isinstance(item, Array) else beside(a, np.asarray(item))


def refuse_key():
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean arrays are valid indices"
    )


def n_axes(item):
    """How many axes of the array an item of a key uses."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Array) and item.dtype == bool else 1


def expanded(items, ndim):
    """With slices instead of the Ellipsis, which is at the end if there is none. One that stands for no axis stays:
    it is between its neighbours all the same."""
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = sum(map(n_axes, items))
    if used > ndim:
        raise IndexError(
            f"too many indices for array: array is {ndim}-dimensional, but {used} were indexed"
        )
    at = dots[0] if dots else len(items)
    rest = [slice(None)] * (ndim - used)
    return items[:at] + (rest or ([Ellipsis] if dots else [])) + items[at + 1 :]


def fitting_mask(mask, a, before):
    """The mask, whose shape must be that of its axes; a length of 0 goes for any, as with NumPy, and selects
    nothing."""
    first = sum(map(n_axes, before))
    for axis, n in enumerate(mask.shape, first):
        if n not in (0, a.shape[axis]):
            raise IndexError(
                f"boolean index did not match indexed array along axis {axis}; size of axis is "
                f"{a.shape[axis]} but size of corresponding boolean axis is {n}"
            )
    shape = a.shape[first : first + mask.ndim]
    return mask if mask.shape == shape else beside(a, np.zeros(shape, bool))


def split_mask(axes, item):
    """A mask among other arrays as an array of integers for each of its axes."""
    if item.dtype != bool:
        return [(axes, item)]
    indices = rows.nonzero(item)
    return [([axis], indices[i]) for i, axis in enumerate(axes)]


# ---- Flat indices


def check_bounds(index, axis, length):
    if not index.size:
        return
    low, high = int(rows.min(index)), int(rows.max(index))
    if low < -length or high >= length:
        wrong = low if low < -length else high
        raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {length}")


def flat_indices(selection):
    """One index into all selected axes, in C order."""
    try:
        shape = np.broadcast_shapes(*(index.shape for index in selection.arrays))
    except ValueError:
        shapes = " ".join(str(index.shape) for index in selection.arrays)
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
        ) from None
    flat = None
    for axis, index in zip(selection.axes, selection.arrays):
        length = selection.view.shape[axis]
        if 0 not in shape:  # as NumPy has it: where the indices select nothing, they may be anything
            check_bounds(index, axis, length)
        index = rows.astype(index, dtype="int64")
        index = rows.remainder(index, max(length, 1))
        flat = index if flat is None else rows.add(rows.multiply(flat, length), index)
    return flat


def front(selection):
    """The view with the selected axes first."""
    others = [axis for axis in range(selection.view.ndim) if axis not in selection.axes]
    return selection.view.transpose((*selection.axes, *others))


def moved(array, n, place):
    """With the first n axes moved behind the `place` next ones."""
    order = [*range(n, n + place), *range(n), *range(n + place, array.ndim)]
    return array.transpose(tuple(order))


# ---- Getting


def get(a, key):
    items = items_of(a, key)
    if not any(isinstance(item, Array) for item in items):
        return a[items]
    selection = read(a, items)
    view, axes, arrays, place = selection
    if selection.is_mask and len(arrays) == 1:
        found = rows.extract(front(selection), arrays[0])
        return moved(found, 1, place)
    if len(arrays) == 1:
        (index,), (axis,) = arrays, axes
        check_bounds(index, axis, view.shape[axis])
        if axis == place:
            return rows.take(view, index, axis=axis)
        return moved(rows.take(front(selection), index, axis=0), index.ndim, place)
    index = flat_indices(selection)
    source = front(selection)
    rest = source.shape[len(axes) :]
    merged = source.reshape((math.prod(source.shape[: len(axes)]), *rest)) if rest else source
    found = rows.take(merged, index, axis=0) if rest else rows.take(merged, index)
    return moved(found, index.ndim, place)


# ---- Setting


def set(a, key, value):
    items = items_of(a, key)
    if not any(isinstance(item, Array) for item in items):
        a[items] = value
        return
    selection = read(a, items)
    value = np.asarray(value) if isinstance(value, (list, tuple)) else value
    values = converted(value, selection.view)
    if selection.is_mask and len(selection.arrays) == 1:
        set_mask(selection, values)
    else:
        set_indices(selection, values)


def converted(value, view):
    """In the dtype of the array, with the conversion and the errors of an assignment."""
    shape = value.shape if hasattr(value, "shape") else ()
    values = _numd._empty_beside(view, shape, view.dtype)
    values[...] = value
    return values


def set_mask(selection, values):
    target, mask = front(selection), selection.arrays[0]
    while values.ndim and values.shape[0] == 1 and values.size == 1:
        values = values.reshape(())
    if not values.ndim:
        mask = mask.reshape(mask.shape + (1,) * (target.ndim - mask.ndim))
        rows.where(mask, values, target, out=target)
        return
    count = int(rows.count_nonzero(mask))
    if mask.ndim == target.ndim and values.ndim == 1:
        if values.size != count:
            raise ValueError(
                f"NumPy boolean array indexing assignment cannot assign {values.size} input values to the "
                f"{count} output values where the mask is true"
            )
        rows.place(target, mask, values, out=target) if count else None
        return
    indices = rows.nonzero(mask)
    set_indices(selection._replace(arrays=[indices[i] for i in range(mask.ndim)]), values)


def set_indices(selection, values):
    """The values are laid out as the result of `get` would be, and broadcast to that."""
    target, index = front(selection), flat_indices(selection)
    n = len(selection.axes)
    rest = target.shape[n:]
    place = selection.place
    shape = rest[:place] + index.shape + rest[place:]
    try:
        values = values.reshape(values.shape[max(0, values.ndim - len(shape)) :])
        values = rows.broadcast_to(values, shape=shape)
    except ValueError:
        raise ValueError(
            f"shape mismatch: value array of shape {values.shape} could not be broadcast to indexing "
            f"result of shape {shape}"
        ) from None
    end = place + index.ndim
    values = values.transpose((*range(place, end), *range(place), *range(end, len(shape))))
    if not index.size or not values.size:
        return
    merged = target.reshape((-1, *rest))
    if rest and not np.may_share_memory(np.asarray(merged), np.asarray(target)):
        index = all_indices(index, math.prod(rest))  # no view can merge the axes
        rows.put(target, index.reshape(-1), values.reshape(-1), out=target)
    elif rest:
        rows.put(merged, index.reshape(-1), values.reshape((-1, *rest)), axis=0, out=merged)
    else:
        rows.put(target, index.reshape(-1), values.reshape(-1), out=target)


def all_indices(index, n):
    """Of all n elements in each selected part."""
    return rows.add(rows.multiply(index, n).reshape(index.shape + (1,)), np.arange(n))
