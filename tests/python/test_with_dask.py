# SPDX-License-Identifier: BSD-3-Clause
"""dask.array with chunks of numd: blocks are views of one Array, and each task computes in the daemon."""

import numpy as np
import pytest

import numd
from counting import compare, daemon_computes

dask = pytest.importorskip("dask", minversion="2022.12", reason="needs dask, 2022.12 or newer")
da = pytest.importorskip("dask.array")


@pytest.fixture(params=["synchronous", "threads"], autouse=True)
def scheduler(request):
    with dask.config.set(scheduler=request.param, num_workers=2):
        yield


@pytest.fixture
def tables(data):
    """The diabetes table in blocks: of a numd.Array, and as it is."""
    table = data("diabetes")
    return da.from_array(numd.asarray(table), chunks=(100, 4), asarray=False), table


# name: what is done with dask's array, the same with NumPy's
PROGRAMS = {
    "sum": (lambda x: x.sum(), lambda x: x.sum()),
    "sum of columns": (lambda x: x.sum(axis=0), lambda x: x.sum(axis=0)),
    "mean": (lambda x: x.mean(axis=1), lambda x: x.mean(axis=1)),
    "deviation": (lambda x: x.std(axis=0), lambda x: x.std(axis=0)),
    "greatest": (lambda x: x.max(axis=0), lambda x: x.max(axis=0)),
    "standardised": (lambda x: (x - x.mean(axis=0)) / x.std(axis=0), lambda x: (x - x.mean(axis=0)) / x.std(axis=0)),
    "elements": (lambda x: x * 2 + da.exp(-x), lambda x: x * 2 + np.exp(-x)),
    "some rows": (lambda x: x[[1, 200, 7]] + 0, lambda x: x[[1, 200, 7]]),
    "a mask": (lambda x: x[x[:, 0] > 50], lambda x: x[x[:, 0] > 50]),
    "where": (lambda x: da.where(x > 3, x, 0), lambda x: np.where(x > 3, x, 0)),
    "running sums": (lambda x: x.cumsum(axis=0), lambda x: x.cumsum(axis=0)),
    "matrix product": (lambda x: x.T @ x, lambda x: x.T @ x),
    "tensordot": (lambda x: da.tensordot(x, x, axes=((0,), (0,))), lambda x: x.T @ x),
    "einsum": (lambda x: da.einsum("ij,ik->jk", x, x), lambda x: x.T @ x),
    "singular values": (lambda x: da.linalg.svd(x.rechunk((100, 11)))[1], lambda x: np.linalg.svd(x)[1]),
    "covariance": (lambda x: da.cov(x.T), lambda x: np.cov(x.T)),
    "histogram": (lambda x: da.histogram(x, bins=9, range=(0, 90))[0], lambda x: np.histogram(x, 9, (0, 90))[0]),
    "greatest three": (lambda x: da.topk(x, 3, axis=0), lambda x: np.sort(x, axis=0)[:-4:-1]),
    "blocks": (lambda x: x.map_blocks(np.sqrt), np.sqrt),
    "overlapping blocks": (
        lambda x: x.map_overlap(lambda block: (block + np.roll(block, 1, 0)) / 2, depth=(1, 0), boundary="periodic"),
        lambda x: (x + np.roll(x, 1, 0)) / 2,
    ),
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_programs(name, tables):
    """Sums of 442 numbers by blocks, in another order than NumPy's."""
    blocks, table = tables
    of_dask, of_numpy = PROGRAMS[name]
    with daemon_computes(calls=4 if name != "some rows" else 1):
        got = of_dask(blocks).compute()
    compare(got, of_numpy(table), 1e-9, 1e-9)


def test_blocks_are_views(tables):
    """Tasks get parts of one Array (newer versions of dask copy it once)."""
    blocks, seen = tables[0], []

    def look(block):
        seen.append(isinstance(block, numd.Array) and block.strides[0] == 11 * 8)  # rows lie as in the table
        return block

    assert isinstance(blocks._meta, numd.Array)
    assert isinstance(blocks.map_blocks(look, meta=blocks._meta).compute(), numd.Array)
    assert seen == [True] * 15


def test_results_are_stored_in_an_array(tables):
    blocks, table = tables
    stored = numd.empty(table.shape)
    with daemon_computes(calls=12):
        da.store(blocks * 2, stored, lock=False)
    np.testing.assert_array_equal(np.asarray(stored), table * 2)


def test_places_need_numpy(tables):
    """dask keeps values and places in an array of structures, which numd does not have."""
    blocks, table = tables
    before = set(numd.stats()["fallbacks"])
    assert blocks.argmax(axis=0).compute().tolist() == table.argmax(axis=0).tolist()
    assert set(numd.stats()["fallbacks"]) - before <= {"empty_like"}
