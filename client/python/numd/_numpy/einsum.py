# SPDX-License-Identifier: BSD-3-Clause
"""np.einsum: products of pairs of operands, each one batched matrix product.

Letters of a pair are of four kinds: in both operands and wanted later (the batch), in both and not wanted (summed
up), and those of one operand alone. What a single operand repeats is a diagonal, and what nobody else wants of it
is summed up first.
"""

import math

import numpy as np

from .. import _numd
from .._standard import shape as _shape
from .._standard.operands import is_traced, operand
from .._standard.rows import rows
from .registry import implements, need
from .ufuncs import store

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@implements("einsum")
def einsum(*operands, out=None, dtype=None, order="K", casting="safe", optimize=False):
    need(len(operands) > 1 and isinstance(operands[0], str))
    need(order in ("K", "C") and casting in ("safe", "same_kind"))
    arrays = [operand(array) for array in operands[1:]]
    wide = _numd.result_type(*(array.dtype for array in arrays)) if dtype is None else np.dtype(dtype)
    need(wide.kind != "b" and all(np.can_cast(array.dtype, wide, casting) for array in arrays))
    arrays = [array if array.dtype == wide else rows.astype(array, dtype=wide) for array in arrays]
    inputs, output = parsed(operands[0], [array.ndim for array in arrays])
    parts = [diagonal(*pair) for pair in zip(inputs, arrays)]
    while len(parts) > 1:
        rest = output + "".join(letters for letters, _ in parts[2:])
        parts[:2] = [product(*parts[0], *parts[1], rest)]
    letters, result = reduced(*parts[0], output)
    result = result.transpose(tuple(map(letters.index, output)))
    if out is None and not is_traced(result) and any(shares_memory(result, array) for array in arrays):
        result = result.copy()
    return store(result, out)


def shares_memory(a, b):
    return np.may_share_memory(np.asarray(a), np.asarray(b))


def parsed(subscripts, ndims):
    """The letters of each operand and those of the result; `...` as letters that the subscripts do not use."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    need(len(inputs) == len(ndims))
    free = [letter for letter in LETTERS if letter not in subscripts]
    n_dots = [ndim - len(part.replace("...", "")) for part, ndim in zip(inputs, ndims)]
    dots = "".join(free[: max([n for n, part in zip(n_dots, inputs) if "..." in part], default=0)])
    inputs = [part.replace("...", dots[len(dots) - n :]) for part, n in zip(inputs, n_dots)]
    if not arrow:
        every = "".join(inputs)
        output = dots + "".join(sorted(x for x in set(every) if every.count(x) == 1 and x not in dots))
    output = output.replace("...", dots)
    need(all(len(part) == ndim for part, ndim in zip(inputs, ndims)))
    need(len(set(output)) == len(output) and set(output) <= set("".join(inputs)) <= set(LETTERS))
    return inputs, output


def diagonal(letters, array):
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            first, second = letters.index(letter), letters.rindex(letter)
            order = [i for i in range(array.ndim) if i not in (first, second)]
            array = _shape.diagonal(array.transpose((*order, first, second)))
            letters = "".join(letters[i] for i in order) + letter
    return letters, array


def reduced(letters, array, wanted):
    """With the letters summed up that are not wanted."""
    axes = tuple(i for i, letter in enumerate(letters) if letter not in wanted)
    if axes:
        array = rows.sum(array, axis=axes, dtype=array.dtype)
    return "".join(letter for letter in letters if letter in wanted), array


def product(first, a, second, b, rest):
    first, a = reduced(first, a, second + rest)
    second, b = reduced(second, b, first + rest)
    shared = [letter for letter in first if letter in second]
    batch = [letter for letter in shared if letter in rest]
    summed = [letter for letter in shared if letter not in rest]
    of_a, of_b = [[x for x in letters if x not in shared] for letters in (first, second)]
    a = a.transpose(tuple(map(first.index, batch + of_a + summed)))
    b = b.transpose(tuple(map(second.index, batch + summed + of_b)))
    letters = "".join(batch + of_a + of_b)
    if not summed:  # no matrix product: numbers multiplied
        n = len(batch)
        a = a.reshape(a.shape + (1,) * len(of_b))
        b = b.reshape(b.shape[:n] + (1,) * len(of_a) + b.shape[n:])
        return letters, rows.multiply(a, b)
    n = len(batch)
    lengths = np.broadcast_shapes(a.shape[:n], b.shape[:n])
    k, m, n_columns = len(of_a), math.prod(a.shape[n : n + len(of_a)]), math.prod(b.shape[n + len(summed) :])
    depth = np.broadcast_shapes(a.shape[n + k :], b.shape[n : n + len(summed)])
    shape = lengths + a.shape[n : n + k] + b.shape[n + len(summed) :]
    a = _shape.broadcast_to(a, a.shape[: n + k] + depth).reshape(a.shape[:n] + (m, math.prod(depth)))
    b = _shape.broadcast_to(b, b.shape[:n] + depth + b.shape[n + len(summed) :])
    b = b.reshape(b.shape[:n] + (math.prod(depth), n_columns))
    return letters, rows.matmul(a, b).reshape(shape)
