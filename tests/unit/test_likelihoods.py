"""Likelihoods of series: against scipy's distributions, and against fits whose best noise has a closed form."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.stats import chi2

from preimage.calibration import building, engine, fit, likelihoods, losses, profiles, traced
from preimage.calibration.likelihoods import LIKELIHOODS, Noise
from preimage.core import objective
from preimage.core.dynamics import Curve, Known
from preimage.core.objective import fit as fit_objective
from preimage.core.space import Input, Space
from preimage.data.series import Series

from ..conftest import refusal

MEAN = np.array([0.3, 2.0, 7.5, 40.0, 41.0001])
COUNTS = np.array([0.0, 3, 7, 40, 41])
APART = np.array([1, -1, 0, 0.5, 2])
SEEN = {"normal": MEAN + APART, "log_normal": MEAN * 1.2, "laplace": MEAN + APART}


def density(kind, y, mean, s):
    """The logarithm of the probability of values, by scipy."""
    return {
        "normal": lambda: stats.norm.logpdf(y, mean, s),
        "log_normal": lambda: stats.lognorm.logpdf(y, s, scale=mean),
        "laplace": lambda: stats.laplace.logpdf(y, mean, s),
        "poisson": lambda: stats.poisson.logpmf(y, mean),
        "negative_binomial": lambda: stats.nbinom.logpmf(y, 1 / s, 1 / (1 + s * mean)),
    }[kind]()


@pytest.mark.parametrize("kind", LIKELIHOODS)
@pytest.mark.parametrize("estimated", [True, False])
def test_a_deviance_is_twice_the_negative_log_likelihood_but_for_a_constant(kind, estimated):
    y, there = SEEN.get(kind, COUNTS), np.array([1.0, 1, 0, 1, 1])
    m, w = (losses.scaled(kind, v)[:, None] for v in (MEAN, y))
    cells = there[:, None]
    for s in (0.05, 0.3):
        noises = [Noise("s", 0.01)] if estimated else [Noise("", s)]
        right = -(there * density(kind, y, MEAN, s)).sum()
        by_numpy = (likelihoods.residuals(kind, m, w, cells, noises, {"s": s}, np) ** 2).sum()
        by_jax = (likelihoods.residuals(kind, jnp.asarray(m), w, cells, noises, {"s": s}, jnp) ** 2).sum()
        by_jax += likelihoods.rest(kind, w, cells, noises, {"s": s}, jnp)
        for deviance in (by_numpy, float(by_jax)):
            found = 0.5 * (deviance + likelihoods.constant(kind, w, cells, noises))
            assert found == pytest.approx(right, rel=1e-4 if kind == "laplace" else 1e-12)

    def squares(v, xp):
        return (likelihoods.residuals(kind, v[:5, None], xp.asarray(w), cells, noises, {"s": v[5]}, xp) ** 2).sum()

    v = np.append(m[:, 0], 0.3)
    slopes = np.asarray(jax.grad(lambda v: squares(v, jnp))(jnp.asarray(v)))
    steps = [squares(v + 1e-30j * e, np).imag / 1e-30 for e in np.eye(6)]
    assert slopes == pytest.approx(np.array(steps), rel=1e-9, abs=1e-12)


def test_objectives_know_the_likelihoods():
    assert tuple(LIKELIHOODS) == fit_objective.LIKELIHOODS
    wanted = objective.build("o", {"fit": {"loss": "normal"}}, ())
    assert wanted.as_good_as(-5.0) == pytest.approx(-4.9)


# -- a line with unknown noise -----------------------------------------------------------------------------------------

RNG = np.random.default_rng(2)
X = np.linspace(0, 1, 40)
VALUES = np.stack([1.0 + 2 * X, 3 - X], axis=1) + [0.1, 0.4] * RNG.standard_normal((40, 2))
NAMES = ("a", "b", "c", "sd_one", "sd_two")
SPACE = Space(tuple(Input(n, *bounds) for n, bounds in zip(NAMES, [(-5.0, 5.0)] * 3 + [(0.01, 10.0)] * 2, strict=True)))


NOISES = (Noise("sd_one", 0.01), Noise("sd_two", 0.01))


def both(x, p, xp):
    """Two lines that share a slope."""
    return [p["a"] + p["b"] * x["x"], p["c"] - p["b"] / 2 * x["x"]]


def lines(noises=NOISES, values=VALUES, loss="normal"):
    model = Curve(function=both, at=("x",), observed=("y", "z"))
    series = Series(X, values, ("y", "z"), (), {"x": X}, Known({}))
    weights = losses.by_time(X, None, "equal")
    start = np.array([0.0, 0, 0, 1, 1])
    return fit.Fit(model, NAMES, series, loss, weights, (0, 1), start, noises=noises)


def best_of(found):
    ends = engine.search(found, SPACE, np.array([found.start, [1, 1, 1, 0.3, 0.3]]), SPACE.free, 1)
    assert ends.status == ["ok", "ok"], ends.message
    return ends.X[ends.loss.argmin()], ends.loss.min()


def test_estimated_noise_is_that_of_the_residuals_and_weighs_the_series():
    """At the maximum each standard deviation is its residuals' root mean square, and the lines are those of weighted
    least squares with these weights."""
    found = lines()
    x, loss = best_of(found)
    residuals = found.curves(x[None])[0] - VALUES
    assert x[3:] == pytest.approx(np.sqrt((residuals**2).mean(axis=0)), rel=1e-6)
    A = np.concatenate([np.stack([1 + 0 * X, X, 0 * X], 1) / x[3], np.stack([0 * X, -X / 2, 1 + 0 * X], 1) / x[4]])
    b = np.concatenate([VALUES[:, 0] / x[3], VALUES[:, 1] / x[4]])
    assert x[:3] == pytest.approx(np.linalg.lstsq(A, b)[0], rel=1e-6)
    right = -stats.norm.logpdf(VALUES, found.curves(x[None])[0], x[3:]).sum()
    assert found.negative_log_likelihood(loss) == pytest.approx(right, rel=1e-10)
    assert found.losses(x[None])[0] == pytest.approx(loss, rel=1e-12) == pytest.approx(found.by_scipy(x), rel=1e-12)


@pytest.mark.long
def test_an_interval_of_a_likelihood_is_where_its_deviance_rises_by_a_quantile_of_chi_squared():
    found = lines()
    x, loss = best_of(found)
    told = profiles.profile(found, SPACE, x[None])
    assert told.limit - told.least == pytest.approx(chi2.ppf(0.95, 1), rel=1e-4)
    rows = {r["parameter"]: r for r in profiles.findings(told, found, SPACE)}

    def profiled(b):
        """The least deviance with the slope held, by alternating between lines and noise."""
        s = x[3:]
        for _ in range(200):
            level = (VALUES - np.stack([b * X, -b / 2 * X], 1)).mean(axis=0)
            s = np.sqrt(((VALUES - level - np.stack([b * X, -b / 2 * X], 1)) ** 2).mean(axis=0))
        return found.losses(np.array([[level[0], b, level[1], *s]]))[0]

    inside = [b for b in np.linspace(x[1] - 0.2, x[1] + 0.2, 801) if profiled(b) <= loss + chi2.ppf(0.95, 1)]
    assert [rows["b"]["low"], rows["b"]["high"]] == pytest.approx([min(inside), max(inside)], abs=1.5e-3)
    assert rows["sd_one"]["determined"] and rows["sd_one"]["low"] < 0.1 < rows["sd_one"]["high"]


def test_empty_cells_and_one_noise_for_both_series_are_taken():
    values = VALUES.copy()
    values[3:9, 0] = np.nan
    found = lines((Noise("sd_one", 0.01), Noise("sd_one", 0.01)), values)
    space = SPACE.fix({"sd_two": 1.0})
    ends = engine.search(found, space, found.start[None], space.free, 1)
    x, there = ends.X[0], ~np.isnan(values)
    residuals = (found.curves(x[None])[0] - values)[there]
    assert x[3] == pytest.approx(np.sqrt((residuals**2).mean()), rel=1e-6)
    assert traced.many(found.form, found.data) == 82 == len(found.residuals_by_scipy(x))
    right = -stats.norm.logpdf(residuals, 0, x[3]).sum()
    assert found.negative_log_likelihood(ends.loss[0]) == pytest.approx(right, rel=1e-10)


def test_counts_are_fitted_by_their_own_likelihoods():
    """A Poisson mean that is a constant is the mean of the counts."""
    counts = np.array([[0.0], [3], [1], [4], [2], [0]])
    model = Curve(function=lambda x, p, xp: [p["m"] + 0 * x["x"]], at=("x",), observed=("n",))
    series = Series(np.arange(6.0), counts, ("n",), (), {"x": np.arange(6.0)}, Known({}))
    weights = losses.by_time(series.times, None, "equal")
    found = fit.Fit(model, ("m",), series, "poisson", weights, (0,), np.array([5.0]), noises=(Noise("", 1.0),))
    box = Space((Input("m", 0.01, 20.0),))
    ends = engine.search(found, box, np.array([[5.0], [0.1]]), box.free, 1)
    assert ends.X[:, 0] == pytest.approx([10 / 6] * 2, rel=1e-6)
    again = replace(found, loss="negative_binomial", noises=(Noise("", 1e-9),))
    assert again.losses(ends.X) == pytest.approx(found.losses(ends.X), rel=1e-6)


INPUTS = {"k": {"low": 0.1, "high": 1}, "sd": {"low": 0.01, "high": 1}, "zero": {"low": 0, "high": 1}}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"loss": "normal"}, "noise: missing; the loss normal needs a number or the name of an input"),
        ({"loss": "normal", "noise": "sdd"}, "noise: found 'sdd', expected a number or an input; did you mean 'sd'?"),
        ({"loss": "normal", "noise": "zero"}, "its lower bound is 0; expected above 0"),
        ({"loss": "normal", "noise": 0}, "noise: found 0, expected a number above 0"),
        ({"loss": "normal", "noise": {"a": "sd"}}, "noise.b: missing; expected one for each of a, b"),
        ({"loss": "normal", "noise": {"c": 1}}, "noise.c: the loss takes no such series"),
        ({"loss": "normal", "noise": 1, "weights": "recent"}, "rows of a likelihood have no weights"),
        ({"loss": "mse", "noise": 1}, "noise: valid only for a likelihood with noise, not for the loss mse"),
        ({"loss": "poisson", "noise": 1}, "not for the loss poisson"),
    ],
)
def test_noise_that_can_not_be_is_refused(entry, said):
    entry = {"weights": "equal", **entry}
    assert said in refusal(building._noises, entry, {"inputs": INPUTS}, ["a", "b"], entry["loss"])
    mixed = building._noises(
        {"weights": "equal", "noise": {"a": "sd", "b": 0.5}}, {"inputs": INPUTS}, ["a", "b"], "normal"
    )
    assert mixed == (Noise("sd", 0.01), Noise("", 0.5))
