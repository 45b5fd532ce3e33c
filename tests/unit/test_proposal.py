"""Gaussian proposals: densities against SciPy's, changes of unit against numerical derivatives and integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from preimage.inference.methods.proposal import LEAST_MASS, LOG_SD, Proposals, Truncated, log_slopes, unclipped
from preimage.inference.prior import Margin, Prior

pytestmark = pytest.mark.usefixtures("single_precision")

MARGINS = {"a": Margin("uniform", -1.0, 3.0), "b": Margin("log_normal", 0.5, 0.3), "c": Margin("normal", 2.0, 5.0)}
SHAPES = [(1, False), (2, False), (2, True), (3, True)]


def proposals(d, full):
    return Proposals(Prior(dict(list(MARGINS.items())[:d])), full)


def random_psi(made, seed=0):
    rng = np.random.default_rng(seed)
    psi = rng.normal(size=made.length) * 0.3
    psi[made.d : 2 * made.d] -= 1
    return psi.astype(np.float32)


def covariance(made, psi):
    """Spelt out: s U U' s."""
    d, unit = made.d, np.eye(made.d)
    if made.full:
        unit[np.tril_indices(d, -1)] = psi[2 * d :]
    factor = np.diag(np.exp(psi[d : 2 * d])) @ unit
    return factor @ factor.T


@pytest.mark.parametrize("d, full", SHAPES)
def test_the_density_is_that_of_scipys_normal(d, full):
    made = proposals(d, full)
    psi, z = random_psi(made), np.random.default_rng(1).normal(size=(20, d)).astype(np.float32)
    peer = stats.multivariate_normal(psi[:d], covariance(made, psi))
    np.testing.assert_allclose(made.log_density(psi, z), np.atleast_1d(peer.logpdf(z)), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("d, full", SHAPES)
def test_draws_have_mean_and_covariance_of_the_proposal(d, full):
    made = proposals(d, full)
    psi = random_psi(made)
    z = np.asarray(made.placed(psi, np.random.default_rng(2).standard_normal((200_000, d)).astype(np.float32)))
    np.testing.assert_allclose(z.mean(axis=0), psi[:d], atol=0.01)
    np.testing.assert_allclose(np.cov(z.T).reshape(d, d), covariance(made, psi), atol=0.01)


def test_the_score_is_the_gradient_in_the_units_of_the_draws():
    made = proposals(2, False)
    psi, e = random_psi(made), np.array([0.7, -1.2], np.float32)
    z = made.placed(psi, e[None])[0]
    slope = jax.grad(lambda p: made.log_density(p, z))(jnp.asarray(psi))
    unit = np.concatenate([np.exp(psi[2:4]), np.ones(2)])  # mu is measured in sds
    np.testing.assert_allclose(made.score(e), slope * unit, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("d, full", SHAPES)
def test_changes_are_bounded_and_no_change_is_none(d, full):
    made = proposals(d, full)
    psi = random_psi(made)
    np.testing.assert_allclose(made.moved(psi, np.zeros(made.length, np.float32)), psi, rtol=1e-6)
    for change in (1e30, -1e30):
        after = np.asarray(made.moved(psi, np.full(made.length, change, np.float32)))
        sd = np.sqrt(np.diag(covariance(made, psi)))
        assert (np.abs(after[:d] - psi[:d]) <= 4.001 * sd).all()
        assert (after[d : 2 * d] >= LOG_SD[0]).all() and (after[d : 2 * d] <= LOG_SD[1]).all()
        first = np.asarray(made.first(np.full(made.length, change, np.float32)))
        assert (np.abs(first[:d]) > 3**0.5).all()  # reaches any corner of the prior


def test_slopes_of_z_are_those_of_numerical_derivatives():
    prior, theta, step = Prior(MARGINS), np.array([[0.3, 1.9, -4.0], [2.9, 0.4, 7.0]]), 1e-3
    numerical = np.zeros(2)
    for j in range(3):
        shift = step * np.eye(3)[j]
        numerical += np.log((prior.to_z(theta + shift)[:, j] - prior.to_z(theta - shift)[:, j]) / (2 * step))
    np.testing.assert_allclose(log_slopes(prior, theta), numerical, atol=1e-4)


def test_the_truncated_density_integrates_to_one_over_the_support():
    made = proposals(2, True)
    psi = np.array([1.4, 0.2, -0.4, -0.6, 0.8])  # a fifth of it beyond an end
    answer = Truncated(made, psi, 1000, np.random.default_rng(0))
    a, b = np.linspace(-1, 3, 401), np.linspace(1e-3, 8, 801)
    a, b = (a[1:] + a[:-1]) / 2, (b[1:] + b[:-1]) / 2
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    total = np.exp(answer.log_density(grid)).sum() * (a[1] - a[0]) * (b[1] - b[0])
    assert total == pytest.approx(1, abs=0.02)
    assert answer.log_density(np.array([[3.5, 1.0], [0.0, -1.0]])).tolist() == [-np.inf, -np.inf]


@pytest.mark.parametrize("d, full", [*SHAPES, (4, True)])
def test_the_mass_in_the_support_is_what_draws_say(d, full):
    made = Proposals(Prior({k: Margin("uniform" if k < 3 else "normal", 0.0, 1.0) for k in range(d)}), full)
    for seed in range(4):
        psi = random_psi(made, seed) + np.float32(np.arange(made.length) < d)  # towards a corner
        z = np.asarray(made.placed(psi, np.random.default_rng(seed).standard_normal((100_000, d)).astype(np.float32)))
        inside = (np.abs(z[:, :3]) < 3**0.5).all(axis=1).mean()
        found = np.exp(made.log_mass(jnp.asarray(psi))) - LEAST_MASS
        assert found == pytest.approx(inside, abs=0.005 if d < 3 else 0.03)


def test_the_mass_of_a_proposal_far_outside_is_finite_and_so_is_its_slope():
    made = Proposals(Prior({k: Margin("uniform", 0.0, 1.0) for k in "ab"}), True)
    for psi in ([2.5, -2.5, -8.5, -8.5, 30.0], [0, 0, 1.5, 1.5, -30.0], [0, 0, -8.5, 1.5, 0]):
        value, slope = jax.value_and_grad(made.log_mass)(jnp.array(psi, jnp.float32))
        assert np.isfinite(value) and np.isfinite(slope).all()


def test_draws_lie_in_the_support_even_of_a_proposal_outside_of_it():
    made = proposals(1, False)
    for mu, log_sd in ((2.5, -8.0), (-2.5, 1.0), (0.0, 0.0)):
        answer = Truncated(made, np.array([mu, log_sd]), 500, np.random.default_rng(0))
        assert len(answer.draws) == 500
        assert made.prior.contains(answer.draws).all()
        assert np.isfinite(answer.log_density(answer.draws)).all()


def test_means_and_sds_are_in_units_of_the_parameters():
    made = proposals(3, True)
    psi = random_psi(made)
    mean, sd = made.in_units(np.stack([psi, psi]))
    assert mean.shape == sd.shape == (2, 3)
    z_sd = np.sqrt(np.diag(covariance(made, psi)))
    assert mean[0, 2] == pytest.approx(2 + 5 * psi[2], rel=1e-5)
    assert sd[0] == pytest.approx([z_sd[0] * 4 / 12**0.5, sd[0, 1], 5 * z_sd[2]], rel=1e-5)
    assert mean[0, 1] == pytest.approx(np.exp(0.5 + 0.3 * psi[1]), rel=1e-5)
    np.testing.assert_allclose(unclipped(made.prior, np.zeros((1, 3))), [[1, np.exp(0.5), 2]])
