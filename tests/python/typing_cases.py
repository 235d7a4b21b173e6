# SPDX-License-Identifier: BSD-3-Clause
"""Expressions whose types mypy checks in test_types.py; they are also run there."""

import asyncio
import concurrent.futures
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import numd


@numd.function
def scaled(x: numd.Array, factor: float = 2.0) -> numd.Array:
    return x * factor


@numd.function(static=("n",))
def powers(x: numd.Array, *, n: int) -> tuple[numd.Array, numd.Array]:
    return x**n, x ** (n + 1)


def arrays() -> None:
    a = numd.asarray([1.0, 2.0, 3.0])
    b = numd.asarray(np.arange(3), dtype=numd.float64)
    assert_type(a, numd.Array)
    assert_type(a + b, numd.Array)
    assert_type(1 - a, numd.Array)
    assert_type(a @ b, numd.Array)
    assert_type(a == b, numd.Array)
    assert_type(-a, numd.Array)
    assert_type(abs(a), numd.Array)
    assert_type(divmod(a, 2), tuple[numd.Array, numd.Array])
    a += 1
    a[0] = 5
    a[a > 2] = b[a > 2]
    assert_type(a[0], numd.Array)
    assert_type(a[..., None, ::2], numd.Array)
    assert_type(a[[0, 1]], numd.Array)
    assert_type(a[b.astype("int64")], numd.Array)
    assert_type(a.shape, tuple[int, ...])
    assert_type(a.sum(axis=0).T.mT if a.ndim > 2 else a.T, numd.Array)
    assert_type(float(a.max()), float)
    assert_type(a.reshape(3, 1).squeeze(), numd.Array)
    assert_type(a.nonzero(), tuple[numd.Array, ...])
    assert_type(len(a), int)
    assert_type([x for x in a], list[numd.Array])
    view: npt.NDArray[Any] = np.asarray(a)
    assert view.shape == a.shape
    assert a.data.nbytes == a.nbytes
    assert np.exp(a).shape == a.shape


def operations() -> None:
    a = numd.linspace(0, 1, 12).reshape(3, 4)
    assert_type(numd.add(a, 1.0, out=a), numd.Array)
    assert_type(numd.sum(a, axis=(0, 1), keepdims=True), numd.Array)
    assert_type(numd.where(a > 0.5, a, 0), numd.Array)
    assert_type(numd.sort(a, descending=True), numd.Array)
    assert_type(numd.concat([a, a], axis=None), numd.Array)
    assert_type(numd.qr(a).R, numd.Array)
    u, s, vh = numd.linalg.svd(a)
    assert_type(s, numd.Array)
    assert_type(numd.unique_counts(a).counts, numd.Array)
    assert_type(numd.nonzero(a), tuple[numd.Array, ...])
    assert_type(numd.finfo(numd.float32).eps, float)
    assert_type(numd.isdtype(a.dtype, ("integral", "real floating")), bool)
    assert_type(numd.result_type(a, numd.int8, 1), np.dtype[Any])


def functions() -> None:
    a = numd.ones(4)
    assert_type(scaled(a), numd.Array)
    assert_type(scaled(a, factor=3.0, out=a), numd.Array)
    assert_type(scaled.submit(a), numd.Future[numd.Array])
    assert_type(scaled.submit(a, 4.0).result(timeout=10), numd.Array)
    assert_type(scaled.explain(a), str)
    assert_type(powers(a, n=2), tuple[numd.Array, numd.Array])

    async def both() -> None:
        assert_type(await scaled.async_(a), numd.Array)
        assert_type(await scaled.submit(a), numd.Array)

    asyncio.run(both())


def processes() -> None:
    numd.publish("typing", numd.ones(3), replace=True)
    assert_type(numd.open("typing"), numd.Array)
    numd.unpublish("typing")
    assert_type(numd.memory().bytes, int)
    assert_type(numd.memory()[0], dict[str, Any])
    with numd.Executor(1) as executor:
        future = executor.submit(numd.sum, numd.ones(3))
        assert_type(future, concurrent.futures.Future[numd.Array])
        assert float(future.result()) == 3.0
    with numd.config(fallback="silent"), numd.connect() as session:
        assert_type(session.stats(), dict[str, Any])


def errors() -> None:
    try:
        numd.linalg.inv(numd.zeros((2, 2)))
    except numd.LinAlgError as error:
        assert_type(error.status, str | None)


if __name__ == "__main__":
    for case in (arrays, operations, functions, processes, errors):
        case()
