# SPDX-License-Identifier: BSD-3-Clause
"""k-means (Lloyd's algorithm)."""

import numpy as np


def kmeans(points, centres, rounds):
    """Centres, the cluster of each point, and the sum of squared distances."""
    centres = centres.copy()
    for _ in range(rounds):
        nearest, _ = assign(points, centres)
        before = centres.copy()
        for i in range(len(centres)):
            members = points[nearest == i]
            if len(members):
                centres[i] = members.mean(axis=0)
        if np.allclose(centres, before, rtol=0, atol=1e-9):
            break
    nearest, distance = assign(points, centres)
    return centres, nearest, distance.sum()


def assign(points, centres):
    """The nearest centre of each point, and the squared distance to it."""
    squares = ((points[:, np.newaxis, :] - centres) ** 2).sum(axis=-1)
    return squares.argmin(axis=1), squares.min(axis=1)
