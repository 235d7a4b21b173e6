# SPDX-License-Identifier: BSD-3-Clause
"""Confidence by bootstrap, with a fixed seed: how far a median, or the ratio of two, might be off.

Samples of one round follow each other closely and are not independent; between two rounds all other ways have their
turn. So both are drawn anew: first rounds, with replacement, then samples within each of them, and the median of all.
Each round counts alike. What a round keeps of its samples is evenly spaced over it (`thinned`), which is also what
results.json holds, so that anyone can compute the same intervals from the file.

For a ratio within a run the same rounds are drawn for both, since what disturbed a round disturbed both.

Where both sides are sampled in the same moments, as in the claims, `of_paired_ratio` draws the same samples, too.
"""
import functools

import numpy as np

SEED = 20240
RESAMPLES = 500
LEVEL = 95           # per cent of the resampled values that an interval holds
KEPT_A_ROUND = 40


def thinned(samples, most=KEPT_A_ROUND):
    """At most that many of the samples, evenly spaced, in their order."""
    if len(samples) <= most:
        return list(samples)
    return [samples[i * len(samples) // most] for i in range(most)]


@functools.lru_cache(maxsize=64)
def drawn_rounds(n_rounds, stream):
    return np.random.default_rng((SEED, n_rounds, stream)).integers(n_rounds, size=(RESAMPLES, n_rounds))


@functools.lru_cache(maxsize=64)
def drawn_places(n_rounds, n_samples, stream):
    shape = (RESAMPLES, n_rounds, n_samples)
    return np.random.default_rng((SEED, n_rounds, n_samples, stream)).random(shape, dtype=np.float32)


def pooled(rounds):
    """The samples of all rounds, in their order."""
    return np.concatenate([np.asarray(samples, dtype=float) for samples in rounds])


def resampled(lengths, chosen, places):
    """Which of the pooled samples each resampled run has, a line a run. lengths: of the rounds. chosen: the rounds
    drawn for each run. places: for each of those, where in it its samples are, as numbers from 0 to 1."""
    lengths = np.asarray(lengths)
    first, n = np.cumsum(lengths) - lengths, lengths[chosen][:, :, None]
    inside = np.minimum(places * n, n - 1).astype(np.intp)  # a place may be rounded up to 1
    return (first[chosen][:, :, None] + inside).reshape(len(chosen), -1)


def medians(rounds, stream=0, rounds_stream=0):
    """The medians of RESAMPLES resampled runs. rounds: lists of samples, none empty. Streams of random numbers that
    differ are independent."""
    lengths = [len(r) for r in rounds]
    chosen = drawn_rounds(len(rounds), rounds_stream)
    drawn = resampled(lengths, chosen, drawn_places(len(rounds), max(lengths), stream))
    return np.median(pooled(rounds)[drawn], axis=1)


def interval(values):
    """[low, high] that hold LEVEL per cent of the values."""
    low, high = np.percentile(values, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return [float(low), float(high)]


def of_median(rounds):
    return interval(medians(rounds))


def base_medians(over, under, stream=0):
    """Medians of `under` to divide medians(over, stream, stream) by, both of one run: with the same rounds drawn, if
    they are equally many. None is zero."""
    paired = len(over) == len(under)
    return np.maximum(medians(under, stream + 1, stream if paired else stream + 1), 1e-3)


def of_ratio(over, under):
    """Interval of the ratio of two medians of one run."""
    return interval(medians(over) / base_medians(over, under))


def of_paired_ratio(over, under, seed, resamples=2000):
    """The same where each sample of a round has its partner in the other side's, taken next to it."""
    random, lengths = np.random.default_rng(seed), [len(r) for r in over]
    chosen = random.integers(len(lengths), size=(resamples, len(lengths)))
    drawn = resampled(lengths, chosen, random.random((resamples, len(lengths), max(lengths))))
    return interval(np.median(pooled(over)[drawn], axis=1) / np.median(pooled(under)[drawn], axis=1))
