# SPDX-License-Identifier: BSD-3-Clause
"""A picture kept as a few singular vectors per channel."""

import numpy as np


def compress(picture, rank):
    """For each channel the scaled left and the right vectors."""
    channels = np.moveaxis(picture.astype(np.float64), -1, 0)
    left, sizes, right = np.linalg.svd(channels, full_matrices=False)
    return left[..., :rank] * sizes[:, np.newaxis, :rank], right[:, :rank, :]


def restore(left, right):
    channels = left @ right
    return np.clip(np.rint(np.moveaxis(channels, 0, -1)), 0, 255).astype(np.uint8)


def psnr(picture, other):
    """Peak signal to noise, in decibels."""
    error = picture.astype(float) - other.astype(float)
    return 10 * np.log10(255.0**2 / np.mean(error**2))


def ratio(picture, left, right):
    """How many numbers the picture has for each number that is kept."""
    return picture.size / (left.size + right.size)
