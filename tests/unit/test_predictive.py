"""The distribution of outputs against scikit-learn's process, brute force, and known errors."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from preimage.surrogates import predictive


@dataclass(frozen=True)
class Model:
    """One that predicts something else than the truth at its own rows, and spreads evenly."""

    slope: float = 3.0
    unit: float = 1.0

    def predict(self, X):
        return self.unit * np.column_stack([self.slope * X[:, 0], X.sum(axis=1)])

    def spread(self, X):
        return self.unit * np.column_stack([0.5 + np.abs(X[:, 0]), np.ones(len(X))])


def setting(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, 3))
    Y = np.column_stack([np.sin(5 * X[:, 0]) + 3 * X[:, 0], X.sum(axis=1)]) + rng.normal(0, [0.1, 0.2], (n, 2))
    held = (Model().predict(X) + rng.normal(0, 0.1, Y.shape), Model().spread(X))
    return X, Y, held


def fitted(X, Y, held, model=None):
    return predictive.fit(X, np.zeros(X.shape[1], int), Y, held, model or Model(), np.random.default_rng(0))


def test_errors_are_those_of_a_process_with_the_same_numbers():
    X, Y, held = setting()
    found = fitted(X, Y, held)
    errors, at = found.errors[0], np.random.default_rng(1).uniform(size=(7, 3))
    assert errors.noise < predictive.NOISE[-1], "a sine that a line misses is more than noise"
    unit = Model().spread(X)[:, 0] + errors.added
    kernel = ConstantKernel(1 - errors.noise, "fixed") * Matern(errors.length, "fixed", 2.5)
    peer = GaussianProcessRegressor(kernel + WhiteKernel(errors.noise, "fixed"), alpha=0, optimizer=None)
    peer.fit(found.encoding(X), (Y - Model().predict(X))[:, 0] / unit)
    mean, deviation = peer.predict(found.encoding(at), return_std=True)
    shift, left = errors.at(predictive.squared_distances(found.encoding(at), found.Z))
    np.testing.assert_allclose(shift, mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(left, np.sqrt(errors.variance) * deviation, rtol=1e-8)


def test_the_form_is_that_of_rows_left_out_one_by_one():
    X, Y, held = setting(25)
    found = fitted(X, Y, held)
    errors, Z = found.errors[0], found.Z
    covariance = (1 - errors.noise) * predictive._matern(predictive.squared_distances(Z, Z), errors.length)
    covariance[np.diag_indices(25)] = 1
    unit = Model().spread(X)[:, 0] + errors.added
    misses, honest = (Y - Model().predict(X))[:, 0] / unit, (Y - held[0])[:, 0] / unit
    for i in range(25):
        others = np.delete(np.arange(25), i)
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, i])
        variance = errors.variance * (1 - weights @ covariance[others, i])
        assert errors.form[i] == pytest.approx((honest[i] - weights @ misses[others]) / np.sqrt(variance), rel=1e-7)


def test_draws_cover_what_was_not_seen():
    """Of 2,000 new outputs of a model that is wrong by a sine, the shares below are even."""
    X, Y, held = setting(300)
    found = fitted(X, Y, (Model().predict(X), held[1]))
    rng = np.random.default_rng(5)
    at = rng.uniform(size=(2000, 3))
    truth = np.column_stack([np.sin(5 * at[:, 0]) + 3 * at[:, 0], at.sum(axis=1)]) + rng.normal(
        0, [0.1, 0.2], (2000, 2)
    )
    draws = found.draws(at, Model().predict(at), Model().spread(at))
    assert draws.shape == (2000, 300, 2)
    for k in range(2):
        below = (draws[..., k] < truth[:, k, None]).mean(axis=1)
        assert kstest(below, "uniform").statistic < 0.1
    # The line by itself is off by up to a whole unit.
    assert np.abs(draws[..., 0].mean(axis=1) - truth[:, 0]).mean() < 0.2


def test_errors_of_outputs_go_together_as_in_the_rows():
    X, _, held = setting(200)
    rng = np.random.default_rng(3)
    noise = rng.multivariate_normal([0, 0], [[1, -0.9], [-0.9, 1]], 200)
    Y = Model().predict(X) + 0.3 * noise
    draws = fitted(X, Y, (Model().predict(X), held[1])).draws(X[:1], *(f[:1] for f in (Model().predict(X), held[1])))
    assert np.corrcoef(draws[0].T)[0, 1] == pytest.approx(-0.9, abs=0.05)


def test_no_unit_and_no_order_matters():
    X, Y, held = setting()
    at = X[:5] + 0.01
    first = fitted(X, Y, held).draws(at, Model().predict(at), Model().spread(at))
    units = replace(Model(), unit=1e-9)
    scaled = fitted(X, 1e-9 * Y, tuple(1e-9 * part for part in held), units)
    np.testing.assert_allclose(scaled.draws(at, units.predict(at), units.spread(at)), 1e-9 * first, rtol=1e-6)
    order = np.random.default_rng(2).permutation(len(X))
    other = fitted(X[order], Y[order], tuple(part[order] for part in held))
    again = other.draws(at, Model().predict(at), Model().spread(at))
    np.testing.assert_allclose(np.sort(again, axis=1), np.sort(first, axis=1), rtol=1e-6)


def test_of_many_rows_the_same_are_used_in_any_order():
    X, Y, held = setting(predictive.MOST_ROWS + 200)
    order = np.random.default_rng(2).permutation(len(X))
    found = [fitted(X[o], Y[o], tuple(part[o] for part in held)) for o in (slice(None), order)]
    assert len(found[0].Z) == predictive.MOST_ROWS
    np.testing.assert_allclose(*(np.sort(f.Z[:, 0]) for f in found), rtol=1e-9)


def test_too_few_rows_say_nothing_and_a_perfect_model_is_certain():
    X, _, held = setting(4)
    assert fitted(X, Model().predict(X), held) is None
    X, _, held = setting(20)
    Y = Model().predict(X)
    found = fitted(X, Y, (Y, held[1]))
    draws = found.draws(X[:3], Y[:3], held[1][:3])
    np.testing.assert_allclose(draws, np.repeat(Y[:3, None], 20, axis=1))
