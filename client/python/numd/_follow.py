"""Shapes of results, for tracing: a rule for each row that is not elementwise.

Dtypes are left to the daemon. A rule takes the shapes of the inputs and the parameters by their keywords, and
raises ValueError or IndexError where they do not fit; what it lets pass wrongly, the daemon refuses.
"""

import math

import numpy as np

RULES = {}


def follow(op, shapes, params):
    """The shape of the only result of a row."""
    if op.kind == "MAP":
        return np.broadcast_shapes(*shapes)
    if op.name in RULES:
        return tuple(int(n) for n in RULES[op.name](*shapes, **params))
    if op.kind == "REDUCE":
        return reduced(shapes[0], **params)
    raise TypeError(f"{op.name}() cannot be used in a function that is being traced")


def rule(*names):
    def enter(function):
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def place(axis, ndim):
    """An axis counted from the front."""
    if not -ndim <= axis < ndim:
        raise ValueError
    return axis % ndim


def replaced(shape, axis, *lengths):
    axis = place(axis, len(shape))
    return shape[:axis] + lengths + shape[axis + 1 :]


def reduced(shape, axis=None, keepdims=False, **_):
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {place(one, len(shape)) for one in axes}
    if axis is not None and len(gone) < len(tuple(axes)):
        raise ValueError
    if keepdims:
        return tuple(1 if i in gone else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in gone)


# ---- Along an axis


RULES["argmax"] = RULES["argmin"] = reduced


@rule("cumulative_sum", "cumulative_prod")
def cumulated(shape, axis=None, include_initial=False, **_):
    if axis is None:
        return (math.prod(shape) + bool(include_initial),)
    return replaced(shape, axis, shape[axis] + bool(include_initial))


@rule("diff")
def differences(shape, axis=-1, n=1):
    return replaced(shape, axis, max(shape[axis] - n, 0))


# ---- Products


@rule("matmul")
def matmul(a, b):
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    return np.broadcast_shapes(a[:-2], b[:-2]) + rows + columns


@rule("dot")
def dot(a, b):
    if not a or not b:
        return a + b
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError
    return a[:-1] + b[:-2] + (b[-1:] if len(b) > 1 else ())


@rule("vecdot")
def vecdot(a, b, axis=-1):
    if a[axis] != b[axis]:
        raise ValueError
    whole = np.broadcast_shapes(a, b)
    return replaced(whole, axis)


@rule("tensordot")
def tensordot(a, b, n=2, order=None, against=None):
    if order is None:
        order, against = range(len(a) - n, len(a)), range(n)
    order, against = [place(i, len(a)) for i in order], [place(i, len(b)) for i in against]
    if [a[i] for i in order] != [b[i] for i in against]:
        raise ValueError
    return tuple(m for i, m in enumerate(a) if i not in order) + tuple(
        m for i, m in enumerate(b) if i not in against
    )


@rule("outer")
def outer(a, b):
    return (math.prod(a), math.prod(b))


@rule("cross")
def cross(a, b, axis=-1):
    if a[axis] != 3 or b[axis] != 3:
        raise ValueError
    return np.broadcast_shapes(a, b)


@rule("trace", "det", "matrix_rank")
def of_matrices(shape, **_):
    matrix(shape)
    return shape[:-2]


def matrix(shape):
    """The two lengths of a matrix."""
    if len(shape) < 2:
        raise ValueError
    return shape[-2:]


# ---- Arranged and copied


@rule("reshape")
def reshaped(old, **params):
    wanted = tuple(params["shape"])
    size, known = math.prod(old), math.prod(n for n in wanted if n != -1)
    if -1 in wanted:
        if wanted.count(-1) > 1 or known == 0 or size % known:
            raise ValueError
        return tuple(size // known if n == -1 else n for n in wanted)
    if known != size:
        raise ValueError
    return wanted


@rule("permute_dims")
def permuted(shape, order=None):
    order = range(len(shape))[::-1] if order is None else [place(i, len(shape)) for i in order]
    if sorted(order) != list(range(len(shape))):
        raise ValueError
    return tuple(shape[i] for i in order)


@rule("matrix_transpose")
def transposed(shape):
    n, m = matrix(shape)
    return shape[:-2] + (m, n)


@rule("broadcast_to")
def broadcast(old, **params):
    wanted = tuple(params["shape"])
    if np.broadcast_shapes(old, wanted) != wanted:
        raise ValueError
    return wanted


@rule("slice")
def sliced(old, start, step, **params):
    return tuple(params["shape"])


@rule("diagonal")
def diagonal(shape, k=0):
    n, m = matrix(shape)
    return shape[:-2] + (max(0, min(n + min(k, 0), m - max(k, 0))),)


@rule("concat")
def joined(*shapes, axis=None):
    if axis is None:
        return (sum(map(math.prod, shapes)),)
    axis = place(axis, len(shapes[0]))
    if len({shape[:axis] + shape[axis + 1 :] for shape in shapes}) > 1:
        raise ValueError
    return replaced(shapes[0], axis, sum(shape[axis] for shape in shapes))


@rule("stack")
def stacked(*shapes, axis=0):
    if len(set(shapes)) > 1:
        raise ValueError
    axis = place(axis, len(shapes[0]) + 1)
    return shapes[0][:axis] + (len(shapes),) + shapes[0][axis:]


@rule("repeat")
def repeated(shape, n, axis=None):
    if axis is None:
        return (math.prod(shape) * n,)
    return replaced(shape, axis, shape[axis] * n)


@rule("tile")
def tiled(shape, repetitions):
    ndim = max(len(shape), len(repetitions))
    shape = (1,) * (ndim - len(shape)) + shape
    times = (1,) * (ndim - len(repetitions)) + tuple(repetitions)
    return tuple(n * k for n, k in zip(shape, times))


@rule("flip", "roll", "sort", "argsort", "isin", "put", "put_along_axis", "place")
def as_first(shape, *_, **__):
    return shape


@rule("tril", "triu", "cholesky", "inv", "matrix_power")
def as_matrix(shape, **_):
    matrix(shape)
    return shape


# ---- Searched


@rule("searchsorted")
def searched(sorted_, values, **_):
    return values


@rule("take")
def taken(shape, indices, axis=None):
    return indices if axis is None else replaced(shape, axis, *indices)


@rule("take_along_axis")
def taken_along(shape, indices, axis=-1):
    if len(shape) != len(indices):
        raise ValueError
    whole = np.broadcast_shapes(replaced(shape, axis, 1), replaced(indices, axis, 1))
    return replaced(whole, axis, indices[axis])


# ---- Linear algebra


@rule("svdvals")
def singular_values(shape):
    return shape[:-2] + (min(matrix(shape)),)


@rule("eigvalsh", "eigvals")
def eigenvalues(shape, **_):
    return shape[:-2] + matrix(shape)[:1]


@rule("solve")
def solved(a, b):
    n, _ = matrix(a)
    if len(b) == 1:
        return a[:-2] + (n,)
    return np.broadcast_shapes(a[:-2], b[:-2]) + b[-2:]


@rule("pinv")
def pseudoinverse(shape, **_):
    return transposed(shape)


@rule("matrix_norm")
def norm(shape, keepdims=False, **_):
    matrix(shape)
    return shape[:-2] + ((1, 1) if keepdims else ())
