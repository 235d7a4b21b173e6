# SPDX-License-Identifier: BSD-3-Clause
"""Histogram equalisation of a grey picture."""

import numpy as np


def grey(picture):
    """Luma of an RGB picture, in 0 to 255."""
    return np.round(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def equalise(levels):
    """With the grey levels spread so that each range of them is about equally frequent."""
    counts = np.bincount(levels.ravel(), minlength=256)
    cumulative = counts.cumsum()
    lowest = cumulative[cumulative > 0][0]
    spread = (cumulative - lowest) * 255 / (cumulative[-1] - lowest)
    table = np.clip(np.round(spread), 0, 255).astype(np.uint8)
    return table[levels]


def stretched(levels, low=2, high=98):
    """With the range between two percentiles made the whole range."""
    bottom, top = np.percentile(levels, [low, high])
    return np.interp(levels, [bottom, top], [0, 255])


def contrast(levels, bins=16):
    """How evenly the levels are spread, from 0 to 1: the entropy of their histogram."""
    counts, _ = np.histogram(levels, bins=bins, range=(0, 256))
    share = counts[counts > 0] / levels.size
    return -np.sum(share * np.log(share)) / np.log(bins)
