"""Planes by least squares, against NumPy's and scikit-learn's, and by finite differences."""

import numpy as np
import pytest

from preimage.data.rows import Rows
from preimage.surrogates import linear
from preimage.surrogates.kinds.linear import Linear

SPEC = {"penalty": 0.0, "folds": 5}


def data(n=80, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(5, 2, n), rng.integers(0, 3, n), rng.uniform(0, 1e6, n)])
    Y = np.column_stack([3 * X[:, 0] + (X[:, 1] == 1) * 7 - X[:, 2] / 1e5, X[:, 0]]) + rng.normal(0, 0.5, (n, 2))
    return Rows(X, Y, np.arange(n), ["a", "c", "b"], ["u", "v"], np.array([0, 3, 0]))


def columns(X):
    """The columns of the same model for NumPy: one, the numbers, and all but one value of the category."""
    return np.column_stack([np.ones(len(X)), X[:, 0], X[:, 2] / 1e6, X[:, 1] == 1, X[:, 1] == 2])


def test_predictions_are_those_of_least_squares_with_categories():
    rows, new = data(), data(20, 1)
    model = Linear(**SPEC).train(rows, np.random.default_rng(0)).surrogate
    expected = columns(new.X) @ np.linalg.lstsq(columns(rows.X), rows.Y, rcond=None)[0]
    assert np.allclose(model.predict(new.X), expected, rtol=1e-6)


def test_a_penalty_is_scikit_learns_ridge_of_standardised_inputs():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    rows = Rows.plain(rng.normal(3, [1, 10], (50, 2)), rng.normal(0, 1, (50, 1)))
    Z = (rows.X - rows.X.mean(axis=0)) / rows.X.std(axis=0)
    peer = Ridge(alpha=0.2 * 50).fit(Z, rows.Y)
    assert np.allclose(linear.fit(rows, 0.2).predict(rows.X), peer.predict(Z).reshape(-1, 1), rtol=1e-8)


def test_the_spread_is_the_textbooks_and_covers():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (40, 2))
    rows = Rows.plain(X, (X @ [1, 2] + rng.normal(0, 0.3, 40))[:, None])
    model, A = linear.fit(rows, 0.0), np.column_stack([np.ones(40), X])
    _, rest = np.linalg.lstsq(A, rows.Y, rcond=None)[:2]
    deviation = np.sqrt(rest[0] / 37 * (1 + np.einsum("np,pq,nq->n", A, np.linalg.inv(A.T @ A), A)))
    assert np.allclose(model.spread(X)[:, 0], deviation, rtol=1e-6)


def test_derivatives_are_the_slopes_and_jax_traces_the_same_planes():
    rows = data()
    model = Linear(**SPEC).train(rows, np.random.default_rng(0)).surrogate
    Y, J = model.gradient(rows.X[:3])
    step = np.array([1e-3, 0, 0])
    assert np.array_equal(Y, model.predict(rows.X[:3])) and (J[:, :, 1] == 0).all()
    assert np.allclose((model.predict(rows.X[:3] + step) - model.predict(rows.X[:3] - step)) / 2e-3, J[:, :, 0])
    function, parameters = model.traceable()
    assert np.allclose(function(parameters, rows.X[0]), Y[0], rtol=1e-12)


def test_it_comes_back_as_it_was_saved(tmp_path):
    trained = Linear(**SPEC).train(data(), np.random.default_rng(0))
    trained.save(tmp_path)
    loaded, X = linear.load(tmp_path), data(30, 2).X
    assert np.array_equal(loaded.predict(X), trained.surrogate.predict(X))
    assert np.array_equal(loaded.spread(X), trained.surrogate.spread(X))


@pytest.mark.parametrize("penalty", [0.0, 0.1])
def test_out_of_fold_predictions_come_from_models_that_never_saw_the_row(penalty):
    rows = data(25)
    predicted, spread = Linear(penalty=penalty, folds=25).train(rows, np.random.default_rng(0)).out_of_fold
    others = np.arange(1, 25)
    assert np.allclose(predicted[0], linear.fit(rows.part(others), penalty).predict(rows.X[:1])[0], rtol=1e-6)
    assert (spread > 0).all()
