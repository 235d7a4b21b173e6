# SPDX-License-Identifier: BSD-3-Clause
"""Conway's Game of Life, with dead cells around the board, and on a torus."""

import numpy as np


def step(cells):
    """The next generation, in place; the outermost cells stay as they are."""
    neighbours = (
        cells[:-2, :-2] + cells[:-2, 1:-1] + cells[:-2, 2:]
        + cells[1:-1, :-2] + cells[1:-1, 2:]
        + cells[2:, :-2] + cells[2:, 1:-1] + cells[2:, 2:]
    )  # fmt: skip
    inner = cells[1:-1, 1:-1]
    born = (neighbours == 3) & (inner == 0)
    survives = ((neighbours == 2) | (neighbours == 3)) & (inner == 1)
    cells[...] = 0
    cells[1:-1, 1:-1][born | survives] = 1


def play(cells, generations):
    """How many cells live in each generation; the board is changed."""
    alive = []
    for _ in range(generations):
        step(cells)
        alive.append(int(np.count_nonzero(cells)))
    return alive


def play_on_torus(cells, generations):
    """The board after some generations."""
    alive = cells.astype(bool)
    for _ in range(generations):
        counts = alive.astype(np.uint8)
        around = sum(
            np.roll(counts, (down, right), axis=(0, 1))
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if (down, right) != (0, 0)
        )
        alive = (around == 3) | (alive & (around == 2))
    return alive
