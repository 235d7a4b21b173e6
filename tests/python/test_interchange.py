# SPDX-License-Identifier: BSD-3-Clause
"""Other libraries on the memory of arrays: DLPack, buffers, and views that come back as arrays."""

import gc
import os

import numpy as np
import pytest

import numd
from layouts import DTYPES

X = np.arange(24.0).reshape(4, 6)


class Capsule:
    """What gives a capsule that was made before."""

    def __init__(self, array, **options):
        self.capsule, self.device = array.__dlpack__(**options), array.__dlpack_device__()

    def __dlpack__(self, **options):
        return self.capsule

    def __dlpack_device__(self):
        return self.device


def fill_memory():
    """So that what was freed is not as it was."""
    gc.collect()
    return [numd.full((7, i % 30 + 1), 9.0) for i in range(200)]


# ---- DLPack


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_shows_the_same_memory(dtype):
    if dtype == "bool" and np.__version__.startswith("1."):
        pytest.skip("NumPy 1 reads no bool by DLPack")
    for array in (numd.zeros((3, 4), dtype), numd.zeros((6, 8), dtype)[::2, ::-2], numd.zeros((), dtype)):
        tensor = np.from_dlpack(Capsule(array))
        assert (tensor.shape, tensor.dtype) == (array.shape, array.dtype)
        array.fill(1)
        assert (tensor == 1).all()
        assert tensor.__array_interface__["data"][0] == np.asarray(array).__array_interface__["data"][0]


def test_a_tensor_outlives_its_array_and_its_shape():
    array = numd.asarray(X)
    capsule = Capsule(array)
    array.shape = (24,)
    del array
    kept = fill_memory()
    tensor = np.from_dlpack(capsule)
    assert tensor.tolist() == X.tolist()
    del capsule
    kept += fill_memory()
    assert tensor.tolist() == X.tolist() and len(kept) == 400


def test_capsules_that_nobody_takes_are_freed():
    array = numd.ones(24_002_560 // 8)
    used = numd.memory().used
    for version in (None, (1, 0)):
        for copy in (None, True):
            for _ in range(20):
                array.__dlpack__(max_version=version, copy=copy)
    assert numd.memory().used <= used + 3 * array.nbytes


def test_a_copy_is_another_memory():
    array = numd.asarray(X)
    copied = np.from_dlpack(Capsule(array, copy=True))
    array.fill(0)
    assert copied.tolist() == X.tolist()


def test_dlpack_refuses_what_it_cannot():
    array = numd.zeros(4, "int16")
    for wrong, error in [
        ({"stream": 1}, BufferError),
        ({"dl_device": (2, 0)}, BufferError),
        ({"dl_device": 1}, TypeError),
        ({"max_version": 1}, TypeError),
        ({"max_version": ("a", 0)}, TypeError),
        ({"copy": np.ones(2)}, ValueError),
    ]:
        with pytest.raises(error):
            array.__dlpack__(**wrong)
    with pytest.raises(BufferError, match="strides of 24 bytes"):
        numd.attach(object_of(96), (3,), "complex128", 0, (24,)).__dlpack__()


def object_of(size):
    fd = os.memfd_create("test")
    os.truncate(fd, size)
    return os.fdopen(fd, "r+b")


# ---- Buffers


def test_buffers_keep_their_shape():
    array = numd.asarray(X)
    buffer = memoryview(array)
    array.shape = (2, 12)
    kept = fill_memory()
    assert buffer.shape == (4, 6) and buffer.tolist() == X.tolist()
    del array
    kept += fill_memory()
    assert np.asarray(buffer).tolist() == X.tolist() and len(kept) == 400


# ---- Views that come back


@pytest.mark.parametrize("dtype", DTYPES)
def test_views_become_arrays_on_the_same_memory(dtype):
    array = numd.asarray(X.astype(dtype))
    for view in (memoryview(array), np.asarray(array), np.asarray(array)[::-2, 1:], np.asarray(array).T, np.asarray(array)[2, 3:4]):
        back = numd.asarray(view, copy=False)
        assert back.dtype == array.dtype and back.tolist() == np.asarray(view).tolist()
        back[...] = 1
        assert (np.asarray(view) == 1).all()


class Elsewhere(np.ndarray):
    """Says that it is a view of an Array, and is none."""

    base = None


def test_what_is_no_such_view_is_copied():
    array, neighbour = numd.asarray(X), numd.zeros(X.shape)
    swapped = np.asarray(array).view(">f8")
    constant = np.asarray(array)[:]
    constant.flags.writeable = False
    other, beside = X.view(Elsewhere), np.asarray(neighbour).view(Elsewhere)
    other.base = beside.base = array
    repeated = np.lib.stride_tricks.as_strided(np.asarray(array), (1000,), (8,), writeable=False)
    for view in (swapped, constant, other, beside):
        copied = numd.asarray(view)
        assert copied.tolist() == np.asarray(view).tolist()
        before = np.asarray(view).tolist()
        copied.fill(-1)
        assert np.asarray(view).tolist() == before
    for view in (swapped, constant, other, beside, repeated):
        with pytest.raises(ValueError, match="copy=False"):
            numd.asarray(view, copy=False)


# ---- NumPy's protocols, called by hand


def test_protocols_refuse_nonsense():
    a = numd.ones(3)
    for args in [(), (np.add,), (np.add, None, a, a), (np.add, 5, a, a), (5, "__call__", a), ([], "__call__", a), (np.add, "__call__"), (np.add, "no", a)]:
        with pytest.raises((TypeError, AttributeError)):
            a.__array_ufunc__(*args)
    for args in [(), (np.sum,), (np.sum, 5, (a,), {}), (5, (numd.Array,), (a,), {}), (np.sum, (numd.Array,), 5, {}), (np.sum, (numd.Array,), (a,), 5)]:
        with pytest.raises((TypeError, AttributeError)):
            a.__array_function__(*args)
