# SPDX-License-Identifier: BSD-3-Clause
"""The programs of programs/, which know nothing of numd: once with ndarrays, once with Arrays.

Their results are those of NumPy as far as rounding goes, and numd.stats() shows that the daemon computed them.
What it does not have is named here, program by program, with how often NumPy computed it.
"""

import importlib

import numpy as np
import pytest

import numd
from counting import both


# What the daemon does not have, and NumPy does in process.
NO_COUNTS = {"bincount": 1}  # of equal values; by sorting it would take longer than in process
NO_RUNNING_MAXIMA = {"maximum.accumulate": 1}  # it has running sums and products
NO_SCATTERED_SUMS = {"add.at": 1}  # it stores by index, but does not add there


def program(name):
    return importlib.import_module(f"programs.{name}")


@pytest.fixture
def digits(data):
    table = data("digits")
    return table[:, :-1].astype(np.float64), table[:, -1].astype(np.int64)


# ---- On real data


@pytest.mark.parametrize("way", ["by_singular_values", "by_covariance"])
def test_principal_components_of_the_digits(way, digits):
    """Coordinates are up to 60 and LAPACK's backward error is a few units of 2^-53 of the greatest singular value,
    567, over the smallest gap between the first eight, 19: about 1e-12."""
    function = getattr(program("components"), way)
    coordinates, axes, share = both(function, digits[0], 8, calls=10, rtol=1e-9, atol=1e-9)
    assert 0.6 < share.sum() < 0.7
    np.testing.assert_allclose(axes @ axes.T, np.eye(8), atol=1e-12)
    assert coordinates.shape == (1797, 8)


def test_nearest_neighbours_of_the_digits(digits):
    """Distances are integers below 2^53, so everything is exact."""
    p = program("neighbours")
    pixels, labels = digits
    known, asked = slice(1400), slice(1400, None)
    arguments = pixels[known], labels[known], pixels[asked], 5
    found = both(p.classify, *arguments, calls=8)
    right = both(p.accuracy, np.asarray(found), labels[asked], calls=2)
    assert right > 0.95
    table = both(p.confusion, np.asarray(found), labels[asked], 10, calls=2, fallbacks=NO_COUNTS)
    assert table.sum() == len(labels[asked]) and table.trace() == round(float(right) * len(labels[asked]))


def test_compression_of_the_photo(data):
    """The vectors' signs are arbitrary, their product is not; a value of exactly a half may be rounded either way, so
    levels are the same to 1."""
    p = program("compression")
    picture = data("china")

    def compressed(picture):
        left, right = p.compress(picture, 40)
        restored = p.restore(left, right)
        return restored, p.ratio(picture, left, right)

    restored, ratio = both(compressed, picture, calls=6, atol=1)
    assert ratio > 6 and np.count_nonzero(np.asarray(restored) != compressed(picture)[0]) < 10
    noise = both(p.psnr, picture, np.asarray(restored), calls=4, rtol=1e-12)
    assert 22 < noise < 30


@pytest.mark.parametrize("way", ["fit", "fit_normal_equations"])
def test_least_squares_of_the_diabetes_table(way, data):
    """The condition number of the table is 1.1e4, of its columns scaled to one length 3e2; its square for the normal
    equations, and unscaled for the standard errors, times 2^-53."""
    p, table = program("regression"), data("diabetes")

    def fitted(table):
        x, y = p.with_constant(table[:, :-1]), table[:, -1]
        found = getattr(p, way)(x, y)
        weights = found[0] if way == "fit" else found
        return found, p.summary(x, y, weights), p.correlations(table[:, :-1], y)

    _, (r_squared, errors, t), _ = both(fitted, table, calls=12, rtol=1e-7, atol=1e-9)
    assert 0.51 < r_squared < 0.52 and errors.shape == t.shape == (11,)


def test_clusters_of_the_digits(digits):
    """Means of at most 1797 integers up to 16, added in another order: exact sums, one rounding."""
    points = digits[0][:600]
    kmeans = program("clusters").kmeans
    centres, nearest, squares = both(kmeans, points, points[:10], 15, calls=100, rtol=1e-12, atol=1e-12)
    assert len(np.unique(nearest)) == 10 and squares < 600 * 700


def test_logistic_regression_of_the_digits(digits):
    """Sums of 1,200 terms in another order, and an exponential of 1 ulp: 1e-13 a round, not widened by descent."""
    p = program("logistic")
    pixels, labels = digits

    def trained(pixels, labels):
        x = p.standardise(pixels)
        weights, biases, losses = p.train(x[:1200], labels[:1200], 10)
        return weights, biases, losses, p.predict(x[1200:], weights, biases)

    _, _, losses, found = both(trained, pixels, labels, calls=600, rtol=1e-8, atol=1e-10)
    assert losses[0] > 2.3 and losses[-1] < 0.3 and np.mean(np.asarray(found) == labels[1200:]) > 0.85


def test_equalisation_of_the_photo(data):
    """Levels are integers; a luma of exactly a half may be rounded either way, so the rest starts from the same."""
    p = program("equalise")
    picture = data("china")
    levels = both(p.grey, picture, calls=2, atol=1)
    levels = np.asarray(levels)
    even = both(p.equalise, levels, calls=8, fallbacks=NO_COUNTS)
    both(p.stretched, levels, calls=3, rtol=1e-12, atol=1e-12)
    before, after = [both(p.contrast, np.asarray(one), calls=3, rtol=1e-12) for one in (levels, even)]
    assert after > before


# ---- On made data


def board(rng, shape):
    return (rng.random(shape) < 0.3).astype(np.uint8)


def test_life():
    """Integers and masks: exact."""
    p, rng = program("life"), np.random.default_rng(1)
    cells = board(rng, (60, 80))
    alive = both(p.play, cells.copy(), 20, calls=300)
    assert 0 < alive[-1] < alive[0] < 60 * 80
    both(p.play_on_torus, cells, 10, calls=150)


def test_a_glider_flies():
    cells = numd.zeros((12, 12), "uint8")
    cells[1, 2] = cells[2, 3] = cells[3, 1:4] = 1
    before = cells.copy()
    assert program("life").play(cells, 8) == [5] * 8
    assert np.array_equal(cells, np.roll(before, (2, 2), (0, 1)))


def test_mandelbrot():
    """A point near the edge of the set may leave it a step sooner or later by one rounding; no point of this grid is so
    near it, since the counts are the same to the last one."""
    p = program("mandelbrot")
    real, imaginary = np.linspace(-2, 0.5, 90), np.linspace(-1.2, 1.2, 80)

    def drawn(real, imaginary):
        return p.escape_times(p.plane(real, imaginary), 40)

    times = both(drawn, real, imaginary, calls=150)
    cell = 2.5 / 89 * 2.4 / 79
    assert 1.4 < both(p.area, np.asarray(times), 40, cell, calls=2, rtol=1e-12) < 1.8


def test_monte_carlo():
    """64 factors with exponentials of 1 ulp each: 64 * 3 * 2^-53; the sum of 20,000 payoffs adds about as much."""
    p, rng = program("monte_carlo"), np.random.default_rng(2)
    shocks = rng.standard_normal((64, 20_000))

    def priced(shocks):
        prices, means, highest = p.simulate(shocks, 100.0, 0.03, 0.2, 1.0)
        european = p.value(p.call(prices, 105.0), 0.03, 1.0)
        asian = p.value(p.call(means, 105.0), 0.03, 1.0)
        barrier = p.value(p.barrier_call(prices, highest, 105.0, 130.0), 0.03, 1.0)
        return european, asian, barrier, p.quantiles(prices)

    (european, error), (asian, _), (barrier, _), _ = both(priced, shocks, calls=64 * 5, rtol=1e-11)
    assert abs(european - 7.13) < 4 * error and barrier < asian < european  # Black and Scholes say 7.13


def test_averages():
    """Running sums of 5,000 values of about 100 in another order: up to 5e5 * 5000 * 2^-53 in theory, 1e-9 here; the
    deviation is the root of a difference of such means of squares."""
    p, rng = program("averages"), np.random.default_rng(3)
    series = 100 * np.exp(np.cumsum(rng.standard_normal(5000) * 0.01))
    both(p.bands, series, 20, calls=15, rtol=1e-6)
    assert len(both(p.crossings, series, 20, 100, calls=8)) > 5
    assert 0 < both(p.drawdown, series, calls=3, fallbacks=NO_RUNNING_MAXIMA, rtol=1e-12) < 1
    both(p.smoothed, series, 21, calls=1, rtol=1e-12)


def test_selection():
    """Exact."""
    p, rng = program("selection"), np.random.default_rng(4)
    found = both(p.primes, np.arange(2000), calls=10)
    assert len(found) == 303
    table = np.round(rng.standard_normal((40, 6)), 1)
    both(p.ranks, table[:, 0].copy(), calls=2)
    both(p.winsorised, table, 0.1, calls=6)
    both(p.marked, table, np.array([3, 7, 30]), np.array([1, 4]), calls=10)
    both(p.totals, table[:, 0].copy(), rng.integers(0, 5, 40), 5, calls=1, fallbacks=NO_SCATTERED_SUMS)


def test_poisson():
    """Averages of four neighbours: the same roundings in the same order, so nearly exact."""
    p = program("poisson")
    heat = np.zeros((48, 64))
    heat[20:28, 30:34] = 100.0
    edge = np.zeros((48, 64))
    edge[0] = 10.0
    plate, change = both(p.solve, heat, edge, 0.1, 200, calls=1400, rtol=1e-12, atol=1e-15)
    before = program("poisson").residual(edge, heat, 0.1)
    assert both(p.residual, np.asarray(plate), heat, 0.1, calls=5, rtol=1e-9) < before / 5 and change < 0.1
    both(p.flow, np.asarray(plate), 0.1, calls=5, rtol=1e-12, atol=1e-12)
