# SPDX-License-Identifier: BSD-3-Clause
"""Methods of Array that are no row: mostly NumPy's function of that name with the array in front.

The extension looks them up here when they are called. Values that are being traced have those of `THROUGH`, too.
"""

import numpy as np

from .. import _numd
from .._standard.rows import rows
from . import fallback


def through(name):
    function = getattr(np, name)

    def method(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    return method


def by_numpy(name):
    """A method that ndarray has and the daemon has not."""

    def method(self, *args, **kwargs):
        return fallback.run(name, getattr(np.ndarray, name), (self, *args), kwargs)

    return method


THROUGH = [
    "all", "any", "argmax", "argmin", "argpartition", "argsort", "conj", "conjugate", "cumprod", "cumsum", "diagonal",
    "dot", "matmul", "max", "mean", "min", "nonzero", "prod", "ptp", "ravel", "repeat", "round", "searchsorted",
    "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
]  # fmt: skip
globals().update({name: through(name) for name in THROUGH})


def clip(self, min=None, max=None, out=None):
    return np.clip(self, min, max, out)


byteswap, choose, getfield = map(by_numpy, ["byteswap", "choose", "getfield"])


def flatten(self, order="C"):
    if order != "C":
        return fallback.run("flatten", np.ndarray.flatten, (self, order), {})
    return self.copy().reshape(-1)


def compress(self, condition, axis=None, out=None):
    return np.compress(condition, self, axis, out)


def sort(self, axis=-1, kind=None, order=None, *, stable=None):
    rows.sort(self, axis=axis, out=self)


def partition(self, kth, axis=-1, kind="introselect", order=None):
    self[...] = np.partition(self, kth, axis, kind, order)


def put(self, indices, values, mode="raise"):
    if mode != "raise":
        return fallback.run("put", np.ndarray.put, (self, indices, values, mode), {})
    np.put(self, indices, values)


def resize(self, *shape, refcheck=True):
    """In place, as far as the elements are the same; memory of an Array does not grow."""
    self.shape = shape[0] if len(shape) == 1 else shape


def tobytes(self, order="C"):
    return np.asarray(self).tobytes(order)


def view(self, dtype=None, type=None):
    """The same memory as elements of another dtype; the length of the last axis changes with their size."""
    if type is not None:
        return np.asarray(self).view(type) if dtype is None else np.asarray(self).view(dtype, type)
    other = np.asarray(self).view() if dtype is None else np.asarray(self).view(dtype)
    if other.dtype.name not in fallback.DTYPES:
        return other
    return _numd._view(self, 0, other.shape, other.strides, other.dtype)


def _repr_html_(self):
    from .. import _display

    return _display.array(self)
