# SPDX-License-Identifier: BSD-3-Clause
"""What is measured on which data: cases, sizes, inputs, and the right answers by NumPy."""
import pathlib
from dataclasses import dataclass

import numpy as np

DATA_DIR = pathlib.Path(__file__).resolve().parents[3] / "tests" / "data"

# Values are numbered inputs first, then one an operation; the last is the answer. ways_c/cases.c has the
# same list.
PROGRAMS = {
    "add": [("add", 0, 1)],
    "sum": [("sum", 0)],
    "expr": [("multiply", 0, 1), ("sqrt", 0), ("add", 2, 3), ("exp", 1), ("subtract", 4, 5)],
    "matmul": [("matmul", 0, 1)],
}
N_INPUTS = {"add": 2, "sum": 1, "expr": 2, "matmul": 2}
FORMULAS = {"add": "a + b", "sum": "sum(a)", "expr": "a*b + sqrt(a) - exp(b)", "matmul": "a @ b"}

SIZES = (1, 64, 10**3, 10**4, 10**5, 10**6, 10**7)
SIDES = (8, 64, 256, 512, 1024)
QUICK_SIZES = (64, 10**4, 10**6)
QUICK_SIDES = (64, 512)

# Up to these all gears of waiting are measured; a longer call hides them.
GEARS_UP_TO = 10**5
GEARS_UP_TO_SIDE = 256


@dataclass(frozen=True)
class Point:
    """One case at one size or on one data set."""
    case: str
    n: int       # elements of an input; for matmul the side of the result
    data: str = None

    @property
    def gears(self):
        return self.data is None and self.n <= (GEARS_UP_TO_SIDE if self.case == "matmul" else GEARS_UP_TO)

    @property
    def with_floors(self):
        """Where the floors take part, so that they are compared with what was measured at the same time."""
        return (self.case, self.n, self.data) == ("add", 64, None)

    @property
    def for_figures(self):
        return self.case in ("add", "sum") and self.n == 64 and not self.data

    @property
    def label(self):
        return f"{self.case} {self.n}" + (f" ({self.data})" if self.data else "")


def points(quick=False):
    """Everything that a run measures, in its order."""
    sizes, sides = (QUICK_SIZES, QUICK_SIDES) if quick else (SIZES, SIDES)
    out = [Point(case, n) for case in ("add", "sum", "expr") for n in sizes]
    out += [Point("matmul", n) for n in sides]
    for data in ("digits", "photo", "diabetes"):
        n = int(real_matrix(data).size)
        out += [Point(case, n, data) for case in ("add", "sum", "expr")]
        if data != "photo":
            out.append(Point("matmul", real_matrix(data).shape[1], data))
    return out


def real_matrix(data):
    """A real data set as float64 in [0, 1], without its last column where that is the label."""
    if data == "digits":
        return np.load(DATA_DIR / "digits.npy")[:, :-1] / 16.0
    if data == "photo":
        return np.load(DATA_DIR / "china.npy") / 255.0
    raw = np.load(DATA_DIR / "diabetes.npy")[:, :-1]
    return (raw - raw.min(axis=0)) / (raw.max(axis=0) - raw.min(axis=0))


def inputs(point):
    """The input arrays of a point: for real data the matrix and its mirror image; for its matmul the
    transposed matrix, as an array of its own, and the matrix."""
    if point.data:
        x = np.ascontiguousarray(real_matrix(point.data))
        pair = (x.T, x) if point.case == "matmul" else (x, np.flip(x, axis=min(1, x.ndim - 2)))
        return [np.ascontiguousarray(p) for p in pair[:N_INPUTS[point.case]]]
    shape = (point.n, point.n) if point.case == "matmul" else (point.n,)
    random = np.random.default_rng(20240 + point.n)
    return [random.random(shape) for _ in range(N_INPUTS[point.case])]


def vectors(numd, n, how_many):
    """(arrays of random numbers for NumPy, arrays of the same numbers for numd)"""
    random = np.random.default_rng(7)
    mine = [random.random(n) + 0.1 for _ in range(how_many)]
    return mine, [numd.asarray(x) for x in mine]


def expected(point, arrays):
    if point.case == "sum":
        return np.asarray(np.sum(arrays[0]))
    if point.case == "expr":
        a, b = arrays
        return a * b + np.sqrt(a) - np.exp(b)
    return {"add": np.add, "matmul": np.matmul}[point.case](*arrays)


def check(point, result, wanted):
    """None if the result is right, else a sentence. `add` must be exact; the others may round."""
    if result.size != wanted.size:
        return f"{point.label}: {result.size} numbers instead of {wanted.size}"
    result = result.reshape(wanted.shape)
    if point.case == "add":
        good = np.array_equal(result, wanted)
    else:
        good = np.allclose(result, wanted, rtol=1e-10, atol=1e-11)
    if good:
        return None
    with np.errstate(all="ignore"):
        worst = np.nanmax(np.abs(result - wanted)) if np.isfinite(result).any() else float("nan")
    return f"{point.label}: wrong result, off by up to {worst:.3g}; {int(np.isnan(result).sum())} are NaN"
