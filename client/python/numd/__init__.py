# SPDX-License-Identifier: BSD-3-Clause
"""Arrays in shared memory, computed by a daemon on the same host.

Functions have the names of the Python array API standard and NumPy's meaning; there is one for each row of
`numd.ops()`:

    import numd
    a = numd.asarray(numpy_array)      # copied into shared memory once
    b = numd.sqrt(a) + 1               # computed by the daemon
    numd.add(a, b, out=b)              # nothing is allocated
    numpy.asarray(b)                   # a view, not a copy
    numpy.exp(a)[numpy.argsort(b)]     # NumPy's functions on Arrays run in the daemon too

    norm = numd.function(lambda x: numd.sqrt((x * x).sum()))   # one call, one program
    norm(a)

What the daemon does not have NumPy computes in this process, on views; `stats()` counts that, `config()` governs it.
Elements, and results without dimensions, are values: NumPy's scalars, as NumPy gives them. The functions here give
Arrays without dimensions in their place, as the array API standard wants, which work where a Python scalar does.

Arrays pickle as handles, so other processes work on the same memory.
"""

from . import _numd
from ._errors import (
    AccessError,
    BadIndexError,
    BoundsError,
    CancelledError,
    DisconnectedError,
    DomainError,
    DtypeError,
    Error,
    FallbackError,
    FallbackWarning,
    OutOfMemoryError,
    RangeError,
    ShapeError,
    TimeLimitError,
    TraceError,
)
from ._standard.create import empty_like, from_dlpack, full_like, meshgrid, ones_like, zeros_like
from ._standard.info import __array_namespace_info__, can_cast, finfo, iinfo, isdtype
from ._standard.namespace import OPERATIONS as _OPERATIONS, e, inf, nan, newaxis, pi
from ._standard.shape import broadcast_arrays, broadcast_shapes, expand_dims, moveaxis, squeeze, unstack
from ._numd import (
    __version__,
    _rebuild,
    Array,
    asarray,
    attach,
    connect,
    default_session,
    empty,
    full,
    function,
    Future,
    ones,
    open,
    publish,
    result_type,
    Session,
    unpublish,
    zeros,
)


# What costs more to import than most programs would like to pay, and where it is.
_LATER = {
    "Executor": "_process.executor",
    "Memory": "_process.memory",
    "Operation": "_standard.operations",
    "config": "_numpy.fallback",
    "memory": "_process.memory",
    "published": "_process.memory",
    "stats": "_numpy.fallback",
}


def __getattr__(name):
    """What _LATER names, the types of named results, for pickles of these name them here, and the names that NumPy has
    beyond the standard's: imported when asked for first."""
    value = None
    module = "_standard.results" if name.endswith("Result") else _LATER.get(name)
    if module:
        from importlib import import_module

        value = getattr(import_module(f"numd.{module}"), name, None)
    elif not name.startswith("_"):
        from ._numpy.dispatch import of_numpy

        value = of_numpy(name)
    if value is None:
        raise AttributeError(f"module 'numd' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LATER})


def ops():
    """The operations of the daemon.

    Returns
    -------
    list of Operation
        Each has a function of its name here, but for slice: that is indexing.

    Examples
    --------
    >>> import numd
    >>> numd.ops()[0].name, numd.ops()[0].documentation
    ('add', 'x1 + x2; logical or for bool')
    """
    from ._standard.operations import OPS

    return list(OPS.values())


globals().update(_OPERATIONS)
globals().update({name: getattr(_numd, name) for name in _numd._dtypes})

# `from . import linalg` would ask __getattr__ first, which imports much.
from .linalg import LinAlgError  # noqa: E402

__array_api_version__ = "2025.12"

__all__ = [
    "AccessError",
    "Array",
    "BadIndexError",
    "BoundsError",
    "CancelledError",
    "DisconnectedError",
    "DomainError",
    "DtypeError",
    "Error",
    "Executor",
    "FallbackError",
    "FallbackWarning",
    "Future",
    "LinAlgError",
    "Memory",
    "Operation",
    "OutOfMemoryError",
    "RangeError",
    "Session",
    "ShapeError",
    "TimeLimitError",
    "TraceError",
    "__version__",
    "_rebuild",
    "asarray",
    "attach",
    "config",
    "connect",
    "default_session",
    "empty",
    "full",
    "function",
    "memory",
    "ones",
    "open",
    "ops",
    "publish",
    "published",
    "result_type",
    "stats",
    "unpublish",
    "zeros",
]
__all__ += [*_OPERATIONS, *_numd._dtypes]
__all__ += [
    "__array_api_version__",
    "__array_namespace_info__",
    "broadcast_arrays",
    "broadcast_shapes",
    "can_cast",
    "e",
    "empty_like",
    "expand_dims",
    "finfo",
    "from_dlpack",
    "full_like",
    "iinfo",
    "inf",
    "isdtype",
    "linalg",
    "meshgrid",
    "moveaxis",
    "nan",
    "newaxis",
    "ones_like",
    "pi",
    "squeeze",
    "unstack",
    "zeros_like",
]
