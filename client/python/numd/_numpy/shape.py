# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions that arrange elements, tell how they are arranged, or make arrays like others."""

import math
import operator

import numpy as np

from .. import _numd
from .._standard import arrange as _arrange, create as _create, shape as _shape
from .._standard.create import like, open_grids
from .._standard.operands import is_array, operand, operand_of
from .._standard.shape import as_tuple, axes_of, axis_of, moveaxis
from .registry import implements, need
from .ufuncs import store

Array = _numd.Array
NEW = object()


# ---- What is known without a look at the elements


@implements("shape")
def shape_of(a):
    return operand(a).shape


@implements("ndim")
def ndim(a):
    return operand(a).ndim


@implements("size")
def size(a, axis=None):
    a = operand(a)
    return a.size if axis is None else math.prod(a.shape[i] for i in axes_of(axis, a.ndim))


@implements("iscomplexobj")
def iscomplexobj(x):
    return operand(x).dtype.kind == "c"


@implements("isrealobj")
def isrealobj(x):
    return operand(x).dtype.kind != "c"


# ---- Views


@implements("reshape")
def reshape(a, shape=NEW, order="C", *, newshape=NEW, copy=None):
    need(order == "C" and copy is None)
    return operand(a).reshape(as_tuple(newshape if shape is NEW else shape))


@implements("ravel")
def ravel(a, order="C"):
    a = operand(a)
    need(order == "C" or order == "K" and is_array(a) and a.flags.c_contiguous)
    return a.reshape(-1)


@implements("transpose", "permute_dims")
def transpose(a, axes=None):
    return operand(a).transpose(*() if axes is None else (tuple(axes),))


@implements("matrix_transpose")
def matrix_transpose(x):
    return operand(x).mT


@implements("swapaxes")
def swapaxes(a, axis1, axis2):
    a = operand(a)
    order = list(range(a.ndim))
    first, second = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[first], order[second] = second, first
    return a.transpose(tuple(order))


implements("moveaxis")(moveaxis)


@implements("rollaxis")
def rollaxis(a, axis, start=0):
    a = operand(a)
    axis, start = axis_of(axis, a.ndim), start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if start > axis else start)


@implements("squeeze")
def squeeze(a, axis=None):
    return _shape.squeeze(a, axis)


@implements("expand_dims")
def expand_dims(a, axis):
    return _shape.expand_dims(a, axis)


@implements("broadcast_to")
def broadcast_to(array, shape, subok=False):
    return _shape.broadcast_to(array, shape)


@implements("broadcast_arrays")
def broadcast_arrays(*args, subok=False):
    return list(_shape.broadcast_arrays(*args))


@implements("flip")
def flip(m, axis=None):
    return _shape.flip(m, axis)


@implements("fliplr")
def fliplr(m):
    return _shape.flip(m, 1)


@implements("flipud")
def flipud(m):
    return _shape.flip(m, 0)


@implements("rot90")
def rot90(m, k=1, axes=(0, 1)):
    m = operand(m)
    first, second = axes_of(axes, m.ndim)
    if k % 4 == 0:
        return m[...]
    if k % 4 == 2:
        return _shape.flip(m, (first, second))
    turned = _shape.flip(m, second) if k % 4 == 1 else swapaxes(m, first, second)
    return swapaxes(turned, first, second) if k % 4 == 1 else _shape.flip(turned, second)


def at_least(ndim, place):
    def function(*arys):
        results = [place(array) if array.ndim < ndim else array for array in map(operand, arys)]
        return results[0] if len(results) == 1 else results

    return function


atleast_1d = implements("atleast_1d")(at_least(1, lambda a: a.reshape(1)))
atleast_2d = implements("atleast_2d")(at_least(2, lambda a: a.reshape(1, 1) if a.ndim == 0 else a[None]))
atleast_3d = implements("atleast_3d")(
    at_least(3, lambda a: a[..., None] if a.ndim == 2 else a.reshape(1, -1, 1))
)


@implements("diagonal")
def diagonal(a, offset=0, axis1=0, axis2=1):
    return _shape.diagonal(moveaxis(a, (axis1, axis2), (-2, -1)), offset)


@implements("linalg.diagonal")
def linalg_diagonal(x, *, offset=0):
    return _shape.diagonal(x, offset)


# ---- Parts


def cuts(ary, indices_or_sections, axis, equal):
    ary = operand(ary)
    axis = axis_of(axis, ary.ndim)
    n = ary.shape[axis]
    if np.ndim(indices_or_sections):
        ends = [*map(operator.index, indices_or_sections)]
    else:
        parts = operator.index(indices_or_sections)
        if parts <= 0:
            raise ValueError("number sections must be larger than 0.")
        if equal and n % parts:
            raise ValueError("array split does not result in an equal division")
        ends = [i * (n // parts) + min(i, n % parts) for i in range(1, parts)]
    limits = zip([0, *ends], [*ends, None])
    return [ary[(slice(None),) * axis + (slice(*limit),)] for limit in limits]


@implements("split")
def split(ary, indices_or_sections, axis=0):
    return cuts(ary, indices_or_sections, axis, True)


@implements("array_split")
def array_split(ary, indices_or_sections, axis=0):
    return cuts(ary, indices_or_sections, axis, False)


@implements("hsplit")
def hsplit(ary, indices_or_sections):
    return split(ary, indices_or_sections, 1 if operand(ary).ndim > 1 else 0)


@implements("vsplit")
def vsplit(ary, indices_or_sections):
    return split(ary, indices_or_sections, 0)


@implements("dsplit")
def dsplit(ary, indices_or_sections):
    return split(ary, indices_or_sections, 2)


# ---- Joining


def joined(join, arrays, axis, out, dtype, casting):
    need(casting == "same_kind")
    arrays = [operand(array) for array in arrays]
    if dtype is not None:
        need(all(np.can_cast(array.dtype, dtype, casting) for array in arrays))
        arrays = [operand_of(dtype, array) for array in arrays]
    if isinstance(out, Array):
        return join(arrays, axis=axis, out=out)
    return store(join(arrays, axis=axis), out)


@implements("concatenate", "concat")
def concatenate(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return joined(_arrange.concat, arrays, axis, out, dtype, casting)


@implements("stack")
def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    return joined(_arrange.stack, arrays, axis, out, dtype, casting)


def several(arrays):
    return arrays if isinstance(arrays, list) else [arrays]


@implements("vstack", "row_stack")
def vstack(tup, *, dtype=None, casting="same_kind"):
    return concatenate(several(atleast_2d(*tup)), 0, dtype=dtype, casting=casting)


@implements("hstack")
def hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = several(atleast_1d(*tup))
    return concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements("dstack")
def dstack(tup):
    return concatenate(several(atleast_3d(*tup)), 2)


@implements("column_stack")
def column_stack(tup):
    arrays = [array if array.ndim > 1 else array.reshape(-1, 1) for array in map(operand, tup)]
    return concatenate(arrays, 1)


@implements("append")
def append(arr, values, axis=None):
    return _arrange.concat([arr, values], axis=axis)


# ---- Copies


@implements("copy")
def copy(a, order="K", subok=False):
    need(order in ("K", "C"))
    return operand(a).copy()


@implements("tile")
def tile(A, reps):
    return _arrange.tile(A, reps)


@implements("repeat")
def repeat(a, repeats, axis=None):
    return _arrange.repeat(a, repeats, axis)


@implements("roll")
def roll(a, shift, axis=None):
    return _arrange.roll(a, shift, axis)


@implements("tril")
def tril(m, k=0):
    return _arrange.tril(m, k)


@implements("triu")
def triu(m, k=0):
    return _arrange.triu(m, k)


@implements("diag")
def diag(v, k=0):
    v = operand(v)
    if v.ndim == 2:
        return _shape.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    need(is_array(v))
    result = like(v, 0, None, (v.size + abs(k),) * 2)
    _shape.diagonal(result, k)[...] = v
    return result


@implements("meshgrid")
def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    grids = open_grids(xi, indexing)
    if not sparse:
        grids = broadcast_arrays(*grids)
    return [grid.copy() if copy else grid for grid in grids]


# ---- Like others


def filled_like(a, value, dtype, order, shape):
    need(order in ("K", "C") or operand(a).ndim < 2)
    return like(a, value, dtype, shape)


@implements("empty_like")
def empty_like(prototype, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return filled_like(prototype, None, dtype, order, shape)


@implements("zeros_like")
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return filled_like(a, 0, dtype, order, shape)


@implements("ones_like")
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return filled_like(a, 1, dtype, order, shape)


@implements("full_like")
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    return filled_like(a, fill_value, dtype, order, shape)


# ---- Of the kind of others: what NumPy's like= makes


@implements("array")
def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0):
    need(order in ("K", "C"))
    made = _numd.asarray(object, dtype, copy=copy or None)
    return made.reshape((1,) * (ndmin - made.ndim) + made.shape) if made.ndim < ndmin else made


@implements("asarray")
def asarray(a, dtype=None, order=None, *, device=None, copy=None):
    need(order in (None, "K", "C"))
    return _numd.asarray(a, dtype, copy=copy)


@implements("asanyarray")
def asanyarray(a, dtype=None, order=None, *, device=None, copy=None):
    return asarray(a, dtype, order, copy=copy)


def maker(make):
    def function(shape, dtype=float, order="C", *, device=None):
        need(order == "C")
        return make(as_tuple(shape), dtype)

    return function


zeros, ones, empty = [implements(name)(maker(getattr(_numd, name))) for name in ("zeros", "ones", "empty")]


@implements("full")
def full(shape, fill_value, dtype=None, order="C", *, device=None):
    need(order == "C")
    return _numd.full(as_tuple(shape), fill_value, dtype)


@implements("arange")
def arange(start, stop=None, step=1, dtype=None, *, device=None):
    return _create.arange(start, stop, step, dtype)


@implements("eye")
def eye(N, M=None, k=0, dtype=float, order="C", *, device=None):
    need(order == "C")
    return _create.eye(N, M, k, dtype)


@implements("identity")
def identity(n, dtype=None):
    return _create.eye(n, dtype=dtype)
