# SPDX-License-Identifier: BSD-3-Clause
"""The type Array: making, views, indexing, assignment, conversion, protocols, errors."""

import copy
import operator
import os
import pickle
from multiprocessing import shared_memory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from layouts import DTYPES, lay_out, like_numpy, shapes, steps


def make(shape=(3, 4), dtype="float64"):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    return array, numd.asarray(array)


# ---- Making


@pytest.mark.parametrize("dtype", DTYPES)
def test_asarray_copies_and_numpy_sees_the_same_memory(dtype):
    array, ours = make(dtype=dtype)
    view = np.asarray(ours)
    assert view.dtype == np.dtype(dtype) and view.flags.writeable
    np.testing.assert_array_equal(view, array)
    view[1, 2] = 0
    assert ours[1, 2].item() == 0
    assert np.asarray(ours).ctypes.data == view.ctypes.data
    assert np.asarray(ours).dtype is np.dtype(dtype)


def test_asarray_passes_arrays_through():
    _, ours = make()
    assert numd.asarray(ours) is ours
    assert numd.asarray(ours, dtype="float64") is ours
    assert numd.asarray(ours, "int32").dtype == np.int32


@pytest.mark.parametrize("value", [3, 2.5, True, [1, 2], [[1.0, 2.0]], (1, 2.5), [], np.float32(3), range(4)])
def test_asarray_of_python_values(value):
    wanted = np.asarray(value)
    ours = numd.asarray(value)
    assert ours.dtype == wanted.dtype and ours.shape == wanted.shape
    np.testing.assert_array_equal(np.asarray(ours), wanted)


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "clongdouble", "datetime64[s]", "object", "U3"])
def test_unsupported_dtypes_are_named(dtype):
    with pytest.raises(TypeError, match=r"float64.*\.astype"):
        numd.asarray(np.zeros(3).astype(dtype))
    with pytest.raises(TypeError, match="no dtype"):
        numd.zeros(3, dtype=dtype)


def test_other_byte_orders():
    swapped = np.arange(6.0).astype(">f8")
    assert numd.asarray(swapped).dtype == np.float64 and numd.asarray(swapped).tolist() == swapped.tolist()
    for make_it in [numd.zeros, numd.empty]:
        with pytest.raises(TypeError, match="byte order"):
            make_it(3, ">f8")


def test_asarray_converts_to_a_given_dtype():
    array = np.arange(6, dtype="uint8").reshape(2, 3)
    assert numd.asarray(array, dtype="float32").tolist() == array.tolist()
    assert numd.asarray(array.astype(">f8")).tolist() == array.tolist()
    assert numd.asarray(array.T.astype("int64")).tolist() == array.T.tolist()
    with pytest.raises(OverflowError):
        numd.asarray([2**70], dtype="int64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_ones_full_empty(dtype):
    assert numd.zeros((2, 3), dtype).tolist() == np.zeros((2, 3), dtype).tolist()
    assert numd.ones((2, 3), dtype).tolist() == np.ones((2, 3), dtype).tolist()
    assert numd.full(4, 1, dtype=dtype).tolist() == np.full(4, 1, dtype).tolist()
    assert numd.empty((2, 0), dtype).shape == (2, 0)
    assert numd.zeros((), dtype).shape == ()


def test_full_takes_the_kind_of_the_value():
    assert numd.full(2, 3).dtype == np.int64
    assert numd.full(2, 3.0).dtype == np.float64
    assert numd.full(2, True).dtype == np.bool_
    assert numd.zeros(2).dtype == np.float64
    with pytest.raises(ValueError):
        numd.zeros(-1)
    with pytest.raises((MemoryError, ValueError, numd.Error)):
        numd.empty((2**40, 2**20))


# ---- Attributes


@given(shapes(), st.sampled_from(DTYPES), steps(), st.booleans())
def test_attributes(shape, dtype, step, transposed):
    ours = lay_out(np.zeros(shape, dtype), step, transposed)
    view = np.asarray(ours)
    for name in ["shape", "ndim", "size", "nbytes", "itemsize", "dtype"]:
        assert getattr(ours, name) == getattr(view, name), name
    assert ours.T.shape == view.T.shape
    if view.size:
        assert ours.strides == view.strides


def test_repr():
    assert repr(numd.asarray([1.0, 2.0])) == "numd.Array([1., 2.], dtype=float64)"
    assert repr(numd.asarray([[1], [2]])).startswith("numd.Array([[1],\n")
    assert str(numd.asarray([True, False])) == "[ True False]"


# ---- Views

LIMIT = st.one_of(st.none(), st.integers(-9, 9))
INDEX = st.one_of(
    st.integers(-4, 3),
    st.builds(slice, LIMIT, LIMIT, st.sampled_from([None, 1, 2, -1, -2, 3, -5])),
    st.just(Ellipsis),
    st.none(),
)


@given(shapes(), st.lists(INDEX, max_size=5).map(tuple))
def test_indexing_gives_views(shape, key):
    array, ours = make(shape)
    try:
        wanted = array[key]
    except IndexError:
        with pytest.raises(IndexError):
            ours[key]
        return
    got = ours[key]
    assert like_numpy(got, wanted) and got.shape == wanted.shape
    np.testing.assert_array_equal(np.asarray(got), wanted)
    if got.size and isinstance(got, numd.Array):
        np.asarray(ours)[...] = -1
        assert (np.asarray(got) == -1).all()


@given(shapes(3), st.lists(INDEX, max_size=4).map(tuple), st.integers(0, 3))
def test_assignment(shape, key, kind):
    array, ours = make(shape)
    try:
        target = array[key]
    except IndexError:
        return
    value = [7.5, np.float64(3), np.ones(target.shape[-1:]), numd.full(target.shape, 4)][kind]
    array[key] = np.asarray(value)
    ours[key] = value
    np.testing.assert_array_equal(np.asarray(ours), array)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0, 1, 2.75, True, 3, np.array([1, 2, 250], "uint8")])
def test_assignment_converts_values(dtype, value):
    array, ours = make((2, 3), dtype)
    array[1] = value
    ours[1] = value
    assert ours.tolist() == array.tolist()


def test_assignment_refuses_what_does_not_fit():
    ours = numd.zeros(3, "int32")
    with pytest.raises(OverflowError):
        ours[0] = 2**40
    with pytest.raises(ValueError):
        ours[:] = np.zeros(5)
    with pytest.raises(ValueError):
        del ours[0]


@pytest.mark.parametrize("key", ["x", 1.5, [1.5], np.array([0.0]), (Ellipsis, Ellipsis), {}])
def test_other_indices_are_refused(key):
    with pytest.raises(IndexError):
        make()[1][key]


@given(shapes(4, 1, 6), steps(), st.booleans(), st.data())
def test_reshape(shape, step, transposed, data):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    ours = lay_out(array, step, transposed)
    factors = [d for n in shape for d in ([2, n // 2] if n % 2 == 0 else [n])]
    wanted = tuple(data.draw(st.permutations(factors))) + data.draw(st.sampled_from([(), (1,), (1, 1)]))
    got = ours.reshape(wanted)
    assert got.shape == wanted
    np.testing.assert_array_equal(np.asarray(got), array.reshape(wanted))
    assert ours.reshape(-1).shape == (array.size,)


def test_reshape_gives_views_where_it_can():
    _, ours = make((4, 6))
    for view in [ours.reshape(24), ours[:, ::2].reshape(2, 2, 3), ours.T.reshape(3, 2, 4), ours.reshape(-1, 3)]:
        assert np.shares_memory(np.asarray(view), np.asarray(ours))
    assert not np.shares_memory(np.asarray(ours.T.reshape(24)), np.asarray(ours))
    for shape in [5, (5, -1), (-1, -1), (-2, 12), (0, -1)]:
        with pytest.raises(ValueError):
            ours.reshape(shape)


def test_transpose():
    array, ours = make((2, 3, 4))
    for axes in [(), (None,), (2, 0, 1), ((0, 2, 1),), (-1, 0, 1)]:
        assert ours.transpose(*axes).tolist() == array.transpose(*axes).tolist()
    for axes in [(0, 1), (0, 0, 1), (0, 1, 5)]:
        with pytest.raises(ValueError):
            ours.transpose(*axes)


def test_iteration_and_length():
    array, ours = make()
    assert len(ours) == 3 and [row.tolist() for row in ours] == array.tolist()
    assert 5 in ours and 77 not in ours
    for wrong in [len, iter]:
        with pytest.raises(TypeError):
            wrong(numd.zeros(()))


# ---- Values


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_element_as_a_python_scalar(dtype):
    for ours in [numd.ones((), dtype), numd.ones((1, 1), dtype)]:
        item = ours.item()
        assert type(item) is type(np.ones((), dtype).item()) and item == 1
        assert bool(ours) is True and complex(ours) == 1
        if np.dtype(dtype).kind != "c":
            assert int(ours) == 1 and float(ours) == 1.0
    assert numd.asarray([5, 6, 7]).item(1) == 6


def test_several_elements_are_no_scalar():
    _, ours = make()
    for convert in [int, float, operator.index]:
        with pytest.raises(TypeError):
            convert(ours)
    with pytest.raises(ValueError):
        bool(ours)
    assert [10, 20, 30][numd.asarray(2)] == 30
    with pytest.raises(TypeError):
        operator.index(numd.asarray(2.0))


def test_copy_astype_fill_tolist():
    array, ours = make()
    other = ours.T.copy()
    other.fill(9)
    assert ours.tolist() == array.tolist() and set(sum(other.tolist(), [])) == {9.0}
    assert ours.astype("int32").dtype == np.int32
    assert ours.astype(float) is not ours and ours.astype(float, copy=False) is ours
    assert ours[::-1, ::2].tolist() == array[::-1, ::2].tolist()
    for clone in [copy.copy(ours), copy.deepcopy(ours)]:
        clone.fill(1)
        assert ours.tolist() == array.tolist()


# ---- Protocols


def test_buffer_protocol():
    _, ours = make()
    memory = memoryview(ours)
    assert (memory.format, memory.shape, memory.strides, memory.readonly) == ("d", (3, 4), (32, 8), False)
    assert bytes(ours) == np.asarray(ours).tobytes()
    for flags in [ours[:, ::2], ours.T]:
        with pytest.raises((BufferError, ValueError)):
            np.frombuffer(flags)
    view = np.asarray(ours[1:, ::-1])
    del ours, memory
    assert view.tolist() == [[7.0, 6.0, 5.0, 4.0], [11.0, 10.0, 9.0, 8.0]]


def test_array_method():
    _, ours = make()
    assert ours.__array__().ctypes.data == np.asarray(ours).ctypes.data
    assert ours.__array__(np.float32).dtype == np.float32
    assert not np.shares_memory(ours.__array__(copy=True), np.asarray(ours))
    with pytest.raises(ValueError):
        ours.__array__(np.float32, copy=False)
    assert np.array(ours).flags.owndata
    assert np.mean(np.asarray(ours)) == ours.mean()


def test_operators_defer_to_ours():
    array, ours = make()
    for mixed in [array + ours, ours + array, np.float64(2) * ours, [1.0, 2.0, 3.0, 4.0] - ours]:
        assert type(mixed) is numd.Array
    assert (array - ours).tolist() == np.zeros((3, 4)).tolist()
    assert (ours == "text") is False and (ours != None) is True  # noqa: E711
    for wrong in ["x", None, object(), {}]:
        with pytest.raises(TypeError):
            ours + wrong
    with pytest.raises(TypeError):
        hash(ours)


def test_handles_are_small_and_keep_the_memory():
    _, ours = make((1000, 10))
    text = pickle.dumps(ours[::2, 1:])
    assert len(text) < 700
    other = pickle.loads(text)
    ours.fill(3)
    assert other.shape == (500, 9) and (np.asarray(other) == 3).all()
    (other + 1).tolist()
    del ours
    assert (np.asarray(pickle.loads(text)) == 3).all()
    with pytest.raises(ValueError):
        numd._rebuild(b"short", numd.default_session().address)
    rebuild, (handle, address) = other.__reduce__()
    with pytest.raises(numd.Error, match="the handle has version 2; this numd reads version 1"):
        rebuild(b"\2" + handle[1:], address)


# ---- Memory that exists already


def test_attach_shared_memory():
    memory = shared_memory.SharedMemory(create=True, size=800)
    try:
        theirs = np.ndarray((10, 10), dtype="float64", buffer=memory.buf)
        theirs[...] = np.arange(100).reshape(10, 10)
        for source in [memory, memory.name, "/" + memory.name]:
            ours = numd.attach(source, (10, 10), "float64")
            assert ours.tolist() == theirs.tolist()
        numd.multiply(ours, 2, out=ours)
        assert theirs[9, 9] == 198
        part = numd.attach(memory.name, (5,), float, offset=8, strides=(160,))
        assert part.tolist() == theirs[::2, 1].tolist()
        with pytest.raises(ValueError):
            numd.attach(memory.name, (11, 10), float)
        with pytest.raises(ValueError):
            numd.attach(memory.name, (5,), float, offset=3)
        del ours, part
        shared_memory.SharedMemory(memory.name).close()  # still there
        del theirs
    finally:
        memory.close()
        memory.unlink()


def test_attach_descriptor():
    fd = os.memfd_create("test")
    os.ftruncate(fd, 4096)
    ours = numd.attach(fd, 512, "int64")
    os.close(fd)
    ours[:] = 5
    assert numd.sum(ours) == 2560
    with pytest.raises((OSError, numd.Error)):
        numd.attach("no-such-object-of-numd", 1, float)
    with pytest.raises(TypeError):
        numd.attach(3.5, 1, float)


# ---- Sessions


def test_session():
    with numd.connect() as session:
        session.ping()
        assert session.address == os.environ["NUMD_SOCKET"]
        assert isinstance(session.stats(), dict) and isinstance(numd.stats(), dict)
        ours = numd.ones(3, session=session)
        with pytest.raises(ValueError, match="session"):
            ours + numd.ones(3)
    with pytest.raises(ValueError, match="closed"):
        session.ping()
    assert (ours + ours).tolist() == [2.0, 2.0, 2.0]  # an array keeps its connection
    session.close()


@pytest.mark.parametrize("door", ["ring", "socket"])
@pytest.mark.parametrize("wait", ["auto", "sleep", "handoff", "spin"])
def test_doors_and_gears_compute_the_same(door, wait):
    with numd.connect(start=False, door=door, wait=wait) as session:
        ours = numd.asarray(np.arange(100.0), session=session)
        for _ in range(20):
            ours += 1
        assert ours.sum() == 4950 + 2000
        assert numd.sqrt(ours).tolist() == np.sqrt(np.arange(100.0) + 20).tolist()


def test_connect_refuses():
    with pytest.raises(ConnectionError) as info:
        numd.connect("/nonexistent/socket", start=False)
    assert info.value.status == "EUNAVAILABLE" and isinstance(info.value, numd.Error)
    with pytest.raises(ValueError, match="door"):
        numd.connect(door="window")


def test_str_without_dimensions_is_the_whole_number():
    third = numd.asarray(1.0) / 3
    assert str(third) == str(1 / 3) and f"{third}" == str(1 / 3) and str(numd.asarray(True)) == "True"
