# SPDX-License-Identifier: BSD-3-Clause
"""xarray around a numd.Array: labels are xarray's, data stays an Array, and the daemon computes."""

import numpy as np
import pytest

import numd
from counting import daemon_computes

xr = pytest.importorskip("xarray", reason="needs xarray, 2023.1 or newer")


@pytest.fixture
def photos(data):
    """A part of the photo as float, around a numd.Array and around an ndarray."""
    picture = data("china")[100:160, 200:280].astype(np.float64)
    coordinates = {"y": np.arange(60), "colour": ["red", "green", "blue"]}

    def around(values):
        return xr.DataArray(values, dims=("y", "x", "colour"), coords=coordinates, name="photo")

    return around(numd.asarray(picture)), around(picture)


LUMA = [0.299, 0.587, 0.114]


def weights_like(photo):
    return xr.DataArray(np.asarray(LUMA, like=photo.data), dims="colour", coords={"colour": photo.colour})


def holes(photo):
    return photo.where(photo > 100)


PROGRAMS = {
    "arithmetic": lambda d: d * 2 + 1,
    "ufunc": lambda d: np.sqrt(d),
    "broadcast": lambda d: d - d.mean("colour"),
    "isel": lambda d: d.isel(x=slice(3, 9), y=[1, 5]) + 0,
    "mean": lambda d: d.mean("x"),
    "mean of holes": lambda d: holes(d).mean(("x", "y")),
    "sum": lambda d: d.sum(("x", "y")),
    "std": lambda d: d.std("x"),
    "max of holes": lambda d: d.where(d >= d.mean("x")).max("x"),
    "argmax": lambda d: d.argmax("x"),
    "median": lambda d: d.median("x"),
    "quantile": lambda d: d.quantile([0.1, 0.5], "x"),
    "where": lambda d: d.where(d > 100, 0),
    "fillna": lambda d: holes(d).fillna(-1.0),
    "groupby": lambda d: d.groupby(d.y // 20).mean(),
    "coarsen": lambda d: d.coarsen(x=4, y=4).mean(),
    "cumsum": lambda d: d.cumsum("x"),
    "diff": lambda d: d.diff("x"),
    "shift": lambda d: d.shift(x=1),
    "roll": lambda d: d.roll(x=1),
    "pad": lambda d: d.pad(x=1, mode="edge"),
    "concat": lambda d: xr.concat([d, d], "again"),
    "sortby": lambda d: d.sortby("y", ascending=False),
    "dot": lambda d: d.dot(weights_like(d)),
    "weighted": lambda d: d.weighted(weights_like(d)).mean("colour"),
    "corr": lambda d: xr.corr(d.sel(colour="red"), d.sel(colour="blue"), dim="x"),
    "integrate": lambda d: d.integrate("y"),
    "apply_ufunc": lambda d: xr.apply_ufunc(np.exp, d / 255),
    "dataset": lambda d: xr.Dataset({"one": d, "two": d * 2}).mean("x")["two"],
}


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_programs(name, photos):
    """Sums of up to 4,800 numbers in another order than NumPy's."""
    ours, theirs = photos
    with daemon_computes(calls=1):
        got = PROGRAMS[name](ours)
    wanted = PROGRAMS[name](theirs)
    assert isinstance(got.data, numd.Array)
    assert got.dims == wanted.dims and set(got.coords) == set(wanted.coords)
    np.testing.assert_allclose(np.asarray(got.data), wanted.data, rtol=1e-9, atol=1e-9)


def test_selection_shares_memory(photos):
    photo = photos[0]
    for part in [photo.sel(colour="green"), photo.isel(x=slice(2, 9)), photo.transpose("colour", "x", "y")]:
        assert isinstance(part.data, numd.Array) and np.shares_memory(part.data, photo.data)
    photo.loc[{"y": 3}] = 0
    assert not np.asarray(photo.data)[3].any()


def test_it_is_shown(photos):
    assert "numd.Array" in repr(photos[0]) and "numd" in photos[0]._repr_html_()
