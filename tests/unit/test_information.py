"""Which data tells which parameter: against linear least squares, fits without a series and scipy's distributions."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from preimage.calibration import fit, information, losses
from preimage.calibration.likelihoods import LIKELIHOODS, Noise
from preimage.calibration.priors import Prior
from preimage.core.dynamics import Curve, Known
from preimage.core.space import Input, Space
from preimage.data.conditions import Conditions
from preimage.data.series import Series

X = np.linspace(0, 2, 12)
NAMES = ("a", "b", "c")
WIDTH = 2000.0
BEST = np.array([1.0, -2.0, 0.5])


def two_series(x, p, xp):
    """One series tells a alone, the other b and c."""
    return [p["a"] * x["x"], p["a"] * x["x"] ** 2 + p["b"] * x["x"] + p["c"]]


def design(names=NAMES):
    """The design matrices of both series."""
    one, zero = np.ones_like(X), np.zeros_like(X)
    return {"y": np.stack([X, zero, zero], 1), "z": np.stack([X**2, X, one], 1)}


def fitted(function=two_series, names=NAMES, noise=(0.1, 3.0), unit=1.0, loss="normal", **settings):
    """A fit of both series at the best parameters, these in another unit."""
    model = Curve(function=lambda x, p, xp: function(x, {n: p[n] / unit for n in names}, xp), at=("x",),
                  observed=("y", "z"))  # fmt: skip
    values = np.stack([d @ BEST for d in design().values()], axis=1) + 0.1 * np.cos(9 * X)[:, None]
    series = Series(X, values, ("y", "z"), (), {"x": X}, Known({}))
    noises = tuple(Noise("", s) for s in noise)
    weights = losses.by_time(X, None, "equal")
    settings = {"noises": noises, **settings}
    return fit.Fit(model, names, series, loss, weights, (0, 1), np.ones(len(names)), **settings)


def box(names=NAMES, unit=1.0):
    return Space(tuple(Input(n, -WIDTH / 2 * unit, WIDTH / 2 * unit) for n in names))


def errors(names=("y", "z"), noise=(0.1, 3.0)):
    """The standard errors of weighted linear least squares by some of the series, and their correlations."""
    roots = [d / s for (n, d), s in zip(design().items(), noise, strict=True) if n in names]
    covariance = np.linalg.inv(np.vstack(roots).T @ np.vstack(roots))
    sd = np.sqrt(np.diag(covariance))
    return sd, covariance / np.outer(sd, sd)


def told(found, space, x=BEST, names=NAMES, variance=1.0):
    data = information.sources(found, space, x, variance)
    table = information.lost(names, data)
    return information.correlations(names, data), table.set_index(["parameter", "left_out", "series", "condition"])


def test_a_linear_model_has_the_correlations_and_errors_of_least_squares():
    correlations, lost = told(fitted(), box())
    sd, r = errors()
    assert correlations["correlation"].tolist() == pytest.approx([r[0, 1], r[0, 2], r[1, 2]], rel=1e-5)
    assert list(zip(correlations["parameter"], correlations["other"], strict=True)) == [*zip("aab", "bcc", strict=True)]
    wider = errors(["z"])[0] / sd
    for j, name in enumerate(NAMES):
        row = lost.loc[name, "series", "y", ""]
        assert row["times_wider"] == pytest.approx(wider[j], rel=1e-5)
        assert row["share_lost"] == pytest.approx(1 - wider[j] ** -2, rel=1e-5) and row["values"] == len(X)
    # The other series alone knows b and c: without it they are anywhere within the bounds.
    assert lost.loc["b", "series", "z", ""]["share_lost"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("traceable", [True, False])
def test_a_curve_refitted_without_a_series_has_errors_as_much_wider(traceable):
    """scipy's standard errors of a model that is not linear, by both series and by one."""

    def decay(x, p, xp):
        size, rate = (p["a"], p["b"]) if traceable else (float(p["a"]), float(p["b"]))
        exp = jnp.exp if traceable and xp is not np else np.exp
        return [size * exp(-rate * x["x"]), rate * x["x"] + 0.0 * size]

    names, x = ("a", "b"), np.array([3.0, 0.7])
    found = fitted(decay, names, (0.2, 0.1))
    found = replace(found, model=replace(found.model, traceable=traceable))
    space = Space((Input("a", 0.0, 100.0), Input("b", 0.0, 50.0)))
    correlations, lost = told(found, space, x, names)

    def by_scipy(which):
        def curves(_, a, b):
            return np.concatenate([[a * np.exp(-b * X), b * X][k] for k in which])

        s = np.repeat([0.2, 0.1], len(X)).reshape(2, -1)[which].ravel()
        return curve_fit(curves, 0, curves(0, *x), x, s, absolute_sigma=True)[1]

    both, alone = by_scipy([0, 1]), by_scipy([0])
    assert correlations["correlation"][0] == pytest.approx(both[0, 1] / np.sqrt(both[0, 0] * both[1, 1]), rel=1e-3)
    for j, name in enumerate(names):
        wider = np.sqrt(alone[j, j] / both[j, j])
        assert lost.loc[name, "series", "z", ""]["times_wider"] == pytest.approx(wider, rel=1e-3)


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_units_change_nothing(unit):
    one = told(fitted(), box())
    # Of the parameters, and of the values and their noise.
    parameters = told(fitted(unit=unit), box(unit=unit), BEST * unit)

    def scaled(x, p, xp):
        return [unit * v for v in two_series(x, p, xp)]

    values = told(fitted(scaled, noise=(0.1 * unit, 3.0 * unit)), box())
    for other in (parameters, values):
        for a, b, column in zip(one, other, ("correlation", "share_lost"), strict=True):
            assert b[column].to_numpy() == pytest.approx(a[column].to_numpy(), rel=1e-9)


def test_a_loss_that_is_no_likelihood_has_the_errors_of_ordinary_least_squares():
    found = fitted(noise=(1.0, 1.0), loss="mse", noises=())
    variance = 0.3**2 / (2 * len(X))  # the loss is a mean: its residuals are those of the values, by the root of 24
    correlations, lost = told(found, box(), variance=variance)
    sd, r = errors(noise=(0.3, 0.3))
    assert correlations["correlation"].tolist() == pytest.approx([r[0, 1], r[0, 2], r[1, 2]], rel=1e-5)
    wider = errors(["z"], (0.3, 0.3))[0] / sd
    assert lost.loc["c", "series", "y", ""]["times_wider"] == pytest.approx(wider[2], rel=1e-5)


def test_what_is_told_together_alone_is_said_and_what_nothing_tells_is_unknown():
    """Of a and b only the sum is known, and c moves nothing."""
    found = fitted(lambda x, p, xp: [(p["a"] + p["b"]) * x["x"], 0.0 * p["c"] + x["x"]])
    correlations, lost = told(found, box())
    assert correlations["correlation"][0] == pytest.approx(-1, abs=1e-6) and correlations["correlation"][0] >= -1
    assert correlations["correlation"][1:].isna().all()
    assert lost.loc["c"]["share_lost"].isna().all() and lost.loc["c"]["times_wider"].isna().all()
    assert lost.loc["a", "series", "z", ""]["share_lost"] == pytest.approx(0, abs=1e-9)
    # Alone a is known no better than the bounds of b allow: half of that is what the sum takes away.
    assert lost.loc["a", "series", "y", ""]["share_lost"] == pytest.approx(0.5, abs=1e-6)


def test_a_parameter_on_a_log_scale_has_the_correlations_of_its_logarithm():
    """Linear in the logarithm: what a is, 10**a is on a log scale."""
    powers = fitted(lambda x, p, xp: two_series(x, {**p, "a": xp.log10(p["a"])}, xp))
    by_logs = powers.by_logarithms(np.array([True, False, False]))
    for one, other in zip(told(fitted(), box()), told(by_logs, box()), strict=True):
        column = one.columns[-1]
        assert other[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-9)


def test_each_condition_tells_its_own_parameter_and_noise_and_priors_are_data_too():
    """A mean and a spread by condition: their errors are known in closed form."""
    names = ("m", "m_two", "s", "s_two")
    rows = np.repeat([0, 1], [8, 32])
    conditions = Conditions(("one", "two"), ("m", "s"), (("m", "s"), ("m_two", "s_two")))
    model = Curve(function=lambda x, p, xp: [p["m"] + 0.0 * x["x"]], at=("x",), observed=("y",))
    t = np.arange(40.0)
    series = Series(t, np.ones((40, 1)), ("y",), (), {"x": t}, Known({}), conditions=conditions, condition=rows)
    prior = Prior("m", False, 0.0, 0.5)
    weights = losses.by_time(t, None, "equal")
    found = fit.Fit(model, names, series, "normal", weights, (0,), np.ones(4), noises=(Noise("s", 1.0),),
                    priors=(prior,))  # fmt: skip
    space = Space(tuple(Input(n, 0.5, WIDTH) for n in names))
    correlations, lost = told(found, space, np.array([1.0, 1.0, 2.0, 2.0]), names)
    assert np.abs(correlations["correlation"]).max() < 1e-9
    by_data, by_prior = 8 / 2.0**2, 1 / 0.5**2
    assert lost.loc["m", "priors", "", ""]["share_lost"] == pytest.approx(by_prior / (by_data + by_prior), rel=1e-5)
    assert lost.loc["m", "condition", "", "one"]["share_lost"] == pytest.approx(1 / 3, rel=1e-5)
    assert lost.loc["m", "condition", "", "two"]["share_lost"] == pytest.approx(0, abs=1e-9)
    assert lost.loc["s_two", "condition", "", "two"]["share_lost"] == pytest.approx(1, abs=1e-4)
    # One series in two conditions: leaving it out in one is leaving that out.
    assert set(lost.index.get_level_values("left_out")) == {"series", "condition", "priors"}
    # 2 n / s**2 is the information on a standard deviation.
    (one, _, _) = information.sources(found, space, np.array([1.0, 1.0, 2.0, 2.0]), 1.0)
    assert (one.root**2).sum(axis=0)[2] == pytest.approx(2 * 8 / 2.0**2 * (WIDTH - 0.5) ** 2)


DENSE = np.linspace(-40, 40, 400_001)
DISTRIBUTIONS = {
    "normal": (lambda m, s: stats.norm(m, s).logpdf, DENSE),
    "log_normal": (lambda m, s: stats.norm(m, s).logpdf, DENSE),  # of the logarithm
    "laplace": (lambda m, s: stats.laplace(m, s).logpdf, DENSE),
    "poisson": (lambda m, s: stats.poisson(m).logpmf, np.arange(400.0)),
    "negative_binomial": (lambda m, s: stats.nbinom(1 / s, 1 / (1 + s * m)).logpmf, np.arange(9000.0)),
}


@pytest.mark.parametrize("kind", LIKELIHOODS)
@pytest.mark.parametrize(("mean", "noise"), [(0.3, 0.2), (40.0, 1.5)])
def test_the_information_in_a_value_is_the_mean_square_of_the_slopes_of_its_log_likelihood(kind, mean, noise):
    distribution, values = DISTRIBUTIONS[kind]
    if values is DENSE:
        values = mean + noise * values

    def log_p(m, s):
        return distribution(m, s)(values)

    h = 1e-5
    by_mean = (log_p(mean + h, noise) - log_p(mean - h, noise)) / (2 * h)
    by_noise = (log_p(mean, noise * np.exp(h)) - log_p(mean, noise * np.exp(-h))) / (2 * h)
    p = np.exp(log_p(mean, noise)) * (values[1] - values[0])
    found = LIKELIHOODS[kind].information(np.array([mean]), np.array([noise]))
    right = [(p * by_mean**2).sum(), (p * by_noise**2).sum()]
    assert [float(v[0]) for v in found] == pytest.approx(right, rel=1e-3, abs=1e-9)
    # None is on both at once.
    assert (p * by_mean * by_noise).sum() == pytest.approx(0, abs=1e-3)
