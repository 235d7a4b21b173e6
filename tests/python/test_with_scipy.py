# SPDX-License-Identifier: BSD-3-Clause
"""SciPy's functions that are written in the array API, given Arrays: computed in the daemon, in numd's namespace.

SCIPY_ARRAY_API=1 is in the environment (conftest.py). Functions with compiled code get the same memory instead.
"""

import numpy as np
import pytest

import numd
from counting import both

scipy = pytest.importorskip("scipy", minversion="1.17", reason="needs SciPy 1.17 or newer: its array API support")
from scipy import cluster, differentiate, integrate, optimize, signal, special, stats  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

ROWS = np.random.default_rng(5).standard_normal((40, 6))
X, Y = np.linspace(1, 9, 50), np.cos(np.arange(50.0)) + 2


def fields(*names):
    return lambda result: tuple(getattr(result, name) for name in names)


outcome = fields("statistic", "pvalue")

# name: function, arrays, calls of the daemon that it takes at least
FUNCTIONS = {
    "logsumexp": (lambda x: special.logsumexp(x, axis=1), [ROWS], 10),
    "softmax": (lambda x: special.softmax(x, axis=0), [ROWS], 4),
    "log_softmax": (lambda x: special.log_softmax(x, axis=1), [ROWS], 5),
    "xlogy": (special.xlogy, [X, Y], 3),
    "rel_entr": (special.rel_entr, [X, Y], 8),
    "zscore": (lambda x: stats.zscore(x, axis=0), [ROWS], 8),
    "skew": (stats.skew, [ROWS], 12),
    "kurtosis": (stats.kurtosis, [ROWS], 12),
    "describe": (lambda x: fields("mean", "variance", "skewness", "kurtosis")(stats.describe(x)), [ROWS], 30),
    "gmean": (stats.gmean, [X], 4),
    "entropy": (stats.entropy, [X], 4),
    "iqr": (stats.iqr, [X], 10),
    "rankdata": (stats.rankdata, [np.round(X)], 8),
    "quantile": (stats.quantile, [X, np.array([0.1, 0.5])], 12),
    "pearsonr": (lambda x, y: outcome(stats.pearsonr(x, y)), [X, Y], 30),
    "ttest_ind": (lambda x, y: outcome(stats.ttest_ind(x, y)), [X, Y], 30),
    "jarque_bera": (lambda x: outcome(stats.jarque_bera(x)), [X], 20),
    "directional_stats": (lambda x: stats.directional_stats(x).mean_direction, [ROWS[:, :3]], 3),
    "whiten": (cluster.vq.whiten, [ROWS], 3),
    "trapezoid": (integrate.trapezoid, [Y, X], 3),
    "cumulative_simpson": (lambda y: integrate.cumulative_simpson(y, dx=0.1), [Y], 8),
    "tanhsinh": (lambda low, high: integrate.tanhsinh(lambda x: x * x, low, high).integral, [X[:3], X[3:6]], 200),
    "rosen": (optimize.rosen, [X], 4),
    "rosen_der": (optimize.rosen_der, [X], 10),
    "derivative": (lambda x: differentiate.derivative(lambda t: t**3, x).df, [X], 100),
    "savgol_filter": (lambda x: signal.savgol_filter(x, 5, 2), [X], 1),
    "Rotation": (lambda q, v: Rotation.from_quat(q).apply(v), [ROWS[:, :4], ROWS[:, :3]], 20),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_written_in_the_array_api(name):
    """The same formulas in the same order, so differences are a few roundings, and those of p-values and of numerical
    integrals and derivatives what their own tolerances leave."""
    function, arrays, calls = FUNCTIONS[name]
    both(function, *arrays, calls=calls, rtol=1e-9, atol=1e-12)


COMPILED = {
    "expit": special.expit, "erf": special.erf, "gammaln": special.gammaln, "fft": scipy.fft.fft,
    "detrend": signal.detrend, "kmeans2": lambda x: cluster.vq.kmeans2(x[:, None], x[:3, None])[1],
}  # fmt: skip


@pytest.mark.parametrize("name", list(COMPILED))
def test_compiled_functions_work_on_the_same_memory(name):
    got, wanted = COMPILED[name](numd.asarray(X)), COMPILED[name](X)
    assert isinstance(got, numd.Array)
    np.testing.assert_array_equal(np.asarray(got), wanted)
