# SPDX-License-Identifier: BSD-3-Clause
"""Linear algebra: the extension `linalg` of the array API standard, and lstsq.

Matrices are the last two axes; those before are a batch. What is singular, or does not converge, raises
LinAlgError.
"""

from ._errors import LinAlgError
from ._standard.namespace import OPERATIONS as _OPERATIONS

_NAMES = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]


def __getattr__(name):
    """The names that NumPy has beyond these, such as norm."""
    function = None
    if not name.startswith("_"):
        from ._numpy.dispatch import of_numpy

        function = of_numpy(f"linalg.{name}")
    if function is None:
        raise AttributeError(f"module 'numd.linalg' has no attribute '{name}'")
    return function


globals().update({name: _OPERATIONS[name] for name in _NAMES})

__all__ = [*_NAMES, "LinAlgError"]
