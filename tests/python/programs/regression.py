# SPDX-License-Identifier: BSD-3-Clause
"""Ordinary least squares with the figures that a statistics package prints."""

import numpy as np


def with_constant(x):
    return np.column_stack([np.ones_like(x[:, 0]), x])


def fit(x, y):
    """Weights by the factorisation of the table, and its rank."""
    weights, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    return weights, int(rank)


def fit_normal_equations(x, y):
    """Weights by the equations X'X w = X'y, of columns scaled to one length so that they are well conditioned."""
    lengths = np.linalg.norm(x, axis=0)
    scaled = x / lengths
    return np.linalg.solve(scaled.T @ scaled, scaled.T @ y) / lengths


def summary(x, y, weights):
    """R², the standard error and the t value of each weight."""
    n, p = x.shape
    residuals = y - x @ weights
    squares = residuals @ residuals
    r_squared = 1 - squares / np.sum((y - y.mean()) ** 2)
    covariance = np.linalg.inv(x.T @ x) * squares / (n - p)
    errors = np.sqrt(np.diag(covariance))
    return r_squared, errors, weights / errors


def correlations(x, y):
    """Of each column with y."""
    return np.corrcoef(x, y, rowvar=False)[-1, :-1]
