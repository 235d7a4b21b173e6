"""What the array API standard wants beside the operations: dtypes, inspection, arrays like others, views."""

import math

import numpy as np

from . import _numd
from ._numd import Array, asarray, result_type
from ._rows import given, named, operand, operand_of, row, rows
from ._shape import as_tuple, axes_of, broadcast_to, is_array, permute_dims

e = math.e
inf = math.inf
nan = math.nan
newaxis = None
pi = math.pi

KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["numeric"] = KINDS["integral"] + KINDS["real floating"] + KINDS["complex floating"]

DTYPES = {name: getattr(_numd, name) for name in _numd._dtypes}


# ---- Inspection


class Info:
    """What this namespace offers, as `__array_namespace_info__` of the array API standard says it."""

    def capabilities(self):
        """A dict of what programs may rely on."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": _numd._MAX_DIMS}

    def default_device(self):
        """The only device."""
        return "cpu"

    def devices(self):
        """All devices."""
        return ("cpu",)

    def default_dtypes(self, *, device=None):
        """The dtypes of arrays for which none is given."""
        check_device(device)
        return {
            "real floating": DTYPES["float64"],
            "complex floating": DTYPES["complex128"],
            "integral": DTYPES["int64"],
            "indexing": DTYPES["int64"],
        }

    def dtypes(self, *, device=None, kind=None):
        """A dict of dtypes by name: all, or those of a kind or of one of a tuple of kinds."""
        check_device(device)
        return {name: dtype for name, dtype in DTYPES.items() if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__():
    """Inspection, as the array API standard has it."""
    return Info()


def check_device(device):
    if device not in (None, "cpu"):
        raise ValueError(f"unknown device {device!r}: the only one is 'cpu'")


# ---- Dtypes


def dtype_of(type):
    return type.dtype if hasattr(type, "dtype") and isinstance(type.dtype, np.dtype) else np.dtype(type)


def finfo(type, /):
    """Limits of a real or complex floating dtype, or of that of an array."""
    limits = np.finfo(dtype_of(type))
    return named(
        "FinfoResult",
        limits.bits,
        float(limits.eps),
        float(limits.max),
        float(limits.min),
        float(limits.smallest_normal),
        limits.dtype,
    )


def iinfo(type, /):
    """Limits of an integer dtype, or of that of an array."""
    limits = np.iinfo(dtype_of(type))
    return named("IinfoResult", limits.bits, int(limits.max), int(limits.min), np.dtype(limits.dtype))


def isdtype(dtype, kind):
    """Whether a dtype is `kind`: another dtype, the name of a kind, or one of a tuple of these.

    The kinds are 'bool', 'signed integer', 'unsigned integer', 'integral', 'real floating', 'complex floating' and
    'numeric'.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind in KINDS:
        return np.dtype(dtype).name in KINDS[kind]
    if isinstance(kind, str):
        raise ValueError(f"unknown kind {kind!r}: there are {', '.join(map(repr, KINDS))}")
    return np.dtype(dtype) == np.dtype(kind)


def can_cast(from_, to, /):
    """Whether values of a dtype, or of an array, become those of dtype `to` by promotion alone."""
    return result_type(dtype_of(from_), to) == np.dtype(to)


@row("astype")
def astype(x, dtype, copy=True, device=None, out=None):
    check_device(device)
    x = operand(x)
    if not copy and out is None and is_array(x) and x.dtype == np.dtype(dtype):
        return x
    return rows.astype(x, dtype=dtype, **given(out=out))


# ---- Arrays like others


def like(x, value, dtype, shape=None):
    """An array beside x, of its shape and dtype unless others are given, with one value everywhere; None: any."""
    x = operand(x)
    shape, dtype = x.shape if shape is None else as_tuple(shape), x.dtype if dtype is None else dtype
    if not is_array(x):  # one element is enough for a program
        return broadcast_to(operand_of(dtype, 0 if value is None else value), shape)
    array = _numd._empty_beside(x, shape, dtype)
    if value is not None:
        array[...] = value
    return array


def empty_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, with unspecified contents."""
    check_device(device)
    return like(x, None, dtype)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """A new array of x's shape and dtype with one value everywhere."""
    check_device(device)
    return like(x, fill_value, dtype)


def zeros_like(x, /, *, dtype=None, device=None):
    """A new array of zeros of x's shape and dtype."""
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x, /, *, dtype=None, device=None):
    """A new array of ones of x's shape and dtype."""
    return full_like(x, 1, dtype=dtype, device=device)


def from_dlpack(x, /, *, device=None, copy=None):
    """An Array of what another library exports by DLPack.

    An Array gives a view of the same memory. Other memory is not shared, so it is copied into shared memory;
    copy=False raises ValueError there.
    """
    check_device(device)
    if isinstance(x, Array):
        return asarray(x, copy=True) if copy else x[...]
    return asarray(np.from_dlpack(x), copy=copy)


def meshgrid(*arrays, indexing="xy"):
    """Coordinate matrices of coordinate vectors, as a tuple of new arrays.

    With indexing 'xy' the first two dimensions are exchanged; 'ij' leaves them in the order of the arrays.
    """
    return tuple(rows.copy(grid) for grid in broadcast_arrays(*open_grids(arrays, indexing)))


def open_grids(arrays, indexing):
    """Each of the vectors along its own dimension."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing is {indexing!r}: it can be 'xy' or 'ij'")
    n = len(arrays)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else range(n)
    return [operand(x).reshape(tuple(-1 if at == axis else 1 for at in order)) for axis, x in enumerate(arrays)]


# ---- Views


def broadcast_shapes(*shapes):
    """The shape to which arrays of these shapes broadcast."""
    return np.broadcast_shapes(*shapes)


def broadcast_arrays(*arrays):
    """Views of the arrays in the shape to which they broadcast, as a tuple."""
    arrays = [operand(array) for array in arrays]
    shape = np.broadcast_shapes(*[array.shape for array in arrays])
    return tuple(broadcast_to(array, shape) for array in arrays)


def expand_dims(x, /, axis):
    """A view with a dimension of length 1 at `axis` of the result, or at each of a tuple of axes."""
    x = operand(x)
    ndim = x.ndim + len(as_tuple(axis))
    new = axes_of(axis, ndim)
    return x[tuple(None if i in new else slice(None) for i in range(ndim))]


def squeeze(x, /, axis=None):
    """A view without the dimension `axis`, or each of a tuple of axes, whose lengths must be 1; by default without all
    such dimensions."""
    x = operand(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ValueError(f"dimension {i} has length {x.shape[i]}, not 1")
    return x[tuple(0 if i in axes else slice(None) for i in range(x.ndim))]


def moveaxis(x, source, destination, /):
    """A view with the dimensions `source` at `destination`; the others keep their order."""
    x = operand(x)
    source, destination = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    if len(source) != len(destination):
        raise ValueError(f"{len(source)} dimensions cannot go to {len(destination)} places")
    order = [axis for axis in range(x.ndim) if axis not in source]
    for to, axis in sorted(zip(destination, source)):
        order.insert(to, axis)
    return permute_dims(x, tuple(order))


def unstack(x, /, *, axis=0):
    """The parts of x along an axis as a tuple of views."""
    x = moveaxis(operand(x), axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))
