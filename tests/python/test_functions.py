# SPDX-License-Identifier: BSD-3-Clause
"""The functions of the standard: calling conventions, views, joining many arrays, named results, aliases."""

import numpy as np
import pytest

import numd

X = np.arange(24.0).reshape(2, 3, 4)


def shares(view, array):
    return np.shares_memory(np.asarray(view), np.asarray(array))


def test_views_do_not_copy():
    a = numd.asarray(X)
    for got, wanted in [
        (numd.reshape(a, (6, -1)), X.reshape(6, -1)),
        (numd.reshape(a, -1), X.reshape(-1)),
        (numd.permute_dims(a, (2, 0, 1)), X.transpose(2, 0, 1)),
        (numd.permute_dims(a), X.T),
        (numd.matrix_transpose(a), X.swapaxes(-1, -2)),
        (a.mT, X.swapaxes(-1, -2)),
        (numd.flip(a), np.flip(X)),
        (numd.flip(a, axis=(0, -1)), np.flip(X, (0, 2))),
        (numd.broadcast_to(a, (5, 2, 3, 4)), np.broadcast_to(X, (5, 2, 3, 4))),
        (numd.diagonal(a), np.diagonal(X, axis1=-2, axis2=-1)),
        (numd.diagonal(a, offset=-2), np.diagonal(X, -2, axis1=-2, axis2=-1)),
        (numd.diagonal(a, offset=9), np.diagonal(X, 9, axis1=-2, axis2=-1)),
    ]:
        assert got.tolist() == wanted.tolist()
        assert not got.size or shares(got, a)
    assert not shares(numd.reshape(a.T, -1), a) and numd.reshape(a.T, -1).tolist() == X.T.reshape(-1).tolist()
    for wrong in [
        lambda: numd.flip(a, axis=(0, 0)),
        lambda: numd.flip(a, axis=3),
        lambda: numd.broadcast_to(a, (2, 3, 5)),
        lambda: numd.broadcast_to(a, (4,)),
        lambda: numd.reshape(a, (5, 5)),
        lambda: numd.permute_dims(a, (0, 1)),
        lambda: numd.diagonal(numd.ones(3)),
        lambda: numd.matrix_transpose(numd.ones(3)),
    ]:
        with pytest.raises(ValueError):
            wrong()


def test_parts_of_complex_numbers():
    z = numd.asarray(np.array([[1 + 2j, 3 + 4j]], "complex64"))
    assert z.real.tolist() == [[1.0, 3.0]] and z.imag.tolist() == [[2.0, 4.0]]
    assert z.real.dtype == np.float32 and shares(z.real, z)
    z.imag.fill(0)
    assert z.tolist() == [[1 + 0j, 3 + 0j]]
    x = numd.asarray([1.0, 2.0])
    assert x.real is x and x.imag.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n", [1, 16, 17, 40])
def test_joining_many(n):
    parts = [X + i for i in range(n)]
    ours = [numd.asarray(part) for part in parts]
    for axis in [0, 1, -1, None]:
        assert numd.concat(ours, axis=axis).tolist() == np.concatenate(parts, axis=axis).tolist()
    for axis in [0, 2, -1]:
        assert numd.stack(ours, axis=axis).tolist() == np.stack(parts, axis=axis).tolist()
    out = numd.zeros((2 * n, 3, 4))
    assert numd.concat(ours, out=out) is out and out.tolist() == np.concatenate(parts).tolist()
    mixed = [numd.ones(2, "int8"), *[numd.ones(3, "float32")] * n, [1.5]]
    assert numd.concat(mixed).dtype == np.float64
    with pytest.raises(ValueError):
        numd.concat([])
    with pytest.raises(ValueError):
        numd.concat([*ours, numd.ones((2, 5, 4))])


def test_copies():
    a = numd.asarray(X)
    for got, wanted in [
        (numd.repeat(a, 2), np.repeat(X, 2)),
        (numd.repeat(a, 3, axis=1), np.repeat(X, 3, 1)),
        (numd.repeat(a, [1, 0, 2], axis=1), np.repeat(X, [1, 0, 2], 1)),
        (numd.tile(a, 2), np.tile(X, 2)),
        (numd.tile(a, (2, 1, 3)), np.tile(X, (2, 1, 3))),
        (numd.roll(a, 5), np.roll(X, 5)),
        (numd.roll(a, 1, axis=-1), np.roll(X, 1, -1)),
        (numd.roll(a, (1, 2), axis=(0, 2)), np.roll(X, (1, 2), (0, 2))),
        (numd.roll(a, 1, axis=(0, 2)), np.roll(X, 1, (0, 2))),
        (numd.tril(a, k=-1), np.tril(X, -1)),
        (numd.triu(a), np.triu(X)),
    ]:
        assert got.tolist() == wanted.tolist()


def test_created_by_the_daemon():
    for got, wanted in [
        (numd.arange(5), np.arange(5)),
        (numd.arange(2, 9, 3), np.arange(2, 9, 3)),
        (numd.arange(9, 2, -3), np.arange(9, 2, -3)),
        (numd.arange(0, 1, 0.25), np.arange(0, 1, 0.25)),
        (numd.arange(3, dtype="float32"), np.arange(3, dtype="float32")),
        (numd.arange(5, 0), np.arange(5, 0)),
        (numd.linspace(0, 1, 5), np.linspace(0, 1, 5)),
        (numd.linspace(0, 1, 5, endpoint=False), np.linspace(0, 1, 5, endpoint=False)),
        (numd.linspace(2, 3, 1), np.linspace(2, 3, 1)),
        (numd.eye(3), np.eye(3)),
        (numd.eye(2, 4, k=1, dtype="int8"), np.eye(2, 4, k=1, dtype="int8")),
    ]:
        assert got.dtype == wanted.dtype and got.tolist() == wanted.tolist()
    with numd.connect() as session:
        assert (numd.arange(3, session=session) + numd.eye(3, session=session)).shape == (3, 3)
    with pytest.raises(ValueError):
        numd.arange(0, 5, 0)


def test_order_and_sets():
    x = np.array([[3, 1, 2, 1], [0, 5, 0, 4]])
    a = numd.asarray(x)
    assert numd.sort(a).tolist() == np.sort(x).tolist()
    assert numd.sort(a, axis=0, descending=True).tolist() == np.sort(x, axis=0)[::-1].tolist()
    assert numd.argsort(a, stable=True).tolist() == np.argsort(x, kind="stable").tolist()
    rows, columns = numd.nonzero(a)
    assert (rows.tolist(), columns.tolist()) == tuple(i.tolist() for i in np.nonzero(x))
    everything = numd.unique_all(a)
    wanted = np.unique(x, True, True, True)
    assert everything.values.tolist() == wanted[0].tolist() and everything.indices.tolist() == wanted[1].tolist()
    assert everything.inverse_indices.tolist() == wanted[2].reshape(x.shape).tolist()
    assert everything.counts.tolist() == wanted[3].tolist()
    assert numd.unique_counts(a).counts.tolist() == wanted[3].tolist()
    assert numd.unique_inverse(a).inverse_indices.shape == x.shape
    assert numd.unique_values(a).tolist() == wanted[0].tolist()
    assert numd.searchsorted(numd.asarray([1, 2, 3]), a, side="right").tolist() == np.searchsorted([1, 2, 3], x, "right").tolist()
    assert numd.searchsorted(numd.asarray([3, 1, 2]), 2, sorter=[1, 2, 0]) == 1
    assert numd.isin(a, [1, 5], invert=True).tolist() == np.isin(x, [1, 5], invert=True).tolist()
    for wrong in [lambda: numd.nonzero(numd.asarray(1)), lambda: numd.searchsorted(a[0], a, side="up")]:
        with pytest.raises(ValueError):
            wrong()


def test_by_index():
    a = numd.asarray(X)
    assert numd.take(a, [2, 0], axis=1).tolist() == X.take([2, 0], 1).tolist()
    assert numd.take(a, [[-1, 5]]).tolist() == X.take([[-1, 5]]).tolist()
    order = np.argsort(-X, axis=1)
    assert numd.take_along_axis(a, order, axis=1).tolist() == np.take_along_axis(X, order, 1).tolist()
    assert numd.extract(a, X > 20).tolist() == X[X > 20].tolist()
    assert numd.extract(a, numd.asarray([False, True])).tolist() == X[[False, True]].tolist()
    assert numd.put(a, [1], [9.0]).reshape(-1)[1].item() == 9.0 and a.tolist() == X.tolist()
    assert numd.put(a, [1], [9.0], out=a) is a and np.asarray(a).flat[1] == 9.0
    assert numd.place(a, X > 20, [0.0]).tolist() == np.where(X > 20, 0, np.asarray(a)).tolist()
    for call in [lambda: numd.take(a, [24]), lambda: numd.take(a, [-3], axis=0), lambda: numd.put(a, [99], [1.0])]:
        with pytest.raises(IndexError) as info:
            call()
        assert info.value.status == "EINDEX"


def test_clip_and_diff():
    a = numd.asarray(X)
    for low, high in [(3, 20), (None, 5), (7, None)]:
        assert numd.clip(a, low, high).tolist() == np.clip(X, low, high).tolist()
    assert numd.clip(a).tolist() == X.tolist()
    assert numd.clip(a, min=numd.full((3, 4), 9.0), max=10).tolist() == np.clip(X, np.full((3, 4), 9.0), 10).tolist()
    assert numd.diff(a).tolist() == np.diff(X).tolist()
    assert numd.diff(a, axis=0, n=2).shape == (0, 3, 4)
    line = numd.asarray([1, 4, 9])
    assert numd.diff(line, prepend=[0], append=[16]).tolist() == [1, 3, 5, 7]


def test_products():
    a, b = numd.asarray(X), numd.asarray(X[:, ::-1].copy())
    assert numd.tensordot(a, b.T, axes=1).tolist() == np.tensordot(X, X[:, ::-1].T, 1).tolist()
    assert numd.tensordot(a, b, axes=((0, 2), (0, 2))).tolist() == np.tensordot(X, X[:, ::-1], ((0, 2), (0, 2))).tolist()
    assert numd.tensordot(a, b, axes=3) == np.tensordot(X, X[:, ::-1], 3)
    assert numd.vecdot(a, b, axis=0).tolist() == (X * X[:, ::-1]).sum(0).tolist()
    assert numd.trace(a, offset=1).tolist() == np.trace(X, 1, 1, 2).tolist()
    assert numd.cross(numd.asarray([1, 0, 0]), [0, 1, 0]).tolist() == [0, 0, 1]
    assert numd.vector_norm(numd.asarray([3.0, 4.0])) == 5.0
    assert numd.vector_norm(a, axis=1, ord=float("inf")).tolist() == np.abs(X).max(1).tolist()


def test_scans():
    a = numd.asarray(X)
    assert a.argmax() == 23 and a.argmax().dtype == np.int64 and a.argmax().shape == ()
    assert numd.argmin(a, axis=1, keepdims=True).tolist() == np.argmin(X, 1)[:, None].tolist()
    assert numd.cumulative_sum(a, axis=-1).tolist() == np.cumsum(X, -1).tolist()
    assert numd.cumulative_prod(numd.arange(1, 5), include_initial=True).tolist() == [1, 1, 2, 6, 24]
    assert numd.cumulative_sum(a).tolist() == np.cumsum(X).tolist()
    for wrong in [3, -4]:
        with pytest.raises(ValueError):
            numd.sort(a, axis=wrong)


def test_traced_functions_of_the_standard():
    @numd.function
    def traced(x):
        y = np.concatenate([x, x[::-1]], axis=1)[:, 1:, None]
        z = np.transpose(y).reshape(-1, 2)
        sums = np.cumsum(np.power(z, 2), axis=0)
        return np.arcsin(z / 100), sums, np.sort(np.roll(z, 3), axis=0), ~(z > 3) & (z < 9)

    got = traced(numd.asarray(X[:, 0]))
    x = X[:, 0]
    z = np.transpose(np.concatenate([x, x[::-1]], axis=1)[:, 1:, None]).reshape(-1, 2)
    wanted = np.arcsin(z / 100), np.cumsum(z**2, axis=0), np.sort(np.roll(z, 3), axis=0), ~(z > 3) & (z < 9)
    for mine, theirs in zip(got, wanted):
        np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-14)


def test_traced_indexing():
    for key in [0, -1, slice(None, None, -2), (slice(1), 2), (Ellipsis, 1), (None, 0, None, slice(3, 1, -1)), (1, 2, 3)]:
        got = numd.function(lambda x, key=key: x[key] * 1)(numd.asarray(X))
        assert np.asarray(got).tolist() == X[key].tolist()
    for key in [2, (0, 0, 0, 0), (0, 3)]:
        with pytest.raises(IndexError):
            numd.function(lambda x, key=key: x[key])(numd.asarray(X))


def test_what_cannot_be_traced():
    for body in [lambda x: numd.unique_values(x), lambda x: numd.nonzero(x), lambda x: x[x > 1]]:
        with pytest.raises(TypeError, match="traced"):
            numd.function(body)(numd.asarray(X))
