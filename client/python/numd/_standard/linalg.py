# SPDX-License-Identifier: BSD-3-Clause
"""Products and linear algebra. Matrices are the last two axes; those before are a batch."""

from .operands import given, named, operand
from .rows import row, rows
from .shape import as_tuple


# ---- Products


@row("vecdot")
def vecdot(x1, x2, axis=-1, out=None):
    return rows.vecdot(operand(x1), operand(x2), axis=axis, **given(out=out))


@row("tensordot")
def tensordot(x1, x2, axes=2, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.tensordot(numd.ones((2, 3)), numd.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    if hasattr(axes, "__index__"):
        return rows.tensordot(operand(x1), operand(x2), n=axes, **given(out=out))
    first, second = axes
    return rows.tensordot(
        operand(x1), operand(x2), order=as_tuple(first), against=as_tuple(second), **given(out=out)
    )


@row("outer")
def outer(x1, x2, out=None):
    return rows.outer(operand(x1), operand(x2), **given(out=out))


@row("cross")
def cross(x1, x2, axis=-1, out=None):
    return rows.cross(operand(x1), operand(x2), axis=axis, **given(out=out))


@row("trace")
def trace(x, offset=0, dtype=None, out=None):
    return rows.trace(operand(x), k=offset, **given(dtype=dtype, out=out))


# ---- Factorisations


@row("cholesky")
def cholesky(x, upper=False, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.cholesky([[4.0, 0.0], [0.0, 9.0]]).tolist()
    [[2.0, 0.0], [0.0, 3.0]]
    """
    return rows.cholesky(operand(x), upper=upper, **given(out=out))


@row("qr")
def qr(x, mode="reduced"):
    """Examples
    --------
    >>> import numd
    >>> q, r = numd.qr(numd.ones((3, 2)))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    if mode not in ("reduced", "complete"):
        raise ValueError("mode is 'reduced' or 'complete'")
    return named("QRResult", *rows.qr(operand(x), full_matrices=mode == "complete"))


@row("svd")
def svd(x, full_matrices=True):
    """Examples
    --------
    >>> import numd
    >>> numd.svd([[3.0, 0.0], [0.0, 4.0]]).S.tolist()
    [4.0, 3.0]
    """
    return named("SVDResult", *rows.svd(operand(x), full_matrices=full_matrices))


@row("svdvals")
def svdvals(x, out=None):
    return rows.svdvals(operand(x), **given(out=out))


@row("eigh")
def eigh(x, upper=False):
    """Examples
    --------
    >>> import numd
    >>> numd.eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues.tolist()
    [1.0, 2.0]
    """
    return named("EighResult", *rows.eigh(operand(x), upper=upper))


@row("eigvalsh")
def eigvalsh(x, upper=False, out=None):
    return rows.eigvalsh(operand(x), upper=upper, **given(out=out))


@row("eig")
def eig(x):
    return named("EigResult", *rows.eig(operand(x)))


@row("eigvals")
def eigvals(x, out=None):
    return rows.eigvals(operand(x), **given(out=out))


# ---- What follows from them


@row("solve")
def solve(x1, x2, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).tolist()
    [1.0, 0.5]
    """
    return rows.solve(operand(x1), operand(x2), **given(out=out))


@row("inv")
def inv(x, out=None):
    """Examples
    --------
    >>> import numd
    >>> numd.inv([[2.0, 0.0], [0.0, 4.0]]).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return rows.inv(operand(x), **given(out=out))


@row("det")
def det(x, out=None):
    """Examples
    --------
    >>> import numd
    >>> float(numd.det([[2.0, 0.0], [0.0, 4.0]]))
    8.0
    """
    return rows.det(operand(x), **given(out=out))


@row("slogdet")
def slogdet(x):
    return named("SlogdetResult", *rows.slogdet(operand(x)))


@row("pinv")
def pinv(x, rtol=None, out=None):
    """`rtol` may be an array with a tolerance for each matrix."""
    x = operand(x)
    if is_number(rtol):
        return rows.pinv(x, **given(rtol=rtol, out=out))
    u, s, vh = svd(x, full_matrices=False)
    inverse = rows.where(large(s, rtol), 1 / s, 0)[..., None, :]
    return rows.matmul(rows.conj(vh).mT * inverse, rows.conj(u).mT, **given(out=out))


@row("matrix_rank")
def matrix_rank(x, rtol=None, out=None):
    """`rtol` may be an array with a tolerance for each matrix."""
    x = operand(x)
    if is_number(rtol):
        return rows.matrix_rank(x, **given(rtol=rtol, out=out))
    return rows.count_nonzero(large(svdvals(x), rtol), axis=-1, **given(out=out))


@row("lstsq")
def lstsq(x1, x2, rtol=None, *, rcond=None):
    """`rcond` is NumPy's name for `rtol`.

    Examples
    --------
    >>> import numd
    >>> numd.lstsq([[1.0], [1.0]], [1.0, 3.0]).x.round().tolist()
    [2.0]
    """
    rtol = rcond if rtol is None else rtol
    return named("LstsqResult", *rows.lstsq(operand(x1), operand(x2), **given(rtol=rtol)))


@row("matrix_power")
def matrix_power(x, n, out=None):
    return rows.matrix_power(operand(x), n=n, **given(out=out))


def is_number(rtol):
    return rtol is None or hasattr(type(rtol), "__float__") and getattr(rtol, "ndim", 0) == 0


def large(s, rtol):
    """Which singular values are above a tolerance for each matrix, times the largest."""
    if s.shape[-1] == 0:
        return s > 0
    return s > operand(rtol)[..., None] * rows.max(s, axis=-1, keepdims=True)


# ---- Norms


@row("matrix_norm")
def matrix_norm(x, keepdims=False, ord="fro", out=None):
    """`ord` is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf."""
    if ord == "nuc":
        return rows.matrix_norm(operand(x), nuclear=True, keepdims=keepdims, **given(out=out))
    return rows.matrix_norm(operand(x), keepdims=keepdims, **given(ord=None if ord == "fro" else ord, out=out))


@row("vector_norm")
def vector_norm(x, axis=None, keepdims=False, ord=2, out=None):
    return rows.vector_norm(
        operand(x), axis=axis, keepdims=keepdims, **given(ord=None if ord == 2 else ord, out=out)
    )
