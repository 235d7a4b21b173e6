# SPDX-License-Identifier: BSD-3-Clause
"""Input data for the kernels' benchmark: random values by domain, of a dtype and a shape.

A domain names what an operation can take: asin wants [-1, 1], a divisor must not be zero, a shift stays below
the number of bits. `Arrays` keeps what was made, as a NumPy array in process and as a numd array in shared
memory, because many operations want the same; the oldest go when a limit of bytes is reached.
"""
import math
from collections import OrderedDict

import numpy as np

# domain -> (real numbers from, to; signed integers from, to; unsigned integers from, to), ends included;
# None: all values of the dtype. Complex numbers have both parts in the range of the reals.
RANGES = {
    "any": (-10, 10, None, None),
    "small": (-3, 3, -3, 3),
    "moderate": (-5, 5, -5, 5),
    "unit": (-0.99, 0.99, 0, 0),
    "positive": (0.01, 100, 1, 100),
    "above1": (1, 10, 1, 100),
    "nonzero": (0.5, 100, 1, 100),
    "base": (0.1, 4, -3, 3),
    "exponent": (-2, 2, 0, 4),
    "digit": (-1, 1, -1, 1),
}


def elements(shape):
    return math.prod(shape)


def part(rng, low, high, real, shape):
    values = rng.random(shape, dtype=real)
    values *= real.type(high - low)
    values += real.type(low)
    return values


def integers(rng, dtype, low, high, shape):
    info = np.iinfo(dtype)
    if low is None:
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return rng.integers(max(low, 0) if dtype.kind == "u" else low, high, shape, dtype, endpoint=True)


def from_range(rng, domain, dtype, shape):
    low, high, first, last = RANGES[domain]
    if dtype.kind == "b":
        return rng.integers(0, 2, shape, np.uint8).view(bool)
    if dtype.kind in "iu":
        return integers(rng, dtype, first, last, shape)
    if dtype.kind == "f":
        return part(rng, low, high, dtype, shape)
    real = np.empty(0, dtype).real.dtype
    values = np.empty(shape, dtype)
    values.real, values.imag = (part(rng, low, high, real, shape) for _ in range(2))
    return values


# ---- Domains that are more than a range

def holes(rng, dtype, shape):
    """About half of the elements are zero, in no order."""
    values = from_range(rng, "positive", dtype, shape)
    values *= rng.integers(0, 2, shape, np.uint8).view(bool)
    return values


def factors(rng, dtype, shape):
    """Whose product neither overflows nor vanishes: near one, or odd integers, which wrap round to odd ones."""
    values = from_range(rng, "any", dtype, shape)
    if dtype.kind in "biu":
        return values | values.dtype.type(1)
    values *= dtype.type(1e-4)
    values += dtype.type(1)
    return values / np.abs(values) if dtype.kind == "c" else values


def repeated(rng, dtype, shape):
    """As many different values as a quarter of the elements, where the dtype has so many."""
    return rng.choice(from_range(rng, "any", dtype, (max(1, elements(shape) // 4),)), shape)


def regular(rng, dtype, shape):
    """Matrices that are far from singular: the diagonal outweighs the rest."""
    values = from_range(rng, "digit", dtype, shape)
    values += 40 * np.eye(shape[-1], dtype=dtype)
    return values


def positive_definite(rng, dtype, shape):
    """Symmetric or hermitian, with positive eigenvalues."""
    values = np.tril(from_range(rng, "digit", dtype, shape), -1)
    return values + values.conj().swapaxes(-1, -2) + (60 * np.eye(shape[-1])).astype(dtype)


def permutation(rng, n, shape):
    return rng.permutation(n)[:elements(shape)].reshape(shape)


DERIVED = {
    "holes": holes,
    "factors": factors,
    "repeated": repeated,
    "regular": regular,
    "definite": positive_definite,
    "unmet": lambda rng, dtype, shape: (np.zeros(shape, dtype) if dtype.kind == "b"
                                        else from_range(rng, "small", dtype, shape)),
    "false": lambda rng, dtype, shape: np.zeros(shape, dtype),
    "true": lambda rng, dtype, shape: np.ones(shape, dtype),
    "sorted": lambda rng, dtype, shape: np.sort(from_range(rng, "any", dtype, shape)),
    "shift": lambda rng, dtype, shape: rng.integers(0, 8 * dtype.itemsize, shape, dtype),
    "mask": lambda rng, dtype, shape: from_range(rng, "any", np.dtype(bool), shape),
}


def make(rng, domain, dtype, shape, n):
    """Random values. Domains of indices name what they index: "index" the n elements of a vector, each at most
    once; "column" the columns of a square matrix of about n elements."""
    dtype = np.dtype(dtype)
    if domain == "index":
        return permutation(rng, n, shape)
    if domain == "column":
        return np.argsort(rng.random(shape), axis=-1)
    if domain in DERIVED:
        return np.ascontiguousarray(DERIVED[domain](rng, dtype, shape))
    return from_range(rng, domain, dtype, shape)


class Arrays:
    """Pairs (NumPy array, numd array) of the same values."""

    def __init__(self, numd, seed, limit_bytes):
        self.numd, self.seed, self.limit_bytes = numd, seed, limit_bytes
        self.pairs, self.bytes = OrderedDict(), 0

    def keep(self, key, make_pair):
        if key not in self.pairs:
            pair = make_pair()
            self.bytes += 2 * pair[0].nbytes
            self.pairs[key] = pair
        self.pairs.move_to_end(key)
        return self.pairs[key]

    def trim(self):
        """Lets go of the oldest until the limit holds. Not while a case holds its arrays: they would not be freed."""
        while self.bytes > self.limit_bytes and self.pairs:
            _, pair = self.pairs.popitem(last=False)
            self.bytes -= 2 * pair[0].nbytes

    def input(self, domain, dtype, shape, n, number):
        """The number tells inputs of the same domain apart."""
        def make_pair():
            words = [self.seed, number, n, *f"{domain} {np.dtype(dtype).name}".encode()]
            array = make(np.random.default_rng(words), domain, dtype, shape, n)
            return array, self.numd.asarray(array)
        return self.keep((domain, np.dtype(dtype).name, shape, n, number), make_pair)

    def output(self, dtype, shape, number):
        def make_pair():
            return np.zeros(shape, dtype), self.numd.zeros(shape, dtype=np.dtype(dtype))
        return self.keep(("output", np.dtype(dtype).name, shape, number), make_pair)

    def clear(self):
        self.pairs.clear()
        self.bytes = 0
