# SPDX-License-Identifier: BSD-3-Clause
"""What notebooks and the interactive prompt show; of an Array a small table, and some of its values."""

import html

import numpy as np

N_VALUES = 200  # of more, only those at the edges are shown
N_EDGE = 3
MAX_DIMS = 3  # of more, only the first elements are shown


def size(n):
    """Bytes for people: 12.5 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024:
            return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def table(rows):
    left = "style='text-align: left'"
    cells = [f"<tr><th {left}>{html.escape(name)}</th><td {left}>{html.escape(text)}</td></tr>" for name, text in rows]
    return f"<table>{''.join(cells)}</table>"


def text(lines):
    return f"<pre>{html.escape(lines)}</pre>"


def values(view):
    if view.ndim <= MAX_DIMS or view.size <= N_VALUES:
        return np.array2string(view, separator=", ", threshold=N_VALUES, edgeitems=N_EDGE)
    return f"{np.array2string(view.flat[:N_EDGE], separator=', ')[:-1]}, ..."


def array(a):
    """HTML of an Array: shape, dtype, memory, values."""
    view = np.asarray(a)
    layout = "" if view.flags.c_contiguous else f", strides {a.strides}"
    rows = [
        ("numd.Array", f"{' × '.join(map(str, a.shape)) or 'no dimensions'}{layout}"),
        ("dtype", a.dtype.name),
        ("memory", f"{size(a.nbytes)}, shared"),
    ]
    return f"{table(rows)}{text(values(view))}"


class Explanation(str):
    """What function.explain gives: printed as it is where Python shows what an expression gave."""

    __slots__ = ()

    def __repr__(self):
        return str(self)
