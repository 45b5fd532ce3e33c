"""Chances against closed forms and counted shares."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from preimage.core import objective
from preimage.core.formulas import NONE, build
from preimage.core.space import Input, Space
from preimage.evidence import chance
from preimage.evidence.recommend import distinct_solutions
from preimage.surrogates import predictive

SPACE = Space((Input("a", 0, 10), Input("b", 0, 1)))
N = 400


@dataclass(frozen=True)
class Exact:
    """y = a + b and z = a - b."""

    def predict(self, X):
        return np.column_stack([X.sum(axis=1), X[:, 0] - X[:, 1]])

    def spread(self, X):
        return np.ones((len(X), 2))


def outlook(sd=(1.0, 1.0), formulas=NONE, seed=0):
    """Rows whose errors are normal, by their quantiles in random order: a few of them seem to go together."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(N, 2)) * [10, 1]
    quantiles = norm.ppf((np.arange(N) + 0.5) / N)
    Y = Exact().predict(X) + np.column_stack([rng.permutation(quantiles) * s for s in sd])
    fitted = predictive.fit(X, np.zeros(2, int), Y, (Exact().predict(X), np.ones((N, 2))), Exact(), rng)
    assert fitted is not None
    return chance.Outlook(Exact(), fitted, formulas, X, formulas.extended(X, Y) if formulas else Y)


def build_objective(spec, names=("y", "z")):
    return objective.build("o", spec, list(names), [1.0] * len(names), [10.0] * len(names))


def of(spec, x, found=None, varied=None, names=("y", "z")):
    found = found or outlook()
    return chance.of_points(np.array([x], float), found, build_objective(spec, names), SPACE, varied)[0]


@pytest.mark.parametrize(
    ("spec", "x", "right"),
    [
        ({"target": {"y": 5}, "tolerance": 1}, [4.5, 0.5], norm.cdf(1) - norm.cdf(-1)),
        ({"within": {"y": [5, 6]}}, [4, 0.5], norm.cdf(1.5) - norm.cdf(0.5)),
        ({"within": {"y": {"at_least": 6}}}, [4, 0.5], norm.sf(1.5)),
        ({"within": {"y": {"at_least": 4}, "z": {"at_most": 5}}}, [4, 0.5], norm.sf(-0.5) * norm.cdf(1.5)),
        (
            {"within": {"y": {"at_least": 4}}, "subject_to": {"z": {"at_most": 5}}},
            [4, 0.5],
            norm.sf(-0.5) * norm.cdf(1.5),
        ),
    ],
)
def test_values_are_met_as_often_as_normal_errors_allow(spec, x, right):
    found = of(spec, x)
    assert found[0] == pytest.approx(right, abs=0.07) and found[1] < found[0] < found[2]


def test_a_direction_is_to_beat_the_best_row():
    found = outlook()
    best = found.Y[:, 0].max()
    value, low, high, loss = of({"maximize": "y"}, [9, 1], found)
    assert value == pytest.approx(norm.sf(best - 10), abs=0.02) and low <= value <= high
    assert loss == pytest.approx(-10, abs=0.2)


def test_with_limits_only_rows_that_keep_them_count():
    found = outlook()
    kept = found.Y[found.Y[:, 1] <= 5]
    value = of({"maximize": "y", "subject_to": {"z": {"at_most": 5}}}, [4.5, 1], found)[0]
    assert value == pytest.approx(norm.sf(kept[:, 0].max() - 5.5) * norm.cdf(1.5), abs=0.03)


def test_where_there_is_nothing_to_beat_nothing_is_said():
    found = outlook()
    assert np.isnan(of({"maximize": "y", "fixed": {"b": 0.123}}, [4, 0.123], found)[:3]).all()
    value = of({"maximize": "y", "subject_to": {"z": {"at_most": -50}}}, [4, 0.1], found)[0]
    assert value == 0


def test_a_trade_off_is_to_be_dominated_by_no_row():
    found = outlook(sd=(0.1, 0.1))
    wanted = objective.build("o", {"pareto": {"maximize": ["y"], "minimize": ["z"]}}, ["y", "z"], None, None, found.Y)
    X = np.array([[5, 1.0], [5, 0.5], [5, 0.0]])
    shares = chance.of_points(X, found, wanted, SPACE)[:, 0]
    rng = np.random.default_rng(1)
    for x, share in zip(X, shares, strict=True):
        Y = Exact().predict(x[None]) + rng.normal(0, 0.1, (2000, 2))
        worse = (found.Y[:, 0] >= Y[:, [0]]) & (found.Y[:, 1] <= Y[:, [1]])
        assert share == pytest.approx(1 - worse.any(axis=1).mean(), abs=0.1)


def test_formulas_are_taken_at_every_outcome():
    formulas = build({"ratio": {"expression": "y / (z + 20)"}}, SPACE, ["y", "z"])
    found = outlook(formulas=formulas)
    value = of({"within": {"ratio": {"at_least": 0.25}}}, [5, 0.5], found, names=("y", "z", "ratio"))[0]
    # y - 0.25 z >= 5, where y - 0.25 z is normal around 5.5 - 0.25 * 4.5.
    assert value == pytest.approx(norm.cdf((5.5 - 1.125 - 5) / np.hypot(1, 0.25)), abs=0.03)


def test_inputs_that_vary_are_drawn_too():
    spec = {"within": {"y": {"at_least": 6}}, "variation": {"a": 2}}
    wanted = build_objective(spec)
    varied = wanted.variation.on(SPACE, np.random.default_rng(0))
    value, _, _, loss = chance.of_points(np.array([[4.5, 0.5]]), outlook(), wanted, SPACE, varied)[0]
    assert value == pytest.approx(norm.sf(1 / np.sqrt(5)), abs=0.03)
    assert loss >= 0


def test_the_interval_is_that_of_jeffreys():
    low, high = (float(end[0]) for end in chance.interval(np.array([0.3]), 20))

    def density(p):
        return p**5.5 * (1 - p) ** 13.5

    whole = quad(density, 0, 1)[0]
    assert quad(density, 0, low)[0] / whole == pytest.approx(0.05, rel=1e-6)
    assert quad(density, high, 1)[0] / whole == pytest.approx(0.05, rel=1e-6)
    assert chance.interval(np.array([0.0]), 20)[0][0] == 0
    assert chance.interval(np.array([1.0]), 20)[1][0] == 1


def test_the_table_has_chances_of_its_own_surrogates_alone():
    wanted = build_objective({"target": {"y": 5}, "tolerance": 1})
    frame = pd.DataFrame(
        {
            "surrogate": ["exact", "simulator", "exact"], "objective": "o", "x.a": [4.5, 4.5, np.nan],
            "x.b": [0.5, 0.5, np.nan], "predicted_loss": [0.0, 0.0, np.nan], "rank": pd.array([1, 1, None], "Int64"),
        }
    )  # fmt: skip
    found = chance.with_chance(frame, SPACE, {"exact": outlook()}, {"o": wanted}, {})
    assert list(found["chance"].notna()) == [True, False, False]


def test_the_best_chance_is_recommended_and_the_best_expectation_of_a_direction():
    frame = pd.DataFrame(
        {
            "problem": "p", "round": 0, "seed": 0, "surrogate": "s", "objective": "o", "inverter": "i",
            "start": range(3),
            "rank": pd.array([1, 2, 3], "Int64"), "x.a": [1.0, 5.0, 9.0], "x.b": 0.5, "predicted.y": [5.0, 5.0, 5.0],
            "predicted.z": 0.0, "predicted_loss": 0.0, "domain_score": [0.1, 0.2, 0.99],
            "in_domain": [True, True, False],
            "chance": [0.3, 0.6, 0.9], "expected_loss": [2.0, 1.0, 0.5],
        }
    )  # fmt: skip
    for spec in ({"target": {"y": 5}, "tolerance": 1}, {"minimize": "z"}):
        first = distinct_solutions(frame, SPACE, {"o": build_objective(spec)}, ["y", "z"]).iloc[0]
        assert first["x.a"] == 5


def test_the_interval_holds_nine_tenths_and_what_is_exact_has_none():
    formulas = build({"price": {"expression": "0.1 * a"}}, SPACE, ["y", "z"])
    X = np.array([[3.0, 0.5], [7.0, 0.1]])
    mean, low, high = outlook(formulas=formulas).interval(X)
    assert mean[:, 0] == pytest.approx(X.sum(axis=1), abs=0.3)
    assert (high - low)[:, 0] == pytest.approx(2 * norm.ppf(0.95), rel=0.1)
    assert (low[:, 2] == mean[:, 2]).all() and (high[:, 2] == mean[:, 2]).all()
    assert mean[:, 2] == pytest.approx(0.1 * X[:, 0], rel=1e-14)
