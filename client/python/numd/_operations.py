"""The list of operations as Python sees it."""

from typing import NamedTuple

from . import _numd
from ._rows import parameters


class Operation(NamedTuple):
    """A row of the list of operations."""

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
