"""Priors with correlations are multivariate normal, on every scale on which methods see them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.methods.unbounded import Unbounded
from preimage.inference.observations import described
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.inference.simulators import loading
from preimage.study.inference import simulated_part

from ..conftest import refusal

MARGINS = {"a": Margin("normal", 1.0, 2.0), "u": Margin("uniform", -1.0, 3.0), "b": Margin("log_normal", -0.5, 0.3)}
CORRELATED = Prior(MARGINS, (("a", "b", -0.8),))
COVARIANCE = np.array([[4.0, -0.48], [-0.48, 0.09]])


def joint(theta):
    """The log density by SciPy: of a and log b together, of u alone, and the slope of the logarithm."""
    a, u, b = theta.T
    together = stats.multivariate_normal([1.0, -0.5], COVARIANCE).logpdf(np.column_stack([a, np.log(b)]))
    return together + stats.uniform(-1, 4).logpdf(u) - np.log(b)


def test_density_is_scipys_and_draws_have_it():
    theta = CORRELATED.sample(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(CORRELATED.log_density(theta), joint(theta), rtol=1e-6, atol=1e-6)
    outside = np.array([[0.0, 5.0, 1.0], [0.0, 0.0, -1.0]])
    assert np.isneginf(CORRELATED.log_density(outside)).all()
    found = np.cov(theta[:, 0], np.log(theta[:, 2]))
    np.testing.assert_allclose(found, COVARIANCE, rtol=0.05)
    assert abs(np.corrcoef(theta[:, 0], theta[:, 1])[0, 1]) < 0.03
    assert stats.kstest(theta[:, 1], stats.uniform(-1, 4).cdf).pvalue > 1e-3


def test_every_scale_leads_back_and_forth():
    theta = CORRELATED.sample(np.random.default_rng(1), 5000)
    w = CORRELATED.to_normal(theta)
    np.testing.assert_allclose(np.cov(w.T), np.eye(3), atol=0.08)
    np.testing.assert_allclose(CORRELATED.from_normal(w), theta, rtol=1e-6, atol=1e-6)
    u = stats.norm.cdf(w)
    np.testing.assert_allclose(CORRELATED.quantile(u), theta, rtol=1e-5, atol=1e-5)
    z = np.asarray(CORRELATED.sample_z(jax.random.key(0), (20_000,)))
    assert np.corrcoef(z[:, 0], z[:, 2])[0, 1] == pytest.approx(-0.8, abs=0.02)
    traced = jax.jit(lambda w: CORRELATED.from_normal(w, jnp))(w[:5].astype(np.float32))
    np.testing.assert_allclose(traced, theta[:5], rtol=1e-3, atol=1e-3)


def test_the_scale_without_ends_has_the_priors_density():
    """Of the normal parameters it differs by the slope of the scale alone."""
    prior = Prior({k: v for k, v in MARGINS.items() if k != "u"}, CORRELATED.correlations)
    theta = prior.sample(np.random.default_rng(2), 100)
    w = Unbounded(prior).values(theta)
    expected = prior.log_density(theta) + np.log(2.0) + np.log(0.3 * theta[:, 1])
    np.testing.assert_allclose(Unbounded(prior).log_prior(w), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["grid", "abc_rejection", "abc_smc"])
def test_methods_find_the_posterior_of_correlated_parameters(method, single_precision):
    """One measured, the other known by its correlation alone: the normal posterior has a closed form."""
    prior = Prior({"a": Margin("normal", 0.0, 1.0), "b": Margin("normal", 0.0, 1.0)}, (("a", "b", 0.9),))
    simulator = Simulator(
        "first", prior, ("x",), lambda key, theta, n: theta[..., None, :1] + 0.5 * jax.random.normal(
            key, (*theta.shape[:-1], n, 1)
        ),
        log_likelihood=lambda x, theta: stats.norm(theta[:, 0], 0.5).logpdf(x).sum(axis=0),
    )  # fmt: skip
    options = {} if method == "grid" else {"simulations": 20_000}
    trained = InferenceMethod.of({"kind": method, **options}).train(Task(simulator, 1), np.random.default_rng(0))
    (found,) = trained.infer(np.array([[[1.0]]]), np.random.default_rng(1))
    mean = found.weights @ found.draws
    np.testing.assert_allclose(mean, [0.8, 0.72], atol=0.1)
    sd = np.sqrt(found.weights @ (found.draws - mean) ** 2)
    np.testing.assert_allclose(sd, [0.2**0.5, (1 - 0.81 * 0.8) ** 0.5], rtol=0.2)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ((("a", "c", 0.5),), "problem.correlations.a.c: there is no parameter 'c'"),
        ((("a", "u", 0.5),), "the prior of 'u' is uniform; expected normal or log_normal"),
        ((("a", "a", 0.5),), "expected each pair of two parameters once"),
        ((("a", "b", 0.5), ("b", "a", 0.5)), "expected each pair of two parameters once"),
        ((("a", "b", 1.0),), "found 1, expected a correlation between -1 and 1"),
    ],
)
def test_what_is_no_correlation_is_refused(pairs, said):
    assert said in refusal(Prior, MARGINS, pairs)


def test_correlations_that_exclude_each_other_are_refused():
    margins = {name: Margin("normal", 0, 1) for name in "abc"}
    assert "no multivariate normal has all of these" in refusal(
        Prior, margins, (("a", "b", 0.9), ("b", "c", 0.9), ("a", "c", -0.9))
    )


def test_a_study_states_them(load):
    text = """
study: s
problem: {{simulator: sir, correlations: {{contact_rate: {{{name}: 0.4}}}}}}
observations: {{simulate: 2, size: 1}}
inference: {{smc: {{kind: abc_smc, simulations: 2000}}}}
"""
    found = load(text.format(name="recovery_rate"))
    prior = loading.load(simulated_part(found["problem"])).prior
    assert prior.correlations == (("contact_rate", "recovery_rate", 0.4),)
    assert described(prior)["recovery_rate"].endswith(", correlation 0.4 with contact_rate")
    from preimage.study.inference import check

    assert "there is no parameter 'beta'" in refusal(check, load(text.format(name="beta")))
