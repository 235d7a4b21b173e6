"""Confidence by bootstrap, with a fixed seed: how far a median, or the ratio of two, might be off.

Samples of one round follow each other closely and are not independent; between two rounds all other ways have their
turn. So both are drawn anew: first rounds, with replacement, then samples within each of them, and the median of all.
Each round counts alike. What a round keeps of its samples is evenly spaced over it (`thinned`), which is also what
results.json holds, so that anyone can compute the same intervals from the file.

For a ratio within a run the same rounds are drawn for both, since what disturbed a round disturbed both.
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


def medians(rounds, stream=0, rounds_stream=0):
    """The medians of RESAMPLES resampled runs. rounds: lists of samples, none empty. Streams of random numbers that
    differ are independent."""
    lengths = np.array([len(r) for r in rounds])
    table = np.zeros((len(rounds), lengths.max()))
    for line, samples in zip(table, rounds):
        line[:len(samples)] = samples
    chosen = drawn_rounds(len(rounds), rounds_stream)
    places = drawn_places(len(rounds), int(lengths.max()), stream)
    places = np.minimum(places * lengths[chosen][:, :, None], lengths[chosen][:, :, None] - 1).astype(np.intp)
    return np.median(table[chosen[:, :, None], places].reshape(RESAMPLES, -1), axis=1)


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
