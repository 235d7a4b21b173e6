# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's products and numpy.linalg."""

import functools

import numpy as np

from .._standard import linalg as _linalg
from .._standard.operands import given, is_traced, operand
from .._standard.rows import rows
from .._standard.shape import axis_of
from .registry import NUMPY_1, enter, implements, need
from .shape import matrix_transpose, moveaxis
from .ufuncs import store


# ---- Products


@implements("dot")
def dot(a, b, out=None):
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return store(rows.multiply(a, b), out)
    return store(rows.dot(a, b), out)


@implements("vdot")
def vdot(a, b):
    return rows.vecdot(operand(a).reshape(-1), operand(b).reshape(-1))


@implements("inner")
def inner(a, b):
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return rows.multiply(a, b)
    return rows.tensordot(a, b, order=(a.ndim - 1,), against=(b.ndim - 1,))


@implements("outer")
def outer(a, b, out=None):
    return store(rows.outer(operand(a).reshape(-1), operand(b).reshape(-1)), out)


@implements("tensordot")
def tensordot(a, b, axes=2):
    a, b = operand(a), operand(b)
    if np.ndim(axes) == 0:
        return rows.tensordot(a, b, n=int(axes))
    first, second = (tuple(one) if np.ndim(one) else (one,) for one in axes)
    first = tuple(axis_of(axis, a.ndim) for axis in first)
    return rows.tensordot(a, b, order=first, against=tuple(axis_of(axis, b.ndim) for axis in second))


@implements("cross")
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(a, axisa, -1), moveaxis(b, axisb, -1)
    need(a.shape[-1] == b.shape[-1] == 3)
    result = rows.cross(*broadcast(a, b))
    return moveaxis(result, -1, axisc) if result.ndim > 1 else result


def broadcast(a, b):
    shape = np.broadcast_shapes(a.shape, b.shape)
    return rows.broadcast_to(a, shape=shape), rows.broadcast_to(b, shape=shape)


@implements("trace")
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    return store(rows.trace(moveaxis(a, (axis1, axis2), (-2, -1)), k=offset, dtype=dtype), out)


@implements("linalg.trace")
def linalg_trace(x, *, offset=0, dtype=None):
    return rows.trace(operand(x), k=offset, dtype=dtype)


@implements("linalg.multi_dot")
def multi_dot(arrays, *, out=None):
    return store(functools.reduce(rows.matmul, map(operand, arrays)), out)


# ---- Factorisations


def plain_tuple(name, result):
    """As this NumPy names it: a namedtuple since NumPy 2."""
    kind = getattr(np.linalg._linalg, name) if hasattr(np.linalg, "_linalg") else None
    return kind(*result) if kind else tuple(result)


@implements("linalg.cholesky")
def cholesky(a, /, *, upper=False):
    return _linalg.cholesky(a, upper)


@implements("linalg.qr")
def qr(a, mode="reduced"):
    need(mode in ("reduced", "complete", "r"))
    result = _linalg.qr(a, "complete" if mode == "complete" else "reduced")
    return result.R if mode == "r" else plain_tuple("QRResult", result)


@implements("linalg.svd")
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    need(not hermitian)
    return plain_tuple("SVDResult", _linalg.svd(a, full_matrices)) if compute_uv else _linalg.svdvals(a)


@implements("linalg.svdvals")
def svdvals(x, /):
    return _linalg.svdvals(x)


@implements("linalg.eigh")
def eigh(a, UPLO="L"):
    return plain_tuple("EighResult", _linalg.eigh(a, is_upper(UPLO)))


@implements("linalg.eigvalsh")
def eigvalsh(a, UPLO="L"):
    return _linalg.eigvalsh(a, is_upper(UPLO))


def is_upper(uplo):
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo.upper() == "U"


@implements("linalg.eig")
def eig(a):
    values, vectors = _linalg.eig(a)
    if is_real(a, values):
        values, vectors = values.real.copy(), vectors.real.copy()
    return plain_tuple("EigResult", (values, vectors))


@implements("linalg.eigvals")
def eigvals(a):
    values = _linalg.eigvals(a)
    return values.real.copy() if is_real(a, values) else values


def is_real(a, values):
    """NumPy gives real numbers if the matrices are and no eigenvalue has an imaginary part."""
    return not is_traced(values) and operand(a).dtype.kind != "c" and not rows.any(values.imag)


# ---- What follows from them


@implements("linalg.solve")
def solve(a, b):
    a, b = operand(a), operand(b)
    if NUMPY_1 and b.ndim == a.ndim - 1 and b.ndim > 1:
        return _linalg.solve(a, b[..., None])[..., 0]
    return _linalg.solve(a, b)


@implements("linalg.inv")
def inv(a):
    return _linalg.inv(a)


@implements("linalg.det")
def det(a):
    return _linalg.det(a)


@implements("linalg.slogdet")
def slogdet(a):
    return plain_tuple("SlogdetResult", _linalg.slogdet(a))


@implements("linalg.pinv")
def pinv(a, rcond=None, hermitian=False, *, rtol=None):
    need(not hermitian)
    return _linalg.pinv(a, 1e-15 if rcond is None and rtol is None else rcond if rtol is None else rtol)


@implements("linalg.matrix_rank")
def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    need(tol is None and not hermitian and operand(A).ndim > 1)
    return _linalg.matrix_rank(A, rtol)


@implements("linalg.lstsq")
def lstsq(a, b, rcond="warn"):
    a, b = operand(a), operand(b)
    rcond = None if rcond == "warn" else np.finfo(float).eps if rcond == -1 else rcond
    x, residuals, rank, values = rows.lstsq(a, b, **given(rtol=rcond))
    if is_traced(rank):
        return x, residuals, rank, values
    rank = int(rank)
    if rank < a.shape[1] or a.shape[0] <= a.shape[1]:
        residuals = residuals.reshape(-1)[:0]
    elif b.ndim == 1:
        residuals = residuals.reshape(1)
    return x, residuals, rank, values


@implements("linalg.matrix_power")
def matrix_power(a, n):
    return _linalg.matrix_power(a, n)


@implements("linalg.norm")
def norm(x, ord=None, axis=None, keepdims=False):
    x = operand(x)
    if axis is None and (ord is None or x.ndim == 1):
        return _linalg.vector_norm(x, None, keepdims, 2 if ord is None else ord)
    axes = (0, 1) if axis is None and x.ndim == 2 else axis
    need(axes is not None)
    if np.ndim(axes) == 0 or len(axes) == 1:
        axes = axes if np.ndim(axes) == 0 else axes[0]
        need(not isinstance(ord, str))
        return _linalg.vector_norm(x, int(axes), keepdims, 2 if ord is None else ord)
    need(len(axes) == 2)
    places = [axis_of(one, x.ndim) for one in axes]
    result = _linalg.matrix_norm(moveaxis(x, places, (-2, -1)), ord="fro" if ord is None else ord)
    if not keepdims:
        return result
    return result.reshape(tuple(1 if i in places else n for i, n in enumerate(x.shape)))


@implements("linalg.matrix_norm")
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return _linalg.matrix_norm(x, keepdims, ord)


# ---- The array API standard's names, which NumPy 2 has in numpy.linalg

enter("linalg.matmul", rows.matmul)
enter("linalg.matrix_transpose", matrix_transpose)
enter("linalg.vector_norm", _linalg.vector_norm)
enter("linalg.vecdot", _linalg.vecdot)
enter("linalg.tensordot", tensordot)
enter("linalg.outer", outer)


@implements("linalg.cross")
def linalg_cross(x1, x2, /, *, axis=-1):
    return cross(x1, x2, axis=axis)
