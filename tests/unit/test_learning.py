"""What refitting on fewer rows and fewer inputs measures, on models whose answer is known."""

import numpy as np
import pytest

from preimage.data.rows import Rows
from preimage.evidence import learning
from preimage.surrogates.kinds.gaussian_process import GaussianProcess
from preimage.surrogates.kinds.linear import Linear
from preimage.surrogates.kinds.random_forest import RandomForest

PLANE = {"penalty": 0.0, "folds": 5}


def rows(n, d, truth, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, d))
    return Rows.plain(X, truth(X)[:, None] + noise * rng.standard_normal((n, 1)))


def first(X):
    return 3 * X[:, 0]


def test_inputs_that_say_nothing_are_found_and_cost_what_theory_says():
    """Least squares with p coefficients on n rows: the squared error on others is that of the noise times
    1 + p / (n - p - 1), for normal inputs; so leaving out 19 of 20 takes off about their share."""
    train, test = rows(60, 20, first, 0, 1.0), rows(4000, 20, first, 1, 1.0)
    found = learning.measured(
        Linear(**PLANE).train(train, np.random.default_rng(0)), train, test, np.random.default_rng(0)
    )
    assert found["inputs"]["kept"][0] == "x0" and len(found["inputs"]["kept"]) <= 2
    assert found["inputs"]["gain"][0] == pytest.approx(20 / 38, rel=0.6)
    assert found["training"]["y0"]["rmse"] < 1


def test_inputs_that_all_count_are_kept():
    def every(X):
        return X.sum(axis=1)

    train, test = rows(60, 5, every, 0, 0.1), rows(500, 5, every, 1, 0.1)
    found = learning.measured(
        Linear(**PLANE).train(train, np.random.default_rng(0)), train, test, np.random.default_rng(0)
    )
    assert found["inputs"]["kept"] == [f"x{j}" for j in range(5)] and found["inputs"]["gain"] == [0.0]


def test_the_curve_of_a_forest_falls_and_that_of_an_exact_plane_does_not():
    def bowl(X):
        return (X**2).sum(axis=1)

    train, test = rows(200, 2, bowl, 0), rows(200, 2, bowl, 1)
    spec = {"trees": 20, "folds": 2}
    forest = RandomForest(**spec).train(train, np.random.default_rng(0))
    found = learning.measured(forest, train, test, np.random.default_rng(0))
    errors = [point["error"][0] for point in found["curve"]]
    assert [point["rows"] for point in found["curve"]] == [50, 100, 200] and errors == sorted(errors, reverse=True)
    assert found["last"]["gain"][0] > 2 * found["last"]["error"][0] and found["inputs"] is None

    train, test = rows(200, 2, first, 0), rows(200, 2, first, 1)
    found = learning.measured(
        Linear(**PLANE).train(train, np.random.default_rng(0)), train, test, np.random.default_rng(0)
    )
    assert max(point["error"][0] for point in found["curve"]) < 1e-12


def test_repeats_of_an_input_stay_on_one_side():
    train = rows(100, 2, first, 0)
    twice = train.part(np.repeat(np.arange(100), 2))
    model = Linear(**PLANE).train(twice, np.random.default_rng(0))
    found = learning.measured(model, twice, rows(50, 2, first, 1), np.random.default_rng(0))
    assert [point["rows"] for point in found["curve"]] == [50, 100, 200]


def test_a_process_refitted_on_all_its_rows_is_itself_and_without_an_input_another():
    train = rows(60, 3, first, 0, 0.1)
    spec = {"kernel": "rbf", "rows": 1000, "hyperparameter_rows": 60, "restarts": 1, "folds": 5}
    trained = GaussianProcess(**spec).train(train, np.random.default_rng(0))
    same = trained.refit(train)
    assert np.allclose(same.predict(train.X), trained.surrogate.predict(train.X), rtol=0, atol=1e-10)
    fewer = trained.refit(train.part(np.arange(60), np.array([0])))
    assert np.abs(fewer.predict(train.X[:, :1]) - train.Y).mean() < 0.3


def test_too_few_rows_have_no_curve():
    train, test = rows(15, 2, first, 0), rows(50, 2, first, 1)
    found = learning.measured(
        Linear(**PLANE).train(train, np.random.default_rng(0)), train, test, np.random.default_rng(0)
    )
    assert found["curve"] is None and found["training"]["y0"]["rmse"] < 1e-6
