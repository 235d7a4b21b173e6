# SPDX-License-Identifier: BSD-3-Clause
"""Heat in a plate: the equation of Poisson by Jacobi's iteration."""

import numpy as np


def solve(heat, edge, spacing, sweeps):
    """Temperatures after some sweeps, and by how much the last one changed them at most."""
    plate = edge.copy()
    following = edge.copy()
    for _ in range(sweeps):
        following[1:-1, 1:-1] = 0.25 * (
            plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:] + spacing**2 * heat[1:-1, 1:-1]
        )
        plate, following = following, plate
    return plate, np.abs(plate - following).max()


def residual(plate, heat, spacing):
    """What is left of the equation, as a root mean square."""
    laplacian = (
        plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:] - 4 * plate[1:-1, 1:-1]
    ) / spacing**2
    return np.sqrt(np.mean((laplacian + heat[1:-1, 1:-1]) ** 2))


def flow(plate, spacing):
    """Gradient in both directions and its greatest size."""
    down, right = np.gradient(plate, spacing)
    return down, right, np.hypot(down, right).max()
