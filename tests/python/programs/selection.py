# SPDX-License-Identifier: BSD-3-Clause
"""Tables worked on by index arrays and masks: sieve, ranks, winsorising, tournament, moves of a permutation."""

import numpy as np


def primes(numbers):
    """Those of 0, 1, 2, ... that are prime."""
    is_prime = numbers > 1
    for n in range(2, int(len(numbers) ** 0.5) + 1):
        if is_prime[n]:
            is_prime[n * n :: n] = False
    return numbers[is_prime]


def ranks(values):
    """Places in order, 0 for the smallest; equal values in the order they have."""
    order = np.argsort(values, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places


def winsorised(table, share):
    """With the smallest and the greatest values of each column replaced by what is next to them."""
    table = table.copy()
    cut = int(share * len(table))
    order = table.argsort(axis=0, kind="stable")
    columns = np.arange(table.shape[1])
    table[order[:cut], columns] = table[order[cut], columns]
    table[order[len(table) - cut :], columns] = table[order[len(table) - cut - 1], columns]
    return table


def marked(table, rows, columns):
    """A string of assignments to parts of a table."""
    table = table.copy()
    table[rows] += 1
    table[:, columns] *= 2
    table[np.ix_(rows, columns)] = -1
    table[rows[0], ::2] = table[rows[1], ::2]
    table[table > table.mean()] = 0
    table[[0, -1]] = table[[-1, 0]]
    table[..., -1] = np.where(table[..., -1] < 0, 100, table[..., -1])
    table[table[:, 0] == 0, 1:3] = [7, 8]
    return table


def totals(values, groups, n_groups):
    """Sum of the values of each group, though groups repeat."""
    sums = np.zeros_like(values, shape=n_groups)
    np.add.at(sums, groups, values)
    return sums
