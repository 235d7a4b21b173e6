# SPDX-License-Identifier: BSD-3-Clause
"""Estimators of scikit-learn through its array API dispatch: fitted and asked in the daemon, attributes are Arrays."""

import numpy as np
import pytest

import numd
from counting import both, daemon_computes

sklearn = pytest.importorskip("sklearn", minversion="1.9", reason="needs scikit-learn 1.9 or newer: its array API dispatch")
pytest.importorskip("scipy", minversion="1.17", reason="needs SciPy 1.17 or newer: its array API support")
from sklearn import decomposition, linear_model, metrics, mixture, model_selection, naive_bayes, preprocessing  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402


@pytest.fixture(autouse=True)
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.fixture
def digits(data):
    table = data("digits")
    return table[:, :-1].astype(np.float64), table[:, -1].astype(np.int64)


@pytest.fixture
def diabetes(data):
    table = data("diabetes")
    return np.ascontiguousarray(table[:, :-1]), np.ascontiguousarray(table[:, -1])


def fitted(estimator, *attributes):
    """A function that fits it, and gives attributes and what it says of the samples."""

    def run(x, y):
        model = sklearn.clone(estimator).fit(x, y)
        return tuple(getattr(model, name) for name in attributes), model.predict(x)

    return run


def test_ridge(diabetes):
    """The condition number of the centred table is 5e2."""
    model = linear_model.Ridge(alpha=0.5, solver="svd")
    (_, _), found = both(fitted(model, "coef_", "intercept_"), *diabetes, calls=25, rtol=1e-9)
    assert metrics.r2_score(diabetes[1], np.asarray(found)) > 0.5


def test_cross_validation(diabetes):
    def predicted(x, y):
        return model_selection.cross_val_predict(linear_model.Ridge(solver="svd"), x, y, cv=5)

    found = both(predicted, *diabetes, calls=120, rtol=1e-9)
    with daemon_computes(calls=10):
        assert 0.4 < metrics.r2_score(numd.asarray(diabetes[1]), found) < 0.5


def test_discriminant_analysis(digits):
    """Sums of pixels that are never set aside; scores go up to 1e3, so 1e-9 of them decide no digit here."""
    x, y = digits
    x = x[:, x.std(axis=0) > 0.5]
    (_,), found = both(fitted(LinearDiscriminantAnalysis(), "means_"), x, y, calls=80, rtol=1e-9)
    assert metrics.accuracy_score(y, np.asarray(found)) > 0.95


def test_naive_bayes(digits):
    (_, _), found = both(fitted(naive_bayes.GaussianNB(), "theta_", "class_prior_"), *digits, calls=150, rtol=1e-9)
    with daemon_computes(calls=2):
        assert metrics.accuracy_score(numd.asarray(digits[1]), found) > 0.8


@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_principal_components(solver, digits):
    """Coordinates of up to 60, see test_real_programs."""

    def components(x):
        model = decomposition.PCA(8, svd_solver=solver).fit(x)
        return model.explained_variance_ratio_, model.components_, model.transform(x), model.inverse_transform(model.transform(x))

    both(components, digits[0], calls=20, rtol=1e-9, atol=1e-9)


def test_mixture(digits):
    def clustered(x):
        model = mixture.GaussianMixture(3, init_params="random_from_data", random_state=0, max_iter=5, tol=0)
        return model.fit(x).means_, model.predict(x)

    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        both(clustered, digits[0][:, [10, 20, 30]], calls=300, rtol=1e-7)


@pytest.mark.parametrize("name", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "Normalizer", "PolynomialFeatures"])
def test_preprocessing(name, diabetes):
    both(lambda x: getattr(preprocessing, name)().fit_transform(x), diabetes[0], calls=8, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["euclidean_distances", "cosine_similarity", "rbf_kernel", "polynomial_kernel", "manhattan_distances"])
def test_pairwise(name, diabetes):
    """Distances as differences of squares of up to 1e5 lose ten bits at most."""
    x = diabetes[0] / 100
    both(getattr(metrics.pairwise, name), x[:50], x[50:120], calls=3, rtol=1e-9)


@pytest.mark.parametrize("name", ["r2_score", "mean_squared_error", "mean_absolute_error", "explained_variance_score", "max_error"])
def test_regression_metrics(name, diabetes):
    y = diabetes[1]
    both(getattr(metrics, name), y, y + diabetes[0][:, 0], calls=5, rtol=1e-12)
