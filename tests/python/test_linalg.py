# SPDX-License-Identifier: BSD-3-Clause
"""Linear algebra against NumPy, and factorisations against what they factor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from checking import part
from layouts import DTYPES, laid_out, values, widened
from oracles import ORACLES

OPS = {op.name: op for op in numd.ops() if op.kind == "LINALG"}
BATCHES = [(), (), (3,), (2, 2), (0,)]


def draw_matrices(data, square=True):
    """Random matrices of random numbers; well conditioned if square."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    dtype = data.draw(st.sampled_from(["int64", "float32", "float64", "complex64", "complex128"]))
    n = data.draw(st.sampled_from([1, 2, 3, 5, 17, 40]))
    m = n if square else data.draw(st.sampled_from([1, 2, 3, 5, 17, 40]))
    x = values(rng, data.draw(st.sampled_from(BATCHES)) + (n, m), dtype, special=False, low=-5, high=5)
    return x + 12 * n * np.eye(n, m).astype(dtype) if square else x


def hermitian(x):
    return x + np.conj(np.swapaxes(x, -1, -2))


def real(x):
    """As what the daemon computes in."""
    return x if x.dtype.kind in "fc" else x.astype("float64")


def near(got, wanted, x, factor=1):
    """Asserts that results from x differ by rounding. What overflows may do so in one of them alone, if the other is
    near to it, and a complex number that overflows may have any parts."""
    info = np.finfo(real(x).dtype)
    assert np.shape(got) == np.shape(wanted)
    got, wanted = widened(got), widened(wanted)
    finite = np.isfinite(got) & np.isfinite(wanted)
    for side in (got, wanted):
        assert not (np.abs(side[~finite]) < info.max / 2).any()
    if got.dtype.kind == "f":
        np.testing.assert_array_equal(np.sign(got[~finite]), np.sign(wanted[~finite]))
    scale = max(1, np.max(np.abs(wanted[finite]), initial=0))
    atol = factor * scale * info.eps * 50 * max(x.shape[-2:])
    np.testing.assert_allclose(got[finite], wanted[finite], rtol=0, atol=atol)


def adjoint(x):
    return np.conj(np.swapaxes(np.asarray(x), -1, -2))


@pytest.mark.parametrize("name", ["inv", "det", "pinv", "svdvals", "matrix_rank"])
@given(data=st.data())
def test_of_one_matrix(name, data):
    x = draw_matrices(data, square=name in ("inv", "det"))
    got = getattr(numd, name)(data.draw(laid_out(x)))
    if name == "matrix_rank" and 0 in x.shape:
        assert got.shape == x.shape[:-2]
        return
    wanted = ORACLES[name](real(x))
    assert got.dtype == (np.dtype("int64") if name == "matrix_rank" else wanted.dtype)
    near(got, wanted, x, 10)


@given(data=st.data())
def test_cholesky(data):
    x = hermitian(draw_matrices(data))
    upper = data.draw(st.booleans())
    got = numd.cholesky(data.draw(laid_out(x)), upper=upper)
    near(got, ORACLES["cholesky"](real(x), upper), x)


@given(data=st.data())
def test_qr(data):
    x = draw_matrices(data, square=False)
    mode = data.draw(st.sampled_from(["reduced", "complete"]))
    q, r = numd.qr(data.draw(laid_out(x)), mode=mode)
    assert q.dtype == r.dtype == real(x).dtype
    n, m = x.shape[-2:]
    k = n if mode == "complete" else min(n, m)
    assert q.shape == x.shape[:-2] + (n, k) and r.shape == x.shape[:-2] + (k, m)
    near(np.asarray(q) @ np.asarray(r), real(x), x)
    near(adjoint(q) @ np.asarray(q), np.broadcast_to(np.eye(k), x.shape[:-2] + (k, k)), x)
    assert not np.tril(np.asarray(r), -1).any()


@given(data=st.data())
def test_svd(data):
    x = draw_matrices(data, square=False)
    full = data.draw(st.booleans())
    u, s, vh = numd.svd(data.draw(laid_out(x)), full_matrices=full)
    n, m = x.shape[-2:]
    k = min(n, m)
    assert u.shape[-2:] == (n, n if full else k) and vh.shape[-2:] == (m if full else k, m)
    assert s.dtype == part(real(x).dtype) and u.dtype == vh.dtype == real(x).dtype
    near(s, ORACLES["svdvals"](real(x)), x)
    u, s, vh = np.asarray(u), np.asarray(s), np.asarray(vh)
    near((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], real(x), x)
    near(adjoint(u) @ u, np.broadcast_to(np.eye(u.shape[-1]), u.shape[:-2] + (u.shape[-1],) * 2), x)


@given(data=st.data())
def test_eigh(data):
    x = hermitian(draw_matrices(data))
    ours, upper = data.draw(laid_out(x)), data.draw(st.booleans())
    w, v = numd.eigh(ours, upper=upper)
    assert w.dtype == part(real(x).dtype)
    near(w, np.linalg.eigvalsh(real(x)), x)
    near(numd.eigvalsh(ours, upper=upper), np.asarray(w), x)
    near(real(x) @ np.asarray(v), np.asarray(v) * np.asarray(w)[..., None, :], x)


@given(data=st.data())
def test_eig(data):
    x = draw_matrices(data)
    ours = data.draw(laid_out(x))
    w, v = numd.eig(ours)
    assert w.dtype.kind == v.dtype.kind == "c"
    near(real(x) @ np.asarray(v), np.asarray(v) * np.asarray(w)[..., None, :], x, 10)
    near(np.sort(np.asarray(numd.eigvals(ours))), np.sort(np.asarray(w)), x, 10)


@given(data=st.data())
def test_solve(data):
    x = draw_matrices(data)
    rng = np.random.default_rng(1)
    n = x.shape[-1]
    b = rng.uniform(-1, 1, data.draw(st.sampled_from([(n,), (n, 3), x.shape[:-2] + (n, 2)]))).astype(real(x).dtype)
    got = np.asarray(numd.solve(data.draw(laid_out(x)), data.draw(laid_out(b))))
    columns = b[:, None] if b.ndim == 1 else b
    wanted = np.linalg.solve(real(x), np.broadcast_to(columns, x.shape[:-2] + columns.shape[-2:]))
    near(got, wanted[..., 0] if b.ndim == 1 else wanted, x)


@given(data=st.data())
def test_slogdet(data):
    x = draw_matrices(data)
    sign, logabsdet = numd.slogdet(data.draw(laid_out(x)))
    wanted = np.linalg.slogdet(real(x))
    near(sign, wanted[0], x)
    near(logabsdet, wanted[1], x)
    assert sign.shape == x.shape[:-2]


@given(data=st.data())
def test_matrix_power(data):
    n = data.draw(st.sampled_from([0, 1, 2, 3, 7, -1, -2]))
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (4, 4)) + 4 * np.eye(4)
    near(numd.matrix_power(numd.asarray(x), n), np.linalg.matrix_power(x, n), x)
    integers = rng.integers(-3, 3, (2, 3, 3))
    if n >= 0:
        assert numd.matrix_power(numd.asarray(integers), n).tolist() == np.linalg.matrix_power(integers, n).tolist()


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")])
@given(data=st.data())
def test_matrix_norm(ord, data):
    x = draw_matrices(data, square=False)
    keepdims = data.draw(st.booleans())
    got = numd.matrix_norm(data.draw(laid_out(x)), ord=ord, keepdims=keepdims)
    near(got, np.linalg.norm(real(x), ord, axis=(-2, -1), keepdims=keepdims), x)


@pytest.mark.parametrize("shape", [(9, 4), (4, 4), (4, 9)])
@pytest.mark.parametrize("columns", [None, 3])
def test_lstsq(shape, columns):
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=shape), rng.normal(size=(shape[0],) if columns is None else (shape[0], columns))
    got = numd.lstsq(numd.asarray(a), numd.asarray(b))
    x, residuals, rank, singular = np.linalg.lstsq(a, b, rcond=None)
    near(got.x, x, a)
    assert got.rank == rank
    near(got.singular_values, singular, a)
    if residuals.size:
        np.testing.assert_allclose(np.asarray(got.residuals).reshape(residuals.shape), residuals, rtol=1e-9)


def test_what_has_no_answer():
    for call, status in [
        (lambda: numd.inv(numd.zeros((3, 3))), "ESINGULAR"),
        (lambda: numd.solve(numd.zeros((2, 2)), numd.ones(2)), "ESINGULAR"),
        (lambda: numd.cholesky(numd.asarray([[1.0, 2.0], [2.0, 1.0]])), "EDEFINITE"),
        (lambda: numd.eigvals(numd.full((3, 3), float("nan"))), "ECONVERGE"),
    ]:
        with pytest.raises(numd.LinAlgError) as info:
            call()
        assert info.value.status == status and isinstance(info.value, np.linalg.LinAlgError)
    for name in ["inv", "det", "cholesky", "eigh", "eig"]:
        with pytest.raises(ValueError):
            getattr(numd, name)(numd.ones((2, 3)))
        with pytest.raises(ValueError):
            getattr(numd, name)(numd.ones(3))
    assert numd.det(numd.zeros((2, 2))) == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype):
    x = numd.asarray(np.array([[2, 1], [1, 3]], dtype))
    wanted = np.dtype(dtype) if np.dtype(dtype).kind in "fc" else np.dtype("float64")
    assert numd.svd(x).U.dtype == wanted and numd.svdvals(x).dtype == part(wanted)
    assert numd.matrix_norm(x[None]).dtype == part(wanted)
