# SPDX-License-Identifier: BSD-3-Clause
"""Promotion: decided in one place, the same for every client; as the array API standard and NumPy 2 have it."""

import numpy as np
import pytest

import numd
from layouts import DTYPES

SCALARS = {"bool": True, "int": 1, "float": 1.5, "complex": 1j}
# What NEP 50 says of a Python scalar of each kind beside an array; NumPy 1 would look at the value.
INTEGER = {"float": "float64", "complex": "complex128"}  # else the array's
WEAK = {
    "bool": {"bool": "bool", "int": "int64", "float": "float64", "complex": "complex128"},
    **{name: INTEGER for name in DTYPES if "int" in name},
    "float32": {"complex": "complex64"},
    "float64": {"complex": "complex128"},
    "complex64": {},
    "complex128": {},
}


def numpy_says(a, b):
    """NumPy's rule, but that there is no float16."""
    dtype = np.promote_types(a, b)
    return np.dtype("float32") if dtype == np.float16 else dtype


def test_pairs_of_dtypes():
    for a in DTYPES:
        x = numd.ones((2, 2), a)
        for b in DTYPES:
            y, wanted = numd.ones((2, 2), b), numpy_says(a, b)
            assert numd.result_type(a, b) == numd.result_type(x, y) == wanted
            for result in [x + y, numd.where(True, x, y), numd.concat([x, y]), x @ y, numd.outer(x, y)]:
                assert result.dtype == wanted, (a, b)


@pytest.mark.parametrize("kind", SCALARS)
def test_scalars_are_weak(kind):
    scalar = SCALARS[kind]
    for dtype in DTYPES:
        x, wanted = numd.ones(2, dtype), WEAK[dtype].get(kind, dtype)
        assert numd.result_type(x, scalar) == numd.result_type(scalar, dtype) == wanted
        assert (x + scalar).dtype == (scalar * x).dtype == wanted, dtype


def test_several_operands():
    assert numd.result_type("int8", "uint8", 3) == np.int16
    assert numd.result_type(True, 2, 1.5) == np.float64
    assert numd.result_type(np.float32, 1, 2j) == np.complex64
    with pytest.raises(ValueError):
        numd.result_type()
    with pytest.raises(TypeError):
        numd.result_type("float16")


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.startswith(("int", "uint"))])
def test_integers_must_fit_their_dtype(dtype):
    info = np.iinfo(dtype)
    x = numd.zeros(3, dtype)
    for value in [info.min, info.max]:
        assert (x + value).tolist() == [value] * 3
        x[...] = value
        assert x.tolist() == [value] * 3
        x[...] = 0
    for value in [info.min - 1, info.max + 1]:
        with pytest.raises(OverflowError):
            x + value
        with pytest.raises(OverflowError):
            x[0] = value


def test_complex_scalars():
    x = numd.asarray([1.0, 2.0])
    assert (x * 2j).tolist() == [2j, 4j]
    assert (1j + x.astype("float32")).dtype == np.complex64
    futures = [numd.function(lambda a, s: a * s).submit(x, complex(i, 1)) for i in range(50)]
    assert [f.result().tolist()[0] for f in futures] == [complex(i, 1) for i in range(50)]
    captured = numd.function(lambda a: a * 1j + (2 + 0j))
    assert captured(x).tolist() == captured(x).tolist() == [2 + 1j, 2 + 2j]
    assert numd.asarray([1 + 2j, 3j]).sum() == 1 + 5j
    with pytest.raises(TypeError):
        x += 1j
