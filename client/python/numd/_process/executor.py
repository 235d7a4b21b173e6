# SPDX-License-Identifier: BSD-3-Clause
"""An executor whose workers share arrays with the caller."""

import concurrent.futures
import multiprocessing
import os

import numpy as np

from .. import _numd
from .._errors import Error, public


def _share(value, session=None):
    """A result with its ndarrays in shared memory, where numd has their dtype; tuples, lists and dicts are looked
    into."""
    if type(value) is np.ndarray:
        try:
            return _numd.asarray(value, session=session)
        except (TypeError, Error):
            return value
    if type(value) in (list, tuple):
        return type(value)(_share(item, session) for item in value)
    if type(value) is dict:
        return {key: _share(item, session) for key, item in value.items()}
    return value


def _start(address, initializer, initargs):
    """Runs first in each worker: its default session is that of the caller's daemon."""
    os.environ["NUMD_SOCKET"] = address
    if initializer is not None:
        initializer(*initargs)


def _call(function, args, kwargs):
    return _share(function(*args, **kwargs))


@public
class Executor(concurrent.futures.ProcessPoolExecutor):
    """Runs Python functions in worker processes that share arrays with this one.

    It is a ``concurrent.futures.ProcessPoolExecutor``: submit, map, shutdown and the context manager are its own.
    Arrays of numd among arguments and results move as handles, so a worker writes to the caller's memory; arrays
    of NumPy among arguments are put into shared memory first, so are those among results, which arrive as
    ``numd.Array`` (in tuples, lists and dicts, too).

    Parameters
    ----------
    max_workers : int, optional
        Number of processes; that of the machine's cores by default.
    start_method : {'forkserver', 'spawn', 'fork'}, optional
        How workers start. The default is safe in programs with threads; functions must be importable by their
        module's name. 'fork' is not safe once a program has threads.
    initializer : callable, optional
        Run in each worker at its start, with `initargs`.
    initargs : tuple, optional
        Its arguments.
    session : numd.Session, optional
        Whose daemon the workers use.

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        By futures, and by submit from then on, when a worker died. What it held is freed.

    Examples
    --------
    >>> import numd
    >>> a = numd.ones(1000)
    >>> with numd.Executor(2) as executor:
    ...     total = executor.submit(numd.sum, a).result()
    >>> float(total)
    1000.0
    """

    def __init__(self, max_workers=None, *, start_method="forkserver", initializer=None, initargs=(), session=None):
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be callable")
        self._session = _numd.default_session() if session is None else session
        super().__init__(
            max_workers,
            mp_context=multiprocessing.get_context(start_method),
            initializer=_start,
            initargs=(self._session.address, initializer, initargs),
        )

    def submit(self, fn, /, *args, **kwargs):
        """Schedule fn(*args, **kwargs).

        Parameters
        ----------
        fn : callable
            Importable by its module's name in the workers.
        *args, **kwargs
            Its arguments; arrays go as handles.

        Returns
        -------
        concurrent.futures.Future
            Of its result.
        """
        return super().submit(_call, fn, _share(args, self._session), _share(kwargs, self._session))
