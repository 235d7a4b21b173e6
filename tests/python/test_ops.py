"""All operations of the list, with NumPy as the oracle.

The rules of NumPy 2 are spelled out here, since NumPy 1 casts by value: a Python scalar only decides
the kind. What is correctly rounded must be equal to NumPy's; other functions of reals are compared with
the next wider type, within the error that the row states.
"""

import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import numd
from layouts import DTYPES, broadcastable, close, laid_out, lay_out, shapes, values

OPS = {op.name: op for op in numd.ops()}
MAPS = [op for op in numd.ops() if op.kind == "MAP" and op.typing != "ASTYPE"]
REDUCTIONS = [op for op in numd.ops() if op.kind == "REDUCE"]
KINDS = "bif"  # in the order in which they promote


def named(ops):
    return {"argvalues": ops, "ids": [op.name for op in ops]}


def promoted(operands):
    """The dtype that the operands promote to; Python scalars are weak."""
    arrays = [x.dtype for x in operands if isinstance(x, (np.ndarray, np.generic))]
    dtype = np.result_type(*arrays)
    for x in operands:
        if isinstance(x, np.generic) or not isinstance(x, (bool, int, float)):
            continue
        own = np.asarray(x).dtype
        if KINDS.index(own.kind) > KINDS.index(dtype.kind):
            dtype = own
    return dtype


def computed_in(op, operands):
    if op.typing == "SELECT":
        return promoted(operands[1:])
    dtype = promoted(operands)
    if op.typing in ("FLOAT", "MEAN") and dtype.kind != "f":
        return np.dtype("float64")
    return dtype


def oracle_function(op):
    return np.array if op.name == "copy" else getattr(np, op.name)


def allowed(op, dtype):
    """Whether NumPy 2 has it: arithmetic with sign is refused for bool."""
    return not (op.typing == "NUMBER" and dtype == bool)


def check_map(op, operands, got):
    dtype = computed_in(op, operands)
    inputs = [np.asarray(x) if op.typing == "SELECT" and i == 0 else np.asarray(x).astype(dtype)
              for i, x in enumerate(operands)]
    with np.errstate(all="ignore"):
        wanted = oracle_function(op)(*inputs)
        if dtype.kind != "f" or op.typing == "COMPARE" or op.ulp <= 0.5:
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(got, wanted)
            return
        assert got.dtype == dtype
        wide = np.longdouble if dtype == np.float64 else np.float64
        exact = oracle_function(op)(*[x.astype(wide) for x in inputs])
        bound = np.abs(np.spacing(exact.astype(dtype))).astype(wide) * (op.ulp + 0.01)
        assert close(got, narrowed(exact, dtype), bound)


def narrowed(exact, dtype):
    """Unrounded, but infinite where the dtype is."""
    with np.errstate(over="ignore"):
        return np.where(np.isfinite(exact.astype(dtype)), exact, exact.astype(dtype))


def random_operand(rng, op, i, shape, dtype):
    if op.typing == "SELECT" and i == 0:
        return values(rng, shape, "bool")
    if op.name == "power":
        return values(rng, shape, dtype, low=0 if i else -9, high=6)
    return values(rng, shape, dtype)


# ---- Elementwise


@pytest.mark.parametrize("op", **named(MAPS))
@given(data=st.data())
def test_map(op, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtypes = [data.draw(st.sampled_from(DTYPES)) for _ in range(op.n_inputs)]
    shapes_ = data.draw(broadcastable(op.n_inputs))
    operands = [random_operand(rng, op, i, shapes_[i], dtypes[i]) for i in range(op.n_inputs)]
    ours = [data.draw(laid_out(x)) for x in operands]
    if not allowed(op, computed_in(op, operands)):
        with pytest.raises(TypeError):
            getattr(numd, op.name)(*ours)
        return
    got = getattr(numd, op.name)(*ours)
    assert isinstance(got, numd.Array)
    assert got.shape == np.broadcast_shapes(*shapes_)
    check_map(op, operands, np.asarray(got))


@pytest.mark.parametrize("op", **named([op for op in MAPS if op.n_inputs == 2]))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scalar", [True, 3, 2.5])
@pytest.mark.parametrize("swap", [False, True])
def test_python_scalars_are_weak(op, dtype, scalar, swap):
    array = values(np.random.default_rng(1), (37,), dtype, special=False, low=0, high=6)
    operands = [scalar, array] if swap else [array, scalar]
    if not allowed(op, computed_in(op, operands)):
        with pytest.raises(TypeError):
            getattr(numd, op.name)(*[numd.asarray(x) if x is array else x for x in operands])
        return
    got = getattr(numd, op.name)(*[numd.asarray(x) if x is array else x for x in operands])
    check_map(op, operands, np.asarray(got))


@pytest.mark.parametrize("op", **named(MAPS))
@given(data=st.data())
def test_out_is_cast_by_same_kind(op, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(shapes(3))
    operands = [random_operand(rng, op, i, shape, dtype) for i in range(op.n_inputs)]
    assume(allowed(op, computed_in(op, operands)))
    ours = [numd.asarray(x) for x in operands]
    plain = np.asarray(getattr(numd, op.name)(*ours))
    out = data.draw(laid_out(np.zeros(shape, data.draw(st.sampled_from(DTYPES)))))
    if not np.can_cast(plain.dtype, out.dtype, "same_kind"):
        with pytest.raises(TypeError) as info:
            getattr(numd, op.name)(*ours, out=out)
        assert info.value.status == "ECAST"
        return
    assert getattr(numd, op.name)(*ours, out=out) is out
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.asarray(out), plain.astype(out.dtype))


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", DTYPES)
def test_astype(source, target):
    array = values(np.random.default_rng(2), (5, 37), source, special=False)
    for ours in [numd.asarray(array), lay_out(array, [2, -1], True)]:
        got = numd.astype(ours, target)
        assert got.dtype == np.dtype(target)
        np.testing.assert_array_equal(np.asarray(got), array.astype(target))


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
    with pytest.raises(TypeError):
        c @= None
    integers = numd.asarray([1, 2])
    with pytest.raises(TypeError):
        integers /= 2


# ---- Reductions


def exact_reduction(op, array, axis, keepdims):
    wide = array.astype(np.longdouble) if array.dtype.kind == "f" and op.typing in ("SUM", "MEAN") else array
    if op.typing == "SUM" and array.dtype.kind != "f":
        wide = array.astype("int64")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of nothing
        return getattr(np, op.name)(wide, axis=axis, keepdims=keepdims)


def reduction_bound(op, array, axis, keepdims, wanted):
    """Rounding errors in proportion to the sum of magnitudes, or to the product."""
    eps = np.finfo(array.dtype).eps if array.dtype.kind == "f" else np.finfo(float).eps
    if op.name == "prod":
        return np.abs(wanted) * eps * (array.size + 2) + np.finfo(result_dtype(op, array)).smallest_subnormal
    finite = np.where(np.isfinite(array), np.abs(array.astype(float)), 0)
    scale = np.sum(finite, axis=axis, keepdims=keepdims)
    return scale * eps * 4 / (np.maximum(array.size, 1) / np.maximum(scale.size, 1) if op.name == "mean" else 1)


def result_dtype(op, array):
    if op.typing == "LOGICAL":
        return np.dtype(bool)
    if op.typing == "SUM" and array.dtype.kind != "f":
        return np.dtype("int64")
    return computed_in(op, [array])


@pytest.mark.parametrize("op", **named(REDUCTIONS))
@given(data=st.data())
def test_reduce(op, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(st.one_of(shapes(4), st.sampled_from([(1000,), (3, 700), (700, 3), (33, 17, 5)])))
    small = {"low": -2, "high": 3} if op.name == "prod" else {}
    array = values(rng, shape, dtype, special=op.name != "prod", **small)
    ours = data.draw(laid_out(array))
    axes = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape)).map(tuple)
    axis = data.draw(st.one_of(st.none(), axes))
    if axis and len(axis) == 1 and data.draw(st.booleans()):
        axis = axis[0] - data.draw(st.sampled_from([0, len(shape)]))
    keepdims = data.draw(st.booleans())
    try:
        wanted = exact_reduction(op, array, axis, keepdims)
    except ValueError:  # the largest of nothing
        with pytest.raises(ValueError):
            getattr(numd, op.name)(ours, axis=axis, keepdims=keepdims)
        return
    got = getattr(ours, op.name)(axis=axis, keepdims=keepdims)
    assert isinstance(got, numd.Array) == (np.ndim(wanted) > 0)
    if isinstance(got, numd.Array):
        assert got.dtype == result_dtype(op, array)
    else:
        assert type(got) is type(np.zeros((), result_dtype(op, array)).item())
    got = np.asarray(got)
    assert got.shape == wanted.shape
    if op.typing in ("SUM", "MEAN") and result_dtype(op, array).kind == "f":
        bound = reduction_bound(op, array, axis, keepdims, wanted)
        assert close(got, narrowed(wanted, got.dtype), bound)
    else:
        np.testing.assert_array_equal(got, wanted)


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


# ---- Products


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_matmul(dtype, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, m, k = (data.draw(st.sampled_from([1, 2, 3, 5, 8, 17, 65])) for _ in range(3))
    batch_a, batch_b = data.draw(st.sampled_from([((), ()), ((2,), (2,)), ((3, 1), (2,)), ((), (4,))]))
    a = values(rng, batch_a + (n, k), dtype, special=False)
    b = values(rng, batch_b + (k, m), dtype, special=False)
    check_product(np.matmul, numd.matmul, a, b, data)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shapes_", [((5,), (5,)), ((5,), (5, 3)), ((4, 5), (5,)), ((2, 4, 5), (5,)), ((5,), (2, 5, 3))]
)
@pytest.mark.parametrize("name", ["matmul", "dot"])
def test_products_with_vectors(dtype, shapes_, name):
    rng = np.random.default_rng(4)
    a, b = (values(rng, shape, dtype, special=False) for shape in shapes_)
    check_product(getattr(np, name), getattr(numd, name), a, b)


@given(data=st.data())
def test_dot(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a = values(rng, data.draw(st.sampled_from([(3, 4), (2, 3, 4), (1, 4)])), "float64", special=False)
    b = values(rng, data.draw(st.sampled_from([(4, 5), (2, 4, 3), (4, 1)])), "float64", special=False)
    check_product(np.dot, numd.dot, a, b, data)


def check_product(function, ours, a, b, data=None):
    x, y = (data.draw(laid_out(v)) if data else numd.asarray(v) for v in (a, b))
    got, wanted = ours(x, y), function(a, b)
    assert isinstance(got, numd.Array) == (np.ndim(wanted) > 0)
    got = np.asarray(got)
    assert got.shape == wanted.shape
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted)
        return
    exact = function(a.astype(np.longdouble), b.astype(np.longdouble))
    scale = function(np.abs(a).astype(float), np.abs(b).astype(float))
    assert close(got, exact, scale * np.finfo(a.dtype).eps * max(a.shape[-1], 4))


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
        (lambda: numd.power(numd.asarray([2]), numd.asarray([-1])), ValueError, "EDOMAIN"),
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
        function = getattr(numd, op.name)
        assert op.documentation in function.__doc__ and "Parameters\n----------" in function.__doc__
        assert function.__text_signature__ and op.name in numd.__all__
        assert OPS[op.name].number == op.number


def test_operands_without_an_array():
    assert numd.add(1, 2).item() == 3 and numd.add(1, 2).dtype == np.int64
    assert numd.sqrt(4).item() == 2.0
    assert numd.sum([1.5, 2.5]) == 4.0
    assert numd.add(np.arange(3), [1, 1, 1]).tolist() == [1, 2, 3]
    assert numd.maximum(np.float32(3), numd.asarray([1.0, 5.0])).tolist() == [3.0, 5.0]
    assert (numd.asarray([1.0], "float32") + np.float64(1)).dtype == np.float64
    assert (numd.asarray([1.0], "float32") + 1.0).dtype == np.float32
