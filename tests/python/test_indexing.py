# SPDX-License-Identifier: BSD-3-Clause
"""Indexing and assignment with arrays of integers, masks, and both beside slices, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from examples import examples
from layouts import laid_out, like_numpy

# Of an index out of bounds NumPy 1 only warns where nothing would be selected; NumPy 2 raises, as numd does.
pytestmark = pytest.mark.filterwarnings("error:Out of bound index found:DeprecationWarning")
REFUSED = (IndexError, DeprecationWarning)

SIDES = st.lists(st.sampled_from([0, 1, 2, 3, 5]), min_size=1, max_size=4).map(tuple)
LIMIT = st.one_of(st.none(), st.integers(-6, 6))
SLICE = st.builds(slice, LIMIT, LIMIT, st.sampled_from([None, 1, 2, -1, -2]))


@pytest.fixture(autouse=True)
def in_the_daemon():
    before = numd.stats()["fallbacks"]
    yield
    assert numd.stats()["fallbacks"] == before


def index_array(draw, rng, length):
    shape = draw(st.sampled_from([(), (1,), (3,), (2, 3), (0,)] if length else [(0,)]))
    dtype = draw(st.sampled_from(["int64", "int32", "uint8", "int16"]))
    low = 0 if dtype == "uint8" else -length
    return rng.integers(low, max(length, 1), shape).astype(dtype)


@st.composite
def keys(draw, shape, one_shape=False):
    """A key that fits the shape, as NumPy sees it; of numbers, slices, None, an Ellipsis, arrays, masks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    key, axis = [], 0
    while axis < len(shape) and draw(st.integers(0, 9)):
        length = shape[axis]
        kind = draw(st.sampled_from(["slice", "number", "array", "array", "mask", "new", "rest"]))
        if kind == "rest":
            if not any(item is Ellipsis for item in key):
                left = draw(st.integers(0, len(shape) - axis))
                key.append(Ellipsis)
                axis = len(shape) - left
            continue
        if kind == "new":
            key.append(None)
        elif kind == "slice":
            key.append(draw(SLICE))
            axis += 1
        elif kind == "number" and length:
            key.append(draw(st.integers(-length, length - 1)))
            axis += 1
        elif kind == "array":
            key.append(index_array(draw, rng, length))
            axis += 1
        elif kind == "mask":
            n = draw(st.integers(1, len(shape) - axis))
            key.append(rng.random(shape[axis : axis + n]) < draw(st.sampled_from([0.2, 0.5, 1.0])))
            axis += n
    return tuple(key)


def given_as(draw, item):
    """An array in the key as an Array, an ndarray or a list."""
    if not isinstance(item, np.ndarray):
        return item
    return draw(st.sampled_from([numd.asarray, np.asarray, lambda x: x.tolist() if x.size else x]))(item)


def drawn(data, shape=None):
    shape = data.draw(SIDES) if shape is None else shape
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    array = array.astype(data.draw(st.sampled_from(["float64", "int32", "complex64"])))
    ours = data.draw(laid_out(array))
    key = data.draw(keys(shape))
    mine = tuple(given_as(data.draw, item) for item in key)
    return array, ours, key, mine[0] if len(mine) == 1 and data.draw(st.booleans()) else mine


@examples(150)
@given(st.data())
def test_getting(data):
    array, ours, key, mine = drawn(data)
    try:
        wanted = array[key]
    except REFUSED:
        with pytest.raises(IndexError):
            ours[mine]
        return
    got = ours[mine]
    assert like_numpy(got, wanted) and got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(np.asarray(got), wanted)


def once(array, key):
    """Whether the key selects no element twice, so that the order of assignment does not matter."""
    places = np.arange(array.size).reshape(array.shape)[key]
    return np.unique(places).size == np.size(places)


@examples(150)
@given(st.data())
def test_setting(data):
    array, ours, key, mine = drawn(data)
    try:
        target = array[key]
    except REFUSED:
        with pytest.raises(IndexError):
            ours[mine] = 1
        return
    shape = np.shape(target)
    kind = data.draw(st.sampled_from(["scalar", "array", "last", "list", "wrong"]))
    value = {
        "scalar": 7,
        "array": np.arange(np.size(target)).reshape(shape) + 100,
        "last": np.arange(np.prod(shape[-1:], dtype=int)).reshape(shape[-1:]) + 100,
        "list": [5],
        "wrong": np.zeros((1, *shape[:-1], 7) if shape else (7,)),
    }[kind]
    if not once(array, key) and kind in ("array", "last"):
        return
    copy = array.copy()
    try:
        copy[key] = value
    except TypeError:  # NumPy makes no complex number of [5]
        return
    except (ValueError, IndexError):
        with pytest.raises((ValueError, IndexError)):
            ours[mine] = value
        return
    ours[mine] = numd.asarray(value) if data.draw(st.booleans()) else value
    np.testing.assert_array_equal(np.asarray(ours), copy)


def test_indices_that_select_nothing_may_be_anything():
    none, array = np.array([], int), np.zeros((0, 1, 0))
    for key in [(none, ..., np.array([0])), (slice(None), none, np.array([-9]))]:
        assert numd.asarray(array)[key].shape == array[key].shape
        numd.asarray(array)[key] = 1
    for key in [(none, 5), (np.array([3]),)]:
        with pytest.raises(IndexError):
            numd.zeros((3, 0))[key]


def test_the_usual_forms():
    x = np.arange(12.0).reshape(3, 4)
    a = numd.asarray(x)
    a[a > 5] += 1
    x[x > 5] += 1
    assert a.tolist() == x.tolist()
    a[[0, 2]] = a[[2, 0]]
    x[[0, 2]] = x[[2, 0]]
    assert a.tolist() == x.tolist()
    a[a[:, 0] > 5, 1:3] = [[-1, -2]]
    x[x[:, 0] > 5, 1:3] = [[-1, -2]]
    assert a.tolist() == x.tolist()
    a[:, numd.asarray([1, 3])] *= 2
    x[:, [1, 3]] *= 2
    assert a.tolist() == x.tolist()
    assert a[numd.argsort(a[:, 0])].tolist() == x[np.argsort(x[:, 0])].tolist()
    assert a[np.ix_([0, 2], [1, 3])].tolist() == x[np.ix_([0, 2], [1, 3])].tolist()
    assert a[np.int64(1), numd.asarray(2)] == x[1, 2]


def test_values_are_converted_as_in_assignment():
    x = np.arange(4)
    a = numd.asarray(x)
    a[a > 1] = 2.75
    a[[0]] = np.float32(1.5)
    assert a.dtype == np.int64 and a.tolist() == [1, 1, 2, 2]
    small = numd.zeros(3, "int8")
    with pytest.raises(OverflowError):
        small[[0, 1]] = 1000
    assert small.tolist() == [0, 0, 0]


def test_a_number_for_each_axis_gives_a_value_and_with_an_ellipsis_a_view():
    a = numd.asarray(np.arange(6.0).reshape(2, 3))
    value, one = a[1, 2], a[1, 2, ...]
    assert isinstance(one, numd.Array) and one.shape == () and one.dtype == np.float64
    one[...] = 50
    assert a[1].tolist() == [3, 4, 50] and type(value) is np.float64 and value == 5
    assert type(one[()]) is np.float64 and isinstance(one[...], numd.Array)


@pytest.mark.parametrize("shape, key", [
    ((3, 4), ([3],)), ((3, 4), ([-4],)), ((3, 4), (slice(None), [1, 4])), ((3, 4), ([0, 9], [0, 1])),
    ((3, 4), (np.ones(4, bool),)), ((3, 4), (np.ones((3, 3), bool),)), ((3, 4), ([0, 1], [0, 1, 2])),
    ((3, 4), ([0], [0], [0])), ((3,), (np.zeros((3, 3), bool),)), ((0,), ([0],)), ((3,), ([1.5],)), ((3,), (["a"],)),
])  # fmt: skip
def test_wrong_indices(shape, key):
    a = numd.zeros(shape)
    with pytest.raises(IndexError) as info:
        np.zeros(shape)[key]
    for use in [lambda: a[key], lambda: a.__setitem__(key, 1)]:
        with pytest.raises(IndexError) as ours:
            use()
        if "out of bounds" in str(info.value):
            assert str(ours.value) == str(info.value)


def test_wrong_values():
    a = numd.zeros((3, 4))
    mask = np.zeros((3, 4), bool)
    mask[0, :3] = True
    for key, value in [(mask, [1, 2]), ([0, 1], np.ones((3, 4))), (([0, 1], [0, 1]), [1, 2, 3])]:
        with pytest.raises(ValueError):
            np.zeros((3, 4))[key] = value
        with pytest.raises(ValueError):
            a[key] = value
    assert not a.any()


def test_an_ellipsis_that_stands_for_no_axis_is_between_its_neighbours():
    x = np.arange(6.0).reshape(1, 3, 2)
    for key in [(slice(None), [0, 2], Ellipsis, 0), (slice(None), Ellipsis, [0, 2], 0), (Ellipsis, 0, [0, 2], 1)]:
        assert np.array_equal(np.asarray(numd.asarray(x)[key]), x[key]) and numd.asarray(x)[key].shape == x[key].shape
