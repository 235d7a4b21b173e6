# SPDX-License-Identifier: BSD-3-Clause
"""Libraries that know nothing of numd see the same memory: pandas, matplotlib, Cython, numba, PyTorch, ctypes."""

import array
import ctypes
import struct
import subprocess
import sys

import numpy as np
import pytest

import numd
from counting import daemon_computes


@pytest.fixture
def table(data):
    return numd.asarray(data("diabetes"))


# ---- pandas


@pytest.fixture
def pd():
    return pytest.importorskip("pandas", minversion="1.5", reason="needs pandas, 1.5 or newer")


def test_a_data_frame_is_a_view(pd, table):
    frame = pd.DataFrame(table, columns=list("abcdefghijk"), copy=False)
    assert np.shares_memory(frame.to_numpy(), table)
    table[0, 0] = -7.0
    assert frame["a"][0] == -7.0
    series = pd.Series(numd.asarray(np.arange(5.0)), copy=False)
    assert series.sum() == 10.0


def test_columns_go_to_the_daemon(pd, table):
    frame = pd.DataFrame({"age": np.asarray(table[:, 0]), "y": np.asarray(table[:, -1])})
    age = numd.asarray(frame["age"])
    assert isinstance(age, numd.Array)
    with daemon_computes():
        frame["decade"] = np.floor(age / 10)
    assert frame["decade"].tolist() == (frame["age"] // 10).tolist()
    assert frame.iloc[numd.asarray([3, 1])].equals(frame.iloc[[3, 1]])
    assert (frame["age"] + age).tolist() == (2 * frame["age"]).tolist()


# ---- matplotlib


def test_plots_show_arrays(table):
    matplotlib = pytest.importorskip("matplotlib", minversion="3.6", reason="needs matplotlib, 3.6 or newer")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    def drawn(values):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(4, 2))
        left.plot(values[:, 0], values[:, 2], ".")
        left.scatter(values[:9, 0], values[:9, 2], c=values[:9, 3])
        left.hist(values[:, 1])
        left.set_xlim(values[:, 0].min(), values[:, 0].max())
        right.imshow(values[:40])
        right.contour(values[:40])
        right.axhline(values[:9, 0].mean() / 2)
        figure.canvas.draw()
        pixels = np.array(figure.canvas.buffer_rgba())
        pyplot.close(figure)
        return pixels

    pixels = drawn(table)
    assert len(np.unique(pixels)) > 50
    np.testing.assert_array_equal(pixels, drawn(np.asarray(table)))


# ---- Buffers and pointers


def test_memoryviews(table):
    view = memoryview(table)
    assert (view.shape, view.format, view.readonly) == (table.shape, "d", False)
    view[3, 5] = 0.25
    assert table[3, 5] == 0.25
    packed = numd.zeros(3, "int32")
    struct.pack_into("3i", packed, 0, 1, 2, 3)
    assert packed.tolist() == [1, 2, 3] and array.array("i", packed).tolist() == [1, 2, 3]
    assert bytes(packed) == packed.tobytes()


def test_ctypes_calls_c():
    """qsort of the C library on the memory of an Array."""
    a = numd.asarray([3.0, 1.0, 2.0])
    c = ctypes.CDLL(None)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double))
    order = kind(lambda x, y: (x[0] > y[0]) - (x[0] < y[0]))
    memory = (ctypes.c_double * a.size).from_buffer(a)
    c.qsort(memory, ctypes.c_size_t(a.size), ctypes.c_size_t(a.itemsize), order)
    assert a.tolist() == [1, 2, 3]
    assert (a + 1).tolist() == [2, 3, 4]


CYTHON = """
def double_it(double[:, :] values):
    cdef Py_ssize_t i, j
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            values[i, j] *= 2
"""


def test_cython_memoryviews(tmp_path):
    pytest.importorskip("Cython", reason="needs Cython, 0.29 or newer, and a C compiler")
    (tmp_path / "doubling.pyx").write_text(CYTHON)
    program = """
import numpy as np, numd, pyximport
pyximport.install(build_dir="build", language_level=3, inplace=False)
import doubling
a = numd.asarray(np.arange(6.0).reshape(2, 3))
doubling.double_it(a[:, ::2])
print(a.tolist())
"""
    answer = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert answer.stdout == "[[0.0, 1.0, 4.0], [6.0, 4.0, 10.0]]\n", answer.stderr


# ---- Compilers and tensors


def test_numba_loops_over_a_view(table):
    numba = pytest.importorskip("numba", minversion="0.56", reason="needs numba, 0.56 or newer")

    @numba.njit
    def clip(values, most):
        for i in range(values.shape[0]):
            for j in range(values.shape[1]):
                values[i, j] = min(values[i, j], most)

    clip(np.asarray(table), 50.0)
    with daemon_computes():
        assert table.max() == 50.0


def test_tensors_share_memory(table):
    torch = pytest.importorskip("torch", minversion="2.0", reason="needs PyTorch, 2.0 or newer")
    tensor = torch.from_dlpack(table)
    tensor[0, 0] = -1.5
    assert table[0, 0] == -1.5 and tensor.shape == table.shape
    back = numd.from_dlpack(tensor)
    assert isinstance(back, numd.Array) and np.array_equal(back, table)
