# SPDX-License-Identifier: BSD-3-Clause
"""Small real programs on real data, beside the same in NumPy."""

import numpy as np

import numd


def test_standardise_a_table(data):
    table = data("diabetes")

    @numd.function
    def standardised(x):
        centred = x - x.mean(axis=0)
        return centred / numd.sqrt((centred * centred).mean(axis=0))

    got = np.asarray(standardised(numd.asarray(table)))
    np.testing.assert_allclose(got, (table - table.mean(axis=0)) / table.std(axis=0), rtol=1e-10, atol=1e-12)


def test_least_squares(data):
    table = data("diabetes")
    x = np.column_stack([np.ones(len(table)), table[:, :-1]])
    y = table[:, -1]
    a, b = numd.asarray(x), numd.asarray(y)
    weights = np.linalg.solve(np.asarray(a.T @ a), np.asarray(a.T @ b))
    np.testing.assert_allclose(weights, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-6)
    residual = b - a @ weights
    assert abs(residual.mean()) < 1e-8
    np.testing.assert_allclose(residual.dot(residual), ((y - x @ weights) ** 2).sum(), rtol=1e-10)


def test_nearest_digits(data):
    digits = data("digits")
    pixels, labels = digits[:, :-1].astype("float64"), digits[:, -1]
    known, asked = numd.asarray(pixels[:1500]), numd.asarray(pixels[1500:])

    @numd.function
    def distances(a, b, b_transposed):
        return (a * a).sum(axis=1, keepdims=True) - 2 * (a @ b_transposed) + (b * b).sum(axis=1)

    got = np.asarray(distances(asked, known, known.T))
    wanted = ((pixels[1500:, None, :] - pixels[None, :1500, :]) ** 2).sum(axis=2)
    np.testing.assert_allclose(got, wanted, atol=1e-7)
    assert (labels[:1500][got.argmin(axis=1)] == labels[1500:]).mean() > 0.9


def test_grey_picture(data):
    picture = data("china")
    rgb = numd.asarray(picture, dtype="float32")
    weights = numd.asarray([0.299, 0.587, 0.114], dtype="float32")
    grey = rgb @ weights
    assert grey.dtype == np.float32 and grey.shape == picture.shape[:2]
    np.testing.assert_allclose(np.asarray(grey), picture.astype("float32") @ np.asarray(weights), rtol=1e-5)
    contrast = numd.asarray((grey - grey.min()) / (grey.max() - grey.min()))
    assert contrast.min() == 0.0 and contrast.max() == 1.0
    brighter = rgb[::4, ::4, 0] > rgb[::4, ::4, 2]
    np.testing.assert_array_equal(np.asarray(brighter), picture[::4, ::4, 0] > picture[::4, ::4, 2])
