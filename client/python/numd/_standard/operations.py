# SPDX-License-Identifier: BSD-3-Clause
"""The list of operations as Python sees it."""

from typing import NamedTuple

from .. import _numd
from .._errors import public
from .rows import parameters


@public
class Operation(NamedTuple):
    """A row of the list of operations.

    Attributes
    ----------
    number : int
        In the protocol.
    name : str
        Of the function.
    kind : str
        How it is computed: 'MAP', 'REDUCE', 'SCAN', 'PRODUCT', 'VIEW', 'MOVE', 'ORDER', 'MAKE' or 'LINALG'.
    n_inputs : int
        Arrays that it takes; negative if any number.
    n_outputs : int
        Arrays that it gives; one more where the last tells how many elements of the others count.
    dtypes : str
        Kinds of the inputs, as `numpy.dtype.kind` has them.
    typing : str
        The rule for the dtype of the result.
    parameters : tuple of str
        Keywords.
    ulp : float
        Bound of the error of a float64 result, in units in the last place; 0 for exact ones.
    fast : str
        What makes it fast.
    documentation : str
        What it computes.
    """

    number: int
    name: str
    kind: str
    n_inputs: int
    n_outputs: int
    dtypes: str
    typing: str
    parameters: tuple
    ulp: float
    fast: str
    documentation: str


# The parameters that each row takes, as (keyword, type, documentation).
PARAMETERS = {
    row[1]: parameters(row) for row in _numd._ops
}
OPS = {
    row[1]: Operation(*row[:7], tuple(keyword for keyword, _, _ in PARAMETERS[row[1]]), *row[8:])
    for row in _numd._ops
}
