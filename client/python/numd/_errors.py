# SPDX-License-Identifier: BSD-3-Clause
"""Exceptions: one class for each kind of status, derived from what Python or NumPy uses for it; and which line of the
program they are about."""

import os
import sys

import numpy as np

PACKAGE = os.path.dirname(__file__) + os.sep
NUMPY = os.path.dirname(np.__file__) + os.sep


def public(thing):
    """Decorate what programs see as numd's: pickles and messages name the package, not the module that it is in."""
    thing.__module__ = "numd"
    return thing


@public
class Error(RuntimeError):
    """What the daemon or the library refused.

    `status` is the name of the status, such as "ESHAPE", or None.
    """

    status = None


@public
class ShapeError(Error, ValueError):
    """Shapes do not match."""


@public
class DomainError(Error, ValueError):
    """A value is outside the operation's domain."""


@public
class BoundsError(Error, ValueError):
    """A view or an operand leaves its memory, or is not aligned."""


@public
class BadIndexError(Error, IndexError):
    """An index is out of bounds."""


@public
class LinAlgError(Error, np.linalg.LinAlgError):
    """A matrix has not what the operation needs: an inverse, a Cholesky factor, eigenvalues that converge."""


@public
class DtypeError(Error, TypeError):
    """A dtype is not supported here, or the result cannot be cast to the output's."""


@public
class TraceError(Error, TypeError):
    """A function does what cannot be recorded while it is traced; the message names its line."""


@public
class RangeError(Error, OverflowError):
    """A scalar does not fit the dtype."""


@public
class OutOfMemoryError(Error, MemoryError):
    """There is no memory left, here or for the daemon."""


@public
class TimeLimitError(Error, TimeoutError):
    """The time limit passed; the call still runs."""


@public
class CancelledError(Error):
    """The call was cancelled."""


@public
class DisconnectedError(Error, ConnectionError):
    """There is no daemon, or the connection to it was lost, and with it the calls in flight.

    Arrays keep their data, and the next call opens a session again. Calls that were waited for and can be made again
    without harm have been: nothing that they write was read by them, or is shared with others.
    """


@public
class AccessError(Error, PermissionError):
    """A shared-memory object cannot be opened."""


@public
class FallbackError(TypeError):
    """The daemon does not have a function, and numd.config(fallback="error") forbids NumPy's."""


@public
class FallbackWarning(UserWarning):
    """The daemon does not have a function, so NumPy computed it in this process."""


CLASSES = {
    "ESHAPE": ShapeError,
    "EDOMAIN": DomainError,
    "EINVAL": DomainError,
    "EBOUNDS": BoundsError,
    "EALIGN": BoundsError,
    "EDTYPE": DtypeError,
    "ECAST": DtypeError,
    "EINDEX": BadIndexError,
    "ESINGULAR": LinAlgError,
    "EDEFINITE": LinAlgError,
    "ECONVERGE": LinAlgError,
    "ERANGE": RangeError,
    "ENOMEMORY": OutOfMemoryError,
    "ETIMEOUT": TimeLimitError,
    "ECANCELLED": CancelledError,
    "EDISCONNECTED": DisconnectedError,
    "EUNAVAILABLE": DisconnectedError,
    "EACCESS": AccessError,
}


def make(number, name, message, detail):
    """The exception for a status; called by the extension."""
    error = CLASSES.get(name, Error)(detail or message)
    error.status = name
    return error


def caller(*folders):
    """The frame that called what lies in these folders, and how many calls above the caller of this function it is."""
    inside = (*folders, "<__array_function__ internals>")
    frame, n = sys._getframe(1), 0
    while frame.f_back and frame.f_code.co_filename.startswith(inside):
        frame, n = frame.f_back, n + 1
    return frame, n


def where_called():
    """File and line of the traced function that is at work: what called something of this package or NumPy."""
    frame, _ = caller(PACKAGE, NUMPY)
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def refuse(what):
    """Raise a TraceError that names the line of the traced function."""
    raise TraceError(f"{what} ({where_called()})")
