# SPDX-License-Identifier: BSD-3-Clause
"""Results with names. Imported when the first one is made, for a named tuple takes long to define."""

from typing import NamedTuple

import numpy as np

from .._errors import public
from .._numd import Array


@public
class QRResult(NamedTuple):
    """What qr gives."""

    Q: Array
    R: Array


@public
class SVDResult(NamedTuple):
    """What svd gives."""

    U: Array
    S: Array
    Vh: Array


@public
class EighResult(NamedTuple):
    """What eigh gives."""

    eigenvalues: Array
    eigenvectors: Array


@public
class EigResult(NamedTuple):
    """What eig gives."""

    eigenvalues: Array
    eigenvectors: Array


@public
class SlogdetResult(NamedTuple):
    """What slogdet gives; numbers for a single matrix."""

    sign: Array
    logabsdet: Array


@public
class LstsqResult(NamedTuple):
    """What lstsq gives."""

    x: Array
    residuals: Array
    rank: int
    singular_values: Array


@public
class UniqueAllResult(NamedTuple):
    """What unique_all gives."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


@public
class UniqueCountsResult(NamedTuple):
    """What unique_counts gives."""

    values: Array
    counts: Array


@public
class UniqueInverseResult(NamedTuple):
    """What unique_inverse gives."""

    values: Array
    inverse_indices: Array


@public
class FinfoResult(NamedTuple):
    """Limits of a floating-point dtype, as finfo gives them; of the parts for a complex one."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype


@public
class IinfoResult(NamedTuple):
    """Limits of an integer dtype, as iinfo gives them."""

    bits: int
    max: int
    min: int
    dtype: np.dtype
