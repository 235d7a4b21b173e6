"""Arrays in shared memory, computed by a daemon on the same host.

Functions have NumPy's names and meaning; there is one for each row of `numd.ops()`:

    import numd
    a = numd.asarray(numpy_array)      # copied into shared memory once
    b = numd.sqrt(a) + 1               # computed by the daemon
    numd.add(a, b, out=b)              # nothing is allocated
    numpy.asarray(b)                   # a view, not a copy

    norm = numd.function(lambda x: numd.sqrt((x * x).sum()))   # one call, one program
    norm(a)

Arrays pickle as handles, so other processes work on the same memory.
"""

from typing import NamedTuple

from . import _numd
from ._errors import (
    AccessError,
    BoundsError,
    CancelledError,
    DisconnectedError,
    DomainError,
    DtypeError,
    Error,
    OutOfMemoryError,
    RangeError,
    ShapeError,
    TimeLimitError,
)
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
    Session,
    stats,
    zeros,
)


class Operation(NamedTuple):
    """A row of the list of operations."""

    number: int
    name: str
    kind: str
    n_inputs: int
    typing: str
    ulp: float
    documentation: str


def ops():
    """The operations of the daemon, each with a function of its name here."""
    return [Operation(*row) for row in _numd._ops]


_expanded = [row[1] for row in _numd._ops] + _numd._dtypes
globals().update({name: getattr(_numd, name) for name in _expanded})

__all__ = [
    "AccessError",
    "Array",
    "BoundsError",
    "CancelledError",
    "DisconnectedError",
    "DomainError",
    "DtypeError",
    "Error",
    "Future",
    "Operation",
    "OutOfMemoryError",
    "RangeError",
    "Session",
    "ShapeError",
    "TimeLimitError",
    "__version__",
    "_rebuild",
    "asarray",
    "attach",
    "connect",
    "default_session",
    "empty",
    "full",
    "function",
    "ones",
    "ops",
    "stats",
    "zeros",
]
__all__ += _expanded
