# SPDX-License-Identifier: BSD-3-Clause
"""Moving averages of series, and what a chart shows beside them."""

import numpy as np


def moving_average(series, width):
    """Of each `width` successive values."""
    total = np.cumsum(series)
    total[width:] = total[width:] - total[:-width]
    return total[width - 1 :] / width


def moving_deviation(series, width):
    mean = moving_average(series, width)
    return np.sqrt(np.maximum(moving_average(series**2, width) - mean**2, 0))


def bands(series, width, factor=2.0):
    """The average, and the average less and plus some deviations (Bollinger bands)."""
    mean, deviation = moving_average(series, width), moving_deviation(series, width)
    return np.stack([mean - factor * deviation, mean, mean + factor * deviation])


def crossings(series, short, long):
    """Where the short average goes above the long one."""
    fast, slow = moving_average(series, short)[long - short :], moving_average(series, long)
    above = fast > slow
    return np.flatnonzero(above[1:] & ~above[:-1]) + 1


def drawdown(series):
    """The deepest fall from a maximum before, as a share of it."""
    highest = np.maximum.accumulate(series)
    return np.max(1 - series / highest)


def smoothed(series, width):
    """By a window of weights that fall off to both sides; the ends are continued by their last values."""
    weights = np.hanning(width + 2)[1:-1]
    padded = np.pad(series, width // 2, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")
