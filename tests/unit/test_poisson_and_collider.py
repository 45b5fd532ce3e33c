"""The samplers that networks train on: against SciPy's distributions, and against the densities that they claim."""

import numpy as np
import pytest
from scipy import integrate, stats

from preimage.inference.simulators import loading
from preimage.inference.simulators.built_in import collider, poisson

pytestmark = pytest.mark.usefixtures("single_precision")


def drawn(made, theta, count):
    """Draw in sets of 5,000."""
    sets = np.broadcast_to(theta, (count // 5000, len(theta)))
    return made.draw(np.random.default_rng(1), sets, 5000).ravel()


@pytest.mark.parametrize("log_rate", [0.2, 1.0, 2.3, 4.0, 6.0, 7.0])
def test_counts_are_poisson(log_rate):
    x, rate = drawn(poisson.build(), [log_rate], 500_000), np.exp(log_rate)
    assert abs(x.mean() - rate) < 4 * np.sqrt(rate / len(x))
    assert abs(x.var() / rate - 1) < 4 * np.sqrt((2 + 1 / rate) / len(x))
    counts = np.arange(int(x.max()) + 50)
    expected, found = stats.poisson.pmf(counts, rate) * len(x), np.bincount(x.astype(int), minlength=len(counts))
    enough = expected > 20
    chi_square = ((found - expected)[enough] ** 2 / expected[enough]).sum()
    assert stats.chi2.sf(chi_square, enough.sum()) > 1e-4


@pytest.mark.parametrize("prior", [{"low": 0, "high": 10}, {"normal": {"mean": 3, "sd": 2}}])
@pytest.mark.parametrize("log_rate", [0.2, 3.0, 8.0, 9.5])
def test_counts_are_poisson_under_a_prior_that_reaches_further(prior, log_rate):
    wide = loading.load({"simulator": "poisson", "inputs": {"log_rate": prior}})
    x, rate = drawn(wide, [log_rate], 500_000), np.exp(log_rate)
    assert abs(x.mean() - rate) < 4 * np.sqrt(rate / len(x))
    assert abs(x.var() / rate - 1) < 5 * np.sqrt((2 + 1 / rate) / len(x))
    at = np.unique(x)
    below = np.searchsorted(np.sort(x), at, side="right") / len(x)
    assert np.abs(below - stats.poisson.cdf(at, rate)).max() < 0.004


def test_the_likelihood_of_counts_is_scipys():
    x, theta = np.array([[3.0], [0.0], [7.0]]), np.array([[0.5], [1.5]])
    expected = stats.poisson.logpmf(x, np.exp(theta[:, 0])).sum(axis=0)
    np.testing.assert_allclose(poisson.log_likelihood(x, theta), expected, rtol=1e-12)


def test_running_sums_are_those_of_numpy():
    values = np.random.default_rng(0).random((3, poisson.WIDTH)).astype(np.float32)
    np.testing.assert_allclose(poisson.running_sum(values), np.cumsum(values, axis=-1, dtype=float), rtol=1e-5)


@pytest.mark.parametrize("theta", [(40.0, 1.5), (42.0, 0.6), (45.0, 1.0), (46.0, 0.9), (50.0, 1.5)])
def test_angles_have_the_density_that_is_claimed(theta):
    """The density, cut at 0, integrates to 1; samples follow it (Kolmogorov-Smirnov)."""
    angles, at = collider.build(), np.array([theta])

    def density(c):
        return np.exp(angles.log_likelihood(np.array([[c]]), at)[0])

    A = angles.derived["A"](at)[0]
    np.testing.assert_allclose(A, 2 * np.tanh(10 * (2 * theta[0] - 90) / 90) * theta[1])
    grid = np.linspace(-1, 1, 4001)
    below = integrate.cumulative_trapezoid([density(c) for c in grid], grid, initial=0)
    assert below[-1] == pytest.approx(1, abs=1e-6)
    x = drawn(angles, theta, 50_000)
    assert stats.kstest(x, lambda c: np.interp(c, grid, below)).pvalue > 1e-3
    assert (1 + x**2 + A * x > -1e-5).all()


def test_the_likelihood_of_angles_is_the_sum_of_their_logs():
    rng = np.random.default_rng(0)
    c, A = rng.uniform(-1, 1, 47), np.linspace(-3, 3, 30)
    with np.errstate(divide="ignore"):
        expected = np.log(np.maximum(1 + c**2 + A[:, None] * c, 0)).sum(axis=1)
    assert 0 < np.isneginf(expected).sum() < 20
    np.testing.assert_allclose(collider.sum_of_logs(c, A), expected, rtol=1e-12)


def test_beyond_two_the_density_begins_at_its_root():
    assert collider.lowest(np.array([0.0, 2.0])).tolist() == [-1, -1]
    a = np.array([2.1, 2.4])
    low = collider.lowest(a)
    np.testing.assert_allclose(1 + low**2 + a * low, 0, atol=1e-12)
    assert (low > -1).all() and (low < 0).all()
