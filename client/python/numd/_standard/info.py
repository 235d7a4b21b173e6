# SPDX-License-Identifier: BSD-3-Clause
"""What the namespace offers, and what dtypes are: inspection and dtypes as the array API standard has them."""

import numpy as np

from .. import _numd
from .._errors import public
from .._numd import result_type
from .operands import given, is_array, named, operand
from .rows import row, rows

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


@public
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


@public
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


@public
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


@public
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


@public
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
