# SPDX-License-Identifier: BSD-3-Clause
"""Operations as they are called: overlap, operators, large and exact results, errors, wrong calls, documentation."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd

OPS = {op.name: op for op in numd.ops()}


@given(st.integers(0, 40), st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([1, -1]))
def test_overlapping_operands_are_as_if_copied(n, shift_a, shift_b, direction):
    array = np.arange(60.0)
    ours = numd.asarray(array)
    keys = [slice(10 + s, 10 + s + n) for s in (shift_a, shift_b, 0)]
    wanted = array[keys[0]][::direction] + array[keys[1]]
    numd.add(ours[keys[0]][::direction], ours[keys[1]], out=ours[keys[2]])
    array[keys[2]] = wanted
    np.testing.assert_array_equal(np.asarray(ours), array)


def test_overlap_examples():
    for n in [5, 1000, 200_000]:
        ours = numd.asarray(np.arange(float(n)))
        numd.add(ours[1:], ours[:-1], out=ours[1:])
        array = np.arange(float(n))
        array[1:] = array[1:] + array[:-1]
        np.testing.assert_array_equal(np.asarray(ours), array)
        numd.add(ours[::-1], ours, out=ours)
        np.testing.assert_array_equal(np.asarray(ours), array[::-1] + array)
    square = numd.asarray(np.arange(90_000.0).reshape(300, 300))
    wanted = np.asarray(square) + np.asarray(square).T
    square += square.T
    np.testing.assert_array_equal(np.asarray(square), wanted)
    a = numd.asarray(np.arange(16.0).reshape(4, 4))
    wanted = np.asarray(a) @ np.asarray(a)
    numd.matmul(a, a, out=a)
    np.testing.assert_array_equal(np.asarray(a), wanted)


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 1000, 100_003])
def test_integers_wrap_around(n):
    rng = np.random.default_rng(n)
    for dtype in ["int32", "int64"]:
        info = np.iinfo(dtype)
        a, b = (rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True) for _ in range(2))
        for name in ["add", "subtract", "multiply", "maximum", "less"]:
            got = getattr(numd, name)(numd.asarray(a), numd.asarray(b))
            np.testing.assert_array_equal(np.asarray(got), getattr(np, name)(a, b))
        assert numd.sum(numd.asarray(a)) == int(np.sum(a, dtype="int64"))


def test_operators():
    a, b = numd.asarray([1.0, 4.0, 9.0]), numd.asarray([2.0, 2.0, 10.0])
    x, y = np.asarray(a), np.asarray(b)
    pairs = [
        (a + b, x + y), (a - b, x - y), (a * b, x * y), (a / b, x / y), (a**b, x**y), (2 - a, 2 - x),
        (3 / a, 3 / x), (2**a, 2**x), (-a, -x), (+a, +x), (abs(-a), x), (a < b, x < y), (a <= 4, x <= 4),
        (a > b, x > y), (4 >= a, 4 >= x), (a == b, x == y), (a != b, x != y),
        (a // b, x // y), (a % b, x % y), (7 // a, 7 // x), (7 % a, 7 % x), (divmod(a, b)[1], divmod(x, y)[1]),
    ]  # fmt: skip
    for got, wanted in pairs:
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(np.asarray(got), wanted)
    c = a.copy()
    same = c
    c += b
    c -= 1
    c *= 2
    c /= b
    c **= 2
    assert same is c and c.tolist() == (((x + y - 1) * 2 / y) ** 2).tolist()
    c //= 3
    c %= 4
    assert same is c and c.tolist() == (((x + y - 1) * 2 / y) ** 2 // 3 % 4).tolist()
    with pytest.raises(TypeError):
        c @= None
    integers = numd.asarray([1, 2])
    with pytest.raises(TypeError):
        integers /= 2


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "bool"])
def test_operators_of_bits(dtype):
    x, y = np.array([1, 0, 1, 1]).astype(dtype), np.array([1, 1, 0, 1]).astype(dtype)
    a, b = numd.asarray(x), numd.asarray(y)
    pairs = [(a & b, x & y), (a | b, x | y), (a ^ b, x ^ y), (~a, ~x)]
    if dtype != "bool":
        pairs += [(a << b, x << y), (a >> b, x >> y), (a << 3, x << x.dtype.type(3)), (a & 1, x & x.dtype.type(1))]
    for got, wanted in pairs:
        assert got.dtype == wanted.dtype and got.tolist() == wanted.tolist()
    c = a.copy()
    c &= b
    c |= a
    c ^= b
    assert c.tolist() == (((x & y) | x) ^ y).tolist()
    if dtype != "bool":
        c <<= 2
        c >>= 1
        assert c.tolist() == ((((x & y) | x) ^ y) << x.dtype.type(2) >> x.dtype.type(1)).tolist()
    for wrong in [lambda: a & 1.5, lambda: numd.ones(2) | 1, lambda: ~numd.ones(2)]:
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize("name", ["sum", "prod"])
def test_reduction_dtype_and_out(name):
    array = np.arange(1, 7, dtype="int32").reshape(2, 3)
    ours = numd.asarray(array)
    for dtype in ["int64", "float64", "float32", "int32"]:
        got = getattr(numd, name)(ours, axis=0, dtype=dtype)
        assert got.dtype == np.dtype(dtype)
        assert got.tolist() == getattr(array, name)(axis=0, dtype=dtype).tolist()
    out = numd.zeros(3)
    assert getattr(numd, name)(ours, 0, out=out) is out
    assert out.tolist() == getattr(array, name)(axis=0).tolist()
    total = numd.zeros(())
    assert getattr(numd, name)(ours, out=total) is total
    assert total.item() == getattr(array, name)()


@pytest.mark.parametrize("n", [10, 1000, 1_000_003])
def test_sums_are_accurate(n):
    array = np.random.default_rng(3).uniform(-1, 1, n)
    exact = math.fsum(array)
    allowed_error = max(abs(float(np.sum(array)) - exact), np.finfo(float).eps * np.abs(array).sum() * 0.1)
    assert abs(numd.asarray(array).sum() - exact) <= allowed_error
    single = array.astype("float32")
    exact = math.fsum(single)
    assert abs(numd.sum(numd.asarray(single)) - exact) <= abs(np.spacing(np.float32(exact)))


def test_large_matmul():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(300, 400)), rng.normal(size=(400, 257))
    got = np.asarray(numd.asarray(a) @ numd.asarray(b))
    np.testing.assert_allclose(got, a @ b, rtol=0, atol=1e-11)
    got = np.asarray(numd.asarray(a.T.copy()).T @ numd.asarray(b))
    np.testing.assert_allclose(got, a @ b, rtol=0, atol=1e-11)


# ---- Errors


def test_errors():
    a, b = numd.zeros((2, 3)), numd.zeros((4,))
    for call, error, status in [
        (lambda: numd.add(a, b), ValueError, "ESHAPE"),
        (lambda: numd.add(a, a, out=b), ValueError, "ESHAPE"),
        (lambda: a @ a, ValueError, "ESHAPE"),
        (lambda: numd.max(numd.zeros(0)), ValueError, None),
        (lambda: numd.negative(numd.zeros(2, "bool")), TypeError, "EDTYPE"),
        (lambda: numd.add(a, a, out=numd.zeros((2, 3), "int64")), TypeError, "ECAST"),
        (lambda: numd.pow(numd.asarray([2]), numd.asarray([-1])), ValueError, "EDOMAIN"),
        (lambda: numd.add(numd.zeros(2, "int32"), 2**40), OverflowError, "ERANGE"),
    ]:
        with pytest.raises(error) as info:
            call()
        assert isinstance(info.value, numd.Error) and str(info.value)
        assert status is None or info.value.status == status
    assert (a + 1).tolist() == np.ones((2, 3)).tolist()


def test_wrong_calls():
    a = numd.zeros(3)
    for call in [
        lambda: numd.add(a),
        lambda: numd.add(a, a, a, a),
        lambda: numd.add(a, a, axis=0),
        lambda: numd.add(a, a, a, out=a),
        lambda: numd.add(a, a, out=np.zeros(3)),
        lambda: numd.max(a, dtype=float),
        lambda: numd.astype(a),
        lambda: numd.sum(a, axis="x"),
    ]:
        with pytest.raises(TypeError):
            call()
    for axis in [1, -2, (0, 0), (0, -1)]:
        with pytest.raises(ValueError):
            numd.sum(a, axis=axis)
    with pytest.raises(OverflowError):
        numd.add(a, 2**70)


def test_every_row_has_a_documented_function():
    assert numd.ops()
    for op in numd.ops():
        if op.name == "slice":
            continue
        function = getattr(numd, op.name)
        assert op.documentation.lower() in function.__doc__.lower(), op.name
        assert inspect.signature(function) and op.name in numd.__all__
        assert OPS[op.name].number == op.number
        raw = getattr(numd._numd.rows, op.name)
        assert op.documentation.lower() in raw.__doc__.lower() and "Parameters\n----------" in raw.__doc__
        assert set(op.parameters) <= set(inspect.signature(raw).parameters)


def test_operands_without_an_array():
    assert numd.add(1, 2).item() == 3 and numd.add(1, 2).dtype == np.int64
    assert numd.sqrt(4).item() == 2.0
    assert numd.sum([1.5, 2.5]) == 4.0
    assert numd.add(np.arange(3), [1, 1, 1]).tolist() == [1, 2, 3]
    assert numd.maximum(np.float32(3), numd.asarray([1.0, 5.0])).tolist() == [3.0, 5.0]
    assert (numd.asarray([1.0], "float32") + np.float64(1)).dtype == np.float64
    assert (numd.asarray([1.0], "float32") + 1.0).dtype == np.float32
