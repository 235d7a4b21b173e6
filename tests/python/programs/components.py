# SPDX-License-Identifier: BSD-3-Clause
"""Principal components, by the singular values of the table or by the eigenvalues of its covariance."""

import numpy as np


def by_singular_values(table, count):
    """Coordinates along the first components, the components, and the share of variance that each explains."""
    centred = table - table.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    axes = with_fixed_signs(axes[:count])
    variance = sizes**2 / (len(table) - 1)
    return centred @ axes.T, axes, variance[:count] / variance.sum()


def by_covariance(table, count):
    """The same from the covariance of the columns."""
    centred = table - np.mean(table, axis=0)
    variance, axes = np.linalg.eigh(np.cov(table, rowvar=False))
    order = np.argsort(variance)[::-1][:count]
    axes = with_fixed_signs(axes[:, order].T)
    return np.dot(centred, axes.T), axes, variance[order] / np.sum(variance)


def with_fixed_signs(axes):
    """An axis can point either way; here its greatest coordinate is positive."""
    greatest = np.argmax(np.abs(axes), axis=1)
    return axes * np.sign(axes[np.arange(len(axes)), greatest])[:, np.newaxis]
