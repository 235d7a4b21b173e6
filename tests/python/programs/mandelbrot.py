# SPDX-License-Identifier: BSD-3-Clause
"""After how many steps of z² + c each point leaves the circle of radius 2."""

import numpy as np


def plane(real, imaginary):
    """The complex numbers of a grid."""
    return real + 1j * imaginary[:, np.newaxis]


def escape_times(c, most):
    """Counts for the points c; `most` where a point has not left by then."""
    z = np.zeros_like(c)
    times = np.full_like(c, most, dtype=np.int64)
    inside = np.ones_like(c, dtype=bool)
    for step in range(most):
        z[inside] = z[inside] ** 2 + c[inside]
        leaves = inside & (np.abs(z) > 2)
        times[leaves] = step
        inside[leaves] = False
        if not inside.any():
            break
    return times


def area(times, most, cell):
    """Of the points that stayed."""
    return np.sum(times == most) * cell
