# SPDX-License-Identifier: BSD-3-Clause
"""Logistic regression of several classes by gradient descent."""

import numpy as np


def standardise(x):
    """Columns of mean 0 and deviation 1; constant ones become 0."""
    deviation = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def one_hot(labels, n_classes):
    hot = np.zeros_like(labels, dtype=np.float64, shape=(len(labels), n_classes))
    hot[np.arange(len(labels)), labels] = 1
    return hot


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def train(x, labels, n_classes, rate=0.5, decay=1e-3, rounds=60):
    """Weights, biases and the loss of each round."""
    wanted = one_hot(labels, n_classes)
    weights = np.zeros_like(x, shape=(x.shape[1], n_classes))
    biases = np.zeros_like(x, shape=n_classes)
    losses = []
    for _ in range(rounds):
        likely = softmax(x @ weights + biases)
        losses.append(float(-np.log((likely * wanted).sum(axis=1)).mean()))
        error = (likely - wanted) / len(x)
        weights -= rate * (x.T @ error + decay * weights)
        biases -= rate * error.sum(axis=0)
    return weights, biases, losses


def predict(x, weights, biases):
    return np.argmax(x @ weights + biases, axis=1)
