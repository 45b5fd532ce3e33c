"""Draws from posteriors: against closed forms, a grid, and the published means of another sampler."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from preimage.calibration import bands, building, convergence, engine, nuts, posterior
from preimage.calibration.fit import Fit
from preimage.calibration.likelihoods import Noise
from preimage.calibration.priors import Prior
from preimage.core.dynamics import Curve, Known
from preimage.core.space import Input, Space
from preimage.data.series import Series
from preimage.inversion.logarithmic import Logarithms

from ..conftest import refusal

DATA = Path(__file__).parents[2] / "config" / "data" / "lynx_hare_1900_1920.csv"


def test_a_correlated_gaussian_of_unequal_scales_is_drawn_with_its_covariance():
    covariance = np.array([[1, 2.7, 0], [2.7, 9, 0], [0, 0, 0.04]])
    precision = np.linalg.inv(covariance)

    def density(Q):
        return -0.5 * np.einsum("ni,ij,nj->n", Q, precision, Q), -Q @ precision

    starts = np.random.default_rng(1).standard_normal((4, 3))
    found = nuts.sample(density, starts, 200, 200, np.random.default_rng(0))
    flat = found.values.reshape(-1, 3)
    assert found.diverged == 0 and found.values.shape == (4, 200, 3)
    size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.cov(flat.T) / size == pytest.approx(covariance / size, abs=0.2)
    assert np.abs(flat.mean(axis=0)) / np.sqrt(np.diag(covariance)) == pytest.approx(0, abs=0.15)
    assert all(convergence.r_hat(found.values[:, :, k]) < 1.02 for k in range(3))


def test_the_effective_sample_size_of_an_autoregression_is_its_closed_form():
    rng, n, by = np.random.default_rng(0), 5000, 0.6
    chains = rng.standard_normal((4, n))
    for t in range(1, n):
        chains[:, t] += by * chains[:, t - 1]
    assert convergence.effective(chains) == pytest.approx(4 * n * (1 - by) / (1 + by), rel=0.1)
    assert convergence.r_hat(chains) < 1.01 < 1.3 < convergence.r_hat(chains + np.arange(4)[:, None])
    assert convergence.r_hat(chains * np.array([1, 1, 1, 3.0])[:, None]) > 1.05


# -- a rate with a prior -----------------------------------------------------------------------------------------------

TIMES = np.linspace(0, 4, 9)
SEEN = np.array([9.6, 6.9, 4.2, 3.1, 1.9, 1.6, 0.6, 0.8, 0.2])
BOX = Space((Input("k", 0.01, 5.0), Input("sd", 0.01, 5.0)))


def decay(prior, logarithmic=False):
    model = Curve(function=lambda x, p, xp: [10 * xp.exp(-p["k"] * x["t"])], at=("t",), observed=("y",))
    series = Series(TIMES, SEEN[:, None], ("y",), (), {"t": TIMES}, Known({}))
    found = Fit(model, ("k", "sd"), series, "normal", np.full(9, 1 / 9), (0,), np.array([1.0, 0.5]),
                noises=(Noise("sd", 0.01),), priors=(prior,))  # fmt: skip
    return found.by_logarithms(np.array([True, True])) if logarithmic else found


def by_grid(prior, logarithmic):
    """Mean and standard deviation of the rate by a fine grid: uniform in the noise, or in its logarithm."""
    k, sd = np.meshgrid(np.linspace(0.3, 1.2, 400), np.geomspace(0.05, 5, 300), indexing="ij")
    density = stats.norm.logpdf(SEEN, 10 * np.exp(-k[..., None] * TIMES), sd[..., None]).sum(axis=-1)
    density += stats.lognorm.logpdf(k, prior.sd, scale=np.exp(prior.mean)) if prior.of_logarithm else (
        stats.norm.logpdf(k, prior.mean, prior.sd)
    )  # fmt: skip
    density += 0.0 if logarithmic else np.log(sd)  # the grid is of the logarithm
    weight = np.exp(density - density.max())
    mean = (weight * k).sum() / weight.sum()
    return mean, np.sqrt((weight * (k - mean) ** 2).sum() / weight.sum())


ABOUT = {False: Prior("k", False, 1.0, 0.05), True: Prior("k", True, 0.0, 0.05)}


@pytest.mark.parametrize(
    ("prior", "logarithmic"),
    [
        (ABOUT[False], True),
        pytest.param(ABOUT[False], False, marks=pytest.mark.long),
        pytest.param(ABOUT[True], True, marks=pytest.mark.long),
        pytest.param(ABOUT[True], False, marks=pytest.mark.long),
    ],
)
def test_draws_are_of_the_posterior_that_a_grid_gives_whatever_parameters_are_searched_by(prior, logarithmic):
    found = decay(prior, logarithmic)
    box = Logarithms.of((True, True), BOX).bounds() if logarithmic else BOX
    ends = engine.search(found, box, found.start[None], box.free, 1)
    drawn = posterior.sample(found, box, ends.X, {"draws": 1200, "chains": 4, "warm_up": 150}, np.random.default_rng(0))
    k = drawn.values[..., 0].ravel()
    k = 10**k if logarithmic else k
    mean, sd = by_grid(prior, logarithmic)
    assert k.mean() == pytest.approx(mean, abs=0.1 * sd) and k.std() == pytest.approx(sd, rel=0.1)
    told = posterior.summary(drawn, drawn.values, found.names, box)["parameters"]
    assert [r["parameter"] for r in told] == ["k", "sd"] and all(r["r_hat"] < 1.02 for r in told)


def test_the_band_of_a_fit_is_the_closed_form_of_its_parameters():
    found = decay(Prior("k", False, 1.0, 0.05))
    X = np.array([[0.5, 0.3], *([k, 0.3] for k in np.linspace(0.4, 0.7, 60))])
    band = bands.table(found, X, drawn=False)
    assert band["low"].to_numpy() == pytest.approx(10 * np.exp(-0.7 * TIMES))
    assert band["high"].to_numpy() == pytest.approx(10 * np.exp(-0.4 * TIMES))
    drawn = bands.table(found, np.column_stack([np.linspace(0.4, 0.7, 2001), np.full(2001, 0.3)]), drawn=True)
    assert drawn["high"].to_numpy() == pytest.approx(10 * np.exp(-(0.4 + 0.025 * 0.3) * TIMES), rel=2e-3)


def test_a_prior_is_part_of_the_fit_and_no_part_of_the_likelihood():
    found = decay(Prior("k", False, 1.0, 0.05))
    (end,) = engine.search(found, BOX, found.start[None], BOX.free, 1).X
    free = found.losses(end[None])[0]
    assert free == pytest.approx(found.by_scipy(end), rel=1e-12)
    right = -stats.norm.logpdf(SEEN, 10 * np.exp(-end[0] * TIMES), end[1]).sum()
    assert found.negative_log_likelihood(free, end) == pytest.approx(right, rel=1e-9)
    beside = found.losses(end + 1e-4 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    assert (beside > free).all()


# -- hares and lynxes --------------------------------------------------------------------------------------------------

STAN = {
    "growth": (0.547, 0.063),
    "predation": (0.0277, 0.0042),
    "decline": (0.800, 0.089),
    "conversion": (0.0241, 0.0035),
    "hare_0": (34.0, 2.9),
    "lynx_0": (5.94, 0.53),
}
RATES = """
def rates(t, y, p):
    hare, lynx = y
    return [(p["growth"] - p["predation"] * lynx) * hare, (p["conversion"] * hare - p["decline"]) * lynx]
"""


def pelts(folder):
    (folder / "pelts_model.py").write_text(RATES)
    a, b = {"normal": {"mean": 1, "sd": 0.5}}, {"normal": {"mean": 0.05, "sd": 0.05}}
    begins, noise = ({"log_normal": {"mean": m, "sd": 1}} for m in (np.log(10), -1))
    inputs = {
        "growth": {"low": 0.01, "high": 3, "start": 0.55} | a,
        "predation": {"low": 0.0001, "high": 0.3, "start": 0.028} | b,
        "decline": {"low": 0.01, "high": 3, "start": 0.8} | a,
        "conversion": {"low": 0.0001, "high": 0.3, "start": 0.024} | b,
        "hare_0": {"low": 1, "high": 100, "start": 34} | begins,
        "lynx_0": {"low": 0.5, "high": 50, "start": 6} | begins,
        "sd_hare": {"low": 0.05, "high": 2, "start": 0.25} | noise,
        "sd_lynx": {"low": 0.05, "high": 2, "start": 0.25} | noise,
    }
    spec = {
        "simulator": "pelts_model:rates",
        "ode": {"states": {"hare": "hare_0", "lynx": "lynx_0"}},
        "inputs": inputs,
    }
    entry = {
        "data": str(DATA),
        "columns": {"hare": "hare_thousands", "lynx": "lynx_thousands"},
        "time": {"column": "time", "origin": "first", "zero": "first"},
        "loss": "log_normal",
        "noise": {"hare": "sd_hare", "lynx": "sd_lynx"},
        "weights": "equal",
    }
    return spec, entry


@pytest.mark.long
def test_hares_and_lynxes_have_the_posterior_means_of_stan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec, entry = pelts(tmp_path)
    found = building.build(spec, entry)
    box = Space(tuple(Input(n, float(s["low"]), float(s["high"])) for n, s in spec["inputs"].items()))
    drawn = posterior.sample(
        found, box, found.start[None], {"draws": 4000, "chains": 4, "warm_up": 400}, np.random.default_rng(0)
    )
    told = {r["parameter"]: r for r in posterior.summary(drawn, drawn.values, found.names, box)["parameters"]}
    for name, (mean, sd) in STAN.items():
        assert told[name]["mean"] == pytest.approx(mean, abs=0.1 * sd) and told[name]["sd"] == pytest.approx(
            sd, rel=0.1
        )
        assert told[name]["r_hat"] < 1.01


def test_what_has_no_posterior_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec, entry = pelts(tmp_path)
    without = {k: v for k, v in entry.items() if k != "noise"} | {"loss": "log"}
    assert "problem.inputs.growth.normal: a prior needs a likelihood" in refusal(building.build, spec, without, False)
    bare = {n: {k: v for k, v in s.items() if "normal" not in k} for n, s in spec["inputs"].items()}
    asked = without | {"sample": {"draws": 2000, "chains": 4, "warm_up": 500}}
    assert "sample: a posterior needs a likelihood" in refusal(building.build, spec | {"inputs": bare}, asked, False)
