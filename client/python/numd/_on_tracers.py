"""NumPy's functions and ndarray's methods, with NumPy's signatures, on values that are being traced.

Those of the names and arguments of a row are that row. The others are adapters here, which NumPy's dispatch
finds by the function, and a Tracer by the method's name.
"""

import numpy as np

import numd

from ._names import NUMPY_NAMES
from ._rows import OPS
from ._shape import as_tuple, axis_of

ADAPTERS = {}  # by NumPy's function

def ufunc(graph, ufunc, method, inputs, kwargs):
    """np.add(x, y), np.add.reduce(x) and so on."""
    name = NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)
    axis = kwargs.pop("axis", 0) if method == "reduce" else None
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if method == "reduce" and ufunc.__name__ in REDUCTIONS:
        return adapter_of(REDUCTIONS[ufunc.__name__])(*inputs, axis=axis, **kwargs)
    if method != "__call__" or name not in OPS:
        return refuse(f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else ""))
    dtype, where = kwargs.pop("dtype", None), kwargs.pop("where", True)
    if kwargs.pop("casting", "same_kind") != "same_kind" or where is not True or kwargs:
        return refuse(f"np.{ufunc.__name__} with {', '.join(kwargs) or 'where or casting'}")
    if dtype is not None:
        inputs = [x if isinstance(x, (bool, int, float, complex)) else graph.value(x).astype(dtype) for x in inputs]
    return graph.apply(name, inputs)


REDUCTIONS = {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_and": "all",
    "logical_or": "any",
}


def function(function, args, kwargs):
    """What NumPy's dispatch was given."""
    kwargs = {key: value for key, value in kwargs.items() if value is not None}
    if function in ADAPTERS:
        return ADAPTERS[function](*args, **kwargs)
    name = NUMPY_NAMES.get(function.__name__, function.__name__)
    if name not in OPS or not function.__module__.startswith("numpy"):
        return refuse(f"{function.__module__}.{function.__name__}")
    return adapter_of(name)(*args, **kwargs)


def refuse(what):
    from ._trace import refuse as refuse_there

    refuse_there(f"{what} has no equivalent among the operations of the daemon, so it cannot be traced")


def adapter_of(name):
    return BY_NAME.get(name) or getattr(numd, name)


# ---- NumPy's arguments


def plain(name, keepdims=None, **unusual):
    """Refuses arguments that only NumPy has, unless they say nothing. Gives what is left for the row."""
    given = [key for key, value in unusual.items() if value is not None and value is not True and value is not np._NoValue]
    if given:
        refuse(f"np.{name} with {', '.join(given)}=")
    return {"keepdims": True} if keepdims is not None and keepdims is not np._NoValue and keepdims else {}


def reduction(name):
    def adapter(a, axis=None, dtype=None, out=None, keepdims=None, *, initial=None, where=None):
        more = plain(name, keepdims, out=out, initial=initial, where=where)
        if dtype is not None:
            if "dtype" in OPS[name].parameters:
                more["dtype"] = np.dtype(dtype)
            else:
                a = numd.astype(a, np.dtype(dtype))
        return getattr(numd, name)(a, **axis_given(axis), **more)

    return adapter


def without_dtype(name):
    def adapter(a, axis=None, out=None, keepdims=None, *, initial=None, where=None):
        return getattr(numd, name)(
            a, **axis_given(axis), **plain(name, keepdims, out=out, initial=initial, where=where)
        )

    return adapter


def spread(name):
    def adapter(a, axis=None, dtype=None, out=None, ddof=0, keepdims=None, *, where=None, mean=None, correction=None):
        more = plain(name, keepdims, out=out, where=where, mean=mean)
        a = a if dtype is None else numd.astype(a, np.dtype(dtype))
        return getattr(numd, name)(a, correction=ddof if correction is None else correction, **axis_given(axis), **more)

    return adapter


def axis_given(axis):
    return {} if axis is None else {"axis": as_tuple(axis) if isinstance(axis, (tuple, list)) else axis}


def index_of(name):
    def adapter(a, axis=None, out=None, keepdims=None):
        return getattr(numd, name)(a, **axis_given(axis), **plain(name, keepdims, out=out))

    return adapter


def cumulative(name):
    def adapter(a, axis=None, dtype=None, out=None):
        plain(name, out=out)
        a = a if axis is not None else numd.reshape(a, (-1,))
        more = {} if dtype is None else {"dtype": np.dtype(dtype)}
        return getattr(numd, name)(a, axis=0 if axis is None else axis, **more)

    return adapter


BY_NAME = {
    **{name: reduction(name) for name in ("sum", "prod", "mean")},
    **{name: without_dtype(name) for name in ("max", "min", "any", "all")},
    **{name: spread(name) for name in ("var", "std")},
    **{name: index_of(name) for name in ("argmax", "argmin")},
    **{name: cumulative(name) for name in ("cumulative_sum", "cumulative_prod")},
}


def of_numpy(*names):
    """Enter the decorated function for NumPy's functions of these names, where this NumPy has them."""

    def enter(adapter):
        for name in names:
            place = np
            for part in name.split("."):
                place = getattr(place, part, None)
            if place is not None:
                ADAPTERS[place] = adapter
        return adapter

    return enter


def as_value(x):
    """A value with shape and dtype: a tracer, or an Array."""
    return x if hasattr(x, "shape") else numd.asarray(x)


# ---- Shapes


@of_numpy("reshape")
def reshape(a, *shape, order="C", copy=None, **named):
    shape = named.pop("newshape", None) or named.pop("shape", None) or (shape[0] if len(shape) == 1 else shape)
    if order != "C":
        refuse(f"np.reshape with order={order!r}")
    return numd.reshape(a, shape)


@of_numpy("ravel")
def ravel(a, order="C"):
    return reshape(a, -1, order=order)


@of_numpy("transpose", "permute_dims")
def transpose(a, *axes, **named):
    axes = named.get("axes", axes[0] if len(axes) == 1 and not hasattr(axes[0], "__index__") else axes)
    return numd.permute_dims(a, axes or None)


@of_numpy("swapaxes")
def swapaxes(a, axis1, axis2):
    order = list(range(a.ndim))
    i, j = axis_of(axis1, a.ndim), axis_of(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return numd.permute_dims(a, tuple(order))


@of_numpy("moveaxis")
def moveaxis(a, source, destination):
    source = [axis_of(i, a.ndim) for i in as_tuple(source)]
    destination = [axis_of(i, a.ndim) for i in as_tuple(destination)]
    order = [i for i in range(a.ndim) if i not in source]
    for place, axis in sorted(zip(destination, source)):
        order.insert(place, axis)
    return numd.permute_dims(a, tuple(order))


@of_numpy("expand_dims")
def expand_dims(a, axis):
    axes = as_tuple(axis)
    ndim = a.ndim + len(axes)
    axes = {axis_of(i, ndim) for i in axes}
    lengths = iter(a.shape)
    return numd.reshape(a, tuple(1 if i in axes else next(lengths) for i in range(ndim)))


@of_numpy("squeeze")
def squeeze(a, axis=None):
    axes = [i for i, n in enumerate(a.shape) if n == 1] if axis is None else [axis_of(i, a.ndim) for i in as_tuple(axis)]
    if any(a.shape[i] != 1 for i in axes):
        raise ValueError("cannot squeeze out an axis whose length is not 1")
    return numd.reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in axes))


@of_numpy("shape")
def shape(a):
    return a.shape


@of_numpy("ndim")
def ndim(a):
    return a.ndim


@of_numpy("size")
def size(a, axis=None):
    return a.size if axis is None else a.shape[axis]


@of_numpy("atleast_1d")
def atleast_1d(a):
    return a if a.ndim else numd.reshape(a, (1,))


@of_numpy("atleast_2d")
def atleast_2d(a):
    return a if a.ndim > 1 else numd.reshape(a, (1, -1))


@of_numpy("flip")
def flip(m, axis=None):
    return numd.flip(m, **axis_given(axis))


@of_numpy("fliplr")
def fliplr(m):
    return numd.flip(m, axis=1)


@of_numpy("flipud")
def flipud(m):
    return numd.flip(m, axis=0)


@of_numpy("diagonal")
def diagonal(a, offset=0, axis1=0, axis2=1):
    return numd.diagonal(moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


@of_numpy("trace")
def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    plain("trace", out=out)
    return numd.trace(moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset, dtype=dtype)


@of_numpy("broadcast_arrays")
def broadcast_arrays(*arrays, subok=None):
    arrays = [as_value(a) for a in arrays]
    whole = np.broadcast_shapes(*(a.shape for a in arrays))
    return [numd.broadcast_to(a, whole) for a in arrays]


@of_numpy("broadcast_to")
def broadcast_to(array, shape, subok=None):
    return numd.broadcast_to(array, shape)


# ---- Joining


@of_numpy("concatenate", "concat")
def concatenate(arrays, axis=0, out=None, *, dtype=None, casting=None):
    plain("concatenate", out=out, casting=casting)
    joined = numd.concat(list(arrays), axis=axis)
    return joined if dtype is None else numd.astype(joined, np.dtype(dtype))


@of_numpy("stack")
def stack(arrays, axis=0, out=None, *, dtype=None, casting=None):
    plain("stack", out=out, casting=casting)
    joined = numd.stack(list(arrays), axis=axis)
    return joined if dtype is None else numd.astype(joined, np.dtype(dtype))


@of_numpy("vstack", "row_stack")
def vstack(tup, **more):
    return concatenate([atleast_2d(as_value(a)) for a in tup], axis=0, **more)


@of_numpy("hstack")
def hstack(tup, **more):
    arrays = [atleast_1d(as_value(a)) for a in tup]
    return concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1, **more)


@of_numpy("column_stack")
def column_stack(tup):
    arrays = [as_value(a) for a in tup]
    return concatenate([a if a.ndim > 1 else numd.reshape(a, (-1, 1)) for a in arrays], axis=1)


# ---- Elements


@of_numpy("where")
def where(condition, *branches, **named):
    branches += tuple(named.values())
    if len(branches) != 2:
        refuse("np.where with one argument")
    return numd.where(condition, *branches)


@of_numpy("clip")
def clip(a, a_min=None, a_max=None, out=None, **named):
    plain("clip", out=out, where=named.get("where"))
    return numd.clip(a, named.get("min", a_min), named.get("max", a_max))


@of_numpy("round", "around", "round_")
def round_(a, decimals=0, out=None):
    plain("round", out=out)
    if decimals == 0:
        return numd.round(a)
    scale = 10.0 ** abs(decimals)
    return numd.round(a * scale) / scale if decimals > 0 else numd.round(a / scale) * scale


@of_numpy("ptp")
def ptp(a, axis=None, out=None, keepdims=None):
    more = {**axis_given(axis), **plain("ptp", keepdims, out=out)}
    return numd.max(a, **more) - numd.min(a, **more)


@of_numpy("sort")
def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    plain("sort", order=order)
    return numd.sort(a, axis=axis) if axis is not None else numd.sort(numd.reshape(a, (-1,)))


@of_numpy("argsort")
def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    plain("argsort", order=order)
    return numd.argsort(a, axis=axis) if axis is not None else numd.argsort(numd.reshape(a, (-1,)))


@of_numpy("take")
def take(a, indices, axis=None, out=None, mode="raise"):
    plain("take", out=out, mode=None if mode == "raise" else mode)
    indices = as_value(indices)
    taken = numd.take(a, numd.reshape(indices, (-1,)), axis=axis)
    if axis is None:
        return numd.reshape(taken, indices.shape)
    i = axis_of(axis, a.ndim)
    return numd.reshape(taken, a.shape[:i] + indices.shape + a.shape[i + 1 :])


@of_numpy("take_along_axis")
def take_along_axis(arr, indices, axis=-1):
    if axis is None:
        return numd.take_along_axis(numd.reshape(arr, (-1,)), indices, axis=0)
    return numd.take_along_axis(arr, indices, axis=axis)


@of_numpy("searchsorted")
def searchsorted(a, v, side="left", sorter=None):
    return numd.searchsorted(as_value(a), as_value(v), side=side, sorter=sorter)


@of_numpy("tile")
def tile(A, reps):
    return numd.tile(A, reps)


@of_numpy("diff")
def diff(a, n=1, axis=-1, prepend=None, append=None):
    ends = [None if x is None or x is np._NoValue else as_value(x) for x in (prepend, append)]
    return numd.diff(a, axis=axis, n=n, prepend=ends[0], append=ends[1])


@of_numpy("isin")
def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    return numd.isin(element, test_elements, invert=invert)


@of_numpy("isclose")
def isclose(a, b, rtol=1e-05, atol=1e-08, equal_nan=False):
    near = numd.logical_and(abs(a - b) <= atol + rtol * abs(b), numd.isfinite(b))
    near = numd.logical_or(near, a == b)
    return numd.logical_or(near, numd.logical_and(numd.isnan(a), numd.isnan(b))) if equal_nan else near


@of_numpy("allclose")
def allclose(a, b, **tolerances):
    return numd.all(isclose(a, b, **tolerances))


@of_numpy("copy")
def copy(a, order="K", subok=False):
    return numd.copy(a)


@of_numpy("real")
def real(val):
    return numd.real(val)


@of_numpy("imag")
def imag(val):
    return numd.imag(val)


# ---- New arrays of the shape of another


def like(name, fill):
    @of_numpy(name)
    def adapter(a, *value, dtype=None, order="K", subok=True, shape=None, device=None, **named):
        value = fill if fill is not None else named.get("fill_value", value[0] if value else 0)
        shape = a.shape if shape is None else as_tuple(shape)
        return numd.broadcast_to(numd.astype(as_value(value), np.dtype(dtype or a.dtype)), shape)

    return adapter


zeros_like, ones_like, empty_like, full_like = (
    like("zeros_like", 0),
    like("ones_like", 1),
    like("empty_like", 0),
    like("full_like", None),
)

# ---- Products


@of_numpy("dot")
def dot(a, b, out=None):
    plain("dot", out=out)
    return numd.dot(a, b)


@of_numpy("vdot", "linalg.vecdot")
def vdot(a, b):
    return numd.vecdot(numd.reshape(a, (-1,)), numd.reshape(b, (-1,)))


@of_numpy("inner")
def inner(a, b):
    if not np.ndim(a) or not np.ndim(b):
        return a * b
    return numd.tensordot(a, b, axes=((-1,), (-1,)))


@of_numpy("outer", "linalg.outer")
def outer(a, b, out=None):
    plain("outer", out=out)
    return numd.outer(numd.reshape(a, (-1,)), numd.reshape(b, (-1,)))


@of_numpy("tensordot")
def tensordot(a, b, axes=2):
    return numd.tensordot(a, b, axes=axes)


# ---- Linear algebra


@of_numpy("linalg.norm")
def norm(x, ord=None, axis=None, keepdims=False):
    if axis is None and ord is None:
        flat = numd.vector_norm(numd.reshape(x, (-1,)))
        return numd.reshape(flat, (1,) * x.ndim) if keepdims else flat
    axes = tuple(range(x.ndim)) if axis is None else as_tuple(axis)
    if len(axes) == 1:
        return numd.vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    found = numd.matrix_norm(moveaxis(x, axes, (-2, -1)), ord="fro" if ord is None else ord)
    return expand_dims(found, tuple(axis_of(i, x.ndim) for i in axes)) if keepdims else found


@of_numpy("linalg.qr")
def qr(a, mode="reduced"):
    factors = numd.qr(a, mode="reduced" if mode == "r" else mode)
    return factors.R if mode == "r" else factors


@of_numpy("linalg.svd")
def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    return numd.svd(a, full_matrices=full_matrices) if compute_uv else numd.svdvals(a)


@of_numpy("linalg.eigh")
def eigh(a, UPLO="L"):
    return numd.eigh(a, upper=UPLO.upper() == "U")


@of_numpy("linalg.eigvalsh")
def eigvalsh(a, UPLO="L"):
    return numd.eigvalsh(a, upper=UPLO.upper() == "U")


@of_numpy("linalg.lstsq")
def lstsq(a, b, rcond=None):
    rcond = None if isinstance(rcond, str) else rcond
    return tuple(numd.lstsq(a, b, rtol=rcond))


@of_numpy("linalg.pinv")
def pinv(a, rcond=None, hermitian=False, *, rtol=None):
    return numd.pinv(a, rtol=rcond if rtol is None or rtol is np._NoValue else rtol)


@of_numpy("linalg.matrix_rank")
def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    plain("linalg.matrix_rank", tol=tol)
    return numd.matrix_rank(A, rtol=rtol)


# ---- Methods of an ndarray


def no_method(name, instead):
    def method(x, *args, **kwargs):
        from ._trace import refuse as refuse_there

        refuse_there(f"{name}() of a traced value would change it in place: use {instead}")

    return method


METHODS = {
    **BY_NAME,
    "cumsum": BY_NAME["cumulative_sum"],
    "cumprod": BY_NAME["cumulative_prod"],
    "reshape": reshape,
    "ravel": ravel,
    "transpose": transpose,
    "swapaxes": swapaxes,
    "squeeze": squeeze,
    "clip": clip,
    "round": round_,
    "argsort": argsort,
    "take": take,
    "diagonal": diagonal,
    "trace": trace,
    "searchsorted": searchsorted,
    "repeat": lambda x, repeats, axis=None: numd.repeat(x, repeats, axis=axis),
    "conj": lambda x: numd.conj(x),
    "conjugate": lambda x: numd.conj(x),
    "ptp": ptp,
    "nonzero": lambda x: numd.nonzero(x),
    "sort": no_method("sort", "numd.sort"),
    "resize": no_method("resize", "numd.reshape"),
    "put": no_method("put", "numd.put"),
}

