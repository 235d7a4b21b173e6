# SPDX-License-Identifier: BSD-3-Clause
"""Whether the daemon computed something: the counters before and after."""

import contextlib

import numpy as np

import numd


@contextlib.contextmanager
def daemon_computes(calls=1, fallbacks={}):
    """The block makes at least that many calls of the daemon, and NumPy computes exactly these functions in process,
    so many times each."""
    before = numd.stats()
    yield
    after = numd.stats()
    assert after["calls"] - before["calls"] >= calls
    assert difference(after["fallbacks"], before["fallbacks"]) == fallbacks


def difference(after, before):
    return {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}


def both(function, *arguments, calls, fallbacks={}, rtol=0.0, atol=0.0):
    """Run it with ndarrays and with Arrays; compare, and return what the second gave.

    `calls` is how many calls of the daemon it takes at least, `fallbacks` what NumPy has to compute in this process.
    """
    ours = [numd.asarray(x) if isinstance(x, np.ndarray) else x for x in arguments]
    wanted = function(*arguments)
    with daemon_computes(calls, fallbacks):
        got = function(*ours)
    compare(got, wanted, rtol, atol)
    return got


def compare(got, wanted, rtol, atol):
    if isinstance(wanted, (tuple, list)):
        for pair in zip(got, wanted, strict=True):
            compare(*pair, rtol, atol)
        return
    if isinstance(wanted, (np.ndarray, np.generic)):
        assert isinstance(got, numd.Array) or np.ndim(wanted) == 0, type(got)
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    else:
        assert type(got) is type(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=rtol, atol=atol)
