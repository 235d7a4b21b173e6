# SPDX-License-Identifier: BSD-3-Clause
"""What the daemon does not have: NumPy computes it in this process, on views of the same memory.

Each such call is counted by the name of its function; `config` says whether it is silent, warned of or refused.
"""

import numpy as np

from .. import _numd
from .._errors import PACKAGE, FallbackError, FallbackWarning, caller, public, refuse
from .._standard.info import DTYPES
from .._standard.operands import beside, is_traced

MODES = ("silent", "warn", "error")

counts = {}
mode = "silent"


@public
class config:
    """Set options of this process, until the end of a ``with`` block if it is used as one.

    Parameters
    ----------
    fallback : {'silent', 'warn', 'error'}, optional
        What happens when NumPy has to compute what the daemon does not have: nothing but a count in
        `numd.stats()`, a `FallbackWarning`, or a `FallbackError`.

    Raises
    ------
    ValueError
        If an option has no such value.

    Examples
    --------
    >>> import numd, numpy as np
    >>> with numd.config(fallback="error"):
    ...     print(np.exp(numd.zeros(2)))
    [1. 1.]
    """

    def __init__(self, *, fallback=None):
        global mode
        self._before = mode
        if fallback is None:
            return
        if fallback not in MODES:
            raise ValueError(f"fallback is {fallback!r}; it can be 'silent', 'warn' or 'error'")
        mode = fallback

    def __enter__(self):
        return self

    def __exit__(self, *error):
        global mode
        mode = self._before


@public
def stats():
    """What the daemon counted, and what this process did.

    Returns
    -------
    dict
        The daemon's counters; ``calls``, how many calls this process made of it;
        and ``fallbacks``, how often each function was computed by NumPy in this process.

    Examples
    --------
    >>> import numd
    >>> before = numd.stats()["calls"]
    >>> a = numd.ones(3) + 1
    >>> numd.stats()["calls"] > before
    True
    """
    answer = _numd._stats()
    answer["calls"] = _numd._calls()
    answer["fallbacks"] = dict(counts)
    return answer


def run(name, function, args, kwargs):
    """function(*args, **kwargs) by NumPy. Arrays in results are Arrays again where numd has their dtype."""
    views = []
    args, kwargs = plain(args, views, name), plain(kwargs, views, name)
    if mode == "error":
        raise FallbackError(f"the daemon does not have {name}() for these arguments")
    counts[name] = counts.get(name, 0) + 1
    if mode == "warn":
        import warnings

        text = f"the daemon does not have {name}() for these arguments: NumPy computes it in this process"
        warnings.warn(text, FallbackWarning, stacklevel=1 + caller(PACKAGE)[1])
    return restored(function(*args, **kwargs), views)


def plain(value, views, name):
    """Arrays as ndarrays on the same memory, also within tuples, lists and dicts; `views` becomes the pairs of both.

    What is being traced has no memory, so the function of that name cannot be computed.
    """
    if isinstance(value, (_numd.Array, np.ndarray)):
        view = np.asarray(value) if isinstance(value, _numd.Array) else value
        views.append((value, view))
        return view
    if is_traced(value):
        refuse(f"np.{name}() with these arguments is nothing that the daemon computes, so it cannot be traced")
    if type(value) in (tuple, list):
        return type(value)([plain(item, views, name) for item in value])
    if type(value) is dict:
        return {key: plain(item, views, name) for key, item in value.items()}
    return value


def restored(value, views):
    if type(value) is np.ndarray:
        return restored_array(value, views)
    if isinstance(value, tuple):
        items = [restored(item, views) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if type(value) is list:
        return [restored(item, views) for item in value]
    return value


def restored_array(value, views):
    for array, view in views:
        if value is view:
            return array
        if value.size and np.may_share_memory(value, view):
            if array is view:
                return value
            offset = value.ctypes.data - view.ctypes.data
            return _numd._view(array, offset, value.shape, value.strides, value.dtype)
    return copied(value, views) if value.dtype.name in DTYPES and value.dtype.isnative else value


def copied(value, views):
    """As an Array of the session of the arguments."""
    for array, _ in views:
        if isinstance(array, _numd.Array):
            return beside(array, value)
    return _numd.asarray(value)
