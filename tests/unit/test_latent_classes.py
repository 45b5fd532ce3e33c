"""Classes by inversion: on digits, and its pieces against closed forms and peers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from preimage.data.rows import Rows
from preimage.learning import latent_classes as show
from preimage.surrogates import base, latent_classes
from preimage.surrogates.kinds.latent_classes import LatentClasses

from ..conftest import refusal
from ..running import ROOT

SPEC = {
    "latent": 8,
    "layers": [24],
    "inner": {"method": "gradient_descent", "steps": 10, "rate": 0.25, "start": 0, "prior": 0},
    "outer": {"method": "adam", "iterations": 4, "rate": 0.002},
    "folds": 2,
}


@pytest.fixture(scope="module")
def digits():
    """Training rows, test rows and a model trained for a few iterations."""
    table = pd.read_parquet(ROOT / "config/data/digits.parquet").to_numpy(float)
    order = np.random.default_rng(0).permutation(len(table))
    train, test = (Rows.plain(table[part, :64], table[part, 64:]) for part in (order[:700], order[700:]))
    return train, test, LatentClasses(**SPEC).train(train, np.random.default_rng(0))


def test_the_shipped_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    table = pd.read_parquet(ROOT / "config/data/digits.parquet")
    theirs = load_digits()
    assert np.array_equal(table.iloc[:, :64].to_numpy(float), theirs.data)
    assert np.array_equal(table.iloc[:, 64:].to_numpy().argmax(axis=1), theirs.target)


@pytest.mark.long
def test_digits_are_known_by_their_explanation(digits):
    train, test, trained = digits
    found = show.judge(trained.surrogate, train, test, None, np.random.default_rng(0))
    assert found.findings["accuracy"] >= 0.97
    assert found.findings["logistic_accuracy"] >= 0.93
    assert min(found.findings["auc"].values()) > 0.99
    assert found.tables["confusion"].drop(columns="true").to_numpy().sum() == len(test.X)
    assert len(found.tables["explained"]) == 20 and len(found.tables["walk"]) == 10 * show.STEPS


def test_before_training_residuals_are_those_of_principal_components(digits):
    """The linear part begins as each class's components; without the network's share, inverting is projecting."""
    train, test, trained = digits
    model = trained.surrogate
    Z = (train.X - model.centre) / model.scale
    classes, x = latent_classes.classes_of(train), (test.X[:20] - model.centre) / model.scale
    block = latent_classes.blocks(classes, 10)
    weights = (block >= 0).astype(float)[None]
    start = latent_classes._begin(model.decoder, Z, block, weights, np.random.default_rng(0))
    plain = {k: v[0] * (k != "out") for k, v in start.items()}
    inner = replace(model.inner, steps=200)
    found = replace(model, parameters=plain, inner=inner).explanation(test.X[:20]).residuals
    for c in range(10):
        mine = Z[classes == c]
        directions = np.linalg.svd(mine - mine.mean(axis=0), full_matrices=False)[2][:8]
        away = x - mine.mean(axis=0)
        assert np.allclose(found[:, c], (away**2).sum(axis=1) - ((away @ directions.T) ** 2).sum(axis=1), atol=1e-6)


def test_gradient_is_that_of_differences(digits):
    _, test, trained = digits
    # The envelope theorem holds at the solution: the inner problem is solved to the end.
    model = replace(trained.surrogate, inner=replace(trained.surrogate.inner, steps=300))
    x = 0.5 * (test.X[:1] + test.X[1:2])
    soft = replace(model, temperature=np.array(20.0))
    _, slopes = soft.gradient(x)
    for j in (10, 20, 35):
        step = 1e-4 * np.eye(64)[j]
        assert np.allclose(slopes[0, :, j], (soft.predict(x + step) - soft.predict(x - step))[0] / 2e-4, atol=1e-6)


def test_probabilities_add_up_and_a_saved_model_is_the_same(digits, tmp_path):
    _, test, trained = digits
    trained.save(tmp_path)
    again = base.kept("latent_classes", tmp_path, "mine")
    found = again.predict(test.X[:50])
    assert np.allclose(found.sum(axis=1), 1)
    assert np.array_equal(found, trained.surrogate.predict(test.X[:50]))


def test_area_under_the_curve_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    own, foreign = rng.integers(0, 9, 80) / 3, rng.integers(2, 12, 50) / 3
    truth = np.r_[np.zeros(80), np.ones(50)]
    assert show.auc(own, foreign) == pytest.approx(roc_auc_score(truth, np.r_[own, foreign]))


def test_outputs_that_are_no_classes_are_refused():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(12, 4)), np.eye(3)[np.arange(12) % 3]
    two = Y.copy()
    two[4] = [1, 1, 0]
    assert "row 5 has [1.0, 1.0, 0.0]" in refusal(latent_classes.classes_of, Rows.plain(X, two))
    rare = np.eye(3)[[0, 1] * 5 + [0, 2]]
    assert "class 'y2' has 1 training rows" in refusal(latent_classes.classes_of, Rows.plain(X, rare))
