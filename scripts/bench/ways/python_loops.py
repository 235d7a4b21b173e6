# SPDX-License-Identifier: BSD-3-Clause
"""Plain Python loops over lists of float, without NumPy: in the usual interpreter, and in PyPy, which compiles them."""
import math

from bench.subjects.way import Call, Way

LIMITS = dict(largest=10**5, largest_side=64)  # beyond them a call takes longer than anyone would wait
WAYS = [Way(name="python-loops", title="Python loops", group="loops", client="python", **LIMITS),
        Way(name="pypy-loops", title="PyPy loops", group="loops", client="python", interpreter="pypy3", **LIMITS)]


def add(a, b):
    return [x + y for x, y in zip(a, b)]


def expr(a, b, sqrt=math.sqrt, exp=math.exp):
    return [x * y + sqrt(x) - exp(y) for x, y in zip(a, b)]


def matmul(a, b):
    """Of square matrices, as flat lists of their rows."""
    side = math.isqrt(len(a))
    columns = [b[j::side] for j in range(side)]
    rows = [a[i * side:(i + 1) * side] for i in range(side)]
    out = []
    for row in rows:
        for column in columns:
            total = 0.0
            for x, y in zip(row, column):
                total += x * y
            out.append(total)
    return out


LOOPS = {"add": add, "sum": sum, "expr": expr, "matmul": matmul}


def flat_list(numbers):
    """A list of the numbers of an ndarray or of an array.array."""
    return numbers.ravel().tolist() if hasattr(numbers, "ravel") else numbers.tolist()


def open_call(job):
    names = dict(zip("ab", map(flat_list, job.inputs)), f=LOOPS[job.case])
    return Call(f"r = f({', '.join('ab'[:len(job.inputs)])})", names, result=None)
