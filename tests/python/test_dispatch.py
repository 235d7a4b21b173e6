# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's ufuncs, functions and methods on Arrays: the values are NumPy's, and the daemon computes them."""

import math
import operator
import os
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from examples import examples
from layouts import DTYPES, broadcastable, dtypes_of, laid_out, like_numpy, values
from numd._numpy import dispatch, fallback, ufuncs
from numd._numpy.names import NUMPY_NAMES

NUMPY_2 = not np.__version__.startswith("1.")


@pytest.fixture
def refused():
    """Nothing may be left to NumPy."""
    with numd.config(fallback="error"):
        yield


def in_daemon(call, *args, **kwargs):
    """What the call gives; asserts that the daemon was called and NumPy was not."""
    before = numd.stats()
    with numd.config(fallback="error"):
        got = call(*args, **kwargs)
    after = numd.stats()
    assert after["fallbacks"] == before["fallbacks"]
    assert after["calls"] > before["calls"]
    return got


def agree(got, wanted, rtol=1e-6):
    assert like_numpy(got, wanted) and got.shape == np.shape(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=rtol, atol=rtol)


# ---- Ufuncs

DIFFERENT = ["floor", "ceil", "trunc"]  # of integers: floats before NumPy 2.1
OTHERWISE = [("conj", "b"), *([] if NUMPY_2 else [("sign", "c")])]  # int8; another definition before NumPy 2


def operands_of(ufunc, op, dtype, rng, shape=(3, 5)):
    low, high = (0, 1) if op.name in ("asin", "acos", "atanh") else (1, 6)
    return [values(rng, shape, dtype, special=False, low=low, high=high) for _ in range(ufunc.nin)]


@pytest.mark.parametrize("ufunc", list(ufuncs.NAMES), ids=lambda ufunc: ufunc.__name__)
def test_every_ufunc_that_is_a_row(ufunc):
    rng = np.random.default_rng(1)
    op = {op.name: op for op in numd.ops()}[ufuncs.NAMES[ufunc]]
    for dtype in dtypes_of(op.dtypes):
        x = operands_of(ufunc, op, dtype, rng, (4, 4) if op.kind == "PRODUCT" else (3, 5))
        with np.errstate(all="ignore"):
            try:
                wanted = ufunc(*x)
            except (TypeError, ValueError):
                continue
        if (op.name, np.dtype(dtype).kind) in OTHERWISE:
            continue
        ours = [numd.asarray(one) for one in x]
        got = in_daemon(ufunc, *ours)
        agree(got, wanted, 1e-2 if wanted.dtype == np.float16 else 1e-4)
        if wanted.dtype != np.float16 and not (op.name in DIFFERENT and x[0].dtype.kind in "biu"):
            assert got.dtype == wanted.dtype
        out = numd.empty(got.shape, got.dtype)
        assert in_daemon(ufunc, *ours, out=out) is out
        plain = np.empty(got.shape, got.dtype)
        assert in_daemon(ufunc, *ours, out=(plain,)) is plain
        for stored in (np.asarray(out), plain):
            np.testing.assert_array_equal(stored, np.asarray(got))


def test_every_row_with_a_ufunc_is_there():
    for name in [op.name for op in numd.ops() if op.kind == "MAP"] + list(NUMPY_NAMES):
        ufunc = getattr(np, name, None)
        if isinstance(ufunc, np.ufunc):
            assert ufunc in ufuncs.NAMES or ufunc in ufuncs.COMPOSED, name


@pytest.mark.parametrize("ufunc", list(ufuncs.COMPOSED), ids=lambda ufunc: ufunc.__name__)
def test_ufuncs_of_several_rows(ufunc):
    for dtype in ["float32", "float64"]:
        x = [np.linspace(1, 5, 7).astype(dtype) for _ in range(ufunc.nin)]
        got, wanted = in_daemon(ufunc, *map(numd.asarray, x)), ufunc(*x)
        for mine, theirs in zip(got, wanted) if ufunc.nout > 1 else [(got, wanted)]:
            agree(mine, theirs, 1e-5)
            assert mine.dtype == theirs.dtype


FALLING_BACK = [
    (np.gcd, ("int64", "int64")), (np.modf, ("float64",)), (np.cbrt, ("float64",)), (np.rint, ("int32",)),
    (np.fabs, ("int8",)), (np.reciprocal, ("int64",)), (np.maximum, ("complex64", "complex64")), (np.frexp, ("float32",)),
]  # fmt: skip


@pytest.mark.parametrize("ufunc, dtypes", FALLING_BACK, ids=lambda x: getattr(x, "__name__", ""))
def test_what_the_daemon_has_not_is_computed_by_numpy_and_counted(ufunc, dtypes):
    x = [np.array([1, 2, 6]).astype(dtype) for dtype in dtypes]
    before = numd.stats()["fallbacks"].get(ufunc.__name__, 0)
    got, wanted = ufunc(*map(numd.asarray, x)), ufunc(*x)
    assert numd.stats()["fallbacks"][ufunc.__name__] == before + 1
    for mine, theirs in zip(got, wanted) if ufunc.nout > 1 else [(got, wanted)]:
        if theirs.dtype.name in fallback.DTYPES:
            agree(mine, theirs)
            assert mine.dtype == theirs.dtype
        else:
            assert type(mine) is np.ndarray and mine.tolist() == theirs.tolist()


def test_where_out_and_dtype(refused):
    x, y = np.arange(6.0).reshape(2, 3), np.arange(3.0)
    a, b = numd.asarray(x), numd.asarray(y)
    mask = x > 2
    out, plain = numd.full((2, 3), -1.0), np.full((2, 3), -1.0)
    assert np.add(a, b, out=out, where=mask) is out
    assert out.tolist() == np.add(x, y, out=plain, where=mask).tolist()
    assert np.add(a, b, where=numd.asarray(mask))[1].tolist() == np.add(x, y)[1].tolist()
    target = np.zeros((2, 3))
    assert np.multiply(a, b, target, where=mask) is target and target.tolist() == np.where(mask, x * y, 0).tolist()
    assert np.add(a, b, dtype="float32").dtype == np.float32
    assert np.add(numd.asarray([1, 2]), 1, dtype=float).tolist() == [2.0, 3.0]
    assert np.add(a, b, a) is a and a.tolist() == (x + y).tolist()
    x += numd.asarray(y)
    assert type(x) is np.ndarray and x.tolist() == a.tolist()
    quotient, rest = np.divmod(numd.asarray([7, -7]), 3)
    assert quotient.tolist() == [2, -3] and rest.tolist() == [1, 2]
    with pytest.raises(TypeError):
        np.add(a, b, out=numd.zeros((2, 3), int))
    with pytest.raises(ValueError):
        np.add(a, b, out=numd.zeros(7))


@pytest.mark.parametrize("ufunc", list(ufuncs.REDUCTIONS), ids=lambda ufunc: ufunc.__name__)
def test_reduce(ufunc):
    for dtype in ["bool", "int8", "uint16", "float32", "float64"]:
        x = np.array([[1, 0, 3], [2, 2, 1]]).astype(dtype)
        a, mask = numd.asarray(x), np.array([[True, False, True], [True, True, False]])
        one = {} if ufunc in (np.logical_and, np.logical_or) else {"initial": 1}
        for options in [{}, {"axis": 1}, {"axis": None}, {"axis": (0, 1)}, {"axis": -1, "keepdims": True}, one, {**one, "where": mask}]:
            got, wanted = in_daemon(ufunc.reduce, a, **options), ufunc.reduce(x, **options)
            agree(got, wanted)
            assert got.dtype == wanted.dtype, (dtype, options)
        out = numd.zeros(3, ufunc.reduce(x).dtype)
        assert in_daemon(ufunc.reduce, a, out=out) is out and out.tolist() == ufunc.reduce(x).tolist()


def test_other_methods_of_ufuncs():
    x, y = np.arange(1.0, 7).reshape(2, 3), np.arange(4.0)
    a, b = numd.asarray(x), numd.asarray(y)
    agree(in_daemon(np.add.accumulate, a), np.add.accumulate(x))
    agree(in_daemon(np.multiply.accumulate, a, axis=1), np.multiply.accumulate(x, axis=1))
    agree(in_daemon(np.subtract.outer, a, b), np.subtract.outer(x, y))
    agree(in_daemon(np.less.outer, a, [1, 2]), np.less.outer(x, [1, 2]))
    agree(np.add.reduceat(a, [0, 1], axis=1), np.add.reduceat(x, [0, 1], axis=1))
    np.add.at(b, [0, 0, 2], 5)
    np.add.at(y, [0, 0, 2], 5)
    assert b.tolist() == y.tolist()
    assert {"add.reduceat", "add.at"} <= set(numd.stats()["fallbacks"])


def test_operands_of_others_are_left_to_them():
    class Theirs:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "theirs"

        def __radd__(self, other):
            return "theirs"

    class Never:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "never"

    a = numd.ones(2)
    assert np.add(a, Theirs()) == "theirs" and a + Theirs() == "theirs"
    assert a + Never() == "never"
    with pytest.raises(TypeError):
        np.add(a, "text")
    with pytest.raises(TypeError):
        a + None
    assert type(np.ones(2) + a) is type(a + np.ones(2)) is type(np.float32(2) * a) is type([1, 2] + a) is numd.Array


def test_dtypes_that_numd_has_not():
    half = np.arange(3).astype("float16")
    a = numd.ones(3)
    assert (a + half).tolist() == np.add(a, half).tolist() == [1, 2, 3]
    assert type(np.sin(half) + a) is numd.Array
    objects = np.array([1, "x", None], object)
    assert np.equal(a, objects).tolist() == [True, False, False]


# ---- Expressions


@examples(60)
@given(st.data())
def test_expressions(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shapes = data.draw(broadcastable(3))
    dtype = data.draw(st.sampled_from(["float64", "int32"]))
    plain = [values(rng, shape, dtype, special=False, low=1, high=9) for shape in shapes]
    ours = [data.draw(laid_out(x)) for x in plain]
    with numd.config(fallback="error"):
        for _ in range(data.draw(st.integers(1, 5))):
            name = data.draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "hypot", "negative", "sqrt", "sum", "where"]))
            i, j = data.draw(st.integers(0, len(plain) - 1)), data.draw(st.integers(0, len(plain) - 1))
            scalar = data.draw(st.sampled_from([None, None, 2, 1.5]))
            for side in (plain, ours):
                x, y = side[i], side[j] if scalar is None else scalar
                with np.errstate(all="ignore"):
                    side.append(
                        np.sum(x, axis=-1, keepdims=True) if name == "sum" and x.ndim
                        else np.where(x > y, x, y) if name == "where"
                        else np.sqrt(np.abs(x)) if name == "sqrt" or name == "sum"
                        else -x if name == "negative"
                        else getattr(np, name)(x, y)
                    )  # fmt: skip
    scale = max(np.max(np.abs(x), initial=1) for x in plain)
    for mine, theirs in zip(ours, plain):
        assert (like_numpy(mine, theirs) or np.ndim(theirs) == 0) and mine.shape == np.shape(theirs)
        np.testing.assert_allclose(np.asarray(mine), theirs, rtol=1e-9, atol=1e-9 * float(scale))


# ---- Functions

X = np.array([[3.0, 1.5, 2.0, -1.0], [0.5, 5.0, 1.5, 4.0], [2.5, 2.0, -3.0, 7.0]])
V = np.array([2.0, 0.5, 4.0, 1.0])
N = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.nan]])
I = np.array([[3, 1, 2], [0, 5, 1]])
S = X[:, :3] @ X[:, :3].T + 4 * np.eye(3)
Z = X[0] + 1j * X[1]

CALLS = {
    "sum": [(X,), (X, 0), (X, None, "float32"), (I, (0, 1)), dict(a=X, axis=1, keepdims=True), dict(a=X, where=X > 0), dict(a=X, initial=5)],
    "prod": [(X,), (X, 1)], "max": [(X,), (X, 0), dict(a=X, initial=100)], "min": [(X,), (X, (0, 1))],
    "amax": [(X, 1)], "amin": [(X,)], "mean": [(X,), (X, 0), (I, 1, "float32"), dict(a=X, where=X > 0)],
    "std": [(X,), dict(a=X, ddof=1), dict(a=X, axis=0, ddof=1, keepdims=True)], "var": [(X, 1), dict(a=X, ddof=1)],
    "any": [(X > 4, 0), (X,)], "all": [(X > -4,), (X > 0, 1)], "ptp": [(X, 0), (X,)], "average": [(X,), (X, 1, V), dict(a=X, weights=X + 4)],
    "count_nonzero": [(I,), (I, 0)], "argmax": [(X,), (X, 1)], "argmin": [(X, 0)], "cumsum": [(X,), (X, 1), (I, 0, float)],
    "cumprod": [(X, 0)], "median": [(X,), (X, 0), (X, 1), (X[None], (0, 2)), dict(a=X[None], axis=(0, 1), keepdims=True), (N, 1), (I,), dict(a=X, axis=1, keepdims=True)],
    "percentile": [(X, 30), (X, [0, 25, 100], 1), (I, 50, 0)], "quantile": [(X, 0.3), (X, [0.1, 0.9], 0), dict(a=X, q=0.5, axis=0, keepdims=True)],
    "nansum": [(N,), (N, 0)], "nanprod": [(N, 1)], "nanmean": [(N,), (N, 0)], "sort": [(X,), (X, 0), (X, None)],
    "argsort": [(X,), (X, 0), (V, -1, "stable")], "where": [(X > 1, X, 0), (I, 1.5, I)], "concatenate": [([X, X],), ([X, V[None]], 0), ([X, X], None)],
    "stack": [([V, V], 1), ([V, V],)], "vstack": [([V, X],)], "hstack": [([X, X],), ([V, V],)], "dstack": [([X, X],)],
    "column_stack": [([V, V],)], "split": [(X, 2, 1), (X, [1], 0)], "array_split": [(X, 2), (X, 3, 1)], "hsplit": [(X, 2)], "vsplit": [(X, 3)],
    "squeeze": [(X[None, :, None],), (X[None], 0)], "expand_dims": [(X, 1), (X, (0, 3))], "moveaxis": [(X[None], 0, 2), (X[None], (0, 1), (1, 2))],
    "rollaxis": [(X[None], 2), (X[None], 0, 3)], "swapaxes": [(X, 0, 1)], "broadcast_to": [(V, (3, 4))], "broadcast_arrays": [(X, V)],
    "ravel": [(X,), (X.T,)], "reshape": [(X, (4, 3)), (X, -1)], "transpose": [(X,), (X[None], (1, 0, 2))], "tile": [(V, 2), (V, (2, 2))],
    "repeat": [(X, 2), (X, 2, 1), (V, [1, 0, 2, 1])], "roll": [(X, 1), (X, 1, 0)], "flip": [(X,), (X, 0)], "fliplr": [(X,)], "flipud": [(X,)],
    "rot90": [(X,), (X, 2), (X, 3), (X, -1)], "take": [(X, [1, 2]), (X, [1, 0], 1)], "compress": [([True, False, True], X, 0)],
    "extract": [(X > 1, X)], "take_along_axis": [(X, np.argsort(X, 1), 1)], "searchsorted": [(np.sort(V), X), (np.sort(V), 1.0, "right")],
    "unique": [(I,), (I, True, True, True), (N,), dict(ar=I, return_counts=True)], "nonzero": [(I,)], "flatnonzero": [(I,)], "argwhere": [(I,)],
    "clip": [(X, 0, 2), (X, None, 2), (I, 1, 2)], "diff": [(X,), (X, 2, 0), dict(a=V, prepend=0)], "trace": [(X,), (X, 1)], "diagonal": [(X,), (X, -1), (X[None], 0, 1, 2)],
    "diag": [(V,), (X, 1), (V, -1)], "tril": [(X,), (X, 1)], "triu": [(X, -1)], "dot": [(X, V), (X.T, X), (V, V), (X, 2.0)], "vdot": [(Z, Z), (X, X)],
    "inner": [(X, V), (X, X), (V, V)], "outer": [(V, V)], "tensordot": [(X, X, ([0, 1], [0, 1])), (X, X.T, 1)], "cross": [(X[:, :3], V[:3]), (V[:3], X[0, :3])],
    "einsum": [("ij,jk->ik", X.T, X), ("ij,ij->", X, X), ("ij,k->kij", X, V), ("ij,j->i", X, V), ("ij->j", X), ("ii->i", S), ("ii", S), ("ij,ij->i", X, X), ("ij,jk,k->i", X, X.T, V[:3]),
               ("bij,bjk->bik", X[None], np.stack([X.T, X.T])), ("...j,j->...", X, V), ("ij,ik", X, X), ("ij,kl->", X, S), ("i,i", V, V), ("aij,ibj->ab", X[None], X[:, None])], "meshgrid": [(V, X[0]), dict(indexing="ij", sparse=True)],
    "zeros_like": [(X,), (I, float)], "ones_like": [(X,)], "full_like": [(X, 3)], "array_equal": [(X, X), (X, V)], "ndim": [(X,)], "shape": [(X,)],
    "size": [(X,), (X, 1)], "iscomplexobj": [(X,), (X + 1j,)], "isrealobj": [(X,), (X + 1j,)], "allclose": [(X, X + 1e-12), (X, 2 * X)],
    "isclose": [(X, X * (1 + 1e-9)), (N, N), dict(a=N, b=N, equal_nan=True), (I, I)], "round": [(X,), (X, 1), (X * 100, -2), (I, 2)], "around": [(X,)],
    "isin": [(I, [1, 5]), dict(element=I, test_elements=[1], invert=True)], "real": [(Z,)], "imag": [(Z,)], "angle": [(Z,), (Z, True)],
    "nan_to_num": [(N,), dict(x=N, nan=7.0)], "copy": [(X,)], "append": [(V, X), (X, X, 0)], "atleast_2d": [(V,)], "atleast_1d": [(V,)], "fix": [(X,)],
    "atleast_3d": [(V,), (X,)], "union1d": [(V, I)], "intersect1d": [(I, [1, 5, 7]), (I.astype("uint8"), I)], "setdiff1d": [(I, [1, 5]), (V, [2.0], True)],
    "ix_": [(I[0], np.array([1, 2, 3, 0])), (I[0], I[0] > 1, I[0])], "select": [([X > 2, X < 0], [X, -X], 9.0)], "partition": [(np.sort(V), 2), (np.sort(X, None), (0, 3))], "argpartition": [(np.sort(V), 1)],
    "delete": [(X, 1, 0), (X, [0, 2], 1), (V, slice(1, 3)), (V, I[0] % 2)], "unravel_index": [(I, (3, 2)), (np.array(5), (2, 3))],
    "lexsort": [((I[0], I[1]),), (np.stack([V, V[::-1]]),)], "vander": [(V,), (V, 3, True)], "polyfit": [(V, X[0], 2), (V, X.T, 1)],
    "nanquantile": [(N, 0.3), (N, [0.0, 0.6, 1.0], 1), (I, 0.5), dict(a=N, q=0.25, axis=0, keepdims=True)], "nanpercentile": [(N, 80, 1)],
    "lib.stride_tricks.sliding_window_view": [(V, 2), (X, (2, 2)), (X, 3, 1)], "linspace": [(np.array(0.5), 4.0, 9), (np.array(3), np.array(1), 4, False)],
    "digitize": [(X, [-1.0, 0.0, 3.0]), (X, [3.0, 0.0, -1.0], True)],
    "histogram": [(X,), (I, 3), (X, [-1.0, 2.0, 7.0]), (X, 4, (0, 4), True), (X.astype("float32"), 7)], "histogram_bin_edges": [(X, 4)],
    "interp": [(X, [-1.0, 0.0, 5.0], [3.0, 4.0, 9.0]), (V, [0.5, 2.0, 3.0], [1.0, 2.0, 5.0], -1.0, 8.0), ([0.5, np.nan, 9.0], np.sort(V), V)],
    "polyval": [([1.0, 2.0, 3.0], X), (V, 2.0)], "trapezoid": [(X,), (X, None, 0.5, 0), (V, np.sort(V)), (X, X)], "trapz": [(X,)],
    "pad": [(X, 1), (X, (1, 2), "edge"), (X, ((0, 2), (1, 0)), "reflect"), (V, 9, "wrap"), (V, 3, "symmetric"), dict(array=X, pad_width=1, constant_values=7)],
    "convolve": [(V, [1.0, 2.0, 3.0]), (V, [1.0, 2.0], "same"), (V, X[0], "valid"), (I[0], [1, 2]), ([1.0, 2.0], V)],
    "correlate": [(V, [1.0, 2.0, 3.0]), (V, [1.0, 2.0], "same"), (Z, [1j, 2.0], "full")],
    "gradient": [(V,), (X,), (X, 0.1, 0.2), (X, 2.0), dict(f=X, axis=1), (V, np.array([0.0, 1.0, 4.0, 9.0])), (I,)],
    "cov": [(X,), (X, None, False), (V,), (V, V**2), dict(m=X, bias=True), (np.stack([Z, 1j * Z**2]),)], "corrcoef": [(X,), (V, V**2), (X, X[::-1], False)],
    "nanmax": [(N,), (N, 0), (I,), dict(a=N, axis=1, keepdims=True)], "nanmin": [(N, 1)], "nanargmax": [(N, 1), (I,)], "nanargmin": [(N,)],
    "nanvar": [(N,), (I, 0), dict(a=N, axis=1, ddof=1)], "nanstd": [(N, 1), dict(a=N, keepdims=True)], "nancumsum": [(N, 1), (N,)], "nancumprod": [(N, 0)],
    "nanmedian": [(N,), (N, 1), (I,), dict(a=N, axis=(0, 1), keepdims=True)],
    "linalg.solve": [(S, V[:3]), (S, X)], "linalg.inv": [(S,)], "linalg.det": [(S,)], "linalg.slogdet": [(S,)], "linalg.cholesky": [(S,)],
    "linalg.eigvalsh": [(S,)], "linalg.eigvals": [(np.triu(X[:, :3]),)], "linalg.norm": [(X,), (V,), (X, 1), (X, "nuc"), (V, 3), (X, None, 0), (X, 2, 1), dict(x=X[None], axis=(1, 2), keepdims=True)],
    "linalg.pinv": [(X,)], "linalg.matrix_rank": [(X,)], "linalg.matrix_power": [(S, 3)], "linalg.multi_dot": [([X.T, X, V],)], "linalg.lstsq": [(X.T, V, None)],
}  # fmt: skip


def ours_of(value):
    if isinstance(value, np.ndarray):
        return numd.asarray(value)
    return type(value)(map(ours_of, value)) if type(value) in (list, tuple) else value


def agree_all(got, wanted):
    if isinstance(wanted, (tuple, list)):
        assert len(got) == len(wanted)
        for pair in zip(got, wanted):
            agree_all(*pair)
    elif isinstance(wanted, (bool, int)):
        assert got == wanted
    elif not isinstance(got, int):  # the rank of lstsq
        agree(got, wanted)
        if np.asarray(wanted).dtype.name in fallback.DTYPES:
            assert got.dtype == np.asarray(wanted).dtype


@pytest.mark.parametrize("name", list(CALLS))
def test_functions(name):
    function = dispatch.find(name)
    if function is None:
        pytest.skip(f"NumPy {np.__version__} has no {name}")
    for args in CALLS[name]:
        args, kwargs = (args, {}) if isinstance(args, tuple) else ((), args)
        if name == "meshgrid" and not args:
            args = (V, X[0])
        with numd.config(fallback="error"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = function(*ours_of(args), **{key: ours_of(value) for key, value in kwargs.items()})
            wanted = function(*args, **kwargs)
        agree_all(got, wanted)


@examples(80)
@given(st.data())
def test_einsum(data):
    """Of small integers, so that every sum is exact: repeated, summed, kept and lonely letters in any order."""
    words = data.draw(st.lists(st.text("abcde", max_size=4), min_size=1, max_size=4))
    output = data.draw(st.permutations(sorted(set("".join(words)))).flatmap(lambda x: st.integers(0, len(x)).map(lambda n: x[:n])))
    lengths = {letter: data.draw(st.integers(0, 4)) for letter in "abcde"}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(["int64", "float32", "complex128"]))
    arrays = [rng.integers(-3, 4, [lengths[letter] for letter in word]).astype(dtype) for word in words]
    subscripts = ",".join(words) + data.draw(st.sampled_from(["", "->" + "".join(output)]))
    wanted = np.einsum(subscripts, *arrays)
    with numd.config(fallback="error"):
        got = np.einsum(subscripts, *map(numd.asarray, arrays))
    assert like_numpy(got, wanted) and (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    np.testing.assert_array_equal(np.asarray(got), wanted)


def test_every_function_of_the_table_is_tested():
    tested = {dispatch.find(name) for name in CALLS}
    rest = {dispatch.name_of(function) for function in set(dispatch.TABLE) - tested}
    assert rest <= {
        "put", "place", "putmask", "copyto", "put_along_axis", "dsplit", "empty_like", "in1d", "permute_dims", "matrix_transpose",
        "unique_values", "unique_counts", "unique_inverse", "unique_all", "linalg.qr", "linalg.svd", "linalg.eigh", "linalg.eig",
        "cumulative_sum", "cumulative_prod", "linalg.matmul", "linalg.vector_norm", "linalg.vecdot", "linalg.tensordot", "linalg.outer",
        "linalg.cross", "linalg.matrix_transpose", "linalg.svdvals", "linalg.diagonal", "linalg.trace", "linalg.matrix_norm", "product", "cumproduct", "round_", "row_stack",
        "array", "asarray", "asanyarray", "zeros", "ones", "empty", "full", "arange", "eye", "identity",
    }  # fmt: skip


CREATING = {"full", "arange", "linspace", "eye", "astype", "copy"}  # np.copy is in the table; these take no Array


def test_every_row_with_a_function_is_there():
    aliases = {name: [other for other, row in NUMPY_NAMES.items() if row == name] for name in NUMPY_NAMES.values()}
    for op in numd.ops():
        for name in [op.name, f"linalg.{op.name}", *aliases.get(op.name, [])]:
            function = dispatch.find(name)
            if function is None or op.name in CREATING or isinstance(function, np.ufunc):
                continue
            assert function in dispatch.TABLE, name


def test_factorisations(refused):
    a = numd.asarray(X)
    for full in [True, False]:
        u, s, vh = np.linalg.svd(a, full_matrices=full)
        agree(s, np.linalg.svd(X)[1])
        agree(u[:, :3] * s @ vh[:3], X)
    agree(np.linalg.svd(a, compute_uv=False), np.linalg.svd(X, compute_uv=False))
    q, r = np.linalg.qr(a.T)
    agree(q @ r, X.T)
    agree(abs(np.linalg.qr(a.T, "r")), abs(np.linalg.qr(X.T, "r")))
    w, v = np.linalg.eigh(numd.asarray(S))
    agree(v * w @ v.T, S)
    w, v = np.linalg.eig(numd.asarray(S))
    assert w.dtype == np.float64
    agree(v * w, S @ np.asarray(v))
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.inv(numd.zeros((2, 2)))


@pytest.mark.skipif(not NUMPY_2, reason="names of the array API standard")
def test_names_of_the_standard(refused):
    a, v = numd.asarray(X), numd.asarray(V)
    for got, wanted in [
        (np.cumulative_sum(v, include_initial=True), [0, 2, 2.5, 6.5, 7.5]), (np.cumulative_prod(a, axis=1), np.cumprod(X, 1)),
        (np.linalg.vector_norm(a, axis=1), np.linalg.norm(X, axis=1)), (np.linalg.matrix_norm(a), np.linalg.norm(X)),
        (np.linalg.vecdot(a, v), X @ V), (np.linalg.matmul(a, v), X @ V), (np.linalg.outer(v, v), np.outer(V, V)),
        (np.linalg.tensordot(a, v, axes=1), X @ V), (np.linalg.cross(v[:3], a[0, :3]), np.cross(V[:3], X[0, :3])),
        (np.linalg.matrix_transpose(a), X.T), (np.matrix_transpose(a), X.T), (np.linalg.svdvals(a), np.linalg.svd(X)[1]),
        (np.linalg.diagonal(a, offset=1), np.diagonal(X, 1)), (np.linalg.trace(a), np.trace(X)), (np.unique_values(a), np.unique(X)),
        (np.unique_counts(a).counts, np.unique(X, return_counts=True)[1]), (np.permute_dims(a, (1, 0)), X.T),
    ]:  # fmt: skip
        agree(got, wanted)


def test_axes_may_be_an_array(refused):
    agree(np.median(numd.asarray(X), axis=np.array([-1])), np.median(X, 1))
    agree(numd.reshape(numd.asarray(X), np.array([4, 3])), X.reshape(4, 3))


def test_like_makes_arrays(refused):
    a = numd.asarray(X)
    for make, *args in [
        (np.array, [1, 2]), (np.array, [1.0], "float32"), (np.asarray, X), (np.asanyarray, [[1]]), (np.zeros, (2, 3)), (np.ones, 3, int),
        (np.full, 2, 7), (np.arange, 4), (np.arange, 1.0, 2.0, 0.25), (np.eye, 3), (np.identity, 2),
    ]:  # fmt: skip
        got, wanted = make(*args, like=a), make(*args)
        agree(got, wanted)
        assert got.dtype == wanted.dtype
    agree(np.array(a[0], ndmin=3, like=a), X[None, :1])
    assert np.empty(3, like=a).shape == (3,)
    assert not np.shares_memory(np.array(a, like=a), a) and np.shares_memory(np.asarray(a, like=a), a)


def test_names_that_numpy_has_beyond_the_standard(refused):
    a = numd.asarray(X)
    for got, wanted in [
        (numd.pad([1, 2], 1), [0, 1, 2, 0]), (numd.einsum("ij->j", a), X.sum(0)), (numd.quantile(X, 0.5), np.median(X)),
        (numd.linalg.norm(a), np.linalg.norm(X)), (numd.transpose(a), X.T),
        (numd.function(lambda x: numd.transpose(x) + numd.median(V))(a), X.T + np.median(V)),
    ]:  # fmt: skip
        assert isinstance(got, numd.Array) or np.ndim(wanted) == 0
        np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6)
    assert not hasattr(numd, "fft") and not hasattr(numd, "kron") and not hasattr(numd.linalg, "cond")


def test_what_numpy_warns_of_it_is_asked(refused):
    for function, args in [(np.nanmax, (N[:1, 1:2],)), (np.nanmedian, (N[:1, 1:2],)), (np.nanstd, (N[:, 1], 0)), (np.cov, (V[:1],))]:
        with pytest.raises(numd.FallbackError):
            function(*ours_of(args)) if function is not np.nanstd else np.nanstd(ours_of(N[:, :1]), axis=1, ddof=1)


def test_functions_that_store(refused):
    x, a = X.copy(), numd.asarray(X)
    for side in (x, a):
        np.put(side, [0, 5], [10.0, 20.0])
        np.place(side, np.asarray(side) > 6, [1.0, 2.0])
        np.putmask(side, np.asarray(side) < 0, 0.25)
        np.copyto(side[0], V, where=[True, False, True, False])
        np.put_along_axis(side, np.argmax(side, 1, keepdims=True), 9.0, 1)
    assert a.tolist() == x.tolist()


def test_views_share_memory(refused):
    a = numd.asarray(X)
    for view in [np.reshape(a, -1), np.ravel(a), a.ravel(), np.transpose(a), np.squeeze(a[None]), np.broadcast_to(a, (2, 3, 4)), np.flip(a),
                 np.split(a, 3)[1], np.diagonal(a), np.swapaxes(a, 0, 1), np.expand_dims(a, 0), a.view("int64"), a.squeeze()]:  # fmt: skip
        assert np.shares_memory(view, a)
    for copy in [a.copy(), a.flatten(), np.copy(a), np.tile(a, 1)]:
        assert not np.shares_memory(copy, a)


# ---- Fallbacks


def test_modes_of_the_fallback():
    a = numd.asarray(V)
    with numd.config(fallback="error"):
        with pytest.raises(numd.FallbackError, match="fft.fft"):
            np.fft.fft(a)
        with pytest.raises(TypeError, match="unwrap"):
            np.unwrap(a)
    with numd.config(fallback="warn"), pytest.warns(numd.FallbackWarning, match="kron") as seen:
        np.kron(a, a)
    assert seen[0].filename == __file__
    before = numd.stats()["fallbacks"].get("kron", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agree(np.kron(a, a), np.kron(V, V))
    assert numd.stats()["fallbacks"]["kron"] == before + 1
    numd.config(fallback="warn")
    with pytest.warns(numd.FallbackWarning):
        np.unwrap(a)
    numd.config(fallback="silent")
    with pytest.raises(ValueError, match="silent"):
        numd.config(fallback="loud")


def test_results_of_a_fallback():
    a = numd.asarray(X)
    counts, edges = np.histogram(a, bins="sturges")
    assert isinstance(counts, numd.Array) and edges.tolist() == np.histogram(X, bins="sturges")[1].tolist()
    whole, parts = np.modf(X)
    assert [part.tolist() for part in np.modf(a)] == [whole.tolist(), parts.tolist()]
    assert type(np.array_str(a)) is str and np.iscomplexobj(a) is False and np.ndim(a) == 2 and np.shape(a) == (3, 4)
    window = np.lib.stride_tricks.sliding_window_view(a, 2, axis=1)
    assert window.shape == (3, 3, 2) and np.shares_memory(window, a)
    out = numd.empty(4)
    assert np.cbrt(a[0], out=out) is out and out.tolist() == np.cbrt(X[0]).tolist()
    np.fill_diagonal(a, 0)
    assert np.trace(a) == 0


def test_results_belong_to_the_session_of_the_arguments():
    with numd.connect() as session:
        a = numd.asarray(V, session=session)
        for got in [np.kron(a, [1, 2])[:4], np.cbrt(a), np.sum(a), np.median(a), a[a > 0], a[[0, 1, 2, 3]], np.add(a, V), np.where(V > 1, a, 0)]:
            assert (got + a).shape == (4,)
            assert not isinstance(got, numd.Array) or numd.add(got, a).shape == (4,)


def test_calls_are_counted():
    before = numd.stats()["calls"]
    numd.ones(2)
    a = numd.asarray(V)
    middle = numd.stats()["calls"]
    a + a
    assert numd.stats()["calls"] == middle + 1 > before
    assert any(session["client_pid"] == os.getpid() for session in numd.stats()["sessions"])


# ---- Methods

METHODS = [
    ("sum", (), {"axis": 0, "dtype": "float32"}), ("sum", (0, "float32"), {}), ("std", (), {"ddof": 1}), ("var", (1,), {"ddof": 1}),
    ("max", (), {"initial": 99}), ("any", (0,), {}), ("argsort", (0,), {}), ("cumsum", (), {}), ("cumsum", (1,), {}), ("cumprod", (0,), {}),
    ("clip", (0, 2), {}), ("round", (1,), {}), ("conj", (), {}), ("conjugate", (), {}), ("ravel", (), {}), ("flatten", (), {}), ("squeeze", (), {}),
    ("swapaxes", (0, 1), {}), ("take", ([1, 2],), {}), ("take", ([1],), {"axis": 1}), ("repeat", (2, 1), {}), ("nonzero", (), {}), ("diagonal", (1,), {}),
    ("trace", (), {}), ("compress", ([True, False, True], 0), {}), ("dot", (V,), {}), ("reshape", (4, 3), {}), ("mean", (0,), {"keepdims": True}),
    ("transpose", (), {}), ("astype", ("int32",), {}), ("argmax", (1,), {}), ("all", (), {}), ("prod", (1,), {}),
]  # fmt: skip


@pytest.mark.parametrize("name, args, kwargs", METHODS, ids=lambda x: x if isinstance(x, str) else "")
def test_methods(name, args, kwargs):
    with numd.config(fallback="error"):
        got = getattr(numd.asarray(X), name)(*ours_of(args), **kwargs)
    agree_all(got, getattr(X, name)(*args, **kwargs))


def test_methods_in_place(refused):
    x, a = X.copy(), numd.asarray(X)
    for side in (x, a):
        side.partition((1, 2))  # leaves one order of four
        side.put([1, 2], [7.0, 8.0])
        side.sort(0)
        side.sort()
        side.shape = (2, 6)
    assert a.tolist() == x.tolist() and a.shape == (2, 6)
    with pytest.raises(AttributeError):
        a.T.shape = (12,)
    a.resize((4, 3))
    assert a.shape == (4, 3)


def test_methods_by_numpy():
    x, a = X.copy(), numd.asarray(X)
    assert a.byteswap().tolist() == x.byteswap().tolist()
    index = numd.asarray([0, 1])
    assert index.choose([[1, 2], [3, 4]]).tolist() == [1, 4]


def test_attributes():
    a = numd.asarray(X)
    assert a.flags.c_contiguous and not a.T.flags.c_contiguous and a.base is None
    assert a.flat[5] == X.flat[5] and list(a.flat) == X.ravel().tolist()
    a.flat[0] = 42
    assert a[0, 0] == 42
    assert a.ctypes.data == np.asarray(a).ctypes.data and a.data.shape == a.shape and a.data.nbytes == a.nbytes
    assert a.tobytes() == np.asarray(a).tobytes()
    assert a.view("uint8").shape == (3, 32) and a.view("complex128").shape == (3, 2)
    assert a.item(5) == X.flat[5] and a.item(1, 2) == X[1, 2]


def test_arrays_without_dimensions_are_like_python_scalars():
    for dtype in DTYPES:
        one = numd.ones((), dtype)
        assert isinstance(one, numd.Array) and one.shape == () and one.dtype == np.dtype(dtype)
        assert complex(one) == one.item() and bool(one) is True and one == one.item()
    x = numd.sum(numd.asarray([1.25, 2.5]))
    assert (float(x), int(x), f"{x:.3f}", f"{x}", round(x), math.trunc(x), math.floor(x), math.ceil(x)) == (3.75, 3, "3.750", "3.75", 4, 3, 3, 4)
    assert round(x, 1).item() == round(3.75, 1) and repr(x) == "numd.Array(3.75, dtype=float64)"
    n = numd.sum(numd.asarray([1, 2]))
    assert operator.index(n) == 3 and [10, 20, 30, 40][n] == 40 and list(range(n)) == [0, 1, 2] and f"{n:03d}" == "003"
    assert x > 3 and 3 < x <= 3.75 and not x != 3.75
    for wrong in [lambda: operator.index(x), lambda: float(numd.ones(2)), lambda: format(numd.ones(2), ".2f"), lambda: round(numd.ones(2))]:
        with pytest.raises(TypeError):
            wrong()


def test_they_are_strong_in_promotion():
    small = numd.ones(3, "float32")
    assert (small * numd.asarray([2.0]).sum()).dtype == np.float64
    assert (small * np.float64(2)).dtype == np.float64
    assert (small * small.sum()).dtype == np.float32 and (small * 2.0).dtype == np.float32
