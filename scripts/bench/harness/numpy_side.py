# SPDX-License-Identifier: BSD-3-Clause
"""What the other side of a pipe computes, with NumPy: a function of the inputs for each case."""
import numpy as np

COMPUTE = {
    "add": np.add,
    "sum": lambda a: float(np.sum(a)),
    "expr": lambda a, b: a * b + np.sqrt(a) - np.exp(b),
    "matmul": np.matmul,
}


def compute(case, *inputs):
    """The answer as a new array or a number."""
    return COMPUTE[case](*inputs)


def compute_into(case, inputs, out):
    """The same, with the answer stored in `out`."""
    if case in ("add", "matmul"):
        COMPUTE[case](*inputs, out=out)
    else:
        out[...] = COMPUTE[case](*inputs)
