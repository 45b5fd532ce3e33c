"""Stochastic simulators: their samples against closed-form moments, their likelihoods against densities of SciPy."""

import numpy as np
import pytest
from scipy import integrate, stats

from preimage.inference.simulators import counts, loading
from preimage.inference.simulators.built_in import BUILT_IN, lotka_volterra, multi_distribution, sir

from ..conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

# Poisson and collider have tests of their own.
NAMES = [name for name in BUILT_IN if name not in ("poisson", "collider")]
MIDDLE = np.log([list(lotka_volterra.RATES.values())])


def build(name, **options):
    return loading.load({"simulator": name, **options})


def samples(name, theta, size, seed=0, **options):
    return build(name, **options).draw(np.random.default_rng(seed), np.atleast_2d(theta), size)[0]


def near(found, expected, errors):
    """Whether estimates lie within 5 of their standard errors of what is expected."""
    assert np.all(np.abs(np.asarray(found) - expected) < 5 * np.asarray(errors)), (found, expected, errors)


@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_contracts_shape_and_come_again_with_the_seed(name):
    found = build(name)
    theta = found.prior.sample(np.random.default_rng(1), 4)
    one, other = (found.draw(np.random.default_rng(2), theta, 3) for _ in range(2))
    assert one.shape == (4, 3, len(found.coordinates))
    assert np.isfinite(one).all() and np.array_equal(one, other)
    for part in (found.encoded, found.pooled):
        assert part is None or np.isfinite(part(one)).all()


@pytest.mark.some(2)
@pytest.mark.parametrize("name", [n for n in NAMES if n != "lotka_volterra"])
def test_the_mean_score_is_0_where_samples_are_from(name):
    # The gradient of log p(x | theta) in theta has mean 0 at the theta that x is from: samples and likelihood agree.
    found = build(name)
    d = len(found.prior.names)
    theta = found.prior.quantile(np.full(d, 0.4))
    # Not in the end of the support of samples (t3 of multi_distribution), where the score is not differentiable.
    steps = 1e-4 * np.eye(d)[: 2 if name == "multi_distribution" else d]
    ends = np.concatenate([theta + steps, theta - steps])
    values = np.array(
        [found.log_likelihood(x[None], ends) for x in samples(name, theta, 300 if name == "sir" else 3000)]
    )
    score = (values[:, : len(steps)] - values[:, len(steps) :]) / 2e-4
    near(score.mean(axis=0), 0, score.std(axis=0) / np.sqrt(len(score)) + 1e-9)


def test_gaussian_likelihood_is_scipys():
    found = build("gaussian")
    theta = found.prior.sample(np.random.default_rng(0), 5)
    x = samples("gaussian", theta[0], 50)
    expected = [stats.norm(m, np.exp(s)).logpdf(x).sum() for m, s in theta]
    np.testing.assert_allclose(found.log_likelihood(x, theta), expected, rtol=1e-10)


def test_linear_regression_likelihood_is_the_sum_of_squares():
    found = build("linear_regression")
    theta = found.prior.sample(np.random.default_rng(0), 5)
    x = samples("linear_regression", theta[0], 50)
    mean = np.tan(theta[:, :1]) * x[:, :3].sum(axis=1) + theta[:, 1:]
    expected = stats.norm(mean, 0.1).logpdf(x[:, 3]).sum(axis=1) - 3 * 50 * np.log(2)
    np.testing.assert_allclose(found.log_likelihood(x, theta), expected, rtol=1e-9)


def test_multi_distribution_has_its_closed_form_moments():
    t = np.array([1.0, -2.0, 0.5])
    x = samples("multi_distribution", t, 100_000)
    z = x @ multi_distribution.UNMIXING.T
    variances = np.array([1, np.exp(2 * t[1] / 3), 4.625, 5.5**2 / 12, 4])
    near(z.mean(axis=0), [1, 3, 0, -2.25, 2], np.sqrt(variances / len(z)))
    near(z.var(axis=0), variances, ((z - z.mean(axis=0)) ** 2).std(axis=0) / np.sqrt(len(z)))
    drawn = build("multi_distribution").prior.sample(np.random.default_rng(0), 20_000)
    spread = build("multi_distribution").draw(np.random.default_rng(1), drawn, 1)[:, 0]
    encoded = np.asarray(build("multi_distribution").encoded(spread))
    np.testing.assert_allclose(encoded.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(encoded.std(axis=0), 1, atol=0.05)


def test_poisson_numbers_have_the_distributions_shares():
    import jax
    import jax.numpy as jnp

    means = (0.3, 4.0, 11.9, 12.1, 60.0)
    drawn = jax.jit(counts.poisson)(jax.random.key(0), jnp.broadcast_to(jnp.float32(means), (40_000, 5)))
    for mean, found in zip(means, np.asarray(drawn).T, strict=True):
        near(found.mean(), mean, np.sqrt(mean / len(found)))
        middle = round(mean)
        share = stats.poisson(mean).cdf(middle)
        # The expansion for large means is not exact: it may be off by 0.003.
        assert abs((found <= middle).mean() - share) < 5 * np.sqrt(share * (1 - share) / len(found)) + 0.003


@pytest.mark.long
def test_tau_leaping_has_the_means_and_variances_of_exact_events():
    leaped, exact = (samples("lotka_volterra", MIDDLE, 4000, stepping=s) for s in lotka_volterra.STEPPINGS)
    both = np.sqrt((leaped.var(axis=0) + exact.var(axis=0)) / 4000)
    near(leaped.mean(axis=0), exact.mean(axis=0), both)
    fourth = [((x - x.mean(axis=0)) ** 2).std(axis=0) / np.sqrt(4000) for x in (leaped, exact)]
    near(leaped.var(axis=0), exact.var(axis=0), np.hypot(*fourth))


def test_many_rabbits_and_foxes_follow_the_differential_equation(monkeypatch):
    # A thousand times as many, meeting a thousand times as seldom: chance averages out.
    scale = 1000.0
    monkeypatch.setattr(lotka_volterra, "START", tuple(scale * v for v in (100.0, 50.0)))
    a, b, c, d = np.exp(MIDDLE[0])
    theta = np.log([[a, b / scale, c / scale, d]])
    x = samples("lotka_volterra", theta, 2) / scale
    rates = lambda t, y: [a * y[0] - b * y[0] * y[1], c * y[0] * y[1] - d * y[1]]  # noqa: E731
    times = lotka_volterra.STEP * np.arange(1, lotka_volterra.TIMES + 1)
    expected = integrate.solve_ivp(rates, (0, 10), [100, 50], t_eval=times, rtol=1e-9).y.ravel()
    np.testing.assert_allclose(x, np.broadcast_to(expected, x.shape), rtol=0.05, atol=0.5)


def test_a_trajectory_without_end_is_a_failed_sample(monkeypatch):
    from preimage.inference.simulators import lotka_volterra_exact

    monkeypatch.setattr(lotka_volterra_exact, "MOST", 500)
    x = samples("lotka_volterra", MIDDLE, 5, stepping="exact")
    assert np.isnan(x).all()


def test_an_unknown_stepping_is_refused():
    assert "tau_leaping" in refusal(build, "lotka_volterra", stepping="tau_leap")
    assert "no time steps" in refusal(build, "gaussian", stepping="exact")


def test_the_epidemic_is_scipys():
    theta = np.array([[0.6, 0.2], [0.3, 0.1], [1.5, 0.08]])
    for (b, g), found in zip(theta, sir.shares(theta), strict=True):

        def rates(t, y, b=b, g=g):
            return [-b * y[0] * y[1], b * y[0] * y[1] - g * y[1]]

        days = sir.EVERY * np.arange(sir.DAYS)
        solved = integrate.solve_ivp(rates, (0, 153), [1 - 1e-6, 1e-6], t_eval=days, rtol=1e-10, atol=1e-16).y[1]
        np.testing.assert_allclose(found, solved, rtol=1e-3)
    x = build("sir").draw(np.random.default_rng(0), theta, 4000)
    expected = sir.shares(theta)
    errors = np.sqrt(sir.TESTS * expected * (1 - expected) / 4000) + 1e-3
    near(x.mean(axis=1), sir.TESTS * expected, errors)


def test_slcp_statistics_are_numpys_and_know_no_order_of_the_draws():
    found, x = build("slcp"), samples("slcp", [1, -1, 1, 0.5, 1], 2)
    points = x.reshape(-1, 2)
    wanted = [
        *points.mean(axis=0) / 2,
        *np.log(points.std(axis=0)) / 1.5,
        np.arctanh(np.corrcoef(points.T)[0, 1]) / 1.5,
    ]
    for one in (points, points[::-1]):
        np.testing.assert_allclose(found.pooled(one.reshape(2, 8).astype(np.float32)), wanted, rtol=1e-4)


def test_slcp_likelihood_is_scipys():
    found = build("slcp")
    theta = found.prior.sample(np.random.default_rng(0), 5)
    x = samples("slcp", theta[0], 2)
    for row, value in zip(theta, found.log_likelihood(x, theta), strict=True):
        s1, s2, r = row[2] ** 2, row[3] ** 2, np.tanh(row[4])
        covariance = [[s1**2 + 1e-6, r * s1 * s2], [r * s1 * s2, s2**2 + 1e-6]]
        expected = stats.multivariate_normal(row[:2], covariance).logpdf(x.reshape(-1, 2)).sum()
        np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_two_moons_density_adds_up_to_1():
    found = build("two_moons")
    theta = np.array([[0.3, -0.5]])
    centre = samples("two_moons", theta, 20_000).mean(axis=0)
    axis = np.linspace(-0.2, 0.2, 161)
    plane = centre + np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
    density = np.exp([found.log_likelihood(x, theta)[0] for x in plane])
    assert abs(density.sum() * (axis[1] - axis[0]) ** 2 - 1) < 0.02
