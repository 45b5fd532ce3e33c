"""Intervals cover what they promise on rows like the training rows."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from preimage.surrogates.intervals import Intervals, fit
from preimage.surrogates.metrics import coverage, metrics


def rows(rng, n):
    """Exchangeable rows of two outputs whose noise grows with x, and a model that knows roughly how much."""
    x = rng.random((n, 1))
    noise = np.hstack([0.1 + x, 10 * (1.2 - x)])
    predicted = np.hstack([3 * x, 50 * x**2])
    spread = noise * rng.uniform(0.5, 1.5, (n, 2))
    return predicted + noise * rng.standard_t(4, (n, 2)), predicted, spread


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coverage_on_new_rows_is_as_promised(seed, level):
    rng = np.random.default_rng(seed)
    fitted = fit(*rows(rng, 1000), level=level)
    Y, predicted, spread = rows(rng, 4000)
    low, high = fitted.at(predicted, spread)
    # Given the calibration rows, coverage is Beta distributed about the level (Vovk 2012); add the binomial of 4000.
    sd = np.sqrt(level * (1 - level) * (1 / 1000 + 1 / 4000))
    for covered in coverage(Y, low, high):
        assert abs(covered - level) < 4 * sd


def test_small_samples_cover_at_least_what_is_promised_on_average():
    covered = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        fitted = fit(*rows(rng, 39))
        Y, predicted, spread = rows(rng, 50)
        covered.append(coverage(Y, *fitted.at(predicted, spread)))
    assert np.mean(covered) >= 0.9 - 4 * np.sqrt(0.09 / (300 * 50))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.1, 0.99))
def test_the_ends_are_order_statistics_of_the_scaled_residuals(seed, n, level):
    rng = np.random.default_rng(seed)
    Y, predicted, spread = rows(rng, n)
    fitted = fit(Y, predicted, spread, level)
    ratio = np.sort((Y - predicted) / (spread + spread.mean(axis=0)), axis=0)
    k = min(n, int(np.ceil((n + 1) * (1 + level) / 2)))
    assert (fitted.high == ratio[k - 1]).all() and (fitted.low == ratio[-k]).all()
    low, high = fitted.at(predicted, spread)
    assert (low <= high).all()
    # On the rows themselves no more than the promised share is outside.
    assert all(c >= level - 1e-9 or c == 1.0 for c in coverage(Y, low - 1e-9, high + 1e-9))


def test_intervals_are_as_wide_as_the_model_is_unsure():
    fitted = Intervals(np.array([-2.0]), np.array([1.0]), np.array([0.5]))
    low, high = fitted.at(np.array([[10.0], [10.0]]), np.array([[0.0], [3.5]]))
    assert low.tolist() == [[9.0], [2.0]] and high.tolist() == [[10.5], [14.0]]


def test_a_model_without_spread_gets_intervals_of_one_width():
    """A forest of one tree: its members agree by necessity."""
    rng = np.random.default_rng(0)
    Y = 1e3 * rng.standard_normal((500, 1))
    fitted = fit(Y, np.zeros((500, 1)), np.zeros((500, 1)))
    low, high = fitted.at(np.zeros((2, 1)), np.zeros((2, 1)))
    width = 1e3 * stats.norm.ppf([0.05, 0.95])
    assert low[0] == low[1] and high[0] == high[1]
    np.testing.assert_allclose([low[0, 0], high[0, 0]], width, rtol=0.15)


def test_plain_values_give_the_same_intervals():
    fitted = fit(*rows(np.random.default_rng(0), 30))
    again = Intervals.from_dict(json.loads(json.dumps(fitted.to_dict())))
    for name in ("low", "high", "floor"):
        assert getattr(again, name).tobytes() == getattr(fitted, name).tobytes()


def test_metrics_are_scikit_learns():
    Y, predicted, _ = rows(np.random.default_rng(3), 200)
    found = metrics(Y, predicted, ["a", "b"])
    for k, name in enumerate(["a", "b"]):
        assert found[name]["r2"] == pytest.approx(r2_score(Y[:, k], predicted[:, k]), rel=1e-12)
        assert found[name]["rmse"] == pytest.approx(root_mean_squared_error(Y[:, k], predicted[:, k]), rel=1e-12)
        assert found[name]["mae"] == pytest.approx(mean_absolute_error(Y[:, k], predicted[:, k]), rel=1e-12)


def test_a_constant_truth_has_no_r2():
    assert metrics(np.ones((5, 1)), np.zeros((5, 1)), ["y"]) == {"y": {"r2": None, "rmse": 1.0, "mae": 1.0}}


def test_coverage_counts_the_ends():
    Y = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, np.nan]])
    assert coverage(Y, np.full((4, 2), 2.0), np.full((4, 2), 3.0)) == [0.5, 0.0]
