"""Arrays of new values, computed by the daemon."""

import math
import operator

import numpy as np

from .namespace import check_device
from .rows import row, rows


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
