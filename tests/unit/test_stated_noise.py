"""Noise in a column of the data: against weighted least squares, whose answer, interval and posterior have a closed
form."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from preimage.calibration import building, by_condition, engine, forecasts, information, posterior, profiles
from preimage.core.space import Input, Space

from ..conftest import refusal

RNG = np.random.default_rng(4)
X = np.repeat(np.linspace(0, 1, 12), 2)
OWN = np.tile([0, 1], 12)  # which of two conditions a row is of; each has a level of its own
SD = RNG.uniform(0.05, 0.8, len(X))
Y = 1.0 + OWN + 2 * X + SD * RNG.standard_normal(len(X))
INPUTS = {n: {"low": -5, "high": 5, "start": 0.5} for n in ("a", "b", "a_two")}
SPEC = {"simulator": "line:line", "curve": {"at": ["x"]}, "inputs": INPUTS, "outputs": {"y": None}}
ENTRY = {"data": "line.csv", "conditions": "conditions.csv", "loss": "normal", "weights": "equal",
         "noise": {"y": {"column": "sd"}}}  # fmt: skip
SPACE = Space(tuple(Input(n, -5.0, 5.0) for n in INPUTS))
# Least squares of residuals divided by their noise.
A = np.stack([1.0 - OWN, X, OWN], axis=1) / SD[:, None]
BEST, COVARIANCE = np.linalg.lstsq(A, Y / SD)[0], np.linalg.inv(A.T @ A)


def written(folder, sd=SD, y=Y):
    (folder / "line.py").write_text("def line(x, p):\n    return p['a'] + p['b'] * x['x']\n")
    (folder / "conditions.csv").write_text("condition,a\none,\ntwo,a_two\n")
    rows = pd.DataFrame({"x": X, "y": y, "sd": sd, "condition": np.array(["one", "two"])[OWN]})
    rows.to_csv(folder / "line.csv", index=False)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "line", raising=False)
    written(tmp_path)
    return tmp_path


@pytest.fixture
def line(study):
    return building.build(SPEC, ENTRY)


def test_the_best_fit_is_that_of_weighted_least_squares(line):
    x = np.array([0.7, 1.8, 2.4])
    right = -stats.norm.logpdf(Y, x[0] * (1 - OWN) + x[2] * OWN + x[1] * X, SD).sum()
    assert line.negative_log_likelihood(line.losses(x[None])[0]) == pytest.approx(right, rel=1e-12)
    assert line.by_scipy(x) == pytest.approx(line.losses(x[None])[0], rel=1e-12)
    ends = engine.search(line, SPACE, np.array([x, -x]), SPACE.free, 1)
    assert ends.status == ["ok", "ok"], ends.message
    assert list(ends.X.ravel()) == pytest.approx([*BEST, *BEST], rel=1e-9)
    data = information.sources(line, SPACE, BEST, 1.0)
    sd = np.sqrt(np.diag(COVARIANCE))
    right = (COVARIANCE / np.outer(sd, sd))[np.triu_indices(3, 1)]
    # But for the bounds, which count too.
    assert information.correlations(list(INPUTS), data)["correlation"].to_numpy() == pytest.approx(right, abs=0.01)
    apart = (Y - A @ BEST * SD) / SD
    rows = by_condition.residuals(line, BEST)
    assert [r["residual"] for r in rows] == pytest.approx([np.sqrt((apart[k::2] ** 2).mean()) for k in (0, 1)])


@pytest.mark.long
def test_an_interval_is_as_wide_as_a_known_variance_makes_it(line):
    told = profiles.profile(line, SPACE, BEST[None])
    for k, row in enumerate(profiles.findings(told, line, SPACE)):
        half = stats.norm.ppf(0.975) * np.sqrt(COVARIANCE[k, k])
        assert [row["low"], row["high"]] == pytest.approx([BEST[k] - half, BEST[k] + half], rel=1e-3)


@pytest.mark.long
def test_draws_have_the_posterior_s_mean_and_covariance(line):
    asked = {"draws": 8000, "chains": 4, "warm_up": 500}
    told = posterior.sample(line, SPACE, BEST[None], asked, np.random.default_rng(0))
    sd, draws = np.sqrt(np.diag(COVARIANCE)), told.values.reshape(-1, 3)
    assert (draws.mean(axis=0) - BEST) / sd == pytest.approx(np.zeros(3), abs=0.06)
    assert np.cov(draws.T) / np.outer(sd, sd) == pytest.approx(COVARIANCE / np.outer(sd, sd), abs=0.06)


def test_a_row_without_a_value_needs_no_noise_and_one_column_serves_all_series(study):
    rest = np.arange(len(X)) != 3
    written(study, np.where(rest, SD, np.nan), np.where(rest, Y, np.nan))
    found = building.build(SPEC, {**ENTRY, "noise": {"column": "sd"}})
    right = -stats.norm.logpdf(Y, A @ BEST * SD, SD)[rest].sum()
    assert found.negative_log_likelihood(found.losses(BEST[None])[0]) == pytest.approx(right, rel=1e-12)


def test_held_out_rows_have_their_own_noise_in_the_forecast(study):
    entry = {**ENTRY, "hold_out": 3}
    entry.pop("conditions")
    found, whole = building.build(SPEC, entry), building.observed(SPEC, entry)
    assert forecasts.noise(found, whole, BEST, np.nan) == pytest.approx(SD[-3:, None])


@pytest.mark.parametrize(
    ("sd", "said"), [(0.0, "found 0, expected"), (-0.5, "found -0.5, expected"), (np.nan, "found no value, expected")]
)
def test_noise_that_is_no_number_above_0_is_refused_by_row(study, sd, said):
    written(study, np.where(np.arange(len(X)) == 5, sd, SD))
    found = refusal(building.build, SPEC, ENTRY)
    assert "line.csv, column 'sd', row 6 (line 7): " + said + " a number above 0, the noise of 'y'" in found


def test_a_column_that_is_not_there_is_named(study):
    said = refusal(building.build, SPEC, {**ENTRY, "noise": {"y": {"column": "sdd"}}})
    assert "line.csv: no column 'sdd'; did you mean 'sd'?" in said
    said = refusal(building.build, SPEC, {**ENTRY, "noise": {"z": {"column": "sd"}}})
    assert "noise.z: the loss takes no such series" in said
