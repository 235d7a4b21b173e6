# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that are worth sharing out over cores: chunks, panels and rows give what NumPy gives, and the same
bits whatever the number of cores."""

import os

import numpy as np
import pytest

import numd

SHAPES = [(3_000_001,), (1500, 2001), (40, 300, 257), (2, 1_000_003), (1_000_003, 2)]


def sample(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    if np.dtype(dtype).kind == "f":
        return (rng.random(shape) * 4 - 1).astype(dtype)
    return rng.integers(-100, 100, shape).astype(dtype)


def axes_of(ndim):
    return [None] + list(range(ndim)) + ([(0, ndim - 1)] if ndim > 2 else [])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_reductions(shape, dtype):
    x = sample(shape, dtype)
    a = numd.asarray(x)
    for axis in axes_of(x.ndim):
        wide = x.astype("float64" if x.dtype.kind == "f" else "int64")
        np.testing.assert_allclose(np.asarray(numd.sum(a, axis=axis)), wide.sum(axis=axis), rtol=1e-6)
        np.testing.assert_array_equal(np.asarray(numd.max(a, axis=axis)), x.max(axis=axis))
        np.testing.assert_allclose(np.asarray(numd.mean(a, axis=axis)), wide.mean(axis=axis), rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(np.asarray(numd.any(a, axis=axis)), x.any(axis=axis))


@pytest.mark.parametrize("shape", SHAPES)
def test_expressions(shape):
    x, y = sample(shape, "float64"), sample(shape, "float64")[::-1] + 2
    a, b = numd.asarray(x), numd.asarray(y)
    f = numd.function(lambda p, q: (p * q + numd.sqrt(q) - numd.exp(p), numd.sum(p * q, axis=0)))
    both, products = f(a, b)
    np.testing.assert_allclose(np.asarray(both), x * y + np.sqrt(y) - np.exp(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.asarray(products), (x * y).sum(axis=0), rtol=1e-9)


def test_transposed_and_reversed():
    x = sample((1200, 1700), "float64")
    a = numd.asarray(x)
    np.testing.assert_array_equal(np.asarray(a.T[::-1] + a.T), x.T[::-1] + x.T)
    np.testing.assert_allclose(np.asarray(numd.sum(a.T, axis=0)), x.T.sum(axis=0))


@pytest.mark.parametrize("dtype", ["complex128", "float64", "float32", "int16", "bool"])
def test_several_outputs_that_go_past_the_caches(dtype):
    n = (17 << 20) // np.dtype(dtype).itemsize
    x = (np.random.default_rng(7).random(n) * 100).astype(dtype)
    y = x[::-1].copy()
    several = numd.function(lambda p, q: (p + q, p * q, numd.maximum(p, q) if dtype != "complex128" else q + q))
    sums, products, third = map(np.asarray, several(numd.asarray(x), numd.asarray(y)))
    np.testing.assert_array_equal(sums, x + y)
    np.testing.assert_allclose(products, x * y, rtol=1e-14 if dtype == "complex128" else 0)
    np.testing.assert_array_equal(third, np.maximum(x, y) if dtype != "complex128" else y + y)


def test_overlap():
    x = sample((2_000_000,), "float64")
    a = numd.asarray(x)
    numd.add(a[1:], a[:-1], out=a[1:])
    np.testing.assert_array_equal(np.asarray(a), np.concatenate([x[:1], x[1:] + x[:-1]]))


@pytest.mark.parametrize("m, k, n", [(700, 300, 900), (900, 300, 130), (1, 5000, 800), (800, 5000, 1)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_products(m, k, n, dtype):
    x, y = sample((m, k), dtype), sample((k, n), dtype)
    a, b = numd.asarray(x), numd.asarray(y)
    rtol = 1e-3 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(np.asarray(a @ b), x @ y, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(np.asarray(b.T @ a.T), y.T @ x.T, rtol=rtol, atol=rtol)


def test_batches():
    x, y = sample((64, 1, 50, 60), "float64"), sample((3, 60, 40), "float64")
    np.testing.assert_allclose(np.asarray(numd.asarray(x) @ numd.asarray(y)), x @ y, rtol=1e-12, atol=1e-12)


def test_the_same_bits_on_one_core(tmp_path, start):
    x, y = sample((1_500_007,), "float64"), sample((700, 700), "float64")
    mine = os.sched_getaffinity(0)
    results = []
    for cores in (mine, {min(mine)}):
        os.sched_setaffinity(0, cores)
        try:
            start(str(tmp_path / f"{len(cores)}"))
        finally:
            os.sched_setaffinity(0, mine)
        with numd.connect(str(tmp_path / f"{len(cores)}"), start=False) as session:
            a, b = numd.asarray(x, session=session), numd.asarray(y, session=session)
            results.append((numd.sum(a), numd.sum(numd.exp(a)), np.array(b @ b), np.array(numd.sum(b, axis=0))))
            del a, b
    for one, other in zip(*results):
        np.testing.assert_array_equal(one, other)
