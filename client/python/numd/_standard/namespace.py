"""What the array API standard wants beside the operations: dtypes, inspection, arrays like others, views."""

import math

import numpy as np

from .. import _numd
from .._numd import Array, asarray, result_type
from .operands import given, named, operand, operand_of
from .rows import row, rows
from .shape import as_tuple, axes_of, broadcast_to, is_array, permute_dims

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
    """Inspection, as the array API standard has it.

    Returns
    -------
    Info
        With methods `capabilities`, `default_device`, `default_dtypes`, `devices` and `dtypes`.

    Examples
    --------
    >>> import numd
    >>> numd.__array_namespace_info__().default_device()
    'cpu'
    """
    return Info()


def check_device(device):
    if device not in (None, "cpu"):
        raise ValueError(f"unknown device {device!r}: the only one is 'cpu'")


# ---- Dtypes


def dtype_of(type):
    return type.dtype if hasattr(type, "dtype") and isinstance(type.dtype, np.dtype) else np.dtype(type)


def finfo(type, /):
    """Limits of a real or complex floating dtype.

    Parameters
    ----------
    type : dtype or Array
        Of an array its dtype counts.

    Returns
    -------
    FinfoResult
        Named tuple of bits, eps, max, min, smallest_normal and dtype; those of the parts for a complex dtype.

    Examples
    --------
    >>> import numd
    >>> numd.finfo(numd.float64).eps
    2.220446049250313e-16
    """
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
    """Limits of an integer dtype.

    Parameters
    ----------
    type : dtype or Array
        Of an array its dtype counts.

    Returns
    -------
    IinfoResult
        Named tuple of bits, max, min and dtype.

    Examples
    --------
    >>> import numd
    >>> numd.iinfo(numd.int8).max
    127
    """
    limits = np.iinfo(dtype_of(type))
    return named("IinfoResult", limits.bits, int(limits.max), int(limits.min), np.dtype(limits.dtype))


def isdtype(dtype, kind):
    """Whether a dtype is of a kind.

    Parameters
    ----------
    dtype : dtype
        What is asked about.
    kind : dtype, str or tuple
        Another dtype; 'bool', 'signed integer', 'unsigned integer', 'integral', 'real floating', 'complex floating' or
        'numeric'; or a tuple of these, of which one has to fit.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        There is no such kind.

    Examples
    --------
    >>> import numd
    >>> numd.isdtype(numd.float32, ("integral", "real floating"))
    True
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, one) for one in kind)
    if isinstance(kind, str) and kind in KINDS:
        return np.dtype(dtype).name in KINDS[kind]
    if isinstance(kind, str):
        raise ValueError(f"unknown kind {kind!r}: there are {', '.join(map(repr, KINDS))}")
    return np.dtype(dtype) == np.dtype(kind)


def can_cast(from_, to, /):
    """Whether values of a dtype become those of another by promotion alone.

    Parameters
    ----------
    from_ : dtype or Array
        Of an array its dtype counts.
    to : dtype
        The other dtype.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numd
    >>> numd.can_cast(numd.int8, numd.int16), numd.can_cast(numd.int16, numd.int8)
    (True, False)
    """
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
    """A new array of x's shape and dtype, with unspecified contents.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    check_device(device)
    return like(x, None, dtype)


def full_like(x, /, fill_value, *, dtype=None, device=None):
    """A new array of x's shape and dtype, with one value everywhere.

    Parameters
    ----------
    x : array_like
        The array.
    fill_value : scalar
        The value.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    check_device(device)
    return like(x, fill_value, dtype)


def zeros_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, of zeros.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x, /, *, dtype=None, device=None):
    """A new array of x's shape and dtype, of ones.

    Parameters
    ----------
    x : array_like
        The array.
    dtype : dtype, optional
        Another one than that of x.
    device : str, optional
        'cpu', the only one.

    Returns
    -------
    Array
        In the session of x.
    """
    return full_like(x, 1, dtype=dtype, device=device)


def from_dlpack(x, /, *, device=None, copy=None):
    """An Array of what another library exports by DLPack.

    Parameters
    ----------
    x : object
        With `__dlpack__` and `__dlpack_device__`. An Array gives a view of the same memory; other memory is not shared,
        so it is copied into shared memory.
    device : str, optional
        'cpu', the only one.
    copy : bool, optional
        True copies always; False raises where a copy would be needed.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        A copy would be needed, and copy is False.

    Examples
    --------
    >>> import numd, numpy as np
    >>> numd.from_dlpack(np.arange(3))
    numd.Array([0, 1, 2], dtype=int64)
    """
    check_device(device)
    if isinstance(x, Array):
        return asarray(x, copy=True) if copy else x[...]
    return asarray(np.from_dlpack(x), copy=copy)


def meshgrid(*arrays, indexing="xy"):
    """Coordinate matrices of coordinate vectors.

    Parameters
    ----------
    *arrays : array_like
        Vectors, or scalars.
    indexing : {'xy', 'ij'}, optional
        'xy' exchanges the first two dimensions; 'ij' leaves them in the order of the arrays.

    Returns
    -------
    tuple of Array
        New ones, as many as there are vectors.

    Examples
    --------
    >>> import numd
    >>> x, y = numd.meshgrid([1, 2], [3, 4])
    >>> x.tolist(), y.tolist()
    ([[1, 2], [1, 2]], [[3, 3], [4, 4]])
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
    """The shape to which arrays of these shapes broadcast.

    Parameters
    ----------
    *shapes : tuple of int
        Shapes of arrays.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        They do not.

    Examples
    --------
    >>> import numd
    >>> numd.broadcast_shapes((3, 1), (4,))
    (3, 4)
    """
    return np.broadcast_shapes(*shapes)


def broadcast_arrays(*arrays):
    """Views of the arrays in the shape to which they broadcast.

    Parameters
    ----------
    *arrays : array_like
        The arrays.

    Returns
    -------
    tuple of Array
        Elements that are repeated lie at the same place, so storing through a view changes all of them.

    Raises
    ------
    ValueError
        They do not broadcast.
    """
    arrays = [operand(array) for array in arrays]
    shape = np.broadcast_shapes(*[array.shape for array in arrays])
    return tuple(broadcast_to(array, shape) for array in arrays)


def expand_dims(x, /, axis):
    """A view with new dimensions of length 1.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or tuple of int
        Where they are in the result.

    Returns
    -------
    Array

    Raises
    ------
    IndexError
        An axis is out of bounds.

    Examples
    --------
    >>> import numd
    >>> numd.expand_dims(numd.zeros(3), axis=(0, -1)).shape
    (1, 3, 1)
    """
    x = operand(x)
    ndim = x.ndim + len(as_tuple(axis))
    new = axes_of(axis, ndim)
    return x[tuple(None if i in new else slice(None) for i in range(ndim))]


def squeeze(x, /, axis=None):
    """A view without dimensions of length 1.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int or tuple of int, optional
        Which; all of that length by default.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        The length of a dimension is not 1, or there is no such dimension.

    Examples
    --------
    >>> import numd
    >>> numd.squeeze(numd.zeros((1, 3, 1))).shape
    (3,)
    """
    x = operand(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else axes_of(axis, x.ndim)
    for i in axes:
        if x.shape[i] != 1:
            raise ValueError(f"dimension {i} has length {x.shape[i]}, not 1")
    return x[tuple(0 if i in axes else slice(None) for i in range(x.ndim))]


def moveaxis(x, source, destination, /):
    """A view with dimensions at other places.

    Parameters
    ----------
    x : array_like
        The array.
    source : int or tuple of int
        Which.
    destination : int or tuple of int
        Where they go; the others keep their order.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        An axis is out of bounds or given twice, or there are more of one than of the other.

    Examples
    --------
    >>> import numd
    >>> numd.moveaxis(numd.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = operand(x)
    source, destination = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    if len(source) != len(destination):
        raise ValueError(f"{len(source)} dimensions cannot go to {len(destination)} places")
    order = [axis for axis in range(x.ndim) if axis not in source]
    for to, axis in sorted(zip(destination, source)):
        order.insert(to, axis)
    return permute_dims(x, tuple(order))


def unstack(x, /, *, axis=0):
    """The parts of x along an axis.

    Parameters
    ----------
    x : array_like
        The array.
    axis : int, optional
        The first by default.

    Returns
    -------
    tuple of Array
        Views.

    Examples
    --------
    >>> import numd
    >>> [float(row.sum()) for row in numd.unstack(numd.ones((2, 3)))]
    [3.0, 3.0]
    """
    x = moveaxis(operand(x), axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))
